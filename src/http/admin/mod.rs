//! `/admin`: the pages of operators. Every request passes the [`guard`], which looks up the session and lets no POST
//! through that one of our own forms did not send; a page for operators takes [`Inside`], and asks the office, which
//! checks the role.
//!
//! A new page is a module with a `router()`, a line in [`router`], its templates in [`pages`], and a line in
//! `caller::NAV` if it is to be found there.

mod account;
mod audit;
mod caller;
mod chart;
mod cookie;
mod decision;
mod decisions;
mod door;
mod evidence;
mod export;
mod figures;
mod filter;
mod guard;
mod held;
mod overview;
mod pages;
mod qr;
mod requests;
mod rights;
mod rules;
mod search;
mod subject;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use jiff::Timestamp;
use minijinja::{Value, context};

pub(super) use super::form::Posted;
pub(super) use caller::{Caller, Inside};

use super::answer::Answers;
use crate::office::{Office, OfficeError};
use pages::AdminPages;

/// What the handlers of admin pages work with; cheap to clone.
#[derive(Clone)]
pub(super) struct Admin {
    /// Where questions go.
    pub(super) office: Office,
    answers: Answers,
    pages: Arc<AdminPages>,
    /// In front of every path of ours: empty, or like `/consent`.
    base: Arc<str>,
    /// What a browser calls our origin.
    origin: Arc<str>,
    https: bool,
}

/// The admin pages over `office`. Fails when an embedded template does not parse.
pub(super) fn router<S: Clone + Send + Sync + 'static>(office: &Office, answers: &Answers) -> Result<Router<S>, minijinja::Error> {
    let public_url = answers.desk.public_url();
    let admin = Admin {
        office: office.clone(),
        answers: answers.clone(),
        pages: Arc::new(AdminPages::new(answers.desk.words(), public_url.path())?),
        base: public_url.path().into(),
        origin: super::form::origin(public_url.as_str()).into(),
        https: public_url.is_https(),
    };
    let router = Router::new()
        .merge(overview::router())
        .merge(decisions::router())
        .merge(decision::router())
        .merge(export::router())
        .route("/language", post(language))
        .route("/assets/{name}", get(asset))
        .merge(door::router())
        .merge(account::router())
        .merge(audit::router())
        .merge(rules::router())
        .merge(held::router())
        .merge(search::router())
        .merge(subject::router())
        .merge(rights::router())
        .merge(requests::router())
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(middleware::from_fn_with_state(admin.clone(), guard::wrap));
    let home = format!("{}/admin", public_url.path());
    let home = Router::new()
        .route("/admin/", get(async move || see_other(&home)))
        .layer(middleware::from_fn_with_state(admin.clone(), guard::wrap));
    Ok(Router::new().nest("/admin", router).merge(home).with_state(admin))
}

/// Remembers the language in the browser.
async fn language(caller: Caller, form: Posted) -> Response {
    let mut response = caller.to(form.value("back")).into_response();
    if let Some(language) = caller.language_of(form.value("language")) {
        caller.set_cookie(&mut response, cookie::LANGUAGE, language.as_str());
    }
    response
}

async fn asset(State(admin): State<Admin>, uri: Uri) -> Response {
    let Some((kind, content)) = admin.pages.asset(uri.path()) else { return StatusCode::NOT_FOUND.into_response() };
    // Our pages name the version in the query; without one it may be another tomorrow.
    let keep = if uri.query().is_some() { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], content).into_response()
}

async fn nothing_here(inside: Inside) -> Response {
    inside.page_with(StatusCode::NOT_FOUND, "nothing_here.html", context! {})
}

impl Inside {
    /// What the office did not do, told to the operator.
    pub(super) fn refused(&self, error: &OfficeError) -> Response {
        match error {
            OfficeError::NotForRole => self.page_with(StatusCode::FORBIDDEN, "not_for_role.html", context! {}),
            OfficeError::Reason => self.page_with(StatusCode::UNPROCESSABLE_ENTITY, "no_reason.html", context! {}),
            OfficeError::Store(error) => self.unavailable(error),
        }
    }

    /// A page.
    pub(super) fn page(&self, template: &str, values: Value) -> Response {
        self.page_with(StatusCode::OK, template, values)
    }
}

/// Onward after a POST (RFC 9110 s.15.4.4), on this host whatever it is called.
fn see_other(path: &str) -> Redirect {
    Redirect::to(path)
}

/// A moment as tables have it: UTC, to the second.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
