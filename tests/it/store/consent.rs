//! The life of a double opt-in in the ledger.

use consentry::consent::{EventKind, Evidence, Language, Stage};
use consentry::mail::{Body, Outcome, ReversePath};
use consentry::store::{Confirmation, RequestAnswer, Scope, StoreError, WithdrawAnswer};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use std::future::ready;

use consentry::relay::{Relay, RelaySettings};
use consentry::spooler;

use super::*;
use crate::fake_mta::{FakeMta, Script};

const WHO: &str = "Olivia.Carter@mail.example.org";

#[tokio::test]
async fn a_double_opt_in_lives_from_request_to_withdrawal_and_back() {
    let (_dir, store) = new_store().await;
    assert_eq!(meets(&store, WHO, "news").await, "none");

    assert_eq!(request(&store, WHO, "news", 1, start()).await, RequestAnswer::Committed);
    assert_eq!(meets(&store, WHO, "news").await, "requested");

    let due = store.due_letters(start(), 10).await.expect("reads");
    let [mail] = &due[..] else { panic!("one mail is due") };
    assert_eq!(mail.envelope.recipient.address, address(WHO));
    assert_eq!(mail.envelope.sender.reverse_path, ReversePath::Mailbox(address("bounces@acme.example")));
    assert_eq!((mail.envelope.sender.body, mail.envelope.sender.smtputf8, mail.attempts), (Body::SevenBit, false, 0));
    assert!(mail.message.starts_with(b"From: newsletter@acme.example\r\n"));
    store.letter_done(mail.id, start(), &Outcome::Accept { text: "2.0.0 queued as 4X".into() }).await.expect("is recorded");
    assert!(store.due_letters(start(), 10).await.expect("reads").is_empty());

    assert_eq!(confirm(&store, 1, start() + hours(1)).await, Confirmation::Done);
    assert_eq!(meets(&store, WHO, "news").await, "given");
    assert_eq!(meets(&store, "olivia.carter@MAIL.example.org", "news.weekly").await, "given");

    let subject = subject(&store, WHO).await;
    assert_eq!(withdraw(&store, subject, "news", start() + hours(2)).await, WithdrawAnswer::Done);
    assert_eq!(meets(&store, WHO, "news").await, "suppressed");
    assert_eq!(withdraw(&store, subject, "news", start() + hours(3)).await, WithdrawAnswer::Repeated);

    assert_eq!(request(&store, WHO, "news", 2, start() + hours(30)).await, RequestAnswer::Committed);
    assert_eq!(meets(&store, WHO, "news").await, "suppressed", "asking is not consenting");
    assert_eq!(confirm(&store, 2, start() + hours(31)).await, Confirmation::Done);
    assert_eq!(meets(&store, WHO, "news").await, "given");

    let kinds: Vec<EventKind> = store.events(subject).await.expect("reads").iter().map(|event| event.kind).collect();
    use EventKind::{DoiMailSent, Given, Requested, Withdrawn};
    assert_eq!(kinds, [Requested, DoiMailSent, Given, Withdrawn, Requested, Given]);
}

#[tokio::test]
async fn a_strangers_spelling_counts_only_when_its_mailbox_answers() {
    // S0-15: one key for all spellings, and mail goes to the one that was proven
    let (_dir, store) = new_store().await;
    let other = "OLIVIA.CARTER@mail.example.org";
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(WHO)));
    assert_eq!(request(&store, other, "news", 2, start() + hours(25)).await, RequestAnswer::Committed);
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(WHO)), "nobody has proven to read it");
    confirm(&store, 1, start() + hours(26)).await;
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(WHO)));
    confirm(&store, 2, start() + hours(27)).await;
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(other)));
    assert_eq!(confirm(&store, 1, start() + hours(28)).await, Confirmation::Repeated);
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(other)));
}

#[tokio::test]
async fn what_was_stopped_by_mistake_can_be_taken_back_on_the_day_of_the_sign_up() {
    // L-DOI-05
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    confirm(&store, 1, start() + hours(1)).await;
    let undo = async |n: u32, after: i64| {
        let asked = consentry::store::NewOptIn {
            source: consentry::consent::Source::Page,
            ..sign_up(&store, WHO, "news", n, start() + SignedDuration::from_mins(after))
        };
        store.request(asked).await.expect("requests") == RequestAnswer::Committed
    };
    for (n, after, sent) in [(2, 70, true), (3, 129, false), (4, 130, true), (5, 200, true), (6, 24 * 60, false)] {
        assert_eq!(undo(n, after).await, sent, "{after} minutes");
    }
    assert_eq!(request(&store, WHO, "news", 7, start() + hours(25)).await, RequestAnswer::TooSoon, "all mails count for a form");
}

