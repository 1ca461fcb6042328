//! The body of a form post: name and value pairs, in both encodings that RFC 8058 s.3.2 allows.

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};

/// Most octets of a form; the largest one we have is a tenth of it.
pub(super) const LIMIT: usize = 8 * 1024;

/// The pairs; `None` for a body that is no form. A body without pairs is the empty form.
pub(super) async fn pairs(headers: &HeaderMap, body: &[u8]) -> Option<Vec<(String, String)>> {
    if body.is_empty() {
        return Some(vec![]);
    }
    let kind = headers.get(header::CONTENT_TYPE)?;
    let essence = kind.to_str().ok()?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let request = Request::post("/").header(header::CONTENT_TYPE, kind).body(Body::from(body.to_vec())).ok()?;
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Form::from_request(request, &()).await.ok().map(|Form(pairs)| pairs),
        "multipart/form-data" => parts(Multipart::from_request(request, &()).await.ok()?).await,
        _ => None,
    }
}

async fn parts(mut multipart: Multipart) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    while let Some(field) = multipart.next_field().await.ok()? {
        pairs.push((field.name()?.to_owned(), field.text().await.ok()?));
    }
    Some(pairs)
}

/// The first value of that name.
pub(super) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// Longest referrer that is kept as evidence, octets.
const REFERRER_LIMIT: usize = 2_048;

/// The page that the browser says it comes from.
pub(super) fn referrer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::REFERER)?.to_str().ok()?;
    (value.len() <= REFERRER_LIMIT).then(|| value.to_owned())
}

/// True when the form has exactly that pair.
pub(super) fn has(pairs: &[(String, String)], name: &str, value: &str) -> bool {
    pairs.iter().any(|(n, v)| n == name && v == value)
}
