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
    let scopes = [("access", Scope::SubjectAccess), ("erasure", Scope::SubjectErasure), ("restriction", Scope::SubjectRestriction)];
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
