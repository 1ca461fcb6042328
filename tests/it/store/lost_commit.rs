//! The connection is lost while the server commits: what the client hears is what the server did (I2). A fault that no real
//! peer shows on demand, so a proxy between the store and a real server makes it.

use consentry::consent::EventKind;
use consentry::store::{Confirmation, CopyId, DatabaseSettings, Hand};

use super::several::{rows, spooled, spooled_report};
use super::*;
use crate::postgres::Server;
use crate::postgres::proxy::{Cut, Proxy};

/// A store behind a proxy.
async fn behind_a_proxy() -> (TempDir, Proxy, Store) {
    let dir = TempDir::new().expect("temporary directory");
    let direct = Server::shared().database(dir.path());
    let proxy = Proxy::start(Server::shared());
    let database = DatabaseSettings { url: proxy.url(&direct.url), ..direct };
    let store = Store::open_on(&dir.path().join("data"), Some(&database)).await.expect("opens");
    (dir, proxy, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_taken_or_not_as_the_server_says_though_its_answer_is_lost() {
    // I2, M-54
    for (cut, is_taken) in [(Cut::Before, false), (Cut::After, true)] {
        let (dir, proxy, store) = behind_a_proxy().await;
        store.spool(&[spooled(1, 1)]).await.expect("is taken");
        proxy.cut_next_commit(cut);
        assert_eq!(store.spool(&[spooled(2, 2)]).await.is_ok(), is_taken, "{cut:?}");
        assert_eq!(proxy.cuts(), 1, "{cut:?}: the test meets what it is about");
        assert_eq!(rows(dir.path(), "copy"), if is_taken { 3 } else { 1 }, "{cut:?}");
        store.spool(&[spooled(3, 1)]).await.expect("is taken on a new connection");
        assert_eq!(rows(dir.path(), "copy"), if is_taken { 4 } else { 2 }, "{cut:?}");
        assert_eq!(store.spool_size().messages, if is_taken { 3 } else { 2 }, "{cut:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_can_tell_what_became_of_a_mail_its_client_is_not_answered_and_others_are() {
    // I2: a 451 would be a lie if the server has it, a 250 if it has not
    let (dir, proxy, store) = behind_a_proxy().await;
    store.spool(&[spooled(1, 1)]).await.expect("is taken");
    proxy.cut_next_commit(Cut::AfterAndStayAway);
    let client = tokio::spawn({
        let store = store.clone();
        async move { store.spool(&[spooled(2, 1)]).await }
    });
    proxy.wait_for_refusals(3).await;
    assert!(!client.is_finished(), "it waits");
    assert!(store.spool(&[spooled(3, 1)]).await.is_err(), "of this one nothing was begun");
    proxy.let_in();
    client.await.expect("ends").expect("the server had it");
    assert_eq!(rows(dir.path(), "copy"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_made_once_though_the_answer_to_its_commit_is_lost() {
    let (dir, proxy, store) = behind_a_proxy().await;
    store.spool(&[spooled(1, 1)]).await.expect("is taken");
    proxy.cut_next_commit(Cut::After);
    let id = CopyId { message: spooled(1, 1).id, number: 0 };
    assert!(store.spool_settled(id, &[spooled_report()], Hand::Gateway).await.expect("settles"));
    assert!(!store.spool_settled(id, &[spooled_report()], Hand::Gateway).await.expect("is gone"), "said again, it changes nothing");
    assert_eq!((rows(dir.path(), "message"), proxy.cuts()), (1, 1), "the report alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_presses_again_after_a_lost_answer_gets_what_they_wanted_once() {
    // I3, I5, L-DOI-03
    let (_dir, proxy, store) = behind_a_proxy().await;
    for (n, cut, again) in [(1, Cut::Before, Confirmation::Done), (2, Cut::After, Confirmation::Repeated)] {
        let who = format!("a{n}@x.example");
        request(&store, &who, "news", n, start()).await;
        proxy.cut_next_commit(cut);
        store.confirm(&token(&store, n), start(), confirmation()).await.expect_err("nobody knows");
        assert_eq!(confirm(&store, n, start()).await, again, "{cut:?}");
        let subject = subject(&store, &who).await;
        assert_eq!(meets(&store, &who, "news").await, "given");

        let withdrawal = || NewWithdrawal {
            subject,
            controller: "acme".into(),
            stop: Stop::Topics(topics("news")),
            source: Source::OneClick,
            at: start(),
            evidence: ChoiceEvidence::default(),
        };
        proxy.cut_next_commit(cut);
        store.withdraw(withdrawal()).await.expect_err("nobody knows");
        let again = if matches!(cut, Cut::After) { WithdrawAnswer::Repeated } else { WithdrawAnswer::Done };
        assert_eq!(store.withdraw(withdrawal()).await.expect("withdraws"), again, "{cut:?}");
        assert_eq!(meets(&store, &who, "news").await, "suppressed");
        let kinds: Vec<EventKind> = store.timeline(subject).await.expect("reads").iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Requested, EventKind::Given, EventKind::Withdrawn], "{cut:?}");
    }
    assert_eq!(proxy.cuts(), 4);
}
