//! A simulation of the rules that were in force finds nothing to tell: whatever was decided, in whatever order people signed up,
//! confirmed, bought, withdrew and were written to, is decided again as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consentry::classify::classify_again;
use consentry::consent::{Catalogue, ChoiceEvidence, Country, Decision, DecisionId, Fact, Source, SubjectId, Teller, TopicEntry, Trigger};
use consentry::decide::{Question, decide, is_contact};
use consentry::mail::{AnswerProfile, Class, Classification, Step, Stream, StreamClass, StreamMode, Trust};
use consentry::policy::{Policy, PolicySettings, Rules, SimilarTopics, StreamRules, Window};
use consentry::simulate::{Trial, simulate};
use consentry::store::{NewChoice, NewFact, Stop, Store, Told};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{confirm, key, new_store, request, start, topic, topics, withdraw};

const PEOPLE: [&str; 4] = ["olivia@people.example", "paul@people.example", "quinn@people.example", "rosa@people.example"];
const TOPICS: [&str; 4] = ["news", "news.weekly", "fashion.bags", "fashion.shoes"];

/// What happens next, to whom, and how long after what happened before.
#[derive(Debug, Clone)]
struct Happening {
    wait: SignedDuration,
    who: usize,
    deed: Deed,
}

#[derive(Debug, Clone)]
enum Deed {
    Ask(usize),
    Confirm,
    Withdraw(usize),
    Object,
    Tell(usize, usize),
    Buy { product: usize, trigger: usize, notice: bool, ago: i64 },
    Pause,
    Resume,
    Mail { stream: usize, topic: Option<usize>, declared: bool },
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let mail = (0..4usize, proptest::option::weighted(0.9, 0..TOPICS.len()), any::<bool>());
    prop_oneof![
        3 => (0..TOPICS.len()).prop_map(Deed::Ask),
        3 => Just(Deed::Confirm),
        1 => (0..TOPICS.len()).prop_map(Deed::Withdraw),
        1 => Just(Deed::Object),
        2 => (0..7usize, 0..TOPICS.len()).prop_map(|(what, about)| Deed::Tell(what, about)),
        2 => (2..TOPICS.len(), 0..3usize, any::<bool>(), 0..900i64)
            .prop_map(|(product, trigger, notice, ago)| Deed::Buy { product, trigger, notice, ago }),
        1 => Just(Deed::Pause),
        1 => Just(Deed::Resume),
        12 => mail.prop_map(|(stream, topic, declared)| Deed::Mail { stream, topic, declared }),
    ]
}

fn any_life() -> impl Strategy<Value = Vec<Happening>> {
    let wait = prop_oneof![
        2 => Just(SignedDuration::ZERO), // in the same millisecond
        4 => (0..600i64).prop_map(SignedDuration::from_secs),
        2 => (0..500i64).prop_map(SignedDuration::from_hours),
        1 => (0..400i64).prop_map(|days| SignedDuration::from_hours(24 * days)),
    ];
    proptest::collection::vec((wait, 0..PEOPLE.len(), any_deed()).prop_map(|(wait, who, deed)| Happening { wait, who, deed }), 10..80)
}

fn streams() -> Vec<Arc<Stream>> {
    let stream = |(name, class, mode): (&str, StreamClass, StreamMode)| {
        Arc::new(Stream {
            name: name.into(),
            controller: "acme".into(),
            class,
            topic: Some("news".into()),
            from_domains: Vec::new(),
            answer: AnswerProfile::Reject,
            mode,
            disputed: consentry::mail::Dispute::default(),
            bulk: Default::default(),
        })
    };
    let all = [
        ("news", StreamClass::Marketing, StreamMode::Enforce),
        ("watched", StreamClass::Marketing, StreamMode::Shadow),
        ("mixed", StreamClass::Declared, StreamMode::Enforce),
        ("shop", StreamClass::Transactional, StreamMode::Enforce),
    ];
    all.map(stream).to_vec()
}

fn trial() -> Trial {
    let entry =
        |name: &str| TopicEntry { name: topic(name), controller: "acme".into(), title: name.into(), list_id: format!("{name}.example") };
    let similar = SimilarTopics {
        controller: "acme".into(),
        topics: topics("fashion"),
        author: "Mia".into(),
        reviewed: jiff::civil::Date::constant(2026, 11, 1),
    };
    let seats = BTreeMap::from([("acme".to_owned(), Country::parse("AT").ok())]);
    let policy = Policy::new(&PolicySettings::default(), BTreeMap::new(), vec![similar], seats);
    let streams = streams();
    let of = |stream: &Arc<Stream>| {
        let rules = StreamRules {
            controller: "acme".into(),
            class: stream.class,
            topic: Some(topic("news")),
            mode: stream.mode,
            disputed: stream.disputed,
            bulk: stream.bulk,
            from_domains: BTreeSet::new(),
            sources: BTreeSet::new(),
        };
        (stream.name.clone(), rules)
    };
    let whose = TOPICS.map(|name| (topic(name), "acme".to_owned()));
    let rules = Rules::new(policy.clone(), Window::days(30), whose, streams.iter().map(of), consentry::policy::ClassRules::default());
    let catalogue = Catalogue { topics: TOPICS.map(entry).to_vec(), ..Catalogue::default() };
    Trial { before: Some(rules.clone()), rules, catalogue, policy, streams }
}

