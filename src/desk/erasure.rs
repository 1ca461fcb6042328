//! The rights of a person on the word of another system of the company, and the answer to who was erased (GDPR Art. 12(3),
//! L-DSR-02). Operators go through the office.

use jiff::{Timestamp, Zoned};
use minijinja::context;

use super::{Desk, Dossier, StoreError};
use crate::consent::{ChoiceEvidence, Fact, Language, RequestDoor, Right, Source, SubjectId, Teller};
use crate::mail::Address;
use crate::store::{Deed, Erasure, EvidenceFate, Exercised, NewAuditLine, NewErasure, NewFact, Object, Told};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// Nothing is on record about this address.
    #[error("nothing is on record about this address")]
    Unknown,
    /// No such controller.
    #[error("there is no controller of that key")]
    Controller,
    /// The ledger does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Desk {
    /// All that `controller` has of the person of that address; on record before it is read.
    pub async fn hand_over(
        &self,
        address: &Address,
        controller: &str,
        token: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Dossier, PersonError> {
        let subject = self.known(address, controller).await?;
        let (rights, by) = (&[Right::Access, Right::Portability], Some(token));
        let done = Exercised { subject, controller, rights, door: RequestDoor::Api, at: now, by, repeated: false };
        self.inner.store.exercise(done, line(Deed::AccessExported, subject, controller, token, why, now)).await?;
        self.dossier(subject, controller, now).await?.ok_or(PersonError::Unknown)
    }

    /// Erases what `controller` has of the person of that address.
    pub async fn erase(&self, address: &Address, controller: &str, token: &str, why: &str, now: Timestamp) -> Result<Erasure, PersonError> {
        let subject = self.known(address, controller).await?;
        let erasure = NewErasure {
            subject,
            controller: controller.to_owned(),
            source: Source::System,
            at: now,
            evidence: told_by(token, why),
            line: Some(line(Deed::PersonErased, subject, controller, token, why, now)),
        };
        self.inner.store.erase_person(erasure).await?.ok_or(PersonError::Unknown)
    }

    /// Restricts processing by `controller` for the person of that address, or lifts it.
    pub async fn restrict(
        &self,
        address: &Address,
        controller: &str,
        restricted: bool,
        token: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), PersonError> {
        let subject = self.known(address, controller).await?;
        let word = if restricted { "restricted" } else { "unrestricted" };
        let fact = NewFact {
            key: self.inner.store.keyring().lookup_key(address),
            controller: controller.to_owned(),
            told: if restricted { Told::Restricted } else { Told::Unrestricted },
            fact: Fact { teller: Some(Teller::Staff), ..Fact::default() },
            notice: None,
            source: Source::System,
            at: now,
            evidence: told_by(token, why),
            once: None,
            line: Some(line(Deed::Restricted, subject, &format!("{word} by {controller}"), token, why, now)),
        };
        self.inner.store.tell(fact).await?;
        Ok(())
    }

    pub(super) async fn known(&self, address: &Address, controller: &str) -> Result<SubjectId, PersonError> {
        self.inner.catalogue.controller(controller).ok_or(PersonError::Controller)?;
        let store = &self.inner.store;
        let found = store.standing(store.keyring().lookup_key(address)).await?;
        found.map(|(subject, _)| subject).ok_or(PersonError::Unknown)
    }

    /// What the person is answered, paragraph by paragraph: what was erased, what stays, why, and until when.
    pub fn erasure_answer(&self, erasure: &Erasure, controller: &str, language: Language) -> Result<Vec<String>, minijinja::Error> {
        let name = self.inner.catalogue.controller(controller).map_or(controller, |known| &known.name);
        let year = Zoned::new(erasure.at, jiff::tz::TimeZone::UTC).year();
        let values = context! { company => name, year, until => year + i16::from(self.evidence.email) };
        let contact = if erasure.contact_gone { "contact_gone" } else { "contact_kept" };
        let evidence = match erasure.evidence {
            EvidenceFate::Destroyed => "evidence_destroyed",
            EvidenceFate::KeptAsProof => "evidence_as_proof",
            EvidenceFate::KeptForOthers => "evidence_for_others",
        };
        let keys = ["done", contact, evidence, "suppression", "record", "backups", "complaint"];
        keys.iter().map(|key| self.inner.words.text(None, language, &format!("admin.erasure.{key}"), &values)).collect()
    }
}

pub(super) fn told_by(token: &str, why: &str) -> ChoiceEvidence {
    ChoiceEvidence { told_by: Some(token.to_owned()), note: Some(why.to_owned()), ..ChoiceEvidence::default() }
}

pub(super) fn line(deed: Deed, subject: SubjectId, what: &str, token: &str, why: &str, at: Timestamp) -> NewAuditLine {
    let reason = Some(format!("{what} (API, {token}): {why}"));
    NewAuditLine { at, operator: None, deed, object: Some(Object::Subject(subject)), reason }
}
