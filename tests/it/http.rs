//! The HTTP side over real sockets and a real ledger: one world a test, asked by an independent client.

use std::net::Ipv4Addr;
use std::sync::Arc;

use consentry::compose::PublicUrl;
use consentry::consent::{
    Catalogue, Controller, Decision, DecisionId, EventKind, Evidence, Language, Reason, Source, SubjectId, Topic, TopicEntry, TopicStanding,
};
use consentry::desk::{Desk, Scope, SignUp};
use consentry::http::{HttpSettings, serve};
use consentry::mail::{Address, Class, Classification, Step, Trust};
use consentry::store::Store;
use consentry::token::{Link, LinkRing};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

const OLIVIA: &str = "olivia@example.org";
const FORM: &str = "application/x-www-form-urlencoded";

/// A gateway's HTTP side on a port of its own.
struct World {
    runtime: Runtime,
    store: Store,
    desk: Desk,
    base: String,
    token: String,
    dir: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

/// What came back.
struct Answer {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("printable"))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// Status, type and the names of the faulty fields.
    fn problem(&self) -> (u16, Vec<String>) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let document = self.json();
        assert_eq!(document["status"], self.status);
        assert!(document["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        assert!(errors.iter().all(|error| error["problem"].is_string() && error["mend"].is_string()), "{document}");
        (self.status, errors.iter().map(|error| error["field"].as_str().expect("a name").to_owned()).collect())
    }
}

fn catalogue() -> Catalogue {
    let topic = |name: &str, title: &str| TopicEntry {
        name: Topic::parse(name).expect(name),
        controller: "acme".into(),
        title: title.into(),
        list_id: format!("{name}.acme.example"),
    };
    Catalogue {
        controllers: vec![Controller {
            key: "acme".into(),
            name: "ACME GmbH".into(),
            imprint: "Hauptstraße 1\n12345 Musterstadt".into(),
            privacy_url: "https://acme.example/privacy".into(),
            language: Language::De,
            from: "newsletter@acme.example".into(),
        }],
        topics: vec![topic("news", "Wochenbrief"), topic("offers", "Angebote")],
    }
}

impl World {
    fn new() -> Self {
        Self::reached_as(None)
    }

