//! What other systems of the company tell (S0-07), and which of them may tell what: one table. Nobody may say a person's
//! consent for them (I5, S0-11); to try it is put on record.

use jiff::Timestamp;
use serde_json::Value;

use super::sign_up::FieldProblem;
use super::telling::{self, Telling};
use super::{Desk, StoreError};
use crate::consent::{ChoiceEvidence, EventKind, Fact, Source, Teller};
use crate::mail::Address;
use crate::store::{Deed, NewAuditLine, NewFact, Object, Once, TellAnswer};

/// Which system may say what. What is not in it, nobody may.
pub const MAY_SAY: [(Teller, &[EventKind]); 4] = [
    (Teller::Erp, &[EventKind::Purchase, EventKind::NoticeShown, EventKind::Bounce]),
    (
        Teller::Crm,
        &[
            EventKind::Purchase,
            EventKind::NoticeShown,
            EventKind::Withdrawn,
            EventKind::Objected,
            EventKind::ExpiredIdle,
            EventKind::Imported,
        ],
    ),
    (Teller::Ma, &[EventKind::Withdrawn, EventKind::Objected, EventKind::Complaint, EventKind::Bounce, EventKind::Imported]),
    (
        Teller::Staff,
        &[
            EventKind::Withdrawn,
            EventKind::Objected,
            EventKind::Complaint,
            EventKind::Disputed,
            EventKind::Restricted,
            EventKind::Unrestricted,
            EventKind::ExpiredIdle,
        ],
    ),
];

/// What only the person can say, and only by the double opt-in (S0-10).
const THE_PERSONS_OWN: [EventKind; 3] = [EventKind::Requested, EventKind::Given, EventKind::Refused];

/// Who tells it.
#[derive(Debug, Clone, Copy)]
pub struct Informant<'a> {
    /// Which system.
    pub teller: Teller,
    /// Name of its API token, or of the command; stands in the evidence and the audit log.
    pub name: &'a str,
    /// True for what goes into the audit log besides: what people do.
    pub audited: bool,
}

/// Why something told was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// A consent, a request for one, or a refusal.
    #[error(
        "nobody can say a person's consent for them: it comes from the confirmed double opt-in alone (POST /api/v1/opt-ins starts one). \
         This attempt is on record."
    )]
    Consent,
    /// Something that this system may not say.
    #[error("{} may not say {}: {}", .0.as_str(), .1.as_str(), who_may(*.1))]
    NotTheirs(Teller, EventKind),
    /// It is wrong; all that is wrong with it.
    #[error("the event has {} problem(s)", .0.len())]
    Fields(Vec<FieldProblem>),
    /// Something else was told by its id before.
    #[error("another event was told with this id: give each event an id of its own")]
    IdTaken,
    /// The ledger does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn who_may(kind: EventKind) -> String {
    let may = MAY_SAY.iter().filter(|(_, kinds)| kinds.contains(&kind)).map(|(teller, _)| teller.as_str());
    format!("that is for {}", may.collect::<Vec<_>>().join(", "))
}

fn kinds(teller: Teller) -> impl Iterator<Item = EventKind> {
    MAY_SAY.into_iter().filter(move |(own, _)| *own == teller).flat_map(|(_, kinds)| kinds.iter().copied())
}

