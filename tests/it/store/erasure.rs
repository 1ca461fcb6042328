//! Erasure on a person's wish: what goes, what stays, and that nobody writes again.

use consentry::consent::{Channel, EventKind, Evidence, Fact};
use consentry::mail::Outcome;
use consentry::store::{AccessLink, Confirmation, Erasure, EvidenceFate, NewAccess, NewErasure, NewFact, TellAnswer, Told};

use super::disk::assert_none_readable;
use super::*;

const WHO: &str = "Olivia.Carter@mail.example.org";

pub(super) async fn erase(store: &Store, subject: SubjectId, controller: &str, at: Timestamp) -> Erasure {
    let evidence = ChoiceEvidence { staff: Some("mia".into()), note: Some(format!("{WHO} wrote a letter")), ..ChoiceEvidence::default() };
    let erasure = NewErasure { subject, controller: controller.into(), source: Source::Staff, at, evidence, line: None };
    store.erase_person(erasure).await.expect("erases").expect("is known")
}

fn told(store: &Store, told: Told) -> NewFact {
    NewFact {
        key: key(store, WHO),
        controller: "acme".into(),
        told,
        fact: Fact { own_address: true, ..Fact::default() },
        notice: None,
        source: Source::System,
        at: start() + hours(50),
        evidence: ChoiceEvidence::default(),
        once: None,
        line: None,
    }
}

fn access(store: &Store, subject: SubjectId, n: u32) -> NewAccess {
    NewAccess {
        subject,
        controller: "acme".into(),
        topic: topic("news"),
        decision: DecisionId([5; 16]),
        token: token(store, n),
        at: start() + hours(2),
        to: address(WHO),
        reverse_path: ReversePath::Null,
        message_id: format!("<{n}@consentry.example>"),
        mail: format!("To: {WHO}\r\n\r\nyour link\r\n"),
    }
}

/// Confirmed for `news`, asked for `offers`, written to, and answered by an MTA that repeats the address.
async fn olivia(store: &Store) -> SubjectId {
    request(store, WHO, "news", 1, start()).await;
    let mail = store.due_letters(start(), 1).await.expect("reads").remove(0);
    store.letter_done(mail.id, start(), &Outcome::Accept { text: format!("queued for {WHO}") }).await.expect("is recorded");
    confirm(store, 1, start() + hours(1)).await;
    let subject = subject(store, WHO).await;
    request(store, WHO, "offers", 2, start() + hours(25)).await;
    assert!(store.request_access(access(store, subject, 3)).await.expect("asks"));
    let decided = decision(store, WHO, 1);
    store.record(decided.clone(), Some(format!("<https://tool.example/u?{WHO}>"))).await.expect("records");
    store.settle(decided.id, start(), &Outcome::Reject { code: 550, text: format!("<{WHO}>: unknown to mx") });
    let other = Decision { controller: "other".into(), ..decision(store, WHO, 2) };
    store.record(other, Some("<https://other.example/u?7>".into())).await.expect("records");
    subject
}

#[tokio::test]
async fn after_erasure_nothing_of_contact_data_is_left_and_nobody_writes_again() {
    // L-DSR-02, L-OBJ-07, S1-06, S3-03, E-09, GDPR Art. 17
    let (dir, store) = new_store().await;
    let subject = olivia(&store).await;
    let at = start() + hours(30);
    assert_eq!(erase(&store, subject, "acme", at).await, Erasure { at, contact_gone: true, evidence: EvidenceFate::KeptAsProof });

    assert_eq!(store.address(subject).await.expect("reads"), None);
    assert!(store.due_letters(at + hours(99), 10).await.expect("reads").is_empty(), "no mail waits");
    assert_eq!(store.access_link(&token(&store, 3)).await.expect("reads"), None::<AccessLink>);
    assert_eq!(store.tool_unsubscribe(decision(&store, WHO, 1).id).await.expect("reads"), None);
    let others = store.tool_unsubscribe(decision(&store, WHO, 2).id).await.expect("reads");
    assert!(others.is_some(), "that of another controller stays");
    assert_eq!(confirm(&store, 2, at).await, Confirmation::Unknown, "what waited cannot be confirmed any more");
    assert_eq!(data_keys(dir.path()).await, (0, 1), "the contact key is gone, the evidence of the consent is not");
    assert_none_readable(dir.path());

    // Evidence stays for claims (GDPR Art. 17(3)(e)), and the ledger tells what was done in order.
    let events = store.events(subject).await.expect("reads");
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).skip(4).collect();
    assert_eq!(kinds, [EventKind::Objected, EventKind::Erased]);
    assert!(matches!(&events[2].evidence, Some(Evidence::Confirmation(_))));

    // The MTA's words stay for good, and have no address (L-DSR-02).
    let (id, text): (Vec<u8>, Vec<u8>) = one(dir.path(), "SELECT decision, text FROM outcome").await;
    let said = store.keyring().ledger_key().open(&[b"outcome\0", &id[..]].concat(), &text).expect("opens");
    assert_eq!(said.as_slice(), b"<(address)>: unknown to mx");

    // Whoever tells of the person anew changes nothing: a list, a purchase.
    for again in [Told::Imported(Channel::Email, topics("news")), Told::Purchase(topics("news"))] {
        assert_eq!(store.tell(told(&store, again)).await.expect("tells"), TellAnswer::Done);
        assert_eq!(meets(&store, WHO, "news").await, "suppressed");
    }
    assert_eq!(meets(&store, "somebody.else@mail.example.org", "news").await, "none");

    // Only the person does: by a new sign-up, with a new contact key.
    assert_eq!(request(&store, WHO, "news", 9, at + hours(1)).await, RequestAnswer::Committed);
    assert_eq!(meets(&store, WHO, "news").await, "suppressed");
    assert_eq!(confirm(&store, 9, at + hours(2)).await, Confirmation::Done);
    assert_eq!((meets(&store, WHO, "news").await, store.address(subject).await.expect("reads")), ("given", Some(address(WHO))));
}

