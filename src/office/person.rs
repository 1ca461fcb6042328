//! What operators may see of a person and do for them. Nothing here grants (I5); nothing here shows an address, an IP
//! address or a mail without a line in the audit log.

use jiff::Timestamp;

use super::{Action, Deed, Object, Office, OfficeError, Operator, WithdrawAnswer, reason};
use crate::consent::{ChoiceEvidence, Event, Source, Standing, SubjectId};
use crate::mail::Address;
use crate::store::{DecisionFilter, DecisionRow, NewWithdrawal, Stop};

/// Decisions shown with a person.
const RECENT: u32 = 25;

/// A person as the office sees them: what happened, and what follows from it.
pub struct Person {
    /// Who, without saying it.
    pub subject: SubjectId,
    /// The address, masked; `None` when nobody gave one, or it was erased.
    pub masked: Option<String>,
    /// What happened, in order, without the evidence.
    pub events: Vec<Event>,
    /// What follows from it.
    pub standing: Standing,
    /// The latest decisions about mails to this person, newest first.
    pub decisions: Vec<DecisionRow>,
}

impl Office {
    /// The subject of an address; the log names the subject and never the address.
    pub async fn find_subject(&self, operator: &Operator, address: &Address, now: Timestamp) -> Result<Option<SubjectId>, OfficeError> {
        self.authorise(operator, Action::FindSubject)?;
        let store = &self.inner.store;
        let subject = store.standing(store.keyring().lookup_key(address)).await?.map(|(subject, _)| subject);
        self.record(operator, Deed::SubjectSearched, subject.map(Object::Subject), None, now).await?;
        Ok(subject)
    }

    /// What is on record about a person, masked; `None` for an unknown one.
    pub async fn person(&self, operator: &Operator, subject: SubjectId) -> Result<Option<Person>, OfficeError> {
        self.authorise(operator, Action::SubjectTimeline)?;
        let store = &self.inner.store;
        let Some(standing) = store.standing_of(subject).await? else { return Ok(None) };
        let masked = store.address(subject).await?.map(|address| address.masked());
        let events = self.timeline(operator, subject).await?;
        let filter = DecisionFilter { subject: Some(subject), ..DecisionFilter::default() };
        let decisions = store.search_decisions(&filter, None, RECENT).await?.rows;
        Ok(Some(Person { subject, masked, events, standing, decisions }))
    }

    /// What happened to a person's consent, without the evidence.
    pub(super) async fn timeline(&self, operator: &Operator, subject: SubjectId) -> Result<Vec<Event>, OfficeError> {
        self.authorise(operator, Action::SubjectTimeline)?;
        Ok(self.inner.store.timeline(subject).await?)
    }

    /// What happened, with the evidence in full (R-04, L-PRV-03).
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

    /// Stops mail on behalf of a person who called or wrote (S0-12, L-OBJ-02). It is in force when this returns (I3).
    pub async fn withdraw(
        &self,
        operator: &Operator,
        subject: SubjectId,
        controller: &str,
        stop: Stop,
        why: &str,
        now: Timestamp,
    ) -> Result<WithdrawAnswer, OfficeError> {
        self.authorise(operator, Action::Withdraw)?;
        let why = reason(why)?;
        let deed = if stop == Stop::Advertising { Deed::Objected } else { Deed::Withdrew };
        self.record(operator, deed, Some(Object::Subject(subject)), Some(why), now).await?;
        // The operator's own address and browser are no evidence of the person's will.
        let evidence = ChoiceEvidence { staff: Some(operator.name.clone()), note: Some(why.to_owned()), ..ChoiceEvidence::default() };
        let withdrawal = NewWithdrawal { subject, controller: controller.to_owned(), stop, source: Source::Staff, at: now, evidence };
        Ok(self.inner.store.withdraw(withdrawal).await?)
    }
}
