//! The decision by truth tables: each `tests/decisions/*.toml` is a table, each of its rows a history, a question and the one
//! answer. Every reason that the rules can give is reached by some row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use consentry::consent::{
    Catalogue, Channel, Country, Event, EventKind, Fact, ProfileName, Reason, Source, Standing, Suppression, Topic, TopicEntry, Trigger,
    Verdict,
};
use consentry::decide::{Finding, Question, decide};
use consentry::mail::{AnswerProfile, Class, Classification, Dispute, Step, Stream, StreamClass, StreamMode, Trust};
use consentry::policy::{Case, Policy, PolicySettings, ProfileChange, SimilarTopics};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The requirements its rows prove.
    proves: String,
    /// As in a configuration.
    #[serde(default)]
    policy: PolicySettings,
    #[serde(default)]
    profile: BTreeMap<ProfileName, ProfileChange>,
    #[serde(default)]
    similar: Vec<SimilarTopics>,
    /// Where acme has its seat.
    seat: Option<Country>,
    row: Vec<Row>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// `TIME KIND WORDS…` each; see [`event`].
    #[serde(default)]
    history: Vec<String>,
    /// The topic of the mail; none for a mail without one.
    mail: Option<String>,
    /// When it is decided on.
    at: DateTime,
    expect: String,
    /// `seq` of the event the answer rests on, where it matters.
    event: Option<u64>,
    /// The profile that had the last word, where it matters.
    by: Option<ProfileName>,
    #[serde(default)]
    transactional: bool,
    #[serde(default)]
    foreign_from: bool,
    /// Its content says something else; and what the stream does then.
    disputed: Option<Dispute>,
    #[serde(default)]
    listed: bool,
    #[serde(default)]
    shadow: bool,
    /// In shadow: what would have been said.
    instead: Option<String>,
    /// When acme last wrote.
    contacted: Option<DateTime>,
    /// Of an erased person.
    suppressed: Option<String>,
}

fn tables() -> Vec<(PathBuf, Table)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decisions");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).expect("the tables are there").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("readable");
        let table = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, table)
    };
    paths.into_iter().map(read).collect()
}

fn time(at: DateTime) -> Timestamp {
    at.to_zoned(TimeZone::UTC).expect("a time").timestamp()
}

fn topic(text: &str) -> Topic {
    Topic::parse(text).expect(text)
}

/// `TIME KIND`, then in any order: topics, a trigger, `own` (the customer gave the address), `notice` (told that they may
/// object), `in CC` written `in=CC`, `by=CONTROLLER`, `channel=NAME`, `until=TIME`, `answers=SEQ`. A confirmation answers the last
/// request unless it says otherwise; a fact happened when its event is written unless `occurred=TIME` says otherwise.
fn event(line: &str, before: &[Event]) -> Event {
    let mut words = line.split_whitespace();
    let at: DateTime = words.next().expect("a time").parse().expect(line);
    let kind = EventKind::parse(words.next().expect("a kind")).unwrap_or_else(|| panic!("kind in {line}"));
    let mut event = Event { seq: before.len() as u64 + 1, ..Event::new(kind, "acme", Vec::new(), Source::System, time(at)) };
    let mut fact = Fact::default();
    for word in words {
        match word.split_once('=') {
            Some(("in", country)) => fact.country = Some(Country::parse(country).expect(line)),
            Some(("by", controller)) => event.controller = controller.into(),
            Some(("channel", channel)) => event.channel = Channel::parse(channel).expect(line),
            Some(("until", until)) => event.until = Some(time(until.parse().expect(line))),
            Some(("occurred", at)) => fact.occurred = Some(time(at.parse().expect(line))),
            Some(("answers", seq)) => event.answers = Some(seq.parse().expect(line)),
            Some(_) => panic!("{word} in {line}"),
            None if word == "own" => fact.own_address = true,
            None if word == "notice" => fact.notice = Some("00".repeat(32)),
            None => match Trigger::ALL.into_iter().find(|trigger| trigger.as_str() == word) {
                Some(trigger) => fact.trigger = Some(trigger),
                None => event.topics.push(topic(word)),
            },
        }
    }
    if matches!(kind, EventKind::Given | EventKind::Refused) {
        let request = before.iter().rev().find(|event| event.kind == EventKind::Requested).map(|event| event.seq);
        event.answers = event.answers.or(request);
    }
    event.fact = (fact != Fact::default()).then_some(fact);
    event
}

