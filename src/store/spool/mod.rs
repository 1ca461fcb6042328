//! Mail that was taken and waits: one sealed original per message, one row per recipient. A 250 that is not the outbound
//! MTA's rests on it (I2). When a copy is tried again, and what becomes of it, is the spooler's business.

mod sealed;
mod state;
mod writer;

use std::path::Path;

use jiff::Timestamp;
use sqlx::SqliteConnection;
use tokio::sync::{Mutex, Notify};

use self::sealed::{Head, SealedCopy};
use self::writer::{Task, Writer};
use super::column::{count, ms, octets, timestamp};
use super::{Store, StoreError, data_dir};
use crate::consent::{CopyKey, DecisionId};
use crate::crypto::DataKey;
use crate::entropy::random;
use crate::mail::{Hop, Lane, Recipient, Sender};

/// Id of a spooled message: 48 bits of milliseconds, then random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpoolId(pub [u8; 16]);

/// One copy of a spooled message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CopyId {
    /// The message.
    pub message: SpoolId,
    /// Which of its recipients, from 0.
    pub number: u32,
}

/// Why a copy waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyState {
    /// For its next attempt.
    Waiting,
    /// For the outbound MTA's last word: it may have the mail already.
    Uncertain,
    /// For a person.
    Held,
}

/// A message as it goes into the spool.
#[derive(Debug, Clone)]
pub struct NewSpooled {
    /// A fresh id.
    pub id: SpoolId,
    /// Name of the stream; empty for a report of the gateway's own.
    pub stream: String,
    /// From MAIL.
    pub sender: Sender,
    /// How it came in.
    pub hop: Hop,
    /// When it was taken.
    pub queued_at: Timestamp,
    /// As received: CRLF line ends, not dot-stuffed.
    pub original: Vec<u8>,
    /// At least one.
    pub copies: Vec<NewCopy>,
}

/// One recipient's copy as it goes into the spool.
#[derive(Debug, Clone)]
pub struct NewCopy {
    /// From RCPT.
    pub recipient: Recipient,
    /// What goes first.
    pub lane: Lane,
    /// Why it waits.
    pub state: CopyState,
    /// When it is tried first.
    pub next_at: Timestamp,
    /// The decision it rests on; `None` for a report.
    pub decision: Option<DecisionId>,
    /// Knows it when the client sends it again.
    pub fingerprint: Option<CopyKey>,
    /// The last words about it.
    pub last: Option<String>,
}

/// A copy that waits.
#[derive(Debug, Clone)]
pub struct SpooledCopy {
    /// Which.
    pub id: CopyId,
    /// Name of the stream; empty for a report of the gateway's own.
    pub stream: String,
    /// When the message was taken.
    pub queued_at: Timestamp,
    /// Octets of the original.
    pub size: u64,
    /// From RCPT.
    pub recipient: Recipient,
    /// What goes first.
    pub lane: Lane,
    /// Why it waits.
    pub state: CopyState,
    /// When it is tried next; of a held copy, when the hold ends.
    pub next_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// The decision it rests on; `None` for a report.
    pub decision: Option<DecisionId>,
    /// Knows it when the client sends it again.
    pub fingerprint: Option<CopyKey>,
    /// The last words about it, the outbound MTA's or ours.
    pub last: Option<String>,
}

/// A spooled message without its copies.
pub struct SpooledMessage {
    /// Name of the stream.
    pub stream: String,
    /// From MAIL.
    pub sender: Sender,
    /// How it came in.
    pub hop: Hop,
    /// When it was taken.
    pub queued_at: Timestamp,
    /// As received.
    pub original: Vec<u8>,
}

/// What waits altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolSize {
    /// Messages.
    pub messages: u64,
    /// Octets of their originals.
    pub octets: u64,
}

/// The spool's file.
pub(super) struct Spool {
    key: DataKey,
    reader: Mutex<SqliteConnection>,
    writer: Writer,
    /// Notified whenever something was put in.
    arrived: Notify,
}

