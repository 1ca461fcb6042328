//! `/c/{token}`: the page behind the link of a confirmation mail. Looking changes nothing, only a button that a person
//! presses does (L-DOI-03); yes and no are equally easy (S1-17). How sure it is that a person pressed is `consent`'s
//! business (`PressGrade`).

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::answer::Answers;
use super::content::Content;
use super::form;
use super::page::Page;
use super::visitor::Visitor;
use crate::consent::{OptIn, PressGrade};
use crate::desk::{AskedFor, OptInPage, Press, StoreError};

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    Router::new()
        .route("/c/{token}", get(show).post(act))
        .route("/c/{token}/", get(show).post(act))
        .layer(DefaultBodyLimit::max(form::LIMIT))
        .with_state(answers)
}

/// The page with the buttons, or why there are none.
async fn show(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Path(token): Path<String>) -> Response {
    let now = Timestamp::now();
    let found = answers.desk.opt_in(&token, now).await;
    respond(&answers, &visitor, &token, now, false, found)
}

async fn act(
    State(answers): State<Answers>,
    Extension(visitor): Extension<Visitor>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let pairs = match body {
        Ok(body) => form::pairs(&headers, &body).await,
        Err(rejection) => return answers.refusal(Page::Invalid, rejection.status(), &visitor, ""),
    };
    // A form that a script sends names no button: it gets the page like an empty one.
    let answer = match pairs.as_deref() {
        Some(pairs) if form::has(pairs, "answer", "yes") => Some(true),
        Some(pairs) if form::has(pairs, "answer", "no") => Some(false),
        Some(pairs) if form::value(pairs, "answer").is_none() => None,
        _ => return answers.refusal(Page::Invalid, StatusCode::BAD_REQUEST, &visitor, ""),
    };
    let stamp = pairs.as_deref().and_then(|pairs| form::value(pairs, "stamp")).unwrap_or_default();
    let now = Timestamp::now();
    let found = match answers.desk.opt_in(&token, now).await {
        Ok(found) => found,
        Err(error) => return answers.unavailable(&visitor, &error),
    };
    let pressed = match &found {
        OptInPage::Open(asked) => press(&answers, &visitor, &token, stamp, asked, now),
        // There are no buttons any more; a no that comes late still counts.
        _ => PressGrade::of(visitor.navigation, 0).map(|grade| Press { page: String::new(), grade, dwell_ms: 0 }),
    };
    let actor = visitor.clone().actor();
    let outcome = match (answer, pressed, found) {
        (Some(true), Some(press), OptInPage::Open(_)) => answers.desk.confirm(&token, actor, press, now).await,
        (Some(false), Some(_), _) => answers.desk.decline(&token, actor, now).await,
        (_, _, found) => return respond(&answers, &visitor, &token, now, true, Ok(found)),
    };
    respond(&answers, &visitor, &token, now, false, outcome)
}

/// The press of a button of the page as it is now; `None` when nobody looked at that page, or a script did the pressing.
fn press(answers: &Answers, visitor: &Visitor, token: &str, stamp: &str, asked: &AskedFor, now: Timestamp) -> Option<Press> {
    let page = bare(answers, asked)?;
    let dwell_ms = answers.desk.shown_ms_ago(&purpose(token, &page), stamp, now)?;
    let grade = PressGrade::of(visitor.navigation, dwell_ms)?;
    Some(Press { page, grade, dwell_ms })
}

/// The page as everybody gets it, in the language of the sign-up, without token and stamp. It goes into the evidence.
fn bare(answers: &Answers, asked: &AskedFor) -> Option<String> {
    answers.html(Page::Confirm, asked.language, asked.controller.as_ref(), &content(asked))
}

/// Binds a stamp to the link and to the page, so that the page in the evidence is the one that was shown.
fn purpose(token: &str, page: &str) -> String {
    let version: String = Sha256::digest(page).iter().map(|octet| format!("{octet:02x}")).collect();
    format!("confirm {token} {version}")
}

fn respond(
    answers: &Answers,
    visitor: &Visitor,
    token: &str,
    now: Timestamp,
    again: bool,
    outcome: Result<OptInPage, StoreError>,
) -> Response {
    let (page, status, asked) = match outcome {
        Ok(OptInPage::Open(asked)) => (Page::Confirm, StatusCode::OK, asked),
        Ok(OptInPage::Confirmed(asked)) => (Page::Confirmed, StatusCode::OK, asked),
        Ok(OptInPage::Declined(asked)) => (Page::Declined, StatusCode::OK, asked),
        Ok(OptInPage::Expired(asked)) => (Page::Expired, StatusCode::GONE, asked),
        Ok(OptInPage::Voided(asked)) => (Page::Voided, StatusCode::GONE, asked),
        Ok(OptInPage::Unknown) => return answers.refusal(Page::ConfirmUnknown, StatusCode::NOT_FOUND, visitor, ""),
        Err(error) => return answers.unavailable(visitor, &error),
    };
    let bare = (page == Page::Confirm).then(|| bare(answers, &asked)).flatten();
    let stamp = bare.map(|bare| answers.desk.stamp(&purpose(token, &bare), now)).unwrap_or_default();
    let content = Content { stamp, again, ..content(&asked) };
    answers.page(page, status, asked.language, asked.controller.as_ref(), &content)
}

fn content(asked: &AskedFor) -> Content<'_> {
    Content {
        controller: asked.controller_name(),
        privacy_url: asked.controller.as_ref().map_or("", |controller| &controller.privacy_url),
        topics: asked.topics.iter().map(String::as_str).collect(),
        tracking: asked.tracking,
        at: Some(asked.requested_at),
        valid_days: OptIn::LIFETIME.as_hours() / 24,
        ..Content::default()
    }
}
