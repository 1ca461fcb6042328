//! The decision log's search against a plain scan, and its tallies against the rows they are derived from.

use std::collections::BTreeMap;

use consentry::consent::EventKind;
use consentry::store::{DecisionFilter, DecisionPage, Step, StoreError, Volume};

use super::*;
use crate::season::{CAMPAIGNS, Dice, STREAMS, Season, TOPICS, subject as person};

const TOTAL: u64 = 50_000;
const PEOPLE: u64 = 200;
const PAGES: usize = 5;

/// Records them all; together, so that commits hold many.
async fn record(store: &Store, decisions: impl IntoIterator<Item = Decision>) {
    let recorded: Vec<_> = decisions.into_iter().map(|decision| store.record(decision, None)).collect();
    for durable in recorded {
        durable.await.expect("records");
    }
}

fn matches(filter: &DecisionFilter, decision: &Decision) -> bool {
    let DecisionFilter { reasons, class, stream, topic, campaign, subject, from, to } = filter;
    (reasons.is_empty() || reasons.contains(&decision.reason))
        && class.is_none_or(|class| class == decision.classification.class)
        && stream.as_ref().is_none_or(|stream| *stream == decision.stream)
        && topic.as_ref().is_none_or(|topic| decision.topic.as_ref().is_some_and(|own| own.as_str() == topic))
        && (campaign.is_none() || *campaign == decision.classification.campaign)
        && subject.is_none_or(|subject| subject == decision.subject)
        && from.is_none_or(|from| from <= decision.at)
        && to.is_none_or(|to| decision.at < to)
}

/// Any combination of filters, each given now and then.
fn filter(dice: &mut Dice, season: &Season) -> DecisionFilter {
    let mut given = |sides| (dice.roll(3) == 0).then(|| dice.roll(sides));
    let time = |days: u64| season.end - hours(24 * i64::try_from(days).expect("small"));
    let pick = |n: u64| Reason::ALL[usize::try_from(n).expect("small") % Reason::ALL.len()];
    DecisionFilter {
        reasons: given(10).map(|n| (0..=n % 3).map(|more| pick(n + more)).collect()).unwrap_or_default(),
        class: given(2).map(|n| if n == 0 { Class::Marketing } else { Class::Transactional }),
        stream: given(7).map(|n| STREAMS.get(usize::try_from(n).expect("small")).map_or("no such", |(name, _)| name).into()),
        topic: given(TOPICS + 1).map(|n| format!("topic{n}")),
        campaign: given(CAMPAIGNS + 1).map(|n| format!("campaign-{n}")),
        subject: given(8).filter(|n| *n < 3).map(|n| person(n * 7)),
        from: given(95).map(time),
        to: given(95).map(time),
    }
}

