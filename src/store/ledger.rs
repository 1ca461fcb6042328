//! Appending events and reading them back. The subject's next number, its event and its projection are one
//! transaction, so that no two writers can lose a withdrawal (DESIGN.md section 5).

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::column::{count, int, json, ms, octets, timestamp, topics, topics_text, whole_ms};
use super::db::{Connection, Sql, query, query_as};
use super::subject_keys::DataKeys;
use super::text_version::{keep_all, restore_all};
use super::{Store, StoreError, event_tally};
use crate::consent::{Channel, Event, EventKind, Evidence, LookupKey, OptInId, Source, Standing, SubjectId};
use crate::crypto::DataKey;
use crate::entropy::random;
use crate::mail::Address;

/// A subject as the transaction that appends to it sees it.
pub(super) struct Place {
    pub(super) key: LookupKey,
    pub(super) subject: SubjectId,
    pub(super) standing: Standing,
}

type PlaceRow = (Vec<u8>, Vec<u8>, String);

#[derive(sqlx::FromRow)]
struct EventRow {
    seq: i64,
    at: i64,
    kind: String,
    controller: String,
    channel: String,
    topics: String,
    source: String,
    opt_in: Option<Vec<u8>>,
    answers: Option<i64>,
    ends: Option<i64>,
    fact: Option<String>,
    evidence: Option<Vec<u8>>,
}

impl Store {
    /// A subject's events in their order, with their evidence opened. Evidence whose key was destroyed is `None`.
    pub async fn events(&self, subject: SubjectId) -> Result<Vec<Event>, StoreError> {
        let keys = self.inner.subject_keys.of(subject).await?;
        let mut reader = self.inner.reader.lock().await;
        events(&mut reader, subject, Some(&keys)).await
    }

    /// A subject's events in their order, without their evidence: what is damaged or sealed there stops nobody who only
    /// asks what happened.
    pub async fn timeline(&self, subject: SubjectId) -> Result<Vec<Event>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        events(&mut reader, subject, None).await
    }

    /// A subject's standing, without its suppressions; `None` for an unknown subject. Deciding reads go by the address.
    pub async fn standing_of(&self, subject: SubjectId) -> Result<Option<Standing>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        Ok(Place::as_it_is(&mut reader, subject).await?.map(|place| place.standing))
    }

    /// A subject's address as typed; `None` when nobody gave one, or its key was destroyed.
    pub async fn address(&self, subject: SubjectId) -> Result<Option<Address>, StoreError> {
        let Some(contact) = self.inner.subject_keys.of(subject).await?.contact else { return Ok(None) };
        let mut reader = self.inner.reader.lock().await;
        let row: Option<(Vec<u8>,)> =
            query_as("SELECT address FROM subject WHERE id = $1").bind(&subject.0[..]).fetch_optional(&mut reader).await?;
        let Some((sealed,)) = row else { return Ok(None) };
        let plain = contact.open(&context("subject", subject, 0), &sealed);
        let address = plain.and_then(|plain| Address::parse(std::str::from_utf8(&plain).ok()?).ok());
        address.map(Some).ok_or(StoreError::Damaged("an address"))
    }
}

impl Place {
    /// The subject of that key, locked until the transaction ends.
    pub(super) async fn of_key(tx: &mut Connection, key: LookupKey) -> Result<Option<Self>, StoreError> {
        let row = query_as(Sql {
            sqlite: "SELECT key, subject, state FROM standing WHERE key = $1",
            postgres: "SELECT key, subject, state FROM standing WHERE key = $1 FOR UPDATE",
        });
        row.bind(&key.0[..]).fetch_optional(tx).await?.map(Self::read).transpose()
    }

    /// The subject of that id, locked until the transaction ends.
    pub(super) async fn of_subject(tx: &mut Connection, subject: SubjectId) -> Result<Option<Self>, StoreError> {
        let row = query_as(Sql {
            sqlite: "SELECT key, subject, state FROM standing WHERE subject = $1",
            postgres: "SELECT key, subject, state FROM standing WHERE subject = $1 FOR UPDATE",
        });
        row.bind(&subject.0[..]).fetch_optional(tx).await?.map(Self::read).transpose()
    }

    /// The subject of that id for reading only.
    pub(super) async fn as_it_is(reader: &mut Connection, subject: SubjectId) -> Result<Option<Self>, StoreError> {
        let row = query_as("SELECT key, subject, state FROM standing WHERE subject = $1");
        row.bind(&subject.0[..]).fetch_optional(reader).await?.map(Self::read).transpose()
    }

