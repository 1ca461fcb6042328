//! Withdrawal and objection: the event and the suppression that outlives it, in one transaction. Needs nobody's
//! permission and no earlier consent (GDPR Art. 7(3), Art. 21(2)).

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::column::{ms, topic};
use super::ledger::{self, Place};
use super::{Store, StoreError, begin};
use crate::consent::{
    Event, EventKind, Evidence, LookupKey, OptIn, Reason, Source, Standing, SubjectId, Suppression, Topic, TopicStanding,
    WithdrawalEvidence,
};

/// A withdrawal or objection to be recorded.
pub struct NewWithdrawal {
    /// Whose.
    pub subject: SubjectId,
    /// Key of the controller it is against.
    pub controller: String,
    /// The topics; empty for an objection to all of the controller's advertising.
    pub topics: Vec<Topic>,
    /// Through which door it came.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// The proof.
    pub evidence: WithdrawalEvidence,
}

/// The answer to a withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithdrawAnswer {
    /// It is durable, and acts on every look-up from now on (I3).
    Done,
    /// It was in force already; nothing was recorded.
    Repeated,
    /// No such subject.
    Unknown,
}

impl Store {
    /// Records a withdrawal or objection, and the suppression that keeps it in force.
    pub async fn withdraw(&self, withdrawal: NewWithdrawal) -> Result<WithdrawAnswer, StoreError> {
        let NewWithdrawal { subject, controller, topics, source, at, evidence } = withdrawal;
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some(mut place) = Place::of_subject(&mut tx, subject).await? else { return Ok(WithdrawAnswer::Unknown) };
        if is_in_force(&ledger::events(&mut tx, subject, None).await?, &controller, &topics) {
            return Ok(WithdrawAnswer::Repeated);
        }
        let keys = self.inner.subject_keys.of_or_new(subject).await?;
        suppress(&mut tx, place.key, &controller, &topics, at).await?;
        let event = Event {
            seq: 0,
            at,
            kind: if topics.is_empty() { EventKind::Objected } else { EventKind::Withdrawn },
            controller,
            topics,
            source,
            opt_in: None,
            answers: None,
            evidence: Some(Evidence::Withdrawal(evidence)),
        };
        place.append(&mut tx, &keys, event).await?;
        tx.commit().await?;
        Ok(WithdrawAnswer::Done)
    }
}

/// True when the person said the same, or more, since anything was last asked for or given. A request still open for
/// any topic makes it news: saying no again must void that request too.
fn is_in_force(events: &[Event], controller: &str, topics: &[Topic]) -> bool {
    let ours = || events.iter().rev().filter(|event| event.controller == controller);
    let refusals = || ours().take_while(|event| !matches!(event.kind, EventKind::Requested | EventKind::Given));
    let objected = refusals().any(|event| event.kind == EventKind::Objected);
    let withdrawn = |topic: &Topic| {
        let withdrawals = || refusals().filter(|event| event.kind == EventKind::Withdrawn);
        withdrawals().any(|event| event.topics.iter().any(|own| own.covers(topic)))
    };
    objected || (!topics.is_empty() && topics.iter().all(withdrawn))
}

async fn suppress(tx: &mut SqliteConnection, key: LookupKey, controller: &str, topics: &[Topic], at: Timestamp) -> Result<(), StoreError> {
    let rows: Vec<(&str, Reason)> = match topics {
        [] => vec![("", Reason::Objected)],
        topics => topics.iter().map(|topic| (topic.as_str(), Reason::Withdrawn)).collect(),
    };
    for (topic, reason) in rows {
        sqlx::query(
            "INSERT INTO suppression (key, controller, topic, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (key, controller, topic) DO NOTHING",
        )
        .bind(&key.0[..])
        .bind(controller)
        .bind(topic)
        .bind(reason.as_str())
        .bind(ms(at))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Takes away the suppressions that a confirmed opt-in answers (L-OBJ-05): an objection to everything, and withdrawals of a
/// topic above or below, made before it was asked for. What the consent does not cover stays blocked by its event.
pub(super) async fn lift(tx: &mut SqliteConnection, place: &Place, confirmed: &OptIn) -> Result<(), StoreError> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT topic, reason FROM suppression WHERE key = ?1 AND controller = ?2")
        .bind(&place.key.0[..])
        .bind(&confirmed.controller)
        .fetch_all(&mut *tx)
        .await?;
    for (name, reason) in rows {
        let own = suppression(confirmed.controller.clone(), &name, &reason)?.topic;
        if is_answered(own.as_ref(), &place.standing, confirmed) {
            sqlx::query("DELETE FROM suppression WHERE key = ?1 AND controller = ?2 AND topic = ?3")
                .bind(&place.key.0[..])
                .bind(&confirmed.controller)
                .bind(name)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

fn is_answered(suppressed: Option<&Topic>, standing: &Standing, confirmed: &OptIn) -> bool {
    let Some(own) = suppressed else { return true };
    let against = |given: &Topic| own.covers(given) || given.covers(own);
    let refused_since = match standing.of(&confirmed.controller, own) {
        TopicStanding::Withdrawn(mark) | TopicStanding::Objected(mark) => mark.seq > confirmed.requested,
        TopicStanding::Given(_) | TopicStanding::Requested(_) | TopicStanding::Nothing => false,
    };
    confirmed.topics.iter().any(against) && !refused_since
}

/// A suppression as it is stored.
pub(super) fn suppression(controller: String, name: &str, reason: &str) -> Result<Suppression, StoreError> {
    Ok(Suppression {
        controller,
        topic: if name.is_empty() { None } else { Some(topic(name)?) },
        reason: Reason::parse(reason).ok_or(StoreError::Damaged("a suppression's reason"))?,
    })
}
