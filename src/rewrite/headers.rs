//! The header fields of the copy: what is taken off, what goes on top. Never touches a field that
//! is not ours to change, and leaves older signatures alone (U-43).

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

use super::{Marketing, Plan, RewriteError, Splice, fields};
use crate::mail::Message;

/// RFC 5322 s.2.1.1: lines should have at most 78 characters and must have at most 998, without CRLF.
const GOOD_LINE: usize = 78;
const LONGEST_LINE: usize = 998;

/// The tool's own list fields, which ours replace (U-01, U-19, U-30).
const LIST_FIELDS: [&str; 3] = ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"];

/// The fields above the tool's own: the trace field first (RFC 5321 s.4.4), then the list's.
pub(super) fn on_top(plan: &Plan<'_>) -> Result<Vec<u8>, RewriteError> {
    let mut top = Vec::with_capacity(plan.on_top.len() + 512);
    top.extend_from_slice(plan.on_top);
    if let Some(marketing) = &plan.marketing {
        unsubscribe(marketing.unsubscribe_url, marketing.mailto, &mut top)?;
        list_id(marketing, &mut top)?;
    }
    plan.fields.write(&mut top)?;
    Ok(top)
}

/// Takes off the control fields, `Bcc` (RFC 5321 s.7.2, M-67) and, on marketing, the tool's list fields.
pub(super) fn remove(message: &Message, plan: &Plan<'_>, splices: &mut Vec<Splice<'_>>) {
    for header in message.headers() {
        let control = fields::is_control(header.name, plan.kept);
        let hidden = ["Bcc", "Resent-Bcc"].iter().any(|name| header.name.eq_ignore_ascii_case(name));
        let replaced = plan.marketing.is_some() && LIST_FIELDS.iter().any(|name| header.name.eq_ignore_ascii_case(name));
        if control || hidden || replaced || plan.fields.replace(header.name) {
            splices.push(Splice::remove(header.start..header.end));
        }
    }
}

fn unsubscribe(url: &str, mailto: Option<&str>, top: &mut Vec<u8>) -> Result<(), RewriteError> {
    // RFC 2369 s.2: no white space within the brackets; U-21: the line stays whole
    let good = |byte: &u8| byte.is_ascii_graphic() && !b"<>\",".contains(byte);
    // never folded, however far beyond GOOD_LINE: some readers know a field's first line only
    // RFC 2369 s.2: the first is the one that the sender prefers
    let mailto = mailto.map(|mailto| format!(", <{mailto}>")).unwrap_or_default();
    let line = format!("List-Unsubscribe: <{url}>{mailto}");
    let sound = mailto.is_empty() || mailto[3..mailto.len() - 1].bytes().all(|byte| good(&byte));
    if !sound || !url.as_bytes().iter().all(good) || line.len() > LONGEST_LINE || !url.contains("://") {
        return Err(RewriteError::Setting("the unsubscribe URL"));
    }
    top.extend_from_slice(line.as_bytes());
    top.extend_from_slice(b"\r\n");
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
    if text.is_ascii() && text.len() < GOOD_LINE - 20 {
        return vec![format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))];
    }
    encoded_words(&text)
}

