//! The operator's own account: another password, other sessions, a second factor.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use minijinja::context;
use zeroize::Zeroizing;

use super::door::too_many;
use super::{Admin, Inside, Posted, see_other};
use crate::office::{PASSWORD_MIN, PasswordAnswer};

pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/account", get(show))
        .route("/account/password", post(change_password))
        .route("/account/sessions", post(end_other_sessions))
        .route("/account/second-factor", post(set_up_second_factor))
}

async fn show(inside: Inside) -> Response {
    page(&inside, StatusCode::OK, None, None)
}

async fn change_password(inside: Inside, form: Posted) -> Response {
    let secret = |name| Zeroizing::new(form.value(name).to_owned());
    let (old, new) = (secret("old"), secret("new"));
    if *new != form.value("again") {
        return page(&inside, StatusCode::UNPROCESSABLE_ENTITY, Some("differs"), None);
    }
    match inside.admin().office.change_password(&inside.operator, old, new, inside.place, Timestamp::now()).await {
        Err(error) => inside.unavailable(&error),
        Ok(PasswordAnswer::Changed(token)) => {
            // Rendered anew: the forms of this page would be bound to the session that has ended.
            let mut response = see_other(&inside.path("/admin/account")).into_response();
            inside.begin(&mut response, &token);
            response
        }
        Ok(PasswordAnswer::Unfit) => page(&inside, StatusCode::UNPROCESSABLE_ENTITY, Some("unfit"), None),
        Ok(PasswordAnswer::Refused) => page(&inside, StatusCode::FORBIDDEN, Some("refused"), None),
        Ok(PasswordAnswer::TooMany(wait)) => too_many(wait, page(&inside, StatusCode::TOO_MANY_REQUESTS, Some("too_many"), None)),
        Ok(PasswordAnswer::Busy) => page(&inside, StatusCode::SERVICE_UNAVAILABLE, Some("busy"), None),
    }
}

async fn end_other_sessions(inside: Inside) -> Response {
    match inside.admin().office.end_other_sessions(inside.token(), &inside.operator, Timestamp::now()).await {
        Ok(ended) => page(&inside, StatusCode::OK, None, Some(ended)),
        Err(error) => inside.unavailable(&error),
    }
}

async fn set_up_second_factor(inside: Inside) -> Response {
    if inside.operator.has_second_factor {
        return see_other(&inside.path("/admin/account")).into_response();
    }
    match inside.admin().office.begin_enrolment(inside.token()).await {
        Ok(()) => see_other(&inside.path("/admin/second-factor?back=/admin/account")).into_response(),
        Err(error) => inside.unavailable(&error),
    }
}

fn page(inside: &Inside, status: StatusCode, fault: Option<&str>, ended: Option<u64>) -> Response {
    let has_second_factor = inside.operator.has_second_factor;
    inside.page_with(status, "account.html", context! { fault, ended, has_second_factor, least => PASSWORD_MIN })
}
