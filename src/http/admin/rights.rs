//! The rights of a person, from their page: all that is stored as a file, rectification, erasure, restriction. Who may do what is the office's
//! table.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::super::dossier::download;
use super::super::extract::Path;
use super::subject::nobody;
use super::{Admin, Inside, Posted, see_other, time};
use crate::consent::{Language, SubjectId};
use crate::mail::Address;

pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/subjects/{id}/access", post(access))
        .route("/subjects/{id}/erasure", post(erase))
        .route("/subjects/{id}/restriction", post(restrict))
        .route("/subjects/{id}/rectification", post(rectify))
}

async fn access(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(subject) = SubjectId::parse(&id) else { return nobody(&inside) };
    let (controller, now) = (form.value("controller"), Timestamp::now());
    let office = &inside.admin().office;
    if let Err(error) = office.begin_access(&inside.operator, subject, controller, form.value("reason"), now).await {
        return inside.refused(&error);
    }
    match inside.desk().dossier(subject, controller, now).await {
        Ok(Some(dossier)) => download(dossier),
        Ok(None) => nobody(&inside),
        Err(error) => inside.unavailable(&error),
    }
}

/// Answers with the text for the person: what was erased, what stays and why.
async fn erase(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(subject) = SubjectId::parse(&id) else { return nobody(&inside) };
    let controller = form.value("controller");
    if inside.desk().catalogue().controller(controller).is_none() {
        return nobody(&inside);
    }
    let done = inside.admin().office.erase(&inside.operator, subject, controller, form.value("reason"), Timestamp::now()).await;
    match done {
        Ok(Some(done)) => {
            let answers = answers(&inside, |language| inside.desk().erasure_answer(&done, controller, language));
            inside.page("erased.html", context! { id => subject.to_string(), at => time(done.at), answers })
        }
        Ok(None) => nobody(&inside),
        Err(error) => inside.refused(&error),
    }
}

/// Answers with the text for the person: what was corrected, and what does not move along.
async fn rectify(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(subject) = SubjectId::parse(&id) else { return nobody(&inside) };
    let (controller, now) = (form.value("controller"), Timestamp::now());
    if inside.desk().catalogue().controller(controller).is_none() {
        return nobody(&inside);
    }
    let Ok(address) = Address::parse(form.value("address").trim()) else {
        return inside.page_with(StatusCode::UNPROCESSABLE_ENTITY, "no_address.html", context! {});
    };
    match inside.admin().office.rectify(&inside.operator, subject, controller, address, form.value("reason"), now).await {
        Ok(Some(done)) => {
            let answers = answers(&inside, |language| inside.desk().rectification_answer(&done, controller, language));
            inside.page("rectified.html", context! { id => subject.to_string(), at => time(now), answers })
        }
        Ok(None) => nobody(&inside),
        Err(error) => inside.refused(&error),
    }
}

/// The answer for the person in each language.
fn answers(inside: &Inside, answer: impl Fn(Language) -> Result<Vec<String>, minijinja::Error>) -> Vec<Value> {
    let each = |language: Language| {
        let paragraphs = answer(language).inspect_err(|error| tracing::error!(%error, "the answer for a person was not written"));
        context! { language => language.as_str(), paragraphs => paragraphs.unwrap_or_default() }
    };
    inside.languages().into_iter().map(each).collect()
}

async fn restrict(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(subject) = SubjectId::parse(&id) else { return nobody(&inside) };
    let (controller, restricted) = (form.value("controller"), form.value("restricted") == "yes");
    if inside.desk().catalogue().controller(controller).is_none() {
        return nobody(&inside);
    }
    let office = &inside.admin().office;
    match office.restrict(&inside.operator, subject, controller, restricted, form.value("reason"), Timestamp::now()).await {
        Ok(done) => {
            let done = match (done, restricted) {
                (false, _) => "repeated",
                (true, true) => "restricted_now",
                (true, false) => "unrestricted_now",
            };
            see_other(&inside.path(&format!("/admin/subjects/{subject}?done={done}"))).into_response()
        }
        Err(error) => inside.refused(&error),
    }
}
