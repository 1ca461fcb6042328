//! `/u/{token}`: unsubscribe by one click (RFC 8058), and every other choice by the page. No cookie, login, script or
//! redirect; GET changes nothing (I6). Shows of the person only a masked address and the end of a pause, and says only no:
//! the mail may have been forwarded.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;

use super::answer::Answers;
use super::choice::{self, Chosen};
use super::content::Content;
use super::extract::Token;
use super::form::{self, Posted};
use super::page::Page;
use super::press::{self, Pressed};
use super::visitor::Visitor;
use crate::consent::{Language, Source};
use crate::desk::{Asked, Choice, Glimpse, Subscription};

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    let methods = || get(show).post(act).options(preflight);
    Router::new()
        .route("/u/{token}", methods())
        .route("/u/{token}/", methods()) // U-10: no redirect, not even for a trailing slash
        .layer(DefaultBodyLimit::max(form::LIMIT))
        .layer(middleware::from_fn(allow_other_origins))
        .with_state(answers)
}

/// The page with the buttons. Also what HEAD gets, without the body.
async fn show(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Token(token): Token) -> Response {
    match answers.desk.subscription(&token) {
        Some(subscription) => landing(&answers, &visitor, &token, &subscription, None).await,
        None => unknown(&answers, &visitor),
    }
}

async fn act(
    State(answers): State<Answers>,
    Extension(visitor): Extension<Visitor>,
    Token(token): Token,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(subscription) = answers.desk.subscription(&token) else {
        return unknown(&answers, &visitor);
    };
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return answers.refusal(Page::Invalid, rejection.status(), &visitor, ""),
    };
    let posted = Posted::read(&headers, &body).await;
    if is_one_click(&body, posted.as_ref()) {
        // U-06, U-08: exactly the list of the link, at once; the answer is for a mail program
        return match choose(&answers, &visitor, &subscription, Choice::Topic, Source::OneClick).await {
            Ok(_) => "unsubscribed\n".into_response(),
            Err(refusal) => refusal,
        };
    }
    let Some((posted, chosen)) = posted.and_then(|posted| Chosen::read(&posted).map(|chosen| (posted, chosen))) else {
        return answers.refusal(Page::Invalid, StatusCode::BAD_REQUEST, &visitor, ""); // U-12
    };
    // A scanner that runs the page's forms chooses nothing.
    if let Pressed::Again(stamp) = press::judge(&answers, &visitor, &purpose(&token), &posted, Timestamp::now()) {
        return landing(&answers, &visitor, &token, &subscription, Some(stamp)).await;
    }
    let done = match chosen {
        // Only the owner of the mailbox lets more come in than before, or asks for a right.
        Chosen::Tracking | Chosen::Ask(_) | Chosen::Choice(Choice::Resume) => {
            Err(answers.refusal(Page::Invalid, StatusCode::BAD_REQUEST, &visitor, ""))
        }
        Chosen::Choice(choice) => choose(&answers, &visitor, &subscription, choice, Source::Page).await.map(Chosen::Choice),
        Chosen::Undo => undo(&answers, &visitor, &subscription, &headers).await.map(|()| chosen),
        Chosen::Why => {
            let language = language(&answers, &visitor, &subscription);
            let asked = answers.desk.ask_access(&subscription, language, Timestamp::now()).await;
            asked.map(|()| chosen).map_err(|error| choice::failed(&answers, &visitor, &error))
        }
    };
    match done {
        Ok(done) => said(&answers, &visitor, &token, &subscription, done, done != chosen),
        Err(refusal) => refusal,
    }
}

/// What was done, which may be more than what was chosen (L-OBJ-04).
async fn choose(
    answers: &Answers,
    visitor: &Visitor,
    subscription: &Subscription,
    choice: Choice,
    source: Source,
) -> Result<Choice, Response> {
    match answers.desk.choose(subscription, choice, source, visitor.clone().actor(), Timestamp::now()).await {
        Ok(Some(done)) => Ok(done),
        Ok(None) => Err(unknown(answers, visitor)),
        Err(error) => Err(choice::failed(answers, visitor, &error)),
    }
}

