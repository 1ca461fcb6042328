//! Several gateways on one ledger: what one is told, the others know. On PostgreSQL, whatever the other tests run on.

use consentry::consent::{EventKind, OptIn, TopicStanding};
use consentry::mail::{Hop, Lane, Recipient, Sender};
use consentry::store::{Confirmation, CopyId, CopyState, EvidenceFate, Hand, Judgement, NewCopy, NewSpooled, SpoolId};
use sqlx::Executor;

use super::erasure::erase;
use super::*;
use crate::postgres::Server;

/// Two gateways with the same key file.
pub(super) async fn two_gateways() -> (TempDir, [Store; 2]) {
    let dir = TempDir::new().expect("temporary directory");
    let database = Server::shared().database(dir.path());
    let first = Store::open_on(&dir.path().join("a"), Some(&database)).await.expect("opens");
    std::fs::create_dir(dir.path().join("b")).expect("makes");
    std::fs::copy(dir.path().join("a/keys"), dir.path().join("b/keys")).expect("copies");
    let second = Store::open_on(&dir.path().join("b"), Some(&database)).await.expect("opens");
    (dir, [first, second])
}

#[tokio::test]
async fn a_gateway_with_keys_of_its_own_is_refused() {
    let dir = TempDir::new().expect("temporary directory");
    let database = Server::shared().database(dir.path());
    Store::open_on(&dir.path().join("a"), Some(&database)).await.expect("opens").close().await;
    let refusal = Store::open_on(&dir.path().join("b"), Some(&database)).await.err().expect("is refused");
    assert!(matches!(refusal, StoreError::KeyFileLost(_)), "{refusal}");
}

// I3, DESIGN.md section 5.
#[tokio::test]
async fn a_withdrawal_at_one_gateway_acts_at_once_at_the_other() {
    let (_dir, [one, other]) = two_gateways().await;
    request(&one, "a@x.example", "news", 1, start()).await;
    assert_eq!(confirm(&other, 1, start()).await, Confirmation::Done);
    let (subject, standing) = other.standing(key(&other, "a@x.example")).await.expect("looks up").expect("is known");
    assert!(matches!(standing.of("acme", &topic("news")), TopicStanding::Given(_)));
    assert_eq!(withdraw(&one, subject, "news", start()).await, WithdrawAnswer::Done);
    let (_, standing) = other.standing(key(&other, "a@x.example")).await.expect("looks up").expect("is known");
    assert!(matches!(standing.of("acme", &topic("news")), TopicStanding::Withdrawn(_)));
}

// I3: whichever comes first, the no is in the ledger, and nothing stands after it.
#[tokio::test(flavor = "multi_thread")]
async fn no_withdrawal_is_lost_in_a_race_with_a_confirmation() {
    let (_dir, [one, other]) = two_gateways().await;
    for n in 0..crate::environment::long_or(60u32, 10_000) {
        let who = format!("a{n}@x.example");
        request(&one, &who, "news", n, start()).await;
        let (subject, _) = one.standing(key(&one, &who)).await.expect("looks up").expect("is known");
        let (_, confirmed) = tokio::join!(withdraw(&one, subject, "news", start()), confirm(&other, n, start()));
        let (_, standing) = other.standing(key(&other, &who)).await.expect("looks up").expect("is known");
        assert!(!matches!(standing.of("acme", &topic("news")), TopicStanding::Given(_)), "{n}: {confirmed:?}");
        let events = one.events(subject).await.expect("reads");
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::Withdrawn).count(), 1, "{n}");
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=events.len() as u64).collect::<Vec<_>>());
    }
}

// I3, L-DSR-02: whichever comes first, nobody writes to the person, and nobody waits for the other for ever.
#[tokio::test(flavor = "multi_thread")]
async fn erasure_at_one_gateway_and_confirmation_at_the_other_end_in_a_no() {
    let (_dir, [one, other]) = two_gateways().await;
    for n in 0..crate::environment::long_or(40u32, 1_000) {
        let who = format!("a{n}@x.example");
        request(&one, &who, "news", n, start()).await;
        let subject = subject(&one, &who).await;
        let (erased, confirmed) = tokio::join!(erase(&one, subject, "acme", start()), confirm(&other, n, start()));
        let proves = confirmed == Confirmation::Done;
        assert_eq!(erased.evidence == EvidenceFate::KeptAsProof, proves, "{n}: {confirmed:?}");
        assert_eq!(meets(&other, &who, "news").await, "suppressed", "{n}");
        assert_eq!(other.address(subject).await.expect("reads"), None, "{n}");
    }
}

// L-DOI-04: who signs up again while the old sign-up is erased can be read, wholly.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_at_one_gateway_survives_the_retention_of_the_other() {
    let (_dir, [one, other]) = two_gateways().await;
    let late = start() + OptIn::KEPT + hours(1);
    for n in 0..crate::environment::long_or(40u32, 120) {
        let who = format!("a{n}@x.example");
        request(&one, &who, "news", n, start()).await;
        let (_, signed_up) = tokio::join!(one.erase_unconfirmed(late - OptIn::KEPT, late), request(&other, &who, "news", 255 - n, late));
        assert_eq!(signed_up, RequestAnswer::Committed);
        let subject = subject(&one, &who).await;
        assert_eq!(one.address(subject).await.expect("reads"), Some(address(&who)), "{n}");
        assert_eq!(confirm(&one, 255 - n, late).await, Confirmation::Done, "{n}");
    }
}

