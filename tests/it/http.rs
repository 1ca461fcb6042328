//! The HTTP side over real sockets and a real ledger: one world a test, asked by an independent client.

mod access;
mod admin;
mod api;
mod confirm;
mod events;
mod everywhere;
mod subjects;
mod subscribe;
mod unsubscribe;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use consentry::compose::{Logo, Overrides, PublicUrl, Words};
use consentry::consent::{
    Brand, Catalogue, Color, Controller, Decision, DecisionId, Event, Form, Language, Reason, SubjectId, Topic, TopicEntry, TopicStanding,
};
use consentry::desk::{Desk, Scope, SignUp};
use consentry::http::{HttpSettings, router, serve};
use consentry::mail::{Address, Class, Classification, Step, Trust};
use consentry::office::{Office, OfficeSettings, TotpPolicy};
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
    office: Office,
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
            language: Language::DE,
            country: None,
            from: "newsletter@acme.example".into(),
            brand: Brand { accent: Color::parse("#7c2d92").expect("valid"), logo: Some("logo.svg".into()), ..Brand::default() },
            headers: Default::default(),
        }],
        topics: vec![topic("news", "Wochenbrief"), topic("offers", "Angebote")],
        forms: [("weekly", Some("https://acme.example/newsletter")), ("hosted", None)]
            .map(|(name, url)| Form {
                name: name.into(),
                controller: "acme".into(),
                topics: vec![Topic::parse("news").expect("valid")],
                tracking: true,
                url: url.map(str::to_owned),
                text: BTreeMap::new(),
            })
            .to_vec(),
    }
}

impl World {
    fn new() -> Self {
        Self::reached_as(None)
    }

    fn reached_as(public_url: Option<&str>) -> Self {
        Self::on(Runtime::new().expect("a runtime"), public_url)
    }

    fn on(runtime: Runtime, public_url: Option<&str>) -> Self {
        Self::with_office(runtime, public_url, OfficeSettings { totp: TotpPolicy::Optional, ..OfficeSettings::default() })
    }