    fn reached_as(public_url: Option<&str>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let (store, desk, base, token, stop) = runtime.block_on(async {
            let store = Store::open(dir.path()).await.expect("opens");
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let base = format!("http://{}", listener.local_addr().expect("bound"));
            let public_url = PublicUrl::parse(public_url.unwrap_or(&base)).expect("valid");
            let desk = Desk::new(store.clone(), Arc::new(catalogue()), public_url).expect("configured");
            let scopes = [Scope::OptIn, Scope::Decisions];
            let token = desk.add_api_token("website", &scopes, Timestamp::now()).await.expect("stored").to_string();
            let settings = HttpSettings { trusted_proxies: vec!["127.0.0.0/8".parse().expect("valid")], ..HttpSettings::default() };
            let (stop, stopped) = oneshot::channel::<()>();
            tokio::spawn(serve(listener, desk.clone(), settings, async {
                stopped.await.ok();
            }));
            (store, desk, base, token, stop)
        });
        Self { runtime, store, desk, base, token, dir, _stop: stop }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).allow_non_standard_methods(true).build();
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let agent = ureq::Agent::new_with_config(config);
        let response = match body {
            Some(body) => agent.run(request.body(body.to_owned()).expect("valid")),
            None => agent.run(request.body(()).expect("valid")),
        };
        let (parts, mut body) = response.expect("answers").into_parts();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.read_to_string().expect("text") }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None)
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        self.ask("POST", path, &[("content-type", kind)], Some(body))
    }

    fn api(&self, body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        self.ask("POST", "/api/v1/opt-ins", &[("authorization", &bearer), ("content-type", "application/json")], Some(body))
    }

    fn read_api(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("authorization", &format!("Bearer {}", self.token))], None)
    }

    /// The confirmation links in the spool, oldest first, with the mails they stand in.
    fn links(&self) -> Vec<(String, String)> {
        let mails = self.runtime.block_on(self.store.due_mails(Timestamp::now(), 100)).expect("read");
        mails
            .iter()
            .map(|mail| {
                let parsed = mail_parser::MessageParser::default().parse(&mail.message).expect("a mail");
                let text = parsed.body_text(0).expect("text").into_owned();
                let link = text.split_whitespace().find(|word| word.contains("/c/")).expect("has a link").to_owned();
                (link, String::from_utf8(mail.message.clone()).expect("UTF-8"))
            })
            .collect()
    }

    fn signed_up(&self, ago: SignedDuration) -> String {
        let at = Timestamp::now() - ago;
        self.runtime.block_on(self.desk.sign_up(&sign_up(), "website", at)).expect("taken");
        self.links().pop().expect("one").0
    }

    fn subject(&self) -> Option<SubjectId> {
        let address = Address::parse(OLIVIA).expect("valid");
        let key = self.store.keyring().lookup_key(&address);
        self.runtime.block_on(self.store.standing(key)).expect("read").map(|(subject, _)| subject)
    }

    /// Olivia, confirmed; the path of an unsubscribe link about `news`.
    fn subscribed(&self) -> String {
        let link = self.signed_up(SignedDuration::from_mins(5));
        assert_eq!(self.post(&link, FORM, "answer=yes").status, 200);
        assert!(matches!(self.standing("news"), TopicStanding::Given(_)));
        self.unsubscribe_path(self.subject().expect("known"))
    }

    fn unsubscribe_path(&self, subject: SubjectId) -> String {
        let link = Link { subject, controller: "acme".into(), topic: Topic::parse("news").expect("valid"), decision: DecisionId([7; 16]) };
        format!("/u/{}", LinkRing::new(self.store.keyring().link_keys()).sign(&link))
    }

    fn standing(&self, topic: &str) -> TopicStanding {
        let key = self.store.keyring().lookup_key(&Address::parse(OLIVIA).expect("valid"));
        let standing = self.runtime.block_on(self.store.standing(key)).expect("read");
        standing.map_or(TopicStanding::Nothing, |(_, standing)| standing.of("acme", &Topic::parse(topic).expect("valid")))
    }

    fn events(&self) -> Vec<consentry::consent::Event> {
        match self.subject() {
            Some(subject) => self.runtime.block_on(self.store.events(subject)).expect("read"),
            None => vec![],
        }
    }

    /// Takes a table away, so that the ledger answers nothing that needs it.
    fn break_table(&self, table: &'static str) {
        use sqlx::Connection;
        let url = format!("sqlite://{}", self.dir.path().join("ledger.sqlite").display());
        let statement = match table {
            "suppression" => "ALTER TABLE suppression RENAME TO gone_suppression",
            "opt_in" => "ALTER TABLE opt_in RENAME TO gone_opt_in",
            _ => "ALTER TABLE decision RENAME TO gone_decision",
        };
        self.runtime.block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("opens");
            sqlx::query(statement).execute(&mut connection).await.expect("renamed");
        });
    }
}

fn sign_up() -> SignUp {
    SignUp {
        email: OLIVIA.into(),
        controller: "acme".into(),
        topics: vec!["news".into(), "offers".into()],
        form_url: "https://acme.example/newsletter".into(),
        consent_text: "Ja, die ACME GmbH darf mir Neuigkeiten und Angebote per E-Mail senden.".into(),
        checkbox: Some(true),
        ip: Some("198.51.100.7".into()),
        ..SignUp::default()
    }
}

fn body(change: impl FnOnce(&mut Value)) -> String {
    let mut body = json!({
        "email": OLIVIA,
        "controller": "acme",
        "topics": ["news"],
        "form_url": "https://acme.example/newsletter",
        "consent_text": "Ja, die ACME GmbH darf mir Neuigkeiten per E-Mail senden.",
        "checkbox": true,
        "language": "en",
        "ip": "198.51.100.7",
        "user_agent": "Firefox",
        "referrer": "https://acme.example/"
    });
    change(&mut body);
    body.to_string()
}

// ---- unsubscribe ----

