//! Delivery reports (RFC 3464): who did not get a mail, and why. Parts in their order: a text for people, the fields for
//! programs, what comes back of the mail. Whether anybody wants one is not decided here.

use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};

use super::ComposeError;
use crate::mail::{Address, Recipient, Return, Sender};

/// What happened to a copy (RFC 3464 s.2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was not delivered and will not be.
    Failed,
    /// It was not delivered yet.
    Delayed,
    /// It was handed to a host that sends no reports.
    Relayed,
}

/// One recipient's part of a report.
#[derive(Debug, Clone)]
pub struct Fate<'a> {
    /// As in RCPT.
    pub recipient: &'a Recipient,
    /// What happened.
    pub action: Action,
    /// Enhanced status code, e.g. `5.7.1`.
    pub status: &'a str,
    /// The reply that says why, code first; one line.
    pub diagnostic: &'a str,
    /// One sentence for people.
    pub why: &'a str,
}

/// A report.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// This host's name.
    pub hostname: &'a str,
    /// Of the mail that is reported on; the report goes to its reverse-path.
    pub sender: &'a Sender,
    /// The mailbox of the reverse-path.
    pub to: &'a Address,
    /// When the mail came in.
    pub arrived: Timestamp,
    /// The mail as received.
    pub original: &'a [u8],
    /// At least one.
    pub fates: &'a [Fate<'a>],
    /// When the report is written.
    pub at: Timestamp,
    /// Fresh, in hexadecimal digits: for Message-ID and boundary.
    pub nonce: &'a str,
}

impl Report<'_> {
    /// The mail, complete, lines ended by CRLF.
    pub fn compose(&self) -> Result<Vec<u8>, ComposeError> {
        // Our own grammar has judged both addresses; lettre's is narrower.
        let from = lettre::Address::new_dangerous("MAILER-DAEMON", self.hostname);
        let to = lettre::Address::new_dangerous(self.to.local(), self.to.domain());
        let header = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let kind = format!("multipart/report; report-type=delivery-status; boundary=\"report-{}\"", self.nonce);
        let message = Message::builder()
            .from(Mailbox::new(Some("Mail delivery".to_owned()), from.clone()))
            .to(Mailbox::new(None, to.clone()))
            .envelope(lettre::address::Envelope::new(Some(from), vec![to])?)
            .date(self.at.into())
            .message_id(Some(format!("<report-{}@{}>", self.nonce, self.hostname)))
            .subject(self.subject())
            // RFC 3834 s.5.1, M-64: an answer, not a mail of its own
            .raw_header(header("Auto-Submitted", "auto-replied"))
            .multipart(
                MultiPart::builder()
                    .header(content_type(&kind))
                    .singlepart(SinglePart::plain(self.text()))
                    .singlepart(part("message/delivery-status", self.fields().into_bytes()))
                    .singlepart(self.returned()),
            )?;
        Ok(message.formatted())
    }

    /// True when the whole mail comes back, as its sender asked (RFC 3461 s.4.3). Otherwise its header is enough (M-63).
    fn returns_all(&self) -> bool {
        self.sender.ret == Some(Return::Full) && self.fates.iter().any(|fate| fate.action == Action::Failed)
    }

    fn returned(&self) -> SinglePart {
        let end = memchr::memmem::find(self.original, b"\r\n\r\n").map_or(self.original.len(), |at| at + 2);
        match self.returns_all() {
            true => part("message/rfc822", self.original.to_vec()),
            false => part("text/rfc822-headers", self.original[..end].to_vec()),
        }
    }

    fn subject(&self) -> &'static str {
        match self.fates.first().map(|fate| fate.action) {
            Some(Action::Delayed) => "Delivery is delayed",
            Some(Action::Relayed) => "Mail was handed on",
            Some(Action::Failed) | None => "Mail was not delivered",
        }
    }

    fn text(&self) -> String {
        let mut text = format!("This is the mail gateway {}.\n\n", self.hostname);
        for Fate { recipient, why, diagnostic, .. } in self.fates {
            text.push_str(&format!("{}\n    {why}\n    {}\n\n", recipient.address.as_str(), ascii(diagnostic)));
        }
        text
    }

    /// RFC 3464 s.2.
    fn fields(&self) -> String {
        let date = |at: Timestamp| at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
        let mut fields = String::new();
        if let Some(envid) = self.sender.envid.as_deref().and_then(xtext_decoded) {
            fields.push_str(&format!("Original-Envelope-Id: {envid}\r\n"));
        }
        fields.push_str(&format!("Reporting-MTA: dns; {}\r\nArrival-Date: {}\r\n", self.hostname, date(self.arrived)));
        for fate in self.fates {
            fields.push_str("\r\n");
            if let Some((kind, address)) = fate.recipient.orcpt.as_deref().and_then(|orcpt| orcpt.split_once(';')) {
                let address = xtext_decoded(address).unwrap_or_else(|| address.to_owned());
                fields.push_str(&format!("Original-Recipient: {kind}; {}\r\n", ascii(&address)));
            }
            let address = fate.recipient.address.as_str();
            let kind = if address.is_ascii() { "rfc822" } else { "utf-8" }; // RFC 6533 s.3
            let action = match fate.action {
                Action::Failed => "failed",
                Action::Delayed => "delayed",
                Action::Relayed => "relayed",
            };
            fields.push_str(&format!("Final-Recipient: {kind}; {}\r\nAction: {action}\r\nStatus: {}\r\n", ascii(address), fate.status));
            let diagnostic: String = ascii(fate.diagnostic).chars().take(900).collect(); // RFC 5322 s.2.1.1
            fields.push_str(&format!("Diagnostic-Code: smtp; {diagnostic}\r\n"));
        }
        fields
    }
}

