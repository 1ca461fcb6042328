//! The policy profiles by name, and which country has which. What a profile says is `policy`'s.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Country;

/// Which profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileName {
    /// Germany.
    De,
    /// Austria.
    At,
    /// Switzerland.
    Ch,
    /// What all of the European Union has in common.
    Eu,
    /// The United Kingdom.
    Uk,
    /// The United States.
    UsCanspam,
    /// Canada.
    CaCasl,
}

impl ProfileName {
    /// All of them.
    pub const ALL: [ProfileName; 7] = [Self::De, Self::At, Self::Ch, Self::Eu, Self::Uk, Self::UsCanspam, Self::CaCasl];

    /// The word in configuration, ledger and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::At => "at",
            Self::Ch => "ch",
            Self::Eu => "eu",
            Self::Uk => "uk",
            Self::UsCanspam => "us-canspam",
            Self::CaCasl => "ca-casl",
        }
    }

    /// The inverse of [`ProfileName::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == word)
    }

    /// The profile of a country; of one that none is for, and of an unknown one, the German, as the strictest (J-01).
    pub fn of(country: Option<Country>) -> Self {
        match country.as_ref().map(Country::as_str) {
            Some("AT") => Self::At,
            Some("CH") => Self::Ch,
            Some("GB") => Self::Uk,
            Some("US") => Self::UsCanspam,
            Some("CA") => Self::CaCasl,
            Some(
                "BE" | "BG" | "CY" | "CZ" | "DK" | "EE" | "ES" | "FI" | "FR" | "GR" | "HR" | "HU" | "IE" | "IT" | "LT" | "LU" | "LV" | "MT"
                | "NL" | "PL" | "PT" | "RO" | "SE" | "SI" | "SK" | "IS" | "LI" | "NO", // the last three by the EEA
            ) => Self::Eu,
            _ => Self::De,
        }
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_their_profile_and_the_unknown_is_the_strictest() {
        // J-01
        for (code, expected) in [
            ("DE", "de"),
            ("at", "at"),
            ("CH", "ch"),
            ("FR", "eu"),
            ("LI", "eu"),
            ("GB", "uk"),
            ("US", "us-canspam"),
            ("CA", "ca-casl"),
            ("JP", "de"),
        ] {
            assert_eq!(ProfileName::of(Some(Country::parse(code).expect(code))).as_str(), expected, "{code}");
        }
        assert_eq!(ProfileName::of(None), ProfileName::De);
    }
}
