//! One recorded decision, decided anew. Everything that only depends on the rules is prepared.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Trial;
use super::people::{Person, UpTo};
use super::report::After;
use crate::classify::classify_again;
use crate::consent::{Reason, Standing, SubjectId, Topic, Verdict};
use crate::decide::{Question, decide};
use crate::mail::{Class, Classification, Step, Stream};
use crate::policy::Case;
use crate::store::{PastDecision, read_steps};

/// Explanations remembered for each stream: they are few, unless somebody makes them many.
const REMEMBERED: usize = 10_000;

/// The rules, ready to be asked.
pub(super) struct Replay<'a> {
    trial: &'a Trial,
    streams: HashMap<&'a str, Known<'a>>,
}

/// A stream, and what became different about it.
struct Known<'a> {
    stream: &'a Arc<Stream>,
    /// What its mail without a topic was about.
    old_topic: Option<&'a str>,
    domains_differ: bool,
    /// What a record's explanation makes of its mail.
    classes: HashMap<String, (Class, Vec<Step>)>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(trial: &'a Trial) -> Self {
        let known = |stream: &'a Arc<Stream>| {
            let old = trial.before.as_ref().and_then(|rules| rules.streams.get(&stream.name));
            let new = trial.rules.streams.get(&stream.name);
            Known {
                stream,
                old_topic: old.and_then(|old| old.topic.as_ref()).map(|topic| topic.as_str()),
                domains_differ: old.zip(new).is_some_and(|(old, new)| old.from_domains != new.from_domains),
                classes: HashMap::new(),
            }
        };
        Self { trial, streams: trial.streams.iter().map(|stream| (stream.name.as_str(), known(stream))).collect() }
    }

    /// Streams whose figures are not the whole truth: some of the mail that they sent would be refused for its domain.
    pub(super) fn notes(&self) -> BTreeSet<String> {
        let lost = |name: &str| {
            let rules = |rules: &'a crate::policy::Rules| rules.streams.get(name).map(|stream| &stream.from_domains);
            let old = self.trial.before.as_ref().and_then(rules);
            old.zip(rules(&self.trial.rules)).is_some_and(|(old, new)| !old.is_subset(new))
        };
        self.streams.keys().filter(|name| lost(name)).map(|name| (*name).to_owned()).collect()
    }

    /// Whose standing it needs, and which.
    pub(super) fn asks(&mut self, past: &PastDecision) -> Option<(SubjectId, UpTo)> {
        let class = self.streams.get_mut(past.stream.as_str())?.class(past).0;
        (class == Class::Marketing && !is_settled(past)).then(|| (past.subject, up_to(past)))
    }

    /// What the rules say.
    pub(super) fn decide(&mut self, past: &PastDecision, mut person: Option<&mut Person>) -> After {
        let Some(known) = self.streams.get_mut(past.stream.as_str()) else { return After::Gone };
        if is_settled(past) {
            let is_known = past.reason != Reason::FromNotAllowed || !known.domains_differ;
            return if is_known { After::Said(past.reason) } else { After::NotKnown };
        }
        let (class, steps) = known.class(past);
        let named = past.named_topic.clone().filter(|topic| known.old_topic != Some(topic));
        let topic = named.or_else(|| known.stream.topic.clone());
        let controller = &known.stream.controller;
        let standing: Option<&Standing> = match &mut person {
            Some(person) if class == Class::Marketing => Some(person.standing(up_to(past), past.at, controller, past.reason)),
            _ => None,
        };
        let finding = decide(Question {
            stream: known.stream,
            classification: &Classification { class, topic: topic.clone(), campaign: None, steps },
            from_allowed: true,
            standing,
            listed: standing.is_some_and(|standing| self.trial.was_listed(past, controller, topic.as_deref(), standing)),
            catalogue: &self.trial.catalogue,
            policy: &self.trial.policy,
            now: past.at,
        });
        if let Some(person) = person.filter(|_| class == Class::Marketing) {
            person.passed(controller, finding.reason, past.at);
        }
        After::Said(finding.reason)
    }
}

impl Trial {
    /// Whether the person was on the Austrian list. The record says so where that decided. An open or idle consent hides it; then
    /// they were, if without it the rules of then had let the mail pass, or had kept it back for a rest only.
    fn was_listed(&self, past: &PastDecision, controller: &str, topic: Option<&str>, standing: &Standing) -> bool {
        let before = self.before.as_ref().zip(topic.and_then(|topic| Topic::parse(topic).ok()));
        match past.shadowed.unwrap_or(past.reason) {
            Reason::OnOptOutList => true,
            Reason::ConsentStale | Reason::OptInPending => before.is_some_and(|(rules, topic)| {
                let case = Case { controller, topic: &topic, standing, listed: false, now: past.at };
                let reason = rules.policy.judge(case).reason;
                reason.verdict() == Verdict::Pass || reason == Reason::Paused
            }),
            _ => false,
        }
    }
}

impl Known<'_> {
    fn class(&mut self, past: &PastDecision) -> (Class, Vec<Step>) {
        if let Some(class) = self.classes.get(&past.steps) {
            return class.clone();
        }
        // An explanation that cannot be read explains nothing: the class stays.
        let again = |steps: Vec<Step>| classify_again(self.stream.class, self.stream.disputed, &steps);
        let class = read_steps(&past.steps).map_or_else(|_| (past.class, Vec::new()), again);
        if self.classes.len() < REMEMBERED {
            self.classes.insert(past.steps.clone(), class.clone());
        }
        class
    }
}

/// True for what was said before anything else was asked, or without the ledger: other rules do not reach it.
fn is_settled(past: &PastDecision) -> bool {
    let is_ours = matches!(past.class, Class::Doi | Class::System);
    is_ours || matches!(past.reason, Reason::FromNotAllowed | Reason::LedgerUnavailable)
}

fn up_to(past: &PastDecision) -> UpTo {
    if past.class == Class::Marketing { UpTo::Seq(past.folded_from) } else { UpTo::Time(past.at) }
}
