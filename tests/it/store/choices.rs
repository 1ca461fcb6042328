//! What people choose besides yes and no to a topic: a rest, measuring, a look at their own data; and what is erased.

use consentry::consent::{Agreement, Channel, ChoiceEvidence, DecisionId, EventKind, Evidence, OptIn, PressGrade, Source, SubjectId};
use consentry::mail::{Outcome, ReversePath};
use consentry::store::{
    AccessLink, Confirmation, NewAccess, NewChoice, NewOptIn, NewWithdrawal, RequestAnswer, Stop, Store, WithdrawAnswer,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    address, confirm, count, data_keys, hours, meets, new_store, octets, request, run, sign_up, standing, start, subject, token, topic,
    topics, withdraw,
};

const WHO: &str = "Olivia@people.example";

fn choice(subject: SubjectId, at: Timestamp) -> NewChoice {
    let evidence = ChoiceEvidence { ip: Some("192.0.2.79".into()), ..ChoiceEvidence::default() };
    NewChoice { subject, controller: "acme".into(), source: Source::Page, at, evidence }
}

fn agreement(subject: SubjectId, at: Timestamp) -> NewChoice {
    let mut choice = choice(subject, at);
    choice.evidence.agreed = Some(Agreement { text: "I agree that Acme measures.".into(), grade: PressGrade::Person, dwell_ms: 4_200 });
    choice
}

async fn tracking(store: &Store) -> &'static str {
    standing(store, WHO).await.expect("known").1.tracking("acme").as_str()
}

async fn stop(store: &Store, subject: SubjectId, stop: Stop, at: Timestamp) -> WithdrawAnswer {
    let (controller, source, evidence) = ("acme".into(), Source::Page, ChoiceEvidence::default());
    store.withdraw(NewWithdrawal { subject, controller, stop, source, at, evidence }).await.expect("withdraws")
}

fn with_tracking(store: &Store, n: u32, at: Timestamp) -> NewOptIn {
    let mut asked = sign_up(store, WHO, "news", n, at);
    asked.tracking = true;
    asked.evidence.tracking_text = Some("Acme may measure whether I open its mails.".into());
    asked
}

#[tokio::test]
async fn a_rest_lasts_until_its_end_and_can_be_ended_and_replaced() {
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    confirm(&store, 1, start() + hours(1)).await;
    let subject = subject(&store, WHO).await;
    let until = async |at: Timestamp| standing(&store, WHO).await.expect("known").1.pause("acme", at).map(|pause| pause.until);
    let (now, month) = (start() + hours(2), start() + hours(2 + 30 * 24));
    let whole = |at: Timestamp| Timestamp::from_millisecond(at.as_millisecond()).expect("valid");
    assert!(store.pause(choice(subject, now), month).await.expect("is recorded"));
    assert_eq!((until(now).await, until(whole(month)).await), (Some(whole(month)), None));
    assert!(store.pause(choice(subject, now), now + hours(48)).await.expect("is recorded"));
    assert_eq!(until(now).await, Some(whole(now + hours(48))));
    assert!(store.resume(choice(subject, now)).await.expect("is recorded") && store.resume(choice(subject, now)).await.expect("is idle"));
    assert_eq!(until(now).await, None);
    assert_eq!(meets(&store, WHO, "news").await, "given", "consent was never touched");
    let events = store.events(subject).await.expect("reads");
    let kinds: Vec<EventKind> = events.iter().skip(2).map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Paused, EventKind::Paused, EventKind::Resumed], "ending nothing is no event");
    assert_eq!(events[2].until, Some(whole(month)));
    assert!(matches!(&events[4].evidence, Some(Evidence::Choice(choice)) if choice.ip.as_deref() == Some("192.0.2.79")));
    assert!(!store.pause(choice(SubjectId([9; 16]), now), month).await.expect("asks"), "a stranger has no standing");
}

