//! Reading what waits.

use jiff::Timestamp;

use super::sealed::{self, Head, SealedCopy};
use super::state;
use super::{CopyId, CopyState, DueCopy, Ground, Spool, SpoolId, SpoolSize, SpooledCopy, SpooledMessage};
use crate::consent::{CopyKey, DecisionId};
use crate::mail::Lane;
use crate::store::column::{count, ms, octets, timestamp};
use crate::store::db::query_as;
use crate::store::lease::{LEASE_MS, take_copies};
use crate::store::{Store, StoreError};

type Row = (Vec<u8>, i64, i64, String, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>, String, i64, i64);

/// The statement that reads rows as [`Row`] does.
macro_rules! copies {
    ($rest:literal) => {
        concat!(
            "SELECT c.message, c.number, c.lane, c.state, c.next_at, c.attempts, c.decision, c.fingerprint, c.sealed, m.stream, \
             m.queued_at, m.size FROM copy AS c JOIN message AS m ON m.id = c.message ",
            $rest
        )
    };
}

impl Store {
    /// Copies of a lane whose time has come at `now`, the longest due first. They stay due until told otherwise.
    pub async fn spool_due(&self, lane: Lane, now: Timestamp, limit: u32) -> Result<Vec<DueCopy>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let rows: Vec<(Vec<u8>, i64, i64)> = if self.inner.is_shared {
            let take = query_as(take_copies!()).bind(state::number(lane)).bind(ms(now)).bind(limit);
            take.bind(&self.inner.gateway[..]).bind(LEASE_MS).fetch_all(&mut reader).await?
        } else {
            query_as(
                "SELECT c.message, c.number, m.size FROM copy AS c JOIN message AS m ON m.id = c.message
                 WHERE c.lane = $1 AND c.next_at <= $2 ORDER BY c.next_at, c.message, c.number LIMIT $3",
            )
            .bind(state::number(lane))
            .bind(ms(now))
            .bind(limit)
            .fetch_all(&mut reader)
            .await?
        };
        drop(reader);
        rows.into_iter().map(|(message, number, size)| Ok(DueCopy { id: copy_id(&message, number)?, lane, size: count(size)? })).collect()
    }

    /// When the next copy comes due after that time.
    pub async fn spool_next(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let (next,): (Option<i64>,) = query_as(
            "SELECT min(next_at) FROM (SELECT min(next_at) AS next_at FROM copy WHERE lane = 0 AND next_at > $1
                 UNION ALL SELECT min(next_at) FROM copy WHERE lane = 1 AND next_at > $1) AS lanes",
        )
        .bind(ms(after))
        .fetch_one(&mut reader)
        .await?;
        next.map(timestamp).transpose()
    }

    /// A copy; `None` when it was settled.
    pub async fn spool_copy(&self, id: CopyId) -> Result<Option<SpooledCopy>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let row: Option<Row> = query_as(copies!("WHERE c.message = $1 AND c.number = $2"))
            .bind(&id.message.0[..])
            .bind(id.number)
            .fetch_optional(&mut reader)
            .await?;
        drop(reader);
        row.map(|row| self.inner.spool.copy(row)).transpose()
    }

    /// A copy that is about to be tried; `None` when it was settled, or is another gateway's by now.
    pub async fn spool_copy_to_try(&self, id: CopyId) -> Result<Option<SpooledCopy>, StoreError> {
        if !self.inner.is_shared {
            return self.spool_copy(id).await;
        }
        let mut reader = self.inner.spool.reader.lock().await;
        let row: Option<Row> = query_as(copies!(
            "WHERE c.message = $1 AND c.number = $2 AND c.lease_owner = $3 AND c.lease_until > (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
        ))
        .bind(&id.message.0[..])
        .bind(id.number)
        .bind(&self.inner.gateway[..])
        .fetch_optional(&mut reader)
        .await?;
        drop(reader);
        row.map(|row| self.inner.spool.copy(row)).transpose()
    }

    /// All copies of a message.
    pub async fn spool_copies_of(&self, message: SpoolId) -> Result<Vec<SpooledCopy>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let rows: Vec<Row> =
            query_as(copies!("WHERE c.message = $1 ORDER BY c.number")).bind(&message.0[..]).fetch_all(&mut reader).await?;
        drop(reader);
        rows.into_iter().map(|row| self.inner.spool.copy(row)).collect()
    }

    /// Copies of all messages, the oldest first; at most `limit`. Those that cannot be opened are left out and told.
    pub async fn spool_copies(&self, limit: u32) -> Result<Vec<SpooledCopy>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let rows: Vec<Row> = query_as(copies!("ORDER BY c.message, c.number LIMIT $1")).bind(limit).fetch_all(&mut reader).await?;
        drop(reader);
        Ok(self.inner.spool.opened(rows))
    }

    /// Copies that wait for a person, the oldest first; at most `limit`. Those that cannot be opened are left out and told.
    pub async fn spool_held(&self, limit: u32) -> Result<Vec<SpooledCopy>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let rows: Vec<Row> =
            query_as(copies!("WHERE c.state = 'held' ORDER BY c.message, c.number LIMIT $1")).bind(limit).fetch_all(&mut reader).await?;
        drop(reader);
        Ok(self.inner.spool.opened(rows))
    }

    /// How many copies wait for a person.
    pub async fn spool_held_number(&self) -> Result<u64, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let (number,): (i64,) = query_as("SELECT count(*) FROM copy WHERE state = 'held'").fetch_one(&mut reader).await?;
        count(number)
    }

    /// A message; `None` when its last copy was settled.
    pub async fn spooled(&self, id: SpoolId) -> Result<Option<SpooledMessage>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let row: Option<(String, i64, Vec<u8>, Vec<u8>)> = query_as("SELECT stream, queued_at, head, original FROM message WHERE id = $1")
            .bind(&id.0[..])
            .fetch_optional(&mut reader)
            .await?;
        drop(reader);
        let Some((stream, queued_at, head, original)) = row else { return Ok(None) };
        let key = &self.inner.spool.key;
        let head = Head::open(key, id, &head)?;
        let original = key.open(&sealed::place("original", id, 0), &original).ok_or(StoreError::Damaged("a spooled message"))?;
        let (sender, hop) = head.parts()?;
        Ok(Some(SpooledMessage { stream, sender, hop, queued_at: timestamp(queued_at)?, original: original.to_vec() }))
    }

    /// Fingerprints of what waits, with their decisions, the newest first; at most `limit`.
    pub async fn spool_fingerprints(&self, limit: usize) -> Result<Vec<(CopyKey, DecisionId)>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = query_as(
            "SELECT fingerprint, decision FROM copy WHERE fingerprint IS NOT NULL AND decision IS NOT NULL ORDER BY message DESC LIMIT $1",
        )
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut reader)
        .await?;
        drop(reader);
        rows.into_iter().map(|(key, decision)| Ok((CopyKey(octets(&key)?), DecisionId(octets(&decision)?)))).collect()
    }

    /// What waits altogether.
    pub fn spool_size(&self) -> SpoolSize {
        self.inner.spool.writer.size()
    }

    /// Ready when something was put in or changed since the last time.
    pub async fn spool_arrival(&self) {
        self.inner.spool.arrived.notified().await;
    }
}

