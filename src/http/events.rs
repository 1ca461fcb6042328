//! `POST /api/v1/events`: what other systems know. One event, a list of them, or one a line; each is taken or refused by
//! itself, and nothing in an answer tells whether the address was known.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{bearer, media_type, whole};
use super::problem::{Document, Problem};
use crate::consent::Teller;
use crate::desk::{Desk, Informant, Scope, TellError};

/// Most octets of a body.
const BODY_LIMIT: usize = 1024 * 1024;
/// Most events of one request.
const MOST: usize = 500;

pub(super) fn router<S>(desk: Desk) -> Router<S> {
    Router::new().route("/v1/events", post(tell)).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(desk)
}

/// What came.
enum Asked {
    One(Value),
    /// A line that is no JSON is refused at its place; the others are taken.
    Many(Vec<Option<Value>>),
}

async fn tell(State(desk): State<Desk>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let token = bearer(&desk, &headers).await?;
    let teller = token.teller().ok_or_else(|| Problem::forbidden(Scope::Events(Teller::Crm)))?;
    let informant = Informant { teller, name: &token.name, audited: false };
    match read(&headers, body)? {
        Asked::One(event) => {
            desk.tell(&event, informant, Timestamp::now()).await.map_err(refusal)?;
            Ok((StatusCode::ACCEPTED, Json(json!({ "status": "accepted" }))).into_response())
        }
        Asked::Many(events) => Ok(Json(each(&desk, &events, informant).await).into_response()),
    }
}

/// What became of one of many.
#[derive(serde::Serialize)]
struct Item<'a> {
    index: usize,
    #[serde(flatten)]
    problem: Document<'a>,
}

/// Only what was refused is listed.
async fn each(desk: &Desk, events: &[Option<Value>], informant: Informant<'_>) -> Value {
    let mut refused = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let told = match event {
            Some(event) => desk.tell(event, informant, Timestamp::now()).await.map_err(refusal),
            None => Err(no_json()),
        };
        if let Err(problem) = told {
            let away = problem.status() == StatusCode::SERVICE_UNAVAILABLE;
            refused.push((index, problem));
            if away {
                // Each would wait in vain.
                refused.extend((index + 1..events.len()).map(|index| (index, not_tried())));
                break;
            }
        }
    }
    let items: Vec<Item<'_>> = refused.iter().map(|(index, problem)| Item { index: *index, problem: problem.document() }).collect();
    json!({ "accepted": events.len() - items.len(), "refused": items })
}

fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Asked, Problem> {
    let kind = media_type(headers).to_ascii_lowercase();
    let is_lines = kind == "application/x-ndjson";
    if !is_lines && kind != "application/json" {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send Content-Type: application/json, or application/x-ndjson for one event a line",
        ));
    }
    let body = whole(body, BODY_LIMIT)?;
    let asked = if is_lines {
        let lines = body.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        Asked::Many(lines.map(|line| serde_json::from_slice(line).ok()).collect())
    } else {
        match serde_json::from_slice(&body) {
            Ok(Value::Array(events)) => Asked::Many(events.into_iter().map(Some).collect()),
            Ok(event) => Asked::One(event),
            Err(_) => return Err(no_json()),
        }
    };
    match &asked {
        Asked::Many(events) if events.len() > MOST => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a request may have at most {MOST} events; nothing was stored")))
        }
        _ => Ok(asked),
    }
}

fn no_json() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "this is no JSON")
}

fn not_tried() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the consent ledger did not answer before; send this event again later")
}

fn refusal(error: TellError) -> Problem {
    match error {
        TellError::Fields(problems) => Problem::fields(problems),
        TellError::Store(error) => Problem::unavailable(&error),
        error @ (TellError::Consent | TellError::NotTheirs(..)) => Problem::new(StatusCode::FORBIDDEN, error.to_string()),
        error @ TellError::IdTaken => Problem::new(StatusCode::CONFLICT, error.to_string()),
    }
}
