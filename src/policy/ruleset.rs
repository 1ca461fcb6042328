//! The rules as one value with an id: all of a configuration that a decision depends on, and nothing else. What is approved
//! and activated is this value; the same rules have the same id however the file is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::window::Window;
use super::{Policy, SimilarTopics};
use crate::consent::{ProfileName, Topic};
use crate::mail::{Bulk, Dispute, StreamClass, StreamMode};

/// SHA-256 of the rules' canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RulesId(pub [u8; 32]);

impl RulesId {
    /// The inverse of its `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for RulesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// One thing that other rules say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// Where, as in `streams.news.mode`.
    pub place: String,
    /// What was said, where anything was.
    pub before: Option<String>,
    /// What is said now, where anything is.
    pub after: Option<String>,
}

/// What decides about a stream's mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRules {
    /// Key of its controller.
    pub controller: String,
    /// What its credential says of the class.
    pub class: StreamClass,
    /// Topic of marketing that names none.
    pub topic: Option<Topic>,
    /// Whether its mail is held to the decision.
    pub mode: StreamMode,
    /// What follows when the content speaks against its claim.
    pub disputed: Dispute,
    /// When the same text to many is a sign of advertising.
    pub bulk: Bulk,
    /// Domains it may use, in lower case.
    pub from_domains: BTreeSet<String>,
    /// Whose mail is its mail: logins without their passwords, networks, listeners. Whoever is let in by another stream gets that
    /// one's class.
    pub sources: BTreeSet<String>,
}

/// What decides about the class besides the streams.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRules {
    /// The model that reads contents: another one judges otherwise.
    pub model: u32,
    /// The operator's rules, in their order.
    pub rules: Vec<ClassRule>,
}

/// One rule of the operator, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub when: String,
    /// True when it makes marketing.
    pub raises: bool,
    /// The topic it names.
    pub topic: Option<Topic>,
}

/// All rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Profiles, their default, what is similar, where the controllers are.
    pub policy: Policy,
    /// How old the copy of the Austrian list may be (J-04).
    pub ecg_max_age: Window,
    /// Whose each topic is.
    pub topics: BTreeMap<Topic, String>,
    /// The streams.
    pub streams: BTreeMap<String, StreamRules>,
    /// What is marketing.
    pub classes: ClassRules,
}

impl Rules {
    /// With everything that has no order in one order.
    pub fn new(
        policy: Policy,
        ecg_max_age: Window,
        topics: impl IntoIterator<Item = (Topic, String)>,
        streams: impl IntoIterator<Item = (String, StreamRules)>,
        classes: ClassRules,
    ) -> Self {
        let policy = policy.in_order();
        Self { policy, ecg_max_age, topics: topics.into_iter().collect(), streams: streams.into_iter().collect(), classes }
    }

    /// The canonical text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("the keys of all maps are texts")
    }

    /// The inverse of [`Rules::text`]; `None` for what another release wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let rules: Self = serde_json::from_str(text).ok()?;
        let is_whole = ProfileName::ALL.iter().all(|name| rules.policy.profiles.contains_key(name));
        is_whole.then_some(rules)
    }

    /// The id.
    pub fn id(&self) -> RulesId {
        RulesId(Sha256::digest(self.text()).into())
    }

    /// True when that is the text of the rules of that id.
    pub fn is_text_of(text: &str, id: RulesId) -> bool {
        RulesId(Sha256::digest(text).into()) == id
    }

    /// What these rules say otherwise than `old`, by place.
    pub fn changes(&self, old: &Self) -> Vec<RuleChange> {
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        flatten(String::new(), &old.value(), &mut before);
        flatten(String::new(), &self.value(), &mut after);
        let places: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differs = places.into_iter().filter(|place| before.get(*place) != after.get(*place));
        let change =
            |place: &String| RuleChange { place: place.clone(), before: before.get(place).cloned(), after: after.get(place).cloned() };
        differs.map(change).collect()
    }

    fn value(&self) -> Value {
        serde_json::to_value(self).expect("the keys of all maps are texts")
    }

    /// Proves that nothing passes under these rules that `old` blocks.
    ///
    /// # Errors
    /// What is looser, or cannot be told to be not; each names its place.
    pub fn is_within(&self, old: &Self) -> Result<(), Vec<String>> {
        let mut looser = self.policy.looser_than(&old.policy);
        if !self.ecg_max_age.is_within(old.ecg_max_age) {
            looser.push("policy: ecg_max_age is longer".to_owned());
        }
        for (name, controller) in &self.topics {
            match old.topics.get(name) {
                None => looser.push(format!("topic {name}: is new")),
                Some(before) if before != controller => looser.push(format!("topic {name}: belongs to {controller} instead of {before}")),
                Some(_) => {}
            }
        }
        for (name, stream) in &self.streams {
            match old.streams.get(name) {
                None => looser.push(format!("stream {name}: is new")),
                Some(before) => looser.extend(stream.looser_than(before).into_iter().map(|what| format!("stream {name}: {what}"))),
            }
        }
        looser.extend(self.classes.looser_than(&old.classes));
        if looser.is_empty() { Ok(()) } else { Err(looser) }
    }
}

