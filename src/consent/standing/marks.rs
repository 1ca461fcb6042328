//! What a controller has on record about one person: marks, and what they say together.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::relation::Relations;
use super::{Mark, Pause, TopicStanding};
use crate::consent::{Channel, Country, Event, EventKind, Topic};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ControllerStanding {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) objected: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) complained: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) disputed: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bounced: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restricted: Option<Mark>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) topics: BTreeMap<Topic, TopicMarks>,
    #[serde(default, skip_serializing_if = "TopicMarks::is_empty")]
    pub(super) tracking: TopicMarks,
    /// Of the channels that no mail goes by: kept, and no part of a decision about mail (S0-09).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) elsewhere: BTreeMap<Channel, BTreeMap<Topic, TopicMarks>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pause: Option<Pause>,
    #[serde(default, skip_serializing_if = "Relations::is_empty")]
    pub(super) relations: Relations,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) country: Option<Country>,
    /// When the person last did something themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) active: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct TopicMarks {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requested: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) given: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) withdrawn: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expired: Option<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The confirmation, or the refusal.
    pub(super) mark: Mark,
    /// `seq` of the request it answers: what counts against a withdrawal.
    pub(super) answers: u64,
}

impl TopicMarks {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, event: &Event, mark: Mark) {
        match event.kind {
            EventKind::Requested => self.requested = Some(mark),
            // A grant that answers no request is no grant (I5, S0-10): requests count from 1. A late answer to an old
            // request does not take the place of an answer to a newer one.
            EventKind::Given => {
                let grant = event.answers.filter(|request| *request > 0).map(|answers| Answer { mark, answers });
                self.given = self.given.into_iter().chain(grant).max_by_key(|grant| grant.answers);
            }
            EventKind::Refused => self.refused = event.answers.map(|answers| Answer { mark, answers }),
            EventKind::Withdrawn => self.withdrawn = Some(mark),
            EventKind::ExpiredIdle => self.expired = Some(mark),
            _ => {} // about the controller, or no standing at all
        }
    }
}

impl ControllerStanding {
    pub(super) fn take(&mut self, event: &Event, mark: Mark) {
        let fact = event.fact.clone().unwrap_or_default();
        let occurred = fact.occurred.unwrap_or(event.at);
        if fact.country.is_some() {
            self.country = fact.country;
        }
        if matches!(event.kind, EventKind::Given | EventKind::Paused | EventKind::Resumed | EventKind::Purchase) {
            self.active = self.active.max(Some(occurred));
        }
        match (event.kind, event.channel) {
            (EventKind::EvidenceDestroyed, _) => self.lose_evidence(mark),
            (EventKind::Restricted, _) => self.restricted = Some(mark),
            (EventKind::Unrestricted, _) => self.restricted = None,
            (EventKind::Complaint, _) => self.complained = Some(mark),
            (EventKind::Disputed, _) => self.disputed = Some(mark),
            (EventKind::Bounce, _) => self.bounced = Some(mark),
            (EventKind::Purchase, _) => self.relations.take(event, &fact),
            (EventKind::NoticeShown, _) => self.relations.tell(occurred),
            (EventKind::Paused, _) => self.pause = event.until.map(|until| Pause { mark, until }),
            (EventKind::Resumed, _) => self.pause = None,
            (EventKind::Rectified, _) | (EventKind::Objected, Channel::Email | Channel::Tracking) => self.objected = Some(mark),
            (EventKind::Objected, channel) => self.object_elsewhere(channel, mark),
            (_, Channel::Tracking) => self.tracking.take(event, mark),
            (_, Channel::Email) => take_each(&mut self.topics, event, mark),
            (_, channel) => take_each(self.elsewhere.entry(channel).or_default(), event, mark),
        }
    }

    /// A consent that cannot be proven any more has lapsed, on every channel (GDPR Art. 7(1)).
    fn lose_evidence(&mut self, mark: Mark) {
        let elsewhere = self.elsewhere.values_mut().flat_map(BTreeMap::values_mut);
        let all = self.topics.values_mut().chain(elsewhere).chain([&mut self.tracking]);
        all.filter(|marks| marks.given.is_some()).for_each(|marks| marks.expired = Some(mark));
    }

    /// An objection to calls or letters says nothing about mail (S0-09), and ends every consent to them that is on record or
    /// asked for.
    fn object_elsewhere(&mut self, channel: Channel, mark: Mark) {
        self.elsewhere.entry(channel).or_default().values_mut().for_each(|marks| marks.withdrawn = Some(mark));
    }

