//! The law on transfers by the seat of a controller, as data with source and review date (`transfers.toml`).

use jiff::civil::Date;
use serde::Deserialize;

use crate::consent::{Country, ProfileName};

/// What one legal order says of transfers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// The policy profiles whose seats are under it.
    pub profiles: Vec<ProfileName>,
    /// As it is cited.
    pub law: String,
    /// Where the list comes from.
    pub source: String,
    /// When it was last checked.
    pub reviewed: Date,
    /// True where there is no rule on transfers at all.
    #[serde(default)]
    free: bool,
    home: Vec<Country>,
    adequate: Vec<Adequacy>,
}

/// A decision that a country protects data well enough (GDPR Art. 45).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adequacy {
    /// The country.
    pub country: Country,
    /// The decision by its number.
    pub decision: String,
    /// What must be checked of the recipient, too.
    #[serde(default)]
    pub condition: Option<String>,
}

/// How a country stands under a regime.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    /// Data may be there as at home.
    Home,
    /// A decision covers it.
    Adequate(&'a Adequacy),
    /// Any other third country.
    Third,
}

#[derive(Deserialize)]
struct File {
    regime: Vec<Regime>,
}

impl Regime {
    /// All that ship.
    pub fn built_in() -> Vec<Self> {
        toml::from_str::<File>(include_str!("transfers.toml")).expect("the built-in list is valid: a test reads it").regime
    }

    /// How that country stands.
    pub fn standing(&self, country: Country) -> Standing<'_> {
        if self.free || self.home.contains(&country) {
            return Standing::Home;
        }
        self.adequate.iter().find(|entry| entry.country == country).map_or(Standing::Third, Standing::Adequate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_one_law_on_transfers_with_source_and_review() {
        // S2-01, J-02
        let regimes = Regime::built_in();
        for name in ProfileName::ALL {
            assert_eq!(regimes.iter().filter(|regime| regime.profiles.contains(&name)).count(), 1, "{name}");
        }
        for regime in &regimes {
            assert!(!regime.law.is_empty() && !regime.source.is_empty() && regime.reviewed.year() >= 2026);
            assert!(regime.adequate.iter().all(|entry| !regime.home.contains(&entry.country) && !entry.decision.is_empty()));
        }
        // GDPR: 27 member states and Iceland, Liechtenstein, Norway
        assert_eq!(regimes[0].home.len(), 30);
        let of = |code: &str| regimes[0].standing(Country::parse(code).expect(code));
        assert!(matches!(of("NO"), Standing::Home) && matches!(of("IN"), Standing::Third));
        assert!(matches!(of("US"), Standing::Adequate(entry) if entry.condition.is_some()));
    }
}