#[test]
fn get_and_head_never_unsubscribe_and_the_button_does() {
    // U-11, I6
    let world = World::new();
    let path = world.subscribed();
    let before = world.events().len();
    for round in 0..50 {
        assert_eq!((world.get(&path).status, world.ask("HEAD", &path, &[], None).status), (200, 200), "round {round}");
    }
    assert_eq!(world.events().len(), before);
    let page = world.get(&path).body;
    assert!(page.contains("Wochenbrief") && page.contains("ACME GmbH") && !page.contains("olivia"), "{page}");
    assert_eq!(page.matches("<form method=\"post\"").count(), 2);
    let result = world.post(&path, FORM, "scope=topic");
    assert!(result.status == 200 && result.body.contains("abgemeldet"), "{}", result.body);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
    assert!(matches!(world.standing("offers"), TopicStanding::Given(_)));
}

#[test]
fn one_click_works_in_every_encoding_and_may_be_repeated() {
    // U-08, U-09, U-10, U-13
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    for (kind, body) in [
        (FORM, "List-Unsubscribe=One-Click"),
        ("application/x-www-form-urlencoded; charset=UTF-8", "List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=b", multipart),
        ("text/plain;charset=UTF-8", "List-Unsubscribe=One-Click\r\n"),
    ] {
        let world = World::new();
        let path = world.subscribed();
        let first = world.post(&path, kind, body);
        assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)), "{kind}");
        assert!(matches!(world.standing("offers"), TopicStanding::Given(_)), "only the list of the link, {kind}");
        let events = world.events().len();
        let second = world.post(&path, kind, body);
        assert_eq!((first.status, second.status, &first.body), (200, 200, &second.body), "{kind}");
        assert_eq!(world.events().len(), events, "nothing more to record, {kind}");
        for answer in [first, second] {
            assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None));
            assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
        }
        let last = world.events().pop().expect("one");
        assert_eq!((last.kind, last.source), (EventKind::Withdrawn, Source::OneClick));
    }
}

#[test]
fn an_unrelated_body_changes_nothing() {
    // U-12
    let world = World::new();
    let path = world.subscribed();
    let before = world.events().len();
    for (kind, body, status) in [
        (FORM, "a=b", 400),
        (FORM, "", 400),
        (FORM, "List-Unsubscribe=one-click", 400),
        (FORM, "List-Unsubscribe=One-Click-Not", 400),
        (FORM, "scope=everything", 400),
        ("multipart/form-data; boundary=b", "no boundary here", 400),
        ("multipart/form-data", "--b--", 400),
        ("application/json", "{\"List-Unsubscribe\":\"One-Click\"}", 400),
        (FORM, &"x".repeat(9_000), 413),
    ] {
        let answer = world.post(&path, kind, body);
        assert_eq!((answer.status, answer.header("location")), (status, None), "{kind} {body:.40}");
    }
    assert_eq!(world.ask("PUT", &path, &[], Some("scope=all")).status, 405);
    assert_eq!(world.ask("DELETE", &path, &[], None).status, 405);
    assert_eq!(world.events().len(), before);
}

#[test]
fn all_advertising_can_be_stopped_at_once() {
    // L-OBJ-04
    let world = World::new();
    let path = world.subscribed();
    for round in 0..2 {
        let answer = world.post(&path, FORM, "scope=all");
        assert!(answer.status == 200 && answer.body.contains("Widerspruch"), "round {round}: {}", answer.body);
    }
    for topic in ["news", "offers", "unheard.of"] {
        assert!(matches!(world.standing(topic), TopicStanding::Objected(_)), "{topic}");
    }
    let last = world.events().pop().expect("one");
    assert_eq!((last.kind, last.source), (EventKind::Objected, Source::Page));
    let Some(Evidence::Withdrawal(evidence)) = last.evidence else { panic!("no evidence") };
    assert_eq!(evidence.decision, Some(DecisionId([7; 16]).to_string()));
    assert!(world.links().is_empty() || world.links().len() == 1, "no mail about it (L-OBJ-08)");
}

