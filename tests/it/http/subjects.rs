//! `/api/v1/subjects/…` and the download at `/p/{token}/data`: the rights of a person, on record before they are done.

use consentry::consent::EventKind;
use consentry::desk::Scope;
use consentry::store::Deed;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, OLIVIA, World};

fn ask(world: &World, token: &str, what: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    world.ask("POST", &format!("/api/v1/subjects/{what}"), &headers, Some(&body.to_string()))
}

fn token(world: &World, name: &str, scope: Scope) -> String {
    world.runtime.block_on(world.desk.add_api_token(name, &[scope], Timestamp::now())).expect("stored").to_string()
}

fn olivia() -> Value {
    json!({ "email": OLIVIA, "controller": "acme", "reason": "wrote a letter" })
}

#[test]
fn all_that_is_stored_is_handed_over_and_it_is_on_record() {
    // L-DSR-01, S3-04, GDPR Art. 15, 20
    let world = World::new();
    let path = world.subscribed_with_decision();
    let access = token(&world, "crm", Scope::SubjectAccess);
    let answer = ask(&world, &access, "access", &olivia());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    let parts = [
        "format",
        "made",
        "controller",
        "person",
        "events",
        "opt_ins",
        "standing",
        "suppressions",
        "requests",
        "recipients",
        "storage_periods",
        "rights",
        "decisions",
    ];
    assert!(parts.iter().all(|part| !told[part].is_null()), "{told}");
    assert_eq!(told.as_object().expect("an object").len(), parts.len());
    assert_eq!((&told["format"], &told["person"]["address"]), (&json!("consentry-access/1"), &json!(OLIVIA)));
    let kinds: Vec<&str> = told["events"].as_array().expect("a list").iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(kinds.contains(&"requested") && kinds.contains(&"given"), "{kinds:?}");
    let request = &told["events"][0]["evidence"];
    assert!(request["consent_text"].as_str().is_some_and(|text| text.len() > 20) && request["text_version"].is_string(), "{request}");
    assert_eq!(told["standing"]["topics"][0]["state"], "given");
    assert!(told["standing"]["topics"][0]["legal_basis"]["articles"]["de"].as_str().is_some_and(|law| law.contains("DSGVO")));
    let decision = &told["decisions"][0];
    for field in ["class", "steps", "reason", "sentence", "ref"] {
        assert!(!decision[field].is_null(), "{field}: {decision}");
    }
    let lines = world.runtime.block_on(world.store.audit_log(None, 1)).expect("read");
    assert_eq!((lines[0].line.deed, lines[0].line.reason.as_deref()), (Deed::AccessExported, Some("acme (API, crm): wrote a letter")));

    // The mailbox itself may have it, too; reading changes nothing (I6).
    world.choose(&path, "choice=why");
    let link = super::access::mailed(&world).pop().expect("a mail");
    let before = world.events().len();
    assert!(world.get(&link).body.contains("/data\""), "the page has a link");
    let own = world.get(&format!("{link}/data"));
    assert_eq!((own.status, own.header("content-disposition")), (200, Some("attachment; filename=\"personal-data.json\"")));
    assert_eq!(own.json()["person"]["address"], OLIVIA);
    assert_eq!(world.events().len(), before);
    assert_eq!(world.get("/p/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/data").status, 404);
}

#[test]
fn each_right_has_a_scope_of_its_own_and_says_what_was_wrong() {
    // L-TOM-02
    let world = World::new();
    world.subscribed();
    let scopes = [
        ("access", Scope::SubjectAccess),
        ("erasure", Scope::SubjectErasure),
        ("restriction", Scope::SubjectRestriction),
        ("rectification", Scope::SubjectRectification),
    ];
    for (what, scope) in scopes {
        let key = token(&world, what, scope);
        for (other, _) in scopes.iter().filter(|(other, _)| *other != what) {
            assert_eq!(ask(&world, &key, other, &olivia()).status, 403, "{what} {other}");
        }
        assert_eq!(ask(&world, &world.token, what, &olivia()).status, 403);
        for (field, value, status) in [
            ("email", json!("nobody"), 422),
            ("controller", json!("other"), 422),
            ("reason", json!(" "), 422),
            ("email", json!("un@known.example"), 404),
        ] {
            let mut body = olivia();
            body["restricted"] = (what == "restriction").then_some(true).into();
            body["new_email"] = (what == "rectification").then_some("right@people.example").into();
            body[field] = value;
            let answer = ask(&world, &key, what, &body);
            assert_eq!(answer.status, status, "{what} {field}: {}", answer.body);
            assert!(!answer.body.contains("known.example"), "{}", answer.body);
        }
    }
    assert!(world.events().iter().all(|event| event.kind != EventKind::Erased && event.kind != EventKind::Restricted));
}

