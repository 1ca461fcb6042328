//! Requests to exercise a right that come in by the person's own page or by another system, and how the register looks to
//! machines. Operators go through the office.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Access, Desk, PersonError, StoreError};
use crate::consent::{RequestDoor, RequestId, Right, RightsRequest};
use crate::mail::Address;
use crate::store::{Deed, NewAuditLine, NewRequest, Object, RequestFilter};

impl Desk {
    /// Enters what the owner of a mailbox asks for; the last day of its term. One that waits already is not entered twice.
    pub async fn ask_for(&self, access: &Access, right: Right, now: Timestamp) -> Result<Date, StoreError> {
        let (subject, controller) = access.whose();
        let store = &self.inner.store;
        let asked = store.requests_of(subject, controller).await?;
        if let Some(waiting) = asked.iter().find(|request| request.right == right && request.closed().is_none()) {
            return Ok(waiting.due_on());
        }
        let (door, controller) = (RequestDoor::Page, controller.to_owned());
        let new = NewRequest { subject: Some(subject), controller, right, door, received: now, at: now, by: None, note: None };
        store.open_request(new, None).await?;
        tracing::info!(%subject, right = right.as_str(), "a person asks for a right");
        Ok(RightsRequest::due(now, false))
    }

    /// Enters what another system was asked for.
    pub async fn enter_request(
        &self,
        address: &Address,
        controller: &str,
        right: Right,
        token: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<RequestId, PersonError> {
        self.inner.catalogue.controller(controller).ok_or(PersonError::Controller)?;
        let store = &self.inner.store;
        let subject = store.standing(store.keyring().lookup_key(address)).await?.map(|(subject, _)| subject);
        let said = Some(format!("{controller}, {} (API, {token}): {why}", right.as_str()));
        let line = NewAuditLine { at: now, operator: None, deed: Deed::RequestEntered, object: subject.map(Object::Subject), reason: said };
        let new = NewRequest {
            subject,
            controller: controller.to_owned(),
            right,
            door: RequestDoor::Api,
            received: now,
            at: now,
            by: Some(token.to_owned()),
            note: Some(why.to_owned()),
        };
        Ok(store.open_request(new, Some(line)).await?)
    }

    /// The requests that wait, the next to be answered first.
    pub async fn open_requests(&self, filter: &RequestFilter) -> Result<Vec<RightsRequest>, StoreError> {
        self.inner.store.open_requests(filter).await
    }
}

/// A request as machines see it: nothing that anybody wrote.
pub fn request_value(request: &RightsRequest) -> Value {
    let step = |taken: &crate::consent::StepTaken| json!({ "at": taken.at, "step": taken.step.as_str(), "by": taken.by });
    json!({
        "id": request.id.to_string(),
        "subject": request.subject.map(|subject| subject.to_string()),
        "controller": request.controller,
        "right": request.right.as_str(),
        "door": request.door.as_str(),
        "received": request.received,
        "due": request.due_on(),
        "extended": request.is_extended(),
        "identity_doubted": request.is_doubted(),
        "state": request.closed().map_or("open", |taken| taken.step.as_str()),
        "steps": request.steps.iter().map(step).collect::<Vec<_>>(),
    })
}