#[test]
fn links_that_are_not_ours_all_get_the_same_answer() {
    // U-07, U-13
    let world = World::new();
    let path = world.subscribed();
    let mut flipped = path.clone().into_bytes();
    let last = flipped.len() - 3;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).expect("ASCII");
    let stranger = world.unsubscribe_path(SubjectId([9; 16]));
    let neutral = world.post("/u/x", FORM, "scope=topic").body;
    for path in ["/u/x", "/u/%00", &flipped, &path[..path.len() - 1], &stranger] {
        for body in ["List-Unsubscribe=One-Click", "scope=all"] {
            let answer = world.post(path, FORM, body);
            assert_eq!((answer.status, &answer.body), (404, &neutral), "{path}");
        }
    }
    for path in ["/u/x", &flipped] {
        assert_eq!((world.get(path).status, &world.get(path).body), (404, &neutral), "{path}");
    }
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
}

#[test]
fn webmail_may_post_from_the_browser() {
    // U-16
    let world = World::new();
    let path = world.subscribed();
    let ask = [("origin", "https://webmail.example"), ("access-control-request-method", "POST")];
    let preflight = world.ask("OPTIONS", &path, &ask, None);
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
    assert!(preflight.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
    let headers = [("origin", "https://webmail.example"), ("content-type", FORM)];
    let answer = world.ask("POST", &path, &headers, Some("List-Unsubscribe=One-Click"));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(world.get(&path).header("access-control-allow-origin"), None);
}

#[test]
fn a_trailing_slash_is_no_reason_to_redirect() {
    // U-10
    let world = World::new();
    let path = format!("{}/", world.subscribed());
    assert_eq!(world.get(&path).status, 200);
    assert_eq!(world.post(&path, FORM, "List-Unsubscribe=One-Click").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
}

#[test]
fn a_thousand_one_clicks_from_one_address_are_all_taken() {
    // U-15
    let world = World::new();
    let path = world.subscribed();
    for round in 0..1000 {
        assert_eq!(world.post(&path, FORM, "List-Unsubscribe=One-Click").status, 200, "round {round}");
    }
}

#[test]
fn pages_speak_the_visitors_language_or_that_of_the_controller() {
    let world = World::new();
    let path = world.subscribed();
    for (asked, lang, text) in [
        (None, "de", "Abmelden"),
        (Some("en-GB,en;q=0.9,de;q=0.5"), "en", "Unsubscribe"),
        (Some("de-AT"), "de", "Abmelden"),
        (Some("fr"), "de", "Abmelden"),
    ] {
        let headers: Vec<(&str, &str)> = asked.map(|asked| ("accept-language", asked)).into_iter().collect();
        let page = world.ask("GET", &path, &headers, None);
        assert!(page.body.contains(&format!("<html lang=\"{lang}\"")) && page.body.contains(text), "{asked:?}");
        assert_eq!(page.header("content-language"), Some(lang));
    }
}

#[test]
fn without_the_ledger_nothing_is_pretended() {
    let world = World::new();
    let path = world.subscribed();
    world.break_table("suppression");
    assert_eq!(world.get(&path).status, 200, "the page itself needs no ledger");
    for body in ["List-Unsubscribe=One-Click", "scope=all"] {
        let answer = world.post(&path, FORM, body);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("60")), "{body}");
    }
    world.break_table("opt_in");
    assert_eq!(world.get("/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").status, 503);
    let answer = world.api(&body(|_| {}));
    assert_eq!((answer.problem().0, answer.header("retry-after")), (503, Some("60")));
    assert_eq!((world.get("/healthz").status, world.get("/readyz").status), (200, 200));
    world.break_table("decision");
    assert_eq!((world.get("/healthz").status, world.get("/readyz").status), (200, 503));
}

// ---- confirm ----