#[tokio::test]
async fn every_event_has_its_evidence() {
    //
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news shop", 1, start()).await;
    let asked = sign_up(&store, WHO, "news shop", 1, start()).evidence;
    let mail = store.due_letters(start(), 1).await.expect("reads").remove(0);
    store.letter_done(mail.id, start() + hours(1), &Outcome::Accept { text: "2.0.0 Ok".into() }).await.expect("is recorded");
    confirm(&store, 1, start() + hours(2)).await;
    let subject = subject(&store, WHO).await;
    withdraw(&store, subject, "", start() + hours(3)).await;

    let events = store.events(subject).await.expect("reads");
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let Some(Evidence::Request(kept)) = &events[0].evidence else { panic!("no evidence of the request") };
    let version: String = Sha256::digest(asked.consent_text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(**kept == consentry::consent::RequestEvidence { text_version: version, ..asked });
    let Some(Evidence::Mail(sent)) = &events[1].evidence else { panic!("no evidence of the mail") };
    assert_eq!((sent.message_id.as_str(), sent.reply.as_str()), ("<1@consentry.example>", "250 2.0.0 Ok"));
    let yes = confirmation();
    let page_version = Sha256::digest(yes.page.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(events[2].evidence == Some(Evidence::Confirmation(consentry::consent::ConfirmationEvidence { page_version, ..yes })));
    assert_eq!((events[2].answers, &events[2].topics), (Some(1), &topics("news shop")));
    let Some(Evidence::Choice(objection)) = &events[3].evidence else { panic!("no evidence of the objection") };
    assert_eq!((objection.ip.as_deref(), events[3].kind), (Some("192.0.2.79"), EventKind::Objected));
    let opt_in = events[0].opt_in;
    assert!(opt_in.is_some() && events[1].opt_in == opt_in && events[2].opt_in == opt_in);
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(WHO)));
}

#[tokio::test]
async fn a_mail_that_cannot_be_delivered_is_on_record() {
    // M-66
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let id = store.due_letters(start(), 10).await.expect("reads")[0].id;
    store.letter_later(id, start() + hours(1)).await.expect("is put off");
    assert!(store.due_letters(start(), 10).await.expect("reads").is_empty());
    assert_eq!(store.due_letters(start() + hours(1), 10).await.expect("reads")[0].attempts, 1);
    let outcome = Outcome::Reject { code: 550, text: "5.1.1 no such user".into() };
    for _ in 0..2 {
        store.letter_done(id, start() + hours(1), &outcome).await.expect("a second time changes nothing");
    }
    let events = store.events(subject(&store, WHO).await).await.expect("reads");
    assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Requested, EventKind::DoiBounced]);
    let Some(Evidence::Mail(mail)) = &events[1].evidence else { panic!("no evidence") };
    assert_eq!(mail.reply, "550 5.1.1 no such user");
}

#[tokio::test]
async fn nobody_is_bombed_with_confirmation_mails() {
    // L-DOI-05: one in 24 h, three in 30 days, per address and controller
    use RequestAnswer::{Committed, TooSoon};
    let (dir, store) = new_store().await;
    let second = SignedDuration::from_secs(1);
    for (n, after, expected) in [
        (1, hours(0), Committed),
        (2, hours(0), TooSoon),
        (3, hours(24) - second, TooSoon),
        (4, hours(24), Committed),
        (5, hours(48), Committed),
        (6, hours(96), TooSoon),
        (7, hours(30 * 24) - second, TooSoon),
        (8, hours(30 * 24), Committed),
        (9, hours(31 * 24) - second, TooSoon),
        (10, hours(31 * 24), Committed),
    ] {
        assert_eq!(request(&store, WHO, "news", n, start() + after).await, expected, "request {n}");
    }
    let mut other = sign_up(&store, WHO, "news", 11, start() + hours(1));
    other.controller = "other".into();
    assert_eq!(store.request(other).await.expect("requests"), Committed, "another controller");
    assert_eq!(request(&store, "somebody@mail.example.org", "news", 12, start()).await, Committed, "another address");
    // what was too soon left nothing: no event, no mail
    assert_eq!(count(dir.path(), "SELECT count(*) FROM event").await, 7);
    assert_eq!(count(dir.path(), "SELECT count(*) FROM letter").await, 7);
}