impl ClassRules {
    fn looser_than(&self, old: &Self) -> Vec<String> {
        let mut looser = Vec::new();
        if self.model != old.model {
            looser.push(format!("content: model {:08x} instead of {:08x} may find less", self.model, old.model));
        }
        // what another topic means for a person is not known here; raising alone can only block
        let only_raises = |rule: &&ClassRule| rule.raises && rule.topic.is_none();
        let kept: Vec<&ClassRule> = self.rules.iter().filter(|rule| old.rules.contains(rule) || !only_raises(rule)).collect();
        if kept != old.rules.iter().collect::<Vec<_>>() {
            looser.push("rules: one that was there is gone, was moved, or names a topic".to_owned());
        }
        looser
    }
}

/// Each single value under its place; a list is one value.
fn flatten(place: String, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                flatten(place, value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(place, text.clone())),
        other => drop(into.insert(place, other.to_string())),
    }
}

impl StreamRules {
    fn looser_than(&self, old: &Self) -> Vec<String> {
        let mut looser = Vec::new();
        let mut say = |is_looser: bool, what: &dyn Fn() -> String| looser.extend(is_looser.then(what));
        say(self.controller != old.controller, &|| format!("sends for {} instead of {}", self.controller, old.controller));
        say(freedom(self.class) > freedom(old.class), &|| "more of its mail may count as transactional".to_owned());
        // consent to another topic may be there where that to the old one is not
        let topic = |topic: &Option<Topic>| topic.as_ref().map_or("none", Topic::as_str).to_owned();
        say(self.topic.is_some() && self.topic != old.topic, &|| {
            format!("its topic is {} instead of {}", topic(&self.topic), topic(&old.topic))
        });
        say(self.mode == StreamMode::Shadow && old.mode != StreamMode::Shadow, &|| "is only watched".to_owned());
        // what was held may be marketing with a consent; what was marketing may be released
        say(self.disputed != old.disputed && old.disputed != Dispute::Pass, &|| "what its content disputes may pass".to_owned());
        let counts = |bulk: Bulk| bulk.recipients != 0;
        let fewer = counts(old.bulk) && (!counts(self.bulk) || self.bulk.recipients > old.bulk.recipients);
        say(fewer || (counts(old.bulk) && self.bulk.seconds < old.bulk.seconds), &|| "the same text may go to more people".to_owned());
        let more = |own: &BTreeSet<String>, old: &BTreeSet<String>| {
            let more: Vec<&str> = own.difference(old).map(String::as_str).collect();
            more.join(", ")
        };
        let (domains, sources) = (more(&self.from_domains, &old.from_domains), more(&self.sources, &old.sources));
        say(!domains.is_empty(), &|| format!("from_domains has {domains} more"));
        say(!sources.is_empty(), &|| format!("takes mail of {sources} besides"));
        looser
    }
}

/// How much a stream's class lets count as transactional: each lets what those below it let.
fn freedom(class: StreamClass) -> u8 {
    match class {
        StreamClass::Marketing => 0,
        StreamClass::Declared => 1,
        StreamClass::Transactional => 2,
    }
}

impl Policy {
    /// What has no order, in one order.
    fn in_order(mut self) -> Self {
        for entry in &mut self.similar {
            entry.topics.sort();
            entry.topics.dedup();
        }
        let key = |entry: &SimilarTopics| (entry.controller.clone(), entry.topics.clone(), entry.author.clone(), entry.reviewed);
        self.similar.sort_by_key(key);
        self.similar.dedup();
        self
    }

    fn looser_than(&self, old: &Self) -> Vec<String> {
        let mut looser = Vec::new();
        for (name, profile) in &self.profiles {
            if !old.profiles.get(name).is_some_and(|before| profile.is_within(before)) {
                looser.push(format!("profile {name}: is looser"));
            }
        }
        // A profile that takes another's place must be within what that one was; one that keeps its place is looked at above.
        let is_within = |own: ProfileName, before: ProfileName| own == before || self.profile(own).is_within(old.profile(before));
        if !is_within(self.default, old.default) {
            looser.push(format!("policy: default {} is looser than {}", self.default, old.default));
        }
        for (controller, seat) in &self.seats {
            // a new controller has no stream that was there before
            let Some(before) = old.seats.get(controller) else { continue };
            let (own, before) = (ProfileName::of(*seat), ProfileName::of(*before));
            if !is_within(own, before) {
                looser.push(format!("controller {controller}: its seat brings {own} instead of {before}"));
            }
        }
        let was_similar = |entry: &SimilarTopics| {
            let covers_all = |before: &&SimilarTopics| {
                before.controller == entry.controller && entry.topics.iter().all(|topic| before.topics.iter().any(|own| own.covers(topic)))
            };
            old.similar.iter().any(|before| covers_all(&before))
        };
        for entry in self.similar.iter().filter(|entry| !was_similar(entry)) {
            let topics: Vec<&str> = entry.topics.iter().map(Topic::as_str).collect();
            looser.push(format!("similar of {}: {} were not said to be similar", entry.controller, topics.join(", ")));
        }
        looser
    }
}

#[cfg(test)]
mod tests;
