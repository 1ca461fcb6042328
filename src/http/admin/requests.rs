//! The register of requests by persons: what waits for an answer, the most urgent on top; what came by letter is entered here,
//! terms are extended, requests answered or refused. Carrying a right out is done from the person's page, and closes the request.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::{Value, context};

use super::super::extract::{Path, Query};
use super::subject::nobody;
use super::{Admin, Inside, Posted, see_other, time};
use crate::consent::{RequestDoor, RequestId, RequestStep, Right, RightsRequest, StepFault, StepTaken, Urgency};
use crate::mail::Address;
use crate::office::{ByHand, RequestError, RequestFilter};

/// Closed requests on one page.
const PAGE: u32 = 50;

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/requests", get(list).post(enter)).route("/requests/{id}", get(show)).route("/requests/{id}/step", post(step))
}

/// Which requests.
#[derive(serde::Deserialize, Default)]
struct Asked {
    #[serde(default)]
    controller: String,
    #[serde(default)]
    right: String,
    #[serde(default)]
    before: String,
}

/// What was done just before, to be told once.
#[derive(serde::Deserialize)]
struct Done {
    done: Option<String>,
}

async fn list(inside: Inside, Query(asked): Query<Asked>) -> Response {
    page(&inside, &asked, StatusCode::OK, None).await
}

async fn page(inside: &Inside, asked: &Asked, status: StatusCode, fault: Option<&str>) -> Response {
    let filter = RequestFilter { controller: asked.controller.clone(), right: Right::parse(&asked.right) };
    let (office, now) = (&inside.admin().office, Timestamp::now());
    let open = match office.open_requests(&inside.operator, &filter).await {
        Ok(open) => open,
        Err(error) => return inside.refused(&error),
    };
    let closed = match office.closed_requests(&inside.operator, &filter, RequestId::parse(&asked.before), PAGE).await {
        Ok(closed) => closed,
        Err(error) => return inside.refused(&error),
    };
    let next = closed.last().filter(|_| closed.len() == PAGE as usize).map(|last| last.id.to_string());
    let controllers =
        inside.desk().catalogue().controllers.iter().map(|own| context! { key => own.key.as_str(), name => own.name.as_str() });
    let values = context! {
        fault,
        open => open.iter().map(|request| row(inside, request, now)).collect::<Vec<_>>(),
        closed => closed.iter().map(|request| row(inside, request, now)).collect::<Vec<_>>(),
        next,
        controller => asked.controller.as_str(),
        right => filter.right.map(Right::as_str),
        controllers => controllers.collect::<Vec<_>>(),
        rights => Right::ALL.map(Right::as_str),
        doors => RequestDoor::BY_HAND.map(RequestDoor::as_str),
        today => now.to_zoned(TimeZone::UTC).date().to_string(),
    };
    inside.page_with(status, "requests.html", values)
}

async fn enter(inside: Inside, form: Posted) -> Response {
    let now = Timestamp::now();
    let all = Asked::default();
    let fault = |fault| page(&inside, &all, StatusCode::UNPROCESSABLE_ENTITY, Some(fault));
    let controller = form.value("controller");
    if inside.desk().catalogue().controller(controller).is_none() {
        return nobody(&inside);
    }
    let door = RequestDoor::parse(form.value("door")).filter(|door| RequestDoor::BY_HAND.contains(door));
    let (Some(right), Some(door)) = (Right::parse(form.value("right")), door) else { return nobody(&inside) };
    let address = match form.value("address").trim() {
        "" => None,
        text => match Address::parse(text) {
            Ok(address) => Some(address),
            Err(_) => return fault("address").await,
        },
    };
    let received = match form.value("received").parse::<Date>().map(|day| day.to_zoned(TimeZone::UTC)) {
        Ok(Ok(day)) => day.timestamp(),
        _ => return fault("received").await,
    };
    let new = ByHand { address: address.as_ref(), controller, right, door, received, why: form.value("reason") };
    match inside.admin().office.enter_request(&inside.operator, new, now).await {
        Ok(id) => see_other(&inside.path(&format!("/admin/requests/{id}?done=entered"))).into_response(),
        Err(RequestError::Office(error)) => inside.refused(&error),
        Err(_) => fault("not_yet").await,
    }
}