#[tokio::test]
async fn without_a_consent_to_prove_the_evidence_goes_too() {
    // L-DSR-02
    let (dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    let at = start() + hours(1);
    assert_eq!(erase(&store, subject, "acme", at).await, Erasure { at, contact_gone: true, evidence: EvidenceFate::Destroyed });
    assert_eq!(data_keys(dir.path()).await, (0, 0));
    let events = store.events(subject).await.expect("reads");
    let told: Vec<(EventKind, bool)> = events.iter().map(|event| (event.kind, event.evidence.is_some())).collect();
    assert_eq!(told, [(EventKind::Requested, false), (EventKind::Objected, false), (EventKind::Erased, false)]);
    assert_eq!(meets(&store, WHO, "news").await, "suppressed");

    // Somebody who was only decided about.
    store.record(decision(&store, "only.decided@mail.example.org", 7), None).await.expect("records");
    let (decided, _) = standing(&store, "only.decided@mail.example.org").await.expect("has a row");
    assert_eq!(erase(&store, decided, "acme", at).await.evidence, EvidenceFate::Destroyed);
    assert_eq!(meets(&store, "only.decided@mail.example.org", "news").await, "suppressed");
    assert_none_readable(dir.path());

    // It can be done again, and objects once.
    erase(&store, subject, "acme", at + hours(1)).await;
    let again: Vec<EventKind> = store.timeline(subject).await.expect("reads").iter().map(|event| event.kind).skip(2).collect();
    assert_eq!(again, [EventKind::Erased, EventKind::Erased]);
    let nobody = NewErasure {
        subject: SubjectId([9; 16]),
        controller: "acme".into(),
        source: Source::Staff,
        at,
        evidence: ChoiceEvidence::default(),
        line: None,
    };
    assert_eq!(store.erase_person(nobody).await.expect("answers"), None);
}

#[tokio::test]
async fn what_another_controller_has_stays_until_it_erases_too() {
    // S0-09, L-DSR-02
    let (dir, store) = new_store().await;
    for (n, controller) in [(1, "acme"), (2, "other")] {
        let asked = NewOptIn { controller: controller.into(), ..sign_up(&store, WHO, "news", n, start()) };
        assert_eq!(store.request(asked).await.expect("requests"), RequestAnswer::Committed);
    }
    let subject = subject(&store, WHO).await;
    let first = erase(&store, subject, "acme", start() + hours(1)).await;
    assert_eq!((first.contact_gone, first.evidence), (false, EvidenceFate::KeptForOthers));
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(WHO)));
    assert_eq!(store.due_letters(start() + hours(1), 10).await.expect("reads").len(), 1, "the other's mail still waits");
    assert_eq!(data_keys(dir.path()).await, (1, 1));
    assert_eq!(confirm(&store, 2, start() + hours(2)).await, Confirmation::Done, "and can be answered");
    let last = erase(&store, subject, "other", start() + hours(3)).await;
    assert_eq!((last.contact_gone, last.evidence), (true, EvidenceFate::KeptAsProof));
    assert_eq!(data_keys(dir.path()).await, (0, 1));
}

#[tokio::test]
async fn a_crash_after_the_keys_and_before_the_commit_leaves_nothing_readable_and_is_finished_later() {
    // E-09
    let (dir, store) = new_store().await;
    let subject = olivia(&store).await;
    // What is durable at that moment: the key is gone, the rows are there.
    run_on_keys(dir.path(), "UPDATE subject_key SET contact = NULL").await;
    assert_eq!(store.address(subject).await.expect("reads"), None);
    assert!(store.due_letters(start() + hours(99), 10).await.expect("reads").is_empty());

    // The person may sign up meanwhile: what cannot be read does not stand in the way.
    assert_eq!(request(&store, WHO, "other", 4, start() + hours(60)).await, RequestAnswer::Committed);
    assert_eq!(store.address(subject).await.expect("reads"), Some(address(WHO)));

    let done = erase(&store, subject, "acme", start() + hours(61)).await;
    assert!(done.contact_gone);
    assert_eq!(count(dir.path(), "SELECT (SELECT count(*) FROM letter) + (SELECT count(*) FROM subject)").await, 0);
    assert_eq!(data_keys(dir.path()).await, (0, 1));
}

#[tokio::test]
async fn erasure_and_confirmation_at_the_same_time_end_in_a_no() {
    // I3, L-DSR-02
    let (_dir, store) = new_store().await;
    for n in 0..40u32 {
        let who = format!("racer{n}@mail.example.org");
        request(&store, &who, "news", n, start()).await;
        let subject = subject(&store, &who).await;
        let at = start() + hours(1);
        let (confirmed, erased) = match n % 2 {
            0 => tokio::join!(confirm(&store, n, at), erase(&store, subject, "acme", at)),
            _ => {
                let (erased, confirmed) = tokio::join!(erase(&store, subject, "acme", at), confirm(&store, n, at));
                (confirmed, erased)
            }
        };
        let proves = confirmed == Confirmation::Done;
        assert_eq!(erased.evidence == EvidenceFate::KeptAsProof, proves, "{confirmed:?}");
        assert_eq!(meets(&store, &who, "news").await, "suppressed");
        assert_eq!(store.address(subject).await.expect("reads"), None);
    }
}