/// As the gateway does it.
async fn mail(store: &Store, trial: &Trial, life: &mut Life, stream: usize, about: Option<usize>, declared: bool) {
    let stream = &trial.streams[stream];
    let said = declared.then(|| Step { trust: Trust::Declared, says: Class::Transactional, why: "header Consentry-Class".into() });
    let (class, steps) = classify_again(stream.class, stream.disputed, &said.into_iter().collect::<Vec<_>>());
    let named = about.map(|n| TOPICS[n].to_owned()).or_else(|| stream.topic.clone());
    let classification = Classification { class, topic: named, campaign: None, steps };
    let key = key(store, PEOPLE[life.who]);
    let found = if class == Class::Marketing { store.standing(key).await.expect("looks up") } else { None };
    let (subject, standing) = found.unzip();
    let country = standing.as_ref().and_then(|standing| standing.country("acme"));
    let listed = class == Class::Marketing && life.who % 2 == 1 && trial.policy.asks_ecg_list("acme", country);
    let finding = decide(Question {
        stream,
        classification: &classification,
        from_allowed: true,
        standing: standing.as_ref(),
        listed,
        catalogue: &trial.catalogue,
        policy: &trial.policy,
        now: life.now,
    });
    life.number += 1;
    let mut random = [0; 10];
    random[..4].copy_from_slice(&life.number.to_be_bytes());
    let decision = Decision {
        id: DecisionId::new(life.now, random),
        at: life.now,
        stream: stream.name.clone(),
        controller: "acme".into(),
        recipient: key,
        subject: subject.unwrap_or(SubjectId([u8::try_from(life.number % 250).expect("small"); 16])),
        classification,
        topic: finding.topic,
        reason: finding.reason,
        folded_from: standing.as_ref().map_or(0, |standing| standing.seq),
        event: finding.event,
        profile: finding.profile,
        shadowed: finding.shadowed,
        rules: None,
        footer: None,
        is_contact: is_contact(finding.reason, standing.as_ref().and_then(|standing| standing.active("acme")), life.now),
        message: None,
        copy: None,
        size: 1,
    };
    store.record(decision, None).await.expect("is recorded");
}

struct Life {
    now: Timestamp,
    who: usize,
    number: u32,
    tokens: u32,
    /// The last request of each person.
    asked: [Option<u32>; PEOPLE.len()],
}

impl Life {
    fn of(now: Timestamp, who: usize) -> Self {
        Self { now, who, number: 0, tokens: 0, asked: [None; PEOPLE.len()] }
    }
}

async fn tell(store: &Store, life: &Life, told: Told, fact: Fact, notice: bool) {
    let new = NewFact {
        key: key(store, PEOPLE[life.who]),
        controller: "acme".into(),
        told,
        fact: Fact { teller: Some(Teller::Crm), ..fact },
        notice: notice.then(|| "You can object at any time.".into()),
        source: Source::System,
        at: life.now,
        evidence: ChoiceEvidence::default(),
        once: None,
        line: None,
    };
    store.tell(new).await.expect("is told");
}

async fn happens(store: &Store, trial: &Trial, life: &mut Life, deed: &Deed) {
    let who = PEOPLE[life.who];
    let subject = store.standing(key(store, who)).await.expect("looks up").map(|(subject, _)| subject);
    let choice =
        |subject| NewChoice { subject, controller: "acme".into(), source: Source::Page, at: life.now, evidence: ChoiceEvidence::default() };
    match (deed, subject) {
        (Deed::Ask(about), _) => {
            life.tokens += 1;
            request(store, who, TOPICS[*about], life.tokens, life.now).await;
            life.asked[life.who] = Some(life.tokens);
        }
        (Deed::Confirm, _) => {
            if let Some(token) = life.asked[life.who] {
                confirm(store, token, life.now).await;
            }
        }
        (Deed::Withdraw(about), Some(subject)) => {
            withdraw(store, subject, TOPICS[*about], life.now).await;
        }
        (Deed::Object, Some(subject)) => {
            withdraw(store, subject, "", life.now).await;
        }
        (Deed::Tell(what, about), _) => {
            let about = topics(TOPICS[*about]);
            let country = |code| Fact { country: Country::parse(code).ok(), ..Fact::default() };
            let (told, fact) = match what {
                0 => (Told::Stop(Stop::Complaint), Fact::default()),
                1 => (Told::Bounce, Fact::default()),
                2 => (Told::Restricted, Fact::default()),
                3 => (Told::Unrestricted, Fact::default()),
                4 => (Told::ExpiredIdle(about), Fact::default()),
                5 => (Told::NoticeShown(vec![]), country("FR")),
                _ => (Told::NoticeShown(vec![]), country("AT")),
            };
            tell(store, life, told, fact, false).await;
        }
        (Deed::Buy { product, trigger, notice, ago }, _) => {
            let fact = Fact {
                occurred: Some(life.now - SignedDuration::from_hours(24 * ago)),
                trigger: Some([Trigger::Sale, Trigger::Service, Trigger::Cart][*trigger]),
                own_address: true,
                ..Fact::default()
            };
            tell(store, life, Told::Purchase(topics(TOPICS[*product])), fact, *notice).await;
        }
        (Deed::Pause, Some(subject)) => {
            store.pause(choice(subject), life.now + SignedDuration::from_hours(24 * 30)).await.expect("pauses");
        }
        (Deed::Resume, Some(subject)) => {
            store.resume(choice(subject)).await.expect("resumes");
        }
        (Deed::Mail { stream, topic, declared }, _) => mail(store, trial, life, *stream, *topic, *declared).await,
        (_, None) => {}
    }
}