type Row = (Vec<u8>, i64, i64, String, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>, String, i64, i64);

const COLUMNS: &str = "SELECT c.message, c.number, c.lane, c.state, c.next_at, c.attempts, c.decision, c.fingerprint, c.sealed,
    m.stream, m.queued_at, m.size FROM copy AS c JOIN message AS m ON m.id = c.message";

impl Spool {
    pub(super) async fn open(path: &Path, key: DataKey) -> Result<Self, StoreError> {
        let mut connection = data_dir::connect(path).await?;
        sqlx::migrate!("migrations/sqlite/spool").run(&mut connection).await?;
        let reader = Mutex::new(data_dir::connect(path).await?);
        Ok(Self { key, reader, writer: Writer::start(connection).await?, arrived: Notify::new() })
    }

    /// The connection that reads, to be closed.
    pub(super) fn into_reader(self) -> SqliteConnection {
        self.reader.into_inner()
    }

    /// Writes what was asked before, and closes.
    pub(super) async fn close(&self) {
        self.writer.close().await;
    }
}

impl Store {
    /// Puts messages in; they are durable when this returns. On an error none of them is there.
    pub async fn spool(&self, messages: &[NewSpooled]) -> Result<(), StoreError> {
        let spool = &self.inner.spool;
        let task = Task { messages: spool.rows(messages), ..Task::default() };
        spool.writer.run(task).await?;
        spool.arrived.notify_one();
        Ok(())
    }

    /// Takes a copy out, and its message with the last copy; puts in what reports on it, in one commit.
    pub async fn spool_settled(&self, id: CopyId, reports: &[NewSpooled]) -> Result<(), StoreError> {
        let spool = &self.inner.spool;
        let task = Task { messages: spool.rows(reports), settled: vec![id], ..Task::default() };
        spool.writer.run(task).await?;
        if !reports.is_empty() {
            spool.arrived.notify_one();
        }
        Ok(())
    }

    /// Writes a copy's state, next time, attempts, decision and last words as `copy` has them now.
    pub async fn spool_changed(&self, copy: &SpooledCopy) -> Result<(), StoreError> {
        let spool = &self.inner.spool;
        spool.writer.run(Task { changed: vec![spool.change(copy)], ..Task::default() }).await?;
        spool.arrived.notify_one();
        Ok(())
    }

