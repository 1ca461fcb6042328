//! Writing to the spool by group commit: what is asked while one commit syncs goes into the next.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::SpoolSize;
use super::task::{COPY_OCTETS, Task, change, judge, lock, put_in, take_out};
use crate::entropy::random;
use crate::store::column::{count, int};
use crate::store::db::{Connection, query, query_as, repeated};
use crate::store::{StoreError, begin};

/// Between two counts of the whole spool.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// Tasks per commit.
const MOST: usize = 128;

/// Between two questions to a server that does not say what became of a commit.
const DOUBT_PAUSE: Duration = Duration::from_millis(300);

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
