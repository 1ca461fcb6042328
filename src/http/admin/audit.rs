//! The audit log: who did what, newest first.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};

use super::super::extract::Query;
use super::{Admin, Inside};
use crate::office::{AuditLine, Object};

/// Lines on one page.
const PAGE: u32 = 50;

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/audit", get(show))
}

/// Which lines.
#[derive(serde::Deserialize)]
struct Range {
    before: Option<u64>,
}

async fn show(inside: Inside, Query(range): Query<Range>) -> Response {
    match inside.admin().office.audit_log(&inside.operator, range.before, PAGE).await {
        Ok(lines) => {
            // Line 1 is the first there is.
            let next = lines.last().filter(|last| last.seq > 1).map(|last| last.seq);
            let lines: Vec<Value> = lines.iter().map(view).collect();
            inside.page("audit.html", context! { lines, next, newest => range.before.is_none() })
        }
        Err(error) => inside.refused(&error),
    }
}

fn view(line: &AuditLine) -> Value {
    let (kind, id) = match line.line.object {
        None => (None, None),
        Some(Object::Decision(id)) => (Some("decision"), Some(id.to_string())),
        Some(Object::Subject(id)) => (Some("subject"), Some(id.to_string())),
        Some(Object::Operator(id)) => (Some("operator"), Some(id.to_string())),
    };
    context! {
        seq => line.seq,
        at => super::time(line.line.at),
        operator => line.operator_name.as_deref(),
        deed => line.line.deed.as_str(),
        kind,
        id,
        object_name => line.object_name.as_deref(),
        reason => line.line.reason.as_deref(),
    }
}
