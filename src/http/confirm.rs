//! `/c/{token}`: the page behind the link of a confirmation mail. Looking changes nothing, only a
//! button does (L-DOI-03); yes and no are equally easy (S1-17).

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
use super::form;
use super::page::{Content, Page};
use super::visitor::Visitor;
use crate::consent::OptIn;
use crate::desk::{AskedFor, OptInPage, StoreError};

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    Router::new()
        .route("/c/{token}", get(show).post(act))
        .route("/c/{token}/", get(show).post(act))
        .layer(DefaultBodyLimit::max(form::LIMIT))
        .with_state(answers)
}

/// The page with the buttons, or why there are none.
async fn show(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Path(token): Path<String>) -> Response {
    let outcome = answers.desk.opt_in(&token, Timestamp::now()).await;
    respond(&answers, &visitor, outcome)
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
    let now = Timestamp::now();
    let actor = visitor.clone().actor();
    let outcome = match pairs {
        Some(pairs) if form::has(&pairs, "answer", "no") => answers.desk.decline(&token, actor, now).await,
        Some(pairs) if pairs.is_empty() || form::has(&pairs, "answer", "yes") => match page_version(&answers, &token, now).await {
            Ok(version) => answers.desk.confirm(&token, actor, version, now).await,
            Err(error) => Err(error),
        },
        _ => return answers.refusal(Page::Invalid, StatusCode::BAD_REQUEST, &visitor, ""),
    };
    respond(&answers, &visitor, outcome)
}

/// Content address of the page that held the button, as [`show`] gave it out. The page depends on
/// nothing but the opt-in: it is in the language of the sign-up and names no token.
async fn page_version(answers: &Answers, token: &str, now: Timestamp) -> Result<String, StoreError> {
    let html = match answers.desk.opt_in(token, now).await? {
        OptInPage::Open(asked) => answers.html(Page::Confirm, asked.language, asked.controller.as_ref(), &content(&asked)),
        _ => None, // nothing will be confirmed
    };
    Ok(Sha256::digest(html.unwrap_or_default()).iter().map(|octet| format!("{octet:02x}")).collect())
}

fn respond(answers: &Answers, visitor: &Visitor, outcome: Result<OptInPage, StoreError>) -> Response {
    let (page, status, asked) = match outcome {
        Ok(OptInPage::Open(asked)) => (Page::Confirm, StatusCode::OK, asked),
        Ok(OptInPage::Confirmed(asked)) => (Page::Confirmed, StatusCode::OK, asked),
        Ok(OptInPage::Declined(asked)) => (Page::Declined, StatusCode::OK, asked),
        Ok(OptInPage::Expired(asked)) => (Page::Expired, StatusCode::GONE, asked),
        Ok(OptInPage::Voided(asked)) => (Page::Voided, StatusCode::GONE, asked),
        Ok(OptInPage::Unknown) => return answers.refusal(Page::ConfirmUnknown, StatusCode::NOT_FOUND, visitor, ""),
        Err(error) => return answers.unavailable(visitor, &error),
    };
    answers.page(page, status, asked.language, asked.controller.as_ref(), &content(&asked))
}

fn content(asked: &AskedFor) -> Content<'_> {
    Content {
        controller: asked.controller_name(),
        privacy_url: asked.controller.as_ref().map_or("", |controller| &controller.privacy_url),
        topics: asked.topics.iter().map(String::as_str).collect(),
        at: Some(asked.requested_at),
        valid_days: OptIn::LIFETIME.as_hours() / 24,
    }
}
