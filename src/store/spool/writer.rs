//! Writing to the spool by group commit: what is asked while one commit syncs goes into the next.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::read::copy_id;
use super::{CopyId, Judgement, SpoolId, SpoolSize};
use crate::consent::{CopyKey, DecisionId};
use crate::entropy::random;
use crate::store::column::{count, int, json, ms};
use crate::store::db::{Connection, Sql, query, query_as, repeated};
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

/// Between two questions to a server that does not say what became of a commit.
const DOUBT_PAUSE: Duration = Duration::from_millis(300);

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
    /// To be put in; reports on a copy only with the copy's end.
    pub(super) messages: Vec<MessageRow>,
    /// To be written anew where the state is still that; one that is gone stays gone.
    pub(super) changed: Option<(CopyRow, &'static str)>,
    /// An operator's words.
    pub(super) judged: Option<(Vec<CopyId>, Judgement)>,
    /// To be taken out.
    pub(super) settled: Option<CopyId>,
    /// The gateway whose word it is: where another one has taken the copy over, that one's counts. `None` for an operator.
    pub(super) by: Option<[u8; 16]>,
}

/// True where what was to be taken out was there, and this gateway's.
type Answer = Result<bool, StoreError>;

enum Line {
    Task(Box<Task>, oneshot::Sender<Answer>),
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
        let commits = Commits { connection, asked, size: Arc::clone(&size), writer: random(), number: 0, closing: None };
        tokio::spawn(write_all(commits));
        Ok(Self { lines, size })
    }

    /// Ready when the task is durable.
    pub(super) async fn run(&self, task: Task) -> Answer {
        let (done, durable) = oneshot::channel();
        self.lines.send(Line::Task(Box::new(task), done)).map_err(|_| StoreError::Closed)?;
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

/// What the task that commits holds.
struct Commits {
    connection: Connection,
    asked: mpsc::UnboundedReceiver<Line>,
    size: Arc<Size>,
    /// Names this writer to a server, and how many commits it has seen of it.
    writer: [u8; 16],
    number: i64,
    closing: Option<oneshot::Sender<()>>,
}

async fn write_all(mut commits: Commits) {
    let mut lines = Vec::with_capacity(MOST);
    while commits.closing.is_none() && commits.asked.recv_many(&mut lines, MOST).await > 0 {
        let mut tasks = Vec::with_capacity(lines.len());
        for line in lines.drain(..) {
            match line {
                Line::Task(task, done) => tasks.push((task, done)),
                Line::Close(done) => commits.closing = Some(done),
            }
        }
        let all: Vec<&Task> = tasks.iter().map(|(task, _)| &**task).collect();
        match repeated!(commits.commit(&all)) {
            Ok(answers) => tasks.into_iter().zip(answers).for_each(|((_, done), answer)| drop(done.send(Ok(answer)))),
            Err(error) if tasks.len() > 1 && !error.is_loss() => {
                // One task that does not fit on the disk must not take the others along: those that free room least of all.
                for (task, done) in tasks {
                    drop(done.send(repeated!(commits.commit(&[&task])).map(|answers| answers == [true])));
                }
            }
            Err(error) => tasks.into_iter().for_each(|(_, done)| drop(done.send(Err(error.clone())))),
        }
        commits.connection.settle().await;
    }
    if commits.number > 0 {
        // Where it cannot be told, the row stays, and says nothing.
        let _ = query("DELETE FROM writer WHERE id = $1").bind(&commits.writer[..]).execute(&mut commits.connection).await;
    }
    if let Err(error) = commits.connection.close().await {
        tracing::warn!(%error, "the spool was not closed cleanly");
    }
    drop(commits.closing);
}

impl Commits {
    /// Commits tasks together, and answers each.
    async fn commit(&mut self, tasks: &[&Task]) -> Result<Vec<bool>, StoreError> {
        let is_shared = self.connection.is_shared();
        if is_shared && self.number == 0 {
            query("INSERT INTO writer (id, number) VALUES ($1, 0) ON CONFLICT (id) DO NOTHING")
                .bind(&self.writer[..])
                .execute(&mut self.connection)
                .await?;
        }
        let mut tx = begin(&mut self.connection).await?;
        if is_shared {
            lock(&mut tx, tasks).await?;
            query("UPDATE writer SET number = $2 WHERE id = $1").bind(&self.writer[..]).bind(self.number + 1).execute(&mut tx).await?;
        }
        let (gone, taken) = take_out(&mut tx, tasks).await?;
        // Whose copy is another's by now does not report on it.
        let answers: Vec<bool> = tasks.iter().map(|task| task.settled.is_none_or(|id| gone.contains(&id))).collect();
        let added = put_in(&mut tx, tasks.iter().zip(&answers).filter(|(_, done)| **done).flat_map(|(task, _)| &task.messages)).await?;
        change(&mut tx, tasks).await?;
        for (copies, judgement) in tasks.iter().filter_map(|task| task.judged.as_ref()) {
            judge(&mut tx, copies, *judgement).await?;
        }
        // A command beside the gateway may have taken out, too.
        let version = match is_shared {
            true => self.size.version.load(Ordering::Relaxed).wrapping_add(1), // others always write
            false => query_as::<(i64,)>("PRAGMA data_version").fetch_one(&mut tx).await?.0,
        };
        if let Err(error) = tx.commit().await.map_err(StoreError::from)
            && !(is_shared && error.is_loss() && self.is_committed().await)
        {
            return Err(error);
        }
        self.number += i64::from(is_shared);
        let size = &self.size;
        size.messages.fetch_add(added.messages.wrapping_sub(taken.messages), Ordering::Relaxed);
        size.octets.fetch_add(added.octets.wrapping_sub(taken.octets), Ordering::Relaxed);
        if size.version.load(Ordering::Relaxed) != version && size.is_old() {
            // What was asked is durable, whatever becomes of the count.
            match size.count(&mut self.connection).await {
                Ok(()) => size.version.store(version, Ordering::Relaxed),
                Err(error) => tracing::warn!(%error, "the spool cannot be counted"),
            }
        }
        Ok(answers)
    }

    /// The answer to the last commit was lost with the connection: asks the server, as long as it takes. Until then nobody is
    /// answered: after a 4yz nothing may be delivered, and after a 250 nothing be lost (I2).
    async fn is_committed(&mut self) -> bool {
        tracing::warn!("the connection was lost in a commit of the spool: its clients wait until the server says what became of it");
        loop {
            // The lock waits for a commit that the server is still at.
            let last: Result<Option<(i64,)>, _> = query_as("SELECT number FROM writer WHERE id = $1 FOR UPDATE")
                .bind(&self.writer[..])
                .fetch_optional(&mut self.connection)
                .await;
            match last {
                Ok(last) => return last.is_some_and(|(number,)| number == self.number + 1),
                Err(error) => tracing::debug!(%error, "no word yet"),
            }
            // Those who come meanwhile need not wait: of theirs nothing was begun.
            while let Ok(line) = self.asked.try_recv() {
                match line {
                    Line::Task(_, done) => drop(done.send(Err(StoreError::from(sqlx::Error::PoolTimedOut)))),
                    Line::Close(done) => self.closing = Some(done),
                }
            }
            if self.closing.is_some() {
                // At the end of the process no session waits any more.
                return false;
            }
            tokio::time::sleep(DOUBT_PAUSE).await;
        }
    }
}

/// Locks the rows that tasks are about, messages before copies, each by their keys: as everybody who waits for locks here does.
async fn lock(tx: &mut Connection, tasks: &[&Task]) -> Result<(), StoreError> {
    let settled = ids(tasks.iter().filter_map(|task| task.settled.as_ref()));
    if settled != "[]" {
        // Two gateways that take out the last two copies: only one of them sees that the message goes, too.
        let messages = "SELECT 1 FROM message WHERE id IN (SELECT decode(value ->> 0, 'hex') FROM json_array_elements($1::json))
             ORDER BY id FOR UPDATE";
        query(messages).bind(&settled).execute(&mut *tx).await?;
    }
    let changed = tasks.iter().filter_map(|task| task.changed.as_ref()).map(|(row, _)| &row.id);
    let judged = tasks.iter().filter_map(|task| task.judged.as_ref()).flat_map(|(copies, _)| copies);
    let copies = ids(tasks.iter().filter_map(|task| task.settled.as_ref()).chain(changed).chain(judged));
    if copies != "[]" {
        let copies_of = "SELECT 1 FROM copy WHERE (message, number) IN
             (SELECT decode(value ->> 0, 'hex'), (value ->> 1)::bigint FROM json_array_elements($1::json))
             ORDER BY message, number FOR UPDATE";
        query(copies_of).bind(copies).execute(tx).await?;
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

async fn change(tx: &mut Connection, tasks: &[&Task]) -> Result<(), StoreError> {
    let changed = tasks.iter().filter_map(|task| task.changed.as_ref().map(|(row, was)| (row, was, task.by)));
    let changed: Vec<_> = changed.map(|(row, was, by)| format!("[{},{},{}]", row.json(), json(was), json(by.map(hex::encode)))).collect();
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
             WHERE message = decode(value #>> '{0,0}', 'hex') AND number = (value #>> '{0,1}')::bigint AND state = value ->> 1
                 AND (value ->> 2 IS NULL OR lease_owner IS NULL OR lease_owner = decode(value ->> 2, 'hex'))",
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

/// Takes copies out, and messages with their last copy; which copies went.
async fn take_out(tx: &mut Connection, tasks: &[&Task]) -> Result<(HashSet<CopyId>, SpoolSize), StoreError> {
    let settled = tasks.iter().filter_map(|task| task.settled.map(|id| (id.message.to_string(), id.number, task.by.map(hex::encode))));
    let settled = json(settled.collect::<Vec<_>>());
    if settled == "[]" {
        return Ok((HashSet::new(), SpoolSize::default()));
    }
    let copies: Vec<(Vec<u8>, i64)> = query_as(Sql {
        sqlite: "DELETE FROM copy WHERE (message, number) IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each($1))
             RETURNING message, number",
        postgres: "DELETE FROM copy USING json_array_elements($1::json)
             WHERE message = decode(value ->> 0, 'hex') AND number = (value ->> 1)::bigint
                 AND (value ->> 2 IS NULL OR lease_owner IS NULL OR lease_owner = decode(value ->> 2, 'hex'))
             RETURNING message, number",
    })
    .bind(&settled)
    .fetch_all(&mut *tx)
    .await?;
    let copies = copies.into_iter().map(|(message, number)| copy_id(&message, number)).collect::<Result<HashSet<_>, _>>()?;
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
    let size = SpoolSize { messages: gone.len() as u64, octets: octets + copies.len() as u64 * COPY_OCTETS };
    Ok((copies, size))
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
