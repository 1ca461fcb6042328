//! `/api/v1/events`: what other systems tell, who may tell what, and that nobody can grant.

mod effects;

use std::collections::BTreeMap;

use consentry::consent::{Channel, Event, EventKind, Evidence, Reason, Source, Teller};
use consentry::decide::{Question, decide};
use consentry::desk::Scope;
use consentry::mail::{Address, AnswerProfile, Class, Classification, Dispute, Stream, StreamClass, StreamMode};
use consentry::policy::{Policy, PolicySettings};
use consentry::store::{AuditLine, Deed, Object};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, OLIVIA, World, body, catalogue, sha256};

const NOTICE: &str = "Wir nutzen Ihre Adresse für Werbung für eigene ähnliche Waren. Sie können jederzeit widersprechen.";

/// A world in which each system has a token.
struct Company {
    world: World,
    tokens: BTreeMap<Teller, String>,
}

impl Company {
    fn new() -> Self {
        let world = World::new();
        let token = |teller: Teller| {
            let scopes = [Scope::Events(teller)];
            let token = world.runtime.block_on(world.desk.add_api_token(teller.as_str(), &scopes, Timestamp::now())).expect("stored");
            (teller, token.to_string())
        };
        let tokens = Teller::ALL.into_iter().map(token).collect();
        Self { world, tokens }
    }

    fn send(&self, teller: Teller, kind: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.tokens[&teller]);
        self.world.ask("POST", "/api/v1/events", &[("authorization", &bearer), ("content-type", kind)], Some(body))
    }

    fn tell(&self, teller: Teller, event: &Value) -> Answer {
        self.send(teller, "application/json", &event.to_string())
    }

    /// Tells something that is taken.
    fn told(&self, teller: Teller, event: &Value) {
        let answer = self.tell(teller, event);
        assert_eq!((answer.status, answer.json()), (202, json!({ "status": "accepted" })), "{event}");
    }

    /// What advertising of acme about the topic meets now.
    fn verdict(&self, topic: &str) -> Reason {
        let world = &self.world;
        let key = world.store.keyring().lookup_key(&Address::parse(OLIVIA).expect("valid"));
        let found = world.runtime.block_on(world.store.standing(key)).expect("read");
        let stream = Stream {
            name: "s".into(),
            controller: "acme".into(),
            class: StreamClass::Marketing,
            topic: None,
            from_domains: Vec::new(),
            answer: AnswerProfile::Reject,
            mode: StreamMode::Enforce,
            disputed: Dispute::Enforce,
            bulk: Default::default(),
        };
        let seats = BTreeMap::from([("acme".to_owned(), None)]);
        let question = Question {
            stream: &stream,
            classification: &Classification { class: Class::Marketing, topic: Some(topic.into()), campaign: None, steps: vec![] },
            from_allowed: true,
            standing: found.as_ref().map(|(_, standing)| standing),
            listed: false,
            catalogue: &catalogue(),
            policy: &Policy::new(&PolicySettings::default(), BTreeMap::new(), vec![], seats),
            now: Timestamp::now(),
        };
        decide(question).reason
    }

    fn audit(&self) -> Vec<AuditLine> {
        self.world.runtime.block_on(self.world.store.audit_log(None, 500)).expect("read")
    }

    fn confirm(&self) {
        let link = self.world.links().pop().expect("one").0;
        assert_eq!(self.world.press(&link, "yes").status, 200);
    }

    /// A sign-up before this day, so that the next one is no second.
    fn signed_up_and_confirmed(&self, ago: SignedDuration) {
        self.world.subscribed_before(ago);
    }

    fn last(&self) -> Event {
        self.world.events().pop().expect("one")
    }
}

fn ago(hours: i64) -> String {
    (Timestamp::now() - SignedDuration::from_hours(hours)).to_string()
}

fn event(kind: &str) -> Value {
    let mut event = json!({ "kind": kind, "email": OLIVIA, "controller": "acme" });
    match kind {
        "purchase" => {
            event["topics"] = json!(["news"]);
            event["trigger"] = json!("sale");
            event["occurred"] = json!(ago(24));
        }
        "optout_notice_shown" => event["notice"] = json!(NOTICE),
        "withdrawn" | "expired_idle" | "imported" => event["topics"] = json!(["news"]),
        _ => {}
    }
    event
}

fn with(kind: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut event = event(kind);
    change(&mut event);
    event
}

/// All that the exemption for existing customers asks for.
fn lawful_purchase() -> Value {
    with("purchase", |e| {
        e["own_address"] = json!(true);
        e["notice"] = json!(NOTICE);
        e["country"] = json!("DE");
    })
}

