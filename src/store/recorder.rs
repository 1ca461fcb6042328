//! Group commit of decisions and outcomes: what comes in while one commit syncs is the next commit; outcomes ride along. While the
//! ledger takes nothing, plain transactional mail goes on, and its decisions wait in the local journal (M-60); nothing else
//! does (I4).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::column::json;
use super::db::{Connection, Pool, Sql, query, query_as, repeated};
use super::decision::Row;
use super::journal::Journal;
use super::tally::{Run, Tally, id_ms};
use super::{StoreError, ledger};
use crate::consent::{DecisionId, Standing};
use crate::entropy::random;

/// How long a partition of the decision log is on PostgreSQL: what retention drops at once.
const STRETCH_MS: i64 = 28 * 24 * 3_600_000;

/// Decisions and outcomes per commit.
const MOST: usize = 256;

/// How long outcomes wait for a commit of decisions to ride along with. A crash loses no more than that of them.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long the ledger is left alone before what is in the journal is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Outcomes kept while the database refuses them; beyond that they are dropped and logged.
const KEPT: usize = 16 * 1024;

/// One commit in one piece, so that it costs one hop to the connection's thread. Parameters, in this order: the standing of
/// a new subject, then JSON arrays: keys maybe unknown, with a fresh subject for each; who was written to; decisions; the run and the ids of
/// the decisions; combinations and their minutes, twice; volumes; the tool's List-Unsubscribe values; outcomes. They are not numbered, because sqlx binds
/// numbered ones to the first of several statements only.
///
/// A key that two messages bring at once gets the first one's subject, and so do both decisions.
const COMMIT: &str = "
BEGIN IMMEDIATE;
INSERT OR ROLLBACK INTO standing (key, subject, seq, state, contacted)
    SELECT unhex(value ->> 0), unhex(value ->> 1), 0, ?, '{}' FROM json_each(?) WHERE true ON CONFLICT (key) DO NOTHING;
UPDATE OR ROLLBACK standing SET contacted = json_patch(contacted, json_object(new.value ->> 1, new.value ->> 2))
    FROM json_each(?) AS new WHERE standing.key = unhex(new.value ->> 0);
INSERT OR ROLLBACK INTO decision (id, at, stream, controller, subject, class, named_topic, campaign, steps, topic, reason, folded_from, event, message, size, copy, profile, shadowed, rules, footer)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3,
           coalesce((SELECT subject FROM standing WHERE key = unhex(value ->> 4)), unhex(value ->> 5)), value ->> 6, value ->> 7,
           value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, unhex(value ->> 14), value ->> '$[15][0]', unhex(value ->> '$[15][1]'), value ->> '$[15][2]', value ->> '$[15][3]',
           unhex(value ->> '$[15][4]'), unhex(value ->> '$[15][5]')
    FROM json_each(?);
INSERT OR ROLLBACK INTO decision_of_subject (run, subject, decision)
    SELECT ?, d.subject, d.id FROM json_each(?) AS new CROSS JOIN decision AS d ON d.id = unhex(new.value);
INSERT OR ROLLBACK INTO mix (stream, controller, class, topic, campaign, reason)
    SELECT value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7 FROM json_each(?) WHERE true
    ON CONFLICT (campaign, topic, stream, reason, class, controller) DO NOTHING;
INSERT OR ROLLBACK INTO tally (hour, mix, minutes)
    SELECT value ->> 0, mix.id, value ->> 1 FROM json_each(?) CROSS JOIN mix ON stream = value ->> 2 AND controller = value ->> 3
        AND class = value ->> 4 AND topic = value ->> 5 AND campaign = value ->> 6 AND reason = value ->> 7 WHERE true
    ON CONFLICT (hour, mix) DO UPDATE SET minutes = minutes | excluded.minutes;
INSERT OR ROLLBACK INTO volume (hour, stream, controller, class, reason, number)
    SELECT value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', value ->> '$[0][3]', value ->> '$[0][4]', value ->> 1
    FROM json_each(?) WHERE true
    ON CONFLICT (hour, stream, controller, class, reason) DO UPDATE SET number = number + excluded.number;
