//! The legal entity on whose behalf mail is sent.

use super::{Brand, Country, Language};

/// A controller (GDPR Art. 4(7)): whoever must prove the consent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Unique key; stands in events, decisions and links.
    pub key: String,
    /// Name of the legal entity as people know it.
    pub name: String,
    /// Imprint: postal address, contact, register entry (DDG s.5); one line or more.
    pub imprint: String,
    /// Where the privacy policy is (GDPR Art. 13).
    pub privacy_url: String,
    /// Language of its pages and mails where the person's is not known.
    #[serde(default)]
    pub language: Language,
    /// Where its seat is, e.g. `DE`: that country's policy profile applies to all its mail (J-01).
    #[serde(default)]
    pub country: Option<Country>,
    /// Sender of confirmation mails, e.g. `newsletter@example.com`; its bounces must reach someone (M-66).
    pub from: String,
    /// How its pages look.
    #[serde(default)]
    pub brand: Brand,
}
