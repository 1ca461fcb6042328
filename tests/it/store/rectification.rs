//! Rectification of an address: consent does not move, every no does, and the old mailbox is left alone.

use consentry::consent::{Channel, EventKind};
use consentry::store::{Confirmation, EvidenceFate, NewFact, NewRectification, Rectification, Told};

use super::disk::assert_none_readable;
use super::*;

const WHO: &str = "Olivia.Carter@mail.example.org";
const RIGHT: &str = "olivia.cartwright@mail.example.org";

async fn rectify(store: &Store, subject: SubjectId, right: &str, at: Timestamp) -> Rectification {
    let rectification = NewRectification {
        subject,
        controller: "acme".into(),
        key: key(store, right),
        address: address(right),
        source: Source::Staff,
        at,
        evidence: ChoiceEvidence { staff: Some("mia".into()), note: Some("misspelled".into()), ..ChoiceEvidence::default() },
        line: None,
    };
    store.rectify(rectification).await.expect("rectifies").expect("is known")
}

#[tokio::test]
async fn consent_stays_with_the_mailbox_that_gave_it_and_the_old_one_gets_nothing_more() {
    // GDPR Art. 16, I5, L-OBJ-07
    let (dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    confirm(&store, 1, start() + hours(1)).await;
    request(&store, WHO, "offers", 2, start() + hours(25)).await;
    let subject = subject(&store, WHO).await;
    let at = start() + hours(30);
    let done = rectify(&store, subject, RIGHT, at).await;
    assert_eq!(done, Rectification::Mailbox { contact_gone: true, evidence: EvidenceFate::KeptAsProof, noes: 0 });

    assert_eq!(meets(&store, WHO, "news").await, "suppressed", "it may be a stranger's");
    assert_eq!(meets(&store, RIGHT, "news").await, "none", "nobody can consent for somebody else");
    assert_eq!(store.address(subject).await.expect("reads"), None);
    assert_eq!(confirm(&store, 2, at).await, Confirmation::Unknown, "what waited cannot be confirmed any more");
    assert!(store.due_letters(at + hours(99), 10).await.expect("reads").is_empty(), "no mail waits");
    assert_eq!(data_keys(dir.path()).await, (1, 2), "of the new mailbox there is a key and no address");
    assert_eq!(count(dir.path(), "SELECT count(*) FROM subject").await, 0);
    assert_none_readable(dir.path());
    let last = store.events(subject).await.expect("reads").pop().expect("is there");
    assert!(last.kind == EventKind::Rectified && last.evidence.is_some());

    // The person signs up with the right one. Whoever has the old mailbox may do so, too.
    for (who, n) in [(RIGHT, 3), (WHO, 4)] {
        assert_eq!(request(&store, who, "news", n, at + hours(1)).await, RequestAnswer::Committed);
        assert_ne!(meets(&store, who, "news").await, "given");
        assert_eq!(confirm(&store, n, at + hours(2)).await, Confirmation::Done);
        assert_eq!(meets(&store, who, "news").await, "given");
    }
    assert_eq!(meets(&store, WHO, "offers").await, "objected", "what the person before had asked for is none of theirs");
}

#[tokio::test]
async fn every_no_holds_for_both_mailboxes_and_what_was_answered_by_a_later_yes_does_not() {
    // GDPR Art. 16, 18, 21(3), L-OBJ-07, S0-09
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    confirm(&store, 1, start() + hours(1)).await;
    let subject = subject(&store, WHO).await;
    withdraw(&store, subject, "news", start() + hours(2)).await;
    let tell = |told, at| NewFact {
        key: key(&store, WHO),
        controller: "acme".into(),
        told,
        fact: Default::default(),
        notice: None,
        source: Source::System,
        at,
        evidence: ChoiceEvidence::default(),
        once: None,
        line: None,
    };
    let calls = Stop::Elsewhere { channel: Channel::Phone, topics: vec![] };
    for told in
        [Told::Restricted, Told::Stop(calls), Told::Stop(Stop::Complaint), Told::Stop(Stop::Tracking), Told::Purchase(topics("news"))]
    {
        store.tell(tell(told, start() + hours(3))).await.expect("tells");
    }
    let done = rectify(&store, subject, RIGHT, start() + hours(4)).await;
    assert!(matches!(done, Rectification::Mailbox { noes, .. } if noes >= 4), "{done:?}");
    let (new, said) = standing(&store, RIGHT).await.expect("is known");
    let kinds: Vec<(EventKind, Channel)> =
        store.timeline(new).await.expect("reads").iter().map(|event| (event.kind, event.channel)).collect();
    for kind in [
        (EventKind::Complaint, Channel::Email),
        (EventKind::Withdrawn, Channel::Email),
        (EventKind::Withdrawn, Channel::Tracking),
        (EventKind::Objected, Channel::Phone),
        (EventKind::Restricted, Channel::Email),
    ] {
        assert!(kinds.contains(&kind), "{kind:?} in {kinds:?}");
    }
    assert!(!kinds.iter().any(|(kind, _)| *kind == EventKind::Purchase), "being a customer does not move either");
    assert!(said.restricted("acme").is_some() && said.stop("acme", &topic("other")).is_some());
    for who in [WHO, RIGHT] {
        assert_eq!(meets(&store, who, "news").await, "suppressed", "{who}");
    }

    // An objection that a later sign-up answered stands no more, here or there.
    let other = "vera@mail.example.org";
    request(&store, other, "news", 5, start()).await;
    let vera = subject_of(&store, other).await;
    withdraw(&store, vera, "", start() + hours(1)).await;
    request(&store, other, "news", 6, start() + hours(26)).await;
    confirm(&store, 6, start() + hours(27)).await;
    let done = rectify(&store, vera, "vera2@mail.example.org", start() + hours(28)).await;
    assert!(matches!(done, Rectification::Mailbox { noes: 0, .. }), "{done:?}");
    assert_eq!(meets(&store, "vera2@mail.example.org", "news").await, "none");
}

async fn subject_of(store: &Store, who: &str) -> SubjectId {
    subject(store, who).await
}

#[tokio::test]
async fn another_spelling_of_the_same_mailbox_changes_the_spelling_alone() {
    // GDPR Art. 16, S0-15
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    confirm(&store, 1, start() + hours(1)).await;
    let subject = subject(&store, WHO).await;
    let spelled = "olivia.carter@mail.example.org";
    assert_eq!(rectify(&store, subject, spelled, start() + hours(2)).await, Rectification::Spelling);
    assert_eq!(store.address(subject).await.expect("reads").expect("is there").as_str(), spelled);
    assert_eq!(meets(&store, WHO, "news").await, "given");
}

#[tokio::test]
async fn a_no_to_one_topic_goes_along_though_another_was_asked_for_since() {
    // GDPR Art. 16, 7(3)
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    confirm(&store, 1, start() + hours(1)).await;
    let subject = subject(&store, WHO).await;
    withdraw(&store, subject, "news", start() + hours(2)).await;
    request(&store, WHO, "offers", 2, start() + hours(26)).await;
    confirm(&store, 2, start() + hours(27)).await;
    assert_eq!(meets(&store, WHO, "offers").await, "given");
    let done = rectify(&store, subject, RIGHT, start() + hours(28)).await;
    assert!(matches!(done, Rectification::Mailbox { noes: 1, .. }), "{done:?}");
    let (_, said) = standing(&store, RIGHT).await.expect("is known");
    assert!(said.stop("acme", &topic("news")).is_some() && said.stop("acme", &topic("offers")).is_none());
}