#[test]
fn looking_at_the_confirmation_page_confirms_nothing_and_the_button_does() {
    // L-DOI-03
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    for _ in 0..50 {
        assert_eq!((world.get(&link).status, world.ask("HEAD", &link, &[], None).status), (200, 200));
    }
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)));
    let page = world.get(&link).body;
    for needle in
        ["ACME GmbH", "Wochenbrief", "Angebote", "E-Mail", "acme.example/privacy", "Hauptstraße 1", "value=\"yes\"", "value=\"no\""]
    {
        assert!(shown.contains(needle), "{needle} in {shown}");
    }
    let headers = [("content-type", FORM), ("user-agent", "Firefox"), ("x-forwarded-for", "198.51.100.1, 203.0.113.9")];
    let first = world.ask("POST", &link, &headers, Some("answer=yes"));
    let second = world.post(&link, FORM, "answer=yes");
    assert_eq!((first.status, second.status, &first.body), (200, 200, &second.body));
    assert!(first.body.contains("bestätigt"), "{}", first.body);
    assert_eq!(world.get(&link).body, first.body, "a later look shows the success");
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)) && matches!(world.standing("offers"), TopicStanding::Given(_)));

    //
    let given = world.events().pop().expect("one");
    let Some(Evidence::Confirmation(evidence)) = given.evidence else { panic!("no evidence") };
    assert_eq!((evidence.ip.as_deref(), evidence.user_agent.as_deref()), (Some("203.0.113.9"), Some("Firefox")));
    assert_eq!((evidence.method.as_str(), evidence.page_version.len(), evidence.token_id.len()), ("POST", 64, 64));
    assert!(!link.contains(&evidence.token_id));
    assert_eq!(evidence.page_version, sha256(&page), "the version is that of the page that was shown");
}

#[test]
fn no_is_as_easy_as_yes_and_voids_the_link() {
    // S1-17
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    let answer = world.post(&link, FORM, "answer=no");
    assert!(answer.status == 200 && answer.body.contains("Sie erhalten nichts"), "{}", answer.body);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
    let late = world.post(&link, FORM, "answer=yes");
    assert!(late.status == 410 && late.body.contains("melden Sie sich bitte neu an"), "{}", late.body);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
}

#[test]
fn a_link_that_cannot_be_confirmed_says_what_to_do() {
    // L-DOI-04
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_hours(8 * 24));
    for answer in [world.get(&link), world.post(&link, FORM, "answer=yes")] {
        assert!(answer.status == 410 && answer.body.contains("abgelaufen") && answer.body.contains("neu an"), "{}", answer.body);
    }
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)));
    for path in ["/c/x", "/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        for answer in [world.get(path), world.post(path, FORM, "answer=yes"), world.post(path, FORM, "answer=no")] {
            assert!(answer.status == 404 && answer.body.contains("ganzen Link"), "{path}: {}", answer.body);
        }
    }
}

#[test]
fn only_the_buttons_confirm() {
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    for (kind, body) in [(FORM, "a=b"), (FORM, "answer=maybe"), ("application/json", "{}"), ("text/plain", "answer=yes")] {
        assert_eq!(world.post(&link, kind, body).status, 400, "{kind} {body}");
    }
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)));
}

// ---- API ----

#[test]
fn a_sign_up_is_answered_alike_whatever_the_address_and_mailed_once() {
    // L-DOI-05, DESIGN.md section 4
    let world = World::new();
    let mut answers = vec![world.api(&body(|_| {}))]; // new
    answers.push(world.api(&body(|_| {}))); // too soon
    let (link, mail) = world.links().pop().expect("one");
    assert_eq!(world.links().len(), 1, "one mail in 24 hours");
    world.post(&link, FORM, "answer=yes");
    answers.push(world.api(&body(|_| {}))); // known and confirmed
    for answer in answers {
        assert_eq!((answer.status, answer.json()), (202, json!({ "status": "accepted" })));
    }
    assert!(mail.contains("\r\nAuto-Submitted: auto-generated\r\n") && !mail.contains("List-Unsubscribe"), "M-64, U-20");
    assert!(mail.contains("\r\nSubject: Please confirm"), "in the language of the form");

    //
    let requested = world.events().remove(0);
    let Some(Evidence::Request(evidence)) = requested.evidence else { panic!("no evidence") };
    assert_eq!((requested.kind, requested.source), (EventKind::Requested, Source::Api));
    assert_eq!((evidence.address.as_str(), evidence.reported_by.as_str()), (OLIVIA, "website"));
    assert_eq!((evidence.ip.as_deref(), evidence.user_agent.as_deref()), (Some("198.51.100.7"), Some("Firefox")));
    assert_eq!(evidence.text_version, sha256(&evidence.consent_text));
    assert!(evidence.mail == mail && mail.contains(&evidence.message_id));
}

