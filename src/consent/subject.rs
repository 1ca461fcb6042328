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
    hex::decode_to_slice(text, &mut id).ok().map(|()| id)
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
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
