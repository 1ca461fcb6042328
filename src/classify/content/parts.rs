//! The parts of a message that a reader is shown, decoded. What is attached is not shown; a message in a message is.

use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};

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
    /// Something that is shown could not be read: broken, too deep, or encrypted.
    pub(super) unreadable: bool,
}

/// Reads a message.
pub(super) fn shown(raw: &[u8]) -> Shown {
    let mut shown = Shown::default();
    match MessageParser::new().parse(raw) {
        Some(message) => collect(&message, &mut shown, 0),
        None => shown.unreadable = true,
    }
    shown
}

fn collect(message: &mail_parser::Message<'_>, shown: &mut Shown, depth: usize) {
    if depth > MAX_DEPTH {
        shown.unreadable = true;
        return;
    }
    if depth == 0 {
        shown.subject = message.subject().unwrap_or_default().to_owned();
    } else if let Some(subject) = message.subject() {
        shown.texts.push((subject.to_owned(), false));
    }
    for part in &message.parts {
        match &part.body {
            PartType::Html(text) if !is_attached(part) => shown.texts.push((text.to_string(), true)),
            PartType::Text(text) if !is_attached(part) => shown.texts.push((text.to_string(), looks_like_html(part, text))),
            PartType::Message(inner) => collect(inner, shown, depth + 1),
            PartType::Binary(_) | PartType::InlineBinary(_) => {
                let kind = part.content_type();
                let is = |main: &str, sub: &str| {
                    kind.is_some_and(|kind| {
                        kind.ctype().eq_ignore_ascii_case(main)
                            && (sub.is_empty() || kind.subtype().is_some_and(|own| own.eq_ignore_ascii_case(sub)))
                    })
                };
                shown.pictures += usize::from(is("image", ""));
                shown.unreadable |= is("multipart", "encrypted") || is("application", "pkcs7-mime") || is("application", "pgp-encrypted");
            }
            _ => {}
        }
    }
}

/// Attached text is opened, not shown; but a sole text part is shown by most readers whatever it says.
fn is_attached(part: &MessagePart<'_>) -> bool {
    part.content_disposition().is_some_and(|disposition| disposition.ctype().eq_ignore_ascii_case("attachment"))
}

/// AMP parts are html by another name; some readers sniff.
fn looks_like_html(part: &MessagePart<'_>, text: &str) -> bool {
    let named = part.content_type().and_then(|kind| kind.subtype()).is_some_and(|sub| sub.to_ascii_lowercase().contains("html"));
    let start = text.trim_start().get(..5).unwrap_or_default();
    named || start.eq_ignore_ascii_case("<html") || start.eq_ignore_ascii_case("<!doc")
}