#[test]
fn who_is_erased_by_another_system_is_told_what_stays_and_why() {
    // L-DSR-02, S1-06, E-10
    let world = World::new();
    world.subscribed_with_decision();
    let key = token(&world, "crm", Scope::SubjectErasure);
    let answer = ask(&world, &key, "erasure", &olivia());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!((&told["contact_data"], &told["evidence"]), (&json!("destroyed"), &json!("kept_as_proof")));
    let year = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year() + 3;
    for (language, needles) in [
        ("de", ["ACME GmbH hat Ihre Daten gelöscht".to_owned(), format!("31. Dezember {year}"), "Sperrliste".into(), "30 Tagen".into()]),
        ("en", ["ACME GmbH has erased your data".to_owned(), format!("31 December {year}"), "suppression list".into(), "30 days".into()]),
    ] {
        let text = told["answer"][language].to_string();
        assert!(needles.iter().all(|needle| text.contains(needle)), "{needles:?} in {text}");
    }
    let subject = world.subject().expect("known");
    assert_eq!(world.runtime.block_on(world.store.address(subject)).expect("reads"), None);

    // Evidence that was kept for claims is in no later copy (L-PRV-03): not even for whoever has the mailbox today.
    let access = token(&world, "dpo", Scope::SubjectAccess);
    let copy = ask(&world, &access, "access", &olivia()).json();
    assert_eq!(copy["person"]["address"], Value::Null);
    assert_eq!(copy["suppressions"][0]["reason"], "objected");
    let events = copy["events"].as_array().expect("a list");
    assert!(events.iter().all(|event| event["evidence"].is_null()) && events[0]["evidence_restricted"] == true, "{copy}");
}

#[test]
fn a_restriction_is_in_force_until_it_is_lifted() {
    // L-DSR-03, GDPR Art. 18
    let world = World::new();
    world.subscribed();
    let key = token(&world, "crm", Scope::SubjectRestriction);
    let subject = world.subject().expect("known");
    assert_eq!(ask(&world, &key, "restriction", &olivia()).problem(), (422, vec!["restricted".to_owned()]));
    for restricted in [true, false] {
        let mut body = olivia();
        body["restricted"] = restricted.into();
        assert_eq!(ask(&world, &key, "restriction", &body).status, 200);
        let standing = world.runtime.block_on(world.store.standing_of(subject)).expect("reads").expect("known");
        assert_eq!(standing.restricted("acme").is_some(), restricted);
    }
}

#[test]
fn who_asks_another_system_is_entered_in_the_register_and_closed_by_what_is_done() {
    // L-DSR-01, GDPR Art. 12(3)
    let world = World::new();
    world.subscribed();
    let (register, erasure) = (token(&world, "register", Scope::Requests), token(&world, "crm", Scope::SubjectErasure));
    let request = |body: &Value| {
        let bearer = format!("Bearer {register}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        world.ask("POST", "/api/v1/requests", &headers, Some(&body.to_string()))
    };
    let mut body = olivia();
    assert_eq!(request(&body).problem(), (422, vec!["right".to_owned()]));
    body["right"] = "erasure".into();
    let entered = request(&body);
    assert_eq!(entered.status, 201, "{}", entered.body);
    body["email"] = "un@known.example".into();
    assert_eq!(request(&body).status, 201, "nobody learns whether anything is on record");
    let open = || {
        let bearer = format!("Bearer {register}");
        let listed = world.ask("GET", "/api/v1/requests", &[("authorization", &bearer)], None);
        assert!(listed.status == 200 && !listed.body.contains("letter") && !listed.body.contains('@'), "{}", listed.body);
        listed.json()["open"].as_array().expect("a list").clone()
    };
    let waiting = open();
    assert_eq!(waiting.len(), 2);
    assert_eq!(
        (&waiting[0]["id"], &waiting[0]["due"], &waiting[0]["state"]),
        (&entered.json()["id"], &entered.json()["due"], &json!("open"))
    );
    assert_eq!(waiting[1]["subject"], Value::Null);
    assert_eq!(ask(&world, &erasure, "erasure", &olivia()).status, 200);
    let left = open();
    assert!(left.len() == 1 && left[0]["subject"].is_null(), "{left:?}");
    assert_eq!(world.ask("GET", "/api/v1/requests", &[("authorization", &format!("Bearer {erasure}"))], None).status, 403);
}

#[test]
fn an_address_is_corrected_and_the_answer_says_that_consent_does_not_move() {
    // GDPR Art. 16, I5
    let world = World::new();
    world.subscribed();
    let key = token(&world, "crm", Scope::SubjectRectification);
    let mut body = olivia();
    assert_eq!(ask(&world, &key, "rectification", &body).problem(), (422, vec!["new_email".to_owned()]));
    body["new_email"] = "Olivia@Example.org".into();
    assert_eq!(ask(&world, &key, "rectification", &body).json()["same_mailbox"], true);
    body["new_email"] = "olivia@right.example".into();
    let told = ask(&world, &key, "rectification", &body).json();
    assert_eq!((&told["same_mailbox"], &told["consent"]), (&json!(false), &json!("does not move")));
    let text = told["answer"]["en"].to_string();
    assert!(text.contains("please sign up: https://acme.example/newsletter") && !text.contains("right.example"), "{text}");
    assert_eq!(world.events().pop().map(|event| event.kind), Some(EventKind::Rectified));
}
