//! The gateway's own mails that wait for the outbound MTA, sealed. When to try again is the spooler's business.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use std::sync::Arc;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::column::{ms, octets, timestamp};
use super::ledger::{Place, context};
use super::opt_in::{NewOptIn, of_id};
use super::subject_keys::DataKeys;
use super::{Store, StoreError, begin};
use crate::consent::{Event, EventKind, Evidence, MailEvidence, OptIn, OptInId, Source, SubjectId};
use crate::entropy::random;
use crate::mail::{Address, Body, Envelope, Outcome, ReversePath};

/// Id of a spooled mail: that of the opt-in it asks to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MailId(pub [u8; 16]);

/// A mail that waits.
pub struct SpooledMail {
    /// Names it to [`Store::mail_done`] and [`Store::mail_later`].
    pub id: MailId,
    /// To whom, and where bounces go.
    pub envelope: Envelope,
    /// The message; lines end in CRLF, not dot-stuffed.
    pub message: Vec<u8>,
    /// How often it was tried before.
    pub attempts: u32,
    /// Since when it waits.
    pub queued_at: Timestamp,
}

/// What is sealed in a spool row.
#[derive(Serialize, Deserialize)]
pub(super) struct Mail {
    reverse_path: String,
    recipient: String,
    message_id: String,
    message: String,
}

type Row = (Vec<u8>, Vec<u8>, Vec<u8>, i64, i64);

impl Store {
    /// Mails whose time has come at `now`, the longest due first. A mail that was tried stays due until
    /// [`Store::mail_done`] or [`Store::mail_later`] is told.
    pub async fn due_mails(&self, now: Timestamp, limit: u32) -> Result<Vec<SpooledMail>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT s.id, o.subject, s.mail, s.queued_at, s.attempts
             FROM spool AS s JOIN opt_in AS o ON o.id = s.id WHERE s.next_at <= ?1 ORDER BY s.next_at, s.id LIMIT ?2",
        )
        .bind(ms(now))
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        drop(reader);
        let mut due = Vec::with_capacity(rows.len());
        for (id, subject, sealed, queued_at, attempts) in rows {
            let (id, subject) = (MailId(octets(&id)?), SubjectId(octets(&subject)?));
            let keys = self.inner.subject_keys.of(subject).await?;
            let Some(mail) = Mail::open(&keys, subject, id, &sealed) else {
                // One damaged row must not stop the others.
                tracing::error!(subject = %subject, "a spooled mail cannot be opened");
                continue;
            };
            due.push(mail.waiting(id, attempts, queued_at)?);
        }
        Ok(due)
    }

    /// Ends a mail: [`Outcome::Accept`] is recorded as `doi_mail_sent`, anything else as `doi_bounced`, with the MTA's
    /// words as evidence. Does nothing for a mail that was ended before.
    pub async fn mail_done(&self, id: MailId, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("DELETE FROM spool WHERE id = ?1 RETURNING mail").bind(&id.0[..]).fetch_optional(&mut *tx).await?;
        let Some((sealed,)) = row else { return Ok(()) };
        let opt_in = of_id(&mut tx, OptInId(id.0)).await?.ok_or(StoreError::Damaged("an opt-in"))?;
        let mut place = Place::of_subject(&mut tx, opt_in.subject).await?.ok_or(StoreError::Damaged("a standing"))?;
        let keys = self.inner.subject_keys.of_or_new(opt_in.subject).await?;
        let mail = Mail::open(&keys, opt_in.subject, id, &sealed).ok_or(StoreError::Damaged("a spooled mail"))?;
        let (kind, reply) = match outcome {
            Outcome::Accept { text } => (EventKind::DoiMailSent, format!("250 {text}")),
            Outcome::Reject { code, text } | Outcome::Defer { code, text } => (EventKind::DoiBounced, format!("{code} {text}")),
            Outcome::Unreachable { why } | Outcome::Uncertain { why } => (EventKind::DoiBounced, why.clone()),
        };
        let event = Event {
            seq: 0,
            at,
            kind,
            controller: opt_in.controller,
            topics: opt_in.topics,
            source: Source::Gateway,
            opt_in: Some(opt_in.id),
            answers: None,
            evidence: Some(Evidence::Mail(MailEvidence { message_id: mail.message_id.clone(), at, reply })),
        };
        place.append(&mut tx, &keys, event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts a mail off to `next` and counts the attempt.
    pub async fn mail_later(&self, id: MailId, next: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        sqlx::query("UPDATE spool SET next_at = ?2, attempts = attempts + 1 WHERE id = ?1")
            .bind(&id.0[..])
            .bind(ms(next))
            .execute(&mut *writer)
            .await?;
        Ok(())
    }

    /// Notified whenever a mail was spooled.
    pub fn spool_signal(&self) -> Arc<Notify> {
        Arc::clone(&self.inner.spooled)
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

    /// Puts it into the spool, due at once.
    pub(super) async fn spool(&self, tx: &mut SqliteConnection, keys: &DataKeys, opt_in: &OptIn) -> Result<(), StoreError> {
        let key = keys.contact.as_ref().ok_or(StoreError::Damaged("a subject's key"))?;
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(|_| StoreError::Damaged("a spooled mail"))?);
        sqlx::query("INSERT INTO spool (id, mail, queued_at, next_at, attempts) VALUES (?1, ?2, ?3, ?3, 0)")
            .bind(&opt_in.id.0[..])
            .bind(key.seal(random(), &place(opt_in.subject, MailId(opt_in.id.0)), &plain))
            .bind(ms(opt_in.requested_at))
            .execute(tx)
            .await?;
        Ok(())
    }

    fn open(keys: &DataKeys, subject: SubjectId, id: MailId, sealed: &[u8]) -> Option<Self> {
        let plain = keys.contact.as_ref()?.open(&place(subject, id), sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    fn waiting(self, id: MailId, attempts: i64, queued_at: i64) -> Result<SpooledMail, StoreError> {
        let address = |text: &str| Address::parse(text).map_err(|_| StoreError::Damaged("a spooled mail"));
        let recipient = address(&self.recipient)?;
        let reverse_path = match self.reverse_path.as_str() {
            "" => ReversePath::Null,
            text => ReversePath::Mailbox(address(text)?),
        };
        let header = self.message.split("\r\n\r\n").next().unwrap_or_default();
        Ok(SpooledMail {
            id,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            queued_at: timestamp(queued_at)?,
            envelope: Envelope {
                // RFC 6531 s.3.4: an address or a header beyond ASCII needs the extension
                smtputf8: !(self.recipient.is_ascii() && self.reverse_path.is_ascii() && header.is_ascii()),
                body: if self.message.is_ascii() { Body::SevenBit } else { Body::EightBit },
                reverse_path,
                recipient,
            },
            message: self.message.into_bytes(),
        })
    }
}

/// A spooled mail has no `seq`; its id stands in for it.
fn place(subject: SubjectId, id: MailId) -> Vec<u8> {
    [&context("spool", subject, 0)[..], &id.0[..]].concat()
}
