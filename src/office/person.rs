//! What operators may see of a person and do for them. Nothing here grants (I5); nothing here shows an address, an IP
//! address or a mail without a line in the audit log.

use jiff::Timestamp;

use super::{Action, Deed, Object, Office, OfficeError, Operator, WithdrawAnswer, reason};
use crate::consent::{ChoiceEvidence, Event, Source, SubjectId, Topic};
use crate::mail::Address;
use crate::store::{NewWithdrawal, Stop};

impl Office {
    /// The subject of an address; the log names the subject and never the address.
    pub async fn find_subject(&self, operator: &Operator, address: &Address, now: Timestamp) -> Result<Option<SubjectId>, OfficeError> {
        self.authorise(operator, Action::FindSubject)?;
        let store = &self.inner.store;
        let subject = store.standing(store.keyring().lookup_key(address)).await?.map(|(subject, _)| subject);
        self.record(operator, Deed::SubjectSearched, subject.map(Object::Subject), None, now).await?;
        Ok(subject)
    }

    /// What happened to a person's consent, without the evidence.
    pub async fn timeline(&self, operator: &Operator, subject: SubjectId) -> Result<Vec<Event>, OfficeError> {
        self.authorise(operator, Action::SubjectTimeline)?;
        let events = self.inner.store.events(subject).await?;
        Ok(events.into_iter().map(|event| Event { evidence: None, ..event }).collect())
    }

    /// The same with the evidence in full (R-04, L-PRV-03).
    pub async fn evidence(&self, operator: &Operator, subject: SubjectId, now: Timestamp) -> Result<Vec<Event>, OfficeError> {
        self.authorise(operator, Action::Evidence)?;
        self.record(operator, Deed::EvidenceRead, Some(Object::Subject(subject)), None, now).await?;
        Ok(self.inner.store.events(subject).await?)
    }

    /// A person's address; `None` when nobody gave one, or it was erased.
    pub async fn reveal_address(
        &self,
        operator: &Operator,
        subject: SubjectId,
        why: &str,
        now: Timestamp,
    ) -> Result<Option<Address>, OfficeError> {
        self.authorise(operator, Action::RevealAddress)?;
        self.record(operator, Deed::AddressRevealed, Some(Object::Subject(subject)), Some(reason(why)?), now).await?;
        Ok(self.inner.store.address(subject).await?)
    }

    /// Withdraws consent to these topics on behalf of a person, or objects for them where there are none (S0-12). It is in
    /// force when this returns (I3).
    pub async fn withdraw(
        &self,
        operator: &Operator,
        subject: SubjectId,
        controller: &str,
        topics: Vec<Topic>,
        why: &str,
        now: Timestamp,
    ) -> Result<WithdrawAnswer, OfficeError> {
        self.authorise(operator, Action::Withdraw)?;
        let why = reason(why)?;
        let deed = if topics.is_empty() { Deed::Objected } else { Deed::Withdrew };
        self.record(operator, deed, Some(Object::Subject(subject)), Some(why), now).await?;
        // The operator's own address and browser are no evidence of the person's will.
        let evidence = ChoiceEvidence { staff: Some(operator.name.clone()), note: Some(why.to_owned()), ..ChoiceEvidence::default() };
        let (controller, stop) = (controller.to_owned(), if topics.is_empty() { Stop::Advertising } else { Stop::Topics(topics) });
        Ok(self.inner.store.withdraw(NewWithdrawal { subject, controller, stop, source: Source::Staff, at: now, evidence }).await?)
    }
}
