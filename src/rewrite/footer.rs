//! The footer with the unsubscribe link: into each part that a reader sees, at its end, in the part's
//! own encoding and charset (U-46). Its words are the caller's.

use memchr::memmem;

use super::base64::Decoded;
use super::charset::{Charset, references};
use super::entity::Encoding;
use super::structure::{Kind, Part, readable_parts};
use super::{Marketing, RewriteError, Splice, quoted_printable};
use crate::mail::Message;

/// Adds the splices that put the footers in.
pub(super) fn add(message: &Message, marketing: &Marketing<'_>, splices: &mut Vec<Splice>) -> Result<(), RewriteError> {
    let text = crlf(marketing.footer_text);
    let html = references(&crlf(marketing.footer_html));
    for part in readable_parts(message)? {
        let body = &message.raw()[part.body.clone()];
        let footer = if part.kind == Kind::Text { &text } else { &html };
        let mut splice = match part.encoding {
            Encoding::Identity => in_plain(&part, body, footer),
            Encoding::QuotedPrintable => in_quoted_printable(&part, body, footer),
            Encoding::Base64 => in_base64(&part, body, footer),
        }?;
        splice.range = splice.range.start + part.body.start..splice.range.end + part.body.start;
        splice.bytes.splice(..0, part.separator.bytes());
        splices.push(splice);
    }
    Ok(())
}

fn in_plain(part: &Part, body: &[u8], footer: &str) -> Result<Splice, RewriteError> {
    let index = place(part.kind, body)?;
    let text = [gap(part.kind, &body[..index]), footer].concat();
    // RFC 6152: nobody promised that 8-bit octets may follow
    Ok(Splice::insert(index, part.charset.encode(&text, body.is_ascii())))
}

fn in_quoted_printable(part: &Part, body: &[u8], footer: &str) -> Result<Splice, RewriteError> {
    let (index, gap) = match part.kind {
        Kind::Text => {
            place(Kind::Text, body)?;
            // the first line end that we add would end the soft break and no line
            let soft = quoted_printable::ends_soft(body);
            let open = if soft && !body.ends_with(b"\n") { "\r\n" } else { "" };
            (body.len(), [open, gap(Kind::Text, if soft { b"=" } else { body })].concat())
        }
        Kind::Html => {
            let decoded = quoted_printable::decode(body);
            let index = place(Kind::Html, &decoded)?;
            (quoted_printable::offset(body, index), "\r\n".to_owned())
        }
    };
    let mut bytes = gap.into_bytes();
    bytes.extend(quoted_printable::encode(&part.charset.encode(footer, false)));
    Ok(Splice::insert(index, bytes))
}

fn in_base64(part: &Part, body: &[u8], footer: &str) -> Result<Splice, RewriteError> {
    let decoded = Decoded::new(body)?;
    let Charset::Utf16 { big_endian } = part.charset else {
        let index = place(part.kind, &decoded.octets)?;
        let text = [gap(part.kind, &decoded.octets[..index]), footer].concat();
        return Ok(decoded.insert(index, &part.charset.encode(&text, false)));
    };
    // RFC 2781 s.3.3, s.4.3: the byte order mark leads, big-endian without one
    let big_endian = match decoded.octets[..] {
        [0xff, 0xfe, ..] => false,
        [0xfe, 0xff, ..] => true,
        _ => big_endian,
    };
    let unit = |pair: &[u8]| match (pair, big_endian) {
        ([0, low], true) | ([low, 0], false) if low.is_ascii() => *low,
        _ => 0xff,
    };
    let shadow: Vec<u8> = decoded.octets.chunks_exact(2).map(unit).collect();
    let index = place(part.kind, &shadow)?;
    let text = [gap(part.kind, &shadow[..index]), footer].concat();
    Ok(decoded.insert(index * 2, &Charset::Utf16 { big_endian }.encode(&text, false)))
}

/// Where in the decoded text the footer goes.
fn place(kind: Kind, text: &[u8]) -> Result<usize, RewriteError> {
    match kind {
        Kind::Text if is_pgp(text) => Err(RewriteError::Sealed),
        Kind::Text => Ok(text.len()),
        Kind::Html => {
            Ok(["</body", "</html"].iter().find_map(|tag| last_tag(text, tag.as_bytes())).unwrap_or_else(|| outside_comment(text)))
        }
    }
}

/// The last occurrence of an end tag that is not in a comment.
fn last_tag(html: &[u8], tag: &[u8]) -> Option<usize> {
    let is_tag = |at: &usize| {
        html.get(*at..*at + tag.len()).is_some_and(|name| name.eq_ignore_ascii_case(tag))
            && html.get(*at + tag.len()).is_none_or(|next| b"> \t\r\n/".contains(next))
    };
    let mut area = html.len();
    while let Some(at) = memchr::memrchr_iter(b'<', &html[..area]).find(is_tag) {
        match open_comment(&html[..at]) {
            None => return Some(at),
            Some(start) => area = start,
        }
    }
    None
}

/// The end, or the start of a comment that is still open there and would hide what follows.
fn outside_comment(html: &[u8]) -> usize {
    open_comment(html).unwrap_or(html.len())
}

fn open_comment(html: &[u8]) -> Option<usize> {
    // by its second character, which is rare; a search backwards for all four has no fast path
    let marks = memchr::memrchr_iter(b'!', html);
    let start = marks.filter(|at| *at > 0).map(|at| at - 1).find(|at| html[*at..].starts_with(b"<!--"))?;
    // `<!-->` is a whole comment
    memmem::find(&html[start + 2..], b"-->").is_none().then_some(start)
}

/// RFC 9580 s.6.2, s.7: armoured or clear-signed text (U-45).
fn is_pgp(text: &[u8]) -> bool {
    memmem::find_iter(text, "-----BEGIN PGP ").any(|at| {
        let what = &text[at + 15..];
        (at == 0 || text[at - 1] == b'\n') && (what.starts_with(b"MESSAGE-----") || what.starts_with(b"SIGNED MESSAGE-----"))
    })
}

/// What stands between the text before and the footer: an empty line in text; in HTML the footer
/// only gets lines of its own, so that none grows too long.
fn gap(kind: Kind, before: &[u8]) -> &'static str {
    match (kind, before) {
        (Kind::Html, _) => "\r\n",
        (_, [] | [b'\n'] | [b'\r', b'\n'] | [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n']) => "",
        (_, [.., b'\n']) => "\r\n",
        _ => "\r\n\r\n",
    }
}

/// Lines ended by CRLF, all of them.
fn crlf(text: &str) -> String {
    text.trim_end_matches(['\r', '\n']).lines().flat_map(|line| [line, "\r\n"]).collect()
}
