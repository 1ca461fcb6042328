//! `POST /api/v1/subjects/…` and `/api/v1/requests`: the rights of a person on the word of another system. Each is on record before it is done. By POST
//! because no address may stand in a URL (I8).

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{authorise, field, media_type, whole};
use super::dossier::download;
use super::problem::Problem;
use crate::consent::{Language, Right, RightsRequest};
use crate::desk::{Desk, PersonError, Rectification, RequestFilter, Scope, request_value};
use crate::mail::Address;

/// Most octets of a body.
const BODY_LIMIT: usize = 16 * 1024;
/// Most characters of a reason.
const REASON_LIMIT: usize = 500;

pub(super) fn router<S>(desk: Desk) -> Router<S> {
    Router::new()
        .route("/v1/subjects/access", post(access))
        .route("/v1/subjects/erasure", post(erase))
        .route("/v1/subjects/restriction", post(restrict))
        .route("/v1/subjects/rectification", post(rectify))
        .route("/v1/requests", get(requests).post(enter))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(desk)
}

/// Whom it concerns.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    email: String,
    controller: String,
    reason: String,
    /// For a restriction only: false lifts it.
    restricted: Option<bool>,
    /// For a rectification only: the right address.
    new_email: Option<String>,
    /// For a request only: which right.
    right: Option<String>,
}

async fn access(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let token = authorise(&desk, &headers, Scope::SubjectAccess).await?;
    let (address, asked) = read(&headers, body)?;
    let dossier = desk.hand_over(&address, &asked.controller, &token.name, &asked.reason, Timestamp::now()).await.map_err(refusal)?;
    Ok(download(dossier))
}

async fn erase(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let token = authorise(&desk, &headers, Scope::SubjectErasure).await?;
    let (address, asked) = read(&headers, body)?;
    let done = desk.erase(&address, &asked.controller, &token.name, &asked.reason, Timestamp::now()).await.map_err(refusal)?;
    let answer =
        |language| desk.erasure_answer(&done, &asked.controller, language).map(Value::from).unwrap_or_else(|error| unwritten(&error));
    Ok(Json(json!({
        "erased_at": done.at,
        "contact_data": if done.contact_gone { "destroyed" } else { "needed_by_another_controller" },
        "evidence": done.evidence.as_str(),
        "answer": { "de": answer(Language::DE), "en": answer(Language::EN) },
    }))
    .into_response())
}

async fn restrict(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let token = authorise(&desk, &headers, Scope::SubjectRestriction).await?;
    let (address, asked) = read(&headers, body)?;
    let restricted = asked.restricted.ok_or_else(|| field("restricted", "is missing", "give true, or false to lift a restriction"))?;
    let now = Timestamp::now();
    desk.restrict(&address, &asked.controller, restricted, &token.name, &asked.reason, now).await.map_err(refusal)?;
    Ok(Json(json!({ "restricted": restricted })).into_response())
}

async fn rectify(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let token = authorise(&desk, &headers, Scope::SubjectRectification).await?;
    let (address, asked) = read(&headers, body)?;
    let new = asked.new_email.as_deref().unwrap_or_default().trim();
    let new = Address::parse(new).map_err(|error| field("new_email", &error.to_string(), "give the right mailbox address"))?;
    let done = desk.rectify(&address, new, &asked.controller, &token.name, &asked.reason, Timestamp::now()).await.map_err(refusal)?;
    let answer =
        |language| desk.rectification_answer(&done, &asked.controller, language).map(Value::from).unwrap_or_else(|error| unwritten(&error));
    Ok(Json(json!({
        "same_mailbox": done == Rectification::Spelling,
        "consent": "does not move",
        "answer": { "de": answer(Language::DE), "en": answer(Language::EN) },
    }))
    .into_response())
}

/// Enters what a person asked that system for; the answer says by when, and nothing about whether anything is on record.
async fn enter(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let token = authorise(&desk, &headers, Scope::Requests).await?;
    let (address, asked) = read(&headers, body)?;
    let right = asked.right.as_deref().and_then(Right::parse);
    let words = Right::ALL.map(Right::as_str).join(", ");
    let right = right.ok_or_else(|| field("right", "is none of the rights", &format!("give one of: {words}")))?;
    let now = Timestamp::now();
    let id = desk.enter_request(&address, &asked.controller, right, &token.name, &asked.reason, now).await.map_err(refusal)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id.to_string(), "due": RightsRequest::due(now, false) }))).into_response())
}

/// What waits for an answer, the next to be answered first.
async fn requests(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response, Problem> {
    authorise(&desk, &headers, Scope::Requests).await?;
    let open = desk.open_requests(&RequestFilter::default()).await.map_err(|error| Problem::unavailable(&error))?;
    Ok(Json(json!({ "open": open.iter().map(request_value).collect::<Vec<_>>() })).into_response())
}

fn unwritten(error: &minijinja::Error) -> Value {
    tracing::error!(%error, "the answer for a person was not written");
    Value::Null
}

fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(Address, Asked), Problem> {
    if !media_type(headers).eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json"));
    }
    // What serde says of a value may repeat it, and it may be an address.
    let misfit = |_| Problem::new(StatusCode::BAD_REQUEST, "send a JSON object with the texts email, controller and reason");
    let asked: Asked = serde_json::from_slice(&whole(body, BODY_LIMIT)?).map_err(misfit)?;
    let address = Address::parse(asked.email.trim()).map_err(|error| field("email", &error.to_string(), "give one mailbox address"))?;
    let reason = asked.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_LIMIT {
        return Err(field("reason", "is missing or too long", "say in up to 500 characters how the person's wish came in"));
    }
    Ok((address, asked))
}

fn refusal(error: PersonError) -> Problem {
    match error {
        PersonError::Unknown => Problem::new(StatusCode::NOT_FOUND, error.to_string()),
        PersonError::Controller => field("controller", "is not configured", "give the key of a controller"),
        PersonError::Store(error) => Problem::unavailable(&error),
    }
}
