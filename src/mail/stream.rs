//! A stream: one source of mail, with what it may send. Its settings come from the configuration.

use super::Address;
use super::address::canonical_domain;

/// What a stream's credential says about the class of its mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamClass {
    /// Everything is marketing, whatever the headers claim.
    Marketing,
    /// Transactional unless list headers, declarations or tool marks raise it to marketing.
    Transactional,
    /// The sender declares each message; what is not declared is marketing (L-AD-06).
    Declared,
}

/// How a stream's client learns that a mail is blocked (DESIGN.md section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerProfile {
    /// 550 after the message.
    #[default]
    Reject,
    /// 550 already to RCPT, where the stream alone says class and topic.
    RejectAtRcpt,
    /// 250 and a record: for tools that take a refusal for a fault and stop the campaign.
    Accept,
}

/// Whether a stream's mail is held to the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamMode {
    /// What lacks a basis is blocked.
    #[default]
    Enforce,
    /// What merely lacks a basis passes, and is recorded as what would have been blocked; a no stays a no.
    Shadow,
}

/// What follows when the credential claims transactional, or lets its sender claim it, and the content alone says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dispute {
    /// It passes; the dispute is recorded and told in the log. A model alone loses nobody's invoice: that takes a person who says so.
    #[default]
    Pass,
    /// It waits in the spool until a person says what it is, or until the hold ends.
    Hold,
    /// It is marketing.
    Enforce,
}

/// When the same text to many people speaks for advertising: to so many within such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// So many recipients; 0 counts nothing.
    pub recipients: u32,
    /// Within so many seconds at least, and twice as many at most.
    pub seconds: u32,
}

impl Bulk {
    /// What can be counted.
    pub const MOST: u32 = 2_000;
}

impl Default for Bulk {
    fn default() -> Self {
        Self { recipients: 50, seconds: 3_600 }
    }
}

/// A source of mail: one controller, the domains it may use, the class its credential allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Unique name from the configuration; stands in records and logs.
    pub name: String,
    /// Key of the controller (GDPR Art. 4(7)) on whose behalf this stream sends.
    pub controller: String,
    /// What the credential allows.
    pub class: StreamClass,
    /// Topic of marketing that names none itself.
    pub topic: Option<String>,
    /// Domains allowed in From, Sender and the reverse-path (M-02).
    pub from_domains: Vec<DomainPattern>,
    /// How its client learns that a mail is blocked.
    pub answer: AnswerProfile,
    /// Whether its mail is held to the decision.
    pub mode: StreamMode,
    /// What follows when its claim and the content disagree.
    pub disputed: Dispute,
    /// When the same text to many is a sign of advertising.
    pub bulk: Bulk,
}

impl Stream {
    /// One that nobody configured: of no company, for no domain, with everything else as it is by default.
    pub fn named(name: &str, class: StreamClass) -> Self {
        Self {
            name: name.to_owned(),
            controller: String::new(),
            class,
            topic: None,
            from_domains: Vec::new(),
            answer: AnswerProfile::default(),
            mode: StreamMode::default(),
            disputed: Dispute::default(),
            bulk: Bulk::default(),
        }
    }

    /// True when the stream may use the address's domain.
    pub fn may_use(&self, address: &Address) -> bool {
        let domain = canonical_domain(address.domain());
        self.from_domains.iter().any(|pattern| pattern.matches(&domain))
    }
}

/// `example.com` (that name only) or `*.example.com` (any name below it, not itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainPattern {
    canonical: String,
    below: bool,
}

impl DomainPattern {
    /// Parses a pattern; `None` when it is neither a domain nor `*.` and a domain.
    pub fn parse(text: &str) -> Option<Self> {
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        // An address with that domain is valid exactly when the domain is.
        let address = Address::parse(&format!("x@{name}")).ok()?;
        (!name.starts_with('[')).then(|| Self { canonical: canonical_domain(address.domain()), below })
    }

    /// The pattern in its one spelling.
    pub fn canonical(&self) -> String {
        if self.below { format!("*.{}", self.canonical) } else { self.canonical.clone() }
    }

    fn matches(&self, canonical: &str) -> bool {
        if self.below {
            canonical.strip_suffix(&self.canonical).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
        } else {
            canonical == self.canonical
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_domain_and_nothing_else() {
        for (pattern, domain, expected) in [
            ("example.com", "a@example.com", true),
            ("example.com", "a@EXAMPLE.com", true),
            ("example.com", "a@mail.example.com", false),
            ("example.com", "a@notexample.com", false),
            ("*.example.com", "a@mail.example.com", true),
            ("*.example.com", "a@example.com", false),
            ("*.example.com", "a@evilexample.com", false),
            ("münchen.example", "a@xn--mnchen-3ya.example", true),
        ] {
            let stream = Stream {
                name: "s".into(),
                controller: "c".into(),
                class: StreamClass::Marketing,
                topic: None,
                from_domains: vec![DomainPattern::parse(pattern).expect(pattern)],
                answer: AnswerProfile::Reject,
                mode: StreamMode::Enforce,
                disputed: Dispute::Pass,
                bulk: Default::default(),
            };
            assert_eq!(stream.may_use(&Address::parse(domain).expect(domain)), expected, "{pattern} {domain}");
        }
        assert_eq!(DomainPattern::parse("*"), None);
        assert_eq!(DomainPattern::parse("a b"), None);
    }
}