#[tokio::test]
async fn a_link_works_once_in_time_and_not_after_a_withdrawal() {
    // L-DOI-04, L-OBJ-05
    let (_dir, store) = new_store().await;
    let week = hours(7 * 24);
    assert_eq!(confirm(&store, 1, start()).await, Confirmation::Unknown);

    request(&store, "once@x.example", "news", 1, start()).await;
    let (opt_in, language) = store.opt_in(&token(&store, 1)).await.expect("reads").expect("is there");
    assert_eq!((opt_in.stage, language, opt_in.requested), (Stage::Pending, Language::DE, 1));
    assert_eq!(confirm(&store, 1, start() + week).await, Confirmation::Done);
    assert_eq!(confirm(&store, 1, start() + week + week).await, Confirmation::Repeated);
    assert_eq!(store.events(opt_in.subject).await.expect("reads").len(), 2);
    assert_eq!(store.opt_in(&token(&store, 1)).await.expect("reads").expect("is there").0.stage, Stage::Confirmed);

    request(&store, "late@x.example", "news", 2, start()).await;
    assert_eq!(confirm(&store, 2, start() + week + SignedDuration::from_secs(1)).await, Confirmation::Expired);
    assert_eq!(meets(&store, "late@x.example", "news").await, "requested");

    for (n, who, what, no) in
        [(3, "topic@x.example", "news", "news"), (4, "all@x.example", "news", ""), (5, "part@x.example", "news shop", "shop")]
    {
        request(&store, who, what, n, start()).await;
        withdraw(&store, subject(&store, who).await, no, start() + hours(1)).await;
        assert_eq!(confirm(&store, n, start() + hours(2)).await, Confirmation::Voided, "{who}");
        assert_ne!(meets(&store, who, "news").await, "given", "{who}");
    }
}

#[tokio::test]
async fn an_old_link_does_not_undo_what_came_after_it() {
    // L-OBJ-05: the younger request must not hide that the older one was withdrawn
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    withdraw(&store, subject, "news", start() + hours(1)).await;
    request(&store, WHO, "news", 2, start() + hours(25)).await;
    assert_eq!(confirm(&store, 1, start() + hours(26)).await, Confirmation::Voided);
    assert_eq!(meets(&store, WHO, "news").await, "suppressed");
    assert_eq!(confirm(&store, 2, start() + hours(27)).await, Confirmation::Done);
    assert_eq!(confirm(&store, 1, start() + hours(28)).await, Confirmation::Voided);
    assert_eq!(meets(&store, WHO, "news").await, "given");
}

#[tokio::test]
async fn a_suppression_goes_with_the_confirmation_that_answers_it_and_no_other() {
    // (withdrawn before the request; asked for; withdrawn after it; what mail about the fourth meets)
    for (before, asked, after, about, expected) in [
        ("news", "news", None, "news", "given"),
        ("news", "shop", None, "news", "suppressed"),
        ("news.weekly", "news", None, "news.weekly", "given"),
        ("news", "news.weekly", None, "news.weekly", "given"),
        ("news", "news.weekly", None, "news.daily", "withdrawn"),
        ("", "news", None, "news", "given"),
        ("", "news", None, "shop", "objected"),
        ("news", "news", Some("news.weekly"), "news.weekly", "suppressed"),
        ("news", "news", Some("news.weekly"), "news", "given"),
    ] {
        let (_dir, store) = new_store().await;
        store.record(decision(&store, WHO, 1), None).await.expect("makes the subject known");
        let subject = subject(&store, WHO).await;
        assert_eq!(withdraw(&store, subject, before, start()).await, WithdrawAnswer::Done);
        request(&store, WHO, asked, 1, start() + hours(1)).await;
        if let Some(after) = after {
            withdraw(&store, subject, after, start() + hours(2)).await;
        }
        assert_eq!(confirm(&store, 1, start() + hours(3)).await, Confirmation::Done);
        assert_eq!(meets(&store, WHO, about).await, expected, "{before:?} {asked:?} {after:?} {about}");
    }
}

