//! The data subject, without the person: a random id for rows and links, a keyed hash for look-ups.

use std::fmt;

/// Random, immutable id of a data subject. Stands in rows and signed links; tells nothing of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(pub [u8; 16]);

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