    /// Copies of a lane whose time has come at `now`, the longest due first. They stay due until told otherwise.
    pub async fn spool_due(&self, lane: Lane, now: Timestamp, limit: u32) -> Result<Vec<SpooledCopy>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let statement = format!("{COLUMNS} WHERE c.lane = ?1 AND c.next_at <= ?2 ORDER BY c.next_at, c.message, c.number LIMIT ?3");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(state::number(lane))
            .bind(ms(now))
            .bind(limit)
            .fetch_all(&mut *reader)
            .await?;
        drop(reader);
        // One damaged row must not stop the others.
        let opened = rows.into_iter().filter_map(|row| match self.inner.spool.copy(row) {
            Ok(copy) => Some(copy),
            Err(error) => {
                tracing::error!(%error, "a copy in the spool cannot be opened");
                None
            }
        });
        Ok(opened.collect())
    }

    /// When the next copy comes due after that time.
    pub async fn spool_next(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let (next,): (Option<i64>,) = sqlx::query_as(
            "SELECT min(next_at) FROM (SELECT min(next_at) AS next_at FROM copy WHERE lane = 0 AND next_at > ?1
                 UNION ALL SELECT min(next_at) FROM copy WHERE lane = 1 AND next_at > ?1)",
        )
        .bind(ms(after))
        .fetch_one(&mut *reader)
        .await?;
        next.map(timestamp).transpose()
    }

    /// All copies of one message, or of all, the oldest first; at most `limit`.
    pub async fn spool_copies(&self, message: Option<SpoolId>, limit: u32) -> Result<Vec<SpooledCopy>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let statement = format!("{COLUMNS} WHERE ?1 IS NULL OR c.message = ?1 ORDER BY c.message, c.number LIMIT ?2");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(message.map(|id| id.0.to_vec()))
            .bind(limit)
            .fetch_all(&mut *reader)
            .await?;
        drop(reader);
        rows.into_iter().map(|row| self.inner.spool.copy(row)).collect()
    }

    /// A message; `None` when its last copy was settled.
    pub async fn spooled(&self, id: SpoolId) -> Result<Option<SpooledMessage>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let row: Option<(String, i64, Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT stream, queued_at, head, original FROM message WHERE id = ?1")
                .bind(&id.0[..])
                .fetch_optional(&mut *reader)
                .await?;
        drop(reader);
        let Some((stream, queued_at, head, original)) = row else { return Ok(None) };
        let key = &self.inner.spool.key;
        let head = Head::open(key, id, &head)?;
        let original = key.open(&sealed::place("original", id, 0), &original).ok_or(StoreError::Damaged("a spooled message"))?;
        let (sender, hop) = head.parts()?;
        Ok(Some(SpooledMessage { stream, sender, hop, queued_at: timestamp(queued_at)?, original: original.to_vec() }))
    }

    /// Fingerprints of all that waits, with their decisions.
    pub async fn spool_fingerprints(&self) -> Result<Vec<(CopyKey, DecisionId)>, StoreError> {
        let mut reader = self.inner.spool.reader.lock().await;
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT fingerprint, decision FROM copy WHERE fingerprint IS NOT NULL AND decision IS NOT NULL")
                .fetch_all(&mut *reader)
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
    fn rows(&self, messages: &[NewSpooled]) -> Vec<writer::MessageRow> {
        messages
            .iter()
            .map(|message| writer::MessageRow {
                id: message.id,
                stream: message.stream.clone(),
                queued_at: ms(message.queued_at),
                size: message.original.len() as u64,
                head: Head::of(message).seal(&self.key, message.id),
                original: self.key.seal(random(), &sealed::place("original", message.id, 0), &message.original),
                copies: message.copies.iter().zip(0..).map(|(copy, number)| self.copy_row(message.id, number, copy)).collect(),
            })
            .collect()
    }

    fn copy_row(&self, message: SpoolId, number: u32, copy: &NewCopy) -> writer::CopyRow {
        let id = CopyId { message, number };
        writer::CopyRow {
            id,
            lane: state::number(copy.lane),
            state: copy.state.as_str(),
            next_at: ms(copy.next_at),
            attempts: 0,
            decision: copy.decision,
            fingerprint: copy.fingerprint,
            sealed: SealedCopy::of(&copy.recipient, copy.last.as_deref()).seal(&self.key, id),
        }
    }

    fn change(&self, copy: &SpooledCopy) -> writer::CopyRow {
        writer::CopyRow {
            id: copy.id,
            lane: state::number(copy.lane),
            state: copy.state.as_str(),
            next_at: ms(copy.next_at),
            attempts: copy.attempts,
            decision: copy.decision,
            fingerprint: copy.fingerprint,
            sealed: SealedCopy::of(&copy.recipient, copy.last.as_deref()).seal(&self.key, copy.id),
        }
    }

    fn copy(&self, row: Row) -> Result<SpooledCopy, StoreError> {
        let (message, number, lane, state, next_at, attempts, decision, fingerprint, sealed, stream, queued_at, size) = row;
        let damaged = StoreError::Damaged("a spooled copy");
        let id = CopyId { message: SpoolId(octets(&message)?), number: u32::try_from(number).map_err(|_| damaged.clone())? };
        let (recipient, last) = SealedCopy::open(&self.key, id, &sealed)?.parts()?;
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
            decision: decision.map(|id| octets(&id).map(DecisionId)).transpose()?,
            fingerprint: fingerprint.map(|key| octets(&key).map(CopyKey)).transpose()?,
            last,
        })
    }
}
