//! `/c/{token}`: the page behind the link of a confirmation mail. Looking changes nothing, only a button that a person
//! presses does (L-DOI-03); yes and no are equally easy (S1-17). How sure it is that a person pressed is `consent`'s
//! business (`PressGrade`).

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::answer::Answers;
use super::content::Content;
use super::extract::Token;
use super::form::{self, Posted};
use super::page::Page;
use super::press::{self, Pressed};
use super::visitor::Visitor;
use crate::consent::OptIn;
use crate::desk::{AskedFor, OptInPage, Press, StoreError};

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    Router::new()
        .route("/c/{token}", get(show).post(act))
        .route("/c/{token}/", get(show).post(act))
        .layer(DefaultBodyLimit::max(form::LIMIT))
        .with_state(answers)
}

/// The page with the buttons, or why there are none.
async fn show(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Token(token): Token) -> Response {
    let found = answers.desk.opt_in(&token, Timestamp::now()).await;
    respond(&answers, &visitor, &token, None, found)
}

async fn act(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Token(token): Token, posted: Posted) -> Response {
    // A form that a script sends names no button: it gets the page again.
    let yes = match posted.value("answer") {
        "yes" => Some(true),
        "no" => Some(false),
        "" => None,
        _ => return answers.refusal(Page::Invalid, StatusCode::BAD_REQUEST, &visitor, ""),
    };
    let now = Timestamp::now();
    let found = match answers.desk.opt_in(&token, now).await {
        Ok(found) => found,
        Err(error) => return answers.unavailable(&visitor, &error),
    };
    let page = match &found {
        OptInPage::Open(asked) => bare(&answers, asked).unwrap_or_default(),
        _ => String::new(),
    };
    let actor = visitor.clone().actor();
    let outcome = match (yes, press::judge(&answers, &visitor, &purpose(&token, &page), &posted, now), &found) {
        (Some(true), Pressed::Yes { grade, dwell_ms }, OptInPage::Open(_)) => {
            answers.desk.confirm(&token, actor, Press { page, grade, dwell_ms }, now).await
        }
        (Some(false), Pressed::Yes { .. }, _) => answers.desk.decline(&token, actor, now).await,
        (_, Pressed::Again(stamp), OptInPage::Open(_)) => return respond(&answers, &visitor, &token, Some(stamp), Ok(found)),
        _ => Ok(found),
    };
    respond(&answers, &visitor, &token, None, outcome)
}

/// The page as everybody gets it, in the language of the sign-up, without token and stamp. It goes into the evidence.
fn bare(answers: &Answers, asked: &AskedFor) -> Option<String> {
    answers.html(Page::Confirm, asked.language, asked.controller.as_ref(), &content(asked))
}

/// Binds a stamp to the link and to the page, so that the page in the evidence is the one that was shown.
fn purpose(token: &str, page: &str) -> String {
    format!("confirm {token} {}", hex::encode(Sha256::digest(page)))
}

/// `again`: the stamp of a page that comes back because nobody has pressed its button yet.
fn respond(answers: &Answers, visitor: &Visitor, token: &str, again: Option<String>, outcome: Result<OptInPage, StoreError>) -> Response {
    let (page, status, asked) = match outcome {
        Ok(OptInPage::Open(asked)) => (Page::Confirm, StatusCode::OK, asked),
        Ok(OptInPage::Confirmed(asked)) => (Page::Confirmed, StatusCode::OK, asked),
        Ok(OptInPage::Declined(asked)) => (Page::Declined, StatusCode::OK, asked),
        Ok(OptInPage::Expired(asked)) => (Page::Expired, StatusCode::GONE, asked),
        Ok(OptInPage::Voided(asked)) => (Page::Voided, StatusCode::GONE, asked),
        Ok(OptInPage::Unknown) => return answers.refusal(Page::ConfirmUnknown, StatusCode::NOT_FOUND, visitor, ""),
        Err(error) => return answers.unavailable(visitor, &error),
    };
    let fresh = || bare(answers, &asked).map(|bare| answers.desk.stamp(&purpose(token, &bare), Timestamp::now()));
    let content = match page {
        Page::Confirm => Content { again: again.is_some(), stamp: again.or_else(fresh).unwrap_or_default(), ..content(&asked) },
        _ => content(&asked),
    };
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
