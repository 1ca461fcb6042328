//! What the tasks of the spool say to the database: each kind of a commit's tasks is one statement. When they are committed, and who is
//! answered what, is `writer`'s business.

use std::collections::HashSet;

use super::read::copy_id;
use super::{CopyId, Judgement, SpoolId, SpoolSize};
use crate::consent::{CopyKey, DecisionId};
use crate::store::StoreError;
use crate::store::column::{count, int, json, ms};
use crate::store::db::{Connection, Sql, query, query_as};

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
pub(super) const COPY_OCTETS: u64 = 512;

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

/// Locks the rows that tasks are about, messages before copies, each by their keys: as everybody who waits for locks here does.
pub(super) async fn lock(tx: &mut Connection, tasks: &[&Task]) -> Result<(), StoreError> {
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

/// Puts messages and their copies in; how much that is.
pub(super) async fn put_in<'a>(tx: &mut Connection, messages: impl Iterator<Item = &'a MessageRow>) -> Result<SpoolSize, StoreError> {
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

/// Writes copies anew, where their state is still the one that was seen.
pub(super) async fn change(tx: &mut Connection, tasks: &[&Task]) -> Result<(), StoreError> {
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

/// Writes an operator's word.
pub(super) async fn judge(tx: &mut Connection, copies: &[CopyId], judgement: Judgement) -> Result<(), StoreError> {
    let (statement, at) = match judgement {
        Judgement::Hold(until) => (among!("UPDATE copy SET state = 'held', next_at = $2 WHERE "), until),
        Judgement::Release(at) => (among!("UPDATE copy SET state = 'waiting', next_at = $2 WHERE state = 'held' AND "), at),
        Judgement::Retry(at) => (among!("UPDATE copy SET next_at = $2 WHERE state <> 'held' AND "), at),
    };
    query(statement).bind(ids(copies.iter())).bind(ms(at)).execute(tx).await?;
    Ok(())
}

/// Takes copies out, and messages with their last copy; which copies went.
pub(super) async fn take_out(tx: &mut Connection, tasks: &[&Task]) -> Result<(HashSet<CopyId>, SpoolSize), StoreError> {
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
