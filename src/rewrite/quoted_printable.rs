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

/// Where in `raw` the octets stand that are at `indexes` when decoded; the indexes ascend.
pub(super) fn offsets(raw: &[u8], indexes: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let (mut escapes, mut from, mut decoded) = (escapes(raw).peekable(), 0, 0);
    let offset = |index: usize| {
        while let Some((at, length, octet)) = escapes.peek() {
            let plain = at - from;
            if index < decoded + plain || (index == decoded + plain && octet.is_some()) {
                break;
            }
            decoded += plain + usize::from(octet.is_some());
            from = at + length;
            escapes.next();
        }
        raw.len().min(from + (index - decoded))
    };
    indexes.into_iter().map(offset).collect()
}

/// How many characters the octet takes that stands there.
pub(super) fn width(raw: &[u8], at: usize) -> usize {
    match raw[at..] {
        [b'=', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => 3,
        _ => 1,
    }
}

/// What takes the place of some characters of a line: `text` between the column where they began and the `rest` of their line. Soft
/// line breaks keep lines short (rule 5).
pub(super) fn in_line(column: usize, text: &[u8], rest: usize) -> Vec<u8> {
    const SOFT: &[u8] = b"=\r\n";
    let encoded = encode(text);
    if column + encoded.len() + rest <= 76 {
        return encoded;
    }
    let mut out = Vec::with_capacity(encoded.len() + 6);
    if column > 0 {
        out.extend_from_slice(SOFT);
    }
    out.extend_from_slice(&encoded);
    let last = encoded.len() - memchr::memrchr(b'\n', &encoded).map_or(0, |at| at + 1);
    if last > 0 && last + rest > 76 {
        out.extend_from_slice(SOFT);
    }
    out
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
    line.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t')) == Some(&b'=')
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_escape_stays() {
        for (raw, expected) in [
            ("a=3Db", "a=b"),
            ("a=3db", "a=b"),
            ("a=\r\nb", "ab"),
            ("a= \t\r\nb", "ab"),
            ("a=", "a"),
            ("a= ", "a"),
            ("a=ZZb", "a=ZZb"),
            ("a=3", "a=3"),
            ("==3D", "=="),
        ] {
            assert_eq!(String::from_utf8_lossy(&decode(raw.as_bytes())), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_soft_end_is_told_from_a_hard_one() {
        for (raw, expected) in
            [("a=", true), ("a= \t", true), ("a=\r\n", true), ("a\r\n", false), ("", false), ("a=\r\n\r\n", false), ("a=3D", false)]
        {
            assert_eq!(ends_soft(raw.as_bytes()), expected, "{raw:?}");
        }
    }

    #[test]
    fn what_is_put_into_a_line_keeps_it_short() {
        for (column, text, rest, expected) in [
            (10, "x", 10, "x".to_owned()),
            (0, "x", 76, "x=\r\n".into()),
            (70, "xxxxxxx", 0, "=\r\nxxxxxxx".into()),
            (70, "", 70, "=\r\n".into()),
            (70, "x", 75, "=\r\nx".into()),
        ] {
            assert_eq!(String::from_utf8_lossy(&in_line(column, text.as_bytes(), rest)), expected, "{column} {rest}");
        }
        let long = in_line(5, "y".repeat(200).as_bytes(), 70);
        assert!(String::from_utf8_lossy(&long).split("\r\n").all(|line| line.len() <= 76), "{long:?}");
        assert_eq!(decode(&long).len(), 200);
    }

    proptest! {
        #[test]
        fn encoded_lines_are_short_and_read_back(lines in proptest::collection::vec("[ -~\u{80}-\u{2fff}]{0,120}[ \t]{0,2}", 0..6)) {
            let text: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
            let encoded = encode(text.as_bytes());
            prop_assert_eq!(decode(&encoded), text.as_bytes());
            // RFC 2045 s.6.7 rules 3, 5
            for line in String::from_utf8(encoded).expect("ASCII").split("\r\n") {
                prop_assert!(line.len() <= 76 && !line.ends_with([' ', '\t']), "{:?}", line);
            }
        }

        #[test]
        fn an_index_leads_back_to_its_octet(raw in "([a-z]|=|=3D|=\r\n|= \r\n|\r\n|=C3=BC){0,40}", index in 0usize..60) {
            let decoded = decode(raw.as_bytes());
            let index = index.min(decoded.len());
            let at = offsets(raw.as_bytes(), [index])[0];
            prop_assert_eq!(&decode(&raw.as_bytes()[at..])[..], &decoded[index..], "{:?} at {}", raw, at);
        }
    }
}
