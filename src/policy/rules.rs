//! All profiles together: which of them apply to a person, and what the strictest says (J-01).

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::customer::{Offer, exemption};
use super::keeping::EvidenceRule;
use super::profile::{Profile, ProfileChange, Regime};
use super::similarity::SimilarTopics;
use super::window::Window;
use crate::consent::{Country, Mark, OptIn, ProfileName, Reason, Standing, Topic, TopicStanding, Verdict};

/// `[policy]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// The profile that applies whatever else does (J-01: the tenant's default); the German where none is named.
    pub default: Option<ProfileName>,
    /// The regulator's file of the Austrian ECG list. Without it nobody is an existing customer where the list counts (J-04).
    pub ecg_list: Option<PathBuf>,
    /// How old the file may be; 30 days where not given.
    pub ecg_max_age: Option<Window>,
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub(super) default: ProfileName,
    pub(super) profiles: BTreeMap<ProfileName, Profile>,
    pub(super) similar: Vec<SimilarTopics>,
    /// Where each controller has its seat.
    pub(super) seats: BTreeMap<String, Option<Country>>,
}

impl Default for Policy {
    /// The German profile for everybody, nothing similar to anything.
    fn default() -> Self {
        Self::new(&PolicySettings::default(), BTreeMap::new(), Vec::new(), BTreeMap::new())
    }
}

/// What is judged: marketing of a controller about one of its topics, to one person.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// Key of the controller.
    pub controller: &'a str,
    /// The topic.
    pub topic: &'a Topic,
    /// The person's standing.
    pub standing: &'a Standing,
    /// On the ECG list, or nobody can tell (J-04).
    pub listed: bool,
    /// When.
    pub now: Timestamp,
}

/// What the profiles say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Verdict and reason in one.
    pub reason: Reason,
    /// `seq` of the event it rests on.
    pub event: Option<u64>,
    /// The profile that said so.
    pub profile: ProfileName,
}

impl Policy {
    /// The built-in profiles with `changes`; `seats` says where each controller is.
    pub fn new(
        settings: &PolicySettings,
        changes: BTreeMap<ProfileName, ProfileChange>,
        similar: Vec<SimilarTopics>,
        seats: BTreeMap<String, Option<Country>>,
    ) -> Self {
        let mut profiles = Profile::built_in();
        for (name, change) in changes {
            profiles.entry(name).and_modify(|profile| *profile = profile.clone().changed(change));
        }
        Self { default: settings.default.unwrap_or(ProfileName::De), profiles, similar, seats }
    }

    /// That profile as it is in force.
    pub fn profile(&self, name: ProfileName) -> &Profile {
        &self.profiles[&name]
    }

