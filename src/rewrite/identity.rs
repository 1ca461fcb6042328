//! Whether advertising says who it is from and that it is advertising (L-ID-01). Judges the header alone; what follows from it is the
//! caller's business.

use mail_parser::{HeaderName, MessageParser};

use crate::mail::Message;

/// What conceals sender or commercial character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concealed {
    /// The subject says that it is an answer, or passed on, and it is neither.
    Reply,
    /// The subject says that it is a document of a transaction. It may be one, sent as what nobody declared: that refuses nothing.
    Document,
}

impl Concealed {
    /// For replies and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "the subject says that it is an answer or was passed on",
            Self::Document => "the subject says that it is an invoice, a reminder or an order",
        }
    }
}

/// Marks of answers and of what is passed on that mean nothing else. Others are words, too: `WG`, `TR`, `Ref`, `VB`.
const MARKS: [&str; 4] = ["re", "aw", "fwd", "fw"];

/// Documents of a transaction.
const DOCUMENTS: [&str; 18] = [
    "rechnung",
    "mahnung",
    "zahlungserinnerung",
    "zahlungsaufforderung",
    "auftragsbestätigung",
    "bestellbestätigung",
    "buchungsbestätigung",
    "versandbestätigung",
    "lieferschein",
    "kontoauszug",
    "invoice",
    "receipt",
    "payment reminder",
    "overdue notice",
    "order confirmation",
    "booking confirmation",
    "shipping confirmation",
    "account statement",
];

/// Words that may stand around a document's name without making it something else.
const AROUND: [&str; 22] = [
    "ihre", "ihr", "deine", "dein", "die", "neue", "letzte", "erste", "zweite", "offene", "unsere", "your", "the", "new", "final", "last",
    "first", "open", "nr", "no", "nummer", "number",
];

/// What the header conceals, if anything (UWG §7(2) no. 3 b with DDG §6(2)).
pub(super) fn concealed(message: &Message) -> Option<Concealed> {
    let head = MessageParser::new().header_text(HeaderName::Subject).parse_headers(&message.raw()[..message.body_offset()])?;
    let subject = head.subject()?.to_lowercase();
    let answers = ["In-Reply-To", "References"].iter().any(|name| message.value(name).is_some_and(|value| !value.is_empty()));
    if !answers && is_marked(&subject) {
        return Some(Concealed::Reply);
    }
    is_document(&subject).then_some(Concealed::Document)
}

/// `Re:`, `AW [2]:`, `Fwd :` in front. A season (`AW26: …`), a train (`RE 5: …`) or a name (`re:publica`) is none.
fn is_marked(subject: &str) -> bool {
    let Some((mark, rest)) = subject.trim_start().split_once([':', '：']) else { return false };
    let mark = mark.trim_end();
    let counted = mark.strip_suffix([']', ')']).and_then(|mark| {
        let mark = mark.trim_end_matches(|c: char| c.is_ascii_digit());
        Some(mark.strip_suffix(['[', '('])?.trim_end())
    });
    MARKS.contains(&counted.unwrap_or(mark)) && !rest.starts_with(char::is_alphanumeric)
}

/// Nothing but a document's name, with a number, a day, or whose it is.
fn is_document(subject: &str) -> bool {
    let Some((before, behind)) = DOCUMENTS.iter().find_map(|document| subject.split_once(document)) else { return false };
    let says_nothing = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        AROUND.contains(&word) || ["vom", "from", "of"].contains(&word) || word.is_empty() || word.contains(|c: char| c.is_ascii_digit())
    };
    // a longer word is another one: invoices, Rechnungswesen
    !before.ends_with(char::is_alphanumeric)
        && !behind.starts_with(char::is_alphabetic)
        && before.split_whitespace().chain(behind.split_whitespace()).all(says_nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(subject: &str, more: &str) -> Option<Concealed> {
        let raw = format!("From: a@x.example\r\nSubject: {subject}\r\n{more}\r\nbody\r\n");
        concealed(&Message::parse(raw.into_bytes(), true).expect("a message"))
    }

    #[test]
    fn a_subject_may_not_say_what_the_mail_is_not() {
        // L-ID-01
        use Concealed::{Document, Reply};
        for (subject, more, expected) in [
            ("Re: our talk", "", Some(Reply)),
            ("AW[2]: Angebot", "", Some(Reply)),
            ("Fwd : Lamps", "", Some(Reply)),
            ("=?utf-8?q?Fwd=3A_Lampen?=", "", Some(Reply)),
            ("AW26: Discover the new collection", "", None),
            ("FW 26: Lookbook", "", None),
            ("RE 5: neue Fahrzeiten", "", None),
            ("re:publica 26: Jetzt Tickets sichern", "", None),
            ("Ref: 2026-117", "", None),
            ("WG: Tische", "", None),
            ("SV 98: Heimspiel", "", None),
            ("re: x", "In-Reply-To: <1@x.example>\r\n", None),
            ("Fwd: x", "References: <1@x.example>\r\n", None),
            ("Recycling: so geht es", "", None),
            ("Regards: 5 lamps", "", None),
            ("Ihre Rechnung Nr. 2026-117", "", Some(Document)),
            ("=?utf-8?b?QmVzdGVsbGJlc3TDpHRpZ3VuZw==?=", "", Some(Document)), // Bestellbestätigung
            ("2. Mahnung vom 3.11.2026", "", Some(Document)),
            ("Your order confirmation #4711", "", Some(Document)),
            ("Final payment reminder!", "", Some(Document)),
            ("Rechnungen schreiben leicht gemacht", "", None),
            ("Rechnung und Lieferschein in einem Schritt", "", None),
            ("The invoice that writes itself", "", None),
            ("", "", None),
        ] {
            assert_eq!(judged(subject, more), expected, "{subject}");
        }
    }
}
