//! How somebody is a customer: what an exemption for existing customers is judged by. Judging is the policy's business.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::consent::{Event, Fact, Topic, Trigger};

/// How many are kept: the latest. Who buys from more ranges than that loses the oldest, which can only block.
const MOST: usize = 64;

/// The latest dealing of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// What it was about.
    pub product: Topic,
    /// How it came about.
    pub trigger: Trigger,
    /// Whether the address came from the customer then (S1-09).
    pub own_address: bool,
    /// Whether they were told then that advertising can be objected to (S1-11).
    pub notice: bool,
    /// When it happened.
    pub occurred: Timestamp,
    /// `seq` of its event.
    pub seq: u64,
}

/// All of one controller, and when the notice was given apart from them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Relations {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    latest: Vec<Relation>,
    /// The first notice that was given by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notice: Option<Timestamp>,
}

impl Relations {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn take(&mut self, event: &Event, fact: &Fact) {
        let Some(trigger) = fact.trigger else { return };
        let occurred = fact.occurred.unwrap_or(event.at);
        for product in &event.topics {
            let (own_address, notice) = (fact.own_address, fact.notice.is_some());
            let new = Relation { product: product.clone(), trigger, own_address, notice, occurred, seq: event.seq };
            match self.latest.iter_mut().find(|old| old.is_kind_of(&new)) {
                Some(old) if old.occurred > new.occurred => {}
                Some(old) => *old = new,
                None => self.latest.push(new),
            }
        }
        if self.latest.len() > MOST {
            self.latest.sort_by_key(|relation| std::cmp::Reverse((relation.occurred, relation.seq)));
            self.latest.truncate(MOST);
        }
    }

    pub(super) fn tell(&mut self, occurred: Timestamp) {
        self.notice = Some(self.notice.map_or(occurred, |before| before.min(occurred)));
    }

    /// Each, with the notice counted that was given before it by itself.
    pub(super) fn each(&self) -> impl Iterator<Item = Relation> {
        let told = |relation: &Relation| relation.notice || self.notice.is_some_and(|notice| notice <= relation.occurred);
        self.latest.iter().map(move |relation| Relation { notice: told(relation), ..relation.clone() })
    }
}

impl Relation {
    fn is_kind_of(&self, other: &Self) -> bool {
        (&self.product, self.trigger, self.own_address, self.notice) == (&other.product, other.trigger, other.own_address, other.notice)
    }
}
