//! What goes when its time has come: sign-ups that nobody confirmed, links that nobody can use any more. When that is,
//! is the retention table's business (`crate::retention`).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::column::{json, ms, octets};
use super::db::{Connection, query, query_as, repeated};
use super::ledger::Place;
use super::subject_keys::DataKeys;
use super::{Store, StoreError, begin};
use crate::consent::{Event, EventKind, Source, SubjectId};

/// Sign-ups per step, so that nobody waits long for the ledger.
const STEP: u32 = 50;

impl Store {
    /// Erases what sign-ups from before `before` that were never confirmed have left: address, evidence and their keys.
    /// The events stay, and say nothing about anybody; so does the suppression of a person who said no (L-DOI-04, GDPR
    /// Art. 5(1)(e)). Returns how many sign-ups went; there may be more when it is not zero.
    pub async fn erase_unconfirmed(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        repeated!(self.erase_unconfirmed_once(before, now))
    }

    async fn erase_unconfirmed_once(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            query_as("SELECT id, subject FROM opt_in WHERE stage = 'pending' AND requested_at < $1 ORDER BY requested_at LIMIT $2")
                .bind(ms(before))
                .bind(STEP)
                .fetch_all(&mut tx)
                .await?;
        let subjects = rows.iter().map(|(_, subject)| octets(subject).map(SubjectId)).collect::<Result<BTreeSet<_>, _>>()?;
        lock(&mut tx, &subjects).await?;
        for (id, _) in &rows {
            // Confirmed before it was locked: it stays.
            query("DELETE FROM letter WHERE opt_in IN (SELECT id FROM opt_in WHERE id = $1 AND stage = 'pending')")
                .bind(id)
                .execute(&mut tx)
                .await?;
            query("DELETE FROM opt_in WHERE id = $1 AND stage = 'pending'").bind(id).execute(&mut tx).await?;
        }
        let mut nobodys = Vec::new();
        for subject in subjects {
            if !has_said_yes_or_may(&mut tx, subject).await? {
                nobodys.push(subject);
            }
        }
        // Before the rows: a crash in between leaves rows that nobody can read, and the next run takes them.
        self.inner.subject_keys.destroy(&nobodys).await?;
        for subject in nobodys {
            match erase(&mut tx, subject, now).await {
                // Nobody can read it any more; that it has no line about that must not keep the others.
                Err(StoreError::Damaged(what)) => tracing::error!(%subject, what, "erased, and the ledger could not say so"),
                done => done?,
            }
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Deletes access links from before `before`; how many.
    pub async fn drop_access_links(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = query("DELETE FROM access_link WHERE created < $1").bind(ms(before)).execute(&mut tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

/// Nobody appends to them until the transaction ends: whoever signs up meanwhile gets keys that are not about to go. In the order in
/// which commits of decisions lock.
async fn lock(tx: &mut Connection, subjects: &BTreeSet<SubjectId>) -> Result<(), StoreError> {
    if tx.is_shared() {
        let ids: Vec<String> = subjects.iter().map(SubjectId::to_string).collect();
        let lock = "SELECT 1 FROM standing WHERE subject IN (SELECT decode(value, 'hex') FROM json_array_elements_text($1::json))
             ORDER BY key FOR UPDATE";
        query_as::<(i32,)>(lock).bind(json(&ids)).fetch_all(tx).await?;
    }
    Ok(())
}

/// True for a person with a consent to prove, whatever became of it, and for one who may still confirm.
async fn has_said_yes_or_may(tx: &mut Connection, subject: SubjectId) -> Result<bool, StoreError> {
    let (so,): (bool,) = query_as(
        "SELECT EXISTS (SELECT 1 FROM event WHERE subject = $1 AND kind = 'given')
             OR EXISTS (SELECT 1 FROM opt_in WHERE subject = $1 AND stage = 'pending')",
    )
    .bind(&subject.0[..])
    .fetch_one(tx)
    .await?;
    Ok(so)
}

/// Deletes what was sealed, and says so to each controller that had asked.
async fn erase(tx: &mut Connection, subject: SubjectId, now: Timestamp) -> Result<(), StoreError> {
    for table in
        ["DELETE FROM access_link WHERE subject = $1", "DELETE FROM letter WHERE subject = $1", "DELETE FROM subject WHERE id = $1"]
    {
        query(table).bind(&subject.0[..]).execute(&mut *tx).await?;
    }
    let controllers: Vec<(String,)> =
        query_as("SELECT DISTINCT controller FROM event WHERE subject = $1 AND kind = 'requested' ORDER BY controller")
            .bind(&subject.0[..])
            .fetch_all(&mut *tx)
            .await?;
    let mut place = Place::of_subject(tx, subject).await?.ok_or(StoreError::Damaged("a standing"))?;
    for (controller,) in controllers {
        let event = Event::new(EventKind::Erased, controller, vec![], Source::Gateway, now);
        place.append(tx, &DataKeys::NONE, event).await?;
    }
    Ok(())
}
