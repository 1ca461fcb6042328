//! The fold, row by row and by properties.

use proptest::prelude::*;

use super::*;
use crate::consent::Source;

fn event(seq: u64, kind: EventKind, topic: &str, answers: Option<u64>) -> Event {
    let topics = if kind == EventKind::Objected { vec![] } else { vec![Topic::parse(topic).expect("valid")] };
    let at = Timestamp::from_second(i64::try_from(seq).expect("small")).expect("valid");
    Event { seq, answers, ..Event::new(kind, "acme", topics, Source::Api, at) }
}

fn word(standing: &Standing, topic: &str) -> &'static str {
    standing.of("acme", &Topic::parse(topic).expect("valid")).as_str()
}

#[test]
fn what_was_asked_for_last_counts() {
    use EventKind::{Given, Objected, Refused, Requested, Withdrawn};
    type Row = (&'static [(EventKind, &'static str, Option<u64>)], &'static str, &'static str);
    let rows: &[Row] = &[
        (&[], "news", "none"),
        (&[(Requested, "news", None)], "news", "requested"),
        (&[(Requested, "news", None), (Given, "news", Some(1))], "news", "given"),
        (&[(Requested, "news", None), (Given, "news", Some(1))], "news.weekly", "given"),
        (&[(Requested, "news.weekly", None), (Given, "news.weekly", Some(1))], "news", "none"),
        (&[(Requested, "news", None), (Given, "news", Some(1)), (Withdrawn, "news", None)], "news", "withdrawn"),
        (&[(Requested, "news", None), (Given, "news", Some(1)), (Withdrawn, "news.weekly", None)], "news", "given"),
        (&[(Requested, "news", None), (Given, "news", Some(1)), (Withdrawn, "news.weekly", None)], "news.weekly", "withdrawn"),
        (&[(Requested, "news", None), (Given, "news", Some(1)), (Objected, "", None)], "news", "objected"),
        // L-OBJ-05: a confirmation of an older request does not lift a withdrawal, a new one does
        (&[(Requested, "news", None), (Withdrawn, "news", None), (Given, "news", Some(1))], "news", "withdrawn"),
        (&[(Requested, "news", None), (Objected, "", None), (Given, "news", Some(1))], "news", "objected"),
        (&[(Objected, "", None), (Requested, "news", None)], "news", "requested"),
        (&[(Objected, "", None), (Requested, "news", None), (Given, "news", Some(2))], "news", "given"),
        // the answer to the newer request stands, in whatever order the answers come
        (
            &[
                (Requested, "news", None),
                (Withdrawn, "news", None),
                (Requested, "news", None),
                (Given, "news", Some(3)),
                (Given, "news", Some(1)),
            ],
            "news",
            "given",
        ),
        // S1-17: a no to a sign-up voids it and leaves older consents alone, whoever signed up
        (&[(Requested, "news", None), (Refused, "news", Some(1))], "news", "withdrawn"),
        (&[(Requested, "news", None), (Refused, "news", Some(1)), (Given, "news", Some(1))], "news", "withdrawn"),
        (&[(Requested, "news", None), (Refused, "news", Some(1)), (Requested, "news", None)], "news", "requested"),
        (&[(Requested, "news", None), (Given, "news", Some(1)), (Requested, "news", None), (Refused, "news", Some(3))], "news", "given"),
        (
            &[
                (Requested, "news", None),
                (Given, "news", Some(1)),
                (Requested, "news", None),
                (Refused, "news", Some(3)),
                (Withdrawn, "news", None),
            ],
            "news",
            "withdrawn",
        ),
        // I5: a grant without a request is none
        (&[(Given, "news", None)], "news", "none"),
        (&[(Given, "news", Some(0))], "news", "none"),
    ];
    for (history, topic, expected) in rows {
        let events: Vec<Event> = history.iter().zip(1..).map(|((kind, topic, answers), seq)| event(seq, *kind, topic, *answers)).collect();
        assert_eq!(word(&Standing::fold(&events), topic), *expected, "{history:?} for {topic}");
    }
}

#[test]
fn an_objection_stands_until_a_consent_answers_it() {
    // L-OBJ-05
    use EventKind::{Given, Objected, Requested};
    let history = [(Requested, None), (Given, Some(1)), (Objected, None), (Requested, None), (Given, Some(1)), (Given, Some(4))];
    let events: Vec<Event> = history.iter().zip(1..).map(|((kind, answers), seq)| event(seq, *kind, "news", *answers)).collect();
    let stands = |upto: usize| Standing::fold(&events[..upto]).objection("acme").map(|mark| mark.seq);
    assert_eq!([1, 2, 3, 4, 5, 6].map(stands), [None, None, Some(3), Some(3), Some(3), None]);
}

#[test]
fn an_objection_to_calls_ends_what_was_said_of_calls_and_nothing_else() {
    // S0-09
    use EventKind::{Given, Objected, Requested};
    let by_phone = |seq, kind, answers| Event { channel: Channel::Phone, ..event(seq, kind, "news", answers) };
    let mail = [event(1, Requested, "news", None), event(2, Given, "news", Some(1))];
    let calls = [by_phone(3, Requested, None), by_phone(4, Given, Some(3)), by_phone(5, Objected, None), by_phone(6, Given, Some(3))];
    let anew = [by_phone(7, Requested, None), by_phone(8, Given, Some(7))];
    let events = [&mail[..], &calls, &anew].concat();
    let topic = Topic::parse("news").expect("valid");
    let said = |upto: usize| Standing::fold(&events[..upto]).elsewhere("acme", Channel::Phone, &topic).as_str();
    assert_eq!([4, 5, 6, 7, 8].map(said), ["given", "withdrawn", "withdrawn", "requested", "given"]);
    assert_eq!(word(&Standing::fold(&events), "news"), "given");
}

