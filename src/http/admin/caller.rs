//! Who calls: session, language, place, and the page that suits them. [`Inside`] is the proof that an operator has come all
//! the way in; whoever has not is led to the login.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::super::extract::Refuses;
use super::super::visitor::Visitor;
use super::{Admin, cookie, guard, see_other};
use crate::compose::Words;
use crate::consent::Language;
use crate::desk::Desk;
use crate::office::{Action, Operator, Session, SessionToken, Stage, StoreError};

/// The navigation: path, name, and what one must be allowed to do to see it.
const NAV: [(&str, &str, Option<Action>); 8] = [
    ("/admin", "overview", Some(Action::Overview)),
    ("/admin/decisions", "decisions", Some(Action::Decisions)),
    ("/admin/held", "held", Some(Action::Held)),
    ("/admin/subjects", "subjects", Some(Action::FindSubject)),
    ("/admin/requests", "requests", Some(Action::Requests)),
    ("/admin/rules", "rules", Some(Action::Rules)),
    ("/admin/audit", "audit", Some(Action::ReadAudit)),
    ("/admin/account", "account", None),
];

/// Longest path that one is led back to after the login.
const BACK_LIMIT: usize = 512;

/// Whoever calls; cheap to clone.
#[derive(Clone)]
pub(in crate::http) struct Caller {
    admin: Admin,
    /// Text of the session cookie, if it belongs to a session.
    token: Option<Arc<str>>,
    /// Text of the cookie that binds the forms of those who have no session.
    visit: Option<Arc<str>>,
    pub(super) session: Option<Arc<Session>>,
    pub(super) language: Language,
    /// Counts attempts, and goes nowhere else (I8).
    pub(super) place: Option<IpAddr>,
    /// Path and query, below the base, of the page that is shown or that sent the form.
    here: Arc<str>,
}

/// An operator who has come all the way in.
pub(in crate::http) struct Inside {
    caller: Caller,
    /// Who it is, with the role of this moment.
    pub(in crate::http) operator: Operator,
}

impl Caller {
    /// Looks the session up; without the ledger it is a caller without one, who can be told so.
    pub(super) async fn of(admin: &Admin, visitor: &Visitor, request: &Parts, now: Timestamp) -> Result<Self, (Self, StoreError)> {
        let read = |name| cookie::read(&request.headers, name, admin.https);
        let uri = request.extensions.get::<OriginalUri>().map_or(&request.uri, |original| &original.0);
        let chosen = read(cookie::LANGUAGE).and_then(|tag| Language::parse(&tag));
        let languages = chosen.into_iter().chain(visitor.languages.iter().copied());
        let mut caller = Self {
            admin: admin.clone(),
            token: None,
            visit: read(cookie::VISIT).map(Into::into),
            session: None,
            language: languages.into_iter().find(|language| Words::STAFF.contains(language)).unwrap_or(Language::EN),
            place: visitor.ip(),
            here: match request.method {
                Method::GET | Method::HEAD => uri.path_and_query().map_or("/admin", |path| path.as_str()),
                _ => shown_at(uri.path()),
            }
            .into(),
        };
        let Some(token) = read(cookie::SESSION) else { return Ok(caller) };
        match admin.office.session(&token, now).await {
            Ok(session) => {
                caller.token = session.is_some().then(|| token.into());
                caller.session = session.map(Arc::new);
                Ok(caller)
            }
            Err(error) => Err((caller, error)),
        }
    }

    pub(in crate::http) fn admin(&self) -> &Admin {
        &self.admin
    }

    /// What is configured is known to the desk.
    pub(super) fn desk(&self) -> &Desk {
        &self.admin.answers.desk
    }

    /// Text of the session cookie; empty without a session.
    pub(super) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The operator, if all the way in.
    pub(super) fn operator(&self) -> Option<&Operator> {
        self.session.as_deref().filter(|session| session.stage == Stage::Full).map(|session| &session.operator)
    }

    /// Who has a session, even halfway, has forms bound to it; others have them bound to their visit.
    fn binding(&self) -> Option<&str> {
        self.token.as_deref().or(self.visit.as_deref())
    }

