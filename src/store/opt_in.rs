//! The double opt-in on disk: a request and its confirmation mail commit together, a confirmation counts once.
//! What makes an opt-in confirmable is `consent`'s business.

use jiff::{SignedDuration, Timestamp};

use super::column::{count, int, ms, octets, timestamp, topics, topics_text, whole_ms};
use super::db::{Connection, query, query_as, repeated};
use super::ledger::Place;
use super::letter::{LetterId, Mail};
use super::limit::{Limit, is_too_soon};
use super::withdrawal::lift;
use super::{Store, StoreError, begin};
use crate::consent::{
    Channel, ConfirmationEvidence, Event, EventKind, Evidence, Language, LookupKey, OptIn, OptInError, OptInId, RequestEvidence, Source,
    Stage, SubjectId, Topic, TopicStanding,
};
use crate::mail::{Address, ReversePath};

/// A sign-up to be recorded.
#[derive(Clone)]
pub struct NewOptIn {
    /// The address's look-up key.
    pub key: LookupKey,
    /// Ties its events together; a fresh random one.
    pub id: OptInId,
    /// The address as typed.
    pub address: Address,
    /// Key of the controller that is asked.
    pub controller: String,
    /// What for; at least one.
    pub topics: Vec<Topic>,
    /// True when the person agreed to being measured, too, beside it (L-TRK-06).
    pub tracking: bool,
    /// Through which door it came.
    pub source: Source,
    /// `Keyring::secret_key` of the confirmation token.
    pub token: [u8; 32],
    /// When it was asked for.
    pub at: Timestamp,
    /// The proof. Its `mail` is what is sent to `address`; the store sets its `text_version`.
    pub evidence: RequestEvidence,
    /// Where bounces of the confirmation mail go.
    pub reverse_path: ReversePath,
}

/// The answer to a sign-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestAnswer {
    /// Event and mail are durable.
    Committed,
    /// Nothing was recorded: the address had its share of mails (L-DOI-05).
    TooSoon,
}

/// The answer to a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Consent is recorded.
    Done,
    /// It was confirmed before; nothing changed.
    Repeated,
    /// The link is too old (L-DOI-04).
    Expired,
    /// The person withdrew or objected after asking.
    Voided,
    /// No such opt-in.
    Unknown,
}

/// L-DOI-05, for sign-ups.
const LIMITS: [Limit; 2] = [(1, SignedDuration::from_hours(24)), (3, SignedDuration::from_hours(30 * 24))];
const COUNTED: &str = "SELECT count(*) FROM opt_in WHERE subject = $1 AND controller = $2 AND requested_at > $3";

/// L-DOI-05, for taking back what was stopped by the link of a mail, be it minutes after the sign-up: only the mailbox that
/// got that mail can be meant, so what strangers typed into forms does not count.
const UNDO_LIMITS: [Limit; 2] = [(1, SignedDuration::from_hours(1)), (3, SignedDuration::from_hours(30 * 24))];
const UNDOS_COUNTED: &str = "SELECT count(*) FROM opt_in AS o JOIN event AS e ON e.subject = o.subject AND e.seq = o.requested_seq
     WHERE o.subject = $1 AND o.controller = $2 AND o.requested_at > $3 AND e.source = 'page'";

type Row = (Vec<u8>, Vec<u8>, String, String, i64, i64, Option<i64>, String, String);

impl Store {
    /// Records a sign-up: the event, the opt-in and the mail that asks for the confirmation, together or not at all.
    pub async fn request(&self, sign_up: NewOptIn) -> Result<RequestAnswer, StoreError> {
        repeated!(self.request_once(sign_up.clone()))
    }

    async fn request_once(&self, sign_up: NewOptIn) -> Result<RequestAnswer, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let mut place = match Place::of_key(&mut tx, sign_up.key).await? {
            Some(place) => place,
            None => Place::new(&mut tx, sign_up.key).await?,
        };
        let (counted, limits) = if sign_up.source == Source::Page { (UNDOS_COUNTED, UNDO_LIMITS) } else { (COUNTED, LIMITS) };
        if is_too_soon(&mut tx, counted, &limits, place.subject, &sign_up.controller, sign_up.at).await? {
            return Ok(RequestAnswer::TooSoon);
        }
        let keys = self.keys_of(&mut tx, &place).await?;
        place.keep_first_address(&mut tx, &keys, &sign_up.address, sign_up.at).await?;