async fn search(store: &Store, filter: &DecisionFilter, before: Option<DecisionId>, limit: u32) -> DecisionPage {
    store.search_decisions(filter, before, limit).await.expect("searches")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_what_a_plain_scan_finds_and_the_tallies_add_up() {
    let season = Season { end: "2026-06-01T12:34:56Z".parse().expect("valid"), total: TOTAL, length: hours(24 * 90), people: PEOPLE };
    let mut decisions: Vec<Decision> = (0..TOTAL).map(|n| season.decision(n)).collect();
    let (dir, store) = new_store().await;
    // in two lives, so that a run is gone on with; some come late
    let (early, late) = decisions.split_at(30_000);
    record(&store, early.iter().rev().cloned()).await;
    store.close().await;
    let store = open(dir.path()).await;
    record(&store, late.iter().cloned()).await;
    decisions.sort_by_key(|decision| std::cmp::Reverse(decision.id));

    let (mut dice, mut found, mut empty) = (Dice(7), 0, 0);
    for round in 0..250 {
        let filter = filter(&mut dice, &season);
        let limit = u32::try_from(1 + dice.roll(80)).expect("small");
        let mut expected = decisions.iter().filter(|decision| matches(&filter, decision));
        let mut before = (dice.roll(4) == 0).then(|| decisions[usize::try_from(dice.roll(TOTAL)).expect("small")].id);
        let expected: Vec<_> = expected.by_ref().filter(|decision| before.is_none_or(|before| decision.id < before)).collect();
        let mut pages = expected.chunks(limit as usize).peekable();
        empty += usize::from(expected.is_empty());
        for _ in 0..PAGES {
            let page = search(&store, &filter, before, limit).await;
            let read: Vec<_> = page.rows.iter().map(|row| &row.decision).collect();
            let page_expected = pages.next().unwrap_or_default();
            assert_eq!(read, page_expected, "round {round}: {filter:?} before {before:?} limit {limit}");
            assert_eq!(page.next, pages.peek().and(read.last().map(|decision| decision.id)), "round {round}: {filter:?}");
            found += read.len();
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        if let Some(after) = expected.get(20) {
            let newer = store.newer_decisions(&filter, after.id, 15).await.expect("reads");
            let whole = decisions.iter().filter(|decision| matches(&filter, decision) && decision.id > after.id).take(15);
            assert!(newer.iter().map(|row| &row.decision).eq(whole), "round {round}: {filter:?}");
        }
    }
    assert!(found > 5_000 && (25..225).contains(&empty), "{found} rows found, {empty} searches without");

    // A server has an index in each partition instead.
    if !on_postgres() {
        assert_eq!(
            count(
                dir.path(),
                "SELECT count(*) FROM (SELECT subject, id FROM decision EXCEPT SELECT subject, decision FROM decision_of_subject)"
            )
            .await,
            0
        );
        assert_eq!(count(dir.path(), "SELECT count(*) FROM decision_of_subject").await, 50_000);
        assert!((24..27).contains(&count(dir.path(), "SELECT max(run) FROM decision_of_subject").await));
    }
    for step in [Step::Hour, Step::SixHours, Step::Day] {
        let (from, to) = (season.end - hours(24 * 40), season.end - hours(24 * 3));
        let begin = from.as_second().div_euclid(3600);
        let mut expected = BTreeMap::new();
        for decision in &decisions {
            let hour = decision.at.as_second().div_euclid(3600);
            if (begin..to.as_second().div_euclid(3600)).contains(&hour) {
                let step = (hour - begin) / step.hours() * step.hours() + begin;
                let kind = (step, decision.stream.as_str(), decision.classification.class.as_str(), decision.reason.as_str());
                *expected.entry(kind).or_insert(0) += 1;
            }
        }
        let volume = store.volume(from, to, step).await.expect("counts");
        let key = |volume: &Volume| {
            assert_eq!(volume.from.as_second() % 3600, 0);
            (volume.from.as_second() / 3600, volume.stream.clone(), volume.class.as_str(), volume.reason.as_str(), volume.number)
        };
        let expected = expected.into_iter().map(|((step, stream, class, reason), number)| (step, stream.to_owned(), class, reason, number));
        assert_eq!(volume.iter().map(key).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
    let names = store.decision_names().await.expect("reads");
    assert_eq!(names.streams, ["app", "billing", "crm", "press", "shop", "support"]);
    assert_eq!(names.topics.len() as u64, TOPICS);
    assert!((200..=CAMPAIGNS).contains(&(names.campaigns.len() as u64)));
}

#[tokio::test]
async fn a_campaign_for_every_message_is_found_all_the_same() {
    let (dir, store) = new_store().await;
    let of = |n: u16, campaign: String| {
        let mut decision = decision(&store, "a@x.example", n);
        let at = start() + SignedDuration::from_secs(i64::from(n));
        (decision.id, decision.at) = (DecisionId::new(at, [1; 10]), at);
        decision.classification.campaign = Some(campaign);
        decision
    };
    record(&store, (0..6_000).map(|n| of(n, format!("campaign {n}")))).await;
    assert_eq!(count(dir.path(), "SELECT count(*) FROM mix").await, 1_025);
    for (n, campaign) in [(3, "campaign 3"), (1_023, "campaign 1023"), (1_024, "campaign 1024"), (3_000, "campaign 3000")] {
        let filter = DecisionFilter { campaign: Some(campaign.into()), topic: Some("news".into()), ..Default::default() };
        let found = search(&store, &filter, None, 10).await;
        assert_eq!(found.rows.iter().map(|row| row.decision.id).collect::<Vec<_>>(), [of(n, String::new()).id], "{campaign}");
        assert_eq!(found.next, None);
    }
    let names = store.decision_names().await.expect("reads");
    assert_eq!((names.campaigns.len(), names.topics), (500, vec!["news".into()]));
}

#[tokio::test]
async fn absurd_questions_have_answers() {
    let (dir, store) = new_store().await;
    let (first, last) = (Timestamp::MIN, Timestamp::MAX);
    record(&store, [decision(&store, "a@x.example", 1)]).await;
    for (from, to, found) in [(first, last, 1), (last, first, 0), (last, last, 0), (first, first, 0)] {
        let filter = DecisionFilter { from: Some(from), to: Some(to), ..Default::default() };
        assert_eq!(search(&store, &filter, None, u32::MAX).await.rows.len(), found);
        assert_eq!(store.volume(from, to, Step::Day).await.expect("counts").len(), found);
        assert_eq!(store.event_counts(from, to, Step::Hour).await.expect("counts"), []);
    }
    for id in [[0; 16], [255; 16]] {
        let none = search(&store, &DecisionFilter::default(), Some(DecisionId(id)), 0).await;
        assert_eq!((none.rows.len(), none.next), (0, None));
        store.newer_decisions(&DecisionFilter::default(), DecisionId(id), 10).await.expect("reads");
    }
    let hostile = DecisionFilter { campaign: Some("' OR 1=1 --\0\u{1}%".into()), stream: Some(String::new()), ..Default::default() };
    assert_eq!(search(&store, &hostile, None, 10).await, DecisionPage::default());
    // what cannot be read is told, and nothing panics
    run(dir.path(), "UPDATE volume SET reason = 'gone'").await.expect("damages");
    assert!(matches!(store.volume(first, last, Step::Day).await, Err(StoreError::Damaged("a decision's reason"))));
    assert!(matches!(store.count_decisions().await, Err(StoreError::Damaged("a decision's reason"))));
    run(dir.path(), "UPDATE volume SET reason = 'no_consent', hour = 9223372036854775000").await.expect("damages");
    assert_eq!(store.volume(first, last, Step::Day).await.expect("counts"), []);
}

#[tokio::test]
async fn sign_ups_are_counted_in_their_hour_and_so_are_those_confirmed_later() {
    let (_dir, store) = new_store().await;
    let later = start() + hours(5);
    for n in 0..4 {
        request(&store, &format!("person{n}@x.example"), "news", n, start()).await;
    }
    for n in 0..3 {
        confirm(&store, n, later).await;
    }
    withdraw(&store, subject(&store, "person0@x.example").await, "news", later).await;
    withdraw(&store, subject(&store, "person1@x.example").await, "", later).await;
    let counts = store.event_counts(start(), later + hours(1), Step::Hour).await.expect("counts");
    let read: Vec<_> = counts.iter().map(|count| (count.from.to_string(), count.kind, count.number, count.answered)).collect();
    let (first, second) = ("2026-03-01T09:00:00Z".to_owned(), "2026-03-01T14:00:00Z".to_owned());
    let expected = [
        (first, EventKind::Requested, 4, 3),
        (second.clone(), EventKind::Given, 3, 0),
        (second.clone(), EventKind::Objected, 1, 0),
        (second, EventKind::Withdrawn, 1, 0),
    ];
    assert_eq!(read, expected);
    assert!(counts.iter().all(|count| count.controller == "acme"));
    let day = store.event_counts(start(), start() + hours(24), Step::Day).await.expect("counts");
    assert_eq!(day.iter().map(|count| count.number).collect::<Vec<_>>(), [3, 1, 4, 1]);
    assert_eq!(store.event_counts(later, later, Step::Day).await.expect("counts"), []);
}