    pub(super) fn is_form_token(&self, given: &str) -> bool {
        self.binding().is_some_and(|binding| self.admin.office.is_form_token(binding, given))
    }

    /// The languages that the admin pages have, the caller's first.
    pub(super) fn languages(&self) -> Vec<Language> {
        let others = Words::STAFF.into_iter().filter(|language| *language != self.language);
        std::iter::once(self.language).chain(others).collect()
    }

    /// A language that the admin pages have.
    pub(super) fn language_of(&self, tag: &str) -> Option<Language> {
        Language::parse(tag).filter(|language| Words::STAFF.contains(language))
    }

    /// A path below ours: the base, and `path`, which begins with `/admin`.
    pub(in crate::http) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.admin.base)
    }

    /// Onward to a page of ours, if `back` is one, else to the overview. So nobody can be sent elsewhere by a link to us.
    pub(super) fn to(&self, back: &str) -> Redirect {
        see_other(&self.path(if is_ours(back) { back } else { "/admin" }))
    }

    /// To the login, and back here afterwards.
    fn to_login(&self, back: &str) -> Redirect {
        let back = if is_ours(back) { back } else { "/admin" };
        see_other(&self.path(&with_back("/admin/login", back)))
    }

    /// Gives the browser a session.
    pub(super) fn begin(&self, response: &mut Response, token: &SessionToken) {
        self.set_cookie(response, cookie::SESSION, token.as_str());
    }

    /// Takes the session out of the browser.
    pub(super) fn end(&self, response: &mut Response) {
        response.headers_mut().append(header::SET_COOKIE, cookie::clear(cookie::SESSION, self.admin.https));
    }

    pub(super) fn set_cookie(&self, response: &mut Response, name: &str, value: &str) {
        response.headers_mut().append(header::SET_COOKIE, cookie::set(name, value, self.admin.https));
    }

    /// A text that speaks of nothing, outside of a page.
    pub(super) fn text(&self, key: &str) -> String {
        let text = self.admin.answers.desk.words().text(None, self.language, key, &Value::UNDEFINED);
        text.unwrap_or_else(|error| {
            tracing::error!(%error, key, "text not found");
            key.to_owned()
        })
    }

    /// A moment (UTC) in the format of that key.
    pub(super) fn moment(&self, key: &str, at: Timestamp) -> String {
        let moment = self.admin.answers.desk.words().moment(None, self.language, key, at);
        moment.unwrap_or_else(|error| {
            tracing::error!(%error, key, "moment not written");
            at.to_string()
        })
    }

    /// A number with its thousands apart.
    pub(super) fn number(&self, number: u64) -> String {
        let written = self.admin.answers.desk.words().number(self.language, number);
        written.unwrap_or_else(|error| {
            tracing::error!(%error, "number not written");
            number.to_string()
        })
    }

    /// The ledger is away; logged here.
    pub(super) fn unavailable(&self, error: &StoreError) -> Response {
        tracing::error!(%error, "the ledger did not answer an admin page");
        let mut response = self.page_with(StatusCode::SERVICE_UNAVAILABLE, "unavailable.html", context! {});
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        response
    }

    /// A page: what the layout needs, and `values`.
    pub(in crate::http) fn page_with(&self, status: StatusCode, template: &str, values: Value) -> Response {
        let visit = self.binding().is_none().then(|| self.admin.office.blank_token());
        let binding = self.binding().or(visit.as_ref().map(SessionToken::as_str)).unwrap_or_default();
        let operator = self.operator();
        let may = |action: Action| operator.is_some_and(|operator| self.admin.office.authorise(operator, action).is_ok());
        let path = self.here.split('?').next().unwrap_or_default();
        let is_here = |own: &str| path == own || (own != "/admin" && path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')));
        let nav = NAV.iter().filter(|(_, _, action)| action.is_none_or(&may));
        let frame = context! {
            language => self.language.as_str(),
            base => &*self.admin.base,
            here => if is_ours(&self.here) { &*self.here } else { "/admin" },
            token => self.admin.office.form_token(binding),
            operator => operator.map(|operator| context! { name => operator.name.as_str(), role => operator.role.as_str() }),
            may => Serde(Action::ALL.map(|action| (action.as_str(), may(action))).into_iter().collect::<BTreeMap<_, _>>()),
            nav => nav.map(|(own, name, _)| context! { path => *own, name => *name, current => is_here(own) }).collect::<Vec<_>>(),
        };
        let html = self.admin.pages.render(template, context! { ..values, ..frame });
        let mut response = match html {
            Ok(html) => (status, [(header::CONTENT_LANGUAGE, self.language.as_str())], Html(html)).into_response(),
            Err(error) => {
                tracing::error!(?error, template, "admin page not rendered");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        };
        if let Some(visit) = visit {
            self.set_cookie(&mut response, cookie::VISIT, visit.as_str());
        }
        response
    }
}

impl FromRequestParts<Admin> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, StatusCode> {
        // The guard puts it there for every request.
        parts.extensions.get::<Caller>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Refuses for Admin {
    async fn refuse(&self, parts: &mut Parts, status: StatusCode) -> Response {
        match parts.extract_with_state::<Inside, _>(self).await {
            Ok(inside) => inside.page_with(status, "nothing_here.html", context! {}),
            Err(led_in) => led_in,
        }
    }
}

impl FromRequestParts<Admin> for Inside {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Response> {
        let caller = Caller::from_request_parts(parts, admin).await.map_err(IntoResponse::into_response)?;
        match caller.operator().cloned() {
            Some(operator) => Ok(Self { caller, operator }),
            None => Err(caller.led_in(&parts.method, &parts.headers)),
        }
    }
}

impl std::ops::Deref for Inside {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Caller {
    /// Where somebody goes who is not inside.
    fn led_in(&self, method: &Method, headers: &HeaderMap) -> Response {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match &self.session {
            Some(_) => see_other(&self.path(&with_back("/admin/second-factor", if reads { &self.here } else { "/admin" }))).into_response(),
            // A link on another site brought them here, so the browser kept the session cookie back. From our own page it
            // sends it along.
            None if reads && guard::is_from_elsewhere(headers) => self.page_with(StatusCode::OK, "once_more.html", context! {}),
            None => self.to_login(if reads { &self.here } else { "/admin" }).into_response(),
        }
    }
}

/// Where the page is that a form was sent from to `path`: not every path that takes a form shows something.
fn shown_at(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((page @ "/admin/account", "password" | "sessions" | "second-factor")) => page,
        Some((
            page,
            "address" | "withdrawal" | "evidence" | "export" | "access" | "erasure" | "restriction" | "rectification" | "step",
        )) => page,
        Some((page @ "/admin", "language" | "logout")) => page,
        _ => path,
    }
}

/// `path` with the way back in its query.
pub(super) fn with_back(path: &str, back: &str) -> String {
    if back == "/admin" || !is_ours(back) { path.to_owned() } else { format!("{path}?back={}", escape(back)) }
}

/// True for a path of the admin pages, and nothing a browser could take for another host, or that carries an address on (I8).
fn is_ours(back: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.?=&%+,:~".contains(&byte);
    let rest = back.strip_prefix("/admin").filter(|rest| !rest.contains("%40"));
    back.len() <= BACK_LIMIT && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) && back.bytes().all(plain)
}

/// For a value in a query.
pub(super) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_back_to_our_own_pages_only() {
        for (back, ours) in [
            ("/admin", true),
            ("/admin/decisions/0193", true),
            ("/admin/decisions?verdict=block&before=01%20", true),
            ("", false),
            ("/", false),
            ("/administration", false),
            ("//evil.example/admin", false),
            ("https://evil.example/admin", false),
            ("/\\evil.example", false),
            ("/admin/\\evil", false),
            ("/admin/\r\nSet-Cookie: x=y", false),
            ("/admin/<script>", false),
            ("/admin/search?q=olivia%40example.org", false),
        ] {
            assert_eq!(is_ours(back), ours, "{back}");
        }
        assert!(!is_ours(&format!("/admin/{}", "x".repeat(BACK_LIMIT))));
        assert_eq!(with_back("/admin/login", "/admin/a?b=c&d"), "/admin/login?back=/admin/a%3Fb%3Dc%26d");
        assert_eq!(with_back("/admin/login", "//evil.example"), "/admin/login");
    }
}