    fn with_office(runtime: Runtime, public_url: Option<&str>, office: OfficeSettings) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, desk, office, base, token, stop) = runtime.block_on(async {
            let store = Store::open(dir.path()).await.expect("opens");
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let base = format!("http://{}", listener.local_addr().expect("bound"));
            let public_url = PublicUrl::parse(public_url.unwrap_or(&base)).expect("valid");
            let mut files = Overrides::default();
            files.add_logo("acme", Logo::new("logo.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec()).expect("inert"));
            let words = Arc::new(Words::new(&catalogue(), files).expect("complete"));
            let desk = Desk::new(store.clone(), Arc::new(catalogue()), words, Arc::default(), public_url).expect("configured");
            let scopes = [Scope::OptIn, Scope::Decisions];
            let token = desk.add_api_token("website", &scopes, Timestamp::now()).await.expect("stored").to_string();
            let settings = HttpSettings { trusted_proxies: vec!["127.0.0.0/8".parse().expect("valid")], ..HttpSettings::default() };
            let (stop, stopped) = oneshot::channel::<()>();
            let office = Office::new(store.clone(), office);
            let router = router(&desk, &office, &settings, Router::new()).expect("the pages render");
            tokio::spawn(serve(listener, router, settings, async {
                stopped.await.ok();
            }));
            (store, desk, office, base, token, stop)
        });
        Self { runtime, store, desk, office, base, token, dir, _stop: stop }
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

    /// Presses a button of the page behind a link, as somebody does who looks at it. No time passes between looking and
    /// pressing, so the page asks to press once more.
    fn choose(&self, link: &str, body: &str) -> Answer {
        self.choose_as(&[], link, body)
    }

    fn choose_as(&self, headers: &[(&str, &str)], link: &str, body: &str) -> Answer {
        let headers = [headers, &[("content-type", FORM), NAVIGATE, BY_HAND]].concat();
        let press = |stamp: &str| self.ask("POST", link, &headers, Some(&format!("{body}&stamp={stamp}")));
        let first = press(stamp(&self.get(link).body));
        if first.body.contains("role=\"alert\"") { press(stamp(&first.body)) } else { first }
    }

    /// A stamp as the page behind `link` had it so long ago.
    fn stamp_of(&self, link: &str, purpose: &str, ago: SignedDuration) -> String {
        let now = Timestamp::now();
        assert!(self.desk.shown_ms_ago(purpose, stamp(&self.get(link).body), now).is_some(), "the purpose is the page's");
        self.desk.stamp(purpose, now - ago)
    }

    /// Presses a button of the confirmation page.
    fn press(&self, link: &str, answer: &str) -> Answer {
        self.choose(link, &format!("answer={answer}"))
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
        let mails = self.runtime.block_on(self.store.due_letters(Timestamp::now(), 100)).expect("read");
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
        self.subscribed_before(SignedDuration::from_mins(5))
    }

    /// The same, with the decision of the mail that carries the link.
    fn subscribed_with_decision(&self) -> String {
        self.subscribed_with(Reason::DoiConsent, None)
    }

    /// The same, where that mail passed for another reason.
    fn subscribed_with(&self, reason: Reason, shadowed: Option<Reason>) -> String {
        let path = self.subscribed();
        let subject = self.subject().expect("known");
        let id = DecisionId([7; 16]);
        let step = Step { trust: Trust::Credential, says: Class::Marketing, why: "stream news".into() };
        let decision = Decision {
            id,
            at: Timestamp::now(),
            stream: "news".into(),
            controller: "acme".into(),
            recipient: self.store.keyring().lookup_key(&Address::parse(OLIVIA).expect("valid")),
            subject,
            classification: Classification { class: Class::Marketing, topic: Some("news".into()), campaign: None, steps: vec![step] },
            topic: Some(Topic::parse("news").expect("valid")),
            reason,
            folded_from: 2,
            event: Some(2),
            profile: None,
            shadowed,
            rules: None,
            footer: None,
            is_contact: false,
            message: None,
            copy: None,
            size: 1_000,
        };
        self.runtime.block_on(async { self.store.record(decision, None).await }).expect("recorded");
        path
    }

    /// The same, signed up so long ago.
    fn subscribed_before(&self, ago: SignedDuration) -> String {
        let link = self.signed_up(ago);
        assert_eq!(self.press(&link, "yes").status, 200);
        assert!(matches!(self.standing("news"), TopicStanding::Given(_)));
        self.unsubscribe_path(self.subject().expect("known"))
    }

    fn unsubscribe_path(&self, subject: SubjectId) -> String {
        self.unsubscribe_path_in(subject, None)
    }

    fn unsubscribe_path_in(&self, subject: SubjectId, language: Option<Language>) -> String {
        let topic = Topic::parse("news").expect("valid");
        let link = Link { subject, controller: "acme".into(), topic, decision: DecisionId([7; 16]), language };
        format!("/u/{}", LinkRing::new(self.store.link_keys(Timestamp::now()).expect("read")).sign(&link))
    }

    fn standing(&self, topic: &str) -> TopicStanding {
        let key = self.store.keyring().lookup_key(&Address::parse(OLIVIA).expect("valid"));
        let standing = self.runtime.block_on(self.store.standing(key)).expect("read");
        standing.map_or(TopicStanding::Nothing, |(_, standing)| standing.of("acme", &Topic::parse(topic).expect("valid")))
    }

    fn events(&self) -> Vec<Event> {
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
            "operator" => "ALTER TABLE operator RENAME TO gone_operator",
            "opt_in" => "ALTER TABLE opt_in RENAME TO gone_opt_in",
            _ => "ALTER TABLE decision RENAME TO gone_decision",
        };
        self.runtime.block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("opens");
            sqlx::query(statement).execute(&mut connection).await.expect("renamed");
        });
    }
}

/// What a scanner's browser says of a form that it submits by script.
const SCANNER: [(&str, &str); 3] =
    [("content-type", FORM), ("user-agent", "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/140.0.0.0"), NAVIGATE];

/// What a browser says of a form that it sends.
const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");

/// What it adds when a hand pressed the button.
const BY_HAND: (&str, &str) = ("sec-fetch-user", "?1");

/// Long enough to read a page: what is refused after it is not refused for haste.
const READ: SignedDuration = SignedDuration::from_secs(20);

/// The stamp of a page with a form; empty where there is none.
fn stamp(page: &str) -> &str {
    page.split("name=\"stamp\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

fn sign_up() -> SignUp {
    SignUp {
        email: OLIVIA.into(),
        controller: "acme".into(),
        topics: vec!["news".into(), "offers".into()],
        form_url: "https://acme.example/newsletter".into(),
        consent_text: "Ja, die ACME GmbH darf mir Neuigkeiten und Angebote per E-Mail senden. Ich kann jederzeit widerrufen.".into(),
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
        "consent_text": "Ja, die ACME GmbH darf mir Neuigkeiten per E-Mail senden. Ich kann jederzeit widerrufen.",
        "checkbox": true,
        "language": "en",
        "ip": "198.51.100.7",
        "user_agent": "Firefox",
        "referrer": "https://acme.example/"
    });
    change(&mut body);
    body.to_string()
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect()
}
