//! The gateway's own mails that wait for the outbound MTA, sealed. When to try again is the spooler's business.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::column::{ms, octets, timestamp};
use super::db::{Connection, Sql, query, query_as, repeated};
use super::lease::{LEASE_MS, take_letters};
use super::ledger::{Place, context};
use super::opt_in::{NewOptIn, of_id};
use super::subject_keys::DataKeys;
use super::{Store, StoreError, begin};
use crate::consent::{Event, EventKind, Evidence, MailEvidence, OptInId, Source, Stage, SubjectId};
use crate::entropy::random;
use crate::mail::{Address, Body, Envelope, Outcome, Recipient, ReversePath, Sender};

/// Id of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LetterId(pub [u8; 16]);

/// A mail that waits.
pub struct WaitingLetter {
    /// Names it to [`Store::letter_done`] and [`Store::letter_later`].
    pub id: LetterId,
    /// To whom, and where bounces go.
    pub envelope: Envelope,
    /// The message; lines end in CRLF, not dot-stuffed.
    pub message: Vec<u8>,
    /// How often it was tried before.
    pub attempts: u32,
    /// Since when it waits.
    pub queued_at: Timestamp,
}

/// What is sealed in a row.
#[derive(Serialize, Deserialize)]
pub(super) struct Mail {
    reverse_path: String,
    recipient: String,
    message_id: String,
    message: String,
}

type Row = (Vec<u8>, Vec<u8>, Vec<u8>, i64, i64);
type Ended = (Vec<u8>, Option<Vec<u8>>, Vec<u8>);

impl Store {
    /// Mails whose time has come at `now`, the longest due first. A mail that was tried stays due until
    /// [`Store::letter_done`] or [`Store::letter_later`] is told.
    pub async fn due_letters(&self, now: Timestamp, limit: u32) -> Result<Vec<WaitingLetter>, StoreError> {
        let rows: Vec<Row> = if self.inner.is_shared {
            let mut writer = self.inner.writer.lock().await;
            query_as(take_letters!()).bind(ms(now)).bind(limit).bind(&self.inner.gateway[..]).bind(LEASE_MS).fetch_all(&mut writer).await?
        } else {
            let mut reader = self.inner.reader.lock().await;
            query_as("SELECT id, subject, mail, queued_at, attempts FROM letter WHERE next_at <= $1 ORDER BY next_at, id LIMIT $2")
                .bind(ms(now))
                .bind(limit)
                .fetch_all(&mut reader)
                .await?
        };
        let mut due = Vec::with_capacity(rows.len());
        for (id, subject, sealed, queued_at, attempts) in rows {
            let (id, subject) = (LetterId(octets(&id)?), SubjectId(octets(&subject)?));
            let keys = self.inner.subject_keys.of(subject).await?;
            let Some(mail) = Mail::open(&keys, subject, id, &sealed) else {
                // One damaged row must not stop the others.
                tracing::error!(subject = %subject, "a letter cannot be opened");
                continue;
            };
            due.push(mail.waiting(id, attempts, queued_at)?);
        }
        Ok(due)
    }

    /// When the next letter comes due; now or earlier for one that is.
    pub async fn next_letter(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let (next,): (Option<i64>,) = query_as("SELECT min(next_at) FROM letter").fetch_one(&mut reader).await?;
        next.map(timestamp).transpose()
    }

    /// Ends a mail. For a confirmation mail [`Outcome::Accept`] is recorded as `doi_mail_sent`, anything else as
    /// `doi_bounced`, with the MTA's words as evidence. Does nothing for a mail that was ended before.
    pub async fn letter_done(&self, id: LetterId, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        repeated!(self.letter_done_once(id, at, outcome))
    }

