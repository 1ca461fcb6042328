//! Time as the decision log has it: ids begin with their time, so a stretch of time is a range of ids. And in which strides
//! a search goes back.

use std::ops::Range;

use jiff::Timestamp;

use super::column::ms;
use crate::consent::DecisionId;

/// Rows of the tally asked for in one go, about.
const TALLIES: i64 = 50_000;

const MINUTE_MS: i64 = 60_000;

/// Ids from the first to below the second.
pub(super) type Ids = Range<DecisionId>;

/// The hours of a search, first and last of each stride; newest first.
pub(super) struct Strides {
    newest: i64,
    oldest: i64,
    width: i64,
    widest: i64,
}

impl Strides {
    /// For a search for so many combinations.
    pub(super) fn new(newest: i64, oldest: i64, mixes: usize) -> Self {
        let widest = TALLIES / i64::try_from(mixes).unwrap_or(i64::MAX).max(1);
        Self { newest, oldest, width: 4, widest: widest.max(4) }
    }
}

impl Iterator for Strides {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<Self::Item> {
        if self.newest < self.oldest {
            return None;
        }
        let (begin, end) = ((self.newest - self.width + 1).max(self.oldest), self.newest);
        self.newest = begin - 1;
        // Further back in longer strides, as long as one answer stays small.
        self.width = (self.width * 2).min(self.widest);
        Some((begin, end))
    }
}

/// The least id of that time.
pub(super) fn first_id(at: Timestamp) -> DecisionId {
    ms_id(ms(at))
}

pub(super) fn minute_id(minute: i64) -> DecisionId {
    ms_id(minute.saturating_mul(MINUTE_MS))
}

pub(super) fn hour_id(hour: i64) -> DecisionId {
    minute_id(hour.saturating_mul(60))
}

/// Times before 1970 and after the year 10889 have no ids of their own.
fn ms_id(ms: i64) -> DecisionId {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&ms.clamp(0, (1 << 48) - 1).to_be_bytes()[2..]);
    DecisionId(id)
}
