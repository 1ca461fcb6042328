//! `/p/{token}`: everything stored about oneself with one company, and every choice, for whoever proves to read the mailbox
//! by a fresh link. The link is the only authority: no cookie goes along, so no other site can act by it.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answer::Answers;
use super::choice::Chosen;
use super::content::{AccessView, Content, SignUpView, StandingView, WhyView};
use super::dossier::download;
use super::extract::Token;
use super::form::{self, Posted};
use super::page::Page;
use super::press::{self, Pressed};
use super::visitor::Visitor;
use crate::consent::{Agreement, Language, TopicStanding};
use crate::desk::{Access, AccessPage, Choice, StoreError};

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    Router::new()
        .route("/p/{token}", get(show).post(act))
        .route("/p/{token}/", get(show).post(act))
        .route("/p/{token}/data", get(data))
        .layer(DefaultBodyLimit::max(form::LIMIT))
        .with_state(answers)
}

async fn show(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Token(token): Token) -> Response {
    respond(&answers, &visitor, &token, None, answers.desk.access(&token, Timestamp::now()).await)
}

/// All of it as a file (GDPR Art. 15(3), 20). Changes nothing, so a GET will do (I6): the link proves the mailbox.
async fn data(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Token(token): Token) -> Response {
    let now = Timestamp::now();
    match answers.desk.access(&token, now).await {
        Ok(AccessPage::Open(access)) => match answers.desk.own_dossier(&access, now).await {
            Ok(Some(dossier)) => download(dossier),
            Ok(None) => answers.refusal(Page::AccessUnknown, StatusCode::NOT_FOUND, &visitor, ""),
            Err(error) => answers.unavailable(&visitor, &error),
        },
        other => respond(&answers, &visitor, &token, None, other),
    }
}

async fn act(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Token(token): Token, posted: Posted) -> Response {
    let now = Timestamp::now();
    let access = match answers.desk.access(&token, now).await {
        Ok(AccessPage::Open(access)) => access,
        other => return respond(&answers, &visitor, &token, None, other),
    };
    let invalid = || answers.refusal(Page::Invalid, StatusCode::BAD_REQUEST, &visitor, "");
    let topic = access.topics.iter().find(|row| row.name.as_str() == posted.value("topic"));
    let Some(chosen) = Chosen::read(&posted) else { return invalid() };
    let controller = access.controller.as_ref();
    let language = answers.language(&visitor, controller);
    let (grade, dwell_ms) = match press::judge(&answers, &visitor, &purpose(&token, language), &posted, now) {
        Pressed::Yes { grade, dwell_ms } => (grade, dwell_ms),
        Pressed::Again(stamp) => return respond(&answers, &visitor, &token, Some(stamp), Ok(AccessPage::Open(access))),
    };
    let actor = visitor.clone().actor();
    let mut until = chosen.ends(now);
    let done = match (chosen, topic, answers.desk.tracking_text(&access, language)) {
        (Chosen::Choice(Choice::Topic), None, _) => return invalid(), // which one?
        (Chosen::Choice(choice), topic, _) => answers.desk.choose_proven(&access, choice, topic.map(|row| &row.name), actor, now).await,
        (Chosen::Tracking, _, Some(text)) => answers.desk.agree_to_tracking(&access, Agreement { text, grade, dwell_ms }, actor, now).await,
        (Chosen::Ask(right), _, _) => answers.desk.ask_for(&access, right, now).await.map(|due| {
            until = due.to_zoned(TimeZone::UTC).ok().map(|due| due.timestamp());
            true
        }),
        _ => return invalid(),
    };
    match done {
        Ok(true) => {}
        Ok(false) => return answers.refusal(Page::AccessUnknown, StatusCode::NOT_FOUND, &visitor, ""),
        Err(error) => return answers.unavailable(&visitor, &error),
    }
    let content = Content {
        controller: access.controller_name(),
        topics: topic.iter().map(|row| row.title.as_str()).collect(),
        chosen: chosen.word(),
        stamp: answers.desk.stamp(&purpose(&token, language), now),
        until,
        ..Content::default()
    };
    answers.page(Page::Chosen, StatusCode::OK, language, controller, &content)
}

/// The page's buttons are good for the link that they are under, and in the language that they were read in.
fn purpose(token: &str, language: Language) -> String {
    format!("access {language} {token}")
}

/// `again`: the stamp of a page that comes back because nobody has pressed its button yet.
fn respond(answers: &Answers, visitor: &Visitor, token: &str, again: Option<String>, found: Result<AccessPage, StoreError>) -> Response {
    match found {
        Ok(AccessPage::Open(access)) => {
            let controller = access.controller.as_ref();
            let language = answers.language(visitor, controller);
            let content = Content {
                again: again.is_some(),
                stamp: again.unwrap_or_else(|| answers.desk.stamp(&purpose(token, language), Timestamp::now())),
                access: Some(AccessView {
                    data: format!("{}/p/{token}/data", answers.desk.public_url().path()),
                    tracking_text: answers.desk.tracking_text(&access, language),
                    ..view(&access, language)
                }),
                controller: access.controller_name(),
                ..Content::default()
            };
            answers.page(Page::Access, StatusCode::OK, language, controller, &content)
        }
        Ok(AccessPage::Expired(controller)) => {
            let name = controller.as_ref().map_or("", |controller| &controller.name);
            let content = Content { controller: name, ..Content::default() };
            let language = answers.language(visitor, controller.as_ref());
            answers.page(Page::AccessExpired, StatusCode::GONE, language, controller.as_ref(), &content)
        }
        Ok(AccessPage::Unknown) => answers.refusal(Page::AccessUnknown, StatusCode::NOT_FOUND, visitor, ""),
        Err(error) => answers.unavailable(visitor, &error),
    }
}

fn view(access: &Access, language: Language) -> AccessView {
    AccessView {
        data: String::new(),
        address: access.address.clone(),
        why: access.why.as_ref().and_then(|why| {
            Some(WhyView {
                at: why.at,
                topic: why.topic.clone(),
                reason: why.reason.as_str(),
                // What had none was not sent, so no link of it is out there.
                articles: why.reason.articles(why.profile, language)?,
                sign_up: why.sign_up.as_ref().map(|facts| SignUpView {
                    requested_at: facts.requested_at,
                    form_url: facts.form_url.clone(),
                    consent_text: facts.consent_text.clone(),
                    confirmed_at: facts.confirmed_at,
                }),
            })
        }),
        topics: access.topics.iter().map(|row| standing(row.name.as_str(), &row.title, row.standing)).collect(),
        tracking: standing("", "", access.tracking),
        tracking_text: None,
        objected: access.objected,
        paused_until: access.paused_until,
    }
}

fn standing(name: &str, title: &str, standing: TopicStanding) -> StandingView {
    let (state, at) = (standing.as_str(), standing.mark().map(|mark| mark.at));
    StandingView { name: name.to_owned(), title: title.to_owned(), state, at }
}