#[test]
fn each_fault_of_a_sign_up_names_its_field() {
    let world = World::new();
    type Row = (&'static str, u16, fn(&mut Value));
    let rows: &[Row] = &[
        ("email", 422, |b| b["email"] = json!("olivia at example.org")),
        ("email", 422, |b| b["email"] = json!(7)),
        ("controller", 422, |b| b["controller"] = json!("nobody")),
        ("topics", 422, |b| b["topics"] = json!(["unknown"])),
        ("topics", 422, |b| b["topics"] = json!("news")),
        ("topics[1]", 422, |b| b["topics"] = json!(["news", 1])),
        ("form_url", 422, |b| b["form_url"] = json!("newsletter.html")),
        ("consent_text", 422, |b| b["consent_text"] = json!("Ja, die ACME GmbH darf mir schreiben.")),
        ("consent_text", 422, |b| b["consent_text"] = json!("Ja, ich möchte E-Mails.")),
        ("prechecked", 422, |b| b["prechecked"] = json!(true)),
        ("checkbox", 422, |b| b["checkbox"] = json!(false)),
        ("language", 422, |b| b["language"] = json!("fr")),
        ("ip", 422, |b| b["ip"] = json!("localhost")),
        ("e_mail", 422, |b| b["e_mail"] = json!("x@example.org")),
    ];
    for (field, status, spoil) in rows {
        let answer = world.api(&body(spoil));
        assert_eq!(answer.problem(), (*status, vec![(*field).to_owned()]), "{}", answer.body);
    }
    let all = world.api("{}");
    assert_eq!(all.problem(), (422, ["email", "controller", "form_url", "consent_text"].map(str::to_owned).to_vec()));
    assert!(world.links().is_empty() && world.subject().is_none(), "nothing was stored");
}

#[test]
fn every_api_error_is_a_problem_document() {
    let world = World::new();
    let only_decisions = world.runtime.block_on(world.desk.add_api_token("reader", &[Scope::Decisions], Timestamp::now())).expect("stored");
    let ours = format!("Bearer {}", world.token);
    let reader = format!("bearer {}", only_decisions.as_str());
    let other = format!("Bearer ct_{}", "A".repeat(43));
    let json = ("content-type", "application/json");
    let fine = body(|_| {});
    let huge = format!("\"{}\"", "x".repeat(200_000));
    type Row<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, Option<&'a str>, u16);
    let rows: Vec<Row<'_>> = vec![
        ("POST", "/api/v1/opt-ins", vec![json], Some(&fine), 401),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", "Basic eA==")], Some(&fine), 401),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", "Bearer x")], Some(&fine), 401),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", &other)], Some(&fine), 401),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", &reader)], Some(&fine), 403),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", &ours)], Some("{"), 400),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", &ours)], Some(""), 400),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", &ours)], Some("[]"), 422),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", &ours)], Some("7"), 422),
        ("POST", "/api/v1/opt-ins", vec![("content-type", FORM), ("authorization", &ours)], Some("a=b"), 415),
        ("POST", "/api/v1/opt-ins", vec![json, ("authorization", &ours)], Some(&huge), 413),
        ("GET", "/api/v1/opt-ins", vec![("authorization", &ours)], None, 405),
        ("GET", "/api/v1/nothing", vec![("authorization", &ours)], None, 404),
        ("GET", "/api/", vec![], None, 404),
        ("GET", "/api/v1/decisions", vec![], None, 401),
        ("GET", "/api/v1/decisions?limit=0", vec![("authorization", &ours)], None, 422),
        ("GET", "/api/v1/decisions?limit=many", vec![("authorization", &ours)], None, 400),
        ("GET", "/api/v1/decisions?color=red", vec![("authorization", &ours)], None, 400),
        ("GET", "/api/v1/decisions?before=x", vec![("authorization", &ours)], None, 422),
        ("GET", "/api/v1/decisions/00000000000000000000000000000000", vec![("authorization", &ours)], None, 404),
        ("GET", "/api/v1/decisions/x", vec![("authorization", &ours)], None, 404),
    ];
    for (method, path, headers, body, status) in rows {
        let answer = world.ask(method, path, &headers, body);
        assert_eq!(answer.problem().0, status, "{method} {path} {body:.40?}: {}", answer.body);
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401 || status == 403, "{method} {path}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
    }
    assert!(world.links().is_empty());
}

