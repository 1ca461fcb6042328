//! The decision log as a CSV file (RFC 4180): the rows of a filter, written while they are read, and bounded. It goes on
//! record before the first row leaves, so it is asked for by POST (I6).

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream;
use jiff::Timestamp;

use super::filter::Asked;
use super::{Admin, Inside, Posted};
use crate::compose::harmless;
use crate::consent::DecisionId;
use crate::office::{DecisionFilter, DecisionRow, OfficeError};

/// Rows of one file at most: what a spreadsheet opens, and what is written within the time of a request.
const MOST: usize = 50_000;

/// Rows read in one go.
const GO: u32 = 1_000;

const HEADINGS: [&str; 14] = [
    "ref",
    "time",
    "verdict",
    "reason",
    "class",
    "stream",
    "controller",
    "topic",
    "campaign",
    "outcome",
    "reply_code",
    "subject",
    "profile",
    "shadowed",
];

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/decisions/export", post(export))
}

async fn export(inside: Inside, form: Posted) -> Response {
    let asked = Asked::of(|field| form.value(field).to_owned().into());
    // Our own page gives what it understood itself.
    let Ok(filter) = asked.filter() else { return super::nothing_here(inside).await };
    let now = Timestamp::now();
    // The first rows before the record: who may not search has nothing to export.
    let first = match inside.admin().office.decisions(&inside.operator, &filter, None, GO).await {
        Ok(page) => page,
        Err(error) => return inside.refused(&error),
    };
    if let Err(error) = inside.admin().office.begin_export(&inside.operator, &asked.summary(), now).await {
        return inside.refused(&error);
    }
    let file = format!("attachment; filename=\"decisions-{}.csv\"", now.strftime("%Y%m%d-%H%M%S"));
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"), (header::CONTENT_DISPOSITION, file.as_str())];
    let export = Export { inside, filter, left: MOST, next: Next::Rows(first.rows, first.next) };
    (headers, Body::from_stream(stream::unfold(export, Export::go))).into_response()
}

/// A file under way.
struct Export {
    inside: Inside,
    filter: DecisionFilter,
    left: usize,
    next: Next,
}

enum Next {
    /// These, the headings before them.
    Rows(Vec<DecisionRow>, Option<DecisionId>),
    /// Those before that one.
    Before(DecisionId),
    End,
}

impl Export {
    /// The next piece of the file. An error breaks the download off: a file that looks whole is whole.
    async fn go(mut self) -> Option<(Result<Bytes, OfficeError>, Self)> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let (rows, next) = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return None,
            Next::Rows(rows, next) => {
                writer.write_record(HEADINGS).ok()?;
                (rows, next)
            }
            Next::Before(id) => match self.inside.admin().office.decisions(&self.inside.operator, &self.filter, Some(id), GO).await {
                Ok(page) => (page.rows, page.next),
                Err(error) => {
                    tracing::error!(%error, "an export broke off");
                    return Some((Err(error), self));
                }
            },
        };
        for row in rows.iter().take(self.left) {
            writer.write_record(record(row).iter().map(|cell| harmless(cell))).ok()?;
        }
        self.left = self.left.saturating_sub(rows.len());
        match next {
            Some(_) if self.left == 0 => {
                let mut last = [""; HEADINGS.len()];
                last[0] = "NOT COMPLETE: narrow the filter and export the rest";
                writer.write_record(last).ok()?;
            }
            Some(id) => self.next = Next::Before(id),
            None => {}
        }
        Some((Ok(writer.into_inner().ok()?.into()), self))
    }
}

fn record(row: &DecisionRow) -> [String; HEADINGS.len()] {
    let decision = &row.decision;
    let classification = &decision.classification;
    let topic = decision.topic.as_ref().map(|topic| topic.as_str().to_owned()).or_else(|| classification.topic.clone());
    let (word, code) = row.outcome.as_ref().map_or_else(Default::default, |(_, word, code)| (word.clone(), *code));
    [
        decision.id.to_string(),
        decision.at.to_string(),
        decision.reason.verdict().as_str().into(),
        decision.reason.as_str().into(),
        classification.class.as_str().into(),
        decision.stream.clone(),
        decision.controller.clone(),
        topic.unwrap_or_default(),
        classification.campaign.clone().unwrap_or_default(),
        word,
        code.map(|code| code.to_string()).unwrap_or_default(),
        decision.subject.to_string(),
        decision.profile.map(|profile| profile.as_str()).unwrap_or_default().into(),
        decision.shadowed.map(|reason| reason.as_str()).unwrap_or_default().into(),
    ]
}