fn catalogue() -> Catalogue {
    let entry = |(name, controller): (&str, &str)| TopicEntry {
        name: topic(name),
        controller: controller.into(),
        title: name.into(),
        list_id: format!("{name}.example"),
    };
    let topics = [
        ("news", "acme"),
        ("news.weekly", "acme"),
        ("fashion.bags", "acme"),
        ("fashion.shoes", "acme"),
        ("home.appliance", "acme"),
        ("globex", "globex"),
    ];
    Catalogue { topics: topics.map(entry).to_vec(), ..Catalogue::default() }
}

fn answer(table: &Table, row: &Row) -> Finding {
    let mut events: Vec<Event> = Vec::new();
    for line in &row.history {
        events.push(event(line, &events));
    }
    let mut standing = Standing::fold(&events);
    standing.contacted.extend(row.contacted.map(|at| ("acme".to_owned(), time(at))));
    let suppression =
        |reason: &str| Suppression { controller: "acme".into(), topic: None, reason: Reason::parse(reason).expect("a reason") };
    standing.suppressions.extend(row.suppressed.as_deref().map(suppression));
    let stream = Stream {
        name: "s".into(),
        controller: "acme".into(),
        class: StreamClass::Declared,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: if row.shadow { StreamMode::Shadow } else { StreamMode::Enforce },
        disputed: row.disputed.unwrap_or(Dispute::Enforce),
        bulk: Default::default(),
    };
    let content = Step { trust: Trust::Content, says: Class::Marketing, why: "content".into() };
    let steps = row.disputed.map(|_| content).into_iter().collect();
    let class = if row.transactional { Class::Transactional } else { Class::Marketing };
    let seats = BTreeMap::from([("acme".to_owned(), table.seat)]);
    decide(Question {
        stream: &stream,
        classification: &Classification { class, topic: row.mail.clone(), campaign: None, steps },
        from_allowed: !row.foreign_from,
        standing: Some(&standing).filter(|standing| **standing != Standing::default()),
        listed: row.listed,
        catalogue: &catalogue(),
        policy: &Policy::new(&table.policy, table.profile.clone(), table.similar.clone(), seats),
        now: time(row.at),
    })
}

