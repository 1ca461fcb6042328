//! What other systems tell, on disk: nothing passes after a no without a later confirmed double opt-in, whoever writes in which
//! order; and the projection is what the events fold to.

use std::collections::BTreeMap;

use consentry::consent::{
    Channel, ChoiceEvidence, Event, EventKind, Fact, ProfileName, Source, Standing, SubjectId, Teller, TopicEntry, Trigger, Verdict,
};
use consentry::decide::{Question, decide};
use consentry::mail::{AnswerProfile, Class, Classification, Dispute, Stream, StreamClass, StreamMode};
use consentry::policy::{Policy, PolicySettings};
use consentry::store::{Confirmation, NewFact, Once, Stop, Store, TellAnswer, Told};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{confirm, count, hours, key, meets, new_store, request, standing, start, subject, topic, topics, withdraw};

const WHO: &str = "olivia@people.example";

fn fact(store: &Store, told: Told, at: Timestamp) -> NewFact {
    let purchase = matches!(told, Told::Purchase(_));
    NewFact {
        key: key(store, WHO),
        controller: "acme".into(),
        fact: Fact {
            occurred: Some(at),
            trigger: purchase.then_some(Trigger::Sale),
            own_address: purchase,
            teller: Some(Teller::Crm),
            ..Fact::default()
        },
        notice: purchase.then(|| "You can object to advertising at any time.".into()),
        told,
        source: Source::System,
        at,
        evidence: ChoiceEvidence::default(),
        once: None,
        line: None,
    }
}

async fn tell(store: &Store, told: Told, at: Timestamp) -> TellAnswer {
    store.tell(fact(store, told, at)).await.expect("is told")
}

/// What advertising about `news` meets, by the German profile.
async fn verdict(store: &Store, now: Timestamp) -> Verdict {
    let found = standing(store, WHO).await;
    let stream = Stream {
        name: "s".into(),
        controller: "acme".into(),
        class: StreamClass::Marketing,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: StreamMode::Enforce,
        disputed: Dispute::Enforce,
        bulk: Default::default(),
    };
    let entry = TopicEntry { name: topic("news"), controller: "acme".into(), title: "News".into(), list_id: "news.example".into() };
    let settings = PolicySettings { default: ProfileName::parse("de"), ..PolicySettings::default() };
    let seats = BTreeMap::from([("acme".to_owned(), None)]);
    let finding = decide(Question {
        stream: &stream,
        classification: &Classification { class: Class::Marketing, topic: Some("news".into()), campaign: None, steps: vec![] },
        from_allowed: true,
        standing: found.as_ref().map(|(_, standing)| standing),
        listed: false,
        catalogue: &consentry::consent::Catalogue { topics: vec![entry], ..Default::default() },
        policy: &Policy::new(&settings, BTreeMap::new(), vec![], seats),
        now,
    });
    finding.reason.verdict()
}

fn says_no(event: &Event) -> bool {
    match event.kind {
        EventKind::Objected | EventKind::Complaint | EventKind::Disputed => event.channel == Channel::Email,
        EventKind::Withdrawn => event.channel == Channel::Email && event.topics.iter().any(|own| own.covers(&topic("news"))),
        _ => false,
    }
}

/// One step of somebody's history.
#[derive(Debug, Clone)]
enum Step {
    Tell(Told),
    SignUp,
    /// The sign-up so many before the last one.
    Confirm(u32),
    Unsubscribe,
}

fn any_step() -> impl Strategy<Value = Step> {
    let news = || topics("news");
    prop_oneof![
        3 => Just(Step::SignUp),
        4 => (0..2u32).prop_map(Step::Confirm),
        1 => Just(Step::Unsubscribe),
        4 => prop::sample::select(vec![
            Told::Stop(Stop::Topics(topics("news"))),
            Told::Stop(Stop::Topics(topics("shop"))),
            Told::Stop(Stop::Advertising),
            Told::Stop(Stop::Complaint),
            Told::Stop(Stop::Dispute),
            Told::Stop(Stop::Tracking),
            Told::Stop(Stop::Elsewhere { channel: Channel::Phone, topics: vec![] }),
        ])
        .prop_map(Step::Tell),
        4 => prop::sample::select(vec![
            Told::Purchase(news()),
            Told::NoticeShown(vec![]),
            Told::Bounce,
            Told::Restricted,
            Told::Unrestricted,
            Told::ExpiredIdle(news()),
            Told::Imported(Channel::Email, news()),
        ])
        .prop_map(Step::Tell),
    ]
}

