//! The register of requests by persons, as operators work with it: what came by letter is entered, terms are extended, requests
//! answered or refused by hand. Whoever carries a right out closes its request by that (`rights`).

use std::time::Duration;

use jiff::Timestamp;

use super::{Action, Deed, Object, Office, OfficeError, Operator, StoreError, reason};
use crate::consent::{RequestDoor, RequestId, RequestStep, Right, RightsRequest, StepFault};
use crate::mail::Address;
use crate::store::{NewAuditLine, NewRequest, NewStep, Pressing, RequestFilter};

/// How often the terms are looked at.
const PAUSE: Duration = Duration::from_secs(6 * 3_600);

/// What came by letter, e-mail or telephone.
pub struct ByHand<'a> {
    /// The address that the person gave; `None` without one.
    pub address: Option<&'a Address>,
    /// Key of the controller that must answer.
    pub controller: &'a str,
    /// Which right.
    pub right: Right,
    /// How it came in.
    pub door: RequestDoor,
    /// When the controller received it.
    pub received: Timestamp,
    /// How to find the letter again.
    pub why: &'a str,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No such request.
    #[error("there is no such request")]
    Unknown,
    /// It came in after now.
    #[error("a request cannot have come in after today")]
    NotYet,
    /// The law, or the register, says no.
    #[error(transparent)]
    Fault(#[from] StepFault),
    /// As for every deed.
    #[error(transparent)]
    Office(#[from] OfficeError),
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Office(error.into())
    }
}

impl Office {
    /// Open requests that match, the next to be answered first.
    pub async fn open_requests(&self, operator: &Operator, filter: &RequestFilter) -> Result<Vec<RightsRequest>, OfficeError> {
        self.authorise(operator, Action::Requests)?;
        Ok(self.inner.store.open_requests(filter).await?)
    }

    /// Closed requests that match, before that one or the newest; newest first.
    pub async fn closed_requests(
        &self,
        operator: &Operator,
        filter: &RequestFilter,
        before: Option<RequestId>,
        limit: u32,
    ) -> Result<Vec<RightsRequest>, OfficeError> {
        self.authorise(operator, Action::Requests)?;
        Ok(self.inner.store.closed_requests(filter, before, limit).await?)
    }

    /// One request.
    pub async fn request(&self, operator: &Operator, id: RequestId) -> Result<Option<RightsRequest>, OfficeError> {
        self.authorise(operator, Action::Requests)?;
        Ok(self.inner.store.request_of(id).await?)
    }

    /// How many must be answered within days, or should have been; nothing for whom it is no business of.
    pub async fn pressing(&self, operator: &Operator, now: Timestamp) -> Result<Pressing, OfficeError> {
        match self.authorise(operator, Action::Requests) {
            Ok(()) => Ok(self.inner.store.pressing(now).await?),
            Err(_) => Ok(Pressing::default()),
        }
    }

    /// Enters a request. The address is not kept: only whose it is, where anything is on record about it.
    pub async fn enter_request(&self, operator: &Operator, new: ByHand<'_>, now: Timestamp) -> Result<RequestId, RequestError> {
        self.authorise(operator, Action::Requests)?;
        let why = reason(new.why)?;
        if new.received > now {
            return Err(RequestError::NotYet);
        }
        let store = &self.inner.store;
        let subject = match new.address {
            Some(address) => store.standing(store.keyring().lookup_key(address)).await?.map(|(subject, _)| subject),
            None => None,
        };
        let said = format!("{}, {}: {why}", new.controller, new.right.as_str());
        let (at, operator, object, by) = (now, Some(operator.id), subject.map(Object::Subject), Some(operator.name.clone()));
        let line = NewAuditLine { at, operator, deed: Deed::RequestEntered, object, reason: Some(said) };
        let entered = NewRequest {
            subject,
            controller: new.controller.to_owned(),
            right: new.right,
            door: new.door,
            received: new.received,
            at,
            by,
            note: Some(why.to_owned()),
        };
        Ok(store.open_request(entered, Some(line)).await?)
    }

    /// Takes a step of a request.
    pub async fn step_request(
        &self,
        operator: &Operator,
        id: RequestId,
        step: RequestStep,
        why: &str,
        now: Timestamp,
    ) -> Result<(), RequestError> {
        self.authorise(operator, Action::HandleRequests)?;
        let why = reason(why)?;
        let request = self.inner.store.request_of(id).await?.ok_or(RequestError::Unknown)?;
        let said = format!("{}, {}: {}: {why}", request.controller, request.right.as_str(), step.as_str());
        let object = request.subject.map(Object::Subject);
        let line = NewAuditLine { at: now, operator: Some(operator.id), deed: Deed::RequestHandled, object, reason: Some(said) };
        let taken = NewStep { request: id, step, at: now, by: &operator.name, note: why };
        Ok(self.inner.store.step_request(taken, line).await?.ok_or(RequestError::Unknown)??)
    }

    /// Tells the log of requests whose term ends, at once and then four times a day, until `shutdown`.
    pub async fn watch_terms(self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            match self.inner.store.pressing(Timestamp::now()).await {
                Ok(Pressing { overdue: 0, soon: 0 }) => {}
                Ok(Pressing { overdue, soon }) => {
                    tracing::warn!(overdue, soon, "requests of persons wait for an answer: see /admin/requests");
                }
                Err(error) => tracing::error!(%error, "the terms of requests were not looked at; the next try is in six hours"),
            }
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}
