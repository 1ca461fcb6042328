//! A subject's standing: the pure fold of its events. The projection in the store is this value, kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Channel, Event, EventKind, Suppression, Topic};

/// All that the ledger says of a subject, ready to decide on. Controllers, topics and channels are kept apart (S0-09).
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
    #[serde(default, skip_serializing_if = "TopicMarks::is_empty")]
    tracking: TopicMarks,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pause: Option<Pause>,
}

/// A rest from all advertising of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The event.
    pub mark: Mark,
    /// When it ends by itself.
    pub until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct TopicMarks {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requested: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withdrawn: Option<Mark>,
}

impl TopicMarks {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, event: &Event, mark: Mark) {
        match event.kind {
            EventKind::Requested => self.requested = Some(mark),
            // A grant that answers no request is no grant (I5, S0-10); a late answer to an old
            // request does not take the place of an answer to a newer one.
            EventKind::Given => {
                let grant = event.answers.map(|answers| Answer { mark, answers });
                self.given = self.given.into_iter().chain(grant).max_by_key(|grant| grant.answers);
            }
            EventKind::Refused => self.refused = event.answers.map(|answers| Answer { mark, answers }),
            EventKind::Withdrawn => self.withdrawn = Some(mark),
            EventKind::DoiMailSent
            | EventKind::DoiBounced
            | EventKind::Objected
            | EventKind::Paused
            | EventKind::Resumed
            | EventKind::Erased => {}
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    /// The confirmation, or the refusal.
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
    /// Withdrawn; or all that was ever asked for was refused.
    Withdrawn(Mark),
    /// Asked for and not confirmed yet.
    Requested(Mark),
    /// Nothing on record.
    Nothing,
}

impl TopicStanding {
    /// The word on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given(_) => "given",
            Self::Objected(_) => "objected",
            Self::Withdrawn(_) => "withdrawn",
            Self::Requested(_) => "requested",
            Self::Nothing => "none",
        }
    }

    /// Since when.
    pub fn mark(self) -> Option<Mark> {
        match self {
            Self::Given(mark) | Self::Objected(mark) | Self::Withdrawn(mark) | Self::Requested(mark) => Some(mark),
            Self::Nothing => None,
        }
    }
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
            // Proof, no change of standing. What was never confirmed has no standing to lose.
            EventKind::DoiMailSent | EventKind::DoiBounced | EventKind::Erased => return self,
            _ => self.controllers.entry(event.controller.clone()).or_default(),
        };
        match (event.kind, event.channel) {
            (EventKind::Objected, _) => controller.objected = Some(mark),
            (EventKind::Paused, _) => controller.pause = event.until.map(|until| Pause { mark, until }),
            (EventKind::Resumed, _) => controller.pause = None,
            (_, Channel::Tracking) => controller.tracking.take(event, mark),
            (_, Channel::Email) => {
                event.topics.iter().for_each(|topic| controller.topics.entry(topic.clone()).or_default().take(event, mark));
            }
        }
        self
    }

    /// True when the person withdrew or objected after the event of that `seq`, whatever came later.
    pub fn withdrawn_since(&self, seq: u64, controller: &str, topic: &Topic) -> bool {
        self.controllers.get(controller).is_some_and(|standing| standing.withdrawn(topic) > seq)
    }

    /// True when the person withdrew, objected, or said no to a sign-up after the event of that `seq`, whatever came later.
    pub fn refused_since(&self, seq: u64, controller: &str, topic: &Topic) -> bool {
        self.controllers.get(controller).is_some_and(|standing| standing.withdrawn(topic).max(standing.refused(topic)) > seq)
    }

    /// True when the person objected to all advertising after the event of that `seq`, whatever came later.
    pub fn objected_since(&self, seq: u64, controller: &str) -> bool {
        self.controllers.get(controller).and_then(|standing| standing.objected).is_some_and(|mark| mark.seq > seq)
    }

    /// True when the person withdrew the consent to being measured after the event of that `seq`, whatever came later.
    pub fn tracking_withdrawn_since(&self, seq: u64, controller: &str) -> bool {
        self.controllers.get(controller).and_then(|standing| standing.tracking.withdrawn).is_some_and(|mark| mark.seq > seq)
    }

    /// `seq` of the last sign-up or consent for that channel of `controller`, or for any; 0 without one.
    pub fn last_ask(&self, controller: &str, channel: Option<Channel>) -> u64 {
        let Some(standing) = self.controllers.get(controller) else { return 0 };
        let topics = standing.topics.values().filter(|_| channel != Some(Channel::Tracking));
        let tracking = Some(&standing.tracking).filter(|_| channel != Some(Channel::Email));
        let asks = topics.chain(tracking).flat_map(|marks| marks.requested.into_iter().chain(marks.given.map(|grant| grant.mark)));
        asks.map(|mark| mark.seq).max().unwrap_or(0)
    }

    /// What it says about mail of `controller` about `topic`. Consent to a parent covers its
    /// children; so does its withdrawal. What was *asked for* last counts: a confirmation whose
    /// request came before a withdrawal does not lift it (L-OBJ-05).
    pub fn of(&self, controller: &str, topic: &Topic) -> TopicStanding {
        let Some(standing) = self.controllers.get(controller) else {
            return TopicStanding::Nothing;
        };
        standing.said(standing.covering(topic))
    }

    /// What it says about measuring this person on behalf of `controller` (L-TRK-01). An objection to advertising ends
    /// it, too (L-OBJ-06); a withdrawal of advertising does not.
    pub fn tracking(&self, controller: &str) -> TopicStanding {
        self.controllers.get(controller).map_or(TopicStanding::Nothing, |standing| standing.said([&standing.tracking]))
    }

    /// The rest from all advertising of `controller` that is in force at `now`. It ends by the clock alone (S0-05).
    pub fn pause(&self, controller: &str, now: Timestamp) -> Option<Pause> {
        self.controllers.get(controller)?.pause.filter(|pause| now < pause.until)
    }

    /// The objection to all advertising of `controller`, as long as no consent that was asked for later answers it
    /// (L-OBJ-05).
    pub fn objection(&self, controller: &str) -> Option<Mark> {
        let standing = self.controllers.get(controller)?;
        let answers = |objected: &Mark| standing.topics.values().any(|marks| marks.given.is_some_and(|grant| grant.answers > objected.seq));
        standing.objected.filter(|objected| !answers(objected))
    }

    /// All topics of `controller` that anything is on record about, with what it says.
    pub fn topics<'a>(&'a self, controller: &str) -> impl Iterator<Item = (&'a Topic, TopicStanding)> {
        let standing = self.controllers.get_key_value(controller);
        standing.into_iter().flat_map(move |(key, standing)| standing.topics.keys().map(move |topic| (topic, self.of(key, topic))))
    }
}

