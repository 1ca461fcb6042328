//! What the outbound MTA announced, and which mail therefore cannot go there. Mail is refused here,
//! never changed: to make 8-bit bodies fit a 7-bit peer is the work of `rewrite` (M-16).

use crate::mail::{Envelope, Outcome, ReversePath};

/// The extensions of one EHLO reply that matter here (RFC 5321 s.4.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extensions {
    /// RFC 2920.
    pub(super) pipelining: bool,
    /// RFC 6152.
    pub(super) eight_bit_mime: bool,
    /// RFC 6531.
    pub(super) smtputf8: bool,
    /// RFC 3461.
    pub(super) dsn: bool,
    /// RFC 4954, mechanism of RFC 4616.
    pub(super) auth_plain: bool,
    /// RFC 4954, the older mechanism without a standard.
    pub(super) auth_login: bool,
    /// RFC 3207.
    pub(super) starttls: bool,
    /// Octets of the largest message it takes (RFC 1870 s.3), where it tells.
    pub(super) size: Option<u64>,
}

impl Extensions {
    /// Reads the text of an EHLO reply; its first line is the greeting.
    pub(super) fn parse(text: &str) -> Self {
        let mut announced = Self::default();
        for line in text.lines().skip(1) {
            let (keyword, parameters) = line.split_once(' ').unwrap_or((line, ""));
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => announced.pipelining = true,
                "8BITMIME" => announced.eight_bit_mime = true,
                "SMTPUTF8" => announced.smtputf8 = true,
                "AUTH" => {
                    let offers = |mechanism: &str| parameters.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(mechanism));
                    announced.auth_plain = offers("PLAIN");
                    announced.auth_login = offers("LOGIN");
                }
                "DSN" => announced.dsn = true,
                "STARTTLS" => announced.starttls = true,
                // RFC 1870 s.3: 0 means no fixed limit
                "SIZE" => announced.size = parameters.trim().parse().ok().filter(|size| *size > 0),
                _ => {}
            }
        }
        announced
    }

    /// The refusal of an envelope that the peer cannot take. Addresses are not downgraded (M-18, RFC 6531 s.3.2).
    pub(super) fn refuse_envelope(&self, envelope: &Envelope) -> Option<Outcome> {
        (needs_smtputf8(envelope) && !self.smtputf8).then(no_smtputf8)
    }

    /// The refusal of a message that the peer cannot take, or that nobody should get.
    pub(super) fn refuse_message(&self, message: &[u8]) -> Option<Outcome> {
        // RFC 1870 s.6.1
        if self.size.is_some_and(|size| message.len() as u64 > size) {
            return Some(reject(552, "5.3.4 message is larger than the outbound MTA takes"));
        }
        // The last gate before the wire: a bare CR or LF is a line end to some MTAs and none to
        // others, which is how one mail becomes two (I10, M-42).
        if !has_only_crlf(message) {
            return Some(reject(554, "5.6.0 message has a bare CR or LF"));
        }
        if message.is_ascii() {
            return None;
        }
        let header = memchr::memmem::find(message, b"\r\n\r\n").unwrap_or(message.len());
        if !self.smtputf8 && !message[..header].is_ascii() {
            return Some(no_smtputf8());
        }
        if !self.eight_bit_mime && !message[header..].is_ascii() {
            return Some(reject(554, "5.6.3 message has 8-bit text, the outbound MTA does not announce 8BITMIME")); // RFC 6152 s.3
        }
        None
    }
}

/// True when MAIL must say SMTPUTF8 (RFC 6531 s.3.4).
pub(super) fn needs_smtputf8(envelope: &Envelope) -> bool {
    let Envelope { sender, recipient } = envelope;
    let reverse_path = match &sender.reverse_path {
        ReversePath::Null => false,
        ReversePath::Mailbox(address) => address.is_internationalised(),
    };
    sender.smtputf8 || reverse_path || recipient.address.is_internationalised()
}

