//! The way in and out: login, second factor, logout.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use minijinja::context;
use zeroize::Zeroizing;

use super::super::extract::Query;
use super::caller::with_back;
use super::{Admin, Caller, Posted, qr, see_other};
use crate::office::EnterAnswer;

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/login", get(ask).post(login)).route("/second-factor", get(ask_code).post(prove)).route("/logout", post(logout))
}

/// Where to go afterwards.
#[derive(serde::Deserialize)]
struct Way {
    #[serde(default)]
    back: String,
}

async fn ask(caller: Caller, Query(way): Query<Way>) -> Response {
    if caller.operator().is_some() {
        return caller.to(&way.back).into_response();
    }
    login_page(&caller, StatusCode::OK, None, &way.back)
}

async fn login(caller: Caller, form: Posted) -> Response {
    let back = form.value("back");
    let password = Zeroizing::new(form.value("password").to_owned());
    let answer = caller.admin().office.login(form.value("name"), password, caller.place, Timestamp::now()).await;
    match answer {
        Err(error) => caller.unavailable(&error),
        Ok(EnterAnswer::Inside(token)) => {
            let mut response = caller.to(back).into_response();
            caller.begin(&mut response, &token);
            response
        }
        Ok(EnterAnswer::Halfway(token)) => {
            let mut response = see_other(&caller.path(&with_back("/admin/second-factor", back))).into_response();
            caller.begin(&mut response, &token);
            response
        }
        Ok(other) => again(&other, |status, fault| login_page(&caller, status, Some(fault), back)),
    }
}

async fn ask_code(caller: Caller, Query(way): Query<Way>) -> Response {
    code_page(&caller, StatusCode::OK, None, &way.back)
}

async fn prove(caller: Caller, form: Posted) -> Response {
    let back = form.value("back");
    match caller.admin().office.prove(caller.token(), form.value("code"), caller.place, Timestamp::now()).await {
        Err(error) => caller.unavailable(&error),
        Ok(EnterAnswer::Inside(token)) => {
            let mut response = caller.to(back).into_response();
            caller.begin(&mut response, &token);
            response
        }
        Ok(EnterAnswer::Gone | EnterAnswer::Halfway(_)) => see_other(&caller.path(&with_back("/admin/login", back))).into_response(),
        Ok(other) => again(&other, |status, fault| code_page(&caller, status, Some(fault), back)),
    }
}

async fn logout(caller: Caller) -> Response {
    if let Some(session) = &caller.session
        && let Err(error) = caller.admin().office.leave(caller.token(), &session.operator, Timestamp::now()).await
    {
        return caller.unavailable(&error);
    }
    let mut response = see_other(&caller.path("/admin/login")).into_response();
    caller.end(&mut response);
    response
}

fn login_page(caller: &Caller, status: StatusCode, fault: Option<&str>, back: &str) -> Response {
    caller.page_with(status, "login.html", context! { fault, back })
}

/// Asks for a code; where a second factor is to be set up, with what the authenticator app needs.
fn code_page(caller: &Caller, status: StatusCode, fault: Option<&str>, back: &str) -> Response {
    let Some(session) = &caller.session else {
        return see_other(&caller.path(&with_back("/admin/login", back))).into_response();
    };
    match caller.admin().office.enrolment(session) {
        Some(enrolment) => {
            let image = qr::image(&enrolment.uri).map(|image| context! { size => image.size, path => image.path });
            caller.page_with(status, "enrolment.html", context! { fault, back, image, secret => enrolment.secret.as_str() })
        }
        None if caller.operator().is_some() => caller.to(back).into_response(),
        None => caller.page_with(status, "second_factor.html", context! { fault, back }),
    }
}

/// The form once more, with what is wrong.
fn again(answer: &EnterAnswer, page: impl FnOnce(StatusCode, &str) -> Response) -> Response {
    match answer {
        EnterAnswer::TooMany(wait) => too_many(*wait, page(StatusCode::TOO_MANY_REQUESTS, "too_many")),
        EnterAnswer::Busy => page(StatusCode::SERVICE_UNAVAILABLE, "busy"),
        _ => page(StatusCode::FORBIDDEN, "refused"),
    }
}

/// Says when to come back (RFC 6585 s.4).
pub(super) fn too_many(wait: SignedDuration, mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(0).unsigned_abs() + 1));
    response
}
