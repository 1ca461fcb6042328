//! Group commit, look-ups, and reading decisions back.

use consentry::mail::Outcome;
use consentry::store::{DecisionCounts, DecisionFilter};

use super::*;

const PEOPLE: u16 = 10;

fn who(n: u16) -> String {
    format!("person{}@x.example", n % PEOPLE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_durable_when_it_says_so_and_unknown_people_get_one_subject() {
    // E-13, I1
    let (dir, store) = new_store().await;
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let decision = decision(&store, &who(n), n);
                store.record(decision.clone(), None).await.expect("records");
                // another connection sees only what is committed
                store.decision(decision.id).await.expect("reads").expect("is durable").decision
            })
        })
        .collect();
    let mut recorded = Vec::new();
    for task in tasks {
        recorded.push(task.await.expect("runs"));
    }
    store.close().await;

    let store = open(dir.path()).await;
    assert_eq!(store.count_decisions().await.expect("counts"), DecisionCounts { total: 200, block: 200, ..Default::default() });
    assert_eq!(count(dir.path(), "SELECT count(*) FROM decision").await, 200);
    assert_eq!(count(dir.path(), "SELECT count(*) FROM standing").await, i64::from(PEOPLE));
    for (n, decided) in (0..).zip(recorded) {
        let known = subject(&store, &who(n)).await;
        assert_eq!(decided, Decision { subject: known, ..decision(&store, &who(n), n) });
    }
}

#[tokio::test]
async fn a_decision_reads_back_as_it_was_with_its_outcome() {
    // S0-17, L-AD-07
    let (dir, store) = new_store().await;
    let mut recorded = Vec::new();
    for n in 0..5 {
        let mut decision = decision(&store, &who(n), n);
        if n == 3 {
            decision.classification.topic = None;
            decision.classification.campaign = None;
            decision.topic = None;
            decision.message = None;
            decision.event = Some(7);
            decision.reason = Reason::Transactional;
        }
        store.record(decision.clone(), None).await.expect("records");
        recorded.push(decision);
    }
    for (n, outcome) in [
        (0, Outcome::Accept { text: "2.0.0 queued".into() }),
        (1, Outcome::Reject { code: 550, text: "5.1.1 unknown".into() }),
        (2, Outcome::Unreachable { why: "connect".into() }),
        (0, Outcome::Defer { code: 451, text: "too late: the first stays".into() }),
    ] {
        store.settle(recorded[n].id, recorded[n].at, &outcome);
    }
    store.close().await;

    let store = open(dir.path()).await;
    let page = store.search_decisions(&DecisionFilter::default(), None, 3).await.expect("reads");
    assert_eq!(page.next, Some(recorded[2].id));
    let rows = page.rows;
    assert_eq!(rows.iter().map(|row| row.decision.id).collect::<Vec<_>>(), [recorded[4].id, recorded[3].id, recorded[2].id]);
    let rest = store.search_decisions(&DecisionFilter::default(), page.next, 10).await.expect("reads");
    assert_eq!(rest.next, None);
    let rows: Vec<_> = rows.into_iter().chain(rest.rows).rev().collect();
    assert_eq!(rows.iter().map(|row| row.decision.clone()).collect::<Vec<_>>(), recorded);
    let word = |n: usize| rows[n].outcome.as_ref().map(|(_, word, code)| (word.as_str(), *code));
    assert_eq!(word(0), Some(("accepted", Some(250))));
    assert_eq!(word(1), Some(("rejected", Some(550))));
    assert_eq!(word(2), Some(("unreachable", None)));
    assert_eq!(word(3), None);
    let counts = store.count_decisions().await.expect("counts");
    assert_eq!(counts, DecisionCounts { total: 5, pass: 1, block: 4, ..Default::default() });
    assert_eq!(store.decision(DecisionId([1; 16])).await.expect("reads"), None);
}

#[tokio::test]
async fn a_decision_about_a_known_person_is_about_that_subject() {
    let (dir, store) = new_store().await;
    request(&store, "a@x.example", "news", 1, start()).await;
    let (known, read) = standing(&store, "a@x.example").await.expect("is known");
    let consented = Decision { subject: known, folded_from: read.seq, ..decision(&store, "a@x.example", 1) };
    store.record(consented.clone(), None).await.expect("records");
    // read before the sign-up, recorded after it: the subject is still the one on record
    let stale = decision(&store, "a@x.example", 2);
    store.record(stale.clone(), None).await.expect("records");
    for decided in [consented, Decision { subject: known, ..stale }] {
        assert_eq!(store.decision(decided.id).await.expect("reads").expect("is there").decision, decided);
    }
    assert_eq!(count(dir.path(), "SELECT count(*) FROM standing").await, 1);
}

