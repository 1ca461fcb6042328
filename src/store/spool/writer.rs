//! Writing to the spool by group commit: what is asked while one commit syncs goes into the next.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::{CopyId, Judgement, SpoolId, SpoolSize};
use crate::consent::{CopyKey, DecisionId};
use crate::store::column::{count, int, json, ms};
use crate::store::db::{Connection, Sql, query, query_as};
use crate::store::{StoreError, begin};

/// The statement about the copies of the first parameter; see [`ids`].
macro_rules! among {
    ($statement:literal) => {
        Sql {
            sqlite: concat!($statement, "(message, number) IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each($1))"),
            postgres: concat!(
                $statement,
                "(message, number) IN (SELECT decode(value ->> 0, 'hex'), (value ->> 1)::bigint FROM json_array_elements($1::json))"
            ),
        }
    };
}

/// What a copy's row occupies, about.
const COPY_OCTETS: u64 = 512;

/// Between two counts of the whole spool.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// Tasks per commit.
const MOST: usize = 128;

/// A message as its row has it.
pub(super) struct MessageRow {
    pub(super) id: SpoolId,
    pub(super) stream: String,
    pub(super) queued_at: i64,
    pub(super) size: u64,
    pub(super) head: Vec<u8>,
    pub(super) original: Vec<u8>,
    pub(super) copies: Vec<CopyRow>,
}

/// A copy as its row has it.
pub(super) struct CopyRow {
    pub(super) id: CopyId,
    pub(super) lane: i64,
    pub(super) state: &'static str,
    pub(super) next_at: i64,
    pub(super) attempts: u32,
    pub(super) decision: Option<DecisionId>,
    pub(super) fingerprint: Option<CopyKey>,
    pub(super) sealed: Vec<u8>,
}

/// What is written in one piece, or not at all.
#[derive(Default)]
pub(super) struct Task {
    /// To be put in.
    pub(super) messages: Vec<MessageRow>,
    /// To be written anew where the state is still that; one that is gone stays gone.
    pub(super) changed: Vec<(CopyRow, &'static str)>,
    /// An operator's words.
    pub(super) judged: Vec<(Vec<CopyId>, Judgement)>,
    /// To be taken out.
    pub(super) settled: Vec<CopyId>,
}

enum Line {
    Task(Task, oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<()>),
}

/// The task that commits.
pub(super) struct Writer {
    lines: mpsc::UnboundedSender<Line>,
    size: Arc<Size>,
}

#[derive(Default)]
struct Size {
    messages: AtomicU64,
    octets: AtomicU64,
    /// SQLite's: another one when another process has written.
    version: AtomicI64,
    counted: Mutex<Option<Instant>>,
}

impl Size {
    /// A command that writes again and again beside the gateway must not make every commit count.
    fn is_old(&self) -> bool {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.is_none_or(|counted| counted.elapsed() >= COUNT_PAUSE)
    }

    async fn count(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let (messages, octets): (i64, i64) =
            query_as("SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) + $1 * (SELECT count(*) FROM copy) FROM message")
                .bind(int(COPY_OCTETS))
                .fetch_one(connection)
                .await?;
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.messages.store(count(messages)?, Ordering::Relaxed);
        self.octets.store(count(octets)?, Ordering::Relaxed);
        Ok(())
    }
}

impl Writer {
    pub(super) async fn start(mut connection: Connection) -> Result<Self, StoreError> {
        let size = Arc::new(Size::default());
        size.count(&mut connection).await?;
        let (lines, asked) = mpsc::unbounded_channel();
        tokio::spawn(write_all(connection, asked, Arc::clone(&size)));
        Ok(Self { lines, size })
    }

