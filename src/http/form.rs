//! What a form posts: name and value pairs, in both encodings that RFC 8058 s.3.2 allows.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};

use super::answer::Answers;
use super::page::Page;
use super::visitor::Visitor;

/// Most octets of a form; the largest one we have is a tenth of it.
pub(super) const LIMIT: usize = 8 * 1024;

/// The pairs of a form, in their order.
#[derive(Clone, Default)]
pub(super) struct Posted(Vec<(String, String)>);

impl Posted {
    /// Reads a body; `None` when it is no form. A body without pairs is the empty form.
    pub(super) async fn read(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        if body.is_empty() {
            return Some(Self::default());
        }
        let kind = headers.get(header::CONTENT_TYPE)?;
        let essence = kind.to_str().ok()?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let request = Request::post("/").header(header::CONTENT_TYPE, kind).body(Body::from(body.to_vec())).ok()?;
        let pairs = match essence.as_str() {
            "application/x-www-form-urlencoded" => Form::from_request(request, &()).await.ok().map(|Form(pairs)| pairs),
            "multipart/form-data" => parts(Multipart::from_request(request, &()).await.ok()?).await,
            _ => None,
        };
        pairs.map(Self)
    }

    /// The first value of that name; empty when there is none.
    pub(super) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// All values of that name.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// True when there is exactly that pair.
    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.values(name).any(|own| own == value)
    }
}

/// For public pages: what is no form of theirs is answered by the page that says so.
impl FromRequest<Answers> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, answers: &Answers) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Extension::<Visitor>::from_request_parts(&mut parts, answers).await.map_err(IntoResponse::into_response)?;
        let headers = parts.headers.clone();
        let posted = match Bytes::from_request(Request::from_parts(parts, body), answers).await {
            Ok(body) => Self::read(&headers, &body).await.ok_or(StatusCode::BAD_REQUEST),
            Err(rejection) => Err(rejection.status()),
        };
        posted.map_err(|status| answers.refusal(Page::Invalid, status, &visitor, ""))
    }
}

async fn parts(mut multipart: Multipart) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    while let Some(field) = multipart.next_field().await.ok()? {
        pairs.push((field.name()?.to_owned(), field.text().await.ok()?));
    }
    Some(pairs)
}

/// The origin of a URL as browsers write it (RFC 6454 s.6.2).
pub(super) fn origin(url: &str) -> String {
    let url = url.to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", &url));
    let host = rest.split('/').next().unwrap_or_default();
    let port = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}", host.strip_suffix(port).unwrap_or(host))
}

/// The origin that the browser says a form was sent from.
pub(super) fn sender(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::ORIGIN)?.to_str().ok()?;
    (value.len() <= REFERRER_LIMIT).then(|| value.to_ascii_lowercase())
}

/// True for one of the pages of `urls`, with `www.` or without; and where the browser keeps its origin to itself, as it does
/// on pages that give no referrer.
pub(super) fn is_of<'a>(sender: Option<&str>, urls: impl IntoIterator<Item = &'a str>) -> bool {
    let plain = |origin: &str| origin.replacen("://www.", "://", 1);
    match sender {
        None | Some("null") => true,
        Some(sender) => urls.into_iter().any(|url| plain(&origin(url)) == plain(sender)),
    }
}

/// Longest referrer that is kept as evidence, octets.
const REFERRER_LIMIT: usize = 2_048;

/// The page that the browser says it comes from.
pub(super) fn referrer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::REFERER)?.to_str().ok()?;
    (value.len() <= REFERRER_LIMIT).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (url, expected) in [
            ("https://Mail.Acme.example/consent", "https://mail.acme.example"),
            ("https://mail.acme.example:443", "https://mail.acme.example"),
            ("https://mail.acme.example:8443/x", "https://mail.acme.example:8443"),
            ("http://127.0.0.1:8025", "http://127.0.0.1:8025"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }

    #[test]
    fn another_site_is_told_from_the_pages_own() {
        let urls = ["https://acme.example/newsletter", "https://consent.acme.example"];
        for (sender, is_ours) in [
            (None, true),
            (Some("null"), true),
            (Some("https://acme.example"), true),
            (Some("https://www.acme.example"), true),
            (Some("https://consent.acme.example"), true),
            (Some("http://acme.example"), false),
            (Some("https://acme.example:8443"), false),
            (Some("https://acme.example.evil.example"), false),
            (Some("https://evil.example"), false),
            (Some(""), false),
        ] {
            assert_eq!(is_of(sender, urls), is_ours, "{sender:?}");
        }
    }
}
