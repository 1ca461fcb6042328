//! Mail that is held because its class is disputed: the list, one mail with its words for who may read them, and the person's word on
//! it; the same word on a mail that was decided on. What puts a line into the audit log comes by POST (I6).

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use minijinja::{Value, context};

use super::super::extract::{Path, Query};
use super::{Admin, Inside, Posted, see_other, time};
use crate::consent::DecisionId;
use crate::mail::Class;
use crate::office::{CopyId, HeldMail, OfficeError, RuleAnswer, SpooledCopy};

pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/held", get(list))
        .route("/held/{id}", get(show))
        .route("/held/{id}/mail", post(read))
        .route("/held/{id}/class", post(rule))
        .route("/decisions/{id}/class", post(appeal))
}

/// What was done just before, to be told once.
#[derive(serde::Deserialize)]
struct Done {
    done: Option<String>,
}

async fn list(inside: Inside, Query(done): Query<Done>) -> Response {
    match inside.admin().office.held(&inside.operator).await {
        Ok((copies, number)) => {
            let others = number.saturating_sub(copies.len() as u64);
            let done = done.done.filter(|word| matches!(word.as_str(), "transactional" | "marketing"));
            inside.page("held.html", context! { rows => copies.iter().map(row).collect::<Vec<_>>(), others, done })
        }
        Err(error) => inside.refused(&error),
    }
}

async fn show(inside: Inside, Path(id): Path<String>) -> Response {
    let Some(id) = CopyId::parse(&id) else { return super::nothing_here(inside).await };
    match inside.admin().office.held_copy(&inside.operator, id).await {
        Ok(Some(copy)) => page(&inside, &copy, None).await,
        Ok(None) => super::nothing_here(inside).await,
        Err(error) => inside.refused(&error),
    }
}

async fn read(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(id) = CopyId::parse(&id) else { return super::nothing_here(inside).await };
    match inside.admin().office.read_held(&inside.operator, id, form.value("reason"), Timestamp::now()).await {
        Ok(Some(mail)) => page(&inside, &mail.copy, Some(&mail)).await,
        Ok(None) => super::nothing_here(inside).await,
        Err(error) => inside.refused(&error),
    }
}

async fn rule(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let (Some(id), Some(class)) = (CopyId::parse(&id), class(&form)) else { return super::nothing_here(inside).await };
    let answer = inside.admin().office.rule_on_held(&inside.operator, id, class, form.value("reason"), Timestamp::now()).await;
    answered(inside, answer, &format!("/admin/held?done={class}")).await
}

async fn appeal(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let (Some(id), Some(class)) = (DecisionId::parse(&id), class(&form)) else { return super::nothing_here(inside).await };
    let answer = inside.admin().office.appeal(&inside.operator, id, class, form.value("reason"), Timestamp::now()).await;
    answered(inside, answer, &format!("/admin/decisions/{id}")).await
}

async fn answered(inside: Inside, answer: Result<RuleAnswer, OfficeError>, next: &str) -> Response {
    match answer {
        Ok(RuleAnswer::Done) => see_other(&inside.path(next)).into_response(),
        Ok(RuleAnswer::SaidBefore(said)) => inside.page_with(StatusCode::CONFLICT, "said_before.html", context! { said => said.as_str() }),
        Ok(RuleAnswer::Gone) => super::nothing_here(inside).await,
        Err(error) => inside.refused(&error),
    }
}

/// The two that somebody may say.
fn class(form: &Posted) -> Option<Class> {
    Class::parse(form.value("class")).filter(|class| matches!(class, Class::Transactional | Class::Marketing))
}

fn row(copy: &SpooledCopy) -> Value {
    context! {
        id => copy.id.to_string(),
        stream => copy.stream.as_str(),
        since => time(copy.queued_at),
        until => time(copy.next_at),
        size => copy.size,
        decision => copy.ground.as_ref().map(|ground| ground.decision.to_string()),
    }
}

async fn page(inside: &Inside, copy: &SpooledCopy, mail: Option<&HeldMail>) -> Response {
    let decision = copy.ground.as_ref().map(|ground| ground.decision);
    let story = match decision {
        Some(decision) => inside.admin().office.decision(&inside.operator, decision).await,
        None => Ok(None),
    };
    let steps = match story {
        Ok(story) => story.map(|story| story.row.decision.classification.steps).unwrap_or_default(),
        Err(error) => return inside.refused(&error),
    };
    let step = |step: &crate::mail::Step| context! { trust => step.trust.as_str(), says => step.says.as_str(), why => step.why.as_str() };
    let mail = mail.map(|mail| context! { lines => &mail.lines, advertises => mail.advertises.as_str() });
    inside.page("held_one.html", context! { copy => row(copy), steps => steps.iter().map(step).collect::<Vec<_>>(), mail })
}
