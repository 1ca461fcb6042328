//! What stands in a path or a query. Where it cannot be read, our own page says so, and not the framework in its words.

use axum::extract::{self, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, RequestPartsExt};
use serde::de::DeserializeOwned;

use super::answer::Answers;
use super::page::Page;
use super::visitor::Visitor;

/// A room that has a page for what cannot be read.
pub(super) trait Refuses: Sync {
    /// That page.
    fn refuse(&self, parts: &mut Parts, status: StatusCode) -> impl Future<Output = Response> + Send;
}

/// The segments of a path.
pub(super) struct Path<T>(pub(super) T);

/// The pairs of a query.
pub(super) struct Query<T>(pub(super) T);

/// The token of a link in a mail, without what mail programs leave at its end: a full stop of the sentence, the `=` of a
/// soft line break, a bracket. Empty where it cannot be read: then it is no link of ours.
pub(super) struct Token(pub(super) String);

impl<T: DeserializeOwned + Send + 'static, S: Refuses> FromRequestParts<S> for Path<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, room: &S) -> Result<Self, Response> {
        match parts.extract::<extract::Path<T>>().await {
            Ok(extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(room.refuse(parts, StatusCode::NOT_FOUND).await),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static, S: Refuses> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, room: &S) -> Result<Self, Response> {
        match extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(extract::Query(value)) => Ok(Self(value)),
            Err(_) => Err(room.refuse(parts, StatusCode::BAD_REQUEST).await),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Token {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let text = parts.extract::<extract::Path<String>>().await.map(|extract::Path(text)| text).unwrap_or_default();
        // base64url without padding (RFC 4648 s.5)
        let foreign = |c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_';
        Ok(Self(text.trim_end_matches(foreign).to_owned()))
    }
}

impl Refuses for Answers {
    async fn refuse(&self, parts: &mut Parts, status: StatusCode) -> Response {
        let page = if status == StatusCode::NOT_FOUND { Page::NotFound } else { Page::Invalid };
        match parts.extract::<Extension<Visitor>>().await {
            Ok(Extension(visitor)) => self.refusal(page, status, &visitor, ""),
            Err(rejection) => rejection.into_response(),
        }
    }
}
