//! What other systems of the company know, told to the ledger (S0-07): a fact, or a no that came in elsewhere. There is no word
//! here for a consent (I5). Who may say what is the desk's business.

use jiff::Timestamp;

use super::db::{Connection, query, query_as, repeated};
use super::ledger::Place;
use super::request::{Exercised, door, exercise};
use super::text_version::keep;
use super::withdrawal::{Stop, is_in_force, record_stop};
use super::{NewAuditLine, Object, Store, StoreError, begin};
use crate::consent::{Channel, ChoiceEvidence, Event, EventKind, Evidence, Fact, LookupKey, Right, Source, Standing, Topic, TopicStanding};

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A no of the person.
    Stop(Stop),
    /// The person bought these, or dealt with the company about them.
    Purchase(Vec<Topic>),
    /// The person was told that advertising can be objected to.
    NoticeShown(Vec<Topic>),
    /// The mailbox does not exist.
    Bounce,
    /// Processing is restricted (GDPR Art. 18).
    Restricted,
    /// A restriction was lifted.
    Unrestricted,
    /// Consents that lapsed with the circumstances.
    ExpiredIdle(Vec<Topic>),
    /// Another system has consents to these on its books: nothing to send on.
    Imported(Channel, Vec<Topic>),
}

/// Something told, to be recorded.
#[derive(Clone)]
pub struct NewFact {
    /// The address's look-up key. The address itself is not stored: whoever knows it keeps it.
    pub key: LookupKey,
    /// Key of the controller it concerns.
    pub controller: String,
    /// What is told.
    pub told: Told,
    /// What it says besides; the store sets its `notice`.
    pub fact: Fact,
    /// The text that was shown when the address was collected (L-SOFT-05).
    pub notice: Option<String>,
    /// Through which door it came.
    pub source: Source,
    /// When it was told.
    pub at: Timestamp,
    /// The proof.
    pub evidence: ChoiceEvidence,
    /// By what it is known when it is told again.
    pub once: Option<Once>,
    /// What goes into the audit log with it; its object is set here.
    pub line: Option<NewAuditLine>,
}

/// By what an event is known when it is told again; both are `Keyring::secret_key`.
#[derive(Clone)]
pub struct Once {
    /// Of who tells it and the id that they gave it.
    pub id: [u8; 32],
    /// Of all that was told.
    pub content: [u8; 32],
}

/// The answer to something told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TellAnswer {
    /// It is durable, and acts on every look-up from now on (I3).
    Done,
    /// It was told before, or is so already; nothing was recorded.
    Repeated,
    /// Something else was told by this id; nothing was recorded.
    IdTaken,
}

impl Told {
    /// What kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Stop(stop) => stop.kind(),
            Self::Purchase(_) => EventKind::Purchase,
            Self::NoticeShown(_) => EventKind::NoticeShown,
            Self::Bounce => EventKind::Bounce,
            Self::Restricted => EventKind::Restricted,
            Self::Unrestricted => EventKind::Unrestricted,
            Self::ExpiredIdle(_) => EventKind::ExpiredIdle,
            Self::Imported(..) => EventKind::Imported,
        }
    }

    /// The right of the person that it carries out.
    fn right(&self) -> Option<Right> {
        match self {
            Self::Restricted => Some(Right::Restriction),
            Self::Stop(Stop::Advertising) => Some(Right::Objection),
            _ => None,
        }
    }

    fn topics(&self) -> &[Topic] {
        match self {
            Self::Purchase(topics) | Self::NoticeShown(topics) | Self::ExpiredIdle(topics) | Self::Imported(_, topics) => topics,
            _ => &[],
        }
    }

    fn channel(&self) -> Channel {
        if let Self::Imported(channel, _) = self { *channel } else { Channel::Email }
    }

    /// True when it changes nothing: systems that tell every night what they know must not grow the ledger.
    fn is_known(&self, standing: &Standing, controller: &str) -> bool {
        match self {
            Self::Stop(stop) => is_in_force(standing, controller, stop),
            Self::Bounce => {
                let said = standing.last(controller, EventKind::Bounce);
                said.is_some_and(|mark| mark.seq > standing.last_ask(controller, Some(Channel::Email)))
            }
            Self::Restricted => standing.restricted(controller).is_some(),
            Self::Unrestricted => standing.restricted(controller).is_none(),
            Self::ExpiredIdle(topics) => topics.iter().all(|topic| matches!(standing.of(controller, topic), TopicStanding::Expired(_))),
            Self::Purchase(_) | Self::NoticeShown(_) | Self::Imported(..) => false,
        }
    }
}

impl Store {
    /// Records what is told: the event, its text, for a no the suppression that outlives it, and the line of the audit log, together
    /// or not at all. A person never heard of gets a row without an address.
    pub async fn tell(&self, new: NewFact) -> Result<TellAnswer, StoreError> {
        repeated!(self.tell_once(new.clone()))
    }

    async fn tell_once(&self, new: NewFact) -> Result<TellAnswer, StoreError> {
        let NewFact { key, controller, told, mut fact, notice, source, at, evidence, once, line } = new;
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if let Some(once) = &once
            && let Some(answer) = told_before(&mut tx, once).await?
        {
            return Ok(answer);
        }
        let mut place = match Place::of_key(&mut tx, key).await? {
            Some(place) => place,
            None => Place::new(&mut tx, key).await?,
        };
        if let Some(line) = line {
            self.append_audit(&mut tx, NewAuditLine { object: Some(Object::Subject(place.subject)), ..line }).await?;
        }
        let repeated = told.is_known(&place.standing, &controller);
        if let Some(right) = told.right() {
            let (subject, controller, by) = (place.subject, controller.as_str(), evidence.handler());
            exercise(&mut tx, Exercised { subject, controller, rights: &[right], door: door(source), at, by, repeated }).await?;
        }
        if repeated {
            tx.commit().await?;
            return Ok(TellAnswer::Repeated);
        }
        if let Some(mut text) = notice {
            fact.notice = Some(keep(&mut tx, &mut text).await?);
        }
        let keys = self.keys_of(&mut tx, &place).await?;
        let event = Event {
            channel: told.channel(),
            fact: Some(fact),
            evidence: Some(Evidence::Choice(evidence)),
            ..Event::new(told.kind(), controller, told.topics().to_vec(), source, at)
        };
        match &told {
            Told::Stop(stop) => record_stop(&mut tx, &mut place, &keys, stop, event).await?,
            _ => drop(place.append(&mut tx, &keys, event).await?),
        }
        tx.commit().await?;
        Ok(TellAnswer::Done)
    }
}

/// Takes the id, unless it is taken: then what to answer.
async fn told_before(tx: &mut Connection, once: &Once) -> Result<Option<TellAnswer>, StoreError> {
    let taken = query("INSERT INTO told (id, content) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
        .bind(&once.id[..])
        .bind(&once.content[..])
        .execute(&mut *tx)
        .await?;
    if taken.rows_affected() > 0 {
        return Ok(None);
    }
    let (same,): (bool,) =
        query_as("SELECT content = $2 FROM told WHERE id = $1").bind(&once.id[..]).bind(&once.content[..]).fetch_one(tx).await?;
    Ok(Some(if same { TellAnswer::Repeated } else { TellAnswer::IdTaken }))
}
