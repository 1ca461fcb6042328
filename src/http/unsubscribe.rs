//! `/u/{token}`: unsubscribe by one click (RFC 8058) or by the page. No cookie, login, script or
//! redirect; GET changes nothing (I6).

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;

use super::answer::Answers;
use super::form;
use super::page::{Content, Page};
use super::visitor::Visitor;
use crate::consent::Source;
use crate::desk::{Extent, Subscription};

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    let methods = || get(show).post(act).options(preflight);
    Router::new()
        .route("/u/{token}", methods())
        .route("/u/{token}/", methods()) // U-10: no redirect, not even for a trailing slash
        .layer(DefaultBodyLimit::max(form::LIMIT))
        .layer(middleware::from_fn(allow_other_origins))
        .with_state(answers)
}

/// What a POST asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// RFC 8058 s.3.2: a mail program, on behalf of the person.
    OneClick,
    /// The buttons of the page.
    Button(Extent),
}

/// The page with the buttons. Also what HEAD gets, without the body.
async fn show(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Path(token): Path<String>) -> Response {
    match answers.desk.subscription(&token) {
        Some(subscription) => page(&answers, Page::Unsubscribe, &visitor, &subscription),
        None => unknown(&answers, &visitor),
    }
}

async fn act(
    State(answers): State<Answers>,
    Extension(visitor): Extension<Visitor>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(subscription) = answers.desk.subscription(&token) else {
        return unknown(&answers, &visitor);
    };
    let demand = match body {
        Ok(body) => demand(&headers, &body).await,
        Err(rejection) => return answers.refusal(Page::Invalid, rejection.status(), &visitor, ""),
    };
    let (extent, source) = match demand {
        Some(Demand::OneClick) => (Extent::Topic, Source::OneClick), // U-06: exactly the list of the link
        Some(Demand::Button(extent)) => (extent, Source::Page),
        None => return answers.refusal(Page::Invalid, StatusCode::BAD_REQUEST, &visitor, ""), // U-12
    };
    match answers.desk.unsubscribe(&subscription, extent, source, visitor.clone().actor(), Timestamp::now()).await {
        Err(error) => answers.unavailable(&visitor, &error),
        Ok(false) => unknown(&answers, &visitor),
        Ok(true) => match demand {
            Some(Demand::OneClick) => "unsubscribed\n".into_response(),
            _ if extent == Extent::All => page(&answers, Page::Objected, &visitor, &subscription),
            _ => page(&answers, Page::Unsubscribed, &visitor, &subscription),
        },
    }
}

/// What the body asks for; `None` when it asks for nothing we know.
async fn demand(headers: &HeaderMap, body: &[u8]) -> Option<Demand> {
    // Webmail that posts from the browser may label the body text/plain; the pair says enough.
    if body.trim_ascii() == b"List-Unsubscribe=One-Click" {
        return Some(Demand::OneClick);
    }
    let pairs = form::pairs(headers, body).await?;
    let has = |name, value| form::has(&pairs, name, value);
    match () {
        () if has("List-Unsubscribe", "One-Click") => Some(Demand::OneClick),
        () if has("scope", "all") => Some(Demand::Button(Extent::All)),
        () if has("scope", "topic") => Some(Demand::Button(Extent::Topic)),
        () => None,
    }
}

fn page(answers: &Answers, page: Page, visitor: &Visitor, subscription: &Subscription) -> Response {
    let controller = subscription.controller.as_ref();
    let language = answers.language(visitor, controller);
    let content = Content { controller: subscription.controller_name(), topics: vec![&subscription.topic], ..Content::default() };
    answers.page(page, StatusCode::OK, language, controller, &content)
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
