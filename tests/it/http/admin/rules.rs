//! The pages of the rules: what is proposed, what it changes, and the second person.

use consentry::mail::{StreamClass, StreamMode};
use consentry::office::{Operator, Role, RulesId, Simulation};
use consentry::policy::{Policy, PolicySettings, Rules, StreamRules, Window};
use consentry::store::{ActiveRules, How};
use jiff::Timestamp;

use super::super::World;
use super::Browser;

/// Of one stream, watched or not.
fn rules(mode: StreamMode) -> Rules {
    let policy = Policy::new(&PolicySettings::default(), Default::default(), vec![], [("acme".to_owned(), None)].into());
    let stream = StreamRules {
        controller: "acme".into(),
        class: StreamClass::Marketing,
        topic: None,
        mode,
        disputed: consentry::mail::Dispute::Enforce,
        bulk: Default::default(),
        from_domains: ["acme.example".to_owned()].into(),
        sources: [].into(),
    };
    Rules::new(policy, Window::of_ecg_list(None), [], [("news".to_owned(), stream)], consentry::policy::ClassRules::default())
}

fn operator(world: &World, name: &str) -> Operator {
    let operators = world.runtime.block_on(world.store.operators()).expect("reads");
    operators.into_iter().find(|operator| operator.name == name).expect(name)
}

fn activate(world: &World, rules: &Rules, seen: u64) {
    let new = ActiveRules { seq: seen + 1, id: rules.id().0, text: rules.text(), at: Timestamp::now(), how: How::Tightened };
    assert!(world.runtime.block_on(world.store.activate_rules(&new, seen, None)).expect("activates"));
}

/// Proposed by the operator of that name; the path of their page.
fn propose(world: &World, rules: &Rules, follows: u64, name: &str) -> (RulesId, String) {
    let by = operator(world, name);
    let tally = serde_json::json!({ "number": 7, "newly_blocked": 0, "newly_passed": 2, "unchanged": 5, "gone": 0, "not_known": 0 });
    let rows = serde_json::json!([["news", tally.clone()]]);
    let summary = serde_json::json!({
        "total": tally, "streams": rows, "topics": [["", tally.clone()]], "campaigns": [["<spring>", tally.clone()]],
        "changes": [{ "before": "no_consent", "after": "shadow", "number": 2 }], "domains_lost": [],
    });
    let simulation = Simulation {
        rules: rules.id().0,
        text: rules.text(),
        follows,
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::now(),
        number: 7,
        newly_passed: 2,
        newly_blocked: 0,
        summary: summary.to_string(),
        ran_by: by.id,
        ran_by_name: by.name.clone(),
        at: Timestamp::now(),
    };
    world.runtime.block_on(world.office.propose_rules(&by, simulation)).expect("proposes");
    (rules.id(), format!("/admin/rules/{}", rules.id()))
}

/// With one operator of each role, `enforce` in force and `shadow` proposed by compliance.
fn world() -> (World, RulesId, String) {
    let world = World::new();
    Role::ALL.into_iter().for_each(|role| world.add_operator(role));
    activate(&world, &rules(StreamMode::Enforce), 0);
    let (id, path) = propose(&world, &rules(StreamMode::Shadow), 1, "compliance");
    (world, id, path)
}

#[test]
fn a_proposal_is_shown_with_what_it_says_otherwise_and_what_that_changes() {
    // S0-26, S0-27
    let (world, id, path) = world();
    let legal = Browser::of(&world, "legal");
    let list = legal.get("/admin/rules").body;
    for part in ["waits for a second person", "in force", &id.to_string()[..12], "compliance"] {
        assert!(list.contains(part), "{part} in {list}");
    }
    let page = legal.get(&path).body;
    for part in ["streams.news.mode", "enforce", "shadow", "stream news: is only watched", "Newly passed", "&lt;spring&gt;", "/approval\""]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<spring>"));
    let of_operator = Browser::of(&world, "operator").get(&path);
    assert!(of_operator.status == 200 && !of_operator.body.contains("/approval\""), "whoever may not approve has no button");
    assert_eq!(Browser::of(&world, "viewer").get(&path).status, 403);
    for nothing in ["/admin/rules/00", &format!("/admin/rules/{}", RulesId([9; 32]))] {
        assert_eq!(legal.get(nothing).status, 404, "{nothing}");
    }
}

#[test]
fn a_second_person_approves_with_a_reason_and_nobody_else_can() {
    // S0-26, S0-28
    let (world, id, path) = world();
    let approval = format!("{path}/approval");
    let approve = |name: &str, reason: &str| Browser::of(&world, name).send("/admin/account", &approval, &[("reason", reason)]);
    let approved = || world.runtime.block_on(world.store.approval_of(id.0, 1)).expect("reads").is_some();

    assert_eq!(approve("operator", "weighed").status, 403);
    assert_eq!(approve("legal", "  ").status, 422);
    let own = approve("compliance", "my own");
    assert!(own.status == 409 && own.body.contains("a second person must approve"), "{}", own.body);
    assert!(Browser::of(&world, "compliance").get(&path).body.contains("a second person must approve"), "told beforehand, too");
    assert!(!approved());

    let done = approve("legal", "two weeks of watching, weighed");
    assert_eq!(done.status, 303, "{}", done.body);
    assert!(approved());
    assert_eq!(world.audit_lines().iter().filter(|deed| **deed == "rules_approved").count(), 1);
    let legal = Browser::of(&world, "legal");
    let page = legal.get(done.header("location").expect("leads back")).body;
    assert!(page.contains("Approved. The rules come into force") && page.contains("two weeks of watching, weighed"), "{page}");
}

#[test]
fn an_approval_is_for_the_change_that_was_proposed_only() {
    // S0-26: what is in force changed meanwhile, so both steps begin anew
    let (world, id, path) = world();
    activate(&world, &rules(StreamMode::Enforce), 1);
    let late = Browser::of(&world, "legal").send("/admin/account", &format!("{path}/approval"), &[("reason", "weighed")]);
    assert!(late.status == 409 && late.body.contains("Nothing was approved"), "{}", late.body);
    assert_eq!(world.runtime.block_on(world.store.approval_of(id.0, 2)).expect("reads"), None);
}