#[tokio::test]
async fn the_tools_own_unsubscribe_value_is_kept_with_its_decision() {
    let (_dir, store) = new_store().await;
    let decision = decision(&store, "a@x.example", 1);
    let value = "<https://tool.example/u?e=a@x.example&q=\"1\">";
    store.record(decision.clone(), Some(value.into())).await.expect("records");
    assert_eq!(store.tool_unsubscribe(decision.id).await.expect("reads").as_deref(), Some(value));
    assert_eq!(store.tool_unsubscribe(DecisionId([1; 16])).await.expect("reads"), None);
}

#[tokio::test]
async fn outcomes_are_committed_without_waiting_for_a_decision() {
    let (dir, store) = new_store().await;
    let decision = decision(&store, "a@x.example", 1);
    store.record(decision.clone(), None).await.expect("records");
    store.settle(decision.id, start(), &Outcome::Accept { text: "ok".into() });
    while store.decision(decision.id).await.expect("reads").expect("is there").outcome.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(count(dir.path(), "SELECT count(*) FROM outcome").await, 1);
}

#[tokio::test]
async fn a_failed_commit_fails_everyone_in_it_and_leaves_nothing() {
    // I4, E-13
    let (dir, store) = new_store().await;
    let first = decision(&store, "a@x.example", 1);
    store.record(first.clone(), None).await.expect("records");
    // not awaited in between, so that one commit holds them all; the second has an id that is taken
    let others = [2, 1, 3].map(|n| store.record(decision(&store, "b@x.example", n), None));
    for durable in others {
        assert!(durable.await.is_err());
    }
    assert_eq!(count(dir.path(), "SELECT count(*) FROM decision").await, 1);
    assert!(standing(&store, "b@x.example").await.is_none());
    store.record(decision(&store, "b@x.example", 4), None).await.expect("the recorder lives on");
    request(&store, "c@x.example", "news", 1, start()).await;
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let (dir, store) = new_store().await;
    refuse(dir.path(), "INSERT ON decision").await;
    let kept = decision(&store, "a@x.example", 1);
    store.settle(kept.id, start(), &Outcome::Accept { text: "ok".into() });
    assert!(store.record(kept, None).await.is_err());
    allow(dir.path(), "decision").await;
    store.record(decision(&store, "a@x.example", 2), None).await.expect("records");
    assert_eq!(count(dir.path(), "SELECT count(*) FROM outcome").await, 1, "outcomes are tried again");
}

#[tokio::test]
async fn a_transaction_that_the_database_ended_itself_does_not_block_the_next() {
    // as on a full disk; I3: a withdrawal must be possible again at once
    let (dir, store) = new_store().await;
    request(&store, "a@x.example", "news", 1, start()).await;
    let subject = subject(&store, "a@x.example").await;
    match on_postgres() {
        true => refuse(dir.path(), "INSERT ON event").await,
        false => {
            let ends = "CREATE TRIGGER away BEFORE INSERT ON event BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
            run(dir.path(), ends).await.expect("breaks");
        }
    }
    for n in 2..4 {
        let refused = store.request(sign_up(&store, "b@x.example", "news", n, start())).await.expect_err("is refused").to_string();
        assert!(refused.contains("full"), "{refused}");
    }
    allow(dir.path(), "event").await;
    assert_eq!(withdraw(&store, subject, "news", start()).await, WithdrawAnswer::Done);
    assert_eq!(request(&store, "b@x.example", "news", 4, start()).await, RequestAnswer::Committed);
}

#[tokio::test]
async fn after_closing_nothing_hangs() {
    let (_dir, store) = new_store().await;
    let other = store.clone();
    store.close().await;
    assert!(matches!(other.record(decision(&other, "a@x.example", 1), None).await, Err(StoreError::Closed)));
    assert!(matches!(other.standing(key(&other, "a@x.example")).await, Err(StoreError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_at_the_same_time_each_get_their_own_answer() {
    let (_dir, store) = new_store().await;
    for n in 0..PEOPLE {
        let (who, n) = (who(n), u32::from(n));
        request(&store, &who, "news", n, start()).await;
        if n % 2 == 0 {
            confirm(&store, n, start()).await;
        }
        if n % 4 == 0 {
            withdraw(&store, subject(&store, &who).await, "news", start()).await;
        }
    }
    let tasks: Vec<_> = (0..300)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let who = if n % 7 == 0 { format!("stranger{n}@x.example") } else { who(n) };
                let expected = match n % PEOPLE {
                    _ if n % 7 == 0 => "none",
                    m if m % 4 == 0 => "suppressed",
                    m if m % 2 == 0 => "given",
                    _ => "requested",
                };
                assert_eq!(meets(&store, &who, "news").await, expected, "{who}");
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("is right");
    }
}
