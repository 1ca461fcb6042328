//! Rectification of an address (GDPR Art. 16), for one controller at a time.
//!
//! An address is how a person is known here, and a new one is not proven to be read by whoever consented. So:
//!
//! | what | becomes of it |
//! |---|---|
//! | another spelling of the same mailbox | is stored in the place of the one before |
//! | consent, and how somebody is a customer | stays with the old mailbox, and does not move: nobody can consent for somebody else (I5) |
//! | objection, withdrawal, complaint, dispute, restriction, pause | hold for the new mailbox, too |
//! | the old mailbox | is written to no more: it may be a stranger's. Address and waiting mails go as at an erasure |
//! | the new address | is not stored: nothing needs it before the person signs up with it (Art. 5(1)(c)) |
//! | evidence of a consent that was given by the old mailbox | stays as it was, for claims alone (Art. 17(3)(e)) |

use jiff::Timestamp;

use super::db::{Connection, query, query_as};
use super::erasure::EvidenceFate;
use super::ledger::{Place, events};
use super::request::{Exercised, door, exercise};
use super::subject_keys::DataKeys;
use super::withdrawal::{Stop, is_in_force, record_stop, suppress};
use super::{NewAuditLine, Store, StoreError, begin};
use crate::consent::{Channel, ChoiceEvidence, Event, EventKind, Evidence, LookupKey, Right, Source, SubjectId};
use crate::mail::Address;

/// An address to be corrected.
pub struct NewRectification {
    /// Whose.
    pub subject: SubjectId,
    /// Key of the controller that had it wrong.
    pub controller: String,
    /// Look-up key of the right address.
    pub key: LookupKey,
    /// The right address.
    pub address: Address,
    /// Through which door the wish came.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// The proof of the wish.
    pub evidence: ChoiceEvidence,
    /// What goes into the audit log with it.
    pub line: Option<NewAuditLine>,
}

/// What a rectification did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rectification {
    /// It is the same mailbox, spelled otherwise.
    Spelling,
    /// It is another mailbox.
    Mailbox {
        /// The old address is gone for good; false where another controller still needs it.
        contact_gone: bool,
        /// What became of the evidence.
        evidence: EvidenceFate,
        /// How many noes hold for the new mailbox, too.
        noes: usize,
    },
}

impl Store {
    /// Corrects the address of a person; `None` for an unknown one.
    pub async fn rectify(&self, new: NewRectification) -> Result<Option<Rectification>, StoreError> {
        let NewRectification { subject, controller, key, address, source, at, evidence, line } = new;
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if tx.is_shared() {
            // Both at once, in the order in which commits of decisions lock.
            let lock = "SELECT 1 FROM standing WHERE subject = $1 OR key = $2 ORDER BY key FOR UPDATE";
            query_as::<(i32,)>(lock).bind(&subject.0[..]).bind(&key.0[..]).fetch_all(&mut tx).await?;
        }
        let Some(mut old) = Place::of_subject(&mut tx, subject).await? else { return Ok(None) };
        if let Some(line) = line {
            self.append_audit(&mut tx, line).await?;
        }
        let (rights, by) = (&[Right::Rectification], evidence.handler());
        exercise(&mut tx, Exercised { subject, controller: &controller, rights, door: door(source), at, by, repeated: false }).await?;
        if old.key == key {
            let keys = self.inner.subject_keys.of(subject).await?;
            if keys.contact.is_some() {
                old.respell(&mut tx, &keys, &address).await?;
            }
            tx.commit().await?;
            return Ok(Some(Rectification::Spelling));
        }
        let mut next = match Place::of_key(&mut tx, key).await? {
            Some(place) => place,
            None => Place::new(&mut tx, key).await?,
        };
        let keys = self.keys_of(&mut tx, &next).await?;
        let said = Event {
            evidence: Some(Evidence::Choice(evidence.clone())),
            ..Event::new(EventKind::Objected, &controller, vec![], source, at)
        };
        let noes = carry_over(&mut tx, &old, &mut next, &keys, said).await?;

        let parting = self.parting(&mut tx, &old, &controller).await?;
        suppress(&mut tx, old.key, &controller, &Stop::Advertising, at).await?;
        let event = Event { evidence: parting.sealable(evidence), ..Event::new(EventKind::Rectified, &controller, vec![], source, at) };
        old.append(&mut tx, &parting.keys, event).await?;
        self.part(&mut tx, subject, &controller, &parting).await?;
        tx.commit().await?;
        tracing::info!(%subject, noes, "address rectified");
        Ok(Some(Rectification::Mailbox { contact_gone: parting.contact_gone, evidence: parting.evidence, noes }))
    }
}

