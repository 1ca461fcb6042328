//! The data subject, without the person: a random id for rows and links, a keyed hash for look-ups.

use std::fmt;

use jiff::Timestamp;

/// Random, immutable id of a data subject. Stands in rows and signed links; tells nothing of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(pub [u8; 16]);

impl SubjectId {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        octets(text).map(Self)
    }
}

/// 48 bits of milliseconds, then 80 random bits: ids that sort by time and cannot be guessed.
pub fn ordered(at: Timestamp, random: [u8; 10]) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at.as_millisecond().to_be_bytes()[2..]);
    id[6..].copy_from_slice(&random);
    id
}

/// The time of such an id.
pub(super) fn time(id: [u8; 16]) -> Timestamp {
    let milliseconds = id[..6].iter().fold(0, |milliseconds: i64, octet| milliseconds << 8 | i64::from(*octet));
    Timestamp::from_millisecond(milliseconds).unwrap_or_default() // 48 bits end after the year 9999
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