/// A new sign-up, which the owner of the mailbox confirms like any other.
async fn undo(answers: &Answers, visitor: &Visitor, subscription: &Subscription, headers: &HeaderMap) -> Result<(), Response> {
    let language = language(answers, visitor, subscription);
    let Some(consent_text) = answers.desk.consent_to(subscription, language) else { return Ok(()) };
    let asked = Asked {
        source: Source::Page,
        form_url: answers.desk.public_url().as_str().to_owned(),
        referrer: form::referrer(headers),
        consent_text,
        tracking_text: None,
        checkbox: None,
        form: None,
        language,
        reported_by: "unsubscribe page".to_owned(),
    };
    let asked = answers.desk.ask_again(subscription, visitor.clone().actor(), asked, Timestamp::now()).await;
    asked.map_err(|error| choice::failed(answers, visitor, &error))
}

/// RFC 8058 s.3.2, in both encodings (U-09).
fn is_one_click(body: &[u8], posted: Option<&Posted>) -> bool {
    // Webmail that posts from the browser may label the body text/plain; the pair says enough.
    body.trim_ascii() == b"List-Unsubscribe=One-Click" || posted.is_some_and(|posted| posted.has("List-Unsubscribe", "One-Click"))
}

/// `again`: the stamp of a page that comes back because nobody has pressed its button yet.
async fn landing(answers: &Answers, visitor: &Visitor, token: &str, subscription: &Subscription, again: Option<String>) -> Response {
    // The page must show even while the ledger is away: then without the two lines that come from it.
    let glimpse = answers.desk.glimpse(subscription, Timestamp::now()).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the unsubscribe page shows no mailbox");
        Glimpse::default()
    });
    let content = Content {
        address: glimpse.address,
        until: glimpse.paused_until,
        as_customer: glimpse.as_customer,
        again: again.is_some(),
        stamp: again.unwrap_or_else(|| answers.desk.stamp(&purpose(token), Timestamp::now())),
        consent_text: answers.desk.consent_to(subscription, language(answers, visitor, subscription)),
        ..content(subscription)
    };
    page(answers, Page::Unsubscribe, visitor, subscription, &content)
}

/// What was done, in words; `as_customer` when it is more than what was chosen.
fn said(answers: &Answers, visitor: &Visitor, token: &str, subscription: &Subscription, chosen: Chosen, as_customer: bool) -> Response {
    let language = language(answers, visitor, subscription);
    let content = Content {
        chosen: chosen.word(),
        as_customer,
        stamp: answers.desk.stamp(&purpose(token), Timestamp::now()),
        until: chosen.ends(Timestamp::now()),
        consent_text: answers.desk.consent_to(subscription, language),
        ..content(subscription)
    };
    page(answers, Page::Chosen, visitor, subscription, &content)
}

/// The page's buttons are good for the link that they are under.
fn purpose(token: &str) -> String {
    format!("unsubscribe {token}")
}

fn content(subscription: &Subscription) -> Content<'_> {
    Content { controller: subscription.controller_name(), topics: vec![&subscription.topic], ..Content::default() }
}

fn page(answers: &Answers, page: Page, visitor: &Visitor, subscription: &Subscription, content: &Content<'_>) -> Response {
    answers.page(page, StatusCode::OK, language(answers, visitor, subscription), subscription.controller.as_ref(), content)
}

/// The mail's, where it says; who could read that can read the page. Else the visitor's.
fn language(answers: &Answers, visitor: &Visitor, subscription: &Subscription) -> Language {
    let wanted = subscription.language.into_iter().chain(visitor.languages.iter().copied());
    answers.served(wanted, subscription.controller.as_ref())
}

/// The same for every link that is not ours, however it is wrong (U-13).
fn unknown(answers: &Answers, visitor: &Visitor) -> Response {
    answers.refusal(Page::UnsubscribeUnknown, StatusCode::NOT_FOUND, visitor, "")
}

/// Webmail asks before it posts from the browser (U-16). Any origin may: the token is the only authority, and
/// no cookie goes along.
async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        (header::ALLOW, "GET, HEAD, POST, OPTIONS"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn allow_other_origins(method: Method, request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if method == Method::POST || method == Method::OPTIONS {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}