async fn show(inside: Inside, Path(id): Path<String>, Query(done): Query<Done>) -> Response {
    let done = done.done.filter(|word| word == "entered" || RequestStep::parse(word).is_some());
    one(&inside, &id, StatusCode::OK, context! { done }).await
}

async fn step(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let (Some(request), Some(step)) = (RequestId::parse(&id), RequestStep::parse(form.value("step"))) else { return nobody(&inside) };
    let fault = match inside.admin().office.step_request(&inside.operator, request, step, form.value("reason"), Timestamp::now()).await {
        Ok(()) => return see_other(&inside.path(&format!("/admin/requests/{request}?done={}", step.as_str()))).into_response(),
        Err(RequestError::Office(error)) => return inside.refused(&error),
        Err(RequestError::Unknown) => return nobody(&inside),
        Err(RequestError::Fault(StepFault::ExtendedBefore)) => "extended_before",
        Err(RequestError::Fault(StepFault::TooLate)) => "too_late",
        Err(RequestError::Fault(StepFault::Closed | StepFault::Entered) | RequestError::NotYet) => "closed",
    };
    one(&inside, &id, StatusCode::CONFLICT, context! { fault }).await
}

async fn one(inside: &Inside, id: &str, status: StatusCode, more: Value) -> Response {
    let Some(id) = RequestId::parse(id) else { return nobody(inside) };
    let request = match inside.admin().office.request(&inside.operator, id).await {
        Ok(Some(request)) => request,
        Ok(None) => return nobody(inside),
        Err(error) => return inside.refused(&error),
    };
    let now = Timestamp::now();
    let can = |step: &RequestStep| *step != RequestStep::Received && request.may(*step, now).is_ok();
    let is_needed = |step: &RequestStep| match step {
        RequestStep::IdentityProven => request.is_doubted(),
        RequestStep::IdentityDoubted => !request.is_doubted(),
        _ => true,
    };
    let steps = request.steps.iter().map(step_view).collect::<Vec<_>>();
    // What stands first wins.
    let values = context! { ..more, ..context! { done => (), fault => () } };
    inside.page_with(
        status,
        "request.html",
        context! {
            request => row(inside, &request, now),
            steps,
            can => RequestStep::ALL.iter().filter(|step| can(step) && is_needed(step)).map(|step| step.as_str()).collect::<Vec<_>>(),
            ..values
        },
    )
}

fn row(inside: &Inside, request: &RightsRequest, now: Timestamp) -> Value {
    let known = inside.desk().catalogue().controller(&request.controller);
    let closed = request.closed();
    let urgency = match request.urgency(now) {
        _ if closed.is_some() => "closed",
        Urgency::Overdue => "overdue",
        Urgency::Soon => "soon",
        Urgency::Later => "later",
    };
    context! {
        id => request.id.to_string(),
        subject => request.subject.map(|subject| subject.to_string()),
        controller => known.map_or(request.controller.as_str(), |known| &known.name),
        right => request.right.as_str(),
        door => request.door.as_str(),
        received => request.received.to_zoned(TimeZone::UTC).date().to_string(),
        due => request.due_on().to_string(),
        urgency,
        extended => request.is_extended(),
        doubted => request.is_doubted(),
        state => closed.map_or("open", |taken| taken.step.as_str()),
        closed => closed.map(|taken| time(taken.at)),
        by => request.steps.last().and_then(|taken| taken.by.as_deref()),
    }
}

fn step_view(taken: &StepTaken) -> Value {
    context! { at => time(taken.at), step => taken.step.as_str(), by => taken.by.as_deref(), note => taken.note.as_deref() }
}