#[test]
fn each_system_may_say_what_the_table_says_and_nobody_a_consent() {
    // S0-07, S0-11, S0-12, I5
    let rows: [(Teller, &[&str]); 4] = [
        (Teller::Erp, &["purchase", "optout_notice_shown", "bounce"]),
        (Teller::Crm, &["purchase", "optout_notice_shown", "withdrawn", "objected", "expired_idle", "imported"]),
        (Teller::Ma, &["withdrawn", "objected", "complaint", "bounce", "imported"]),
        (Teller::Staff, &["withdrawn", "objected", "complaint", "disputed", "restricted", "unrestricted", "expired_idle"]),
    ];
    let told_by_somebody: Vec<&str> = rows.iter().flat_map(|(_, kinds)| kinds.iter().copied()).collect();
    let company = Company::new();
    for (teller, may) in rows {
        for kind in EventKind::ALL.map(EventKind::as_str) {
            let answer = company.tell(teller, &event(kind));
            let expected = match kind {
                "given" | "requested" | "refused" => 403,
                _ if may.contains(&kind) => 202,
                _ if told_by_somebody.contains(&kind) => 403,
                _ => 422, // the gateway's own, or the person's
            };
            assert_eq!(answer.status, expected, "{} says {kind}: {}", teller.as_str(), answer.body);
            if expected == 403 {
                let detail = answer.json()["detail"].as_str().expect("a sentence").to_owned();
                assert!(detail.len() > 20, "{detail}");
            }
        }
    }
    let refused: Vec<AuditLine> = company.audit().into_iter().filter(|line| line.line.deed == Deed::GrantRefused).collect();
    assert_eq!(refused.len(), 4 * 3, "each attempt is on record");
    assert!(!company.world.events().iter().any(|event| matches!(event.kind, EventKind::Given | EventKind::Requested | EventKind::Refused)));
}

#[test]
fn who_tries_to_grant_is_on_record_with_the_person_if_known() {
    // S0-11
    let company = Company::new();
    let grant = with("given", |e| e["consent_text"] = json!("no field of an event, and still an attempt"));
    assert_eq!(company.tell(Teller::Staff, &grant).status, 403);
    assert!(company.world.subject().is_none(), "nobody comes to be by an attempt");
    company.told(Teller::Staff, &event("objected"));
    assert_eq!(company.tell(Teller::Staff, &grant).status, 403);
    let lines = company.audit();
    let attempts: Vec<&AuditLine> = lines.iter().filter(|line| line.line.deed == Deed::GrantRefused).collect();
    let subject = company.world.subject().map(Object::Subject);
    assert_eq!(attempts.iter().map(|line| line.line.object).collect::<Vec<_>>(), [subject, None], "newest first");
    assert!(attempts.iter().all(|line| line.line.reason.as_deref().is_some_and(|why| why.contains("staff") && !why.contains("olivia"))));
    assert_eq!(company.verdict("news"), Reason::Objected);
}

#[test]
fn no_call_or_text_message_confirms() {
    // L-DOI-09
    let company = Company::new();
    let _ = company.world.subscribed();
    company.told(Teller::Staff, &event("objected"));
    for channel in ["email", "phone", "post", "tracking"] {
        let confirmed = with("given", |e| {
            e["channel"] = json!(channel);
            e["reason"] = json!("confirmed by telephone");
        });
        for teller in Teller::ALL {
            assert_eq!(company.tell(teller, &confirmed).status, 403, "{channel}");
        }
    }
    assert_eq!(company.verdict("news"), Reason::Objected);
}

#[test]
fn a_purchase_told_by_the_shop_changes_the_next_verdict() {
    // S0-07, L-SOFT-04, L-SOFT-05
    let company = Company::new();
    assert_eq!(company.verdict("news"), Reason::NoConsent);
    for trigger in ["quote", "cart", "download", "inquiry"] {
        company.told(
            Teller::Erp,
            &with("purchase", |e| {
                e["trigger"] = json!(trigger);
                e["own_address"] = json!(true);
                e["notice"] = json!(NOTICE);
            }),
        );
        assert_ne!(company.verdict("news").verdict(), consentry::consent::Verdict::Pass, "no sale: {trigger}");
    }
    company.told(Teller::Erp, &with("purchase", |e| e["own_address"] = json!(true)));
    assert_eq!(company.verdict("news"), Reason::NoOptOutNotice);
    company.told(Teller::Erp, &lawful_purchase());
    assert_eq!(company.verdict("news"), Reason::ExistingCustomer);
    assert_eq!(company.verdict("offers"), Reason::NotSimilar);
    let last = company.last();
    assert_eq!((last.kind, last.source), (EventKind::Purchase, Source::System));
    let fact = last.fact.expect("a fact");
    assert_eq!((fact.teller, fact.notice, fact.own_address), (Some(Teller::Erp), Some(sha256(NOTICE)), true));
    let Some(Evidence::Choice(evidence)) = last.evidence else { panic!("no evidence") };
    assert_eq!((evidence.told_by.as_deref(), evidence.staff), (Some("erp"), None));
}

