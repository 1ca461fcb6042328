//! The admin pages as a browser meets them: the way in, who may see what, and what attackers try.

mod attacks;
mod log;
mod pages;
mod requests;
mod rights;
mod rules;
mod subject;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use consentry::office::{OfficeSettings, Role};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::{Answer, FORM, World};
use crate::authenticator::code;

pub(super) const PASSWORD: &str = "correct horse battery";

/// A browser at a place of its own, so that only the tests of it meet the limit of a place.
pub(super) struct Browser<'w> {
    world: &'w World,
    place: String,
    language: &'static str,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl World {
    /// An account named as its role.
    pub(super) fn add_operator(&self, role: Role) {
        let password = Zeroizing::new(PASSWORD.to_owned());
        self.runtime.block_on(self.office.add_operator(role.as_str(), role, password, Timestamp::now())).expect("added");
    }

    fn audit_lines(&self) -> Vec<&'static str> {
        let lines = self.runtime.block_on(self.store.audit_log(None, 1_000)).expect("read");
        lines.iter().rev().map(|line| line.line.deed.as_str()).collect()
    }
}

impl<'w> Browser<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        static PLACES: AtomicU32 = AtomicU32::new(1);
        let place = std::net::Ipv4Addr::from(0xcb00_0000 + PLACES.fetch_add(1, Ordering::Relaxed)).to_string();
        Self { world, place, language: "en", cookies: RefCell::default() }
    }

    /// A browser that has come all the way in.
    pub(super) fn of(world: &'w World, name: &str) -> Self {
        let browser = Self::new(world);
        let answer = browser.login(name, PASSWORD, "");
        assert_eq!((answer.status, answer.header("location")), (303, Some("/admin")), "{}", answer.body);
        browser
    }

    /// A request with these headers more; keeps the cookies that come back.
    fn ask(&self, method: &str, path: &str, more: &[(&str, &str)], body: Option<&str>) -> Answer {
        let cookies = self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut headers = vec![("x-forwarded-for", self.place.as_str()), ("accept-language", self.language), ("cookie", &cookies)];
        headers.extend_from_slice(more);
        let answer = self.world.ask(method, path, &headers, body);
        for set in answer.headers.get_all("set-cookie") {
            let (pair, _) = set.to_str().expect("printable").split_once(';').expect("has attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            match value {
                "" => drop(self.cookies.borrow_mut().remove(name)),
                value => drop(self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned())),
            }
        }
        answer
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None)
    }

    /// Sends a form as our own page does: with the token of `page`.
    pub(super) fn send(&self, page: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let token = hidden(&self.get(page).body, "token");
        self.post(path, &[&[("token", token.as_str())], pairs].concat(), &[("origin", &self.world.base)])
    }

    fn post(&self, path: &str, pairs: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        self.ask("POST", path, &[&[("content-type", FORM)], headers].concat(), Some(&encoded(pairs)))
    }

    pub(super) fn login(&self, name: &str, password: &str, back: &str) -> Answer {
        self.send("/admin/login", "/admin/login", &[("name", name), ("password", password), ("back", back)])
    }

    pub(super) fn cookie(&self) -> Option<String> {
        self.cookies.borrow().get("consentry").cloned()
    }

    fn plant(&self, value: &str) {
        self.cookies.borrow_mut().insert("consentry".to_owned(), value.to_owned());
    }

    fn is_inside(&self) -> bool {
        self.get("/admin").status == 200
    }
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect::<String>()
    };
    pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

/// The value of a hidden field.
fn hidden(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {html}"));
    rest.split('"').next().expect("ends").to_owned()
}

/// The page without what is another one each time.
fn without_token(html: &str) -> String {
    html.replace(&hidden(html, "token"), "")
}

fn with_required_second_factor() -> World {
    World::with_office(Runtime::new().expect("a runtime"), None, OfficeSettings::default())
}

#[test]
fn a_stranger_is_led_to_the_login_and_back_to_where_they_wanted() {
    let world = World::new();
    world.add_operator(Role::Compliance);
    let browser = Browser::new(&world);
    for path in ["/admin", "/admin/audit?before=7", "/admin/account", "/admin/nothing", "/admin/decisions/0193"] {
        let answer = browser.get(path);
        assert_eq!(answer.status, 303, "{path}");
        let login = answer.header("location").expect("has one").to_owned();
        assert!(login.starts_with("/admin/login"), "{login}");
        let page = browser.get(&login).body;
        let (_, form) = page.split_once("<main").expect("has one");
        assert_eq!(hidden(form, "back"), if path == "/admin" { "" } else { path });
    }
    let answer = browser.login("compliance", PASSWORD, "/admin/audit?before=7");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/audit?before=7")));
    assert_eq!(browser.get("/admin/audit?before=7").status, 200);
    assert_eq!(browser.get("/admin/login").header("location"), Some("/admin"), "who is inside needs no login");
    assert_eq!(browser.get("/admin/").header("location"), Some("/admin"), "as people type it");
}

