//! The decision log read in bulk, oldest first, for deciding anew: in steps, each a short read of its own, so that a gateway
//! beside it can checkpoint in between. With it comes what is known of the people, also in bulk.

use std::collections::HashMap;

use jiff::Timestamp;

use super::column::{count, json, octets, timestamp};
use super::db::{Connection, Sql, query_as};
use super::decision_log::{read_class, read_reason};
use super::look_up::contacts;
use super::stride::first_id;
use super::withdrawal::suppression;
use super::{Store, StoreError, ledger};
use crate::consent::{DecisionId, Event, Reason, Standing, SubjectId, Suppression};
use crate::mail::Class;

/// People asked for in one statement.
const PEOPLE: usize = 2_000;

/// What deciding anew needs of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDecision {
    /// Begins with its time.
    pub id: DecisionId,
    /// When.
    pub at: Timestamp,
    /// Name of the stream.
    pub stream: String,
    /// About whom.
    pub subject: SubjectId,
    /// What it counted as.
    pub class: Class,
    /// What the message or its stream named.
    pub named_topic: Option<String>,
    /// The sender's name for the campaign.
    pub campaign: Option<String>,
    /// Why it had that class, as stored.
    pub steps: String,
    /// What was said.
    pub reason: Reason,
    /// In shadow: what would have been said.
    pub shadowed: Option<Reason>,
    /// `seq` of the standing that was read; 0 also where none was asked.
    pub folded_from: u64,
}

/// What is known of a person now.
#[derive(Debug, Clone, Default)]
pub struct PastPerson {
    /// The standing, contacts included, suppressions not.
    pub standing: Standing,
    /// Suppressions, each with its time.
    pub suppressions: Vec<(Timestamp, Suppression)>,
}

/// A connection of its own, for reading only.
pub struct Past {
    connection: Connection,
}

type Row = (Vec<u8>, i64, String, Vec<u8>, String, Option<String>, Option<String>, String, String, Option<String>, i64);

type PersonRow = (Vec<u8>, i64, String, String, String);

impl Store {
    /// Opens the past; several may be open at once.
    pub async fn past(&self) -> Result<Past, StoreError> {
        let mut connection = self.inner.reader.lock().await.another().await?;
        if let Some(connection) = connection.as_sqlite() {
            sqlx::raw_sql("PRAGMA query_only = ON; PRAGMA mmap_size = 1073741824;").execute(connection).await?;
        }
        Ok(Past { connection })
    }
}

impl Past {
    /// The least id of that time.
    pub fn first(at: Timestamp) -> DecisionId {
        first_id(at)
    }

    /// Decisions from that id to before that one, oldest first, at most `limit`.
    pub async fn decisions(&mut self, from: DecisionId, to: DecisionId, limit: u32) -> Result<Vec<PastDecision>, StoreError> {
        let rows: Vec<Row> = query_as(
            "SELECT id, at, stream, subject, class, named_topic, campaign, steps, reason, shadowed, folded_from
             FROM decision WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3",
        )
        .bind(&from.0[..])
        .bind(&to.0[..])
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        rows.into_iter().map(read).collect()
    }

    /// What is known of these people now; those of whom nothing is known are not in the answer.
    pub async fn people(&mut self, subjects: &[SubjectId]) -> Result<HashMap<SubjectId, PastPerson>, StoreError> {
        let mut people = HashMap::new();
        for some in subjects.chunks(PEOPLE) {
            let rows: Vec<PersonRow> = query_as(
                Sql { sqlite: "SELECT s.subject, s.seq, s.state, s.contacted,
                     (SELECT json_group_array(json_array(controller, topic, reason, at)) FROM suppression WHERE key = s.key)
                 FROM json_each($1) AS asked CROSS JOIN standing AS s ON s.subject = unhex(asked.value)",
                postgres: "SELECT s.subject, s.seq, s.state, s.contacted,
                     (SELECT coalesce(json_agg(json_build_array(controller, topic, reason, at)), '[]')::text FROM suppression WHERE key = s.key)
                 FROM standing AS s WHERE s.subject = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($1::json)))" },
            )
            .bind(list(some))
            .fetch_all(&mut self.connection)
            .await?;
            for (subject, seq, state, contacted, suppressions) in rows {
                if seq == 0 && suppressions == "[]" && contacted == "{}" {
                    continue;
                }
                let mut standing: Standing = match seq {
                    0 => Standing::default(),
                    _ => serde_json::from_str(&state).map_err(|_| StoreError::Damaged("a standing"))?,
                };
                standing.contacted = contacts(&contacted)?;
                people.insert(SubjectId(octets(&subject)?), PastPerson { standing, suppressions: dated(&suppressions)? });
            }
        }
        Ok(people)
    }

    /// The events of these people, each in their order, without evidence.
    pub async fn events(&mut self, subjects: &[SubjectId]) -> Result<HashMap<SubjectId, Vec<Event>>, StoreError> {
        let mut people = HashMap::with_capacity(subjects.len());
        for subject in subjects {
            people.insert(*subject, ledger::events(&mut self.connection, *subject, None).await?);
        }
        Ok(people)
    }
}

fn list(subjects: &[SubjectId]) -> String {
    json(subjects.iter().map(SubjectId::to_string).collect::<Vec<_>>())
}

fn dated(suppressions: &str) -> Result<Vec<(Timestamp, Suppression)>, StoreError> {
    let rows: Vec<(String, String, String, i64)> = serde_json::from_str(suppressions).map_err(|_| StoreError::Damaged("a suppression"))?;
    rows.into_iter().map(|(controller, topic, reason, at)| Ok((timestamp(at)?, suppression(controller, &topic, &reason)?))).collect()
}

fn read(
    (id, at, stream, subject, class, named_topic, campaign, steps, reason, shadowed, folded_from): Row,
) -> Result<PastDecision, StoreError> {
    Ok(PastDecision {
        id: DecisionId(octets(&id)?),
        at: timestamp(at)?,
        stream,
        subject: SubjectId(octets(&subject)?),
        class: read_class(&class)?,
        named_topic,
        campaign,
        steps,
        reason: read_reason(&reason)?,
        shadowed: shadowed.as_deref().map(read_reason).transpose()?,
        folded_from: count(folded_from)?,
    })
}
