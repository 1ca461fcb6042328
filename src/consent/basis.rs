//! The legal bases on which a mail may leave.

use super::Language;

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

    /// The articles (L-GDPR-01, L-CON-01): as German lawyers cite them, or in English for everyone else.
    pub fn articles(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Consent, Language::DE) => "§ 7 Abs. 2 Nr. 2 UWG; Art. 6 Abs. 1 lit. a, Art. 7 DSGVO",
            (Self::Consent, _) => "UWG §7(2) no. 2; GDPR Art. 6(1)(a), Art. 7",
            (Self::ExistingCustomer, Language::DE) => {
                "§ 7 Abs. 3 UWG, Art. 13 Abs. 2 Richtlinie 2002/58/EG; Art. 6 Abs. 1 lit. f DSGVO, soweit anwendbar (EuGH C-654/23)"
            }
            (Self::ExistingCustomer, _) => {
                "UWG §7(3), Directive 2002/58/EC Art. 13(2); GDPR Art. 6(1)(f) as far as it applies (CJEU C-654/23)"
            }
            (Self::OptOut, Language::DE) => "15 U.S.C. § 7704 (CAN-SPAM Act); keine Einwilligung nötig, solange nicht widersprochen wurde",
            (Self::OptOut, _) => "15 USC 7704 (CAN-SPAM Act): no consent needed as long as nobody objected",
            (Self::None, Language::DE) => "keine; der Stream wird nur beobachtet",
            (Self::None, _) => "none; the stream is only watched",
            (Self::NotAdvertising, Language::DE) => "Art. 6 Abs. 1 lit. b, c oder f DSGVO; keine Werbung im Sinne des § 7 UWG",
            (Self::NotAdvertising, _) => "GDPR Art. 6(1)(b), (c) or (f); no advertising under UWG §7",
        }
    }
}