#[test]
fn each_role_gets_the_pages_of_the_table_and_sees_links_to_no_others() {
    let world = World::new();
    world.signed_up(SignedDuration::ZERO);
    let subject = format!("/admin/subjects/{}", world.subject().expect("known"));
    for role in Role::ALL {
        world.add_operator(role);
        let browser = Browser::of(&world, role.as_str());
        let search = |q: &str| browser.send("/admin", "/admin/search", &[("q", q)]);
        let not_for_role = |answer: &Answer| answer.body.contains("Not for your role");
        for (what, answer, least, good) in [
            ("overview", browser.get("/admin"), Role::Viewer, 200),
            ("account", browser.get("/admin/account"), Role::Viewer, 200),
            ("a ref", search("ref=0193f0c2a1b27d3e4f5061728394a5b6"), Role::Viewer, 303),
            ("an address", search(super::OLIVIA), Role::Operator, 303),
            ("an unknown address", search("nobody@example.org"), Role::Operator, 404),
            ("audit", browser.get("/admin/audit"), Role::Compliance, 200),
            ("search for people", browser.get("/admin/subjects"), Role::Operator, 200),
            ("a person", browser.get(&subject), Role::Operator, 200),
        ] {
            if role >= least {
                assert!(answer.status == good && !not_for_role(&answer), "{role:?} {what}: {}", answer.status);
            } else {
                assert!(answer.status == 403 && not_for_role(&answer), "{role:?} {what}: {}", answer.status);
            }
        }
        if role >= Role::Operator {
            assert_eq!(search(&format!(" {} ", super::OLIVIA.to_uppercase())).header("location"), Some(subject.as_str()));
        }
        let nav = browser.get("/admin").body;
        for (path, least) in
            [("decisions", Role::Viewer), ("subjects", Role::Operator), ("audit", Role::Compliance), ("account", Role::Viewer)]
        {
            assert_eq!(nav.contains(&format!("href=\"/admin/{path}\"")), role >= least, "{role:?} {path}");
        }
    }
}

#[test]
fn the_second_factor_comes_between_and_its_code_works_once() {
    let world = with_required_second_factor();
    world.add_operator(Role::Compliance);
    let browser = Browser::new(&world);
    let answer = browser.login("compliance", PASSWORD, "/admin/audit");
    assert_eq!(answer.header("location"), Some("/admin/second-factor?back=/admin/audit"));
    let halfway = browser.cookie().expect("halfway");
    for path in ["/admin", "/admin/audit", "/admin/account"] {
        let answer = browser.get(path);
        assert!(answer.status == 303 && answer.header("location").expect("one").starts_with("/admin/second-factor"), "{path}");
    }
    assert_eq!(browser.send("/admin/second-factor", "/admin/account/sessions", &[]).status, 303, "halfway does nothing");

    let page = browser.get("/admin/second-factor?back=/admin/audit");
    assert!(page.body.contains("<svg class=\"qr\"") && page.header("cache-control") == Some("no-store"));
    let secret = page.body.split("<code class=\"key\">").nth(1).and_then(|rest| rest.split('<').next()).expect("shown").to_owned();
    let prove = |code: &str| browser.send("/admin/second-factor", "/admin/second-factor", &[("code", code), ("back", "/admin/audit")]);
    assert_eq!(prove("000 00").status, 403);
    let first = code(&secret, Timestamp::now());
    assert_eq!(prove(&first).header("location"), Some("/admin/audit"));
    assert!(browser.cookie().expect("inside") != halfway && browser.is_inside(), "each step has a token of its own");
    let thief = Browser::new(&world);
    thief.plant(&halfway);
    assert!(!thief.is_inside());

    assert_eq!(browser.send("/admin", "/admin/logout", &[]).status, 303);
    browser.login("compliance", PASSWORD, "");
    assert!(!browser.get("/admin/second-factor").body.contains("class=\"qr\""), "the secret is shown once");
    assert_eq!(prove(&first).status, 403, "a code works once");
    assert_eq!(prove(&code(&secret, Timestamp::now() + SignedDuration::from_secs(30))).status, 303);
    assert!(browser.is_inside());
}