/// RFC 2047 s.2: at most 75 characters each; s.5(3): whole characters each.
fn encoded_words(text: &str) -> Vec<String> {
    const OCTETS: usize = 42; // makes 56 characters of base64, and 77 with `List-Id: =?UTF-8?B?` and `?=`
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

#[cfg(test)]
mod tests {
    use super::*;

    fn top(url: &str, phrase: &str, id: &str) -> Result<String, RewriteError> {
        top_with(url, None, phrase, id)
    }

    fn top_with(url: &str, mailto: Option<&str>, phrase: &str, id: &str) -> Result<String, RewriteError> {
        let trackers = crate::rewrite::Trackers::new(&[]).expect("the built-in ones");
        let marketing = Marketing {
            unsubscribe_url: url,
            mailto,
            list_id_phrase: phrase,
            list_id: id,
            footer_text: "",
            footer_html: "",
            notice_text: "",
            notice_html: "",
            must_say: &[],
            unsubscribe_words: "",
            may_measure: false,
            refuse_blind: true,
            refuse_concealed: false,
            trackers: &trackers,
        };
        on_top(&Plan { on_top: b"", fields: crate::rewrite::Fields::default(), kept: &[], marketing: Some(marketing) })
            .map(|top| String::from_utf8(top).expect("ASCII"))
    }

    /// A URL whose `List-Unsubscribe` is a line of so many octets, without CRLF.
    fn url_for_line(octets: usize) -> String {
        let start = "https://x.example/u/";
        format!("{start}{}", "A".repeat(octets - "List-Unsubscribe: <>".len() - start.len()))
    }

    #[test]
    fn list_fields_are_written_as_their_rfcs_say() {
        // U-02, U-03, U-30; U-21, M-06: the longest URL makes a line of 998 octets
        let long = url_for_line(998);
        for (url, phrase, expected) in [
            ("https://x.example/u/1", "News", ["List-Unsubscribe: <https://x.example/u/1>\r\n", "List-Id: News <a.b>\r\n"]),
            (&long, "", [&format!("List-Unsubscribe: <{long}>\r\n"), "List-Id: <a.b>\r\n"]),
            ("https://x.example/u/1", "A & B", ["List-Unsubscribe: <https://x.example/u/1>\r\n", "List-Id: A & B <a.b>\r\n"]),
            ("https://x.example/u/1", "A, \"B\"", ["List-Unsubscribe: <https://x.example/u/1>\r\n", "List-Id: \"A, \\\"B\\\"\" <a.b>\r\n"]),
            ("https://x.example/u/1", "ü", ["List-Unsubscribe: <https://x.example/u/1>\r\n", "List-Id: =?UTF-8?B?w7w=?= <a.b>\r\n"]),
            ("https://x.example/u/1", "=?x", ["List-Unsubscribe: <https://x.example/u/1>\r\n", "List-Id: \"=?x\" <a.b>\r\n"]),
            ("https://x.example/u/1", "a\r\nBcc: b", ["List-Unsubscribe: <https://x.example/u/1>\r\n", "List-Id: \"a Bcc: b\" <a.b>\r\n"]),
        ] {
            let [unsubscribe, list_id] = expected;
            let expected = format!("{unsubscribe}List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n{list_id}");
            assert_eq!(top(url, phrase, "a.b").as_deref(), Ok(expected.as_str()), "{url} {phrase}");
        }
    }

    #[test]
    fn a_mailto_stands_behind_the_link_and_only_if_there_is_one() {
        // U-02, U-18
        for (mailto, expected) in [
            (None, Some("List-Unsubscribe: <https://x.example/u/1>\r\n")),
            (
                Some("mailto:leave@x.example?subject=T"),
                Some("List-Unsubscribe: <https://x.example/u/1>, <mailto:leave@x.example?subject=T>\r\n"),
            ),
            (Some("mailto:leave@x.example>, <https://evil.example"), None),
        ] {
            let top = top_with("https://x.example/u/1", mailto, "", "a.b");
            assert_eq!(top.ok().and_then(|top| top.split_inclusive("\r\n").next().map(str::to_owned)).as_deref(), expected, "{mailto:?}");
        }
    }

    #[test]
    fn settings_that_would_break_the_header_are_refused() {
        // U-21
        let long = url_for_line(999);
        for url in ["", "x", "https://x.example/a b", "https://x.example/>", "https://x.example/\r\nBcc: x", "https://x.example/ü", &long]
        {
            assert_eq!(top(url, "", "a.b").err(), Some(RewriteError::Setting("the unsubscribe URL")), "{url}");
        }
        let long = format!("a.{}", "b".repeat(254));
        for id in ["", "a", "a..b", "a b.c", "a.b>", "ü.b", &long] {
            assert_eq!(top("https://x.example/", "", id).err(), Some(RewriteError::Setting("the List-Id")), "{id}");
        }
    }

    #[test]
    fn long_names_are_folded_into_short_lines() {
        for phrase in ["ü".repeat(200), "word ".repeat(60), "a, ".repeat(60)] {
            let top = top("https://x.example/", &phrase, "a.b").expect("any phrase will do");
            assert!(top.split("\r\n").all(|line| line.len() <= GOOD_LINE && !line.trim().is_empty() || line.is_empty()), "{top}");
        }
    }
}
