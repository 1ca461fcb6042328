//! The decision log: filters, pages, and the newest as they come.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};

use super::super::extract::Query;
use super::filter::Asked;
use super::{Admin, Inside};
use crate::consent::{DecisionId, Reason};
use crate::mail::Class;
use crate::office::{DecisionPage, DecisionRow};

/// Rows on one page.
const PAGE: u32 = 50;

/// Ids are made before their commit, so an older one may come later: rows are asked for from so many milliseconds before the
/// newest that the browser has. It knows which ones are new.
const OVERLAP_MS: u64 = 10_000;

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/decisions", get(show)).route("/decisions/rows", get(newer))
}

type Pairs = Query<Vec<(String, String)>>;

fn value<'a>(pairs: &'a Pairs, field: &str) -> &'a str {
    pairs.0.iter().find(|(own, _)| own == field).map_or("", |(_, value)| value)
}

async fn show(inside: Inside, pairs: Pairs) -> Response {
    let asked = Asked::of(|field| value(&pairs, field).into());
    let before = Some(value(&pairs, "before")).filter(|before| !before.is_empty());
    let filter = match (asked.filter(), before.map(DecisionId::parse)) {
        (Err(field), _) => Err(field),
        (Ok(_), Some(None)) => Err("before"),
        (Ok(filter), before) => Ok((filter, before.flatten())),
    };
    let names = match inside.admin().office.decision_names(&inside.operator).await {
        Ok(names) => names,
        Err(error) => return inside.refused(&error),
    };
    let (status, page, fault) = match filter {
        Err(field) => (StatusCode::UNPROCESSABLE_ENTITY, DecisionPage::default(), Some(field)),
        Ok((filter, before)) => match inside.admin().office.decisions(&inside.operator, &filter, before, PAGE).await {
            Ok(page) => (StatusCode::OK, page, None),
            Err(error) => return inside.refused(&error),
        },
    };
    // What comes later than the filter's end never comes.
    let is_live = fault.is_none() && before.is_none() && asked.get("to").is_none();
    let newest = page.rows.first().map_or(DecisionId([0; 16]), |row| row.decision.id);
    inside.page_with(
        status,
        "decisions.html",
        context! {
            fault,
            asked => asked.values(),
            streams => with(names.streams, asked.get("stream")),
            topics => with(names.topics, asked.get("topic")),
            campaigns => names.campaigns,
            reasons => Reason::ALL.map(|reason| context! { word => reason.as_str(), verdict => reason.verdict().as_str() }),
            classes => [Class::Marketing, Class::Transactional].map(Class::as_str),
            rows => page.rows.iter().map(view).collect::<Vec<_>>(),
            live => is_live.then(|| asked.query(&[("after", &newest.to_string())])),
            newest => before.is_some().then(|| asked.query(&[])),
            refresh => asked.query(&[]),
            older => page.next.map(|next| asked.query(&[("before", &next.to_string())])),
            searched_back_to => page.searched_back_to.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()),
        },
    )
}

/// The rows that are newer than the newest that the page has, and some it may have.
async fn newer(inside: Inside, pairs: Pairs) -> Response {
    let asked = Asked::of(|field| value(&pairs, field).into());
    let (Ok(filter), Some(after)) = (asked.filter(), DecisionId::parse(value(&pairs, "after"))) else {
        return inside.page_with(StatusCode::UNPROCESSABLE_ENTITY, "decision_rows.html", context! { rows => Value::from(()) });
    };
    let after = u128::from_be_bytes(after.0).saturating_sub(u128::from(OVERLAP_MS) << 80);
    match inside.admin().office.newer_decisions(&inside.operator, &filter, DecisionId(after.to_be_bytes()), PAGE).await {
        Ok(rows) => inside.page("decision_rows.html", context! { rows => rows.iter().map(view).collect::<Vec<_>>() }),
        Err(error) => inside.refused(&error),
    }
}

/// The choices, and the chosen one even when it is not among them.
fn with(mut names: Vec<String>, chosen: Option<&str>) -> Vec<String> {
    let missing = chosen.filter(|chosen| !names.iter().any(|name| name == chosen)).map(str::to_owned);
    names.extend(missing);
    names
}

/// A row as the table shows it.
fn view(row: &DecisionRow) -> Value {
    let decision = &row.decision;
    let classification = &decision.classification;
    context! {
        id => decision.id.to_string(),
        at => super::time(decision.at),
        verdict => decision.reason.verdict().as_str(),
        reason => decision.reason.as_str(),
        class => classification.class.as_str(),
        stream => decision.stream.as_str(),
        topic => decision.topic.as_ref().map(|topic| topic.as_str()).or(classification.topic.as_deref()),
        campaign => classification.campaign.as_deref(),
        outcome => row.outcome.as_ref().map(|(_, word, _)| word.as_str()),
    }
}