#[tokio::test]
async fn measuring_and_mail_are_two_consents() {
    // L-TRK-01, L-TRK-05, L-TRK-06, L-OBJ-06
    let (_dir, store) = new_store().await;
    assert_eq!(store.request(with_tracking(&store, 1, start())).await.expect("requests"), RequestAnswer::Committed);
    assert_eq!((tracking(&store).await, meets(&store, WHO, "news").await), ("requested", "requested"));
    assert_eq!(confirm(&store, 1, start() + hours(1)).await, Confirmation::Done);
    assert_eq!((tracking(&store).await, meets(&store, WHO, "news").await), ("given", "given"));
    let subject = subject(&store, WHO).await;
    assert_eq!(stop(&store, subject, Stop::Tracking, start() + hours(2)).await, WithdrawAnswer::Done);
    assert_eq!(stop(&store, subject, Stop::Tracking, start() + hours(3)).await, WithdrawAnswer::Repeated);
    assert_eq!((tracking(&store).await, meets(&store, WHO, "news").await), ("withdrawn", "given"));
    for _ in 0..2 {
        assert!(store.agree_to_tracking(agreement(subject, start() + hours(4))).await.expect("is recorded"));
    }
    assert_eq!(withdraw(&store, subject, "news", start() + hours(5)).await, WithdrawAnswer::Done);
    assert_eq!((tracking(&store).await, meets(&store, WHO, "news").await), ("given", "suppressed"));
    assert_eq!(withdraw(&store, subject, "", start() + hours(6)).await, WithdrawAnswer::Done);
    assert_eq!((tracking(&store).await, meets(&store, WHO, "news").await), ("objected", "suppressed"));
    // Who agrees to be measured after an objection, and objects again, has said something new.
    assert!(store.agree_to_tracking(agreement(subject, start() + hours(7))).await.expect("is recorded"));
    assert_eq!(tracking(&store).await, "given");
    assert_eq!(withdraw(&store, subject, "", start() + hours(8)).await, WithdrawAnswer::Done);
    assert_eq!(withdraw(&store, subject, "", start() + hours(9)).await, WithdrawAnswer::Repeated);
    assert_eq!(tracking(&store).await, "objected");

    let events = store.events(subject).await.expect("reads");
    let Some(Evidence::Request(asked)) = &events[0].evidence else { panic!("no evidence") };
    assert_eq!(asked.tracking_text.as_deref(), Some("Acme may measure whether I open its mails."));
    let of_tracking = events.iter().filter(|event| event.channel == Channel::Tracking);
    let told: Vec<(EventKind, Option<u64>)> = of_tracking.map(|event| (event.kind, event.answers)).collect();
    use EventKind::{Given, Requested, Withdrawn};
    let again = [(Requested, None), (Given, Some(6)), (Requested, None), (Given, Some(10))];
    assert_eq!(told[..3], [(Requested, None), (Given, Some(2)), (Withdrawn, None)]);
    assert_eq!(told[3..], again, "to agree to what is agreed to is no event");
    for seq in [6, 7] {
        let Some(Evidence::Choice(choice)) = &events[seq - 1].evidence else { panic!("no evidence") };
        let agreed = choice.agreed.as_ref().expect("says what was agreed to");
        assert_eq!((agreed.text.as_str(), agreed.dwell_ms), ("I agree that Acme measures.", 4_200));
    }
    assert_eq!(store.rebuild_standing().await.expect("rebuilds"), 1);
    assert_eq!(tracking(&store).await, "objected", "the projection is what the events fold to");
}