    /// Ready when the task is durable.
    pub(super) async fn run(&self, task: Task) -> Result<(), StoreError> {
        let (done, durable) = oneshot::channel();
        self.lines.send(Line::Task(task, done)).map_err(|_| StoreError::Closed)?;
        durable.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.lines.send(Line::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }

    pub(super) fn size(&self) -> SpoolSize {
        SpoolSize { messages: self.size.messages.load(Ordering::Relaxed), octets: self.size.octets.load(Ordering::Relaxed) }
    }
}

async fn write_all(mut connection: Connection, mut asked: mpsc::UnboundedReceiver<Line>, size: Arc<Size>) {
    let mut lines = Vec::with_capacity(MOST);
    let mut closing = None;
    while closing.is_none() && asked.recv_many(&mut lines, MOST).await > 0 {
        let mut tasks = Vec::with_capacity(lines.len());
        for line in lines.drain(..) {
            match line {
                Line::Task(task, done) => tasks.push((task, done)),
                Line::Close(done) => closing = Some(done),
            }
        }
        match commit(&mut connection, tasks.iter().map(|(task, _)| task), &size).await {
            Ok(()) => tasks.into_iter().for_each(|(_, done)| drop(done.send(Ok(())))),
            Err(_) if tasks.len() > 1 => {
                // One task that does not fit on the disk must not take the others along: those that free room least of all.
                for (task, done) in tasks {
                    drop(done.send(commit(&mut connection, std::iter::once(&task), &size).await));
                }
            }
            Err(error) => tasks.into_iter().for_each(|(_, done)| drop(done.send(Err(error.clone())))),
        }
        connection.settle().await;
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the spool was not closed cleanly");
    }
    drop(closing);
}

async fn commit<'a>(connection: &mut Connection, tasks: impl Iterator<Item = &'a Task> + Clone, size: &Size) -> Result<(), StoreError> {
    let mut tx = begin(connection).await?;
    let added = put_in(&mut tx, tasks.clone().flat_map(|task| &task.messages)).await?;
    change(&mut tx, tasks.clone().flat_map(|task| &task.changed)).await?;
    for (copies, judgement) in tasks.clone().flat_map(|task| &task.judged) {
        judge(&mut tx, copies, *judgement).await?;
    }
    let taken = take_out(&mut tx, tasks.flat_map(|task| &task.settled)).await?;
    // A command beside the gateway may have taken out, too.
    let version = match tx.is_shared() {
        true => size.version.load(Ordering::Relaxed).wrapping_add(1), // others always write
        false => query_as::<(i64,)>("PRAGMA data_version").fetch_one(&mut tx).await?.0,
    };
    tx.commit().await?;
    size.messages.fetch_add(added.messages.wrapping_sub(taken.messages), Ordering::Relaxed);
    size.octets.fetch_add(added.octets.wrapping_sub(taken.octets), Ordering::Relaxed);
    if size.version.load(Ordering::Relaxed) != version && size.is_old() {
        // What was asked is durable, whatever becomes of the count.
        match size.count(connection).await {
            Ok(()) => size.version.store(version, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "the spool cannot be counted"),
        }
    }
    Ok(())
}

async fn put_in<'a>(tx: &mut Connection, messages: impl Iterator<Item = &'a MessageRow>) -> Result<SpoolSize, StoreError> {
    let (mut added, mut copies) = (SpoolSize::default(), Vec::new());
    for message in messages {
        query("INSERT INTO message (id, stream, queued_at, size, head, original) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&message.id.0[..])
            .bind(&message.stream)
            .bind(message.queued_at)
            .bind(int(message.size))
            .bind(&message.head)
            .bind(&message.original)
            .execute(&mut *tx)
            .await?;
        added.messages += 1;
        added.octets += message.size + COPY_OCTETS * message.copies.len() as u64;
        copies.extend(message.copies.iter().map(CopyRow::json));
    }
    if !copies.is_empty() {
        query(Sql {
            sqlite: "INSERT INTO copy (message, number, lane, state, next_at, attempts, decision, fingerprint, sealed)
             SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, unhex(value ->> 6),
                    unhex(value ->> 7), unhex(value ->> 8) FROM json_each($1)",
            postgres: "INSERT INTO copy (message, number, lane, state, next_at, attempts, decision, fingerprint, sealed)
             SELECT decode(value ->> 0, 'hex'), (value ->> 1)::bigint, (value ->> 2)::bigint, value ->> 3, (value ->> 4)::bigint,
                    (value ->> 5)::bigint, decode(value ->> 6, 'hex'), decode(value ->> 7, 'hex'), decode(value ->> 8, 'hex')
             FROM json_array_elements($1::json)",
        })
        .bind(format!("[{}]", copies.join(",")))
        .execute(tx)
        .await?;
    }
    Ok(added)
}

async fn change<'a>(tx: &mut Connection, changed: impl Iterator<Item = &'a (CopyRow, &'static str)>) -> Result<(), StoreError> {
    let changed: Vec<_> = changed.map(|(row, was)| format!("[{},{}]", row.json(), json(was))).collect();
    if !changed.is_empty() {
        query(Sql {
            sqlite: "UPDATE copy SET lane = value ->> '$[0][2]', state = value ->> '$[0][3]', next_at = value ->> '$[0][4]',
                    attempts = value ->> '$[0][5]', decision = unhex(value ->> '$[0][6]'), sealed = unhex(value ->> '$[0][8]')
             FROM json_each($1)
             WHERE message = unhex(value ->> '$[0][0]') AND number = value ->> '$[0][1]' AND state = value ->> '$[1]'",
            postgres:
                "UPDATE copy SET lane = (value #>> '{0,2}')::bigint, state = value #>> '{0,3}', next_at = (value #>> '{0,4}')::bigint,
                    attempts = (value #>> '{0,5}')::bigint, decision = decode(value #>> '{0,6}', 'hex'),
                    sealed = decode(value #>> '{0,8}', 'hex'), lease_owner = NULL, lease_until = 0
             FROM json_array_elements($1::json)
             WHERE message = decode(value #>> '{0,0}', 'hex') AND number = (value #>> '{0,1}')::bigint AND state = value ->> 1",
        })
        .bind(format!("[{}]", changed.join(",")))
        .execute(tx)
        .await?;
    }
    Ok(())
}

async fn judge(tx: &mut Connection, copies: &[CopyId], judgement: Judgement) -> Result<(), StoreError> {
    let (statement, at) = match judgement {
        Judgement::Hold(until) => (among!("UPDATE copy SET state = 'held', next_at = $2 WHERE "), until),
        Judgement::Release(at) => (among!("UPDATE copy SET state = 'waiting', next_at = $2 WHERE state = 'held' AND "), at),
        Judgement::Retry(at) => (among!("UPDATE copy SET next_at = $2 WHERE state <> 'held' AND "), at),
    };
    query(statement).bind(ids(copies.iter())).bind(ms(at)).execute(tx).await?;
    Ok(())
}

async fn take_out<'a>(tx: &mut Connection, settled: impl Iterator<Item = &'a CopyId>) -> Result<SpoolSize, StoreError> {
    let settled = ids(settled);
    if settled == "[]" {
        return Ok(SpoolSize::default());
    }
    let copies = query(among!("DELETE FROM copy WHERE ")).bind(&settled).execute(&mut *tx).await?.rows_affected();
    let gone: Vec<(i64,)> = query_as(Sql {
        sqlite: "DELETE FROM message WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1))
             AND NOT EXISTS (SELECT 1 FROM copy WHERE copy.message = message.id) RETURNING size",
        postgres: "DELETE FROM message WHERE id IN (SELECT decode(value ->> 0, 'hex') FROM json_array_elements($1::json))
             AND NOT EXISTS (SELECT 1 FROM copy WHERE copy.message = message.id) RETURNING size",
    })
    .bind(&settled)
    .fetch_all(tx)
    .await?;
    let octets = gone.iter().map(|(octets,)| count(*octets)).sum::<Result<u64, _>>()?;
    Ok(SpoolSize { messages: gone.len() as u64, octets: octets + copies * COPY_OCTETS })
}

impl CopyRow {
    fn json(&self) -> String {
        json((
            self.id.message.to_string(),
            self.id.number,
            self.lane,
            self.state,
            self.next_at,
            self.attempts,
            self.decision.map(|id| id.to_string()),
            self.fingerprint.map(|key| hex::encode(key.0)),
            hex::encode(&self.sealed),
        ))
    }
}

/// Copies as one parameter.
fn ids<'a>(copies: impl Iterator<Item = &'a CopyId>) -> String {
    json(copies.map(|id| (id.message.to_string(), id.number)).collect::<Vec<_>>())
}