#[test]
fn under_the_same_rules_nothing_would_be_said_that_was_not() {
    // S0-27
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let told = std::cell::RefCell::new(BTreeMap::<&str, u64>::new());
    let live = || {
        // A fresh one each time: one that has had its cases runs no more.
        let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
        runner.run(&any_life(), |life| {
            runtime.block_on(async {
                let (_dir, store) = new_store().await;
                let trial = trial();
                let first = consentry::store::Past::first(start()).at();
                let mut lived = Life::of(first, 0);
                for step in &life {
                    lived.now += step.wait;
                    lived.who = step.who;
                    happens(&store, &trial, &mut lived, &step.deed).await;
                }
                let until = lived.now + SignedDuration::from_secs(1);
                let report = simulate(&store, &trial, first, until).await.expect("simulates");
                store.close().await;
                prop_assert_eq!(report.total.number, u64::from(lived.number));
                prop_assert!(report.changes().is_empty(), "{:?}", report.changes());
                report.lines().iter().for_each(|line| *told.borrow_mut().entry(line.before).or_default() += line.number);
                Ok(())
            })
        })
    };
    // Few lives buy, are told, and get mail in time: more are lived until each reason was met.
    let reasons = ["doi_consent", "existing_customer", "shadow", "objected", "withdrawn", "opt_in_pending", "restricted", "bounced"];
    let met = |reason: &&str| told.borrow().contains_key(reason);
    let all_met = (0..20).any(|_| {
        live().unwrap_or_else(|error| panic!("{error}"));
        reasons.iter().all(met)
    });
    assert!(all_met, "no life reaches {:?}: {:?}", reasons.iter().filter(|reason| !met(reason)).collect::<Vec<_>>(), told.borrow());
}

#[tokio::test]
async fn a_shorter_idle_time_blocks_the_last_mail_that_anybody_got_too() {
    // L-CON-06, S0-27: what the ledger keeps of contacts is the last one, and that is the mail's own
    let (_dir, store) = new_store().await;
    let kept = trial();
    let first = consentry::store::Past::first(start()).at();
    let mut lived = Life::of(first, 0);
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    for (wait, deed) in [
        (days(0), Deed::Ask(0)),
        (days(0), Deed::Confirm),
        (days(40), Deed::Mail { stream: 0, topic: Some(0), declared: false }),
        (days(40), Deed::Mail { stream: 0, topic: Some(0), declared: false }),
        (days(240), Deed::Mail { stream: 0, topic: Some(0), declared: false }),
    ] {
        lived.now += wait;
        happens(&store, &kept, &mut lived, &deed).await;
    }
    let shorter =
        toml::from_str("[de]\nsource = 'counsel'\nauthor = 'Mia'\nreviewed = '2026-11-01'\nconsent_idle = 'P6M'").expect("a change");
    let seats = BTreeMap::from([("acme".to_owned(), Country::parse("AT").ok())]);
    let policy = Policy::new(&PolicySettings::default(), shorter, vec![], seats);
    let rules = Rules { policy: policy.clone(), ..kept.rules.clone() };
    let tried = Trial { before: Some(kept.rules.clone()), rules, policy, catalogue: kept.catalogue.clone(), streams: kept.streams.clone() };
    let report = simulate(&store, &tried, first, lived.now + SignedDuration::from_secs(1)).await.expect("simulates");
    assert_eq!((report.total.number, report.total.newly_blocked, report.total.newly_passed), (3, 1, 0), "{:?}", report.changes());
}

#[tokio::test]
async fn who_was_on_the_list_and_rests_is_told_no_other_reason_by_the_same_rules() {
    // S0-27: a customer on the list who asked to sign up, and then for a rest
    let (_dir, store) = new_store().await;
    let trial = trial();
    let first = consentry::store::Past::first(start()).at();
    let mut lived = Life::of(first, 3);
    for deed in [
        Deed::Ask(3),
        Deed::Pause,
        Deed::Tell(6, 0),
        Deed::Buy { product: 2, trigger: 0, notice: true, ago: 0 },
        Deed::Mail { stream: 0, topic: Some(3), declared: false },
    ] {
        happens(&store, &trial, &mut lived, &deed).await;
    }
    let report = simulate(&store, &trial, first, lived.now + SignedDuration::from_secs(1)).await.expect("simulates");
    assert_eq!(report.total.number, 1);
    assert!(report.changes().is_empty(), "{:?}", report.changes());
}