    /// A new subject for that key; the one that is there when another gateway was quicker.
    pub(super) async fn new(tx: &mut Connection, key: LookupKey) -> Result<Self, StoreError> {
        query("INSERT INTO standing (key, subject, seq, state, contacted) VALUES ($1, $2, 0, $3, '{}') ON CONFLICT (key) DO NOTHING")
            .bind(&key.0[..])
            .bind(random::<16>().to_vec())
            .bind(state(&Standing::default()))
            .execute(tx)
            .await?;
        Self::of_key(tx, key).await?.ok_or(StoreError::Damaged("a standing"))
    }

    fn read((key, subject, state): PlaceRow) -> Result<Self, StoreError> {
        let standing = serde_json::from_str(&state).map_err(|_| StoreError::Damaged("a standing"))?;
        Ok(Self { key: LookupKey(octets(&key)?), subject: SubjectId(octets(&subject)?), standing })
    }

    /// Appends `event` as the subject's next one, whatever its `seq`; returns the `seq` it got.
    pub(super) async fn append(&mut self, tx: &mut Connection, keys: &DataKeys, mut event: Event) -> Result<u64, StoreError> {
        event.seq = self.standing.seq + 1;
        event.at = whole_ms(event.at);
        event.until = event.until.map(whole_ms);
        if let Some(fact) = &mut event.fact {
            fact.occurred = fact.occurred.map(whole_ms);
        }
        if let Some(evidence) = &mut event.evidence {
            keep_all(tx, evidence).await?;
        }
        query(
            "INSERT INTO event (subject, seq, at, kind, controller, channel, topics, source, opt_in, answers, ends, fact, evidence)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(&self.subject.0[..])
        .bind(int(event.seq))
        .bind(ms(event.at))
        .bind(event.kind.as_str())
        .bind(&event.controller)
        .bind(event.channel.as_str())
        .bind(topics_text(&event.topics))
        .bind(event.source.as_str())
        .bind(event.opt_in.map(|id| id.0.to_vec()))
        .bind(event.answers.map(int))
        .bind(event.until.map(ms))
        .bind(event.fact.as_ref().map(json))
        .bind(self.seal_evidence(keys, &event)?)
        .execute(&mut *tx)
        .await?;
        event_tally::count_in(tx, self.subject, &event).await?;
        self.standing = std::mem::take(&mut self.standing).with(&event);
        save(tx, self.subject, &self.standing).await?;
        Ok(event.seq)
    }

    fn seal_evidence(&self, keys: &DataKeys, event: &Event) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(evidence) = &event.evidence else { return Ok(None) };
        let key = keys.evidence.as_ref().ok_or(StoreError::Damaged("a subject's key"))?;
        let plain = Zeroizing::new(serde_json::to_vec(evidence).map_err(|_| StoreError::Damaged("evidence"))?);
        Ok(Some(key.seal(random(), &context("event", self.subject, event.seq), &plain)))
    }

