//! The hot look-up: what is asked at the same time is answered by one statement. Caches nothing: a withdrawal acts on
//! every look-up that begins after its answer (I3).

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::column::{json, octets, timestamp};
use super::db::{Connection, Sql, query_as};
use super::withdrawal::suppression;
use super::{Store, StoreError};
use crate::consent::{LookupKey, Standing, SubjectId};

/// Keys per statement. What is more waits for the next, which is not long.
const MOST: usize = 64;

type Found = Option<(SubjectId, Standing)>;

enum Question {
    Standing(LookupKey, oneshot::Sender<Result<Found, StoreError>>),
    Close(oneshot::Sender<()>),
}

/// The task that answers look-ups.
pub(super) struct LookUps {
    questions: mpsc::UnboundedSender<Question>,
}

type Row = (Vec<u8>, Vec<u8>, i64, String, String, String);

impl Store {
    /// The subject of a key and its standing, suppressions included; `None` for a key never seen. Errors mean the ledger
    /// cannot be asked: defer (I4).
    pub async fn standing(&self, key: LookupKey) -> Result<Option<(SubjectId, Standing)>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.inner.look_ups.questions.send(Question::Standing(key, answer)).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl LookUps {
    /// Starts the task on its own connection.
    pub(super) fn start(connection: Connection) -> Self {
        let (questions, asked) = mpsc::unbounded_channel();
        tokio::spawn(answer_all(connection, asked));
        Self { questions }
    }

    /// Ends the task after what was asked before.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.questions.send(Question::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

/// While one statement runs, the next questions gather: under load the batches grow by themselves, without it nobody
/// waits.
async fn answer_all(mut connection: Connection, mut asked: mpsc::UnboundedReceiver<Question>) {
    let mut questions = Vec::with_capacity(MOST);
    let mut closing = None;
    while closing.is_none() && asked.recv_many(&mut questions, MOST).await > 0 {
        let (mut keys, mut answers) = (Vec::with_capacity(questions.len()), Vec::with_capacity(questions.len()));
        for question in questions.drain(..) {
            match question {
                Question::Standing(key, answer) => {
                    keys.push(key);
                    answers.push(answer);
                }
                Question::Close(done) => closing = Some(done),
            }
        }
        match find(&mut connection, &keys).await {
            Ok(mut found) => {
                // Cloned, because two messages to one person may be in one batch.
                let last = keys.len().saturating_sub(1);
                for (n, (key, answer)) in keys.iter().zip(answers).enumerate() {
                    let found = if n == last { found.remove(key) } else { found.get(key).cloned() };
                    let _ = answer.send(Ok(found));
                }
            }
            Err(error) => {
                tracing::error!(%error, waiting = answers.len(), "look-up failed");
                answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone()))));
            }
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "look-up connection was not closed cleanly");
    }
    drop(closing);
}

async fn find(connection: &mut Connection, keys: &[LookupKey]) -> Result<HashMap<LookupKey, (SubjectId, Standing)>, StoreError> {
    let rows: Vec<Row> = match keys {
        [] => return Ok(HashMap::new()),
        [key] => {
            query_as(Sql {
                sqlite: "SELECT s.key, s.subject, s.seq, s.state, s.contacted,
                     (SELECT json_group_array(json_array(controller, topic, reason)) FROM suppression WHERE key = s.key)
                 FROM standing AS s WHERE s.key = $1",
                postgres: "SELECT s.key, s.subject, s.seq, s.state, s.contacted,
                     (SELECT coalesce(json_agg(json_build_array(controller, topic, reason)), '[]')::text FROM suppression WHERE key = s.key)
                 FROM standing AS s WHERE s.key = $1",
            })
            .bind(&key.0[..])
            .fetch_all(connection)
            .await?
        }
        // CROSS JOIN fixes the order: one search by key for each element, never a scan of the table
        keys => {
            query_as(Sql {
                sqlite: "SELECT s.key, s.subject, s.seq, s.state, s.contacted,
                     (SELECT json_group_array(json_array(controller, topic, reason)) FROM suppression WHERE key = s.key)
                 FROM json_each($1) AS asked CROSS JOIN standing AS s ON s.key = unhex(asked.value)",
                postgres: "SELECT s.key, s.subject, s.seq, s.state, s.contacted,
                     (SELECT coalesce(json_agg(json_build_array(controller, topic, reason)), '[]')::text FROM suppression WHERE key = s.key)
                 FROM standing AS s WHERE s.key = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($1::json)))",
            })
            .bind(json(keys.iter().map(|key| hex::encode(key.0)).collect::<Vec<_>>()))
            .fetch_all(connection)
            .await?
        }
    };
    rows.into_iter().map(read).collect()
}

fn read((key, subject, seq, state, contacted, suppressions): Row) -> Result<(LookupKey, (SubjectId, Standing)), StoreError> {
    let mut standing = match seq {
        0 => Standing::default(),
        _ => serde_json::from_str(&state).map_err(|_| StoreError::Damaged("a standing"))?,
    };
    standing.contacted = contacts(&contacted)?;
    if suppressions != "[]" {
        let rows: Vec<(String, String, String)> = serde_json::from_str(&suppressions).map_err(|_| StoreError::Damaged("a suppression"))?;
        let rows = rows.into_iter().map(|(controller, topic, reason)| suppression(controller, &topic, &reason));
        standing.suppressions = rows.collect::<Result<_, _>>()?;
    }
    Ok((LookupKey(octets(&key)?), (SubjectId(octets(&subject)?), standing)))
}

/// When each controller last sent advertising, as stored.
pub(super) fn contacts(stored: &str) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    if stored == "{}" {
        return Ok(BTreeMap::new());
    }
    let times: HashMap<String, i64> = serde_json::from_str(stored).map_err(|_| StoreError::Damaged("a contact"))?;
    times.into_iter().map(|(controller, at)| Ok((controller, timestamp(at)?))).collect()
}