#[test]
fn an_operator_sets_up_a_second_factor_where_it_is_not_required() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let browser = Browser::of(&world, "viewer");
    let answer = browser.send("/admin/account", "/admin/account/second-factor", &[]);
    assert_eq!(answer.header("location"), Some("/admin/second-factor?back=/admin/account"));
    assert!(browser.is_inside(), "nothing changes before it is proved");
    let page = browser.get("/admin/second-factor?back=/admin/account").body;
    let secret = page.split("<code class=\"key\">").nth(1).and_then(|rest| rest.split('<').next()).expect("shown").to_owned();
    let pairs = [("code", code(&secret, Timestamp::now())), ("back", "/admin/account".to_owned())];
    let pairs = pairs.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(browser.send("/admin/second-factor", "/admin/second-factor", &pairs).header("location"), Some("/admin/account"));
    assert!(browser.get("/admin/account").body.contains("badge good"));
    assert_eq!(Browser::new(&world).login("viewer", PASSWORD, "").header("location"), Some("/admin/second-factor"));
    let again = browser.send("/admin/account", "/admin/account/second-factor", &[]);
    assert_eq!(again.header("location"), Some("/admin/account"), "a second one does not replace the first");
}

#[test]
fn a_session_ends_by_logout_from_elsewhere_and_with_the_password() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let browser = Browser::of(&world, "viewer");
    let token = browser.cookie().expect("a session");
    assert_eq!(browser.send("/admin", "/admin/logout", &[]).header("location"), Some("/admin/login"));
    assert_eq!(browser.cookie(), None, "the browser forgets it");
    browser.plant(&token);
    assert!(!browser.is_inside(), "and so does the ledger");

    let (here, elsewhere) = (Browser::of(&world, "viewer"), Browser::of(&world, "viewer"));
    assert!(here.send("/admin/account", "/admin/account/sessions", &[]).body.contains("Other sessions ended: 1."));
    assert!(here.is_inside() && !elsewhere.is_inside());

    let elsewhere = Browser::of(&world, "viewer");
    let change = |old: &str, new: &str, again: &str| {
        here.send("/admin/account", "/admin/account/password", &[("old", old), ("new", new), ("again", again)]).status
    };
    assert_eq!(change(PASSWORD, "another horse battery", "another horse"), 422);
    assert_eq!(change(PASSWORD, "too short", "too short"), 422);
    assert_eq!(change("wrong", "another horse battery", "another horse battery"), 403);
    assert!(elsewhere.is_inside(), "nothing has changed so far");
    let before = here.cookie();
    assert_eq!(change(PASSWORD, "another horse battery", "another horse battery"), 303);
    assert!(here.is_inside() && !elsewhere.is_inside() && here.cookie() != before);
    assert_eq!(Browser::new(&world).login("viewer", PASSWORD, "").status, 403);
    assert_eq!(Browser::new(&world).login("viewer", "another horse battery", "").status, 303);
}

#[test]
fn reading_changes_nothing() {
    // I6
    let world = World::new();
    world.add_operator(Role::Legal);
    let browser = Browser::of(&world, "legal");
    let before = world.audit_lines();
    for path in ["/admin/logout", "/admin/account/sessions", "/admin/account/second-factor", "/admin/account/password", "/admin/language"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(browser.ask(method, path, &[], None).status, 404, "{method} {path}");
        }
    }
    let answer = browser.get("/admin/search?q=olivia%40example.org");
    assert!(answer.status == 404 && !answer.body.contains("olivia"), "an address in a link is not searched and not repeated");
    assert!(browser.is_inside());
    assert_eq!(world.audit_lines(), before);
}

#[test]
fn the_admin_pages_can_be_kept_to_a_network_or_off() {
    let office = |enabled, networks: &[&str]| OfficeSettings {
        enabled,
        networks: networks.iter().map(|network| network.parse().expect("valid")).collect(),
        ..OfficeSettings::default()
    };
    for (settings, from, there) in [
        (office(true, &["10.1.0.0/16"]), "10.1.2.3", true),
        (office(true, &["10.1.0.0/16"]), "10.2.2.3", false),
        (office(true, &["10.1.0.0/16"]), "unreadable", false),
        (office(false, &[]), "10.1.2.3", false),
    ] {
        let world = World::with_office(Runtime::new().expect("a runtime"), None, settings);
        for path in ["/admin/login", "/admin/assets/style.css"] {
            let answer = world.ask("GET", path, &[("x-forwarded-for", from)], None);
            assert_eq!(answer.status, if there { 200 } else { 404 }, "{path} from {from}");
        }
        let answer = world.ask("GET", "/admin/login", &[("x-forwarded-for", from)], None);
        assert_eq!(answer.header("set-cookie").is_some(), there, "from {from}");
        let slash = world.ask("GET", "/admin/", &[("x-forwarded-for", from)], None);
        assert_eq!(slash.status, if there { 303 } else { 404 }, "/admin/ from {from}");
    }
}