#[test]
fn a_notice_is_the_text_shown_and_not_a_privacy_policy() {
    // L-SOFT-05
    let company = Company::new();
    let policy = "Datenschutz. ".repeat(200);
    let answer = company.tell(Teller::Erp, &with("purchase", |e| e["notice"] = json!(policy)));
    assert_eq!(answer.problem(), (422, vec!["notice".to_owned()]));
    assert!(answer.body.contains("L-SOFT-05"), "{}", answer.body);
    let answer = company.tell(Teller::Erp, &with("purchase", |e| e["notice"] = json!(format!("Liebe {OLIVIA}"))));
    assert_eq!(answer.problem(), (422, vec!["notice".to_owned()]), "texts lie in clear: nothing personal in them");
    // told apart, before the purchase
    company.told(Teller::Crm, &with("optout_notice_shown", |e| e["occurred"] = json!(ago(48))));
    company.told(Teller::Erp, &with("purchase", |e| e["own_address"] = json!(true)));
    assert_eq!(company.verdict("news"), Reason::ExistingCustomer);
}

#[test]
fn each_fault_names_its_place_and_nothing_is_stored() {
    let company = Company::new();
    type Row = (Teller, &'static str, &'static str, fn(&mut Value));
    let rows: &[Row] = &[
        (Teller::Erp, "purchase", "email", |e| e["email"] = json!("olivia")),
        (Teller::Erp, "purchase", "email", |e| e["email"] = json!(7)),
        (Teller::Erp, "purchase", "controller", |e| e["controller"] = json!("nobody")),
        (Teller::Erp, "purchase", "topics", |e| e["topics"] = json!([])),
        (Teller::Erp, "purchase", "topics", |e| e["topics"] = json!("shoes")),
        (Teller::Erp, "purchase", "topics[1]", |e| e["topics"] = json!(["shoes", "a b"])),
        (Teller::Erp, "purchase", "topics[0]", |e| e["topics"] = json!([7])),
        (Teller::Erp, "purchase", "trigger", |e| e["trigger"] = json!(null)),
        (Teller::Erp, "purchase", "trigger", |e| e["trigger"] = json!(["sale"])),
        (Teller::Erp, "purchase", "trigger", |e| e["trigger"] = json!("theft")),
        (Teller::Erp, "purchase", "occurred", |e| e["occurred"] = json!(null)),
        (Teller::Erp, "purchase", "occurred", |e| e["occurred"] = json!("yesterday")),
        (Teller::Erp, "purchase", "occurred", |e| e["occurred"] = json!("2026-01-01T00:00:00")),
        (Teller::Erp, "purchase", "occurred", |e| e["occurred"] = json!(ago(-1))),
        (Teller::Erp, "purchase", "own_address", |e| e["own_address"] = json!("yes")),
        (Teller::Erp, "purchase", "country", |e| e["country"] = json!("Germany")),
        (Teller::Erp, "purchase", "channel", |e| e["channel"] = json!("phone")),
        (Teller::Erp, "purchase", "price", |e| e["price"] = json!(12)),
        (Teller::Erp, "purchase", "id", |e| e["id"] = json!("")),
        (Teller::Erp, "optout_notice_shown", "notice", |e| e["notice"] = json!(null)),
        (Teller::Erp, "bounce", "trigger", |e| e["trigger"] = json!("sale")),
        (Teller::Erp, "gift", "kind", |_| {}),
        (Teller::Crm, "withdrawn", "topics", |e| e["topics"] = json!([])),
        (Teller::Crm, "withdrawn", "topics[0]", |e| e["topics"] = json!(["newz"])),
        (Teller::Crm, "withdrawn", "channel", |e| e["channel"] = json!("pigeon")),
        (Teller::Crm, "objected", "notice", |e| e["notice"] = json!(NOTICE)),
        (Teller::Staff, "objected", "reason", |e| e["reason"] = json!("x".repeat(501))),
    ];
    for (teller, kind, field, spoil) in rows {
        let answer = company.tell(*teller, &with(kind, spoil));
        assert_eq!(answer.problem(), (422, vec![(*field).to_owned()]), "{kind} {field}: {}", answer.body);
        assert!(!answer.body.replace("e.g. olivia@example.org", "").contains("olivia"), "I8: {}", answer.body);
    }
    let all = company.tell(Teller::Erp, &json!({ "kind": "purchase" }));
    assert_eq!(all.problem(), (422, ["email", "controller", "topics", "occurred", "trigger"].map(str::to_owned).to_vec()));
    assert!(company.world.subject().is_none());
    company.told(Teller::Erp, &with("purchase", |e| e["occurred"] = json!((Timestamp::now() + SignedDuration::from_mins(4)).to_string())));
}

