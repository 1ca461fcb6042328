//! Reading decisions back. Recording them is `decision`'s business, finding them `search`'s.

use jiff::Timestamp;

use super::column::{count, octets, timestamp, topic};
use super::db::{Sql, query_as};
use super::decision::tool_context;
use super::{Store, StoreError};
use crate::consent::{CopyKey, Decision, DecisionId, LookupKey, ProfileName, Reason, SubjectId, TextVersion};
use crate::mail::{Class, Classification, Step, Trust};

/// The statement that reads rows as [`Row`] does. CROSS JOIN fixes the order: what is asked for first, then what belongs
/// to it.
macro_rules! rows {
    (@ $join:literal, $from:expr, $rest:expr) => {
        concat!(
            "SELECT d.*, s.key AS recipient, o.at AS settled_at, o.word, o.code FROM ",
            $from,
            $join,
            " standing AS s ON s.subject = d.subject LEFT JOIN outcome AS o ON o.decision = d.id ",
            $rest
        )
    };
    ($from:literal, $rest:expr) => {
        Sql { sqlite: rows!(@ " CROSS JOIN ", $from, $rest), postgres: rows!(@ " JOIN ", $from, $rest) }
    };
}
pub(super) use rows;

/// A decision as recorded, with what became of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// The decision.
    pub decision: Decision,
    /// When the outbound MTA answered, [`crate::mail::Outcome::as_str`], and its reply code. Its words stay sealed.
    pub outcome: Option<(Timestamp, String, Option<u16>)>,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Vec<u8>,
    at: i64,
    stream: String,
    controller: String,
    subject: Vec<u8>,
    recipient: Vec<u8>,
    class: String,
    named_topic: Option<String>,
    campaign: Option<String>,
    steps: String,
    topic: Option<String>,
    reason: String,
    folded_from: i64,
    event: Option<i64>,
    profile: Option<String>,
    shadowed: Option<String>,
    rules: Option<Vec<u8>>,
    footer: Option<Vec<u8>>,
    message: Option<Vec<u8>>,
    copy: Option<Vec<u8>>,
    size: i64,
    settled_at: Option<i64>,
    word: Option<String>,
    code: Option<i64>,
}

impl Store {
    /// Copies that the outbound MTA took on decisions since `since`, the newest first, at most `limit` (M-08).
    pub async fn delivered_since(&self, since: Timestamp, limit: usize) -> Result<Vec<(CopyKey, DecisionId)>, StoreError> {
        let mut reader = self.inner.admin.lock().await;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = query_as(Sql {
            sqlite: "SELECT d.copy, d.id FROM decision AS d CROSS JOIN outcome AS o ON o.decision = d.id AND o.word = 'accepted'
             WHERE d.id >= $1 AND d.copy IS NOT NULL ORDER BY d.id DESC LIMIT $2",
            postgres: "SELECT d.copy, d.id FROM decision AS d JOIN outcome AS o ON o.decision = d.id AND o.word = 'accepted'
             WHERE d.id >= $1 AND d.copy IS NOT NULL ORDER BY d.id DESC LIMIT $2",
        })
        .bind(&DecisionId::new(since, [0; 10]).0[..])
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut reader)
        .await?;
        rows.into_iter().map(|(key, id)| Ok((CopyKey(octets(&key)?), DecisionId(octets(&id)?)))).collect()
    }

    /// The decision of that id.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<DecisionRow>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let row: Option<Row> = query_as(rows!("decision AS d", "WHERE d.id = $1")).bind(&id.0[..]).fetch_optional(&mut reader).await?;
        row.map(Row::read).transpose()
    }

    /// The tool's own List-Unsubscribe value of a decision's message, opened.
    pub async fn tool_unsubscribe(&self, id: DecisionId) -> Result<Option<String>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let row: Option<(Vec<u8>,)> =
            query_as("SELECT value FROM tool_unsubscribe WHERE decision = $1").bind(&id.0[..]).fetch_optional(&mut reader).await?;
        let Some((sealed,)) = row else { return Ok(None) };
        let plain = self.keyring().ledger_key().open(&tool_context(id), &sealed);
        let value = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        value.map(Some).ok_or(StoreError::Damaged("a List-Unsubscribe value"))
    }
}

impl Row {
    pub(super) fn read(self) -> Result<DecisionRow, StoreError> {
        let outcome = match (self.settled_at, self.word) {
            (Some(at), Some(word)) => {
                Some((timestamp(at)?, word, self.code.map(u16::try_from).transpose().map_err(|_| StoreError::Damaged("a reply code"))?))
            }
            _ => None,
        };
        let decision = Decision {
            id: DecisionId(octets(&self.id)?),
            at: timestamp(self.at)?,
            stream: self.stream,
            controller: self.controller,
            recipient: LookupKey(octets(&self.recipient)?),
            subject: SubjectId(octets(&self.subject)?),
            classification: Classification {
                class: read_class(&self.class)?,
                topic: self.named_topic,
                campaign: self.campaign,
                steps: read_steps(&self.steps)?,
            },
            topic: self.topic.as_deref().map(topic).transpose()?,
            reason: read_reason(&self.reason)?,
            folded_from: count(self.folded_from)?,
            event: self.event.map(count).transpose()?,
            profile: self.profile.as_deref().map(read_profile).transpose()?,
            shadowed: self.shadowed.as_deref().map(read_reason).transpose()?,
            rules: self.rules.map(|version| octets(&version).map(TextVersion)).transpose()?,
            footer: self.footer.map(|version| octets(&version).map(TextVersion)).transpose()?,
            is_contact: false, // of the writing only
            message: self.message.map(|key| octets(&key).map(LookupKey)).transpose()?,
            copy: self.copy.map(|key| octets(&key).map(CopyKey)).transpose()?,
            size: count(self.size)?,
        };
        Ok(DecisionRow { decision, outcome })
    }
}

pub(super) fn read_class(word: &str) -> Result<Class, StoreError> {
    Class::parse(word).ok_or(StoreError::Damaged("a decision's class"))
}

fn read_profile(word: &str) -> Result<ProfileName, StoreError> {
    ProfileName::parse(word).ok_or(StoreError::Damaged("a profile"))
}

pub(super) fn read_reason(word: &str) -> Result<Reason, StoreError> {
    Reason::parse(word).ok_or(StoreError::Damaged("a decision's reason"))
}

/// The explanation of a class, as stored.
pub fn read_steps(text: &str) -> Result<Vec<Step>, StoreError> {
    let damaged = || StoreError::Damaged("a decision's explanation");
    let steps: Vec<(String, String, String)> = serde_json::from_str(text).map_err(|_| damaged())?;
    let read = |(trust, says, why): (String, String, String)| {
        Ok(Step { trust: Trust::parse(&trust).ok_or_else(damaged)?, says: read_class(&says)?, why })
    };
    steps.into_iter().map(read).collect()
}