#[test]
fn each_row_of_each_table_is_answered_as_it_says() {
    let mut wrong = Vec::new();
    let mut reached = BTreeSet::new();
    for (path, table) in tables() {
        let mut names = BTreeSet::new();
        for row in &table.row {
            let place = format!("{} ({}): {}", path.file_name().expect("a file").to_string_lossy(), table.proves, row.name);
            assert!(names.insert(&row.name), "{place}: twice");
            let finding = answer(&table, row);
            reached.insert(finding.reason.as_str());
            let shadowed = finding.shadowed.map(Reason::as_str);
            let as_said = finding.reason.as_str() == row.expect
                && row.event.is_none_or(|event| finding.event == Some(event))
                && row.by.is_none_or(|profile| finding.profile == Some(profile))
                && shadowed == row.instead.as_deref();
            if !as_said {
                wrong.push(format!("{place}: {finding:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // the ledger's absence is no rule: it is told before there is a decision (I4)
    let missed: Vec<_> =
        Reason::ALL.into_iter().filter(|reason| *reason != Reason::LedgerUnavailable && !reached.contains(reason.as_str())).collect();
    assert!(missed.is_empty(), "no row reaches {missed:?}");
}

fn stream() -> Stream {
    Stream {
        name: "s".into(),
        controller: "acme".into(),
        class: StreamClass::Declared,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: StreamMode::Enforce,
        disputed: Dispute::Enforce,
        bulk: Default::default(),
    }
}

#[test]
fn what_an_american_calls_a_relationship_message_is_advertising_to_a_german() {
    // J-05: a statement of account with offers in it; no profile is asked for the class
    let raw =
        "From: a@acme.example\r\nConsentry-Topic: news\r\nList-Unsubscribe: <https://acme.example/u>\r\n\r\nYour points, and offers\r\n";
    let message = consentry::mail::Message::parse(raw.into(), false).expect("a message");
    let shop = Stream { class: StreamClass::Transactional, ..stream() };
    assert_eq!(
        consentry::classify::Classifier::default().classify(&shop, consentry::classify::Path::Named, &message).class,
        Class::Marketing
    );
    let now = time("2026-11-25T10:00:00".parse().expect("a time"));
    for (profile, seat, expected) in [
        ("us-canspam", "US", Reason::OptOutRegime),
        ("us-canspam", "DE", Reason::NoConsent),
        ("de", "US", Reason::NoConsent),
        ("de", "DE", Reason::NoConsent),
    ] {
        assert_eq!(under(profile, seat, &[], "news", now), expected, "{profile} {seat}");
    }
}

fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let topics = ["news", "news.weekly", "fashion.bags", "fashion.shoes"];
    let one = (0..EventKind::ALL.len(), 0..topics.len(), 0..Trigger::ALL.len(), 0..4u8, 0..12u64, 0..1_500i64);
    proptest::collection::vec(one, 0..14).prop_map(move |lines| {
        let day = |days: i64| time("2023-01-01T00:00:00".parse().expect("a time")) + SignedDuration::from_hours(24 * days);
        let event = |((kind, name, trigger, flags, answers, days), seq): ((usize, usize, usize, u8, u64, i64), u64)| {
            let fact = Fact {
                occurred: Some(day(days)),
                trigger: Some(Trigger::ALL[trigger]),
                own_address: flags & 1 != 0,
                notice: (flags & 2 != 0).then(|| "00".repeat(32)),
                ..Fact::default()
            };
            let bare = Event::new(EventKind::ALL[kind], "acme", vec![topic(topics[name])], Source::System, day(days));
            Event { seq, answers: (answers < seq).then_some(answers), until: Some(day(days + 30)), fact: Some(fact), ..bare }
        };
        lines.into_iter().zip(1..).map(event).collect()
    })
}

/// What a profile alone says, for sender, recipient and default.
fn under(profile: &str, seat: &str, events: &[Event], mail: &str, now: Timestamp) -> Reason {
    let mut standing = Standing::fold(events);
    let told = Fact { country: Some(Country::parse(seat).expect("a country")), ..Fact::default() };
    let told =
        Event { seq: standing.seq + 1, fact: Some(told), ..Event::new(EventKind::NoticeShown, "acme", Vec::new(), Source::System, now) };
    standing = standing.with(&told);
    let settings = PolicySettings { default: ProfileName::parse(profile), ..PolicySettings::default() };
    let seats = BTreeMap::from([("acme".to_owned(), Some(Country::parse(seat).expect("a country")))]);
    let policy = Policy::new(&settings, BTreeMap::new(), Vec::new(), seats);
    let mail = topic(mail);
    policy.judge(Case { controller: "acme", topic: &mail, standing: &standing, listed: false, now }).reason
}

proptest! {
    #[test]
    fn the_german_profile_passes_nothing_that_the_european_one_blocks(events in any_history(), days in 0..2_000i64) {
        let now = time("2023-01-01T00:00:00".parse().expect("a time")) + SignedDuration::from_hours(24 * days);
        for mail in ["news", "fashion.bags"] {
            let (de, eu) = (under("de", "DE", &events, mail, now), under("eu", "FR", &events, mail, now));
            prop_assert!(de.verdict() != Verdict::Pass || eu.verdict() == Verdict::Pass, "{mail}: de {de}, eu {eu}");
        }
    }

    #[test]
    fn nobody_who_said_no_since_the_last_confirmed_request_is_written_to(events in any_history(), days in 0..2_000i64) {
        let now = time("2023-01-01T00:00:00".parse().expect("a time")) + SignedDuration::from_hours(24 * days);
        let mail = topic("news");
        let covers = |event: &&Event| event.topics.iter().any(|own| own.covers(&mail));
        let no = |event: &&Event| match event.kind {
            EventKind::Objected | EventKind::Complaint | EventKind::Disputed => true,
            EventKind::Withdrawn => covers(event),
            _ => false,
        };
        let last_no = events.iter().filter(no).map(|event| event.seq).max();
        let answered = events.iter().filter(|event| event.kind == EventKind::Given).filter(covers).filter_map(|event| event.answers).max();
        if last_no.is_some_and(|no| answered.is_none_or(|request| request <= no)) {
            for (profile, seat) in [("de", "DE"), ("us-canspam", "US"), ("ca-casl", "CA"), ("eu", "FR")] {
                let reason = under(profile, seat, &events, "news", now);
                prop_assert!(reason.verdict() != Verdict::Pass, "{profile}: {reason}");
            }
        }
    }
}
