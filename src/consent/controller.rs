//! The legal entity on whose behalf mail is sent, and the language it speaks.

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
    /// Sender of confirmation mails, e.g. `newsletter@example.com`; its bounces must reach someone (M-66).
    pub from: String,
}

/// A language the gateway's own texts exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// German.
    De,
    /// English.
    #[default]
    En,
}

impl Language {
    /// The language tag (RFC 5646): `de` or `en`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    /// The first language of a `Content-Language` or `Accept-Language` value that we have.
    pub fn preferred(value: &str) -> Option<Self> {
        value.split(',').find_map(|range| {
            let tag = range.split(';').next().unwrap_or_default().trim();
            match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "de" => Some(Self::De),
                "en" => Some(Self::En),
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_counts() {
        for (value, expected) in [
            ("de-DE,de;q=0.9,en;q=0.8", Some(Language::De)),
            ("fr, en-GB;q=0.7", Some(Language::En)),
            ("DE", Some(Language::De)),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(Language::preferred(value), expected, "{value}");
        }
    }
}
