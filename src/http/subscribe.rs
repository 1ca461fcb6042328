//! `/subscribe/{form}`: the hosted sign-up form, and the same as plain HTML for a website's own page. One data field
//! (S2-09), an unticked box (S1-13), no third party: what keeps robots out is a field that people do not see, the time
//! between showing and sending, and a limit per network.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::answer::Answers;
use super::choice;
use super::content::{Content, FormView};
use super::extract::{Path, Query};
use super::form::{self, Posted};
use super::page::Page;
use super::press::{self, Pressed};
use super::visitor::Visitor;
use crate::consent::Language;
use crate::desk::{Entry, EntryFault, FormPage};

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    Router::new()
        .route("/subscribe/{form}", get(show).post(act))
        .route("/subscribe/{form}/embed", get(embed))
        .layer(DefaultBodyLimit::max(form::LIMIT))
        .with_state(answers)
}

/// The name of the field that people do not see.
const TRAP: &str = "website";

#[derive(serde::Deserialize)]
struct Wanted {
    lang: Option<String>,
}

async fn show(
    State(answers): State<Answers>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    match find(&answers, &visitor, &name, wanted.lang.as_deref()) {
        Some(form) => fresh(&answers, &form, &Filled::default()),
        None => answers.refusal(Page::NotFound, StatusCode::NOT_FOUND, &visitor, ""),
    }
}

/// The form as plain HTML, to be pasted into a website's page.
async fn embed(
    State(answers): State<Answers>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let form = find(&answers, &visitor, &name, wanted.lang.as_deref());
    match form.and_then(|form| embedded(&answers, &form)) {
        Some(html) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], html).into_response(),
        None => answers.refusal(Page::NotFound, StatusCode::NOT_FOUND, &visitor, ""),
    }
}

async fn act(
    State(answers): State<Answers>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let Some(form) = find(&answers, &visitor, &name, Some(posted.value("lang"))) else {
        return answers.refusal(Page::NotFound, StatusCode::NOT_FOUND, &visitor, "");
    };
    let origin = form::sender(&headers);
    let pages = form.form.url.as_deref().into_iter().chain([answers.desk.public_url().as_str()]);
    if !form::is_of(origin.as_deref(), pages) {
        // the evidence would name a page that this did not come from.
        tracing::warn!(form = name, "a form was sent from another site");
        return answers.refusal(Page::Invalid, StatusCode::FORBIDDEN, &visitor, "");
    }
    let mut filled = Filled {
        email: posted.value("email").to_owned(),
        consent: posted.has("consent", "yes"),
        tracking: posted.has("tracking", "yes"),
        ..Filled::default()
    };
    if !posted.value(TRAP).is_empty() {
        tracing::info!(form = name, "a robot filled in the field that people do not see");
        return check_mailbox(&answers, &form); // it learns nothing
    }
    let now = Timestamp::now();
    let Some(bare) = bare(&answers, &form) else {
        return answers.refusal(Page::Unavailable, StatusCode::INTERNAL_SERVER_ERROR, &visitor, "");
    };
    let embedded = (posted.value("text") == texts_version(&form)).then(|| embedded(&answers, &form)).flatten();
    let purpose = purpose(&form, &bare);
    let (page, dwell_ms) = match (embedded, press::judge(&answers, &visitor, &purpose, &posted, now)) {
        (Some(embedded), _) if !visitor.navigation.is_by_script() => (embedded, None),
        (_, Pressed::Yes { dwell_ms, .. }) => (bare, Some(dwell_ms)),
        // Not our form as it is now, no person's hand, or no time to type: nothing is taken, and nothing typed is lost.
        (_, Pressed::Again(stamp)) => return page_of(&answers, &form, &Filled { again: true, ..filled }, stamp, StatusCode::OK),
    };
    let entry = Entry {
        email: filled.email.clone(),
        consent: filled.consent,
        tracking: filled.tracking,
        page,
        dwell_ms,
        referrer: form::referrer(&headers),
        origin,
    };
    match answers.desk.sign_up_by_form(&form, entry, visitor.clone().actor(), now).await {
        Ok(Ok(())) => check_mailbox(&answers, &form),
        Ok(Err(faults)) => {
            filled.faults = faults;
            // An embedded form has none of its own; what comes next is sent from this page.
            let stamp = Some(posted.value("stamp")).filter(|stamp| !stamp.is_empty()).map(str::to_owned);
            let stamp = stamp.unwrap_or_else(|| answers.desk.stamp(&purpose, now));
            page_of(&answers, &form, &filled, stamp, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(error) => choice::failed(&answers, &visitor, &error),
    }
}

/// What was filled in, to be shown again.
#[derive(Default)]
struct Filled {
    email: String,
    consent: bool,
    tracking: bool,
    faults: Vec<EntryFault>,
    again: bool,
}

fn find<'a>(answers: &'a Answers, visitor: &Visitor, name: &str, wanted: Option<&str>) -> Option<FormPage<'a>> {
    let wanted = wanted.and_then(Language::parse);
    answers.desk.form(name, wanted.into_iter().chain(visitor.languages.iter().copied()))
}

