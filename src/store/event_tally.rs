//! How many events there were, by the hour: what the charts of sign-ups and withdrawals are drawn from. Counted in the
//! transaction that appends the event; tells nothing of who.

use jiff::Timestamp;

use super::column::{count, int, ms};
use super::db::{Connection, query, query_as};
use super::volume::{Step, hour};
use super::{Store, StoreError};
use crate::consent::{Channel, Event, EventKind, SubjectId};

/// How many events of a kind a step of time had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// When the step begins.
    pub from: Timestamp,
    /// Key of the controller.
    pub controller: String,
    /// What happened.
    pub kind: EventKind,
    /// How often.
    pub number: u64,
    /// For [`EventKind::Requested`]: how many of them were confirmed, then or later.
    pub answered: u64,
}

impl Store {
    /// The events from the hour of `from` to before the hour of `to`, by steps that begin with `from`.
    pub async fn event_counts(&self, from: Timestamp, to: Timestamp, step: Step) -> Result<Vec<EventCount>, StoreError> {
        let mut connection = self.inner.admin.lock().await;
        let rows: Vec<(i64, String, String, i64, i64)> = query_as(
            "SELECT (hour - $1) / $3, controller, kind, CAST(sum(number) AS BIGINT), CAST(sum(answered) AS BIGINT) FROM event_tally
             WHERE hour >= $1 AND hour < $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        )
        .bind(hour(ms(from)))
        .bind(hour(ms(to)))
        .bind(step.hours())
        .fetch_all(&mut connection)
        .await?;
        let read = |(n, controller, kind, number, answered): (i64, String, String, i64, i64)| {
            Ok(EventCount {
                from: step.begin(from, n)?,
                controller,
                kind: EventKind::parse(&kind).ok_or(StoreError::Damaged("an event's kind"))?,
                number: count(number)?,
                answered: count(answered)?,
            })
        };
        rows.into_iter().map(read).collect()
    }
}

/// Counts an event that is appended.
pub(super) async fn count_in(tx: &mut Connection, subject: SubjectId, event: &Event) -> Result<(), StoreError> {
    if event.channel != Channel::Email {
        return Ok(()); // it goes along with one about e-mail, which is counted
    }
    query(
        "INSERT INTO event_tally (hour, controller, kind, number, answered) VALUES ($1, $2, $3, 1, 0)
         ON CONFLICT (hour, controller, kind) DO UPDATE SET number = event_tally.number + 1",
    )
    .bind(hour(ms(event.at)))
    .bind(&event.controller)
    .bind(event.kind.as_str())
    .execute(&mut *tx)
    .await?;
    if let Some(seq) = event.answers {
        let request: Option<(i64, String)> = query_as("SELECT at, kind FROM event WHERE subject = $1 AND seq = $2")
            .bind(&subject.0[..])
            .bind(int(seq))
            .fetch_optional(&mut *tx)
            .await?;
        let Some((at, kind)) = request else { return Ok(()) };
        query("UPDATE event_tally SET answered = answered + 1 WHERE hour = $1 AND controller = $2 AND kind = $3")
            .bind(hour(at))
            .bind(&event.controller)
            .bind(kind)
            .execute(tx)
            .await?;
    }
    Ok(())
}