        let id = sign_up.id;
        let language = sign_up.evidence.language;
        let mail = Mail::confirmation(&sign_up);
        let controller = sign_up.controller;
        let event = Event {
            opt_in: Some(id),
            evidence: Some(Evidence::Request(Box::new(sign_up.evidence))),
            ..Event::new(EventKind::Requested, &controller, sign_up.topics.clone(), sign_up.source, sign_up.at)
        };
        let requested = place.append(&mut tx, &keys, event).await?;
        let tracking = match sign_up.tracking {
            true => {
                let event = Event::new(EventKind::Requested, &controller, vec![], sign_up.source, sign_up.at);
                Some(place.append(&mut tx, &keys, Event { channel: Channel::Tracking, opt_in: Some(id), ..event }).await?)
            }
            false => None,
        };
        let opt_in = OptIn {
            id,
            subject: place.subject,
            controller,
            topics: sign_up.topics,
            requested,
            requested_at: sign_up.at,
            tracking,
            stage: Stage::Pending,
        };
        insert(&mut tx, &sign_up.token, &opt_in, language).await?;
        mail.post(&mut tx, &keys, LetterId(id.0), place.subject, Some(id), sign_up.at).await?;
        tx.commit().await?;
        self.inner.letters.notify_one();
        Ok(RequestAnswer::Committed)
    }

    /// The opt-in of that token (`Keyring::secret_key` of its octets), with the language of its sign-up form.
    pub async fn opt_in(&self, token: &[u8; 32]) -> Result<Option<(OptIn, Language)>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        of_token(&mut reader, token).await
    }

    /// True when the person has said no since: to any topic of an opt-in that waits; when a confirmed one is in force for
    /// no topic any more.
    pub async fn is_refused(&self, opt_in: &OptIn) -> Result<bool, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let place = Place::as_it_is(&mut reader, opt_in.subject).await?.ok_or(StoreError::Damaged("a standing"))?;
        let refused = |topic| place.standing.refused_since(opt_in.requested, &opt_in.controller, topic);
        Ok(match opt_in.stage {
            Stage::Pending => opt_in.topics.iter().any(refused),
            Stage::Confirmed => {
                !opt_in.topics.iter().any(|topic| matches!(place.standing.of(&opt_in.controller, topic), TopicStanding::Given(_)))
            }
        })
    }

    /// Confirms the opt-in of that token: consent, from now on (GDPR Art. 4(11)). Suppressions that stand against it are
    /// lifted with it (L-OBJ-05).
    pub async fn confirm(&self, token: &[u8; 32], at: Timestamp, evidence: ConfirmationEvidence) -> Result<Confirmation, StoreError> {
        repeated!(self.confirm_once(token, at, evidence.clone()))
    }

    async fn confirm_once(&self, token: &[u8; 32], at: Timestamp, evidence: ConfirmationEvidence) -> Result<Confirmation, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some((opt_in, _)) = of_token_locked(&mut tx, token).await? else { return Ok(Confirmation::Unknown) };
        let mut place = Place::of_subject(&mut tx, opt_in.subject).await?.ok_or(StoreError::Damaged("a standing"))?;
        let opt_in = match opt_in.confirm(whole_ms(at), &place.standing) {
            Ok(Some(confirmed)) => confirmed,
            Ok(None) => return Ok(Confirmation::Repeated),
            Err(OptInError::Expired) => return Ok(Confirmation::Expired),
            Err(OptInError::Voided) => return Ok(Confirmation::Voided),
        };
        let keys = self.keys_of(&mut tx, &place).await?;
        query("UPDATE opt_in SET stage = $2 WHERE token = $1").bind(&token[..]).bind(stage_word(opt_in.stage)).execute(&mut tx).await?;
        let given = Event {
            opt_in: Some(opt_in.id),
            answers: Some(opt_in.requested),
            evidence: Some(Evidence::Confirmation(evidence)),
            ..Event::new(EventKind::Given, &opt_in.controller, opt_in.topics.clone(), Source::Page, at)
        };
        place.append(&mut tx, &keys, given).await?;
        place.keep_proven_address(&mut tx, &keys, opt_in.requested).await?;
        if let Some(request) = opt_in.tracking {
            let given = Event::new(EventKind::Given, &opt_in.controller, vec![], Source::Page, at);
            let given = Event { channel: Channel::Tracking, opt_in: Some(opt_in.id), answers: Some(request), ..given };
            place.append(&mut tx, &keys, given).await?;
        }
        lift(&mut tx, &place, &opt_in).await?;
        tx.commit().await?;
        Ok(Confirmation::Done)
    }
}

