//! The entry that outlives everything else: this address must not get this controller's mail (L-OBJ-07).

use super::{Reason, Topic};

/// Held under the look-up key, not under the subject, so that it survives erasure and re-import.
/// Made by withdrawal, objection, complaint and dispute; lifted only by a later confirmed double opt-in (L-OBJ-05).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Key of the controller.
    pub controller: String,
    /// The topic and all below it; `None` for all of the controller's marketing.
    pub topic: Option<Topic>,
    /// What was said: [`Reason::Withdrawn`], [`Reason::Objected`], [`Reason::Complained`] or [`Reason::Disputed`].
    pub reason: Reason,
}

impl Suppression {
    /// True when mail of that controller about that topic must not leave.
    pub fn covers(&self, controller: &str, topic: &Topic) -> bool {
        self.controller == controller && self.topic.as_ref().is_none_or(|own| own.covers(topic))
    }
}
