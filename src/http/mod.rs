//! Joiner: what people and tools reach over HTTP. Public pages (`/subscribe/` sign up, `/c/`
//! confirm, `/u/` unsubscribe, `/p/` own data) without cookies, scripts or redirects, the machine API, the operators' pages (`/admin`), and the probes. What an
//! answer means is the business of `desk` and `office`; this room only reads requests and writes answers.

mod access;
mod admin;
mod answer;
mod api;
mod brand;
mod choice;
mod confirm;
mod connection;
mod content;
mod dossier;
mod events;
mod extract;
mod form;
mod page;
mod pages;
mod press;
mod problem;
mod samples;
mod shell;
mod subjects;
mod subscribe;
mod unsubscribe;
mod visitor;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use ipnet::IpNet;
use tokio::net::TcpListener;

pub use content::{AccessView, CHOSEN, Content, FormView, SignUpView, StandingView, WhyView};
pub use page::Page;
pub use pages::Pages;
pub use visitor::ForwardedHeader;

use crate::compose::ComposeError;
use crate::desk::{Desk, Ready};
use crate::office::Office;
use answer::Answers;
use connection::{Bounded, Peer};
use visitor::Visitor;

/// Settings of the HTTP side.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Networks of reverse proxies whose `forwarded_header` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say who asks. They must write it themselves; any other is ignored.
    pub forwarded_header: ForwardedHeader,
    /// Connections served at the same time; more wait in the system's queue.
    pub max_connections: usize,
    /// Seconds that a request may take, from its first octet to the end of its answer.
    pub request_timeout: u64,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            trusted_proxies: vec![],
            forwarded_header: ForwardedHeader::default(),
            max_connections: 1024,
            request_timeout: 15,
        }
    }
}

/// All pages and the API over `desk` and `office`, and `more` pages, which get the same headers and limits. Fails when a
/// page of the operator's cannot serve.
pub fn router(desk: &Desk, office: &Office, settings: &HttpSettings, more: Router) -> Result<Router, ComposeError> {
    let pages = Pages::new(desk.public_url().path(), desk.catalogue(), desk.words())?;
    let answers = Answers::new(desk.clone(), pages);
    let shell = Arc::new(shell::Shell::new(desk.public_url().is_https(), settings));
    let router = Router::new()
        .merge(unsubscribe::router(answers.clone()))
        .merge(confirm::router(answers.clone()))
        .merge(access::router(answers.clone()))
        .merge(brand::router(answers.clone()))
        .merge(subscribe::router(answers.clone()))
        .nest("/api", api::router(desk.clone()).merge(events::router(desk.clone())).merge(subjects::router(desk.clone())))
        .merge(admin::router(office, &answers)?)
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready).with_state(desk.clone()))
        .route("/assets/style.css", get(style))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_that_method)
        .with_state(answers)
        .merge(more)
        .layer(middleware::from_fn_with_state(shell, shell::wrap));
    Ok(router)
}

/// Serves `router`, which [`router`] made, until `shutdown`; then lets running requests end.
pub async fn serve(listener: TcpListener, router: Router, settings: HttpSettings, shutdown: impl Future<Output = ()> + Send + 'static) {
    let listener = Bounded::new(listener, &settings);
    let service = router.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(shutdown).await {
        tracing::error!(%error, "http server ended");
    }
}

async fn ready(State(desk): State<Desk>) -> Response {
    let journaled = desk.journaled();
    match (desk.ready().await, journaled) {
        (Ok(Ready::OtherRules), _) => {
            let text = "other rules are in force than decide here: start this gateway anew with the configuration that brought them\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        (Ok(Ready::Yes), None) => "ready\n".into_response(),
        (Ok(Ready::Yes), Some(waiting)) => format!("ready; {waiting} decisions in the journal go into the ledger\n").into_response(),
        (Err(error), _) => {
            tracing::warn!(%error, "not ready");
            let waiting = journaled.unwrap_or(0);
            let text = format!(
                "the ledger does not answer: marketing waits, plain transactional mail goes on; {waiting} decisions in the journal\n"
            );
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], text).into_response()
        }
    }
}

async fn style(uri: Uri) -> Response {
    (kept("text/css; charset=utf-8", &uri), pages::STYLE).into_response()
}

/// Headers of an asset.
fn kept(media_type: &'static str, uri: &Uri) -> HeaderMap {
    // Our pages name the version in the query; without one it may be another tomorrow.
    let keep = if uri.query().is_some() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fields = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, keep)];
    fields.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

async fn nothing_here(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, uri: Uri) -> Response {
    answers.refusal(Page::NotFound, StatusCode::NOT_FOUND, &visitor, uri.path())
}

async fn not_that_method(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, uri: Uri) -> Response {
    answers.refusal(Page::Invalid, StatusCode::METHOD_NOT_ALLOWED, &visitor, uri.path())
}
