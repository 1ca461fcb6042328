//! Recording decisions and their outcomes by group commit: what comes in while one commit syncs is the next commit.
//! A decision is durable when its [`Durable`] is ready (I1, E-13); outcomes ride along.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::column::{int, json, ms};
use super::db::{Connection, Pool, query};
use super::tally::{Mix, Run, Tally, id_ms};
use super::{Store, StoreError, ledger};
use crate::consent::{Decision, DecisionId, ProfileName, Reason, Standing};
use crate::entropy::random;
use crate::mail::{Classification, Outcome};

/// How long a partition of the decision log is on PostgreSQL: what retention drops at once.
const STRETCH_MS: i64 = 28 * 24 * 3_600_000;

/// Decisions and outcomes per commit.
const MOST: usize = 256;

/// How long outcomes wait for a commit of decisions to ride along with. A crash loses no more than that of them.
const PATIENCE: Duration = Duration::from_millis(100);

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
INSERT OR ROLLBACK INTO decision (id, at, stream, controller, subject, class, named_topic, campaign, steps, topic, reason, folded_from, event, message, size, copy, profile, shadowed)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3,
           coalesce((SELECT subject FROM standing WHERE key = unhex(value ->> 4)), unhex(value ->> 5)), value ->> 6, value ->> 7,
           value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, unhex(value ->> 14), value ->> '$[15][0]', unhex(value ->> '$[15][1]'), value ->> '$[15][2]', value ->> '$[15][3]'
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

/// Ready when the decision is durable. Dropping it does not undo the decision.
#[must_use = "the decision is durable only when this is ready"]
pub struct Durable(oneshot::Receiver<Result<(), StoreError>>);

impl Future for Durable {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is gone without an answer when the recorder is.
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

impl Store {
    /// Records a decision, and the tool's own List-Unsubscribe value that ours replaces. On an error nothing is recorded
    /// and nothing may leave (I4).
    pub fn record(&self, decision: Decision, tool_unsubscribe: Option<String>) -> Durable {
        let (done, durable) = oneshot::channel();
        let line = Line::Decision(self.row_of(decision, tool_unsubscribe), done);
        // A failed send drops `done`, which `durable` reports.
        let _ = self.inner.recorder.lines.send(line);
        Durable(durable)
    }

    /// Records what became of a decision's copy, with one of the next commits. The first outcome of a decision stays.
    pub fn settle(&self, id: DecisionId, at: Timestamp, outcome: &Outcome) {
        let (code, text) = match outcome {
            Outcome::Accept { text } => (Some(250), text),
            Outcome::Defer { code, text } | Outcome::Reject { code, text } => (Some(*code), text),
            Outcome::Unreachable { why } | Outcome::Uncertain { why } => (None, why),
        };
        let row = self.seal(&outcome_context(id), text).map(|text| json((id.to_string(), ms(at), outcome.as_str(), code, text)));
        let sent = row.and_then(|row| self.inner.recorder.lines.send(Line::Outcome(id, row)).map_err(|_| StoreError::Closed));
        if let Err(error) = sent {
            tracing::error!(decision = %id, %error, "outcome was not recorded");
        }
    }

