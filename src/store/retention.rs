//! What goes when its time has come: sign-ups that nobody confirmed, links that nobody can use any more. When that is,
//! is the retention table's business (`crate::retention`).

use jiff::Timestamp;

use super::column::{ms, octets, topics};
use super::ledger::{self, Place};
use super::{Store, StoreError, begin};
use crate::consent::{Event, EventKind, Source, SubjectId};

/// Sign-ups per step, so that nobody waits long for the ledger.
const STEP: u32 = 50;

type Row = (Vec<u8>, Vec<u8>, String, String);

impl Store {
    /// Erases what sign-ups from before `before` that were never confirmed have left: the address, the evidence and its
    /// keys. The event stays, and says nothing about anybody (L-DOI-04, GDPR Art. 5(1)(e)). Returns how many sign-ups
    /// went; there may be more when it is not zero.
    pub async fn erase_unconfirmed(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, subject, controller, topics FROM opt_in WHERE stage = 'pending' AND requested_at < ?1
             ORDER BY requested_at LIMIT ?2",
        )
        .bind(ms(before))
        .bind(STEP)
        .fetch_all(&mut *tx)
        .await?;
        for (id, subject, controller, names) in &rows {
            sqlx::query("DELETE FROM spool WHERE opt_in = ?1").bind(id).execute(&mut *tx).await?;
            sqlx::query("DELETE FROM opt_in WHERE id = ?1").bind(id).execute(&mut *tx).await?;
            let subject = SubjectId(octets(subject)?);
            let events = ledger::events(&mut tx, subject, None).await?;
            let (waiting,): (i64,) = sqlx::query_as("SELECT count(*) FROM opt_in WHERE subject = ?1 AND stage = 'pending'")
                .bind(&subject.0[..])
                .fetch_one(&mut *tx)
                .await?;
            // Who said yes or no to anything else is on record for that, with the same keys.
            if waiting > 0 || !events.iter().all(|event| is_of_a_request(event.kind)) {
                continue;
            }
            let mut place = Place::of_subject(&mut tx, subject).await?.ok_or(StoreError::Damaged("a standing"))?;
            // Before the rows: a crash in between leaves rows that nobody can read, and the next run takes them.
            self.inner.subject_keys.destroy(subject).await?;
            let keys = self.inner.subject_keys.of(subject).await?;
            let event = Event::new(EventKind::Erased, controller, topics(names)?, Source::Gateway, now);
            place.append(&mut tx, &keys, event).await?;
            sqlx::query("DELETE FROM access_link WHERE subject = ?1").bind(&subject.0[..]).execute(&mut *tx).await?;
            sqlx::query("DELETE FROM spool WHERE subject = ?1").bind(&subject.0[..]).execute(&mut *tx).await?;
            sqlx::query("DELETE FROM subject WHERE id = ?1").bind(&subject.0[..]).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Deletes access links from before `before`; how many.
    pub async fn drop_access_links(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query("DELETE FROM access_link WHERE created < ?1").bind(ms(before)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

fn is_of_a_request(kind: EventKind) -> bool {
    matches!(kind, EventKind::Requested | EventKind::DoiMailSent | EventKind::DoiBounced | EventKind::Erased)
}
