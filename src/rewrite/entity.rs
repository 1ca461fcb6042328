//! The header of the message or of a MIME part (RFC 2045), as far as a footer needs it. Reads fields
//! with mail-parser; knows nothing of the parts below.

use std::ops::Range;

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use crate::mail::Message;

/// A header and a body.
pub(super) struct Entity<'a> {
    content_type: Option<ContentType<'a>>,
    /// Its type begins with a quote, which no type does.
    is_type_quoted: bool,
    encoding: &'a [u8],
    disposition: &'a [u8],
    id: &'a [u8],
    /// The body, still encoded.
    pub(super) body: Range<usize>,
    /// What must stand before anything that is added to the body, where the empty line between header
    /// and body is missing.
    pub(super) separator: &'static str,
}

/// Content-Transfer-Encoding (RFC 2045 s.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit, binary.
    Identity,
    QuotedPrintable,
    Base64,
}

impl<'a> Entity<'a> {
    /// The message itself.
    pub(super) fn of_message(message: &'a Message) -> Self {
        let field = |name| message.header(name).map_or(&b""[..], |header| header.raw_value);
        let (raw, body) = (message.raw(), message.body_offset());
        Self {
            content_type: content_type(field("Content-Type")),
            is_type_quoted: is_quoted(field("Content-Type")),
            encoding: field("Content-Transfer-Encoding"),
            disposition: field("Content-Disposition"),
            id: b"",
            body: body..raw.len(),
            separator: separator(&raw[..body]),
        }
    }

    /// A part of it, with its header.
    pub(super) fn of_part(raw: &'a [u8], range: Range<usize>) -> Self {
        let area = &raw[range.clone()];
        let body = if area.starts_with(b"\r\n") { 2 } else { memchr::memmem::find(area, b"\r\n\r\n").map_or(area.len(), |at| at + 4) };
        let header = &area[..body];
        let mut part = Self {
            content_type: None,
            is_type_quoted: false,
            encoding: b"",
            disposition: b"",
            id: b"",
            body: range.start + body..range.end,
            separator: separator(header),
        };
        for field in fields(header) {
            let Some(colon) = memchr::memchr(b':', field) else { continue };
            let (name, value) = (field[..colon].trim_ascii(), &field[colon + 1..]);
            if name.eq_ignore_ascii_case(b"Content-Type") {
                part.content_type = content_type(value);
                part.is_type_quoted = is_quoted(value);
            } else if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
                part.encoding = value;
            } else if name.eq_ignore_ascii_case(b"Content-Disposition") {
                part.disposition = value;
            } else if name.eq_ignore_ascii_case(b"Content-ID") {
                part.id = value;
            }
        }
        part
    }

    /// Type and subtype, in lower case; RFC 2045 s.5.2: text/plain where nothing is said.
    pub(super) fn media_type(&self) -> (&str, &str) {
        match &self.content_type {
            // a stray quote: some readers say text, others something nobody knows; then nothing is written into it
            _ if self.is_type_quoted => ("application", "octet-stream"),
            Some(ct) => (ct.ctype(), ct.subtype().unwrap_or_default()),
            None => ("text", "plain"),
        }
    }

    /// A parameter of the Content-Type.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.content_type.as_ref().and_then(|ct| ct.attribute(name)).filter(|value| !value.is_empty())
    }

    /// True for a part to be stored rather than shown (RFC 2183 s.2.2).
    pub(super) fn is_attachment(&self) -> bool {
        self.disposition.trim_ascii_start().get(..10).is_some_and(|word| word.eq_ignore_ascii_case(b"attachment"))
    }

    /// True when the Content-ID is that of a `start` parameter, angle brackets included or not.
    pub(super) fn has_id(&self, start: &str) -> bool {
        let bare = |id: &[u8]| id.trim_ascii().strip_prefix(b"<").and_then(|id| id.strip_suffix(b">")).unwrap_or(id.trim_ascii()).to_vec();
        bare(self.id) == bare(start.as_bytes())
    }

    /// `None` for an encoding that is none of RFC 2045's, such as x-uuencode.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        let value = self.encoding.trim_ascii();
        let (token, rest) = value.split_at(value.iter().position(|byte| b" \t\r\n;(".contains(byte)).unwrap_or(value.len()));
        // a comment may follow (RFC 822 s.3.1.4); of other words some readers say that the encoding is none they know
        let is_whole = matches!(rest.trim_ascii(), [] | [b';'] | [b'(', ..]);
        match token.to_ascii_lowercase().as_slice() {
            b"base64" | b"quoted-printable" if !is_whole => None,
            b"base64" => Some(Encoding::Base64),
            b"quoted-printable" => Some(Encoding::QuotedPrintable),
            token if token.starts_with(b"x-") || token.starts_with(b"uu") => None,
            // readers take what they do not know, such as `8-bit`, as it is
            _ => Some(Encoding::Identity),
        }
    }
}

fn is_quoted(value: &[u8]) -> bool {
    value.trim_ascii_start().starts_with(b"\"")
}

fn content_type(value: &[u8]) -> Option<ContentType<'_>> {
    match MessageStream::new(value).parse_content_type() {
        HeaderValue::ContentType(content_type) => Some(content_type),
        _ => None,
    }
}

/// The fields of a header with their folding.
fn fields(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let folded = |at: &usize| !matches!(rest.get(at + 1), Some(b' ' | b'\t'));
        let end = memchr::memchr_iter(b'\n', rest).find(folded).map_or(rest.len(), |at| at + 1);
        let (field, behind) = rest.split_at(end);
        rest = behind;
        (!field.is_empty()).then_some(field)
    })
}

fn separator(header: &[u8]) -> &'static str {
    if header.ends_with(b"\r\n\r\n") || header == b"\r\n" {
        ""
    } else if header.ends_with(b"\r\n") || header.is_empty() {
        "\r\n"
    } else {
        "\r\n\r\n"
    }
}
