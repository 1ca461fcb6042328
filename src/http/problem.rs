//! Errors of the API as problem documents (RFC 9457): what is wrong, with which field, how to mend it.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::desk::{FieldProblem, Scope, StoreError};

/// An error answer.
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldProblem>,
    header: Option<(HeaderName, &'static str)>,
}

impl Problem {
    /// `detail` says what is wrong and what to do.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: vec![], header: None }
    }

    /// What is wrong with which field.
    pub(super) fn fields(errors: Vec<FieldProblem>) -> Self {
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing was stored; mend the fields under \"errors\" and send it again")
        }
    }

    /// No token, or none of ours (RFC 6750 s.3).
    pub(super) fn unauthenticated(given: bool) -> Self {
        let (detail, challenge) = if given {
            ("this token is not valid", "Bearer realm=\"consentry\", error=\"invalid_token\"")
        } else {
            ("give a token: Authorization: Bearer ct_...", "Bearer realm=\"consentry\"")
        };
        let header = Some((header::WWW_AUTHENTICATE, challenge));
        Self { header, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// The token may not do this (RFC 6750 s.3.1).
    pub(super) fn forbidden(needed: Scope) -> Self {
        let (detail, challenge) = match needed {
            Scope::SubjectRectification => (
                "the token lacks the scope subjects:rectification",
                "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"subjects:rectification\"",
            ),
            Scope::Requests => {
                ("the token lacks the scope requests", "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"requests\"")
            }
            Scope::OptIn => {
                ("the token lacks the scope opt_in", "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"opt_in\"")
            }
            Scope::Decisions => {
                ("the token lacks the scope decisions", "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"decisions\"")
            }
            Scope::SubjectAccess => (
                "the token lacks the scope subjects:access",
                "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"subjects:access\"",
            ),
            Scope::SubjectErasure => (
                "the token lacks the scope subjects:erasure",
                "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"subjects:erasure\"",
            ),
            Scope::SubjectRestriction => (
                "the token lacks the scope subjects:restriction",
                "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"subjects:restriction\"",
            ),
            Scope::Events(_) => (
                "the token does not say which system talks: make one with exactly one of the scopes events:crm, events:erp, events:ma, events:staff",
                "Bearer realm=\"consentry\", error=\"insufficient_scope\", scope=\"events:crm events:erp events:ma events:staff\"",
            ),
        };
        let header = Some((header::WWW_AUTHENTICATE, challenge));
        Self { header, ..Self::new(StatusCode::FORBIDDEN, detail) }
    }

    /// The ledger is away; logged here.
    pub(super) fn unavailable(error: &StoreError) -> Self {
        tracing::error!(%error, "the ledger did not answer the API");
        let header = Some((header::RETRY_AFTER, "60"));
        Self {
            header,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the consent ledger does not answer; nothing was stored, try again later")
        }
    }
}

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The document: of an answer, or of one item of a batch.
    pub(super) fn document(&self) -> Document<'_> {
        let title = self.status.canonical_reason().unwrap_or("Error");
        Document { r#type: "about:blank", title, status: self.status.as_u16(), detail: &self.detail, errors: &self.errors }
    }
}

/// RFC 9457 s.3.1; `about:blank` says that the status code is the type.
#[derive(serde::Serialize)]
pub(super) struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldProblem],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}
