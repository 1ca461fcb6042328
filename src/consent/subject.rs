//! The data subject, without the person: a random id for rows and links, a keyed hash for look-ups.

use std::fmt;

/// Random, immutable id of a data subject. Stands in rows and signed links; tells nothing of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(pub [u8; 16]);

impl SubjectId {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        octets(text).map(Self)
    }
}

/// The octets of an id written in hexadecimal digits.
pub(super) fn octets(text: &str) -> Option<[u8; 16]> {
    let mut id = [0; 16];
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// HMAC-SHA-256(pepper, canonical address) (E-12): finds a subject by address, and not the address by the row.
/// Made by `crypto::Keyring::lookup_key`; `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupKey(pub [u8; 32]);

impl fmt::Debug for LookupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupKey(***)")
    }
}
