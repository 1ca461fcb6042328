//! Base64 (RFC 2045 s.6.8): a part decoded with the way back to its octets, and a splice that leaves
//! all groups of four characters before the change as they stand.

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

/// A decoded body.
pub(super) struct Decoded<'a> {
    raw: &'a [u8],
    /// The octets.
    pub(super) octets: Vec<u8>,
    /// Number of characters of the alphabet.
    characters: usize,
    /// Offset behind the last of them.
    last: usize,
    /// Offset behind the padding.
    end: usize,
}

impl<'a> Decoded<'a> {
    /// Decodes; characters outside of the alphabet are ignored (RFC 2045 s.6.8). Refuses data
    /// behind padding: readers differ on whether it is there.
    pub(super) fn new(raw: &'a [u8]) -> Result<Self, RewriteError> {
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
            return Ok(Self { raw, octets, characters: count, last, end: end.unwrap_or(last) });
        }
        characters.retain(|byte| in_alphabet(*byte));
        let count = characters.len();
        if count % 4 == 1 {
            characters.pop(); // six bits are no octet
        }
        let octets = LENIENT.decode(&characters).map_err(|_| RewriteError::Undecodable)?;
        Ok(Self { raw, octets, characters: count, last, end: end.unwrap_or(last) })
    }

    /// The splice, with offsets from the start of the body, that adds `added` before the octet at `index`.
    pub(super) fn insert(&self, index: usize, added: &[u8]) -> Splice {
        let group = index / 3;
        let start = self.offset_of(group * 4);
        let octets = [&self.octets[group * 3..index], added, &self.octets[index..]].concat();
        let encoded = STANDARD.encode(octets);
        let line_start = memchr::memrchr(b'\n', &self.raw[..start]).map_or(0, |at| at + 1);
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
        Splice { range: start..self.end.max(start), bytes }
    }

    /// Offset of the character with that number; counted from the end, as changes are near it.
    fn offset_of(&self, number: usize) -> usize {
        let mut behind = self.characters.saturating_sub(number);
        let mut at = self.last;
        while behind > 0 && at > 0 {
            at -= 1;
            behind -= usize::from(in_alphabet(self.raw[at]));
        }
        at
    }
}

fn in_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}