impl Desk {
    /// Takes an event. `Ok` says nothing about the address: it is the same for one never heard of, and for what was so already.
    pub async fn tell(&self, event: &Value, informant: Informant<'_>, now: Timestamp) -> Result<(), TellError> {
        let Some(given) = event.as_object() else {
            return Err(TellError::Fields(vec![problem("body", "is no JSON object", "give one object for each event".to_owned())]));
        };
        let word = given.get("kind").and_then(Value::as_str).unwrap_or_default();
        let kind =
            EventKind::parse(word).filter(|kind| THE_PERSONS_OWN.contains(kind) || MAY_SAY.iter().any(|(_, may)| may.contains(kind)));
        let Some(kind) = kind else {
            let words: Vec<&str> = kinds(informant.teller).map(EventKind::as_str).collect();
            return Err(TellError::Fields(vec![problem(
                "kind",
                "is nothing that can be told",
                format!("give one of: {}", words.join(", ")),
            )]));
        };
        if THE_PERSONS_OWN.contains(&kind) {
            self.record_attempt(kind, given.get("email").and_then(Value::as_str).unwrap_or_default(), informant, now).await?;
            return Err(TellError::Consent);
        }
        if !kinds(informant.teller).any(|own| own == kind) {
            return Err(TellError::NotTheirs(informant.teller, kind));
        }
        let telling = telling::read(kind, given, &self.inner.catalogue, now).map_err(TellError::Fields)?;
        match self.inner.store.tell(self.fact(telling, event, informant, now)).await? {
            TellAnswer::Done => tracing::info!(kind = kind.as_str(), teller = informant.teller.as_str(), "event told"),
            TellAnswer::Repeated => tracing::info!(kind = kind.as_str(), teller = informant.teller.as_str(), "event told again"),
            TellAnswer::IdTaken => return Err(TellError::IdTaken),
        }
        Ok(())
    }

    fn fact(&self, telling: Telling, event: &Value, informant: Informant<'_>, now: Timestamp) -> NewFact {
        let keyring = self.inner.store.keyring();
        let keyed = |what: &str, text: &str| keyring.secret_key(&[what.as_bytes(), b"\0", text.as_bytes()].concat());
        let teller = informant.teller;
        let once = telling.id.map(|id| Once {
            id: keyed("told id", &format!("{} {id}", teller.as_str())),
            content: keyed("told content", &event.to_string()),
        });
        let is_staff = teller == Teller::Staff;
        let (kind, name) = (telling.told.kind(), informant.name);
        let line = (is_staff || informant.audited).then(|| {
            let why = telling.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            let deed = match kind {
                EventKind::Withdrawn => Deed::Withdrew,
                EventKind::Objected => Deed::Objected,
                _ => Deed::Told,
            };
            let who = telling.actor.as_deref().map(|actor| format!(", {actor}")).unwrap_or_default();
            let reason = Some(format!("{} for {} ({}, {name}{who}){why}", kind.as_str(), telling.controller, teller.as_str()));
            NewAuditLine { at: now, operator: None, deed, object: None, reason }
        });
        NewFact {
            key: keyring.lookup_key(&telling.address),
            controller: telling.controller,
            told: telling.told,
            fact: Fact { teller: Some(teller), ..telling.fact },
            notice: telling.notice,
            source: if is_staff { Source::Staff } else { Source::System },
            at: now,
            evidence: ChoiceEvidence {
                // S0-12: with the actor
                staff: telling.actor.or_else(|| is_staff.then(|| name.to_owned())),
                note: telling.reason,
                told_by: Some(name.to_owned()),
                ..ChoiceEvidence::default()
            },
            once,
            line,
        }
    }

    /// S0-11: who tried it, and about whom, where the ledger knows them.
    async fn record_attempt(&self, kind: EventKind, email: &str, informant: Informant<'_>, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.inner.store;
        let known = match Address::parse(email.trim()) {
            Ok(address) => store.standing(store.keyring().lookup_key(&address)).await?,
            Err(_) => None,
        };
        let reason = Some(format!("{} ({}, {})", kind.as_str(), informant.teller.as_str(), informant.name));
        let object = known.map(|(subject, _)| Object::Subject(subject));
        store.audit(NewAuditLine { at: now, operator: None, deed: Deed::GrantRefused, object, reason }).await
    }
}

fn problem(field: &'static str, problem: &str, mend: String) -> FieldProblem {
    FieldProblem { field: field.into(), problem: problem.to_owned(), mend }
}
