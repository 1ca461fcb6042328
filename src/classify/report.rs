//! Reports by their structure: what a mail system writes about a mail (RFC 3464), a reader's notice (RFC 8098), a complaint
//! (RFC 5965). Only with the null reverse-path, and only where nothing in it speaks to a customer (M-53).

use mail_parser::{MessageParser, MimeHeaders, PartType};

use crate::mail::Message;

/// The kind of report, what its second part is, and a field that part must have.
const KINDS: &[(&str, &str, &str)] = &[
    ("delivery-status", "delivery-status", "final-recipient:"),
    ("disposition-notification", "disposition-notification", "disposition:"),
    ("feedback-report", "feedback-report", "feedback-type:"),
];
/// Words for people in a report are few.
const LONGEST_NOTICE: usize = 8 * 1024;

/// The kind of report that the message is by its structure: two or three parts as RFC 6522 s.3 asks for, none of them html,
/// and nothing beside them. Whole returned messages are let through only where `is_quiet` says so of them.
pub(super) fn kind(message: &Message, is_quiet: impl Fn(&[u8]) -> bool) -> Option<&'static str> {
    let starts = message.value("Content-Type")?.to_ascii_lowercase();
    if !starts.starts_with("multipart/report") {
        return None;
    }
    let parsed = MessageParser::new().parse(message.raw())?;
    let root = parsed.parts.first()?;
    let asked = root.content_type()?.attribute("report-type")?.to_ascii_lowercase();
    let (name, second, field) = KINDS.iter().find(|(name, ..)| *name == asked)?;
    let PartType::Multipart(children) = &root.body else { return None };
    if !(2..=3).contains(&children.len()) || parsed.parts.len() != children.len() + 1 {
        return None;
    }
    let part = |at: usize| children.get(at).and_then(|id| parsed.parts.get(*id as usize));
    let kind_of = |at: usize| {
        part(at)?.content_type().map(|kind| (kind.ctype().to_ascii_lowercase(), kind.subtype().unwrap_or_default().to_ascii_lowercase()))
    };
    let notice = part(0)?;
    let is_plain = matches!(&notice.body, PartType::Text(text) if text.len() <= LONGEST_NOTICE);
    let (main, sub) = kind_of(1)?;
    let machine = &parsed.raw_message[part(1)?.offset_body as usize..part(1)?.offset_end as usize];
    let has_field = String::from_utf8_lossy(machine).to_ascii_lowercase().contains(field);
    let returned_is_quiet = match kind_of(2) {
        None => part(2).is_none(),
        Some((main, sub)) if main == "text" && sub == "rfc822-headers" => true,
        Some((main, sub)) if main == "message" && sub == "rfc822" => {
            let returned = &parsed.raw_message[part(2)?.offset_body as usize..part(2)?.offset_end as usize];
            is_quiet(returned)
        }
        Some(_) => false,
    };
    (is_plain && main == "message" && sub == *second && has_field && returned_is_quiet && is_quiet(message.raw())).then_some(name)
}