impl Spool {
    fn opened(&self, rows: Vec<Row>) -> Vec<SpooledCopy> {
        let opened = rows.into_iter().filter_map(|row| match self.copy(row) {
            Ok(copy) => Some(copy),
            Err(error) => {
                tracing::error!(%error, "a copy in the spool cannot be opened");
                None
            }
        });
        opened.collect()
    }

    fn copy(&self, row: Row) -> Result<SpooledCopy, StoreError> {
        let (message, number, lane, state, next_at, attempts, decision, fingerprint, sealed, stream, queued_at, size) = row;
        let damaged = StoreError::Damaged("a spooled copy");
        let id = copy_id(&message, number)?;
        let (recipient, says, last, ruling) = SealedCopy::open(&self.key, id, &sealed)?.parts()?;
        Ok(SpooledCopy {
            id,
            stream,
            queued_at: timestamp(queued_at)?,
            size: count(size)?,
            recipient,
            lane: if lane == state::number(Lane::Transactional) { Lane::Transactional } else { Lane::Bulk },
            state: CopyState::parse(&state).ok_or(damaged)?,
            next_at: timestamp(next_at)?,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            ground: decision.map(|id| octets(&id).map(DecisionId)).transpose()?.zip(says).map(|(decision, says)| Ground { decision, says }),
            fingerprint: fingerprint.map(|key| octets(&key).map(CopyKey)).transpose()?,
            last,
            ruling,
        })
    }
}

pub(super) fn copy_id(message: &[u8], number: i64) -> Result<CopyId, StoreError> {
    let number = u32::try_from(number).map_err(|_| StoreError::Damaged("a spooled copy"))?;
    Ok(CopyId { message: SpoolId(octets(message)?), number })
}
