//! How ids, lanes and states of the spool are written.

use std::fmt;

use jiff::Timestamp;

use super::{CopyId, CopyState, SpoolId};
use crate::consent::ordered_id;
use crate::mail::Lane;

impl SpoolId {
    /// An id of that time; `random` is fresh randomness.
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        Self(ordered_id(at, random))
    }

    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).ok().map(|()| Self(id))
    }
}

impl fmt::Display for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl CopyId {
    /// The inverse of `Display`: the message's id, a dash and the number.
    pub fn parse(text: &str) -> Option<Self> {
        let (message, number) = text.split_once('-')?;
        Some(Self { message: SpoolId::parse(message)?, number: number.parse().ok()? })
    }
}

impl fmt::Display for CopyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.message, self.number)
    }
}

/// 0 comes before 1.
pub(super) fn number(lane: Lane) -> i64 {
    match lane {
        Lane::Transactional => 0,
        Lane::Bulk => 1,
    }
}

impl CopyState {
    /// One word for rows and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Uncertain => "uncertain",
            Self::Held => "held",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Uncertain, Self::Held].into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back() {
        let id = CopyId { message: SpoolId::new(Timestamp::UNIX_EPOCH, [7; 10]), number: 12 };
        assert_eq!(CopyId::parse(&id.to_string()), Some(id));
        for text in ["", "-", "00-1", &format!("{}-x", id.message), &id.message.to_string()] {
            assert_eq!(CopyId::parse(text), None, "{text}");
        }
    }
}