#[tokio::test]
async fn a_younger_request_does_not_hide_that_a_suppression_is_younger_than_the_consent() {
    // L-OBJ-07: what was withdrawn after it was asked for stays suppressed, whatever else is asked for
    let (dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    assert_eq!(withdraw(&store, subject, "news.weekly", start() + hours(1)).await, WithdrawAnswer::Done);
    request(&store, WHO, "news.weekly", 2, start() + hours(25)).await;
    assert_eq!(confirm(&store, 1, start() + hours(26)).await, Confirmation::Done);
    assert_eq!(count(dir.path(), "SELECT count(*) FROM suppression WHERE topic = 'news.weekly'").await, 1);
    assert_eq!((meets(&store, WHO, "news").await, meets(&store, WHO, "news.weekly").await), ("given", "suppressed"));
    assert_eq!(confirm(&store, 2, start() + hours(27)).await, Confirmation::Done);
    assert_eq!(meets(&store, WHO, "news.weekly").await, "given");
}

#[tokio::test]
async fn saying_no_again_counts_while_something_was_asked_for_since() {
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    use WithdrawAnswer::{Done, Repeated, Unknown};
    assert_eq!(withdraw(&store, SubjectId([9; 16]), "news", start()).await, Unknown);
    for (what, expected) in
        [("news", Done), ("news", Repeated), ("news.weekly", Repeated), ("news shop", Done), ("", Done), ("", Repeated), ("shop", Repeated)]
    {
        assert_eq!(withdraw(&store, subject, what, start()).await, expected, "{what:?}");
    }
    // a request for a child must be voided by a parent's withdrawal, though the parent is withdrawn already
    request(&store, WHO, "news.weekly", 2, start() + hours(24)).await;
    assert_eq!(withdraw(&store, subject, "news", start() + hours(25)).await, Done);
    assert_eq!(confirm(&store, 2, start() + hours(26)).await, Confirmation::Voided);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_is_never_lost_to_a_confirmation_at_the_same_time() {
    let (_dir, store) = new_store().await;
    for n in 0..20 {
        let who = format!("race{n}@x.example");
        request(&store, &who, "news", n, start()).await;
        let subject = subject(&store, &who).await;
        let at = start() + hours(1);
        let (first, second) = (store.clone(), store.clone());
        let confirming = tokio::spawn(async move { confirm(&first, n, at).await });
        let withdrawing = tokio::spawn(async move { withdraw(&second, subject, "news", at).await });
        assert_eq!(withdrawing.await.expect("runs"), WithdrawAnswer::Done);
        assert!(matches!(confirming.await.expect("runs"), Confirmation::Done | Confirmation::Voided));
        assert_eq!(meets(&store, &who, "news").await, "suppressed");
        assert!(!matches!(standing(&store, &who).await.expect("is known").1.of("acme", &topic("news")), TopicStanding::Given(_)));
    }
}

#[tokio::test]
async fn the_projection_is_what_the_events_fold_to() {
    let (dir, store) = new_store().await;
    for (n, who) in ["a@x.example", "b@x.example", "c@x.example"].into_iter().enumerate() {
        let n = u32::try_from(n).expect("small");
        request(&store, who, "news shop.sale", n, start()).await;
        confirm(&store, n, start() + hours(1)).await;
    }
    withdraw(&store, subject(&store, "b@x.example").await, "shop", start() + hours(2)).await;
    withdraw(&store, subject(&store, "c@x.example").await, "", start() + hours(2)).await;
    store.record(decision(&store, "seen@x.example", 1), None).await.expect("records");

    let kept = projection(dir.path()).await;
    assert_eq!(store.rebuild_standing().await.expect("rebuilds"), 3);
    assert_eq!(projection(dir.path()).await, kept);
    run(dir.path(), "UPDATE standing SET seq = 99, state = 'damaged'").await.expect("damages");
    store.rebuild_standing().await.expect("rebuilds");
    assert_eq!(projection(dir.path()).await, kept);
}

async fn projection(dir: &Path) -> Vec<(Vec<u8>, Vec<u8>, i64, String)> {
    const ALL: &str = "SELECT key, subject, seq, state FROM standing ORDER BY key";
    match on_postgres() {
        true => sqlx::query_as(ALL).fetch_all(&mut crate::postgres::raw(dir).await).await.expect("reads"),
        false => sqlx::query_as(ALL).fetch_all(&mut file(dir, "ledger.sqlite").await).await.expect("reads"),
    }
}

#[tokio::test]
async fn tokens_are_known_by_their_secret_and_have_a_name_of_their_own() {
    let (_dir, store) = new_store().await;
    let (known, unknown) = (token(&store, 1), token(&store, 2));
    store.add_api_token("website", &[Scope::OptIn, Scope::Decisions], &known, start()).await.expect("adds");
    let found = store.api_token(&known).await.expect("reads").expect("is known");
    assert_eq!((found.name.as_str(), &found.scopes[..]), ("website", &[Scope::OptIn, Scope::Decisions][..]));
    assert_eq!(store.api_token(&unknown).await.expect("reads"), None);
    assert!(matches!(store.add_api_token("website", &[], &unknown, start()).await, Err(StoreError::NameTaken)));
}

#[tokio::test]
async fn who_waits_for_mail_is_told() {
    let (_dir, store) = new_store().await;
    let signal = store.letter_signal();
    request(&store, WHO, "news", 1, start()).await;
    signal.notified().await;
}

#[tokio::test]
async fn after_a_shutdown_no_delivery_begins() {
    let mta = FakeMta::start(Script::new()).await;
    let settings = RelaySettings::at(mta.address());
    let relay = Relay::new(&settings, "gate.example").expect("it needs no files");
    let (_dir, store) = new_store().await;
    for (n, who) in [(1, "olivia@example.org"), (2, "lukas@example.org")] {
        store.request(sign_up(&store, who, "news", n, start())).await.expect("spooled");
    }
    spooler::run_letters(store.clone(), relay.clone(), ready(())).await;
    assert_eq!((mta.received().len(), store.due_letters(start(), 9).await.expect("read").len()), (0, 2));
}
