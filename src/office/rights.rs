//! The rights of a person, performed by operators: access (GDPR Art. 15, 20), rectification (Art. 16), erasure
//! (Art. 17), restriction (Art. 18). Each is on record before it is done, or together with it, and closes its request.

use jiff::Timestamp;

use super::{Action, Deed, Object, Office, OfficeError, Operator, reason};
use crate::consent::{ChoiceEvidence, Fact, RequestDoor, Right, Source, SubjectId, Teller};
use crate::mail::Address;
use crate::store::{Erasure, Exercised, NewAuditLine, NewErasure, NewFact, NewRectification, Rectification, TellAnswer, Told};

impl Office {
    /// Puts on record that all that `controller` has of a person leaves as a file. Call it before the first octet leaves.
    pub async fn begin_access(
        &self,
        operator: &Operator,
        subject: SubjectId,
        controller: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.authorise(operator, Action::AccessExport)?;
        let line = line(operator, Deed::AccessExported, subject, controller, reason(why)?, now);
        let (rights, by) = (&[Right::Access, Right::Portability], Some(operator.name.as_str()));
        let done = Exercised { subject, controller, rights, door: RequestDoor::Staff, at: now, by, repeated: false };
        Ok(self.inner.store.exercise(done, line).await?)
    }

    /// Corrects the address that `controller` has of a person; `None` for an unknown one.
    pub async fn rectify(
        &self,
        operator: &Operator,
        subject: SubjectId,
        controller: &str,
        address: Address,
        why: &str,
        now: Timestamp,
    ) -> Result<Option<Rectification>, OfficeError> {
        self.authorise(operator, Action::Rectify)?;
        let why = reason(why)?;
        let rectification = NewRectification {
            subject,
            controller: controller.to_owned(),
            key: self.inner.store.keyring().lookup_key(&address),
            address,
            source: Source::Staff,
            at: now,
            evidence: staff(operator, why),
            line: Some(line(operator, Deed::Rectified, subject, controller, why, now)),
        };
        Ok(self.inner.store.rectify(rectification).await?)
    }

    /// Erases what `controller` has of a person; `None` for an unknown one.
    pub async fn erase(
        &self,
        operator: &Operator,
        subject: SubjectId,
        controller: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Option<Erasure>, OfficeError> {
        self.authorise(operator, Action::Erase)?;
        let why = reason(why)?;
        let erasure = NewErasure {
            subject,
            controller: controller.to_owned(),
            source: Source::Staff,
            at: now,
            evidence: staff(operator, why),
            line: Some(line(operator, Deed::PersonErased, subject, controller, why, now)),
        };
        Ok(self.inner.store.erase_person(erasure).await?)
    }

    /// Restricts processing by `controller`, or lifts it (GDPR Art. 18(3): tell the person before). False when it is so already, or
    /// the person is unknown.
    pub async fn restrict(
        &self,
        operator: &Operator,
        subject: SubjectId,
        controller: &str,
        restricted: bool,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, OfficeError> {
        self.authorise(operator, Action::Restrict)?;
        let (why, store) = (reason(why)?, &self.inner.store);
        let Some(shelf) = store.shelf(subject, controller).await? else { return Ok(false) };
        let word = if restricted { "restricted" } else { "unrestricted" };
        let fact = NewFact {
            key: shelf.key,
            controller: controller.to_owned(),
            told: if restricted { Told::Restricted } else { Told::Unrestricted },
            fact: Fact { teller: Some(Teller::Staff), ..Fact::default() },
            notice: None,
            source: Source::Staff,
            at: now,
            evidence: staff(operator, why),
            once: None,
            line: Some(line(operator, Deed::Restricted, subject, &format!("{word} by {controller}"), why, now)),
        };
        Ok(store.tell(fact).await? == TellAnswer::Done)
    }
}

/// The operator's own address and browser are no evidence of the person's will.
fn staff(operator: &Operator, why: &str) -> ChoiceEvidence {
    ChoiceEvidence { staff: Some(operator.name.clone()), note: Some(why.to_owned()), ..ChoiceEvidence::default() }
}

fn line(operator: &Operator, deed: Deed, subject: SubjectId, what: &str, why: &str, at: Timestamp) -> NewAuditLine {
    let reason = Some(format!("{what}: {why}"));
    NewAuditLine { at, operator: Some(operator.id), deed, object: Some(Object::Subject(subject)), reason }
}