// What a dead gateway took is delivered by the others, what a living one took by nobody else.
#[tokio::test]
async fn mail_that_waits_belongs_to_one_gateway_as_long_as_it_lives() {
    let (dir, [one, other]) = two_gateways().await;
    let message = spooled(7, 1);
    one.spool(std::slice::from_ref(&message)).await.expect("is taken");
    let due = async |store: &Store| store.spool_due(Lane::Bulk, start(), 10).await.expect("reads").len();
    assert_eq!((due(&one).await, due(&other).await), (1, 0));
    assert_eq!(due(&one).await, 1, "it stays due until told otherwise");
    // as the clock does when the gateway is not heard of
    postgres::raw(dir.path()).await.execute("UPDATE consentry_spool.copy SET lease_until = 0").await.expect("lapses");
    assert_eq!((due(&other).await, due(&one).await), (1, 0));
    let spooled = other.spooled(message.id).await.expect("reads").expect("is there");
    assert_eq!(spooled.original, message.original);

    // the one that was not heard of comes back: the other one's word counts
    let id = CopyId { message: message.id, number: 0 };
    assert!(one.spool_copy_to_try(id).await.expect("reads").is_none(), "it is not tried here any more");
    let copy = other.spool_copy_to_try(id).await.expect("reads").expect("is its own");
    one.spool_changed(&consentry::store::SpooledCopy { attempts: 9, ..copy.clone() }, copy.state, Hand::Gateway).await.expect("is heard");
    assert!(!one.spool_settled(id, &[spooled_report()], Hand::Gateway).await.expect("is heard"), "and does nothing");
    assert_eq!(other.spool_copy(id).await.expect("reads").expect("is there").attempts, copy.attempts);
    assert!(other.spool_settled(id, &[], Hand::Gateway).await.expect("settles"));
    assert_eq!(rows(dir.path(), "message"), 0, "nor did it report");
}

// I2: who waits for whom is the same everywhere, so nobody is refused for it.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_and_commands_that_change_the_same_copies_in_any_order_are_never_refused() {
    let (_dir, [one, other]) = two_gateways().await;
    for n in 0..40 {
        one.spool(&[spooled(n, 3)]).await.expect("is taken");
    }
    let copies: Vec<CopyId> = one.spool_copies(u32::MAX).await.expect("reads").iter().map(|copy| copy.id).collect();
    let reversed: Vec<CopyId> = copies.iter().rev().copied().collect();
    for _ in 0..crate::environment::long_or(15, 200) {
        let (taken, _) = tokio::join!(
            async {
                tokio::try_join!(
                    one.spool_judge(&copies, Judgement::Retry(start())),
                    other.spool_judge(&reversed, Judgement::Retry(start()))
                )
            },
            async {
                (
                    one.spool_due(Lane::Bulk, start(), 50).await.expect("reads"),
                    other.spool_due(Lane::Bulk, start(), 50).await.expect("reads"),
                )
            },
        );
        taken.expect("both are heard");
    }
}

// E-10: what was delivered does not stay, whoever delivered the last two copies of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_with_its_last_copy_though_two_gateways_end_the_last_two() {
    let (dir, [one, other]) = two_gateways().await;
    for n in 0..crate::environment::long_or(30, 200) {
        let message = spooled(n, 2);
        one.spool(std::slice::from_ref(&message)).await.expect("is taken");
        let [first, second] = [0, 1].map(|number| CopyId { message: message.id, number });
        let (first, second) = tokio::join!(one.spool_settled(first, &[], Hand::Operator), other.spool_settled(second, &[], Hand::Operator));
        assert!(first.expect("settles") && second.expect("settles"));
        assert!(one.spooled(message.id).await.expect("reads").is_none(), "{n}");
    }
    assert_eq!(rows(dir.path(), "copy"), 0);
}

/// A message with so many copies that are due.
pub(super) fn spooled(n: u8, copies: u8) -> NewSpooled {
    let copy = |copy: u8| NewCopy {
        recipient: Recipient::new(address(&format!("a{copy}@x.example"))),
        lane: Lane::Bulk,
        state: CopyState::Waiting,
        next_at: start(),
        attempts: 1,
        ground: None,
        fingerprint: None,
        last: None,
    };
    NewSpooled {
        id: SpoolId::new(start(), [n; 10]),
        stream: "news".into(),
        sender: Sender::new(ReversePath::Null),
        hop: Hop { helo: "tool.example".into(), lmtp: false, tls: false, authenticated: true },
        queued_at: start(),
        original: b"Subject: hello\r\n\r\nhello\r\n".to_vec(),
        copies: (0..copies).map(copy).collect(),
    }
}

/// What is said of a copy at its end.
pub(super) fn spooled_report() -> NewSpooled {
    NewSpooled { id: SpoolId::new(start(), [200; 10]), stream: String::new(), ..spooled(200, 1) }
}

// I4: a restart of the server costs an error at most, never a wrong answer, and no restart of the gateway.
#[tokio::test]
async fn connections_that_the_server_cut_are_made_anew() {
    let (dir, [one, _other]) = two_gateways().await;
    request(&one, "a@x.example", "news", 1, start()).await;
    confirm(&one, 1, start()).await;
    let subject = subject(&one, "a@x.example").await;
    const CUT: &str =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    postgres::raw(dir.path()).await.execute(CUT).await.expect("cuts");
    assert!(one.standing(key(&one, "a@x.example")).await.is_err(), "an idle connection is found out by its next use");
    assert!(one.standing(key(&one, "a@x.example")).await.expect("looks up").is_some());
    assert_eq!(meets(&one, "a@x.example", "news").await, "given");
    postgres::raw(dir.path()).await.execute(CUT).await.expect("cuts");
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(one.standing_of(subject).await.is_ok());
    }
    assert!(answers.ends_with(&[true; 2]), "{answers:?}");
}

/// Rows of a table of the spool, past the store.
pub(super) fn rows(dir: &Path, table: &str) -> u32 {
    postgres::ask(dir, &format!("SELECT count(*) FROM consentry_spool.{table}")).parse().expect("a number")
}
