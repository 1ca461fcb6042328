//! A policy profile: the rules of one legal order, as data with a source, an author and a review date (J-02). The built-in
//! ones stand in `profiles.toml`; the configuration may override every value.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::keeping::EvidenceRule;
use super::window::Window;
use crate::consent::{ProfileName, Trigger};

/// Whether somebody is written to who said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// No legal basis, no mail.
    OptIn,
    /// Everybody who did not say no.
    OptOut,
}

/// When an offer is about something similar to what was bought (UWG §7(3) no. 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Similarity {
    /// What was bought, or a part of it (S0-03).
    Strict,
    /// What the configuration's mapping says serves the same need (S1-10, L-SOFT-03).
    Taxonomy,
    /// Anything.
    Any,
}

/// The exemption for existing customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerRule {
    /// What makes a customer, and for how long.
    pub triggers: BTreeMap<Trigger, Window>,
    /// The address must come from the customer (S1-09).
    pub own_address: bool,
    /// They must have been told at collection that they may object (S1-11).
    pub notice: bool,
    /// What may be advertised.
    pub similarity: Similarity,
    /// Being on the Austrian ECG list stops it (J-04).
    pub ecg_list: bool,
}

/// One profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The law as it is cited.
    pub law: String,
    /// Where the values come from.
    pub source: String,
    /// Who answers for them.
    pub author: String,
    /// When they were last checked against the law.
    pub reviewed: Date,
    /// What silence means.
    pub regime: Regime,
    /// How long a consent may lie unused (L-CON-06).
    pub consent_idle: Window,
    /// How long evidence is kept (L-PRV-02); no part of a verdict.
    pub evidence: EvidenceRule,
    /// The exemption for existing customers.
    pub customer: CustomerRule,
}

/// What a configuration says differently of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    law: Option<String>,
    /// Must be given: a changed rule has a source, too.
    source: Option<String>,
    author: Option<String>,
    reviewed: Option<Date>,
    regime: Option<Regime>,
    consent_idle: Option<Window>,
    evidence: Option<EvidenceRule>,
    customer: Option<CustomerChange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerChange {
    triggers: Option<BTreeMap<Trigger, Window>>,
    own_address: Option<bool>,
    notice: Option<bool>,
    similarity: Option<Similarity>,
    ecg_list: Option<bool>,
}

/// How long a review holds.
const REVIEW_MONTHS: i32 = 12;

impl Profile {
    /// The profiles as they ship.
    pub fn built_in() -> BTreeMap<ProfileName, Profile> {
        toml::from_str(include_str!("profiles.toml")).expect("the built-in profiles are valid: a test reads them")
    }

    /// With what the configuration says differently. `triggers` are replaced as a whole, so that one can be taken away.
    pub fn changed(mut self, change: ProfileChange) -> Self {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut self.law, change.law);
        set(&mut self.source, change.source);
        set(&mut self.author, change.author);
        set(&mut self.reviewed, change.reviewed);
        set(&mut self.regime, change.regime);
        set(&mut self.consent_idle, change.consent_idle);
        set(&mut self.evidence, change.evidence);
        if let Some(customer) = change.customer {
            set(&mut self.customer.triggers, customer.triggers);
            set(&mut self.customer.own_address, customer.own_address);
            set(&mut self.customer.notice, customer.notice);
            set(&mut self.customer.similarity, customer.similarity);
            set(&mut self.customer.ecg_list, customer.ecg_list);
        }
        self
    }

    /// True when nobody has checked it for a year (J-02).
    pub fn is_past_review(&self, today: Date) -> bool {
        use jiff::ToSpan;
        self.reviewed.checked_add(REVIEW_MONTHS.months()).is_ok_and(|due| today > due)
    }

    /// True when it passes nothing that `other` blocks.
    pub fn is_within(&self, other: &Self) -> bool {
        let stricter = |own: bool, other: bool| own || !other;
        let customer = |own: &CustomerRule, other: &CustomerRule| {
            let triggers =
                own.triggers.iter().all(|(trigger, window)| other.triggers.get(trigger).is_some_and(|than| window.is_within(*than)));
            // without triggers there is no exemption, and the other conditions are nobody's
            own.triggers.is_empty()
                || (triggers
                    && stricter(own.own_address, other.own_address)
                    && stricter(own.notice, other.notice)
                    && stricter(own.ecg_list, other.ecg_list)
                    && own.similarity <= other.similarity)
        };
        match (self.regime, other.regime) {
            (Regime::OptOut, Regime::OptIn) => false,
            (_, Regime::OptOut) => true,
            (Regime::OptIn, Regime::OptIn) => self.consent_idle.is_within(other.consent_idle) && customer(&self.customer, &other.customer),
        }
    }
}

impl ProfileChange {
    /// What is wrong with it.
    pub fn faults(&self, name: ProfileName) -> Vec<String> {
        let given = [
            ("source", self.source.as_deref().is_some_and(|text| !text.trim().is_empty())),
            ("author", self.author.as_deref().is_some_and(|text| !text.trim().is_empty())),
            ("reviewed", self.reviewed.is_some()),
        ];
        let missing = given
            .into_iter()
            .filter(|(_, given)| !given)
            .map(|(field, _)| format!("profile.{name}: {field} says who stands for the change and when they checked it; write it"));
        missing.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_built_in_profile_says_where_it_comes_from() {
        // J-02
        let profiles = Profile::built_in();
        assert_eq!(profiles.keys().copied().collect::<Vec<_>>(), ProfileName::ALL);
        for (name, profile) in &profiles {
            assert!(!profile.law.is_empty() && !profile.source.is_empty() && !profile.author.is_empty(), "{name}");
            assert!(!profile.is_past_review(profile.reviewed));
            assert!(profile.is_past_review("2099-01-01".parse().expect("a date")), "{name}");
            assert_eq!(ProfileName::parse(name.as_str()), Some(*name));
        }
    }

    #[test]
    fn the_german_profile_is_within_the_european_one_and_within_itself() {
        let profiles = Profile::built_in();
        for (one, other, expected) in [
            (ProfileName::De, ProfileName::Eu, true),
            (ProfileName::De, ProfileName::At, false), // the list
            (ProfileName::Eu, ProfileName::De, false),
            (ProfileName::De, ProfileName::UsCanspam, true),
            (ProfileName::UsCanspam, ProfileName::De, false),
            (ProfileName::De, ProfileName::CaCasl, true),
        ] {
            assert_eq!(profiles[&one].is_within(&profiles[&other]), expected, "{one} {other}");
        }
        assert!(ProfileName::ALL.into_iter().all(|name| profiles[&name].is_within(&profiles[&name])));
    }

    #[test]
    fn a_change_names_its_source_and_replaces_what_it_names() {
        let change = |text: &str| toml::from_str::<ProfileChange>(text).expect(text);
        assert_eq!(change("consent_idle = 'P18M'").faults(ProfileName::De).len(), 3);
        let full = change("source = 'counsel'\nauthor = 'Mia'\nreviewed = '2026-11-01'\n[customer]\ntriggers = { free_account = 'P12M' }");
        assert!(full.faults(ProfileName::De).is_empty());
        let before = Profile::built_in().remove(&ProfileName::De).expect("there");
        let after = before.clone().changed(full);
        assert_eq!(after.customer.triggers.keys().copied().collect::<Vec<_>>(), [Trigger::FreeAccount]);
        assert_eq!((after.consent_idle, after.customer.notice), (before.consent_idle, before.customer.notice));
        assert!(toml::from_str::<ProfileChange>("idle = 'P1M'").is_err());
    }
}