    /// Keeps the address as typed, sealed, where there is none yet: whoever signs up has not proven to read that mailbox,
    /// and their spelling must not take the place of one that did (S0-15).
    pub(super) async fn keep_first_address(
        &self,
        tx: &mut Connection,
        keys: &DataKeys,
        address: &Address,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // A crash in the middle of an erasure leaves one that nobody can read: it is none.
        let there: Option<(Vec<u8>,)> =
            query_as("SELECT address FROM subject WHERE id = $1").bind(&self.subject.0[..]).fetch_optional(&mut *tx).await?;
        let opens =
            |sealed: &[u8]| keys.contact.as_ref().is_some_and(|key| key.open(&context("subject", self.subject, 0), sealed).is_some());
        if there.is_some_and(|(sealed,)| opens(&sealed)) {
            return Ok(());
        }
        query(
            "INSERT INTO subject (id, address, created) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET address = excluded.address, created = excluded.created",
        )
        .bind(&self.subject.0[..])
        .bind(self.seal_address(keys, address)?)
        .bind(ms(at))
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Keeps the address that the request of that `seq` was confirmed from: its mailbox is proven to be the person's.
    pub(super) async fn keep_proven_address(&self, tx: &mut Connection, keys: &DataKeys, request: u64) -> Result<(), StoreError> {
        let address = match evidence(tx, self.subject, keys, request).await? {
            Some(Evidence::Request(asked)) => Address::parse(&asked.address).map_err(|_| StoreError::Damaged("an address"))?,
            _ => return Err(StoreError::Damaged("evidence")),
        };
        self.respell(tx, keys, &address).await
    }

    /// Keeps another spelling of the same address, where there is one.
    pub(super) async fn respell(&self, tx: &mut Connection, keys: &DataKeys, address: &Address) -> Result<(), StoreError> {
        query("UPDATE subject SET address = $2 WHERE id = $1")
            .bind(&self.subject.0[..])
            .bind(self.seal_address(keys, address)?)
            .execute(tx)
            .await?;
        Ok(())
    }

    fn seal_address(&self, keys: &DataKeys, address: &Address) -> Result<Vec<u8>, StoreError> {
        let key = keys.contact.as_ref().ok_or(StoreError::Damaged("a subject's key"))?;
        Ok(key.seal(random(), &context("subject", self.subject, 0), address.as_str().as_bytes()))
    }
}

/// Writes the projection of a subject.
pub(super) async fn save(tx: &mut Connection, subject: SubjectId, standing: &Standing) -> Result<(), StoreError> {
    query("UPDATE standing SET seq = $2, state = $3 WHERE subject = $1")
        .bind(&subject.0[..])
        .bind(int(standing.seq))
        .bind(state(standing))
        .execute(tx)
        .await?;
    Ok(())
}

/// A standing as it is stored.
pub(super) fn state(standing: &Standing) -> String {
    serde_json::to_string(standing).expect("a standing has text keys only")
}

/// Reads a subject's events; evidence only where keys are given. Evidence whose key was destroyed is `None`.
pub(super) async fn events(connection: &mut Connection, subject: SubjectId, keys: Option<&DataKeys>) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<EventRow> = query_as(
        "SELECT seq, at, kind, controller, channel, topics, source, opt_in, answers, ends, fact, CASE WHEN $2 THEN evidence END AS evidence
         FROM event WHERE subject = $1 ORDER BY seq",
    )
    .bind(&subject.0[..])
    .bind(keys.is_some())
    .fetch_all(&mut *connection)
    .await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let seq = count(row.seq)?;
        let key = keys.and_then(|keys| keys.evidence_of(seq));
        let evidence = match (key, row.evidence) {
            (Some(key), Some(sealed)) => Some(open_evidence(connection, key, &context("event", subject, seq), &sealed).await?),
            _ => None,
        };
        events.push(Event {
            seq,
            at: timestamp(row.at)?,
            kind: EventKind::parse(&row.kind).ok_or(StoreError::Damaged("an event's kind"))?,
            controller: row.controller,
            channel: Channel::parse(&row.channel).ok_or(StoreError::Damaged("an event's channel"))?,
            topics: topics(&row.topics)?,
            source: Source::parse(&row.source).ok_or(StoreError::Damaged("an event's source"))?,
            opt_in: row.opt_in.map(|id| octets(&id).map(OptInId)).transpose()?,
            answers: row.answers.map(count).transpose()?,
            until: row.ends.map(timestamp).transpose()?,
            fact: row.fact.map(|fact| serde_json::from_str(&fact)).transpose().map_err(|_| StoreError::Damaged("a fact"))?,
            evidence,
        });
    }
    Ok(events)
}

/// The evidence of one event; `None` where it has none or its key was destroyed.
async fn evidence(connection: &mut Connection, subject: SubjectId, keys: &DataKeys, seq: u64) -> Result<Option<Evidence>, StoreError> {
    let row: Option<(Option<Vec<u8>>,)> = query_as("SELECT evidence FROM event WHERE subject = $1 AND seq = $2")
        .bind(&subject.0[..])
        .bind(int(seq))
        .fetch_optional(&mut *connection)
        .await?;
    match (keys.evidence_of(seq), row.and_then(|(sealed,)| sealed)) {
        (Some(key), Some(sealed)) => Ok(Some(open_evidence(connection, key, &context("event", subject, seq), &sealed).await?)),
        _ => Ok(None),
    }
}

async fn open_evidence(connection: &mut Connection, key: &DataKey, context: &[u8], sealed: &[u8]) -> Result<Evidence, StoreError> {
    let plain = key.open(context, sealed).ok_or(StoreError::Damaged("evidence"))?;
    let mut evidence = serde_json::from_slice(&plain).map_err(|_| StoreError::Damaged("evidence"))?;
    restore_all(connection, &mut evidence).await?;
    Ok(evidence)
}

/// Where a sealed value belongs: it opens in that place only.
pub(super) fn context(table: &str, subject: SubjectId, seq: u64) -> Vec<u8> {
    [table.as_bytes(), b"\0", &subject.0[..], &seq.to_be_bytes()].concat()
}
