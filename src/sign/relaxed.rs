//! The relaxed canonicalisation of RFC 6376 s.3.4, as it is hashed: the body is never copied.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// Where a header field stands in the message.
pub(super) struct Field {
    /// Its name, without white space before the colon.
    pub(super) name: Range<usize>,
    /// All of it, with folding and the final CRLF.
    pub(super) all: Range<usize>,
}

/// The header fields, top to bottom, and the offset of the body.
pub(super) fn split(message: &[u8]) -> (Vec<Field>, usize) {
    let mut fields: Vec<Field> = Vec::with_capacity(32);
    let mut at = 0;
    while at < message.len() {
        let end = memchr::memchr(b'\n', &message[at..]).map_or(message.len(), |n| at + n + 1);
        let line = &message[at..end];
        if line == b"\r\n" {
            return (fields, end);
        }
        match (line[0], fields.last_mut()) {
            (b' ' | b'\t', Some(field)) => field.all.end = end,
            _ => {
                let colon = memchr::memchr(b':', line).unwrap_or(0);
                let name = at..at + line[..colon].trim_ascii_end().len();
                fields.push(Field { name, all: at..end });
            }
        }
        at = end;
    }
    (fields, message.len())
}

/// Writes one field in relaxed form (s.3.4.2), ended by CRLF.
pub(super) fn field(field: &[u8], out: &mut Vec<u8>) {
    let colon = memchr::memchr(b':', field).unwrap_or(field.len());
    out.extend(field[..colon].trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let value = field.get(colon + 1..).unwrap_or_default();
    let mut space = false;
    let start = out.len();
    for &byte in value {
        match byte {
            b' ' | b'\t' => space = true,
            b'\r' | b'\n' => {} // unfolding; a bare one cannot come here
            byte => {
                if space && out.len() > start {
                    out.push(b' ');
                }
                space = false;
                out.push(byte);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// SHA-256 of the body in relaxed form (s.3.4.4).
pub(super) fn body_hash(body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    canonical_body(body, |piece| hash.update(piece));
    hash.finalize().into()
}

/// Octets looked at in one step: small enough to localise what must change, large enough for the
/// compiler to compare them side by side.
const BLOCK: usize = 64;

/// Hands out the body in relaxed form, piece by piece: runs of it as they are, with changed white
/// space left out between them.
fn canonical_body(body: &[u8], mut write: impl FnMut(&[u8])) {
    // s.3.4.4: a line of white space only is an empty line, and empty lines at the end are not there
    let end = body.iter().rposition(|byte| !b" \t\r\n".contains(byte)).map_or(0, |last| last + 1);
    let body = &body[..end];
    if body.is_empty() {
        return;
    }
    let (mut from, mut at) = (0, 0);
    while at < end {
        // one more octet than the block, to see what follows its last one
        match body[at..].first_chunk::<{ BLOCK + 1 }>() {
            Some(window) if !changes(window) => at += BLOCK,
            _ => {
                let stop = end.min(at + BLOCK);
                while at < stop {
                    if !is_wsp(body[at]) {
                        at += 1;
                        continue;
                    }
                    // the body does not end in white space, so the run ends before it
                    let run = body[at..].iter().take_while(|byte| is_wsp(**byte)).count();
                    let behind = at + run;
                    let line_end = body[behind..].starts_with(b"\r\n");
                    if line_end || run > 1 || body[at] == b'\t' {
                        write(&body[from..at]);
                        if !line_end {
                            write(b" ");
                        }
                        from = behind;
                    }
                    at = behind;
                }
            }
        }
    }
    write(&body[from..]);
    write(b"\r\n");
}

/// Whether there is white space that may have to change: a tab, or a space before white space or CR.
fn changes(window: &[u8; BLOCK + 1]) -> bool {
    let mut found = false;
    for index in 0..BLOCK {
        let (byte, next) = (window[index], window[index + 1]);
        found |= (byte == b'\t') | ((byte == b' ') & ((next == b' ') | (next == b'\t') | (next == b'\r')));
    }
    found
}

fn is_wsp(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        canonical_body(text, |piece| out.extend_from_slice(piece));
        out
    }

    /// The words of RFC 6376 s.3.4.4, step by step.
    fn by_the_book(text: &str) -> String {
        let mut lines: Vec<String> = text.split("\r\n").map(String::from).collect();
        for line in &mut lines {
            *line = line.replace('\t', " ");
            while line.contains("  ") {
                *line = line.replace("  ", " ");
            }
            line.truncate(line.trim_end_matches(' ').len());
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    #[test]
    fn header_fields_are_relaxed() {
        // RFC 6376 s.3.4.5, and what the grammar of RFC 5322 s.4.5.8 lets stand before the colon
        for (field_, expected) in [
            ("A: X\r\n", "a:X\r\n"),
            ("B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"),
            ("Subject:  a \t b \r\n", "subject:a b\r\n"),
            ("X-Y:\r\n a\r\n", "x-y:a\r\n"),
            ("Cc:\r\n", "cc:\r\n"),
            ("Cc: \t \r\n", "cc:\r\n"),
            ("A: b:c", "a:b:c\r\n"),
        ] {
            let mut out = Vec::new();
            field(field_.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{field_:?}");
        }
    }

    #[test]
    fn bodies_are_relaxed() {
        // the first is the example of RFC 6376 s.3.4.5
        for (text, expected) in [
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
            ("", ""),
            ("\r\n\r\n", ""),
            (" \t\r\n ", ""),
            ("a", "a\r\n"),
            ("a \r\n \r\n", "a\r\n"),
            ("a\r\n\r\n \r\nb", "a\r\n\r\n\r\nb\r\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&body(text.as_bytes())), expected, "{text:?}");
        }
    }

    #[test]
    fn the_hash_of_an_empty_body_is_the_one_that_rfc_6376_names() {
        use base64::Engine as _;
        let hash = base64::engine::general_purpose::STANDARD.encode(body_hash(b""));
        assert_eq!(hash, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    proptest! {
        #[test]
        fn any_body_is_relaxed_by_the_book(pieces in proptest::collection::vec(
            prop_oneof!["[ -~]{0,80}", "[ \\t]{1,70}", "[a-z]{50,70}", Just("\r\n".to_owned()), Just(" \r\n".to_owned()), Just("\t".to_owned())], 0..20
        )) {
            let text = pieces.concat();
            let relaxed = body(text.as_bytes());
            prop_assert_eq!(String::from_utf8_lossy(&relaxed), by_the_book(&text));
        }
    }
}