INSERT OR ROLLBACK INTO tool_unsubscribe (decision, value) SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each(?);
INSERT OR ROLLBACK INTO outcome (decision, at, word, code, text)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4) FROM json_each(?) WHERE true
    ON CONFLICT (decision) DO NOTHING;
COMMIT;";

/// The same on PostgreSQL, where it is a function: one trip, one transaction. Parameters as there, but the last is this gateway's number.
const RECORD: &str = "SELECT record($1, $2::json, $3::json, $4::json, $5::json, $6::json, $7::json, $8::json, $9)";

/// Who waits for a decision to be durable.
type Waiting = oneshot::Sender<Result<(), StoreError>>;

/// What comes in.
pub(super) enum Line {
    Decision(Result<Box<Row>, StoreError>, Waiting),
    Outcome(DecisionId, String),
    Close(oneshot::Sender<()>),
}

/// The task that commits.
pub(super) struct Recorder {
    pub(super) lines: mpsc::UnboundedSender<Line>,
    pub(super) state: Arc<State>,
}

/// What others may know of the recorder.
#[derive(Default)]
pub(super) struct State {
    /// The last commit failed.
    pub(super) is_away: AtomicBool,
    /// Decisions in the journal.
    pub(super) waiting: AtomicU64,
}

impl Recorder {
    /// Starts the task; it shares `writer` with the other writes. Without a journal, no decision outlives a failed commit.
    pub(super) fn start(writer: Arc<Pool>, run: Run, journal: Option<Journal>) -> Self {
        let (lines, written) = mpsc::unbounded_channel();
        let state = Arc::<State>::default();
        state.waiting.store(journal.as_ref().map_or(0, Journal::waiting), Ordering::Relaxed);
        let batch = Batch {
            run,
            gateway: i64::from(u16::from_be_bytes(random())),
            journal: journal.map(|journal| Arc::new(Lock::new(journal))),
            state: Arc::clone(&state),
            ..Batch::default()
        };
        tokio::spawn(commit_all(writer, written, batch));
        Self { lines, state }
    }

    /// Ends the task after it committed what came before.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.lines.send(Line::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

/// What the next commit holds.
#[derive(Default)]
struct Batch {
    /// Each with who waits for it; nobody for those out of the journal.
    rows: Vec<(Box<Row>, Option<Waiting>)>,
    tally: Tally,
    run: Run,
    outcomes: Vec<(DecisionId, String)>,
    /// Of the decision log, that are there.
    partitions: BTreeSet<i64>,
    /// Counts in rows of its own.
    gateway: i64,
    journal: Option<Arc<Lock<Journal>>>,
    state: Arc<State>,
    /// When the outcomes shall be committed even if no decision comes.
    due: Option<Instant>,
    closing: Option<oneshot::Sender<()>>,
}

async fn commit_all(writer: Arc<Pool>, mut lines: mpsc::UnboundedReceiver<Line>, mut batch: Batch) {
    let mut again = Instant::now();
    let mut arrived = Vec::with_capacity(MOST);
    while batch.closing.is_none() {
        let due =
            if batch.state.waiting.load(Ordering::Relaxed) > 0 { Some(batch.due.map_or(again, |due| due.min(again))) } else { batch.due };
        let received = match due {
            None => Some(lines.recv_many(&mut arrived, MOST).await),
            Some(due) => tokio::time::timeout_at(due, lines.recv_many(&mut arrived, MOST)).await.ok(),
        };
        arrived.drain(..).for_each(|line| batch.add(line));
        let ends = received == Some(0);
        let is_due = ends || received.is_none() || batch.closing.is_some() || batch.outcomes.len() >= MOST;
        if !batch.rows.is_empty() || (is_due && !batch.outcomes.is_empty()) {
            let mut connection = writer.lock().await;
            // What came while another write held the connection goes along.
            while batch.rows.len() < MOST && batch.closing.is_none() {
                let Ok(line) = lines.try_recv() else { break };
                batch.add(line);
            }
            // whoever waits was told
            let _ = batch.commit(&mut connection).await;
        }
        if Instant::now() >= again && batch.state.waiting.load(Ordering::Relaxed) > 0 {
            let mut connection = writer.lock().await;
            let done = batch.catch_up(&mut connection).await.inspect_err(|error| tracing::error!(%error, "the journal stays as it is"));
            again = Instant::now() + if done.unwrap_or(false) { Duration::ZERO } else { PAUSE };
        }
        if ends {
            break;
        }
    }
    // Let go of the connection first: who waits for `closing` wants to close it.
    drop(writer);
    drop(batch.closing);
}

impl Batch {
    fn add(&mut self, line: Line) {
        match line {
            Line::Decision(Ok(row), done) => self.add_row(row, Some(done)),
            Line::Decision(Err(error), done) => drop(done.send(Err(error))),
            Line::Outcome(id, row) => {
                self.outcomes.push((id, row));
                self.due.get_or_insert_with(|| Instant::now() + PATIENCE);
            }
            Line::Close(done) => self.closing = Some(done),
        }
    }