    /// The JSON is made here, on the caller's time: the recorder is one task for all.
    fn row_of(&self, decision: Decision, tool_unsubscribe: Option<String>) -> Result<Box<Row>, StoreError> {
        // Named one by one, so that no field is forgotten.
        let Decision {
            id,
            at,
            stream,
            controller,
            recipient,
            subject,
            classification: Classification { class, topic: named_topic, campaign, steps },
            topic,
            reason,
            folded_from,
            event,
            profile,
            shadowed,
            is_contact,
            message,
            copy,
            size,
        } = decision;
        let (tool_context, plain_id) = (tool_context(id), id);
        let (id, subject) = (id.to_string(), subject.to_string());
        // A standing with events is there for good, and its subject is the one that was read.
        let unknown = (folded_from == 0).then(|| hex::encode(recipient.0));
        let steps: Vec<_> = steps.iter().map(|step| (step.trust.as_str(), step.says.as_str(), &step.why)).collect();
        let row = json((
            &id,
            ms(at),
            &stream,
            &controller,
            &unknown,
            &subject,
            class.as_str(),
            named_topic,
            &campaign,
            json(steps),
            &topic,
            reason.as_str(),
            int(folded_from),
            event.map(int),
            message.map(|key| hex::encode(key.0)),
            // a tuple of seventeen does not serialise
            (int(size), copy.map(|key| hex::encode(key.0)), profile.map(ProfileName::as_str), shadowed.map(Reason::as_str)),
        ));
        let tool_unsubscribe = tool_unsubscribe.map(|value| self.seal(&tool_context, &value)).transpose()?;
        Ok(Box::new(Row {
            contact: is_contact.then(|| json((hex::encode(recipient.0), &controller, ms(at)))),
            unknown: unknown.map(|key| json((key, subject))),
            tool_unsubscribe: tool_unsubscribe.map(|value| json((&id, value))),
            decision: row,
            id: plain_id,
            mix: Mix {
                stream,
                controller,
                class: class.as_str(),
                topic: topic.map(|topic| topic.as_str().to_owned()).unwrap_or_default(),
                campaign: campaign.unwrap_or_default(),
                reason: reason.as_str(),
            },
        }))
    }