/// The form as everybody gets it, without stamp and entries. It goes into the evidence.
fn bare(answers: &Answers, form: &FormPage<'_>) -> Option<String> {
    answers.html(Page::Subscribe, form.language, Some(form.controller), &content(answers, form, &Filled::default(), String::new()))
}

/// The same for a website's page; `None` where the configuration names none, so that the evidence always says where the
/// person was.
fn embedded(answers: &Answers, form: &FormPage<'_>) -> Option<String> {
    form.form.url.as_ref()?;
    answers.html(Page::Embed, form.language, Some(form.controller), &content(answers, form, &Filled::default(), String::new()))
}

fn purpose(form: &FormPage<'_>, bare: &str) -> String {
    format!("subscribe {} {} {}", form.form.name, form.language, hex::encode(Sha256::digest(bare)))
}

/// Names the texts next to the boxes: a website's page with older ones is not taken for the present form.
fn texts_version(form: &FormPage<'_>) -> String {
    let tracking = form.words.tracking.as_deref().unwrap_or_default();
    hex::encode(Sha256::digest(format!("{}\0{tracking}", form.words.consent)))
}

fn fresh(answers: &Answers, form: &FormPage<'_>, filled: &Filled) -> Response {
    let stamp = bare(answers, form).map(|bare| answers.desk.stamp(&purpose(form, &bare), Timestamp::now()));
    page_of(answers, form, filled, stamp.unwrap_or_default(), StatusCode::OK)
}

fn page_of(answers: &Answers, form: &FormPage<'_>, filled: &Filled, stamp: String, status: StatusCode) -> Response {
    answers.page(Page::Subscribe, status, form.language, Some(form.controller), &content(answers, form, filled, stamp))
}

fn check_mailbox(answers: &Answers, form: &FormPage<'_>) -> Response {
    let content = content(answers, form, &Filled::default(), String::new());
    answers.page(Page::CheckMailbox, StatusCode::OK, form.language, Some(form.controller), &content)
}

fn content<'a>(answers: &Answers, form: &FormPage<'a>, filled: &Filled, stamp: String) -> Content<'a> {
    Content {
        controller: &form.controller.name,
        privacy_url: &form.controller.privacy_url,
        stamp,
        again: filled.again,
        form: Some(FormView {
            name: &form.form.name,
            words: form.words,
            url: answers.desk.public_url().form(&form.form.name),
            texts_version: texts_version(form),
            email: filled.email.clone(),
            consent: filled.consent,
            tracking: filled.tracking,
            email_fault: filled.faults.contains(&EntryFault::Email),
            consent_fault: filled.faults.contains(&EntryFault::Consent),
        }),
        ..Content::default()
    }
}