impl ControllerStanding {
    /// What the marks say together, against an objection.
    fn said<'a>(&self, marks: impl IntoIterator<Item = &'a TopicMarks>) -> TopicStanding {
        let (mut given, mut refused, mut withdrawn, mut requested) = (None::<Answer>, None::<Mark>, None::<Mark>, None::<Mark>);
        for marks in marks {
            // Who said no to a request has not said yes to it, in whatever order the two came.
            let is_taken_back = |grant: &Answer| marks.refused.is_some_and(|refused| refused.answers == grant.answers);
            given = given.into_iter().chain(marks.given.filter(|grant| !is_taken_back(grant))).max_by_key(|grant| grant.answers);
            refused = refused.into_iter().chain(marks.refused.map(|refused| refused.mark)).max_by_key(|mark| mark.seq);
            withdrawn = withdrawn.into_iter().chain(marks.withdrawn).max_by_key(|mark| mark.seq);
            requested = requested.into_iter().chain(marks.requested).max_by_key(|mark| mark.seq);
        }
        let stopped = withdrawn.into_iter().chain(self.objected).map(|mark| mark.seq).max().unwrap_or(0);
        let answered = stopped.max(refused.map_or(0, |mark| mark.seq));
        match (given, self.objected, withdrawn.or(refused), requested) {
            (Some(grant), ..) if grant.answers > stopped => TopicStanding::Given(grant.mark),
            (.., Some(mark)) if mark.seq > answered => TopicStanding::Requested(mark),
            (_, Some(mark), ..) => TopicStanding::Objected(mark),
            (_, _, Some(mark), _) => TopicStanding::Withdrawn(mark),
            _ => TopicStanding::Nothing,
        }
    }

    /// `seq` of the last withdrawal or objection that concerns the topic; 0 without one.
    fn withdrawn(&self, topic: &Topic) -> u64 {
        let withdrawn = self.covering(topic).filter_map(|marks| marks.withdrawn);
        withdrawn.chain(self.objected).map(|mark| mark.seq).max().unwrap_or(0)
    }

    /// `seq` of the last refusal of a sign-up that concerns the topic; 0 without one.
    fn refused(&self, topic: &Topic) -> u64 {
        self.covering(topic).filter_map(|marks| marks.refused).map(|refused| refused.mark.seq).max().unwrap_or(0)
    }

    fn covering(&self, topic: &Topic) -> impl Iterator<Item = &TopicMarks> {
        self.topics.iter().filter(|(own, _)| own.covers(topic)).map(|(_, marks)| marks)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consent::Source;

    fn event(seq: u64, kind: EventKind, topic: &str, answers: Option<u64>) -> Event {
        let topics = if kind == EventKind::Objected { vec![] } else { vec![Topic::parse(topic).expect("valid")] };
        let at = Timestamp::from_second(i64::try_from(seq).expect("small")).expect("valid");
        Event { seq, answers, ..Event::new(kind, "acme", topics, Source::Api, at) }
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
        use EventKind::{Given, Objected, Refused, Requested, Withdrawn};
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
            // S1-17: a no to a sign-up voids it and leaves older consents alone, whoever signed up
            (&[(Requested, "news", None), (Refused, "news", Some(1))], "news", "withdrawn"),
            (&[(Requested, "news", None), (Refused, "news", Some(1)), (Given, "news", Some(1))], "news", "withdrawn"),
            (&[(Requested, "news", None), (Refused, "news", Some(1)), (Requested, "news", None)], "news", "requested"),
            (
                &[(Requested, "news", None), (Given, "news", Some(1)), (Requested, "news", None), (Refused, "news", Some(3))],
                "news",
                "given",
            ),
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
            (&[(Given, "news", None)], "news", "nothing"),
        ];
        for (history, topic, expected) in rows {
            let events: Vec<Event> =
                history.iter().zip(1..).map(|((kind, topic, answers), seq)| event(seq, *kind, topic, *answers)).collect();
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
