//! Mail that was taken and waits: one sealed original per message, one row per recipient. A 250 that is not the outbound
//! MTA's rests on it (I2). When a copy is tried again, and what becomes of it, is the spooler's business.

mod read;
mod sealed;
mod state;
mod task;
mod write;
mod writer;

use std::path::Path;

use jiff::Timestamp;
use tokio::sync::Notify;

pub use self::write::{Hand, Judgement};
use self::writer::Writer;
use super::StoreError;
use crate::consent::{CopyKey, Decision, DecisionId, Reason, TextVersion, Topic};
use crate::crypto::DataKey;
use crate::mail::{Class, Hop, Lane, Recipient, Sender};
use crate::store::db::{Connection, Pool};

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

/// The decision that a copy waits on, and what it said: so that a later attempt sees, without asking the ledger for it,
/// whether a new one would say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Which.
    pub decision: DecisionId,
    /// What it said.
    pub says: String,
}

impl Ground {
    /// Of that decision.
    pub fn of(decision: &Decision) -> Self {
        let topic = decision.topic.as_ref().map_or("-", Topic::as_str);
        // the number of an event says whose it is only with the subject
        let event = decision.event.map_or_else(|| "-".to_owned(), |event| format!("{event} of {}", decision.subject));
        // a decision on record names its rules and its footer: others are another ground
        let version = |version: Option<TextVersion>| version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let says = format!(
            "{} {} {topic} {} {event} {} {}",
            decision.classification.class,
            decision.controller,
            decision.reason,
            version(decision.rules),
            version(decision.footer)
        );
        Self { decision: decision.id, says }
    }

    /// True when the mail's class is what a person is asked about.
    pub fn is_disputed(&self) -> bool {
        self.says.split(' ').nth(3) == Some(Reason::Held.as_str())
    }
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
    /// When it is tried next.
    pub next_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What it rests on; `None` for a report.
    pub ground: Option<Ground>,
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
    /// What it rests on; `None` for a report.
    pub ground: Option<Ground>,
    /// Knows it when the client sends it again.
    pub fingerprint: Option<CopyKey>,
    /// The last words about it, the outbound MTA's or ours.
    pub last: Option<String>,
    /// What a person said that it is, who looked at it while it was held.
    pub ruling: Option<Class>,
}

/// A copy whose time has come. What is sealed of it is read when it is tried: meanwhile an operator may have judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueCopy {
    /// Which.
    pub id: CopyId,
    /// What goes first.
    pub lane: Lane,
    /// Octets of the original.
    pub size: u64,
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
    /// Octets of their originals, and some for each copy's row.
    pub octets: u64,
}

/// The spool's file.
pub(super) struct Spool {
    key: DataKey,
    reader: Pool,
    writer: Writer,
    /// Notified whenever something was put in.
    arrived: Notify,
}

impl Spool {
    pub(super) async fn open(path: &Path, key: DataKey) -> Result<Self, StoreError> {
        let mut connection = Connection::sqlite(path).await?;
        if let Some(connection) = connection.as_sqlite() {
            sqlx::migrate!("migrations/sqlite/spool").run(connection).await?;
        }
        Self::over(connection, 1, key).await
    }

    /// Over an open connection, with so many that read.
    pub(super) async fn over(connection: Connection, readers: usize, key: DataKey) -> Result<Self, StoreError> {
        let reader = Pool::like(&connection, readers).await?;
        Ok(Self { key, reader, writer: Writer::start(connection).await?, arrived: Notify::new() })
    }

    /// The connections that read, to be closed.
    pub(super) fn reader(&self) -> &Pool {
        &self.reader
    }

    /// Writes what was asked before, and closes.
    pub(super) async fn close(&self) {
        self.writer.close().await;
    }
}
