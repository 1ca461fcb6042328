//! The legal bases on which a mail may leave.

/// Why it is lawful to send a mail (S4-01: every pass names exactly one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegalBasis {
    /// Prior express consent, proven by double opt-in.
    Consent,
    /// No advertising: needed for a contract, a legal duty or a request of the person.
    NotAdvertising,
}

impl LegalBasis {
    /// One word for the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::NotAdvertising => "not_advertising",
        }
    }

    /// The articles (L-GDPR-01, L-CON-01).
    pub fn articles(self) -> &'static str {
        match self {
            Self::Consent => "UWG §7(2) Nr. 2; GDPR Art. 6(1)(a), Art. 7",
            Self::NotAdvertising => "GDPR Art. 6(1)(b), (c) or (f); no advertising under UWG §7",
        }
    }
}