/// Every no that stands at the old mailbox stands at the new one, whatever became of its ledger; `said` is who says so, and when.
async fn carry_over(tx: &mut Connection, old: &Place, next: &mut Place, keys: &DataKeys, said: Event) -> Result<usize, StoreError> {
    let controller = said.controller.clone();
    // What outlives the events, first: it may stand without one.
    query(
        "INSERT INTO suppression (key, controller, topic, reason, at)
         SELECT $2, controller, topic, reason, at FROM suppression WHERE key = $1 AND controller = $3
         ON CONFLICT (key, controller, topic) DO NOTHING",
    )
    .bind(&old.key.0[..])
    .bind(&next.key.0[..])
    .bind(&controller)
    .execute(&mut *tx)
    .await?;
    let mut noes = 0;
    for stop in stops(tx, old, &controller).await? {
        if !is_in_force(&next.standing, &controller, &stop) {
            record_stop(tx, next, keys, &stop, said.clone()).await?;
            noes += 1;
        }
    }
    let restricted = old.standing.restricted(&controller).filter(|_| next.standing.restricted(&controller).is_none());
    let pause = old.standing.pause(&controller, said.at).filter(|_| next.standing.pause(&controller, said.at).is_none());
    let marks = [restricted.map(|_| (EventKind::Restricted, None)), pause.map(|pause| (EventKind::Paused, Some(pause.until)))];
    for (kind, until) in marks.into_iter().flatten() {
        next.append(tx, keys, Event { kind, until, ..said.clone() }).await?;
        noes += 1;
    }
    Ok(noes)
}

/// The noes that stand at a mailbox, those about less first: once a complaint is told, the fold takes the rest for said.
async fn stops(tx: &mut Connection, place: &Place, controller: &str) -> Result<Vec<Stop>, StoreError> {
    let in_force = |stop: &Stop| is_in_force(&place.standing, controller, stop);
    let mut stops: Vec<Stop> = vec![];
    // What was said of less than everything is read from the events: the fold keeps no more of it than it needs.
    for event in events(tx, place.subject, None).await?.into_iter().filter(|event| event.controller == controller) {
        let said: Vec<Stop> = match (event.kind, event.channel) {
            // Each topic by itself: whoever asked for another one since has taken nothing back.
            (EventKind::Withdrawn, Channel::Email) => {
                let stands = event.topics.into_iter().filter(|topic| place.standing.stop(controller, topic).is_some());
                stands.map(|topic| Stop::Topics(vec![topic])).collect()
            }
            (EventKind::Withdrawn, Channel::Tracking) => vec![Stop::Tracking].into_iter().filter(in_force).collect(),
            (EventKind::Withdrawn | EventKind::Objected, channel @ (Channel::Phone | Channel::Post)) => {
                vec![Stop::Elsewhere { channel, topics: event.topics }]
            }
            _ => vec![],
        };
        for stop in said {
            if !stops.contains(&stop) {
                stops.push(stop);
            }
        }
    }
    stops.extend([Stop::Complaint, Stop::Dispute, Stop::Advertising].into_iter().filter(in_force));
    Ok(stops)
}