#[test]
fn the_door_wants_one_system_and_json() {
    let company = Company::new();
    let world = &company.world;
    let both = [Scope::Events(Teller::Crm), Scope::Events(Teller::Erp)];
    let both = world.runtime.block_on(world.desk.add_api_token("both", &both, Timestamp::now())).expect("stored").to_string();
    for (token, status) in [("ct_x", 401), (world.token.as_str(), 403), (&both, 403)] {
        let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
        let answer = world.ask("POST", "/api/v1/events", &headers, Some(&event("objected").to_string()));
        assert_eq!((answer.problem().0, answer.header("www-authenticate").is_some()), (status, true), "{}", answer.body);
    }
    for (kind, body, status) in
        [("application/json", "{", 400), ("application/json", "7", 422), ("text/plain", "{}", 415), ("application/json", "", 400)]
    {
        assert_eq!(company.send(Teller::Crm, kind, body).problem().0, status, "{body}");
    }
    let many = Value::Array(vec![event("objected"); 501]);
    assert_eq!(company.tell(Teller::Crm, &many).problem().0, 413);
    assert!(world.subject().is_none());
}

#[test]
fn the_answer_does_not_tell_who_is_known_and_the_address_is_not_stored() {
    // DESIGN.md section 4, L-TOM-01
    let company = Company::new();
    for (teller, kinds) in [
        (Teller::Crm, ["purchase", "withdrawn", "imported", "expired_idle"]),
        (Teller::Staff, ["objected", "disputed", "restricted", "unrestricted"]),
    ] {
        for kind in kinds {
            let unknown = with(kind, |e| e["email"] = json!(format!("{kind}@nobody.example")));
            for _ in 0..2 {
                company.told(teller, &unknown);
            }
        }
    }
    company.told(Teller::Erp, &event("purchase"));
    let subject = company.world.subject().expect("known by the keyed hash");
    assert!(company.world.runtime.block_on(company.world.store.address(subject)).expect("read").is_none());
    let octets = std::fs::read(company.world.dir.path().join("ledger.sqlite")).expect("readable");
    let log = std::fs::read(company.world.dir.path().join("ledger.sqlite-wal")).unwrap_or_default();
    for octets in [octets, log] {
        assert!(!octets.windows(6).any(|window| window == b"olivia") && !octets.windows(14).any(|window| window == b"nobody.example"));
    }
}

#[test]
fn what_is_told_twice_is_recorded_once() {
    let company = Company::new();
    let order = |id: &str, topic: &str| {
        with("purchase", |e| {
            e["id"] = json!(id);
            e["topics"] = json!([topic]);
            e["occurred"] = json!("2026-01-01T00:00:00Z");
        })
    };
    for _ in 0..3 {
        company.told(Teller::Erp, &order("order-1", "news"));
    }
    assert_eq!(company.world.events().len(), 1);
    let other = company.tell(Teller::Erp, &order("order-1", "offers"));
    assert_eq!(other.problem().0, 409, "an id that is used again for something else must not swallow it");
    company.told(Teller::Erp, &order("order-2", "news"));
    company.told(Teller::Crm, &order("order-1", "news"));
    assert_eq!(company.world.events().len(), 3, "each system has its own ids");
    // a no that is in force is no news, with or without an id
    for _ in 0..3 {
        company.told(Teller::Ma, &event("complaint"));
        company.told(Teller::Ma, &event("bounce"));
        company.told(Teller::Staff, &event("restricted"));
    }
    assert_eq!(company.world.events().len(), 6);
}

#[test]
fn of_many_each_is_taken_or_refused_by_itself() {
    let company = Company::new();
    let many = json!([event("objected"), event("given"), with("objected", |e| e["email"] = json!("x")), 7, event("purchase")]);
    let answer = company.tell(Teller::Crm, &many);
    let report = answer.json();
    assert_eq!((answer.status, report["accepted"].as_u64()), (200, Some(2)), "{report}");
    let refused: Vec<(u64, u64)> = report["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| (item["index"].as_u64().expect("a number"), item["status"].as_u64().expect("a number")))
        .collect();
    assert_eq!(refused, [(1, 403), (2, 422), (3, 422)]);
    assert_eq!(report["refused"][1]["errors"][0]["field"], "email");
    let lines = format!("{}\n\nno json\n{}\n", event("withdrawn"), event("imported"));
    let report = company.send(Teller::Ma, "application/x-ndjson", &lines).json();
    assert_eq!((report["accepted"].as_u64(), report["refused"][0]["index"].as_u64()), (Some(2), Some(1)), "{report}");
}
