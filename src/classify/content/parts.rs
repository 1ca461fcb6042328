//! The parts of a message that a reader is shown, decoded. What is attached is not shown; a message in a message is.

use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};

use super::blind::{Blind, is_garbled, is_sealed};
use super::html;

/// How deep messages may lie in messages before the innermost is not read any more.
const MAX_DEPTH: usize = 4;

/// All that is shown of one message.
#[derive(Default)]
pub(super) struct Shown {
    /// The subject, decoded.
    pub(super) subject: String,
    /// Text parts; the flag says html.
    pub(super) texts: Vec<(String, bool)>,
    /// Pictures in the message itself.
    pub(super) pictures: usize,
    /// Why something that is shown could not be read.
    pub(super) blind: Option<Blind>,
    /// Attached text parts: shown where there is no other text.
    attached: Vec<(String, bool)>,
}

/// Reads a message.
pub(super) fn shown(raw: &[u8]) -> Shown {
    let mut shown = Shown::default();
    match MessageParser::new().parse(raw) {
        Some(message) => collect(&message, &mut shown, 0),
        None => shown.blind = Some(Blind::Damaged),
    }
    if shown.texts.iter().all(|(text, _)| text.trim().is_empty()) {
        shown.texts.append(&mut shown.attached);
    }
    shown
}

/// No person reads more of a mail to know what it is.
const LONGEST_SHOWN: usize = 30_000;

/// The subject and what is seen of the texts, line by line.
pub(super) fn lines(raw: &[u8]) -> Vec<String> {
    let shown = shown(raw);
    let mut lines = vec![shown.subject];
    let mut left = LONGEST_SHOWN;
    for (text, is_html) in shown.texts {
        let text = if is_html { html::see(&text).text } else { text };
        for line in text.lines() {
            let line: String = line.chars().filter(|letter| ![html::LINK, html::PICTURE].contains(letter)).collect();
            let line = line.trim();
            if line.is_empty() || line.len() > left {
                continue;
            }
            left -= line.len();
            lines.push(line.to_owned());
        }
    }
    lines
}

fn collect(message: &mail_parser::Message<'_>, shown: &mut Shown, depth: usize) {
    if depth > MAX_DEPTH {
        shown.blind.get_or_insert(Blind::Nested);
        return;
    }
    if depth == 0 {
        shown.subject = message.subject().unwrap_or_default().to_owned();
    } else if let Some(subject) = message.subject() {
        shown.texts.push((subject.to_owned(), false));
    }
    for part in &message.parts {
        let is = |main: &str, sub: &str| {
            part.content_type().is_some_and(|kind| {
                kind.ctype().eq_ignore_ascii_case(main)
                    && (sub.is_empty() || kind.subtype().is_some_and(|own| own.eq_ignore_ascii_case(sub)))
            })
        };
        if is("multipart", "encrypted") || is("application", "pkcs7-mime") || is("application", "x-pkcs7-mime") {
            shown.blind.get_or_insert(Blind::Encrypted);
        }
        match &part.body {
            PartType::Html(text) => collect_text(part, text, true, shown),
            PartType::Text(text) => collect_text(part, text, looks_like_html(part, text), shown),
            PartType::Message(inner) => collect(inner, shown, depth + 1),
            PartType::Binary(_) | PartType::InlineBinary(_) => shown.pictures += usize::from(is("image", "")),
            PartType::Multipart(_) => {}
        }
    }
}

fn collect_text(part: &MessagePart<'_>, text: &str, is_html: bool, shown: &mut Shown) {
    if is_attached(part) {
        shown.attached.push((text.to_owned(), is_html));
        return;
    }
    // what is left of a damaged encoding is no text; without one, the parser stumbled over a boundary, and the words are there
    let is_damaged = part.is_encoding_problem && part.content_transfer_encoding().is_some_and(|name| !is_plain(name));
    if is_damaged || is_garbled(text) {
        shown.blind.get_or_insert(Blind::Damaged);
    } else if is_sealed(text) {
        shown.blind.get_or_insert(Blind::Encrypted);
    }
    shown.texts.push((text.to_owned(), is_html));
}

/// Encodings that change nothing (RFC 2045 s.6.2).
fn is_plain(encoding: &str) -> bool {
    ["7bit", "8bit", "binary"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
}

/// Attached text is opened, not shown; but most readers show a sole text, whatever it says of itself.
fn is_attached(part: &MessagePart<'_>) -> bool {
    part.content_disposition().is_some_and(|disposition| disposition.ctype().eq_ignore_ascii_case("attachment"))
}

/// AMP parts are html by another name; some readers sniff.
fn looks_like_html(part: &MessagePart<'_>, text: &str) -> bool {
    let named = part.content_type().and_then(|kind| kind.subtype()).is_some_and(|sub| sub.to_ascii_lowercase().contains("html"));
    let start = text.trim_start().get(..5).unwrap_or_default();
    named || start.eq_ignore_ascii_case("<html") || start.eq_ignore_ascii_case("<!doc")
}
