//! Rules in the store: one activation at a time, nothing that can be changed, and a past that reads back.

use consentry::consent::DecisionId;
use consentry::store::{ActiveRules, How, NewApproval, Past, Role, Simulation};

use super::*;

fn rules(seq: u64, how: How) -> ActiveRules {
    ActiveRules { seq, id: [7; 32], text: "{}".into(), at: "2026-03-01T09:00:00Z".parse().expect("a time"), how }
}

#[tokio::test]
async fn rules_come_into_force_once_and_what_was_decided_on_them_cannot_be_changed() {
    // S0-26, I7
    let (dir, store) = new_store().await;
    let first = rules(1, How::FirstStart);
    assert!(store.activate_rules(&first, 0, None).await.expect("activates"));
    assert!(!store.activate_rules(&first, 0, None).await.expect("answers"), "two starts at once are no two activations");
    let mia = store.add_operator("mia", Role::Compliance, "hash", start()).await.expect("adds");
    let simulation = Simulation {
        rules: [8; 32],
        text: "{}".into(),
        follows: 1,
        since: first.at,
        until: first.at,
        number: 3,
        newly_passed: 2,
        newly_blocked: 1,
        summary: "{}".into(),
        ran_by: mia,
        ran_by_name: "mia".into(),
        at: first.at,
    };
    store.keep_simulation(&simulation).await.expect("keeps");
    store.keep_simulation(&simulation).await.expect("keeps another");
    assert_eq!(store.simulations().await.expect("reads"), [simulation.clone(), simulation]);
    let reason = "as Olivia Carter asked";
    let approval = NewApproval { rules: [8; 32], follows: 1, operator: mia, role: Role::Compliance, reason, at: first.at };
    store.approve_rules(approval).await.expect("approves");
    assert_eq!(store.approval_of([8; 32], 1).await.expect("reads"), Some(1));
    assert_eq!(store.approval_of([8; 32], 2).await.expect("reads"), None, "it follows those in force then");
    assert_eq!(store.approvals().await.expect("reads")[0].reason, reason);
    assert!(store.activate_rules(&rules(2, How::Tightened), 1, Some(reason)).await.expect("activates"));
    assert_eq!(store.active_rules().await.expect("reads").map(|active| (active.seq, active.how)), Some((2, How::Tightened)));
    assert_eq!(store.rules_history().await.expect("reads").len(), 2);
    store.close().await;

    for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
        let content = std::fs::read(dir.path().join("data").join(file)).unwrap_or_default();
        assert!(!content.windows(6).any(|window| window == b"Olivia"), "reasons are sealed: {file}");
    }
    let mut raw = raw(dir.path()).await;
    for table in ["rules", "simulation", "approval"] {
        for statement in [
            format!("UPDATE {table} SET at = 0"),
            format!("DELETE FROM {table}"),
            format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}"),
        ] {
            assert!(sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut raw).await.is_err(), "{statement}");
        }
    }
}

#[tokio::test]
async fn the_past_reads_back_in_steps_and_in_order() {
    // L-AD-07
    let (_dir, store) = new_store().await;
    let who = "olivia@example.org";
    request(&store, who, "news", 1, start()).await;
    confirm(&store, 1, start()).await;
    withdraw(&store, subject(&store, who).await, "news", start()).await;
    for n in 1..=5 {
        store.record(decision(&store, who, n), None).await.expect("records");
    }
    let mut past = store.past().await.expect("opens");
    let (all, mut read, mut from) = (DecisionId([u8::MAX; 16]), Vec::new(), Past::first(Timestamp::UNIX_EPOCH));
    loop {
        let step = past.decisions(from, all, 2).await.expect("reads");
        let Some(last) = step.last() else { break };
        from = DecisionId((u128::from_be_bytes(last.id.0) + 1).to_be_bytes());
        read.extend(step);
    }
    assert_eq!(read.len(), 5);
    assert!(read.is_sorted_by_key(|past| past.id));
    let olivia = subject(&store, who).await;
    let stranger = SubjectId([9; 16]);
    let people = past.people(&[olivia, stranger]).await.expect("reads");
    assert_eq!(people.len(), 1, "of a stranger nothing is known");
    assert_eq!((people[&olivia].standing.seq, people[&olivia].suppressions.len()), (3, 1));
    assert_eq!(past.events(&[olivia]).await.expect("reads")[&olivia].len(), 3);
}