#[tokio::test]
async fn a_no_that_is_repeated_reads_no_history() {
    // Whoever holds a link can press as often as they like, and nobody's mail waits for it.
    let (dir, store) = new_store().await;
    assert_eq!(store.request(with_tracking(&store, 1, start())).await.expect("requests"), RequestAnswer::Committed);
    confirm(&store, 1, start() + hours(1)).await;
    let subject = subject(&store, WHO).await;
    let stops = [
        Stop::Topics(topics("news")),
        Stop::Tracking,
        Stop::Request { topics: topics("news"), requested: 1, tracking: None },
        Stop::Advertising,
    ];
    for first in [&stops[0], &stops[1], &stops[3]] {
        assert_eq!(stop(&store, subject, first.clone(), start() + hours(2)).await, WithdrawAnswer::Done, "{first:?}");
    }
    super::run(dir.path(), "ALTER TABLE event RENAME TO gone").await.expect("renames");
    for again in stops {
        assert_eq!(stop(&store, subject, again.clone(), start() + hours(3)).await, WithdrawAnswer::Repeated, "{again:?}");
    }
}

fn access(store: &Store, subject: SubjectId, n: u32, at: Timestamp) -> NewAccess {
    NewAccess {
        subject,
        controller: "acme".into(),
        topic: topic("news"),
        decision: DecisionId([5; 16]),
        token: token(store, n),
        at,
        to: address(WHO),
        reverse_path: ReversePath::Mailbox(address("bounces@acme.example")),
        message_id: format!("<{n}@acme.example>"),
        mail: "Subject: Your link\r\n\r\nhttps://acme.example/p/x\r\n".into(),
    }
}

