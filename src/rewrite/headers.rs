//! The header fields of the copy: what is taken off, what goes on top. Never touches a field that
//! is not ours to change, and leaves older signatures alone (U-43).

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

use super::{Marketing, Plan, RewriteError, Splice};
use crate::mail::Message;

/// RFC 5322 s.2.1.1: lines should have at most 78 characters and must have at most 998.
const GOOD_LINE: usize = 78;
const LONGEST_LINE: usize = 998;

/// The tool's own list fields, which ours replace (U-01, U-19, U-30).
const LIST_FIELDS: [&str; 3] = ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"];

/// The fields above the tool's own: the trace field first (RFC 5321 s.4.4), then the list's.
pub(super) fn on_top(plan: &Plan<'_>) -> Result<Vec<u8>, RewriteError> {
    let mut top = Vec::with_capacity(plan.received.len() + 512);
    top.extend_from_slice(plan.received);
    if let Some(marketing) = &plan.marketing {
        unsubscribe(marketing.unsubscribe_url, &mut top)?;
        list_id(marketing, &mut top)?;
    }
    Ok(top)
}

/// Takes off the control fields, `Bcc` (RFC 5321 s.7.2, M-67) and, on marketing, the tool's list fields.
pub(super) fn remove(message: &Message, plan: &Plan<'_>, splices: &mut Vec<Splice>) {
    for header in message.headers() {
        let ours = header.name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("Consentry-"));
        let hidden = ["Bcc", "Resent-Bcc"].iter().any(|name| header.name.eq_ignore_ascii_case(name));
        let replaced = plan.marketing.is_some() && LIST_FIELDS.iter().any(|name| header.name.eq_ignore_ascii_case(name));
        if ours || hidden || replaced {
            splices.push(Splice::remove(header.start..header.end));
        }
    }
}

fn unsubscribe(url: &str, top: &mut Vec<u8>) -> Result<(), RewriteError> {
    // RFC 2369 s.2: no white space within the brackets; U-21: the line stays whole
    let good = |byte: &u8| byte.is_ascii_graphic() && !b"<>\",".contains(byte);
    if !url.as_bytes().iter().all(good) || url.len() + 3 > LONGEST_LINE || !url.contains("://") {
        return Err(RewriteError::Setting("the unsubscribe URL"));
    }
    let fold = if "List-Unsubscribe: <>".len() + url.len() > GOOD_LINE { "\r\n" } else { "" };
    top.extend_from_slice(format!("List-Unsubscribe:{fold} <{url}>\r\n").as_bytes());
    // RFC 8058 s.3.1, s.5: literally, without folding (U-03)
    top.extend_from_slice(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    Ok(())
}

/// RFC 2919 s.3: `List-Id: phrase <label.domain>` (U-30).
fn list_id(marketing: &Marketing<'_>, top: &mut Vec<u8>) -> Result<(), RewriteError> {
    let id = marketing.list_id;
    let label = |label: &str| !label.is_empty() && label.bytes().all(is_atext);
    if id.len() > 255 || !id.contains('.') || !id.split('.').all(label) {
        return Err(RewriteError::Setting("the List-Id"));
    }
    let mut column = "List-Id:".len();
    top.extend_from_slice(b"List-Id:");
    for word in phrase(marketing.list_id_phrase).into_iter().chain([format!("<{id}>")]) {
        if column + 1 + word.len() > GOOD_LINE {
            top.extend_from_slice(b"\r\n");
            column = 0;
        }
        top.push(b' ');
        top.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    top.extend_from_slice(b"\r\n");
    Ok(())
}

/// The words of a phrase (RFC 5322 s.3.2.5), each of which may be folded before: atoms as they are,
/// one quoted string where there are specials, encoded words (RFC 2047) where it is not ASCII.
fn phrase(text: &str) -> Vec<String> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    // an atom that looks like an encoded word would be read as one
    if words.iter().all(|word| word.bytes().all(is_atext) && !word.starts_with("=?")) {
        return words.into_iter().map(String::from).collect();
    }
    let text = words.join(" ");
    if text.is_ascii() && text.len() < GOOD_LINE - 4 {
        return vec![format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))];
    }
    encoded_words(&text)
}

/// RFC 2047 s.2: at most 75 characters each; s.5(3): whole characters each.
fn encoded_words(text: &str) -> Vec<String> {
    const OCTETS: usize = 45; // makes 60 characters of base64, and 72 with `=?UTF-8?B?` and `?=`
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = OCTETS.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, tail) = rest.split_at(end);
        words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
        rest = tail;
    }
    words
}

fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}
