//! A subject's standing: the pure fold of its events. The projection in the store is this value, kept.

mod marks;
mod relation;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Channel, Country, Event, EventKind, Suppression, Topic};
use marks::{ControllerStanding, covering};
pub use relation::Relation;

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
    /// When each controller last sent advertising, to a month: no event; filled in by the store.
    #[serde(skip)]
    pub contacted: BTreeMap<String, Timestamp>,
}

/// Where and when in the ledger something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The event's `seq`.
    pub seq: u64,
    /// The event's time.
    pub at: Timestamp,
}

/// A rest from all advertising of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The event.
    pub mark: Mark,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// What the standing says about one topic of one controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicStanding {
    /// Confirmed by double opt-in and not withdrawn since it was asked for.
    Given(Mark),
    /// Objected to all advertising of the controller.
    Objected(Mark),
    /// Complained of the controller's advertising.
    Complained(Mark),
    /// Says that the consent was not theirs.
    Disputed(Mark),
    /// Withdrawn; or all that was ever asked for was refused.
    Withdrawn(Mark),
    /// The mailbox does not exist, as far as is known.
    Bounced(Mark),
    /// Lapsed, in somebody's judgement.
    Expired(Mark),
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
            Self::Complained(_) => "complained",
            Self::Disputed(_) => "disputed",
            Self::Withdrawn(_) => "withdrawn",
            Self::Bounced(_) => "bounced",
            Self::Expired(_) => "expired",
            Self::Requested(_) => "requested",
            Self::Nothing => "none",
        }
    }

    /// Since when.
    pub fn mark(self) -> Option<Mark> {
        match self {
            Self::Given(mark)
            | Self::Objected(mark)
            | Self::Complained(mark)
            | Self::Disputed(mark)
            | Self::Withdrawn(mark)
            | Self::Bounced(mark)
            | Self::Expired(mark)
            | Self::Requested(mark) => Some(mark),
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
        self.seq = event.seq;
        match event.kind {
            // Proof, no change of standing. What was never confirmed has no standing to lose, an erasure that a person wanted comes
            // with an objection, and what another system has on its books gives none.
            EventKind::DoiMailSent | EventKind::DoiBounced | EventKind::Imported | EventKind::Erased => {}
            _ => {
                let mark = Mark { seq: event.seq, at: event.at };
                self.controllers.entry(event.controller.clone()).or_default().take(event, mark);
            }
        }
        self
    }

    /// True when the person said no to all or some of it after the event of that `seq`, whatever came later.
    pub fn withdrawn_since(&self, seq: u64, controller: &str, topic: &Topic) -> bool {
        self.controllers.get(controller).is_some_and(|standing| standing.withdrawn(topic) > seq)
    }

    /// True when the person withdrew, objected, or said no to a sign-up after the event of that `seq`, whatever came later.
    pub fn refused_since(&self, seq: u64, controller: &str, topic: &Topic) -> bool {
        self.controllers.get(controller).is_some_and(|standing| standing.withdrawn(topic).max(standing.refused(topic)) > seq)
    }

    /// True when the person objected to all advertising after the event of that `seq`, whatever came later.
    pub fn objected_since(&self, seq: u64, controller: &str) -> bool {
        self.last(controller, EventKind::Objected).is_some_and(|mark| mark.seq > seq)
    }

    /// What was last said of that kind about `controller` as a whole, for the kinds of which one word concerns everything.
    pub fn last(&self, controller: &str, kind: EventKind) -> Option<Mark> {
        let standing = self.controllers.get(controller)?;
        match kind {
            EventKind::Objected => standing.objected,
            EventKind::Complaint => standing.complained,
            EventKind::Disputed => standing.disputed,
            EventKind::Bounce => standing.bounced,
            EventKind::Restricted => standing.restricted,
            _ => None,
        }
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

    /// What it says about mail of `controller` about `topic`. Consent to a parent covers its children; so does its withdrawal.
    pub fn of(&self, controller: &str, topic: &Topic) -> TopicStanding {
        let Some(standing) = self.controllers.get(controller) else {
            return TopicStanding::Nothing;
        };
        standing.said(standing.covering(topic))
    }

    /// The no that stands against mail of `controller` about `topic`, though something was asked for since: what is not
    /// answered by a confirmed opt-in stops every other basis, too (L-OBJ-05, L-SOFT-01 no. 3).
    pub fn stop(&self, controller: &str, topic: &Topic) -> Option<TopicStanding> {
        self.controllers.get(controller)?.stop(topic)
    }

    /// The no that stands against any topic of `controller`.
    pub fn any_stop(&self, controller: &str) -> Option<TopicStanding> {
        let standing = self.controllers.get(controller)?;
        standing.topics.keys().find_map(|topic| standing.stop(topic))
    }

    /// What it says about another channel of `controller` about `topic`: nothing that concerns mail (S0-09).
    pub fn elsewhere(&self, controller: &str, channel: Channel, topic: &Topic) -> TopicStanding {
        let Some(standing) = self.controllers.get(controller) else { return TopicStanding::Nothing };
        // What was said to the controller as a whole was said of mail (S4-08).
        standing
            .elsewhere
            .get(&channel)
            .map_or(TopicStanding::Nothing, |topics| ControllerStanding::default().said(covering(topics, topic)))
    }

    /// The restriction of processing by `controller` that is in force (GDPR Art. 18).
    pub fn restricted(&self, controller: &str) -> Option<Mark> {
        self.last(controller, EventKind::Restricted)
    }

    /// How the person is a customer of `controller`.
    pub fn relations(&self, controller: &str) -> impl Iterator<Item = Relation> {
        self.controllers.get(controller).into_iter().flat_map(|standing| standing.relations.each())
    }

    /// Where the person lives, as `controller` was told.
    pub fn country(&self, controller: &str) -> Option<Country> {
        self.controllers.get(controller)?.country
    }

    /// When the person last did something themselves, or was last written to by `controller`.
    pub fn active(&self, controller: &str) -> Option<Timestamp> {
        let own = self.controllers.get(controller).and_then(|standing| standing.active);
        own.max(self.contacted.get(controller).copied())
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

#[cfg(test)]
mod tests;
