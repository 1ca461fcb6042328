//! Withdrawal and objection: the event and the suppression that outlives it, in one transaction. Needs nobody's
//! permission and no earlier consent (GDPR Art. 7(3), Art. 21(2)).

use jiff::Timestamp;

use super::column::{ms, topic};
use super::db::{Connection, query, query_as, repeated};
use super::ledger::Place;
use super::request::{Exercised, door, exercise};
use super::subject_keys::DataKeys;
use super::{Store, StoreError, begin};
use crate::consent::{
    Channel, ChoiceEvidence, Event, EventKind, Evidence, LookupKey, OptIn, Reason, Right, Source, Standing, SubjectId, Suppression, Topic,
    TopicStanding,
};

/// What a person wants to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Advertising about these topics: consent is withdrawn (GDPR Art. 7(3)).
    Topics(Vec<Topic>),
    /// A sign-up that waits for its confirmation: it is refused (S1-17).
    Request {
        /// What was asked for.
        topics: Vec<Topic>,
        /// `seq` of the request.
        requested: u64,
        /// `seq` of the request to be measured that went along.
        tracking: Option<u64>,
    },
    /// All advertising of the controller: objection (GDPR Art. 21(2)).
    Advertising,
    /// Being measured (L-TRK-05).
    Tracking,
    /// All advertising of the controller: somebody complained of it (U-35).
    Complaint,
    /// All advertising of the controller: the person says that the consent was not theirs (L-DOI-08).
    Dispute,
    /// Calls or letters; says nothing about mail (S0-09).
    Elsewhere {
        /// Which of them.
        channel: Channel,
        /// Consent to these is withdrawn; none for all: objection.
        topics: Vec<Topic>,
    },
}

impl Stop {
    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::Elsewhere { topics, .. } if topics.is_empty() => EventKind::Objected,
            Self::Topics(_) | Self::Tracking | Self::Elsewhere { .. } => EventKind::Withdrawn,
            Self::Request { .. } => EventKind::Refused,
            Self::Advertising => EventKind::Objected,
            Self::Complaint => EventKind::Complaint,
            Self::Dispute => EventKind::Disputed,
        }
    }

    fn topics(&self) -> &[Topic] {
        match self {
            Self::Topics(topics) | Self::Request { topics, .. } | Self::Elsewhere { topics, .. } => topics,
            Self::Advertising | Self::Tracking | Self::Complaint | Self::Dispute => &[],
        }
    }

    fn answers(&self) -> Option<u64> {
        if let Self::Request { requested, .. } = self { Some(*requested) } else { None }
    }

    fn channel(&self) -> Channel {
        match self {
            Self::Tracking => Channel::Tracking,
            Self::Elsewhere { channel, .. } => *channel,
            _ => Channel::Email,
        }
    }

    /// What must stay blocked though the person be erased; an empty topic means all advertising.
    fn suppressions(&self) -> Vec<(&str, Reason)> {
        match self {
            Self::Topics(topics) => topics.iter().map(|topic| (topic.as_str(), Reason::Withdrawn)).collect(),
            Self::Advertising => vec![("", Reason::Objected)],
            Self::Complaint => vec![("", Reason::Complained)],
            Self::Dispute => vec![("", Reason::Disputed)],
            // A no to one sign-up says nothing about consents that are there already.
            Self::Request { .. } | Self::Tracking | Self::Elsewhere { .. } => vec![],
        }
    }
}

/// A withdrawal or objection to be recorded.
#[derive(Clone)]
pub struct NewWithdrawal {
    /// Whose.
    pub subject: SubjectId,
    /// Key of the controller it is against.
    pub controller: String,
    /// What shall stop.
    pub stop: Stop,
    /// Through which door it came.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// The proof.
    pub evidence: ChoiceEvidence,
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
        repeated!(self.withdraw_once(withdrawal.clone()))
    }

    async fn withdraw_once(&self, withdrawal: NewWithdrawal) -> Result<WithdrawAnswer, StoreError> {
        let NewWithdrawal { subject, controller, stop, source, at, evidence } = withdrawal;
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some(mut place) = Place::of_subject(&mut tx, subject).await? else { return Ok(WithdrawAnswer::Unknown) };
        let repeated = is_in_force(&place.standing, &controller, &stop);
        if stop == Stop::Advertising {
            let (rights, by) = (&[Right::Objection], evidence.handler());
            exercise(&mut tx, Exercised { subject, controller: &controller, rights, door: door(source), at, by, repeated }).await?;
        }
        if repeated {
            tx.commit().await?;
            return Ok(WithdrawAnswer::Repeated);
        }
        let keys = self.keys_of(&mut tx, &place).await?;
        let event = Event { evidence: Some(Evidence::Choice(evidence)), ..Event::new(stop.kind(), controller, vec![], source, at) };
        record_stop(&mut tx, &mut place, &keys, &stop, event).await?;
        tx.commit().await?;
        Ok(WithdrawAnswer::Done)
    }
}

