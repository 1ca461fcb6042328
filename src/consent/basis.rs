//! The legal bases on which a mail may leave.

/// Why it is lawful to send a mail (S4-01: every pass names exactly one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegalBasis {
    /// Prior express consent, proven by double opt-in.
    Consent,
    /// The exemption for existing customers.
    ExistingCustomer,
    /// None is needed: who did not say no may be written to.
    OptOut,
    /// None: the stream is in shadow.
    None,
    /// No advertising: needed for a contract, a legal duty or a request of the person.
    NotAdvertising,
}

impl LegalBasis {
    /// One word for the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::ExistingCustomer => "existing_customer",
            Self::OptOut => "opt_out",
            Self::None => "none",
            Self::NotAdvertising => "not_advertising",
        }
    }
}
