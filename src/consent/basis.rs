//! The legal bases on which a mail may leave.

use super::Language;

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

    /// The articles (L-GDPR-01, L-CON-01): as German lawyers cite them, or in English for everyone else.
    pub fn articles(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Consent, Language::DE) => "§ 7 Abs. 2 Nr. 2 UWG; Art. 6 Abs. 1 lit. a, Art. 7 DSGVO",
            (Self::Consent, _) => "UWG §7(2) no. 2; GDPR Art. 6(1)(a), Art. 7",
            (Self::NotAdvertising, Language::DE) => "Art. 6 Abs. 1 lit. b, c oder f DSGVO; keine Werbung im Sinne des § 7 UWG",
            (Self::NotAdvertising, _) => "GDPR Art. 6(1)(b), (c) or (f); no advertising under UWG §7",
        }
    }
}