/// Writes a no: its event, and the suppression that outlives it. `event` says who, when, and by what proof.
pub(super) async fn record_stop(
    tx: &mut Connection,
    place: &mut Place,
    keys: &DataKeys,
    stop: &Stop,
    event: Event,
) -> Result<(), StoreError> {
    suppress(tx, place.key, &event.controller, stop, event.at).await?;
    let (kind, channel, topics, answers) = (stop.kind(), stop.channel(), stop.topics().to_vec(), stop.answers());
    // L-TRK-06: asked for together, refused together; what was agreed to apart from it stays
    let measured = match stop {
        Stop::Request { tracking: Some(request), .. } => {
            let (channel, answers) = (Channel::Tracking, Some(*request));
            Some(Event { kind, channel, answers, ..event.clone() })
        }
        _ => None,
    };
    place.append(tx, keys, Event { kind, channel, topics, answers, ..event }).await?;
    if let Some(refused) = measured {
        place.append(tx, keys, refused).await?;
    }
    Ok(())
}

/// True when the person said the same, or more, since anything was last asked for or given. A request still open for
/// any topic makes it news: saying no again must void that request too. Asked of the fold and not of the events: whoever
/// repeats a no a thousand times costs nobody a wait.
pub(super) fn is_in_force(standing: &Standing, controller: &str, stop: &Stop) -> bool {
    // An objection ends measuring, too (L-OBJ-06): whoever agreed to that since has said something else.
    let channel = if *stop == Stop::Advertising { None } else { Some(stop.channel()) };
    let asked = standing.last_ask(controller, channel);
    let objected = standing.objected_since(asked, controller);
    match stop {
        Stop::Advertising => objected,
        Stop::Tracking => objected || standing.tracking_withdrawn_since(asked, controller),
        Stop::Topics(topics) => objected || topics.iter().all(|topic| standing.withdrawn_since(asked, controller, topic)),
        Stop::Request { topics, .. } => objected || topics.iter().all(|topic| standing.refused_since(asked, controller, topic)),
        // These say more than an objection: why.
        Stop::Complaint | Stop::Dispute => standing.last(controller, stop.kind()).is_some_and(|mark| mark.seq > asked),
        Stop::Elsewhere { channel, topics } => {
            let withdrawn = |topic| matches!(standing.elsewhere(controller, *channel, topic), TopicStanding::Withdrawn(_));
            !topics.is_empty() && topics.iter().all(withdrawn)
        }
    }
}

pub(super) async fn suppress(tx: &mut Connection, key: LookupKey, controller: &str, stop: &Stop, at: Timestamp) -> Result<(), StoreError> {
    for (topic, reason) in stop.suppressions() {
        query(
            "INSERT INTO suppression (key, controller, topic, reason, at) VALUES ($1, $2, $3, $4, $5)
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
pub(super) async fn lift(tx: &mut Connection, place: &Place, confirmed: &OptIn) -> Result<(), StoreError> {
    let rows: Vec<(String, String)> = query_as("SELECT topic, reason FROM suppression WHERE key = $1 AND controller = $2")
        .bind(&place.key.0[..])
        .bind(&confirmed.controller)
        .fetch_all(&mut *tx)
        .await?;
    for (name, reason) in rows {
        let own = suppression(confirmed.controller.clone(), &name, &reason)?.topic;
        if is_answered(own.as_ref(), &place.standing, confirmed) {
            query("DELETE FROM suppression WHERE key = $1 AND controller = $2 AND topic = $3")
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
    confirmed.topics.iter().any(against) && !standing.withdrawn_since(confirmed.requested, &confirmed.controller, own)
}

/// A suppression as it is stored.
pub(super) fn suppression(controller: String, name: &str, reason: &str) -> Result<Suppression, StoreError> {
    Ok(Suppression {
        controller,
        topic: if name.is_empty() { None } else { Some(topic(name)?) },
        reason: Reason::parse(reason).ok_or(StoreError::Damaged("a suppression's reason"))?,
    })
}