    fn seal(&self, context: &[u8], text: &str) -> Result<String, StoreError> {
        Ok(hex::encode(self.keyring().ledger_key().seal(random(), context, text.as_bytes())))
    }
}

/// Where a sealed outcome belongs.
pub(super) fn outcome_context(id: DecisionId) -> Vec<u8> {
    [b"outcome\0", &id.0[..]].concat()
}

/// Where a sealed List-Unsubscribe value belongs.
pub(super) fn tool_context(id: DecisionId) -> Vec<u8> {
    [b"tool_unsubscribe\0", &id.0[..]].concat()
}

/// A decision as JSON arrays, ready for [`COMMIT`].
struct Row {
    id: DecisionId,
    mix: Mix,
    contact: Option<String>,
    unknown: Option<String>,
    decision: String,
    tool_unsubscribe: Option<String>,
}

enum Line {
    Decision(Result<Box<Row>, StoreError>, oneshot::Sender<Result<(), StoreError>>),
    Outcome(DecisionId, String),
    Close(oneshot::Sender<()>),
}

/// The task that commits.
pub(super) struct Recorder {
    lines: mpsc::UnboundedSender<Line>,
}

impl Recorder {
    /// Starts the task; it shares `writer` with the other writes.
    pub(super) fn start(writer: Arc<Pool>, run: Run) -> Self {
        let (lines, written) = mpsc::unbounded_channel();
        tokio::spawn(commit_all(writer, written, run));
        Self { lines }
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
    unknown: Vec<String>,
    contacts: Vec<String>,
    decisions: Vec<String>,
    ids: Vec<String>,
    /// Of decisions and outcomes, in milliseconds: which partitions they need.
    times: Vec<i64>,
    /// That are there.
    partitions: BTreeSet<i64>,
    /// Counts in rows of its own.
    gateway: i64,
    tally: Tally,
    run: Run,
    tool_unsubscribes: Vec<String>,
    waiting: Vec<oneshot::Sender<Result<(), StoreError>>>,
    outcomes: Vec<String>,
    /// When the outcomes shall be committed even if no decision comes.
    due: Option<Instant>,
    closing: Option<oneshot::Sender<()>>,
}

async fn commit_all(writer: Arc<Pool>, mut lines: mpsc::UnboundedReceiver<Line>, run: Run) {
    let mut batch = Batch { run, gateway: i64::from(u16::from_be_bytes(random())), ..Batch::default() };
    let mut arrived = Vec::with_capacity(MOST);
    while batch.closing.is_none() {
        let received = match batch.due {
            None => Some(lines.recv_many(&mut arrived, MOST).await),
            Some(due) => tokio::time::timeout_at(due, lines.recv_many(&mut arrived, MOST)).await.ok(),
        };
        arrived.drain(..).for_each(|line| batch.add(line));
        let ends = received == Some(0);
        let is_due = ends || received.is_none() || batch.closing.is_some() || batch.outcomes.len() >= MOST;
        if !batch.decisions.is_empty() || (is_due && !batch.outcomes.is_empty()) {
            let mut connection = writer.lock().await;
            // What came while another write held the connection goes along.
            while batch.decisions.len() < MOST && batch.closing.is_none() {
                let Ok(line) = lines.try_recv() else { break };
                batch.add(line);
            }
            batch.commit(&mut connection).await;
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
            Line::Decision(Ok(row), done) => {
                self.unknown.extend(row.unknown);
                self.contacts.extend(row.contact);
                self.decisions.push(row.decision);
                self.times.push(id_ms(row.id));
                self.ids.push(format!("\"{}\"", row.id));
                self.tally.add(row.id, row.mix);
                self.tool_unsubscribes.extend(row.tool_unsubscribe);
                self.waiting.push(done);
            }
            Line::Decision(Err(error), done) => drop(done.send(Err(error))),
            Line::Outcome(id, row) => {
                self.times.push(id_ms(id));
                self.outcomes.push(row);
                self.due.get_or_insert_with(|| Instant::now() + PATIENCE);
            }
            Line::Close(done) => self.closing = Some(done),
        }
    }

    /// Commits all or nothing, and tells those who wait.
    async fn commit(&mut self, connection: &mut Connection) {
        let minutes = json(self.tally.minutes().collect::<Vec<_>>());
        let written = match connection.is_shared() {
            true => self.record(connection, &minutes).await,
            false => self.commit_to_file(connection, &minutes).await,
        };
        let result = match written {
            Ok(_) => Ok(()),
            Err(error) => Err(undo(connection, error).await),
        };
        for done in self.waiting.drain(..) {
            let _ = done.send(result.clone());
        }
        self.tally.end(result.is_ok());
        if result.is_ok() {
            self.run.add(self.decisions.len());
        }
        self.unknown.clear();
        self.contacts.clear();
        self.decisions.clear();
        self.ids.clear();
        self.times.clear();
        self.tool_unsubscribes.clear();
        match result {
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
    }

    async fn commit_to_file(&self, connection: &mut Connection, minutes: &str) -> Result<(), sqlx::Error> {
        query(COMMIT)
            .bind(ledger::state(&Standing::default()))
            .bind(array(&self.unknown))
            .bind(array(&self.contacts))
            .bind(array(&self.decisions))
            .bind(self.run.number)
            .bind(array(&self.ids))
            .bind(minutes)
            .bind(minutes)
            .bind(json(self.tally.volume().collect::<Vec<_>>()))
            .bind(array(&self.tool_unsubscribes))
            .bind(array(&self.outcomes))
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    async fn record(&mut self, connection: &mut Connection, minutes: &str) -> Result<(), sqlx::Error> {
        let stretches: BTreeSet<i64> = self.times.drain(..).map(|ms| ms / STRETCH_MS).collect();
        for stretch in stretches {
            if !self.partitions.contains(&stretch) {
                query("SELECT make_partition($1, $2)").bind(stretch).bind(STRETCH_MS).execute(connection).await?;
                self.partitions.insert(stretch);
            }
        }
        query(RECORD)
            .bind(ledger::state(&Standing::default()))
            .bind(array(&self.unknown))
            .bind(array(&self.contacts))
            .bind(array(&self.decisions))
            .bind(minutes)
            .bind(json(self.tally.volume().collect::<Vec<_>>()))
            .bind(array(&self.tool_unsubscribes))
            .bind(array(&self.outcomes))
            .bind(self.gateway)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Takes back what a failed commit began.
async fn undo(connection: &mut Connection, error: sqlx::Error) -> StoreError {
    tracing::error!(%error, "commit of decisions failed");
    // Fails where SQLite rolled back by itself; then there is nothing to take back.
    if !connection.is_shared() {
        let _ = query("ROLLBACK").execute(connection).await;
    }
    error.into()
}

fn array(rows: &[String]) -> String {
    format!("[{}]", rows.join(","))
}
