//! A subject's standing: the pure fold of its events. The projection in the store is this value, kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, EventKind, Suppression, Topic};

/// All that the ledger says of a subject, ready to decide on. Controllers and topics are kept apart;
/// the channel is e-mail (S0-09).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// `seq` of the last event folded in; 0 for a subject without events.
    pub seq: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    controllers: BTreeMap<String, ControllerStanding>,
    /// Kept apart from the events because they outlive them; filled in by the store.
    #[serde(skip)]
    pub suppressions: Vec<Suppression>,
}

/// Where and when in the ledger something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The event's `seq`.
    pub seq: u64,
    /// The event's time.
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct ControllerStanding {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    objected: Option<Mark>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    topics: BTreeMap<Topic, TopicMarks>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct TopicMarks {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requested: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<Grant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withdrawn: Option<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Grant {
    /// The confirmation.
    mark: Mark,
    /// `seq` of the request it answers: what counts against a withdrawal.
    answers: u64,
}

/// What the standing says about one topic of one controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicStanding {
    /// Confirmed by double opt-in and not withdrawn since it was asked for.
    Given(Mark),
    /// Objected to all advertising of the controller.
    Objected(Mark),
    /// Withdrawn.
    Withdrawn(Mark),
    /// Asked for and not confirmed yet.
    Requested(Mark),
    /// Nothing on record.
    Nothing,
}

impl Standing {
    /// The fold of a subject's events in order of `seq`.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        events.into_iter().fold(Self::default(), |standing, event| standing.with(event))
    }

    /// The standing after one more event.
    #[must_use]
    pub fn with(mut self, event: &Event) -> Self {
        let mark = Mark { seq: event.seq, at: event.at };
        self.seq = event.seq;
        let controller = match event.kind {
            EventKind::DoiMailSent | EventKind::DoiBounced => return self, // proof, no change of standing
            _ => self.controllers.entry(event.controller.clone()).or_default(),
        };
        if event.kind == EventKind::Objected {
            controller.objected = Some(mark);
            return self;
        }
        for topic in &event.topics {
            let marks = controller.topics.entry(topic.clone()).or_default();
            match event.kind {
                EventKind::Requested => marks.requested = Some(mark),
                // A grant that answers no request is no grant (I5, S0-10); a late answer to an old
                // request does not take the place of an answer to a newer one.
                EventKind::Given => {
                    let grant = event.answers.map(|answers| Grant { mark, answers });
                    marks.given = marks.given.into_iter().chain(grant).max_by_key(|grant| grant.answers);
                }
                EventKind::Withdrawn => marks.withdrawn = Some(mark),
                EventKind::DoiMailSent | EventKind::DoiBounced | EventKind::Objected => {}
            }
        }
        self
    }

    /// True when the person withdrew or objected after the event of that `seq`, whatever came later.
    pub fn refused_since(&self, seq: u64, controller: &str, topic: &Topic) -> bool {
        self.controllers.get(controller).is_some_and(|standing| standing.refused(topic) > seq)
    }

    /// What it says about mail of `controller` about `topic`. Consent to a parent covers its
    /// children; so does its withdrawal. What was *asked for* last counts: a confirmation whose
    /// request came before a withdrawal does not lift it (L-OBJ-05).
    pub fn of(&self, controller: &str, topic: &Topic) -> TopicStanding {
        let Some(standing) = self.controllers.get(controller) else {
            return TopicStanding::Nothing;
        };
        let covering = || standing.topics.iter().filter(|(own, _)| own.covers(topic)).map(|(_, marks)| marks);
        let withdrawn = covering().filter_map(|marks| marks.withdrawn).max_by_key(|mark| mark.seq);
        let refused = standing.refused(topic);
        let given = covering().filter_map(|marks| marks.given).max_by_key(|grant| grant.answers);
        let requested = covering().filter_map(|marks| marks.requested).max_by_key(|mark| mark.seq);
        match (given, standing.objected, withdrawn, requested) {
            (Some(grant), ..) if grant.answers > refused => TopicStanding::Given(grant.mark),
            (.., Some(mark)) if mark.seq > refused => TopicStanding::Requested(mark),
            (_, Some(mark), ..) => TopicStanding::Objected(mark),
            (_, _, Some(mark), _) => TopicStanding::Withdrawn(mark),
            _ => TopicStanding::Nothing,
        }
    }
}

impl ControllerStanding {
    /// `seq` of the last withdrawal or objection that concerns the topic; 0 without one.
    fn refused(&self, topic: &Topic) -> u64 {
        let withdrawn = self.topics.iter().filter(|(own, _)| own.covers(topic)).filter_map(|(_, marks)| marks.withdrawn);
        withdrawn.chain(self.objected).map(|mark| mark.seq).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consent::Source;

    fn event(seq: u64, kind: EventKind, topic: &str, answers: Option<u64>) -> Event {
        Event {
            seq,
            at: Timestamp::from_second(i64::try_from(seq).expect("small")).expect("valid"),
            kind,
            controller: "acme".into(),
            topics: if kind == EventKind::Objected { vec![] } else { vec![Topic::parse(topic).expect("valid")] },
            source: Source::Api,
            opt_in: None,
            answers,
            evidence: None,
        }
    }

    fn word(standing: &Standing, topic: &str) -> &'static str {
        match standing.of("acme", &Topic::parse(topic).expect("valid")) {
            TopicStanding::Given(_) => "given",
            TopicStanding::Objected(_) => "objected",
            TopicStanding::Withdrawn(_) => "withdrawn",
            TopicStanding::Requested(_) => "requested",
            TopicStanding::Nothing => "nothing",
        }
    }

    #[test]
    fn what_was_asked_for_last_counts() {
        use EventKind::{Given, Objected, Requested, Withdrawn};
        type Row = (&'static [(EventKind, &'static str, Option<u64>)], &'static str, &'static str);
        let rows: &[Row] = &[
            (&[], "news", "nothing"),
            (&[(Requested, "news", None)], "news", "requested"),
            (&[(Requested, "news", None), (Given, "news", Some(1))], "news", "given"),
            (&[(Requested, "news", None), (Given, "news", Some(1))], "news.weekly", "given"),
            (&[(Requested, "news.weekly", None), (Given, "news.weekly", Some(1))], "news", "nothing"),
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
            // I5: a grant without a request is none
            (&[(Given, "news", None)], "news", "nothing"),
        ];
        for (history, topic, expected) in rows {
            let events: Vec<Event> =
                history.iter().zip(1..).map(|((kind, topic, answers), seq)| event(seq, *kind, topic, *answers)).collect();
            assert_eq!(word(&Standing::fold(&events), topic), *expected, "{history:?} for {topic}");
        }
    }

    #[test]
    fn controllers_are_kept_apart() {
        // L-SOFT-06, R-02: consent names its controller
        let mut given = vec![event(1, EventKind::Requested, "news", None), event(2, EventKind::Given, "news", Some(1))];
        given[0].controller = "other".into();
        given[1].controller = "other".into();
        assert_eq!(word(&Standing::fold(&given), "news"), "nothing");
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
}
