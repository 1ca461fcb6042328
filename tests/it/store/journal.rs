//! The ledger takes nothing: plain transactional mail goes on, its decisions wait in the journal, and nothing else is taken
//! (M-60, I4).

use consentry::mail::Outcome;

use super::*;

/// On mail whose credential says that it is transactional.
fn receipt(store: &Store, n: u16) -> Decision {
    let steps = vec![Step { trust: Trust::Credential, says: Class::Transactional, why: "stream \"shop\"".into() }];
    let classification = Classification { class: Class::Transactional, topic: None, campaign: None, steps };
    let who = format!("receipt{n}@x.example");
    Decision { classification, topic: None, reason: Reason::Transactional, ..decision(store, &who, n) }
}

/// On mail that a header calls transactional.
fn declared(store: &Store, n: u16) -> Decision {
    let mut decision = receipt(store, n);
    decision.classification.steps[0].says = Class::Marketing;
    decision
}

async fn stop(dir: &Path) {
    let block = "CREATE TRIGGER away BEFORE INSERT ON decision BEGIN SELECT RAISE(ABORT, 'away'); END";
    sqlx::query(block).execute(&mut raw(dir).await).await.expect("stops it");
}

async fn go_on(dir: &Path) {
    sqlx::query("DROP TRIGGER away").execute(&mut raw(dir).await).await.expect("lets it go on");
}

/// Until the journal is empty.
async fn caught_up(store: &Store) {
    while store.journaled().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_plain_waits_in_the_journal_and_everything_else_is_refused() {
    // M-60, I4, I1
    let (dir, store) = new_store().await;
    assert_eq!(store.journaled(), None);
    stop(dir.path()).await;
    let all = [receipt(&store, 1), decision(&store, "a@x.example", 2), declared(&store, 3), receipt(&store, 4)];
    let recorded: Vec<_> = all.iter().map(|decision| store.record(decision.clone(), None)).collect();
    let mut taken = Vec::new();
    for durable in recorded {
        taken.push(durable.await.is_ok());
    }
    assert_eq!((taken, store.journaled()), (vec![true, false, false, true], Some(2)));
    store.settle(all[0].id, start(), &Outcome::Accept { text: "ok".into() });

    go_on(dir.path()).await;
    caught_up(&store).await;
    for decision in [&all[0], &all[3]] {
        assert_eq!(&store.decision(decision.id).await.expect("reads").expect("is there").decision, decision);
    }
    assert_eq!(count(dir.path(), "SELECT count(*) FROM decision").await, 2);
    assert_eq!(count(dir.path(), "SELECT sum(number) FROM volume").await, 2, "and they are counted");
    while store.decision(all[0].id).await.expect("reads").expect("is there").outcome.is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_journal_outlives_a_restart_and_what_the_ledger_has_already_is_not_written_again() {
    // M-60, I1
    let (dir, store) = new_store().await;
    let first = receipt(&store, 1);
    store.record(first.clone(), None).await.expect("records");
    stop(dir.path()).await;
    // As after a crash between the commit and the end of the journal: the first stands in both.
    store.record(first, None).await.expect("is plain");
    store.record(receipt(&store, 2), None).await.expect("is plain");
    store.close().await;
    let store = Store::open(&dir.path().join("data")).await.expect("opens");
    assert!(store.journaled().is_some_and(|waiting| waiting > 0), "at least the second waits");
    let beside = Store::open_beside(&dir.path().join("data")).await.expect("opens");
    assert_eq!(beside.journaled(), None, "a command beside the gateway leaves it alone");
    go_on(dir.path()).await;
    caught_up(&store).await;
    assert_eq!(count(dir.path(), "SELECT count(*) FROM decision").await, 2);
    assert_eq!(std::fs::metadata(dir.path().join("data/journal")).expect("is there").len(), 0);
}
