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
