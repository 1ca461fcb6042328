//! `/api/v1`: sign-ups, decisions, and errors that say what to do.

use consentry::consent::{Decision, DecisionId, EventKind, Evidence, Reason, Source, Topic};
use consentry::desk::Scope;
use consentry::mail::{Address, Class, Classification, Step, Trust};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{FORM, OLIVIA, World, body, sha256};

#[test]
fn a_sign_up_is_answered_alike_whatever_the_address_and_mailed_once() {
    // L-DOI-05, DESIGN.md section 4
    let world = World::new();
    let mut answers = vec![world.api(&body(|_| {}))]; // new
    answers.push(world.api(&body(|_| {}))); // too soon
    let (link, mail) = world.links().pop().expect("one");
    assert_eq!(world.links().len(), 1, "one mail in 24 hours");
    world.press(&link, "yes");
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
    // S4-02, L-DOI-01
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
        ("consent_text", 422, |b| b["consent_text"] = json!("Ja, die ACME GmbH darf mir schreiben, Widerruf jederzeit.")),
        ("consent_text", 422, |b| b["consent_text"] = json!("Ja, ich möchte E-Mails, Widerruf jederzeit.")),
        ("consent_text", 422, |b| b["consent_text"] = json!("Ja, die ACME GmbH darf mir E-Mails senden.")),
        ("prechecked", 422, |b| b["prechecked"] = json!(true)),
        ("checkbox", 422, |b| b["checkbox"] = json!(false)),
        ("language", 422, |b| b["language"] = json!("in French")),
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
fn an_error_does_not_repeat_a_value_of_the_wrong_type() {
    // I8: sites log what the API answers
    let world = World::new();
    for field in ["checkbox", "language", "topics", "prechecked"] {
        let answer = world.api(&format!("{{\"{field}\": \"olivia@people.example\"}}"));
        assert_eq!(answer.problem(), (422, vec![field.to_owned()]));
        assert!(!answer.body.contains("olivia") && answer.body.contains("expected"), "{}", answer.body);
    }
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
            profile: None,
            shadowed: None,
            rules: None,
            footer: None,
            is_contact: false,
            message: None,
            copy: None,
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