/// A part whose octets go out as they are: message/* knows no other encoding (RFC 2046 s.5.2.1, RFC 3464 s.2.1).
fn part(kind: &str, octets: Vec<u8>) -> SinglePart {
    let encoding = if octets.is_ascii() { ContentTransferEncoding::SevenBit } else { ContentTransferEncoding::EightBit };
    SinglePart::builder().header(content_type(kind)).body(Body::dangerous_pre_encoded(octets, encoding))
}

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text).expect("a content type of this file")
}

/// RFC 3461 s.4; `None` for what does not come out as one line of text.
fn xtext_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        match octet {
            b'+' => octets.push(u8::from_str_radix(std::str::from_utf8(&[rest.next()?, rest.next()?]).ok()?, 16).ok()?),
            octet => octets.push(octet),
        }
    }
    String::from_utf8(octets).ok().filter(|text| !text.chars().any(char::is_control))
}

/// `\x{HEX}` for what is not printable ASCII (RFC 6533 s.3, utf-8-addr-xtext): one line, whatever it was.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::ReversePath;

    fn compose(sender: &Sender, original: &[u8], fates: &[Fate<'_>]) -> String {
        let to = Address::parse("bounce@shop.example").expect("valid");
        let at = Timestamp::UNIX_EPOCH;
        let report = Report { hostname: "gate.example", sender, to: &to, arrived: at, original, fates, at, nonce: "0f" };
        String::from_utf8(report.compose().expect("composed")).expect("UTF-8")
    }

    fn sender() -> Sender {
        Sender::new(ReversePath::Mailbox(Address::parse("bounce@shop.example").expect("valid")))
    }

    #[test]
    fn a_report_has_its_fields_and_no_body_unless_asked_for() {
        // M-63, RFC 3464
        let recipient =
            Recipient { orcpt: Some("rfc822;a+2Bb@x.example".into()), ..Recipient::new(Address::parse("ü@x.example").expect("valid")) };
        let fate = Fate {
            recipient: &recipient,
            action: Action::Failed,
            status: "5.7.1",
            diagnostic: "550 5.7.1 consent: withdrawn ref=00\r\nX: y",
            why: "Consent was withdrawn.",
        };
        let original = b"Subject: secret\r\nFrom: a@x.example\r\n\r\nbody text\r\n";
        let envid = Sender { envid: Some("QQ+2B1".into()), ..sender() };
        let text = compose(&envid, original, std::slice::from_ref(&fate));
        for needle in [
            "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"report-0f\"\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n\r\nOriginal-Envelope-Id: QQ+1\r\nReporting-MTA: dns; gate.example\r\n",
            "\r\n\r\nOriginal-Recipient: rfc822; a+b@x.example\r\nFinal-Recipient: utf-8; \\x{FC}@x.example\r\nAction: failed\r\nStatus: 5.7.1\r\n",
            "Diagnostic-Code: smtp; 550 5.7.1 consent: withdrawn ref=00\\x{D}\\x{A}X: y\r\n",
            "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: secret\r\nFrom: a@x.example\r\n",
            "Consent was withdrawn.",
        ] {
            assert!(text.contains(needle), "{needle} in {text}");
        }
        assert!(!text.contains("body text"));
        let full = compose(&Sender { ret: Some(Return::Full), ..envid }, original, &[fate]);
        assert!(full.contains("Content-Type: message/rfc822") && full.contains("body text"), "{full}");
    }

    #[test]
    fn every_line_of_a_report_is_short_and_ended() {
        let recipient = Recipient::new(Address::parse("a@x.example").expect("valid"));
        let long = "550 ".to_owned() + &"é".repeat(4_000);
        let fate = Fate { recipient: &recipient, action: Action::Relayed, status: "2.0.0", diagnostic: &long, why: "Long." };
        let text = compose(&sender(), "Subject: ü\r\n\r\n".as_bytes(), &[fate]);
        assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{text}");
        assert!(text.contains("Action: relayed") && text.contains("Content-Transfer-Encoding: 8bit"));
    }
}
