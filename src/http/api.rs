//! `/api/v1`: what tools ask for, with a bearer token. Every error is a problem document.

use std::borrow::Cow;
use std::error::Error;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::json;

use super::extract::Token;
use super::problem::Problem;
use crate::consent::DecisionId;
use crate::desk::{ApiToken, Desk, FieldProblem, Scope, SignUp, SignUpError, decision_value};

/// Most octets of a body: a consent text of 16 KiB in which every character is escaped, and the rest.
const BODY_LIMIT: usize = 128 * 1024;
/// Decisions on one page, unless asked otherwise.
const PAGE: u32 = 50;
/// Most decisions on one page.
const PAGE_LIMIT: u32 = 500;

pub(super) fn router<S>(desk: Desk) -> Router<S> {
    Router::new()
        .route("/v1/opt-ins", post(start_opt_in))
        .route("/v1/decisions", get(decisions))
        .route("/v1/decisions/{reference}", get(decision))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(desk)
}

/// Starts a double opt-in. The answer is the same for every address (DESIGN.md section 4).
async fn start_opt_in(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let token = authorise(&desk, &headers, Scope::OptIn).await?;
    let sign_up = read(&headers, body)?;
    match desk.sign_up(&sign_up, &token.name, Timestamp::now()).await {
        Ok(()) => Ok((StatusCode::ACCEPTED, Json(json!({ "status": "accepted" }))).into_response()),
        Err(SignUpError::Fields(problems)) => Err(Problem::fields(problems)),
        Err(error @ SignUpError::TooMany) => Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())),
        Err(SignUpError::Store(error)) => Err(Problem::unavailable(&error)),
        Err(error @ (SignUpError::Compose(_) | SignUpError::Sign(_))) => {
            tracing::error!(%error, "confirmation mail not composed");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the confirmation mail could not be composed; nothing was stored"))
        }
    }
}

/// Which decisions.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    before: Option<String>,
    limit: Option<u32>,
}

async fn decisions(State(desk): State<Desk>, headers: HeaderMap, range: Result<Query<Range>, QueryRejection>) -> Result<Response, Problem> {
    authorise(&desk, &headers, Scope::Decisions).await?;
    let Query(range) = range.map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
    let before = match range.before.as_deref().map(DecisionId::parse) {
        None => None,
        Some(Some(id)) => Some(id),
        Some(None) => return Err(field("before", "is no decision id", "give the ref of a decision, or leave it out")),
    };
    let limit = range.limit.unwrap_or(PAGE);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(field("limit", "is out of range", &format!("give 1 to {PAGE_LIMIT}")));
    }
    let rows = desk.decisions(before, limit).await.map_err(|error| Problem::unavailable(&error))?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|row| format!("/api/v1/decisions?before={}&limit={limit}", row.decision.id));
    Ok(Json(json!({ "decisions": rows.iter().map(decision_value).collect::<Vec<_>>(), "next": next })).into_response())
}

async fn decision(State(desk): State<Desk>, headers: HeaderMap, Token(reference): Token) -> Result<Response, Problem> {
    authorise(&desk, &headers, Scope::Decisions).await?;
    match desk.decision(&reference).await {
        Ok(Some(row)) => Ok(Json(decision_value(&row)).into_response()),
        Ok(None) => Err(Problem::new(StatusCode::NOT_FOUND, "there is no decision with this ref")),
        Err(error) => Err(Problem::unavailable(&error)),
    }
}

/// Who asks, if they may.
pub(super) async fn authorise(desk: &Desk, headers: &HeaderMap, needed: Scope) -> Result<ApiToken, Problem> {
    let token = bearer(desk, headers).await?;
    if token.scopes.contains(&needed) { Ok(token) } else { Err(Problem::forbidden(needed)) }
}

/// Who asks, whatever they may.
pub(super) async fn bearer(desk: &Desk, headers: &HeaderMap) -> Result<ApiToken, Problem> {
    let given = headers.get(header::AUTHORIZATION).ok_or_else(|| Problem::unauthenticated(false))?;
    let text = given.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, text) = text.ok_or_else(|| Problem::unauthenticated(false))?;
    let token = desk.api_token(text.trim()).await.map_err(|error| Problem::unavailable(&error))?;
    token.ok_or_else(|| Problem::unauthenticated(true))
}

/// Without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

/// The body, unless it is longer than the route takes.
pub(super) fn whole(body: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have at most {limit} octets")),
        status => Problem::new(status, "the body could not be read"),
    })
}

fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<SignUp, Problem> {
    if !media_type(headers).eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json"));
    }
    let body = whole(body, BODY_LIMIT)?;
    match Json::from_bytes(&body) {
        Ok(Json(sign_up)) => Ok(sign_up),
        Err(JsonRejection::JsonDataError(error)) => Err(misfit(&error)),
        Err(rejection) => Err(Problem::new(StatusCode::BAD_REQUEST, cause(&rejection))),
    }
}

/// JSON of the wrong shape: `topics[0]: invalid type: integer …`, or `unknown field …`.
fn misfit(error: &dyn Error) -> Problem {
    let text = cause(error);
    let (field, problem) = match text.split_once(": ") {
        Some((path, rest)) if !path.contains(' ') => (path.to_owned(), rest.to_owned()),
        _ => (text.split('`').nth(1).unwrap_or("body").to_owned(), text.clone()),
    };
    // A value of the wrong type may be personal; what was expected says enough.
    let problem = match problem.rsplit_once(", expected ") {
        Some((said, expected)) if said.starts_with("invalid ") || said.starts_with("unknown variant ") => {
            format!("is not what is expected: {expected}")
        }
        _ => problem,
    };
    let mend = "send a JSON object with the documented fields and types".to_owned();
    Problem::fields(vec![FieldProblem { field: Cow::Owned(field), problem, mend }])
}

/// The innermost text that still names the place.
fn cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

pub(super) fn field(name: &'static str, problem: &str, mend: &str) -> Problem {
    Problem::fields(vec![FieldProblem { field: Cow::Borrowed(name), problem: problem.to_owned(), mend: mend.to_owned() }])
}
