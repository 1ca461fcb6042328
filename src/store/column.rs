//! How values stand in columns: times as milliseconds, topics as one text, ids as octets, lists as JSON. No SQL here.

use jiff::Timestamp;

use super::StoreError;
use crate::consent::Topic;

/// Milliseconds since 1970 UTC, the precision of the ledger.
pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The inverse of [`ms`].
pub(super) fn timestamp(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| StoreError::Damaged("a time"))
}

/// The time as it will be read back: a fold over stored events must equal the one kept.
pub(super) fn whole_ms(at: Timestamp) -> Timestamp {
    timestamp(ms(at)).unwrap_or(at)
}

/// A count or sequence number; SQLite has signed integers only.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The inverse of [`int`].
pub(super) fn count(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged("a number"))
}

/// An id or key of that length.
pub(super) fn octets<const N: usize>(value: &[u8]) -> Result<[u8; N], StoreError> {
    value.try_into().map_err(|_| StoreError::Damaged("an id"))
}

/// Names joined by a space, which no topic has.
pub(super) fn topics_text(topics: &[Topic]) -> String {
    topics.iter().map(Topic::as_str).collect::<Vec<_>>().join(" ")
}

/// The inverse of [`topics_text`].
pub(super) fn topics(text: &str) -> Result<Vec<Topic>, StoreError> {
    text.split_whitespace().map(topic).collect()
}

/// A list or row as one JSON parameter.
pub(super) fn json(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).expect("texts and numbers serialise")
}

/// One topic.
pub(super) fn topic(text: &str) -> Result<Topic, StoreError> {
    Topic::parse(text).map_err(|_| StoreError::Damaged("a topic"))
}