#[tokio::test]
async fn a_mailbox_gets_its_link_and_few_of_them() {
    let (dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    let at = |minutes| start() + SignedDuration::from_mins(minutes);
    for (n, minutes, sent) in [(2, 0, true), (3, 4, false), (4, 6, true), (5, 12, true), (6, 60, false), (7, 24 * 60 + 1, true)] {
        assert_eq!(store.request_access(access(&store, subject, n, at(minutes))).await.expect("asks"), sent, "{minutes} minutes");
    }
    assert!(!store.request_access(access(&store, SubjectId([9; 16]), 8, start())).await.expect("asks"));
    let link = store.access_link(&token(&store, 2)).await.expect("reads").expect("known");
    assert_eq!((link.subject, link.topic, link.decision), (subject, topic("news"), DecisionId([5; 16])));
    assert_eq!(store.access_link(&token(&store, 3)).await.expect("reads"), None);

    let due = store.due_letters(at(24 * 60 + 1), 10).await.expect("reads");
    assert_eq!(due.len(), 5, "a confirmation mail and four links");
    for mail in &due {
        store.letter_done(mail.id, at(24 * 60 + 2), &Outcome::Accept { text: "2.0.0 Ok".into() }).await.expect("is recorded");
    }
    assert_eq!(store.events(subject).await.expect("reads").len(), 2, "an access mail is no event");
    assert_eq!(store.drop_access_links(at(24 * 60) - AccessLink::LIFETIME).await.expect("deletes"), 3);
    assert_eq!(count(dir.path(), "SELECT count(*) FROM access_link").await, 1);
}

#[tokio::test]
async fn an_address_that_was_never_confirmed_is_erased_and_can_come_again() {
    // L-DOI-04, L-OBJ-07, E-09, E-15, GDPR Art. 5(1)(e)
    let (dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    request(&store, "confirmed@people.example", "news", 2, start()).await;
    confirm(&store, 2, start() + hours(1)).await;
    request(&store, "refused@people.example", "news", 3, start()).await;
    let refused = subject(&store, "refused@people.example").await;
    assert_eq!(
        stop(&store, refused, Stop::Request { topics: topics("news"), requested: 1, tracking: None }, start() + hours(1)).await,
        WithdrawAnswer::Done
    );
    request(&store, "young@people.example", "news", 4, start() + hours(24)).await;
    // One that waits for two companies, and one whose fold is damaged.
    let mut elsewhere = sign_up(&store, WHO, "news", 6, start());
    elsewhere.controller = "other".into();
    assert_eq!(store.request(elsewhere).await.expect("requests"), RequestAnswer::Committed);
    request(&store, "damaged@people.example", "news", 7, start()).await;
    let damaged = subject(&store, "damaged@people.example").await;
    let spoil = format!("UPDATE standing SET state = '?' WHERE subject = {}", octets(&damaged.to_string()));
    run(dir.path(), &spoil).await.expect("spoils");
    let olivia = subject(&store, WHO).await;

    let late = start() + OptIn::KEPT + hours(2);
    assert_eq!(
        store.erase_unconfirmed(late - OptIn::KEPT, late).await.expect("erases"),
        4,
        "Olivia's two, the refused and the damaged one"
    );
    assert_eq!(store.erase_unconfirmed(late - OptIn::KEPT, late).await.expect("erases"), 0);
    assert_eq!(store.address(olivia).await.expect("reads"), None);
    let events = store.events(olivia).await.expect("reads");
    assert_eq!(
        events.iter().map(|event| (event.kind, event.evidence.is_some())).collect::<Vec<_>>(),
        [(EventKind::Requested, false), (EventKind::Requested, false), (EventKind::Erased, false), (EventKind::Erased, false)]
    );
    assert_eq!((events[2].controller.as_str(), events[3].controller.as_str()), ("acme", "other"), "each that had asked is told");
    for who in [refused, damaged] {
        assert_eq!(store.address(who).await.expect("reads"), None);
    }
    assert_eq!(meets(&store, "refused@people.example", "news").await, "withdrawn", "a no outlives the address");
    assert_eq!(store.opt_in(&token(&store, 1)).await.expect("reads"), None);
    for who in ["confirmed@people.example", "young@people.example"] {
        let subject = subject(&store, who).await;
        assert_eq!(store.address(subject).await.expect("reads"), Some(address(who)));
        assert!(store.events(subject).await.expect("reads")[0].evidence.is_some(), "{who}");
    }
    assert_eq!(data_keys(dir.path()).await.1, 2);

    // The same person signs up again: the old evidence stays gone, the new one is there.
    assert_eq!(request(&store, WHO, "news", 5, late).await, RequestAnswer::Committed);
    assert_eq!(confirm(&store, 5, late + hours(1)).await, Confirmation::Done);
    let events = store.events(olivia).await.expect("reads");
    let there: Vec<bool> = events.iter().map(|event| event.evidence.is_some()).collect();
    assert_eq!(there, [false, false, false, false, true, true]);
    assert_eq!((store.address(olivia).await.expect("reads"), meets(&store, WHO, "news").await), (Some(address(WHO)), "given"));
}

#[tokio::test]
async fn who_refuses_a_sign_up_is_not_measured_for_it_either() {
    // L-TRK-06, S1-17: before the confirmation and after it, and without touching what was agreed to apart from it
    for (confirmed, agreed, expected) in [(false, false, "withdrawn"), (true, false, "withdrawn"), (true, true, "given")] {
        let (_dir, store) = new_store().await;
        assert_eq!(store.request(with_tracking(&store, 1, start())).await.expect("requests"), RequestAnswer::Committed);
        if confirmed {
            assert_eq!(confirm(&store, 1, start() + hours(1)).await, Confirmation::Done);
        }
        let who = subject(&store, WHO).await;
        if agreed {
            stop(&store, who, Stop::Tracking, start() + hours(2)).await;
            assert!(store.agree_to_tracking(agreement(who, start() + hours(2))).await.expect("is recorded"));
        }
        let no = Stop::Request { topics: topics("news"), requested: 1, tracking: Some(2) };
        assert_eq!(stop(&store, who, no.clone(), start() + hours(3)).await, WithdrawAnswer::Done);
        assert_eq!(tracking(&store).await, expected, "{confirmed} {agreed}");
        assert_eq!(stop(&store, who, no, start() + hours(4)).await, WithdrawAnswer::Repeated);
    }
}