    async fn letter_done_once(&self, id: LetterId, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if tx.is_shared() {
            // The person's row first, as everybody does: who waits for each other in a ring is refused.
            let lock = "SELECT 1 FROM standing WHERE subject = (SELECT subject FROM letter WHERE id = $1) FOR UPDATE";
            query_as::<(i32,)>(lock).bind(&id.0[..]).fetch_optional(&mut tx).await?;
        }
        let row: Option<Ended> =
            query_as("DELETE FROM letter WHERE id = $1 RETURNING subject, opt_in, mail").bind(&id.0[..]).fetch_optional(&mut tx).await?;
        let Some((subject, opt_in, sealed)) = row else { return Ok(()) };
        if let Some(opt_in) = opt_in {
            let opt_in = of_id(&mut tx, OptInId(octets(&opt_in)?)).await?.ok_or(StoreError::Damaged("an opt-in"))?;
            let mut place = Place::of_subject(&mut tx, opt_in.subject).await?.ok_or(StoreError::Damaged("a standing"))?;
            let keys = self.keys_of(&mut tx, &place).await?;
            let mail = Mail::open(&keys, SubjectId(octets(&subject)?), id, &sealed).ok_or(StoreError::Damaged("a letter"))?;
            let (kind, reply) = match outcome {
                Outcome::Accept { text } => (EventKind::DoiMailSent, format!("250 {text}")),
                Outcome::Reject { code, text } | Outcome::Defer { code, text } => (EventKind::DoiBounced, format!("{code} {text}")),
                Outcome::Unreachable { why } | Outcome::Uncertain { why } => (EventKind::DoiBounced, why.clone()),
            };
            let event = Event {
                opt_in: Some(opt_in.id),
                evidence: Some(Evidence::Mail(MailEvidence { message_id: mail.message_id, at, reply })),
                ..Event::new(kind, opt_in.controller, opt_in.topics, Source::Gateway, at)
            };
            place.append(&mut tx, &keys, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Records that the mail of an opt-in came back after the outbound MTA had taken it, as [`EventKind::DoiBounced`]. False,
    /// and nothing is recorded, for an unknown or confirmed opt-in, and when it is on record.
    pub async fn mail_bounced(&self, id: OptInId, evidence: MailEvidence) -> Result<bool, StoreError> {
        repeated!(self.mail_bounced_once(id, evidence.clone()))
    }

    async fn mail_bounced_once(&self, id: OptInId, evidence: MailEvidence) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some(opt_in) = of_id(&mut tx, id).await?.filter(|opt_in| opt_in.stage == Stage::Pending) else { return Ok(false) };
        let mut place = Place::of_subject(&mut tx, opt_in.subject).await?.ok_or(StoreError::Damaged("a standing"))?;
        let known: Option<(i32,)> = query_as("SELECT 1 FROM event WHERE subject = $1 AND opt_in = $2 AND kind = 'doi_bounced' LIMIT 1")
            .bind(&opt_in.subject.0[..])
            .bind(&id.0[..])
            .fetch_optional(&mut tx)
            .await?;
        if known.is_some() {
            return Ok(false);
        }
        let keys = self.keys_of(&mut tx, &place).await?;
        let at = evidence.at;
        let event = Event {
            opt_in: Some(opt_in.id),
            evidence: Some(Evidence::Mail(evidence)),
            ..Event::new(EventKind::DoiBounced, opt_in.controller, opt_in.topics, Source::Mail, at)
        };
        place.append(&mut tx, &keys, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts a mail off to `next` and counts the attempt.
    pub async fn letter_later(&self, id: LetterId, next: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        query(Sql {
            sqlite: "UPDATE letter SET next_at = $2, attempts = attempts + 1 WHERE id = $1",
            postgres: "UPDATE letter SET next_at = $2, attempts = attempts + 1, lease_owner = NULL, lease_until = 0 WHERE id = $1",
        })
        .bind(&id.0[..])
        .bind(ms(next))
        .execute(&mut writer)
        .await?;
        Ok(())
    }

    /// Notified whenever a letter was posted.
    pub fn letter_signal(&self) -> Arc<Notify> {
        Arc::clone(&self.inner.letters)
    }
}

impl Mail {
    /// The mail that asks for the confirmation of a sign-up.
    pub(super) fn confirmation(sign_up: &NewOptIn) -> Self {
        Self {
            reverse_path: sign_up.reverse_path.as_str().to_owned(),
            recipient: sign_up.address.as_str().to_owned(),
            message_id: sign_up.evidence.message_id.clone(),
            message: sign_up.evidence.mail.clone(),
        }
    }

    /// A mail whose fate is no evidence.
    pub(super) fn plain(reverse_path: &ReversePath, recipient: &Address, message_id: String, message: String) -> Self {
        Self { reverse_path: reverse_path.as_str().to_owned(), recipient: recipient.as_str().to_owned(), message_id, message }
    }

    /// Posts it, due at once.
    pub(super) async fn post(
        &self,
        tx: &mut Connection,
        keys: &DataKeys,
        id: LetterId,
        subject: SubjectId,
        opt_in: Option<OptInId>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = keys.contact.as_ref().ok_or(StoreError::Damaged("a subject's key"))?;
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(|_| StoreError::Damaged("a letter"))?);
        query("INSERT INTO letter (id, subject, opt_in, mail, queued_at, next_at, attempts) VALUES ($1, $2, $3, $4, $5, $5, 0)")
            .bind(&id.0[..])
            .bind(&subject.0[..])
            .bind(opt_in.map(|id| id.0.to_vec()))
            .bind(key.seal(random(), &place(subject, id), &plain))
            .bind(ms(at))
            .execute(tx)
            .await?;
        Ok(())
    }

    fn open(keys: &DataKeys, subject: SubjectId, id: LetterId, sealed: &[u8]) -> Option<Self> {
        let plain = keys.contact.as_ref()?.open(&place(subject, id), sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    fn waiting(self, id: LetterId, attempts: i64, queued_at: i64) -> Result<WaitingLetter, StoreError> {
        let address = |text: &str| Address::parse(text).map_err(|_| StoreError::Damaged("a letter"));
        let recipient = address(&self.recipient)?;
        let reverse_path = match self.reverse_path.as_str() {
            "" => ReversePath::Null,
            text => ReversePath::Mailbox(address(text)?),
        };
        let header = self.message.split("\r\n\r\n").next().unwrap_or_default();
        Ok(WaitingLetter {
            id,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            queued_at: timestamp(queued_at)?,
            envelope: Envelope {
                sender: Sender {
                    // RFC 6531 s.3.4: an address or a header beyond ASCII needs the extension
                    smtputf8: !(self.recipient.is_ascii() && self.reverse_path.is_ascii() && header.is_ascii()),
                    body: if self.message.is_ascii() { Body::SevenBit } else { Body::EightBit },
                    ..Sender::new(reverse_path)
                },
                recipient: Recipient::new(recipient),
            },
            message: self.message.into_bytes(),
        })
    }
}

/// A spooled mail has no `seq`; its id stands in for it.
fn place(subject: SubjectId, id: LetterId) -> Vec<u8> {
    [&context("spool", subject, 0)[..], &id.0[..]].concat()
}