async fn insert(tx: &mut Connection, token: &[u8; 32], opt_in: &OptIn, language: Language) -> Result<(), StoreError> {
    query(
        "INSERT INTO opt_in (token, id, subject, controller, topics, requested_seq, requested_at, tracking_seq, language, stage)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&token[..])
    .bind(&opt_in.id.0[..])
    .bind(&opt_in.subject.0[..])
    .bind(&opt_in.controller)
    .bind(topics_text(&opt_in.topics))
    .bind(int(opt_in.requested))
    .bind(ms(opt_in.requested_at))
    .bind(opt_in.tracking.map(int))
    .bind(language.as_str())
    .bind(stage_word(opt_in.stage))
    .execute(tx)
    .await?;
    Ok(())
}

async fn of_token(connection: &mut Connection, token: &[u8; 32]) -> Result<Option<(OptIn, Language)>, StoreError> {
    let row = query_as(
        "SELECT id, subject, controller, topics, requested_seq, requested_at, tracking_seq, language, stage FROM opt_in WHERE token = $1",
    );
    row.bind(&token[..]).fetch_optional(connection).await?.map(read).transpose()
}

/// As [`of_token`], and nobody else appends to its subject until the transaction ends.
async fn of_token_locked(tx: &mut Connection, token: &[u8; 32]) -> Result<Option<(OptIn, Language)>, StoreError> {
    if tx.is_shared() {
        // The person's row first, as everybody does: who waits for each other in a ring is refused.
        let lock = "SELECT 1 FROM standing WHERE subject = (SELECT subject FROM opt_in WHERE token = $1) FOR UPDATE";
        query_as::<(i32,)>(lock).bind(&token[..]).fetch_optional(tx).await?;
    }
    of_token(tx, token).await
}

/// The opt-in of that id.
pub(super) async fn of_id(tx: &mut Connection, id: OptInId) -> Result<Option<OptIn>, StoreError> {
    let row = query_as(
        "SELECT id, subject, controller, topics, requested_seq, requested_at, tracking_seq, language, stage FROM opt_in WHERE id = $1",
    );
    let row: Option<Row> = row.bind(&id.0[..]).fetch_optional(tx).await?;
    Ok(row.map(read).transpose()?.map(|(opt_in, _)| opt_in))
}

fn read(
    (id, subject, controller, topic_names, requested, requested_at, tracking, language, stage): Row,
) -> Result<(OptIn, Language), StoreError> {
    let opt_in = OptIn {
        id: OptInId(octets(&id)?),
        subject: SubjectId(octets(&subject)?),
        controller,
        topics: topics(&topic_names)?,
        requested: count(requested)?,
        requested_at: timestamp(requested_at)?,
        tracking: tracking.map(count).transpose()?,
        stage: match stage.as_str() {
            "pending" => Stage::Pending,
            "confirmed" => Stage::Confirmed,
            _ => return Err(StoreError::Damaged("an opt-in's stage")),
        },
    };
    Ok((opt_in, Language::parse(&language).ok_or(StoreError::Damaged("an opt-in's language"))?))
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Pending => "pending",
        Stage::Confirmed => "confirmed",
    }
}