fn has_only_crlf(message: &[u8]) -> bool {
    // Each LF has its CR, and there is no other CR.
    let paired = |at: usize| match message[at] {
        b'\n' => at > 0 && message[at - 1] == b'\r',
        _ => message.get(at + 1) == Some(&b'\n'),
    };
    memchr::memchr2_iter(b'\r', b'\n', message).all(paired)
}

fn no_smtputf8() -> Outcome {
    reject(553, "5.6.7 mail needs SMTPUTF8, the outbound MTA does not announce it") // RFC 6531 s.3.5
}

fn reject(code: u16, text: &str) -> Outcome {
    Outcome::Reject { code, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Address, Recipient, Sender};

    #[test]
    fn extensions_are_read_whatever_their_case() {
        for (text, expected) in [
            ("mx.example.org PIPELINING", Extensions::default()),
            ("mx\npipelining\nSIZE 0", Extensions { pipelining: true, ..Extensions::default() }),
            ("mx\nSIZE 1000\nSTARTTLS", Extensions { size: Some(1000), starttls: true, ..Extensions::default() }),
            ("mx\nSIZE\n8BITMIME\nX-SMTPUTF8", Extensions { eight_bit_mime: true, ..Extensions::default() }),
            ("mx\nauth CRAM-MD5 login", Extensions { auth_login: true, ..Extensions::default() }),
            ("mx\nSMTPUTF8\ndsn\nAUTH PLAIN", Extensions { smtputf8: true, dsn: true, auth_plain: true, ..Extensions::default() }),
        ] {
            assert_eq!(Extensions::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn messages_that_do_not_fit_the_peer_are_refused() {
        // M-16, M-18, M-42
        let all = Extensions { pipelining: true, eight_bit_mime: true, smtputf8: true, size: Some(20), ..Extensions::default() };
        let seven = Extensions { eight_bit_mime: false, ..all };
        let ascii = Extensions { smtputf8: false, ..all };
        for (peer, message, code) in [
            (all, "A: b\r\n\r\nc\r\n", None),
            (all, "A: ü\r\n\r\nü\r\n", None),
            (all, "A: b\r\n\r\n12345678901\r\n", Some("552 5.3.4")),
            (ascii, "A: b\r\n\r\nü\r\n", None),
            (ascii, "A: ü\r\n\r\nc\r\n", Some("553 5.6.7")),
            (seven, "A: ü\r\n\r\nc\r\n", None),
            (seven, "A: b\r\n\r\nü\r\n", Some("554 5.6.3")),
            (all, "A: b\r\n\r\n\n.\n", Some("554 5.6.0")),
            (all, "A: b\r\n\r\n\r.\r", Some("554 5.6.0")),
            (all, "\nA: b\r\n\r\n", Some("554 5.6.0")),
            (all, "A: b\r\n\r\n\r\r\n", Some("554 5.6.0")),
        ] {
            let refused = peer.refuse_message(message.as_bytes()).map(|outcome| match outcome {
                Outcome::Reject { code, text } => format!("{code} {}", &text[..5]),
                other => other.as_str().to_owned(),
            });
            assert_eq!(refused.as_deref(), code, "{message:?}");
        }
    }

    #[test]
    fn internationalised_envelopes_need_smtputf8() {
        // M-18
        let mailbox = |text: &str| Address::parse(text).expect("valid");
        for (from, to, asked, needed) in [
            ("a@x.example", "b@x.example", false, false),
            ("a@x.example", "b@x.example", true, true),
            ("ü@x.example", "b@x.example", false, true),
            ("a@x.example", "b@ü.example", false, true),
        ] {
            let sender = Sender { smtputf8: asked, ..Sender::new(ReversePath::Mailbox(mailbox(from))) };
            let envelope = Envelope { sender, recipient: Recipient::new(mailbox(to)) };
            assert_eq!(Extensions::default().refuse_envelope(&envelope).is_some(), needed, "{from} {to}");
        }
    }
}
