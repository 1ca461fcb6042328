//! Quoted-printable (RFC 2045 s.6.7): enough to find a place in a part and to write a footer there.

/// The decoded octets, and nothing lost: what is no valid escape stays as it stands.
pub(super) fn decode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut from = 0;
    for (at, length, octet) in escapes(raw) {
        out.extend_from_slice(&raw[from..at]);
        out.extend(octet);
        from = at + length;
    }
    out.extend_from_slice(&raw[from..]);
    out
}

/// Where in `raw` the octet stands that is at `index` when decoded.
pub(super) fn offset(raw: &[u8], index: usize) -> usize {
    let (mut from, mut decoded) = (0, 0);
    for (at, length, octet) in escapes(raw) {
        let plain = at - from;
        if index < decoded + plain || (index == decoded + plain && octet.is_some()) {
            break;
        }
        decoded += plain + usize::from(octet.is_some());
        from = at + length;
    }
    raw.len().min(from + (index - decoded))
}

/// The escapes: offset, length, and the octet, which a soft line break has not.
fn escapes(raw: &[u8]) -> impl Iterator<Item = (usize, usize, Option<u8>)> {
    memchr::memchr_iter(b'=', raw).filter_map(|at| {
        let behind = &raw[at + 1..];
        if let [high, low, ..] = behind
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            return Some((at, 3, Some(high << 4 | low)));
        }
        // rule 5; rule 3: white space may have been added on the way
        let blank = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match &behind[blank..] {
            [] => Some((at, 1 + blank, None)),
            [b'\r', b'\n', ..] => Some((at, 3 + blank, None)),
            _ => None,
        }
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Whether the end of `raw` is a soft line break, so that what is added would join the last line.
pub(super) fn ends_soft(raw: &[u8]) -> bool {
    let line = raw.strip_suffix(b"\r\n").unwrap_or(raw);
    line.trim_ascii_end().ends_with(b"=")
}

/// Encodes lines of text; the CRLFs in it are line ends. Lines get at most 76 characters (rule 5).
pub(super) fn encode(text: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    let mut column = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (at, column) = (at + 2, 0);
            continue;
        }
        let byte = text[at];
        let line_ends = at + 1 == text.len() || text[at + 1..].starts_with(b"\r\n");
        let plain = match byte {
            b'=' => false,
            b' ' | b'\t' => !line_ends, // rule 3
            byte => byte.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        if column + width > if line_ends { 76 } else { 75 } {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        column += width;
        at += 1;
    }
    out
}