#[test]
fn decisions_can_be_read_page_by_page_without_personal_data() {
    let world = World::new();
    world.subscribed();
    let key = world.store.keyring().lookup_key(&Address::parse(OLIVIA).expect("valid"));
    let mut ids: Vec<DecisionId> = Vec::new();
    for number in 0..5u8 {
        let at = Timestamp::from_second(1_800_000_000 + i64::from(number)).expect("valid");
        let id = DecisionId::new(at, [number; 10]);
        let decision = Decision {
            id,
            at,
            stream: "campaigns".into(),
            controller: "acme".into(),
            recipient: key,
            subject: world.subject().expect("known"),
            classification: Classification {
                class: Class::Marketing,
                topic: Some("news".into()),
                campaign: None,
                steps: vec![Step { trust: Trust::Credential, says: Class::Marketing, why: "stream campaigns".into() }],
            },
            topic: Some(Topic::parse("news").expect("valid")),
            reason: Reason::DoiConsent,
            folded_from: 2,
            event: Some(2),
            message: None,
            size: 1024,
        };
        world.runtime.block_on(async { world.store.record(decision, None).await }).expect("durable");
        ids.insert(0, id);
    }
    let mut seen = Vec::new();
    let mut next = Some("/api/v1/decisions?limit=2".to_owned());
    while let Some(path) = next {
        let page = world.read_api(&path);
        assert_eq!(page.status, 200, "{}", page.body);
        let page = page.json();
        seen.extend(page["decisions"].as_array().expect("a list").iter().map(|row| row["ref"].as_str().expect("a ref").to_owned()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    let one = world.read_api(&format!("/api/v1/decisions/{}", ids[0]));
    let row = one.json();
    assert_eq!((row["verdict"].as_str(), row["reason"].as_str(), row["event"].as_u64()), (Some("pass"), Some("doi_consent"), Some(2)));
    assert_eq!(row["legal_basis"]["basis"], "consent");
    assert_eq!(row["steps"][0], json!({ "trust": "credential", "says": "marketing", "why": "stream campaigns" }));
    assert!(row["at"].as_str().is_some_and(|at| at.starts_with("2027-01-15T")) && row["outcome"].is_null());
    assert!(!one.body.contains("olivia") && row.get("recipient").is_none());
}

// ---- all answers ----

#[test]
fn every_answer_carries_the_security_headers_and_pages_are_not_kept() {
    let world = World::new();
    let path = world.subscribed();
    for (path, cached) in [
        (path.as_str(), false),
        ("/c/x", false),
        ("/nothing", false),
        ("/api/v1/decisions", false),
        ("/healthz", false),
        ("/assets/style.css", true),
    ] {
        let answer = world.get(path);
        let policy = answer.header("content-security-policy").expect("has one");
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cache-control") == Some("no-store"), !cached, "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}: not over http");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
}

#[test]
fn behind_https_and_a_path_the_pages_find_their_stylesheet() {
    let world = World::reached_as(Some("https://mail.acme.example/consent"));
    let page = world.get("/c/x");
    assert!(page.body.replace("&#x2f;", "/").contains("href=\"/consent/assets/style.css?"), "{}", page.body);
    assert!(page.header("strict-transport-security").is_some());
    assert!(world.get("/assets/style.css").header("content-type").is_some_and(|kind| kind.starts_with("text/css")));
}

#[test]
fn a_path_that_is_nothing_gets_a_page() {
    let world = World::new();
    for path in ["/", "/u", "/u/", "/c/", "/u/a/b", "/admin"] {
        let answer = world.get(path);
        assert!(answer.status == 404 && answer.body.contains("<h1>"), "{path} {}", answer.status);
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect()
}