    /// What the marks say together, against what was said to the controller as a whole.
    pub(super) fn said<'a>(&self, marks: impl IntoIterator<Item = &'a TopicMarks>) -> TopicStanding {
        let sum = Sum::of(marks);
        let stop = self.stop_of(&sum);
        let expired = sum.expired.filter(|mark| sum.answers() <= mark.seq);
        match (sum.given, stop, expired) {
            (Some(grant), None, None) => TopicStanding::Given(grant.mark),
            (_, stop, expired) => {
                // a request that came after every no is open
                let answered = stop.and_then(TopicStanding::mark).into_iter().chain(sum.stops()).chain(self.stops()).chain(expired);
                let answered = answered.map(|mark| mark.seq).max().unwrap_or(0);
                let open = sum.requested.filter(|request| request.seq > answered);
                let said = [open.map(TopicStanding::Requested), stop, expired.map(TopicStanding::Expired)];
                said.into_iter().flatten().next().unwrap_or(TopicStanding::Nothing)
            }
        }
    }

    /// The no that stands, whatever was asked for since: no exemption passes over it.
    pub(super) fn stop(&self, topic: &Topic) -> Option<TopicStanding> {
        self.stop_of(&Sum::of(self.covering(topic)))
    }

    /// What was *asked for* last counts: a confirmation whose request came before a no does not lift it (L-OBJ-05). A mailbox
    /// that bounced exists when anything was confirmed from it since.
    fn stop_of(&self, sum: &Sum) -> Option<TopicStanding> {
        let asked = sum.answers();
        let confirmed = self.topics.values().chain([&self.tracking]).filter_map(|marks| marks.given).map(|grant| grant.mark.seq).max();
        let confirmed = confirmed.unwrap_or(0);
        let since = |mark: &Mark, seq: u64| mark.seq >= seq;
        let refused = sum.refused.filter(|_| sum.given.is_none());
        [
            self.disputed.filter(|mark| since(mark, asked)).map(TopicStanding::Disputed),
            self.complained.filter(|mark| since(mark, asked)).map(TopicStanding::Complained),
            self.objected.filter(|mark| since(mark, asked)).map(TopicStanding::Objected),
            sum.withdrawn.filter(|mark| since(mark, asked)).or(refused).map(TopicStanding::Withdrawn),
            self.bounced.filter(|mark| since(mark, confirmed)).map(TopicStanding::Bounced),
        ]
        .into_iter()
        .flatten()
        .next()
    }

    /// Everything said against the controller as a whole that a request must come after.
    fn stops(&self) -> impl Iterator<Item = Mark> {
        [self.objected, self.complained, self.disputed].into_iter().flatten()
    }

    /// `seq` of the last withdrawal, objection, complaint or dispute that concerns the topic; 0 without one.
    pub(super) fn withdrawn(&self, topic: &Topic) -> u64 {
        let withdrawn = self.covering(topic).filter_map(|marks| marks.withdrawn);
        withdrawn.chain(self.stops()).map(|mark| mark.seq).max().unwrap_or(0)
    }

    /// `seq` of the last refusal of a sign-up that concerns the topic; 0 without one.
    pub(super) fn refused(&self, topic: &Topic) -> u64 {
        self.covering(topic).filter_map(|marks| marks.refused).map(|refused| refused.mark.seq).max().unwrap_or(0)
    }

    pub(super) fn covering(&self, topic: &Topic) -> impl Iterator<Item = &TopicMarks> {
        covering(&self.topics, topic)
    }
}

pub(super) fn covering<'a>(topics: &'a BTreeMap<Topic, TopicMarks>, topic: &Topic) -> impl Iterator<Item = &'a TopicMarks> {
    topics.iter().filter(|(own, _)| own.covers(topic)).map(|(_, marks)| marks)
}

fn take_each(topics: &mut BTreeMap<Topic, TopicMarks>, event: &Event, mark: Mark) {
    event.topics.iter().for_each(|topic| topics.entry(topic.clone()).or_default().take(event, mark));
}

/// The marks of a topic and of those above it, the last of each kind.
#[derive(Default)]
struct Sum {
    requested: Option<Mark>,
    given: Option<Answer>,
    refused: Option<Mark>,
    withdrawn: Option<Mark>,
    expired: Option<Mark>,
}

impl Sum {
    fn of<'a>(marks: impl IntoIterator<Item = &'a TopicMarks>) -> Self {
        let later = |one: Option<Mark>, other: Option<Mark>| one.into_iter().chain(other).max_by_key(|mark| mark.seq);
        marks.into_iter().fold(Self::default(), |sum, marks| {
            // Who said no to a request has not said yes to it, in whatever order the two came.
            let is_taken_back = |grant: &Answer| marks.refused.is_some_and(|refused| refused.answers == grant.answers);
            let given = marks.given.filter(|grant| !is_taken_back(grant));
            Self {
                requested: later(sum.requested, marks.requested),
                given: sum.given.into_iter().chain(given).max_by_key(|grant| grant.answers),
                refused: later(sum.refused, marks.refused.map(|refused| refused.mark)),
                withdrawn: later(sum.withdrawn, marks.withdrawn),
                expired: later(sum.expired, marks.expired),
            }
        })
    }

    /// `seq` of the request that the grant answers; 0 without a grant.
    fn answers(&self) -> u64 {
        self.given.map_or(0, |grant| grant.answers)
    }

    fn stops(&self) -> impl Iterator<Item = Mark> {
        [self.withdrawn, self.refused].into_iter().flatten()
    }
}
