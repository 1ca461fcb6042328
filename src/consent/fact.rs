//! What a fact from outside says besides its kind: how somebody became a customer, what they were told then, where they live.
//! Nothing in it names a person, so it stands in the ledger in clear.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a relation came about that an exemption for existing customers may rest on. Which of them count, and for how long, is
/// the policy profile's word (L-SOFT-01, L-SOFT-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Goods were sold (UWG §7(3) no. 1).
    Sale,
    /// A service was sold (UWG §7(3) no. 1 and Directive 2002/58/EC Art. 13(2) name it beside goods).
    Service,
    /// Negotiations for a sale (PECR reg. 22(3)(a)).
    Negotiation,
    /// A question about what is offered (CASL s.10(10)(e)).
    Inquiry,
    /// A contract ended (CASL s.10(10)(d)).
    ContractEnd,
    /// A gift to a charity or party (CASL s.10(13)(a)).
    Donation,
    /// Work as a volunteer (CASL s.10(13)(b)).
    Volunteering,
    /// A membership ended (CASL s.10(13)(c)).
    MembershipEnd,
    /// An account paid for by other means than money (CJEU C-654/23).
    FreeAccount,
    /// An offer was asked for.
    Quote,
    /// A cart was left.
    Cart,
    /// Something was downloaded for nothing.
    Download,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Trigger; 12] = [
        Self::Sale,
        Self::Service,
        Self::Negotiation,
        Self::Inquiry,
        Self::ContractEnd,
        Self::Donation,
        Self::Volunteering,
        Self::MembershipEnd,
        Self::FreeAccount,
        Self::Quote,
        Self::Cart,
        Self::Download,
    ];

    /// The word in ledger, API and profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Service => "service",
            Self::Negotiation => "negotiation",
            Self::Inquiry => "inquiry",
            Self::ContractEnd => "contract_end",
            Self::Donation => "donation",
            Self::Volunteering => "volunteering",
            Self::MembershipEnd => "membership_end",
            Self::FreeAccount => "free_account",
            Self::Quote => "quote",
            Self::Cart => "cart",
            Self::Download => "download",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A country by its two letters (ISO 3166-1 alpha-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// The text is no country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two letters, e.g. DE")]
pub struct CountryError;

impl Country {
    /// Parses the code, in either case. Whether such a country exists is not asked: one that no profile knows is treated as
    /// unknown, which is the strict way.
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        match text.trim().as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()])),
            _ => Err(CountryError),
        }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // ASCII letters
    }
}

impl TryFrom<String> for Country {
    type Error = CountryError;

    fn try_from(text: String) -> Result<Self, CountryError> {
        Self::parse(&text)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}

/// What a fact says. All of it is optional because each kind of fact says something else; the desk checks what a kind needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fact {
    /// When it happened, which is not when it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred: Option<Timestamp>,
    /// How the relation came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// True when the address came from the customer, in connection with that dealing (UWG §7(3) no. 1; S1-09).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_address: bool,
    /// SHA-256 of the text that said, when the address was collected, that advertising can be objected to (UWG §7(3) no. 4;
    /// L-SOFT-05), in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Where the person lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Which system told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teller: Option<Teller>,
}

/// Which system of the company told a fact (S0-07).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teller {
    /// Customer relations.
    Crm,
    /// Orders and contracts.
    Erp,
    /// Marketing automation.
    Ma,
    /// People who answer the phone and the post.
    Staff,
}

impl Teller {
    /// All of them.
    pub const ALL: [Teller; 4] = [Self::Crm, Self::Erp, Self::Ma, Self::Staff];

    /// The word in ledger, API and scopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crm => "crm",
            Self::Erp => "erp",
            Self::Ma => "ma",
            Self::Staff => "staff",
        }
    }

    /// The inverse of [`Teller::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|teller| teller.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_read_in_either_case_and_nothing_else_does() {
        assert_eq!(Country::parse(" de "), Country::parse("DE"));
        for text in ["", "D", "DEU", "D1", "Ö!"] {
            assert_eq!(Country::parse(text), Err(CountryError), "{text}");
        }
    }

    #[test]
    fn a_fact_says_only_what_it_knows() {
        let fact = Fact { trigger: Some(Trigger::Sale), own_address: true, ..Fact::default() };
        let text = serde_json::to_string(&fact).expect("serialises");
        assert_eq!(text, r#"{"trigger":"sale","own_address":true}"#);
        assert_eq!(serde_json::from_str::<Fact>(&text).expect("parses"), fact);
        for trigger in Trigger::ALL {
            assert_eq!(serde_json::to_string(&trigger).expect("serialises"), format!("\"{trigger}\""));
        }
    }
}
