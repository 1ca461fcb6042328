//! What was known of a person when each decision was taken: folded once, and on from there as time goes on.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::consent::{Event, Reason, Standing, SubjectId, Suppression, Verdict};
use crate::decide::is_contact;
use crate::store::{Past, PastPerson, StoreError};

/// Up to which event somebody's standing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpTo {
    /// As recorded.
    Seq(u64),
    /// Not recorded: none was read, because the mail did not need one.
    Time(Timestamp),
}

/// Everybody met so far.
pub(super) struct People {
    past: Past,
    /// `None` for those of whom nothing is known.
    met: HashMap<SubjectId, Option<Box<Person>>>,
}

/// Somebody of whom something is known.
pub(super) struct Person {
    /// The standing as folded so far, with the contacts of the replay.
    standing: Standing,
    /// Without them, the standing now is the only one there is.
    events: Option<Vec<Event>>,
    suppressions: Vec<(Timestamp, Suppression)>,
    /// The last contact of each controller, as recorded; of the future as long as the replay has not come to it.
    contacted: BTreeMap<String, Timestamp>,
}

impl People {
    pub(super) fn new(past: Past) -> Self {
        Self { past, met: HashMap::new() }
    }

    /// Gets to know everybody who will be asked for.
    pub(super) async fn meet(&mut self, asked: Vec<(SubjectId, UpTo)>) -> Result<(), StoreError> {
        let new: HashSet<SubjectId> = asked.iter().map(|(subject, _)| *subject).filter(|subject| !self.met.contains_key(subject)).collect();
        let new: Vec<SubjectId> = new.into_iter().collect();
        let mut known = self.past.people(&new).await?;
        self.met.extend(new.into_iter().map(|subject| (subject, known.remove(&subject).map(|person| Box::new(Person::new(person))))));
        let without_events: HashSet<SubjectId> =
            asked.iter().filter(|(subject, up_to)| self.get(*subject).is_some_and(|person| !person.has(*up_to))).map(|(s, _)| *s).collect();
        let without_events: Vec<SubjectId> = without_events.into_iter().collect();
        for (subject, events) in self.past.events(&without_events).await? {
            if let Some(person) = self.get(subject) {
                person.events = Some(events);
            }
        }
        Ok(())
    }

    pub(super) fn get(&mut self, subject: SubjectId) -> Option<&mut Person> {
        self.met.get_mut(&subject)?.as_deref_mut()
    }
}

impl Person {
    fn new(PastPerson { mut standing, suppressions }: PastPerson) -> Self {
        let contacted = std::mem::take(&mut standing.contacted);
        // Nothing ever happened to most people that were written to.
        let events = (standing.seq == 0).then(Vec::new);
        Self { standing, events, suppressions, contacted }
    }

    /// True when that standing can be had without more events.
    fn has(&self, up_to: UpTo) -> bool {
        self.events.is_some() || up_to == UpTo::Seq(self.standing.seq)
    }

    /// The standing that a decision of that time rested on.
    pub(super) fn standing(&mut self, up_to: UpTo, at: Timestamp, controller: &str, recorded: Reason) -> &Standing {
        self.fold(up_to);
        self.standing.suppressions.clear();
        // Of the same millisecond the number of the event tells what came first; a suppression has none.
        let in_force = self.suppressions.iter().filter(|(since, _)| *since < at).map(|(_, suppression)| suppression.clone());
        self.standing.suppressions.extend(in_force);
        match self.contacted.get(controller) {
            // One of this very moment is the mail's own.
            Some(last) if *last < at => {
                let known = self.standing.contacted.entry(controller.to_owned()).or_insert(*last);
                *known = (*known).max(*last);
            }
            // The contact before it is not on record any more; that the mail passed by consent says that it was in use.
            Some(_) if recorded == Reason::DoiConsent => {
                self.standing.contacted.entry(controller.to_owned()).or_insert(at - MONTH);
            }
            _ => {}
        }
        &self.standing
    }

    /// The mail would have reached them.
    pub(super) fn passed(&mut self, controller: &str, reason: Reason, at: Timestamp) {
        if reason.verdict() == Verdict::Pass && is_contact(reason, self.standing.active(controller), at) {
            self.standing.contacted.insert(controller.to_owned(), at);
        }
    }

    fn fold(&mut self, up_to: UpTo) {
        if up_to == UpTo::Seq(self.standing.seq) {
            return;
        }
        let Some(events) = &self.events else { return };
        let end = match up_to {
            UpTo::Seq(seq) => events.partition_point(|event| event.seq <= seq),
            // the order is the ledger's: what was written before it may have a later clock
            UpTo::Time(at) => events.iter().position(|event| event.at > at).unwrap_or(events.len()),
        };
        let events = &events[..end];
        let wanted = events.last().map_or(0, |event| event.seq);
        if wanted < self.standing.seq {
            let contacted = std::mem::take(&mut self.standing.contacted);
            self.standing = Standing::default();
            self.standing.contacted = contacted;
        }
        let begin = events.partition_point(|event| event.seq <= self.standing.seq);
        self.standing = events[begin..].iter().fold(std::mem::take(&mut self.standing), Standing::with);
    }
}

/// As long as one contact stands for all that follow it.
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