    /// Those that apply to mail of `controller` to somebody who lives in `country`: of the recipient's country, of the
    /// sender's seat, and the default (J-01). Each once, in that order.
    pub fn applicable(&self, controller: &str, country: Option<Country>) -> Vec<ProfileName> {
        let seat = self.seats.get(controller).copied().flatten();
        let mut names = Vec::with_capacity(3);
        for name in [ProfileName::of(country), ProfileName::of(seat), self.default] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// How long evidence is kept: of each channel the longest of the default profile's and those of the controllers' seats, because a
    /// person's evidence has one key.
    pub fn evidence(&self) -> EvidenceRule {
        let seats = self.seats.values().map(|seat| ProfileName::of(*seat));
        let rules = seats.map(|name| self.profile(name).evidence);
        rules.fold(self.profile(self.default).evidence, EvidenceRule::longest)
    }

    /// True when it may matter whether somebody is on the ECG list.
    pub fn asks_ecg_list(&self, controller: &str, country: Option<Country>) -> bool {
        self.applicable(controller, country).into_iter().any(|name| self.profile(name).customer.ecg_list)
    }

    /// The profiles in use that nobody has checked for a year (J-02).
    pub fn past_review(&self, today: Date) -> impl Iterator<Item = (ProfileName, Date)> {
        self.profiles.iter().filter(move |(_, profile)| profile.is_past_review(today)).map(|(name, profile)| (*name, profile.reviewed))
    }

    /// The strictest of all that apply: mail passes when it passes each of them (J-01).
    pub fn judge(&self, case: Case<'_>) -> Applied {
        let mut passes: Option<Applied> = None;
        for name in self.applicable(case.controller, case.standing.country(case.controller)) {
            let (reason, event) = self.under(self.profile(name), case);
            let applied = Applied { reason, event, profile: name };
            if reason.verdict() != Verdict::Pass {
                return applied;
            }
            if passes.is_none_or(|before| demands(reason) > demands(before.reason)) {
                passes = Some(applied);
            }
        }
        passes.unwrap_or(Applied { reason: Reason::NoConsent, event: None, profile: self.default })
    }

    fn under(&self, profile: &Profile, case: Case<'_>) -> (Reason, Option<u64>) {
        let Case { controller, topic, standing, listed, now } = case;
        if let Some(mark) = standing.restricted(controller) {
            return (Reason::Restricted, Some(mark.seq)); // GDPR Art. 18
        }
        // L-OBJ-05: a no that no confirmed opt-in has answered says more than what was asked for since: anybody can type an
        // address into a form, and no other basis passes over it either.
        let said = match (standing.of(controller, topic), standing.stop(controller, topic)) {
            (TopicStanding::Requested(_), Some(stop)) => stop,
            (said, _) => said,
        };
        let (reason, event) = match said {
            TopicStanding::Given(mark) => {
                // L-CON-06: by the clock alone, at the time of the decision (S0-05)
                let used = standing.active(controller).map_or(mark.at, |active| active.max(mark.at));
                let fresh = profile.consent_idle.holds(used, now);
                (if fresh { Reason::DoiConsent } else { Reason::ConsentStale }, Some(mark.seq))
            }
            TopicStanding::Withdrawn(mark) => (Reason::Withdrawn, Some(mark.seq)), // GDPR Art. 7(3)
            TopicStanding::Objected(mark) => (Reason::Objected, Some(mark.seq)),   // GDPR Art. 21(3)
            TopicStanding::Complained(mark) => (Reason::Complained, Some(mark.seq)), // U-35
            TopicStanding::Disputed(mark) => (Reason::Disputed, Some(mark.seq)),   // L-DOI-08
            TopicStanding::Bounced(mark) => (Reason::Bounced, Some(mark.seq)),
            TopicStanding::Expired(mark) => (Reason::ConsentStale, Some(mark.seq)),
            TopicStanding::Requested(mark) if now.duration_since(mark.at) <= OptIn::LIFETIME => (Reason::OptInPending, Some(mark.seq)),
            TopicStanding::Requested(_) | TopicStanding::Nothing => (Reason::NoConsent, None),
        };
        let (reason, event) = match reason {
            Reason::NoConsent | Reason::OptInPending | Reason::ConsentStale => self.without_consent(profile, case, listed, (reason, event)),
            _ => (reason, event),
        };
        match standing.pause(controller, now).filter(|_| reason.verdict() == Verdict::Pass) {
            Some(pause) => (Reason::Paused, Some(pause.mark.seq)),
            None => (reason, event),
        }
    }

    /// What else the mail may rest on.
    fn without_consent(&self, profile: &Profile, case: Case<'_>, listed: bool, nothing: (Reason, Option<u64>)) -> (Reason, Option<u64>) {
        if profile.regime == Regime::OptOut {
            return (Reason::OptOutRegime, None);
        }
        let Case { controller, topic, standing, now, .. } = case;
        // L-OBJ-04: who unsubscribed from one list has objected, as far as the exemption goes, to all of them
        if let Some(Mark { seq, .. }) = standing.any_stop(controller).and_then(TopicStanding::mark) {
            return if nothing.0 == Reason::NoConsent { (Reason::Withdrawn, Some(seq)) } else { nothing };
        }
        let offer = Offer { controller, topic, mapping: &self.similar, listed, now };
        match exemption(&profile.customer, standing.relations(controller), offer) {
            Some((Reason::ExistingCustomer, event)) => (Reason::ExistingCustomer, Some(event)),
            // An open or idle consent says more than why the exemption does not help.
            Some((reason, event)) if nothing.0 == Reason::NoConsent => (reason, Some(event)),
            _ => nothing,
        }
    }
}

/// How much a basis asks of the mail itself. It leaves on the one that asks most, and so does what every profile asks for: where
/// one of them has only the exemption, the notice of it must be in the mail (UWG §7(3) no. 4).
fn demands(basis: Reason) -> u8 {
    match basis {
        Reason::OptOutRegime => 0,
        Reason::DoiConsent => 1,
        _ => 2,
    }
}
