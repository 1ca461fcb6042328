//! What came of a simulation: figures in all, and by stream, campaign, topic, and what was said before and after.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use crate::consent::{Reason, Verdict};
use crate::store::PastDecision;

/// Campaigns told apart; senders name them, so there may be any number. What is beyond counts as one.
const CAMPAIGNS: usize = 5_000;

/// The name of all campaigns beyond.
const OTHERS: &str = "…";

/// What the rules say of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum After {
    /// Verdict and reason in one.
    Said(Reason),
    /// The stream is not there any more: its mail would not be taken.
    Gone,
    /// The record does not tell.
    NotKnown,
}

impl After {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Said(reason) => reason.as_str(),
            Self::Gone => "stream_gone",
            Self::NotKnown => "not_known",
        }
    }
}

/// How many decisions of some kind became what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// All of them.
    pub number: u64,
    /// Passed, and would not.
    pub newly_blocked: u64,
    /// Did not pass, and would.
    pub newly_passed: u64,
    /// The verdict stays, though perhaps for another reason.
    pub unchanged: u64,
    /// Of a stream that is not there any more.
    pub gone: u64,
    /// The record does not tell.
    pub not_known: u64,
}

/// Decisions that have all of this in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    stream: u32,
    campaign: u32,
    topic: u32,
}

/// One line of the whole table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Name of the stream.
    pub stream: String,
    /// Name of the campaign, or empty.
    pub campaign: String,
    /// The topic as recorded, or empty.
    pub topic: String,
    /// What was said.
    pub before: &'static str,
    /// What would be said.
    pub after: &'static str,
    /// What that means: `newly_blocked`, `newly_passed`, `unchanged`, `stream_gone` or `not_known`.
    pub effect: &'static str,
    /// How many.
    pub number: u64,
}

/// What was said, and what would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Before.
    pub before: &'static str,
    /// After.
    pub after: &'static str,
    /// How many.
    pub number: u64,
}

/// The figures.
pub struct Report {
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// In all.
    pub total: Tally,
    /// Streams that may use fewer domains: which of their mails that hits is not on record.
    pub domains_lost: BTreeSet<String>,
    names: Names,
    counts: HashMap<(Place, Reason, After), u64>,
}

/// What a name stands for, each text once.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    campaigns: usize,
}

/// Figures by some name.
pub(super) type By = Vec<(String, Tally)>;

impl Report {
    pub(super) fn new(since: Timestamp, until: Timestamp, domains_lost: BTreeSet<String>) -> Self {
        Self { since, until, total: Tally::default(), domains_lost, names: Names::default(), counts: HashMap::new() }
    }

    pub(super) fn count(&mut self, past: &PastDecision, after: After) {
        let place = Place {
            stream: self.names.number(&past.stream),
            campaign: self.names.campaign(past.campaign.as_deref().unwrap_or_default()),
            topic: self.names.number(past.named_topic.as_deref().unwrap_or_default()),
        };
        *self.counts.entry((place, past.reason, after)).or_default() += 1;
        self.total.add(past.reason, after, 1);
    }

    /// By stream, in alphabetical order.
    pub fn streams(&self) -> Vec<(String, Tally)> {
        self.by(|place| place.stream)
    }

    /// By topic as recorded, in alphabetical order; an empty one for mail without.
    pub fn topics(&self) -> Vec<(String, Tally)> {
        self.by(|place| place.topic)
    }

    /// By campaign, those first that change most; an empty one for mail without.
    pub fn campaigns(&self) -> Vec<(String, Tally)> {
        let mut campaigns = self.by(|place| place.campaign);
        campaigns.sort_by_key(|(_, tally)| std::cmp::Reverse((tally.changed(), tally.number)));
        campaigns
    }

    /// What was said and would be said, where that differs; the most first.
    pub fn changes(&self) -> Vec<Change> {
        let mut sums: BTreeMap<(&str, &str), Change> = BTreeMap::new();
        for ((_, before, after), number) in self.counts.iter().filter(|((_, before, after), _)| After::Said(*before) != *after) {
            let (before, after) = (before.as_str(), after.as_str());
            sums.entry((before, after)).or_insert(Change { before, after, number: 0 }).number += number;
        }
        let mut changes: Vec<Change> = sums.into_values().collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.number));
        changes
    }

    /// The whole table, in alphabetical order.
    pub fn lines(&self) -> Vec<Line> {
        let line = |((place, before, after), number): (&(Place, Reason, After), &u64)| Line {
            stream: self.names.text(place.stream),
            campaign: self.names.text(place.campaign),
            topic: self.names.text(place.topic),
            before: before.as_str(),
            after: after.as_str(),
            effect: effect(*before, *after),
            number: *number,
        };
        let mut lines: Vec<Line> = self.counts.iter().map(line).collect();
        lines.sort();
        lines
    }

    /// What is kept of it in the ledger.
    pub fn summary(&self) -> String {
        const KEPT: usize = 200;
        let campaigns: By = self.campaigns().into_iter().take(KEPT).collect();
        let lost = &self.domains_lost;
        let summary = serde_json::json!({
            "total": self.total, "streams": self.streams(), "topics": self.topics(), "campaigns": campaigns,
            "changes": self.changes(), "domains_lost": lost,
        });
        summary.to_string()
    }

    fn by(&self, name: impl Fn(&Place) -> u32) -> By {
        let mut sums: BTreeMap<&str, Tally> = BTreeMap::new();
        for ((place, before, after), number) in &self.counts {
            sums.entry(&self.names.texts[name(place) as usize]).or_default().add(*before, *after, *number);
        }
        sums.into_iter().map(|(name, tally)| (name.to_owned(), tally)).collect()
    }
}

impl Tally {
    fn add(&mut self, before: Reason, after: After, number: u64) {
        self.number += number;
        let place = match effect(before, after) {
            "newly_blocked" => &mut self.newly_blocked,
            "newly_passed" => &mut self.newly_passed,
            "stream_gone" => &mut self.gone,
            "not_known" => &mut self.not_known,
            _ => &mut self.unchanged,
        };
        *place += number;
    }

    fn changed(&self) -> u64 {
        self.newly_blocked + self.newly_passed + self.gone + self.not_known
    }
}

fn effect(before: Reason, after: After) -> &'static str {
    let passes = |reason: Reason| reason.verdict() == Verdict::Pass;
    match after {
        After::Gone => "stream_gone",
        After::NotKnown => "not_known",
        After::Said(after) if passes(before) && !passes(after) => "newly_blocked",
        After::Said(after) if !passes(before) && passes(after) => "newly_passed",
        After::Said(_) => "unchanged",
    }
}

impl Names {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn campaign(&mut self, text: &str) -> u32 {
        if !self.numbers.contains_key(text) {
            if self.campaigns >= CAMPAIGNS {
                return self.number(OTHERS);
            }
            self.campaigns += 1;
        }
        self.number(text)
    }

    fn text(&self, number: u32) -> String {
        self.texts[number as usize].clone()
    }
}