    fn add_row(&mut self, mut row: Box<Row>, done: Option<Waiting>) {
        self.tally.add(row.id, std::mem::take(&mut row.mix));
        self.rows.push((row, done));
    }

    /// Commits all or nothing, and tells those who wait. What is plain is durable all the same: in the journal (M-60).
    async fn commit(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let result = match connection.is_shared() {
            true => repeated!(self.commit_to_server(connection)),
            false => self.commit_to_file(connection).await,
        };
        if let Err(error) = &result {
            undo(connection, error).await;
        }
        self.tally.end(result.is_ok());
        if result.is_ok() {
            self.run.add(self.rows.len());
        }
        self.tell(&result).await;
        match &result {
            Ok(()) => {
                self.outcomes.clear();
                self.due = None;
            }
            // Nobody waits for outcomes, so they are tried again.
            Err(_) if self.outcomes.len() < KEPT => self.due = (!self.outcomes.is_empty()).then(|| Instant::now() + PATIENCE),
            Err(_) => {
                tracing::error!(lost = self.outcomes.len(), "outcomes were not recorded");
                self.outcomes.clear();
                self.due = None;
            }
        }
        result
    }

    async fn commit_to_file(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let rows = || self.rows.iter().map(|(row, _)| row);
        let minutes = json(self.tally.minutes().collect::<Vec<_>>());
        query(COMMIT)
            .bind(ledger::state(&Standing::default()))
            .bind(array(rows().filter_map(|row| row.unknown.as_deref())))
            .bind(array(rows().filter_map(|row| row.contact.as_deref())))
            .bind(array(rows().map(|row| &*row.decision)))
            .bind(self.run.number)
            .bind(json(rows().map(|row| row.id.to_string()).collect::<Vec<_>>()))
            .bind(&minutes)
            .bind(&minutes)
            .bind(json(self.tally.volume().collect::<Vec<_>>()))
            .bind(array(rows().filter_map(|row| row.tool_unsubscribe.as_deref())))
            .bind(array(self.outcomes.iter().map(|(_, row)| &**row)))
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn commit_to_server(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let ids = self.rows.iter().map(|(row, _)| row.id).chain(self.outcomes.iter().map(|(id, _)| *id));
        let stretches: BTreeSet<i64> = ids.map(|id| id_ms(id) / STRETCH_MS).collect();
        for stretch in stretches {
            if !self.partitions.contains(&stretch) {
                query("SELECT make_partition($1, $2)").bind(stretch).bind(STRETCH_MS).execute(connection).await?;
                self.partitions.insert(stretch);
            }
        }
        let rows = || self.rows.iter().map(|(row, _)| row);
        query(RECORD)
            .bind(ledger::state(&Standing::default()))
            .bind(array(rows().filter_map(|row| row.unknown.as_deref())))
            .bind(array(rows().filter_map(|row| row.contact.as_deref())))
            .bind(array(rows().map(|row| &*row.decision)))
            .bind(json(self.tally.minutes().collect::<Vec<_>>()))
            .bind(json(self.tally.volume().collect::<Vec<_>>()))
            .bind(array(rows().filter_map(|row| row.tool_unsubscribe.as_deref())))
            .bind(array(self.outcomes.iter().map(|(_, row)| &**row)))
            .bind(self.gateway)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Tells each who waits what became of the decision.
    async fn tell(&mut self, result: &Result<(), StoreError>) {
        let was_away = self.state.is_away.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(_) if !was_away => tracing::error!("the ledger is away: marketing waits, plain transactional mail goes on"),
            Ok(()) if was_away => tracing::info!("the ledger is back"),
            _ => {}
        }
        let mut kept = false;
        if result.is_err() && self.rows.iter().any(|(row, done)| row.is_plain && done.is_some()) {
            let plain = self.rows.iter().filter(|(row, done)| row.is_plain && done.is_some());
            let records: Vec<String> = plain.map(|(row, _)| row.record()).collect();
            let written = self.with_journal(move |journal| journal.append(&records)).await;
            kept = written.inspect_err(|error| tracing::error!(%error, "the journal takes nothing")).is_ok();
        }
        for (row, done) in self.rows.drain(..) {
            let Some(done) = done else { continue };
            let _ = done.send(if kept && row.is_plain { Ok(()) } else { result.clone() });
        }
    }

    /// Writes what has waited longest in the journal into the ledger; true when something went.
    async fn catch_up(&mut self, connection: &mut Connection) -> Result<bool, StoreError> {
        let (records, up_to) = self.with_journal(|journal| journal.next(MOST as u64)).await?;
        let rows: Option<Vec<Box<Row>>> = records.iter().map(|record| Row::of_record(record)).collect();
        let rows = rows.ok_or(StoreError::Damaged("the journal"))?;
        let ids = json(rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>());
        // A crash after the commit leaves records that are in the ledger.
        let known: Vec<(Vec<u8>,)> = query_as(Sql {
            sqlite: "SELECT id FROM decision WHERE id IN (SELECT unhex(value) FROM json_each($1))",
            postgres: "SELECT id FROM decision WHERE id IN (SELECT decode(value, 'hex') FROM json_array_elements_text($1::json))",
        })
        .bind(ids)
        .fetch_all(connection)
        .await?;
        for row in rows {
            if !known.iter().any(|(id,)| *id == row.id.0) {
                self.add_row(row, None);
            }
        }
        if !self.rows.is_empty() {
            self.commit(connection).await?;
        }
        let number = records.len() as u64;
        self.with_journal(move |journal| journal.done(number, up_to)).await?;
        tracing::info!(number, "decisions went from the journal into the ledger");
        Ok(true)
    }

    /// On a thread that may wait for the disk.
    async fn with_journal<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let journal = self.journal.clone().ok_or(StoreError::Closed)?;
        let state = Arc::clone(&self.state);
        let work = move || {
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            let done = work(&mut journal);
            state.waiting.store(journal.waiting(), Ordering::Relaxed);
            done
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?;
        done.map_err(|source| StoreError::Journal(Arc::new(source)))
    }
}

/// Takes back what a failed commit began.
async fn undo(connection: &mut Connection, error: &StoreError) {
    tracing::error!(%error, "commit of decisions failed");
    // Fails where SQLite rolled back by itself; then there is nothing to take back.
    if !connection.is_shared() {
        let _ = query("ROLLBACK").execute(connection).await;
    }
}

fn array<'a>(rows: impl Iterator<Item = &'a str>) -> String {
    let mut array = String::from("[");
    for row in rows {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(row);
    }
    array.push(']');
    array
}