#[test]
fn no_word_against_mail_touches_what_was_said_of_calls() {
    // S4-08
    use EventKind::{Bounce, Complaint, Disputed, Given, Objected, Requested, Withdrawn};
    let topic = Topic::parse("news").expect("valid");
    for no in [Withdrawn, Objected, Complaint, Disputed, Bounce] {
        let mut events = vec![event(1, Requested, "news", None), event(2, Given, "news", Some(1)), event(3, no, "news", None)];
        events.iter_mut().take(2).for_each(|event| event.channel = Channel::Phone);
        let standing = Standing::fold(&events);
        assert_eq!(standing.elsewhere("acme", Channel::Phone, &topic).as_str(), "given", "{no:?}");
        assert_ne!(word(&standing, "news"), "given", "{no:?}");
    }
}

#[test]
fn what_is_known_of_a_customer_outlives_every_no() {
    // S4-05
    let fact = crate::consent::Fact { trigger: Some(crate::consent::Trigger::Sale), own_address: true, ..Default::default() };
    let bought = Event { fact: Some(fact), ..event(1, EventKind::Purchase, "news", None) };
    for no in [EventKind::Withdrawn, EventKind::Objected, EventKind::Complaint, EventKind::Disputed, EventKind::Restricted] {
        let standing = Standing::fold(&[bought.clone(), event(2, no, "news", None)]);
        let kept: Vec<_> = standing.relations("acme").map(|relation| relation.product.to_string()).collect();
        assert_eq!(kept, ["news"], "{no:?}");
    }
}

#[test]
fn controllers_are_kept_apart() {
    // L-SOFT-06, R-02: consent names its controller
    let mut given = vec![event(1, EventKind::Requested, "news", None), event(2, EventKind::Given, "news", Some(1))];
    given[0].controller = "other".into();
    given[1].controller = "other".into();
    assert_eq!(word(&Standing::fold(&given), "news"), "none");
}

#[test]
fn a_confirmation_by_mail_says_nothing_about_calls_and_letters() {
    // L-DOI-06, L-CON-04
    let news = Topic::parse("news").expect("valid");
    let given = [event(1, EventKind::Requested, "news", None), event(2, EventKind::Given, "news", Some(1))];
    let standing = Standing::fold(&given);
    assert_eq!(standing.of("acme", &news).as_str(), "given");
    for channel in [Channel::Phone, Channel::Post] {
        assert_eq!(standing.elsewhere("acme", channel, &news), TopicStanding::Nothing);
    }
    let no_calls = Event { channel: Channel::Phone, ..event(3, EventKind::Withdrawn, "news", None) };
    let standing = standing.with(&no_calls);
    assert_eq!(standing.of("acme", &news).as_str(), "given");
    assert_eq!(standing.elsewhere("acme", Channel::Phone, &news).as_str(), "withdrawn");
}

#[test]
fn the_order_is_the_number_and_not_the_clock() {
    // the clock was set back between consent and withdrawal
    let mut history = [
        event(1, EventKind::Requested, "news", None),
        event(2, EventKind::Given, "news", Some(1)),
        event(3, EventKind::Withdrawn, "news", None),
    ];
    history[2].at = Timestamp::UNIX_EPOCH;
    assert_eq!(word(&Standing::fold(&history), "news"), "withdrawn");
}

#[test]
fn every_kind_of_event_has_its_word() {
    //
    for word in [
        "requested",
        "doi_mail_sent",
        "doi_bounced",
        "given",
        "refused",
        "withdrawn",
        "objected",
        "expired_idle",
        "restricted",
        "erased",
        "evidence_destroyed",
        "disputed",
        "imported",
        "purchase",
        "optout_notice_shown",
        "complaint",
        "bounce",
    ] {
        assert_eq!(EventKind::parse(word).map(EventKind::as_str), Some(word));
    }
}

fn any_history() -> impl Strategy<Value = Vec<(usize, usize, u64)>> {
    proptest::collection::vec((0..EventKind::ALL.len(), 0..3usize, 0..12u64), 0..12)
}

proptest! {
    #[test]
    fn nothing_passes_after_a_withdrawal_without_a_later_request_and_confirmation(history in any_history()) {
        let topics = ["news", "news.weekly", "shop"];
        let events: Vec<Event> = history
            .iter()
            .zip(1..)
            .map(|((kind, topic, answers), seq)| event(seq, EventKind::ALL[*kind], topics[*topic], (*answers < seq).then_some(*answers)))
            .collect();
        let standing = Standing::fold(&events);
        for topic in topics {
            let asked = Topic::parse(topic).expect("valid");
            let refused = events
                .iter()
                .filter(|e| e.kind == EventKind::Objected || (e.kind == EventKind::Withdrawn && e.topics.iter().any(|t| t.covers(&asked))))
                .map(|e| e.seq)
                .max()
                .unwrap_or(0);
            let lawful = events
                .iter()
                .any(|e| e.kind == EventKind::Given && e.answers.is_some_and(|a| a > refused) && e.topics.iter().any(|t| t.covers(&asked)));
            let given = matches!(standing.of("acme", &asked), TopicStanding::Given(_));
            prop_assert!(!given || lawful);
        }
    }

    #[test]
    fn a_stored_standing_reads_back_the_same(history in any_history()) {
        let events: Vec<Event> =
            history.iter().zip(1..).map(|((kind, _, answers), seq)| event(seq, EventKind::ALL[*kind], "news", Some(*answers))).collect();
        let standing = Standing::fold(&events);
        let stored = serde_json::to_string(&standing).expect("serialises");
        prop_assert_eq!(serde_json::from_str::<Standing>(&stored).expect("parses"), standing);
    }
}
