//! What nobody can judge: mails whose words cannot be read, or are not there, or are of a language that the model does not know.
//! Nothing is found in them, and that is no evidence that nothing is in them.

/// Why a mail's content cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blind {
    /// Sealed for its reader.
    Encrypted,
    /// Octets that decode to nothing, or to no text.
    Damaged,
    /// Messages in messages, deeper than is read.
    Nested,
    /// More text than is read.
    Long,
    /// Pictures, and hardly a word beside them.
    Pictures,
    /// Neither German nor English.
    Language,
}

impl Blind {
    /// For records: says nothing of the content (I8).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Damaged => "damaged",
            Self::Nested => "nested too deep",
            Self::Long => "too long",
            Self::Pictures => "pictures with hardly a word",
            Self::Language => "of a language the model does not know",
        }
    }
}

/// Words of the languages that the model knows, and of others, in a mail.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tongues {
    /// German and English ones.
    pub(super) known: usize,
    /// Those of other languages, and of other scripts.
    pub(super) other: usize,
}

impl Tongues {
    /// So few may stand in a name or an address.
    const FEW: usize = 4;

    /// True when most of what tells the language tells another one.
    pub(super) fn is_foreign(self) -> bool {
        self.other >= Self::FEW && self.other > self.known
    }
}

/// With pictures, fewer words than these are no text.
pub(super) const HARDLY_A_WORD: usize = 12;

/// True for what is no text: too many of its characters could not be decoded.
pub(super) fn is_garbled(text: &str) -> bool {
    let lost = text.matches(char::REPLACEMENT_CHARACTER).count();
    lost > 0 && lost * 20 > text.chars().count()
}

/// True for a text that is sealed by OpenPGP (RFC 9580 s.6.2).
pub(super) fn is_sealed(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN PGP MESSAGE-----")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::content::judge;

    fn mail(head: &str, body: &str) -> String {
        format!("From: a@shop.example\r\nSubject: Your order 483920\r\nMIME-Version: 1.0\r\n{head}\r\n{body}\r\n")
    }

    fn plain(body: &str) -> String {
        mail("Content-Type: text/plain; charset=utf-8\r\n", body)
    }

    fn nested(depth: usize) -> String {
        (0..depth).fold(plain("Thank you for your order."), |inner, _| mail("Content-Type: message/rfc822\r\n", &inner))
    }

    #[test]
    fn what_cannot_be_judged_is_told_and_raised() {
        let receipt = "Thank you for your order. Your order number is 483920. Your parcel was handed to the carrier today.";
        let picture = "<a href=\"https://shop.example/\"><img src=\"https://shop.example/1.png\" width=\"600\" height=\"900\"></a>";
        let attached = "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n";
        for (what, raw, expected) in [
            ("a receipt", plain(receipt), None),
            ("a receipt with its logo", mail("Content-Type: text/html\r\n", &format!("{picture}<p>{receipt}</p>")), None),
            ("a text that is attached, and alone", mail(attached, receipt), None),
            ("no text", plain(""), None),
            ("S/MIME", mail("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n", "MIAGCSqGSIb3"), Some(Blind::Encrypted)),
            (
                "PGP/MIME",
                mail(
                    "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n",
                    "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--b--",
                ),
                Some(Blind::Encrypted),
            ),
            ("PGP in the text", plain("-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----"), Some(Blind::Encrypted)),
            (
                "broken base64",
                mail("Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n", "PGh0*bWw+\u{1}====zzz"),
                Some(Blind::Damaged),
            ),
            ("messages in messages", nested(6), Some(Blind::Nested)),
            ("a text without end", plain(&format!("{receipt}\r\n").repeat(11_000)), Some(Blind::Long)),
            ("pictures alone", mail("Content-Type: text/html\r\n", picture), Some(Blind::Pictures)),
            (
                "French",
                plain("Votre facture est dans votre espace client. Nous vous remercions pour votre confiance, avec toute notre équipe."),
                Some(Blind::Language),
            ),
            (
                "Polish",
                plain("Twoje zamówienie jest już w drodze. Nie musisz nic robić, oraz dziękujemy że jesteś z nami."),
                Some(Blind::Language),
            ),
            ("Russian", plain("Ваш заказ уже в пути, спасибо что вы с нами."), Some(Blind::Language)),
        ] {
            let judgement = judge(raw.as_bytes());
            assert_eq!(judgement.blind, expected, "{what}");
            assert_eq!(judgement.raises(), expected.is_some() || judgement.score > 0.0, "{what}");
        }
    }
}
