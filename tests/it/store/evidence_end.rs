//! The end of evidence, by the calendar: what is due goes, and what cannot be proven any more blocks.

use consentry::consent::EventKind;
use consentry::policy::{EvidenceRule, Policy};
use consentry::retention::erase_due;
use consentry::store::Confirmation;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

async fn people(store: &Store) -> Vec<SubjectId> {
    let mut people = Vec::new();
    for n in 0..5u32 {
        let who = format!("p{n}@mail.example.org");
        request(store, &who, "news", n, start()).await;
        confirm(store, n, start() + hours(1)).await;
        people.push(subject(store, &who).await);
    }
    people
}

#[tokio::test]
async fn evidence_goes_three_years_after_the_year_of_its_last_use_and_the_consent_with_it() {
    // L-PRV-02, L-PRV-01, E-15, GDPR Art. 17(3)(e)
    let (dir, store) = new_store().await;
    let people = people(&store).await;
    let rule = Policy::default().evidence();
    // One withdrew a year later; one was written to in 2028.
    withdraw(&store, people[1], "news", at("2027-06-01T00:00:00Z")).await;
    let written =
        Decision { at: at("2028-05-01T00:00:00Z"), is_contact: true, subject: people[2], ..decision(&store, "p2@mail.example.org", 1) };
    store.record(written, None).await.expect("records");

    erase_due(&store, &rule, at("2029-12-31T23:59:59Z")).await.expect("runs");
    assert!(store.timeline(people[0]).await.expect("reads").iter().all(|event| event.kind != EventKind::EvidenceDestroyed));
    assert_eq!(meets(&store, "p0@mail.example.org", "news").await, "given");

    let now = at("2030-01-01T00:00:00Z");
    assert_eq!(erase_due(&store, &rule, now).await.expect("runs"), 3);
    for (n, gone) in [(0, true), (1, false), (2, false), (3, true), (4, true)] {
        let events = store.events(people[n]).await.expect("reads");
        assert_eq!(events[0].evidence.is_none(), gone, "{n}");
        assert_eq!(events.last().expect("some").kind == EventKind::EvidenceDestroyed, gone, "{n}");
        assert_eq!(store.address(people[n]).await.expect("reads").is_none(), gone, "{n}: the address that it justified");
    }
    assert_eq!(meets(&store, "p0@mail.example.org", "news").await, "expired", "what cannot be proven is no consent");
    let runs = store.evidence_runs(10).await.expect("reads");
    assert_eq!((runs[0].at, runs[0].looked_at, runs[0].destroyed, runs[0].cursor), (now, 5, 3, None), "on record, without a name");
    assert_refused(dir.path(), &["DELETE FROM evidence_run", "UPDATE evidence_run SET destroyed = 0"]).await;

    assert_eq!(erase_due(&store, &rule, now).await.expect("runs"), 0, "once");
    assert_eq!(erase_due(&store, &rule, at("2031-01-01T00:00:00Z")).await.expect("runs"), 1, "who withdrew in 2027");
    assert_eq!(meets(&store, "p1@mail.example.org", "news").await, "suppressed", "a no outlives its evidence");
    assert_eq!(store.rebuild_standing().await.expect("rebuilds"), 5);
    assert_eq!(meets(&store, "p0@mail.example.org", "news").await, "expired");

    // They may come again, with new evidence.
    request(&store, "p0@mail.example.org", "news", 9, now).await;
    assert_eq!(confirm(&store, 9, now + hours(1)).await, Confirmation::Done);
    assert_eq!(meets(&store, "p0@mail.example.org", "news").await, "given");
    let there: Vec<bool> = store.events(people[0]).await.expect("reads").iter().map(|event| event.evidence.is_some()).collect();
    assert_eq!(there, [false, false, false, true, true]);
}

#[tokio::test]
async fn what_happened_meanwhile_keeps_the_evidence_and_a_longer_rule_does_too() {
    // L-PRV-02, L-PRV-04
    let (_dir, store) = new_store().await;
    let people = people(&store).await;
    let now = at("2030-02-01T00:00:00Z");
    let ages = store.evidence_ages(None, 2).await.expect("reads");
    let rest = store.evidence_ages(Some(ages[1].subject), 10).await.expect("reads");
    assert_eq!((ages.len(), rest.len()), (2, 3), "step by step, each once");
    withdraw(&store, ages[0].subject, "news", now).await;
    assert!(!store.destroy_evidence(&ages[0], now).await.expect("answers"), "a no came in between");
    assert!(store.events(ages[0].subject).await.expect("reads")[0].evidence.is_some());

    let longer = EvidenceRule { email: 10, ..Policy::default().evidence() };
    assert_eq!(erase_due(&store, &longer, now).await.expect("runs"), 0);
    assert_eq!(erase_due(&store, &Policy::default().evidence(), now).await.expect("runs"), people.len() as u64 - 1);
}

#[tokio::test]
async fn a_key_that_a_crash_left_seals_nothing_new_and_goes_with_the_next_sign_up() {
    // L-PRV-02, E-09: between the commit and the end of the key there is a crash, or another gateway
    let (dir, store) = new_store().await;
    request(&store, "p0@mail.example.org", "news", 0, start()).await;
    confirm(&store, 0, start() + hours(1)).await;
    let person = subject(&store, "p0@mail.example.org").await;
    run_on_keys(dir.path(), "CREATE TABLE left_behind AS SELECT * FROM subject_key").await;
    let now = at("2030-01-01T00:00:00Z");
    assert_eq!(erase_due(&store, &Policy::default().evidence(), now).await.expect("runs"), 1);
    run_on_keys(dir.path(), "DELETE FROM subject_key").await;
    run_on_keys(dir.path(), "INSERT INTO subject_key SELECT * FROM left_behind").await;

    request(&store, "p0@mail.example.org", "news", 1, now).await;
    confirm(&store, 1, now + hours(1)).await;
    let there: Vec<bool> = store.events(person).await.expect("reads").iter().map(|event| event.evidence.is_some()).collect();
    assert_eq!(there, [false, false, false, true, true], "what was said to be destroyed is, and the new one can be read");
    assert_eq!(store.address(person).await.expect("reads"), Some(address("p0@mail.example.org")));
    assert_eq!(data_keys(dir.path()).await, (1, 1));
}
