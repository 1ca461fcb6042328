//! Base64 (RFC 2045 s.6.8): a part decoded with the way back to its octets, and a splice that leaves
//! all groups of four characters before the change as they stand.

use std::ops::Range;

use ::base64::Engine as _;
use ::base64::alphabet;
use ::base64::engine::general_purpose::STANDARD;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{RewriteError, Splice};

/// RFC 2045 s.6.8: lines of at most 76 characters.
const LINE: usize = 76;

/// What readers take: padding may be missing, and bits behind the end may be set.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// A decoded body, which is handed in again where it is changed.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The octets.
    pub(super) octets: Vec<u8>,
    /// Number of characters of the alphabet.
    characters: usize,
    /// Offset behind the last of them.
    last: usize,
    /// Offset behind the padding.
    end: usize,
}

impl Decoded {
    /// Decodes; characters outside of the alphabet are ignored (RFC 2045 s.6.8). Refuses data
    /// behind padding: readers differ on whether it is there.
    pub(super) fn new(raw: &[u8]) -> Result<Self, RewriteError> {
        let data = memchr::memchr(b'=', raw).unwrap_or(raw.len());
        if raw[data..].iter().any(|byte| in_alphabet(*byte)) {
            return Err(RewriteError::Undecodable);
        }
        let end = raw[data..].iter().rposition(|byte| *byte == b'=').map(|at| data + at + 1);
        let last = raw[..data].iter().rposition(|byte| in_alphabet(*byte)).map_or(0, |at| at + 1);
        let mut characters = Vec::with_capacity(data);
        raw[..last].split(|byte| *byte == b'\n').for_each(|line| characters.extend_from_slice(line.trim_ascii()));
        let count = characters.len();
        if let Ok(octets) = LENIENT.decode(&characters) {
            return Ok(Self { octets, characters: count, last, end: end.unwrap_or(last) });
        }
        characters.retain(|byte| in_alphabet(*byte));
        let count = characters.len();
        if count % 4 == 1 {
            characters.pop(); // six bits are no octet
        }
        let octets = LENIENT.decode(&characters).map_err(|_| RewriteError::Undecodable)?;
        Ok(Self { octets, characters: count, last, end: end.unwrap_or(last) })
    }

    /// The splice, with offsets from the start of the body, that makes the `changes`: of octets, in order, and at least one.
    pub(super) fn splice<'s>(&self, raw: &[u8], changes: &[(Range<usize>, Vec<u8>)]) -> Splice<'s> {
        let group = changes[0].0.start / 3;
        let start = self.offset_of(raw, group * 4);
        let mut octets = Vec::with_capacity(self.octets.len() - group * 3 + 512);
        let mut from = group * 3;
        for (range, new) in changes {
            octets.extend_from_slice(&self.octets[from..range.start]);
            octets.extend_from_slice(new);
            from = range.end;
        }
        octets.extend_from_slice(&self.octets[from..]);
        let encoded = STANDARD.encode(octets);
        let line_start = memchr::memrchr(b'\n', &raw[..start]).map_or(0, |at| at + 1);
        let mut room = LINE.saturating_sub(start - line_start) / 4 * 4;
        let mut bytes = Vec::with_capacity(encoded.len() + encoded.len() / 32);
        let mut rest = encoded.as_bytes();
        while !rest.is_empty() {
            let (line, behind) = rest.split_at(room.min(rest.len()));
            bytes.extend_from_slice(line);
            if !behind.is_empty() {
                bytes.extend_from_slice(b"\r\n");
            }
            (rest, room) = (behind, LINE);
        }
        Splice { range: start..self.end.max(start), bytes: bytes.into() }
    }

    /// Offset of the character with that number; counted from the end, as changes are near it.
    fn offset_of(&self, raw: &[u8], number: usize) -> usize {
        let mut behind = self.characters.saturating_sub(number);
        let mut at = self.last;
        while behind > 0 && at > 0 {
            at -= 1;
            behind -= usize::from(in_alphabet(raw[at]));
        }
        at
    }
}

fn in_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn insert(raw: &str, index: usize, added: &str) -> String {
        let decoded = Decoded::new(raw.as_bytes()).expect("decodable");
        spliced(raw, &decoded, &[(index..index, added.into())])
    }

    fn spliced(raw: &str, decoded: &Decoded, changes: &[(Range<usize>, Vec<u8>)]) -> String {
        let splice = decoded.splice(raw.as_bytes(), changes);
        let mut copy = raw.to_owned();
        copy.replace_range(splice.range, std::str::from_utf8(&splice.bytes).expect("ASCII"));
        copy
    }

    #[test]
    fn odd_bodies_are_spliced_at_the_right_group() {
        // YWJj is abc, ZGVm is def, eHl6 is xyz
        for (raw, index, expected) in [
            ("", 0, "eHl6"),
            ("\r\n", 0, "eHl6\r\n"),
            ("====", 0, "eHl6"),
            ("YWJj", 3, "YWJjeHl6"),
            ("YWJj\r\n\r\n", 3, "YWJjeHl6\r\n\r\n"),
            ("YWJj\r\nZGVm\r\n", 3, "YWJj\r\neHl6ZGVm\r\n"),
            ("YW Jj!ZG\r\nVm", 3, "YW Jj!eHl6ZGVm"),
            ("YQ==\r\n", 1, "YXh5eg==\r\n"),
            ("YQ\r\n", 1, "YXh5eg==\r\n"),
            ("YR==\r\n", 1, "YXh5eg==\r\n"),
            ("YWJjZ\r\n", 3, "YWJjeHl6\r\n"),
        ] {
            assert_eq!(insert(raw, index, "xyz"), expected, "{raw:?}");
        }
        assert_eq!(Decoded::new(b"YQ==\r\nYQ==").err(), Some(RewriteError::Undecodable));
    }

    #[test]
    fn several_changes_are_made_at_once() {
        let raw = "YWJjZGVm\r\neHl6"; // abcdefxyz
        let decoded = Decoded::new(raw.as_bytes()).expect("decodable");
        let changed = spliced(raw, &decoded, &[(4..5, Vec::new()), (7..7, b"123".to_vec())]);
        assert_eq!(STANDARD.decode(changed.replace("\r\n", "")).expect("valid"), b"abcdfx123yz");
        assert!(changed.starts_with("YWJj"));
    }

    proptest! {
        #[test]
        fn only_groups_at_the_change_and_behind_it_differ(
            octets in proptest::collection::vec(any::<u8>(), 0..300), index in 0usize..300, width in 1usize..90, added in "[a-z]{0,200}"
        ) {
            let index = index.min(octets.len());
            let raw: Vec<String> = STANDARD.encode(&octets).as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            let raw = raw.join("\r\n");
            let copy = insert(&raw, index, &added);
            let expected = [&octets[..index], added.as_bytes(), &octets[index..]].concat();
            prop_assert_eq!(STANDARD.decode(copy.replace("\r\n", "")).expect("valid"), expected);
            let same = raw.bytes().zip(copy.bytes()).take_while(|(a, b)| a == b).count();
            prop_assert!(same >= index / 3 * 4);
            for line in copy.split("\r\n") {
                prop_assert!(line.len() <= LINE.max(width));
            }
        }
    }
}
