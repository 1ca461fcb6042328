//! Reports of other systems on a mail of ours: complaints (RFC 5965) and failed deliveries (RFC 3464). Pure reading.

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

/// Octets that are read of a part.
const PART: usize = 64 * 1024;
/// Characters of what a host said that are kept as evidence.
const WORDS: usize = 500;

/// A report about a mail of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// `Feedback-Type`, of the kinds that speak against a mail.
    pub(super) kind: &'static str,
    /// The person asked to unsubscribe by the button of their mail program, and complains of nothing (RFC 5965 s.7.3 and its registry).
    pub(super) asks_to_stop: bool,
    /// The header of the mail, as the report has it.
    pub(super) original: String,
}

/// The complaint in a mail; `None` for any other mail, and for a report that the mail is none (`not-spam`).
pub(super) fn complaint(mail: &Message<'_>) -> Option<Complaint> {
    let report = text_of(part(mail, "feedback-report")?);
    let (kind, asks_to_stop) = match field(&report, "Feedback-Type")?.to_ascii_lowercase().as_str() {
        "abuse" => ("abuse", false),
        "fraud" => ("fraud", false),
        "other" => ("other", false),
        "opt-out" | "opt-out-list" => ("opt-out", true),
        _ => return None,
    };
    let original = part(mail, "rfc822").or_else(|| part(mail, "rfc822-headers"))?;
    let original = text_of(original);
    let header = original.split("\r\n\r\n").next().unwrap_or_default();
    // RFC 9477 s.3.1.2 first: what is ours stands there alone
    let ours: Vec<&str> = ["CFBL-Feedback-ID", "List-Unsubscribe"].iter().filter_map(|name| field(header, name)).collect();
    Some(Complaint { kind, asks_to_stop, original: ours.join("\r\n") })
}

/// What the failing host said, where the mail reports that a delivery failed for good; `None` for delays, successes, and
/// replies of absent people.
pub(super) fn bounce(mail: &Message<'_>) -> Option<String> {
    let report = text_of(part(mail, "delivery-status")?);
    // one group of fields for each recipient; our letters have one
    let failed =
        report.split("\r\n\r\n").find(|group| field(group, "Action").is_some_and(|action| action.eq_ignore_ascii_case("failed")))?;
    let said = [field(failed, "Status"), field(failed, "Diagnostic-Code")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(said.chars().take(WORDS).collect())
}

/// The first part of that subtype, of type `message` or `text`.
fn part<'m>(mail: &'m Message<'m>, subtype: &str) -> Option<&'m MessagePart<'m>> {
    mail.parts.iter().find(|part| {
        let Some(content_type) = part.content_type() else { return false };
        let is_type = ["message", "text"].iter().any(|name| content_type.ctype().eq_ignore_ascii_case(name));
        is_type && content_type.subtype().is_some_and(|own| own.eq_ignore_ascii_case(subtype))
    })
}

/// Its text, with CRLF line ends whatever the parser made of them.
fn text_of(part: &MessagePart<'_>) -> String {
    let octets = match &part.body {
        PartType::Message(message) => message.raw_message(),
        _ => part.contents(),
    };
    let text = String::from_utf8_lossy(&octets[..octets.len().min(PART)]);
    text.trim_start().lines().collect::<Vec<_>>().join("\r\n")
}

/// The value of the first field of that name, as it is folded.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut at = 0;
    while at < text.len() {
        let mut end = at + text[at..].find("\r\n").map_or(text.len() - at, |end| end + 2);
        while text[end..].starts_with([' ', '\t']) {
            end += text[end..].find("\r\n").map_or(text.len() - end, |end| end + 2);
        }
        if let Some((own, value)) = text[at..end].split_once(':')
            && own.trim_end().eq_ignore_ascii_case(name)
        {
            return Some(value.trim());
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn report(kind: &str, fields: &str, original: &str) -> String {
        format!(
            "From: <fbl@isp.example>\r\nSubject: report\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type={kind}; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nfor people\r\n\
             --b\r\nContent-Type: message/{kind}\r\n\r\n{fields}\r\n--b\r\n{original}\r\n--b--\r\n"
        )
    }

    #[test]
    fn a_complaint_is_read_with_what_is_ours_of_the_mail() {
        // U-35, RFC 5965 s.3
        let original = "Content-Type: message/rfc822\r\n\r\nReceived: x\r\nList-Unsubscribe: <https://x.example/u/LINK>,\r\n <mailto:a@x.example>\r\nCFBL-Feedback-ID: TOKEN\r\nSubject: hi\r\n\r\nList-Unsubscribe: BODY\r\n";
        let headers = original.replace("message/rfc822", "text/rfc822-headers");
        for (kind, original, expected) in [
            ("abuse", original, Some(("abuse", false))),
            ("Fraud", &headers, Some(("fraud", false))),
            ("opt-out", original, Some(("opt-out", true))),
            ("not-spam", original, None),
            ("virus", original, None),
            ("abuse", "Content-Type: text/plain\r\n\r\nnothing\r\n", None),
        ] {
            let mail = report("feedback-report", &format!("Feedback-Type: {kind}\r\nUser-Agent: x/1\r\nVersion: 1\r\n"), original);
            let found = MessageParser::default().parse(mail.as_bytes()).and_then(|mail| complaint(&mail));
            assert_eq!(found.as_ref().map(|found| (found.kind, found.asks_to_stop)), expected, "{kind} {original}");
            if let Some(found) = found {
                assert!(found.original.starts_with("TOKEN\r\n<https://x.example/u/LINK>"), "{}", found.original);
                assert!(!found.original.contains("BODY"));
            }
        }
    }

    #[test]
    fn only_a_final_failure_is_a_bounce() {
        // M-66, RFC 3464 s.2.3.3
        let status = |action: &str| {
            format!(
                "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; a@x.example\r\nAction: {action}\r\nStatus: 5.1.1\r\n\
                 Diagnostic-Code: smtp; 550\r\n no such user\r\n"
            )
        };
        for (action, expected) in [
            ("failed", Some("5.1.1 smtp; 550 no such user")),
            ("Failed", Some("5.1.1 smtp; 550 no such user")),
            ("delayed", None),
            ("delivered", None),
        ] {
            let mail = report("delivery-status", &status(action), "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n");
            let found = MessageParser::default().parse(mail.as_bytes()).and_then(|mail| bounce(&mail));
            assert_eq!(found.as_deref(), expected, "{action}");
        }
        let absent = "From: <a@x.example>\r\nSubject: I am away\r\nAuto-Submitted: auto-replied\r\n\r\nAction: failed\r\n";
        assert_eq!(MessageParser::default().parse(absent.as_bytes()).and_then(|mail| bounce(&mail)), None);
    }
}
