//! The demo's pages: what left and what was decided. Only the demo has them:
//! they show mails in clear and need no login, on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use minijinja::{Environment, UndefinedBehavior, context};

use super::story::PASSWORD;
use crate::cli::sink::Sink;
use crate::consent::Language;
use crate::desk::Desk;

/// What the pages show.
#[derive(Clone)]
pub(super) struct Demo {
    pub(super) sink: Arc<Sink>,
    pub(super) desk: Desk,
    pub(super) smtp: SocketAddr,
}

pub(super) fn router(demo: Demo) -> Router {
    Router::new().route("/", get(overview)).route("/demo", get(overview)).route("/demo/mails/{number}", get(mail)).with_state(demo)
}

async fn overview(State(demo): State<Demo>) -> Response {
    page(&demo).await
}

async fn mail(State(demo): State<Demo>, Path(number): Path<u64>) -> Response {
    let Some(mail) = demo.sink.mail(number) else {
        return (StatusCode::NOT_FOUND, "no such mail").into_response();
    };
    let parsed = mail_parser::MessageParser::new().parse(mail.raw.as_bytes());
    let text = parsed.as_ref().and_then(|message| message.body_text(0)).unwrap_or_default().into_owned();
    let is_link = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
    let links: Vec<String> = text.split_whitespace().filter(is_link).map(str::to_owned).collect();
    render(
        "mail.html",
        context! { mail => context! { subject => mail.subject, recipient => mail.recipient, raw => mail.raw }, text, links },
    )
}

async fn page(demo: &Demo) -> Response {
    let Ok(decisions) = demo.desk.decisions(None, 100).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let decisions: Vec<_> = decisions
        .iter()
        .map(|row| {
            let decision = &row.decision;
            context! {
                at => decision.at.strftime("%H:%M:%S").to_string(),
                stream => decision.stream.as_str(),
                class => decision.classification.class.as_str(),
                verdict => decision.reason.verdict().as_str(),
                reason => decision.reason.as_str(),
                sentence => decision.reason.sentence(Language::EN),
                topic => decision.topic.as_ref().map(|topic| topic.as_str()),
                steps => decision.classification.steps.iter().map(|step| format!("{}: {}", step.trust.as_str(), step.why)).collect::<Vec<_>>(),
                outcome => row.outcome.as_ref().map(|(_, word, _)| word.clone()),
                id => decision.id.to_string(),
            }
        })
        .collect();
    let mails: Vec<_> = demo
        .sink
        .mails()
        .iter()
        .map(|mail| context! { number => mail.number, recipient => mail.recipient.as_str(), subject => mail.subject.as_str(), one_click => mail.one_click })
        .collect();
    render("overview.html", context! { decisions, mails, smtp => demo.smtp.to_string(), password => PASSWORD })
}

fn render(name: &str, values: minijinja::Value) -> Response {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let source = match name {
        "mail.html" => include_str!("../../../templates/demo/mail.html"),
        _ => include_str!("../../../templates/demo/overview.html"),
    };
    match templates.render_named_str(name, source, values) {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "demo page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
