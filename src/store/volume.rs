//! How many decisions there were, by the hour: what the charts and totals are drawn from. Written with the decisions
//! (`decision`); finding single ones is `search`'s business.

use jiff::{SignedDuration, Timestamp};

use super::column::{count, ms};
use super::db::query_as;
use super::decision_log::{read_class, read_reason};
use super::{Store, StoreError};
use crate::consent::{Reason, Verdict};
use crate::mail::Class;

const HOUR_MS: i64 = 3_600_000;

/// The steps of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// One hour, the finest there is.
    Hour,
    /// A quarter of a day.
    SixHours,
    /// 24 hours.
    Day,
}

/// How many decisions of a kind a step of time had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// When the step begins.
    pub from: Timestamp,
    /// Name of the stream.
    pub stream: String,
    /// Their class.
    pub class: Class,
    /// Their reason, and so their verdict.
    pub reason: Reason,
    /// How many.
    pub number: u64,
}

/// How many decisions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecisionCounts {
    /// All.
    pub total: u64,
    /// [`Verdict::Pass`].
    pub pass: u64,
    /// [`Verdict::Block`].
    pub block: u64,
    /// [`Verdict::Defer`].
    pub defer: u64,
    /// [`Verdict::Hold`].
    pub hold: u64,
}

impl Step {
    /// Its length.
    pub fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::SixHours => 6,
            Self::Day => 24,
        }
    }

    /// When the `n`th step begins, of those that begin with the hour of `from`.
    pub(super) fn begin(self, from: Timestamp, n: i64) -> Result<Timestamp, StoreError> {
        let begin = SignedDuration::from_hours(hour(ms(from)).saturating_add(n.saturating_mul(self.hours())));
        Timestamp::from_duration(begin).map_err(|_| StoreError::Damaged("a time"))
    }
}

impl Store {
    /// The decisions from the hour of `from` to before the hour of `to`, by steps that begin with `from`.
    pub async fn volume(&self, from: Timestamp, to: Timestamp, step: Step) -> Result<Vec<Volume>, StoreError> {
        let mut connection = self.inner.admin.lock().await;
        let rows: Vec<(i64, String, String, String, i64)> = query_as(
            "SELECT (hour - $1) / $3, stream, class, reason, CAST(sum(number) AS BIGINT) FROM volume
             WHERE hour >= $1 AND hour < $2 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        )
        .bind(hour(ms(from)))
        .bind(hour(ms(to)))
        .bind(step.hours())
        .fetch_all(&mut connection)
        .await?;
        let read = |(n, stream, class, reason, number): (i64, String, String, String, i64)| {
            let (class, reason) = (read_class(&class)?, read_reason(&reason)?);
            Ok(Volume { from: step.begin(from, n)?, stream, class, reason, number: count(number)? })
        };
        rows.into_iter().map(read).collect()
    }

    /// Counts all decisions.
    pub async fn count_decisions(&self) -> Result<DecisionCounts, StoreError> {
        let mut connection = self.inner.admin.lock().await;
        let rows: Vec<(String, i64)> =
            query_as("SELECT reason, CAST(sum(number) AS BIGINT) FROM volume GROUP BY reason").fetch_all(&mut connection).await?;
        let mut counts = DecisionCounts::default();
        for (reason, number) in rows {
            let number = count(number)?;
            counts.total += number;
            match read_reason(&reason)?.verdict() {
                Verdict::Pass => counts.pass += number,
                Verdict::Block => counts.block += number,
                Verdict::Defer => counts.defer += number,
                Verdict::Hold => counts.hold += number,
            }
        }
        Ok(counts)
    }
}

/// The number of the hour since 1970 UTC.
pub(super) fn hour(ms: i64) -> i64 {
    ms.div_euclid(HOUR_MS)
}