#[test]
fn nothing_passes_after_a_no_without_a_later_confirmed_opt_in() {
    // L-OBJ-05, L-DOI-08, I5
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(any_step(), 1..14);
    TestRunner::new(config)
        .run(&steps, |steps| {
            runtime.block_on(async {
                let (dir, one) = new_store().await;
                // a command beside the gateway writes to the same ledger
                let other =
                    Store::open_beside_on(&dir.path().join("data"), crate::postgres::database(dir.path()).as_ref()).await.expect("opens");
                let mut signed_up = 0_u32;
                for (n, step) in (0..).zip(&steps) {
                    let store = if n % 2 == 0 { &one } else { &other };
                    // far enough apart that no sign-up comes too soon
                    let at = start() + hours(24 * 12 * n);
                    match step {
                        Step::Tell(told) => drop(tell(store, told.clone(), at).await),
                        Step::SignUp => {
                            signed_up += 1;
                            request(store, WHO, "news", signed_up, at).await;
                        }
                        // The link is old by then, but the clock of the test is its own.
                        Step::Confirm(back) if signed_up > *back => {
                            confirm(store, signed_up - back, start()).await;
                        }
                        Step::Unsubscribe if standing(store, WHO).await.is_some() => {
                            withdraw(store, subject(store, WHO).await, "news", at).await;
                        }
                        Step::Confirm(_) | Step::Unsubscribe => {}
                    }
                    let Some((who, _)) = standing(&one, WHO).await else { continue };
                    let events = one.events(who).await.expect("reads");
                    let no = events.iter().filter(|event| says_no(event)).map(|event| event.seq).max();
                    let yes = events.iter().filter(|event| event.kind == EventKind::Given).filter_map(|event| event.answers).max();
                    if no.is_some_and(|no| yes.is_none_or(|request| request <= no)) {
                        prop_assert_ne!(verdict(&one, at).await, Verdict::Pass, "after {:?}", &events);
                    }
                }
                let Some((who, kept)) = standing(&one, WHO).await else { return Ok(()) };
                prop_assert_eq!(one.standing_of(who).await.expect("reads"), Some(fold(&one, who).await), "what is kept");
                other.rebuild_standing().await.expect("rebuilds");
                prop_assert_eq!(standing(&one, WHO).await.expect("known").1, kept, "what is rebuilt");
                Ok(())
            })
        })
        .expect("holds");
}

async fn fold(store: &Store, who: SubjectId) -> Standing {
    Standing::fold(&store.events(who).await.expect("reads"))
}

#[tokio::test]
async fn two_writers_lose_no_withdrawal_and_no_fact() {
    let (dir, one) = new_store().await;
    let other = Store::open_beside_on(&dir.path().join("data"), crate::postgres::database(dir.path()).as_ref()).await.expect("opens");
    let purchases = async |store: &Store| {
        for n in 0..20 {
            tell(store, Told::Purchase(topics("news")), start() + hours(n)).await;
        }
    };
    let no = async {
        tokio::task::yield_now().await;
        tell(&one, Told::Stop(Stop::Complaint), start()).await
    };
    let (_, _, no) = tokio::join!(purchases(&one), purchases(&other), no);
    assert_eq!(no, TellAnswer::Done);
    let who = subject(&one, WHO).await;
    let events = one.events(who).await.expect("reads");
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=41).collect::<Vec<_>>());
    assert_eq!(one.standing_of(who).await.expect("reads"), Some(Standing::fold(&events)));
    assert_eq!(meets(&one, WHO, "news").await, "suppressed");
}

#[tokio::test]
async fn a_complaint_and_a_dispute_outlive_the_events_until_a_confirmed_opt_in() {
    // L-OBJ-07, L-DOI-08, U-35
    for (stop, reason) in [(Stop::Complaint, "complained"), (Stop::Dispute, "disputed")] {
        let (_dir, store) = new_store().await;
        request(&store, WHO, "news", 1, start()).await;
        assert_eq!(tell(&store, Told::Stop(stop.clone()), start() + hours(1)).await, TellAnswer::Done);
        assert_eq!(tell(&store, Told::Stop(stop.clone()), start() + hours(1)).await, TellAnswer::Repeated);
        assert_eq!(confirm(&store, 1, start() + hours(2)).await, Confirmation::Voided);
        let suppressions = standing(&store, WHO).await.expect("known").1.suppressions;
        assert_eq!((suppressions.len(), suppressions[0].reason.as_str(), &suppressions[0].topic), (1, reason, &None));
        request(&store, WHO, "news", 2, start() + hours(30)).await;
        assert_eq!(confirm(&store, 2, start() + hours(31)).await, Confirmation::Done);
        assert_eq!(meets(&store, WHO, "news").await, "given");
        assert_eq!(tell(&store, Told::Stop(stop), start() + hours(32)).await, TellAnswer::Done, "a new one is news");
        assert_eq!(meets(&store, WHO, "news").await, "suppressed");
    }
}

#[tokio::test]
async fn an_id_is_recorded_once_and_a_notice_once_for_all() {
    // R-03, L-SOFT-05
    let (dir, store) = new_store().await;
    let told = async |id: u8, content: u8| {
        let once = Some(Once { id: [id; 32], content: [content; 32] });
        store.tell(NewFact { once, ..fact(&store, Told::Purchase(topics("news")), start()) }).await.expect("is told")
    };
    assert_eq!((told(1, 1).await, told(1, 1).await, told(1, 2).await), (TellAnswer::Done, TellAnswer::Repeated, TellAnswer::IdTaken));
    assert_eq!(told(2, 1).await, TellAnswer::Done);
    assert_eq!(count(dir.path(), "SELECT count(*) FROM event").await, 2);
    assert_eq!(count(dir.path(), "SELECT count(*) FROM text_version").await, 1);
    assert_eq!(count(dir.path(), "SELECT count(*) FROM subject").await, 0, "no address of somebody who gave us none");
}
