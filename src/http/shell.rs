//! What surrounds every request: time limit, security headers, one log line. The line names no path,
//! because paths hold tokens, and no address (I8).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::HttpSettings;
use super::connection::Peer;
use super::visitor::{Proxies, Visitor};

/// What the shell knows.
pub(super) struct Shell {
    https: bool,
    proxies: Proxies,
    request_timeout: Duration,
}

impl Shell {
    pub(super) fn new(https: bool, settings: &HttpSettings) -> Self {
        let proxies = Proxies { trusted: settings.trusted_proxies.clone(), header: settings.forwarded_header };
        Self { https, proxies, request_timeout: Duration::from_secs(settings.request_timeout) }
    }
}

/// Puts the [`Visitor`] into the request, and the headers onto the answer.
pub(super) async fn wrap(State(shell): State<Arc<Shell>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = route(request.uri().path());
    let peer: Option<IpAddr> = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0);
    let visitor = Visitor::of(request.headers(), peer, &shell.proxies);
    request.extensions_mut().insert(visitor);
    let mut response = tokio::time::timeout(shell.request_timeout, next.run(request)).await.unwrap_or_else(|_| {
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "60")], "no answer in time, please try again\n").into_response()
    });
    harden(&mut response, shell.https);
    tracing::info!(%method, route, status = response.status().as_u16(), ms = started.elapsed().as_millis(), "http");
    response
}

/// The page may show itself, be styled by our own stylesheets, show our own pictures and send its own forms, and nothing
/// else, unless its room said what it may. `form-action 'self'` is the page's own origin, whatever proxy stands between.
fn harden(response: &mut Response, https: bool) {
    const ALWAYS: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        if https || name != header::STRICT_TRANSPORT_SECURITY {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// The route, for the log.
fn route(path: &str) -> &'static str {
    const ROUTES: [&str; 10] =
        ["/admin", "/u/", "/c/", "/p/", "/subscribe/", "/api/v1/opt-ins", "/api/v1/decisions", "/healthz", "/readyz", "/assets/"];
    ROUTES.into_iter().find(|route| path.starts_with(route)).unwrap_or("other")
}
