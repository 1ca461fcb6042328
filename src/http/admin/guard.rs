//! What every request to the admin pages passes: the network, the session, the language, the origin of what is posted and
//! the token of its form (CSRF), and the headers of the answer.

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use minijinja::context;

use super::super::form::{self, Posted};
use super::super::page::Page;
use super::super::visitor::Visitor;
use super::Admin;
use super::caller::Caller;

impl FromRequestParts<Admin> for Posted {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, StatusCode> {
        // Absent only in a handler of GET, which has no form.
        parts.extensions.get::<Posted>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The layer.
pub(super) async fn wrap(State(admin): State<Admin>, Extension(visitor): Extension<Visitor>, request: Request, next: Next) -> Response {
    let mut response = if admin.office.admits(visitor.ip()) {
        admit(admin, &visitor, request, next).await
    } else {
        admin.answers.refusal(Page::NotFound, StatusCode::NOT_FOUND, &visitor, "")
    };
    harden(response.headers_mut());
    response
}

async fn admit(admin: Admin, visitor: &Visitor, request: Request, next: Next) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let caller = match Caller::of(&admin, visitor, &parts, Timestamp::now()).await {
        Ok(caller) => caller,
        Err((caller, error)) => return caller.unavailable(&error),
    };
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        let Ok(octets) = to_bytes(body, form::LIMIT).await else {
            return caller.page_with(StatusCode::PAYLOAD_TOO_LARGE, "form_refused.html", context! {});
        };
        let posted = Posted::read(&parts.headers, &octets).await.unwrap_or_default();
        if !is_from_our_pages(&parts.headers, &admin.origin) || !caller.is_form_token(posted.value("token")) {
            tracing::warn!("a form of the admin pages was refused");
            return caller.page_with(StatusCode::FORBIDDEN, "form_refused.html", context! {});
        }
        body = Body::empty();
        parts.extensions.insert(posted);
    }
    parts.extensions.insert(caller);
    next.run(Request::from_parts(parts, body)).await
}

/// True when the browser says that one of our own pages sent it. Browsers tell `Sec-Fetch-Site` over https and on
/// loopback, else `Origin`; what tells neither is no browser of ours.
fn is_from_our_pages(headers: &HeaderMap, origin: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(own)) => own == origin,
        (None, None) => false,
    }
}

/// True for a request that a link on another site's page made: then the browser keeps strict cookies back.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

/// Scripts, styles, images and requests of our own origin only; nobody may frame, open or read these pages. A referrer
/// goes to our own pages only: without any, browsers would hide the origin of our forms.
fn harden(headers: &mut HeaderMap) {
    const HEADERS: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_post() {
        for (site, origin, ours) in [
            (Some("same-origin"), Some("https://a.example"), true),
            (Some("same-origin"), None, true),
            (Some("same-site"), Some("https://a.example"), false),
            (Some("cross-site"), Some("https://a.example"), false),
            (Some("none"), None, false),
            (None, Some("https://a.example"), true),
            (None, Some("https://b.example"), false),
            (None, Some("null"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            let mut put = |name: &'static str, value: Option<&'static str>| {
                value.map(|value| headers.insert(name, HeaderValue::from_static(value)));
            };
            put("sec-fetch-site", site);
            put("origin", origin);
            assert_eq!(is_from_our_pages(&headers, "https://a.example"), ours, "{site:?} {origin:?}");
        }
    }
}
