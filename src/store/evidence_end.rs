//! The end of evidence (L-PRV-02): by a cursor over those that have any, in small steps, each on record. When it is due is the
//! business of the retention table (`crate::retention`).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::audit::one_by_one;
use super::column::{count, int, ms, octets, timestamp};
use super::db::{Connection, query, query_as, repeated};
use super::erasure::forget_contact;
use super::ledger::Place;
use super::look_up::contacts;
use super::subject_keys::DataKeys;
use super::{Store, StoreError, begin};
use crate::consent::{Channel, Event, EventKind, Source, SubjectId};

/// Evidence of one person, and when it was last of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceAge {
    /// Whose.
    pub subject: SubjectId,
    /// `seq` of the last event when it was looked at.
    pub seq: u64,
    /// By channel: the last event, or the last advertising.
    pub last: BTreeMap<Channel, Timestamp>,
}

/// A run over the evidence, as it goes on record (E-15): how many, and nobody's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRun {
    /// When it ended.
    pub at: Timestamp,
    /// How many it looked at.
    pub looked_at: u64,
    /// Of how many the evidence was destroyed.
    pub destroyed: u64,
    /// Where the next run goes on; `None` when all were looked at.
    pub cursor: Option<SubjectId>,
}

/// `seq` of the event that told last that the evidence of a person is destroyed; 0 where none did.
pub(super) async fn last(tx: &mut Connection, subject: SubjectId) -> Result<u64, StoreError> {
    let (last,): (i64,) = query_as("SELECT coalesce(max(seq), 0) FROM event WHERE subject = $1 AND kind = 'evidence_destroyed'")
        .bind(&subject.0[..])
        .fetch_one(tx)
        .await?;
    count(last)
}

impl Store {
    /// The next people after that one of whom there is evidence, at most `limit`, with its age.
    pub async fn evidence_ages(&self, after: Option<SubjectId>, limit: u32) -> Result<Vec<EvidenceAge>, StoreError> {
        let subjects = self.inner.subject_keys.with_evidence(after, limit).await?;
        let mut ages = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let mut reader = self.inner.reader.lock().await;
            // What the gateway noted itself is no use of the evidence.
            let rows: Vec<(String, i64)> = query_as(
                "SELECT channel, max(at) FROM event WHERE subject = $1 AND kind NOT IN ('erased', 'evidence_destroyed') GROUP BY channel",
            )
            .bind(&subject.0[..])
            .fetch_all(&mut reader)
            .await?;
            let standing: Option<(i64, String)> =
                query_as("SELECT seq, contacted FROM standing WHERE subject = $1").bind(&subject.0[..]).fetch_optional(&mut reader).await?;
            drop(reader);
            // A key without a row: a crash at the sign-up left it, and it sealed nothing.
            let (seq, contacted) = standing.unwrap_or((0, "{}".to_owned()));
            let mut last = BTreeMap::new();
            for (channel, at) in rows {
                last.insert(Channel::parse(&channel).ok_or(StoreError::Damaged("an event's channel"))?, timestamp(at)?);
            }
            if let Some(at) = contacts(&contacted)?.into_values().max() {
                let email = last.entry(Channel::Email).or_insert(at);
                *email = at.max(*email);
            }
            ages.push(EvidenceAge { subject, seq: u64::try_from(seq).unwrap_or_default(), last });
        }
        Ok(ages)
    }

    /// Destroys the evidence of a person, and the contact data that only it justified; says so to each controller. False when
    /// something happened since `age` was read.
    pub async fn destroy_evidence(&self, age: &EvidenceAge, now: Timestamp) -> Result<bool, StoreError> {
        repeated!(self.destroy_evidence_once(age, now))
    }

    async fn destroy_evidence_once(&self, age: &EvidenceAge, now: Timestamp) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some(mut place) = Place::of_subject(&mut tx, age.subject).await? else { return Ok(false) };
        if place.standing.seq != age.seq {
            return Ok(false);
        }
        let controllers: Vec<(String,)> =
            query_as("SELECT DISTINCT controller FROM event WHERE subject = $1 AND evidence IS NOT NULL ORDER BY controller")
                .bind(&age.subject.0[..])
                .fetch_all(&mut tx)
                .await?;
        for (controller,) in controllers {
            let event = Event::new(EventKind::EvidenceDestroyed, controller, vec![], Source::Gateway, now);
            place.append(&mut tx, &DataKeys::NONE, event).await?;
        }
        query("DELETE FROM access_link WHERE subject = $1").bind(&age.subject.0[..]).execute(&mut tx).await?;
        forget_contact(&mut tx, age.subject).await?;
        tx.commit().await?;
        // After the commit: a crash in between leaves a key that the next run takes, and no consent in force that cannot be proven.
        // Whoever appends first, at another gateway, takes it too, and its new keys stay.
        self.inner.subject_keys.destroy_until(age.subject, place.standing.seq).await?;
        Ok(true)
    }

    /// Puts a run on record.
    pub async fn record_evidence_run(&self, run: &EvidenceRun) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        one_by_one(&mut tx).await?;
        query(
            "INSERT INTO evidence_run (seq, at, looked_at, destroyed, next)
             VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM evidence_run), $1, $2, $3, $4)",
        )
        .bind(ms(run.at))
        .bind(int(run.looked_at))
        .bind(int(run.destroyed))
        .bind(run.cursor.map(|id| id.0.to_vec()))
        .execute(&mut tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The latest runs, newest first.
    pub async fn evidence_runs(&self, limit: u32) -> Result<Vec<EvidenceRun>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<(i64, i64, i64, Option<Vec<u8>>)> =
            query_as("SELECT at, looked_at, destroyed, next FROM evidence_run ORDER BY seq DESC LIMIT $1")
                .bind(limit)
                .fetch_all(&mut reader)
                .await?;
        let read = |(at, looked_at, destroyed, next): (i64, i64, i64, Option<Vec<u8>>)| {
            Ok(EvidenceRun {
                at: timestamp(at)?,
                looked_at: u64::try_from(looked_at).unwrap_or_default(),
                destroyed: u64::try_from(destroyed).unwrap_or_default(),
                cursor: next.map(|id| octets(&id).map(SubjectId)).transpose()?,
            })
        };
        rows.into_iter().map(read).collect()
    }
}
