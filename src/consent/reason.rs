//! The closed set of reasons: the same word in ledger, SMTP reply, log, API and pages.

mod sentences;

use std::fmt;

use super::LegalBasis;

/// What happens to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may leave.
    Pass,
    /// It may not: 550 5.7.1.
    Block,
    /// Not now: 451.
    Defer,
    /// It waits for a person.
    Hold,
}

impl Verdict {
    /// One word for the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Block => "block",
            Self::Defer => "defer",
            Self::Hold => "hold",
        }
    }
}

/// Why a copy passes, is blocked or deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Pass: not advertising.
    Transactional,
    /// Pass: not advertising, says the stream's credential; the content alone says otherwise, or nobody can tell. A person should look.
    ClassDisputed,
    /// Pass: a confirmed double opt-in covers the topic.
    DoiConsent,
    /// Pass: an existing customer, and all that the exemption asks for (UWG §7(3)).
    ExistingCustomer,
    /// Pass: where silence is enough, nobody said no.
    OptOutRegime,
    /// Pass: the stream is only watched; what is recorded besides is what would have been said.
    Shadow,
    /// Block: nothing on record.
    NoConsent,
    /// Block: asked for, not confirmed yet.
    OptInPending,
    /// Block: consent to this topic was withdrawn (GDPR Art. 7(3)); or there is none, and another list of this controller was
    /// unsubscribed from (L-OBJ-04).
    Withdrawn,
    /// Block: objection to all advertising of this controller (GDPR Art. 21(2)).
    Objected,
    /// Block: a consent that lay unused for too long, or lapsed (L-CON-06).
    ConsentStale,
    /// Block: a customer once; too long ago for the exemption.
    CustomerWindowOver,
    /// Block: a customer; the mail is about something else than what was bought (UWG §7(3) no. 2).
    NotSimilar,
    /// Block: a customer who was not told that they may object (UWG §7(3) no. 4).
    NoOptOutNotice,
    /// Block: a customer who is on the Austrian list of those who want no advertising, or nobody can tell (ECG §7(2)).
    OnOptOutList,
    /// Block: the mailbox does not exist.
    Bounced,
    /// Block: the person complained of this controller's advertising.
    Complained,
    /// Block: processing is restricted (GDPR Art. 18).
    Restricted,
    /// Block: the person says that the consent was not theirs (L-DOI-08).
    Disputed,
    /// Block: the person wants a rest from all advertising of this controller.
    Paused,
    /// Block: the topic belongs to another legal entity than the stream.
    OtherController,
    /// Block: marketing without a topic, or with one that is not configured.
    UnknownTopic,
    /// Block: the stream may not use this From or Sender domain.
    FromNotAllowed,
    /// Defer: the ledger cannot be asked (I4).
    LedgerUnavailable,
    /// Hold: the content disputes that it is no advertising, and the stream waits for a person.
    Held,
}

impl Reason {
    /// All reasons, in the order of their documentation.
    pub const ALL: [Reason; 25] = [
        Self::Transactional,
        Self::ClassDisputed,
        Self::DoiConsent,
        Self::ExistingCustomer,
        Self::OptOutRegime,
        Self::Shadow,
        Self::NoConsent,
        Self::OptInPending,
        Self::Withdrawn,
        Self::Objected,
        Self::ConsentStale,
        Self::CustomerWindowOver,
        Self::NotSimilar,
        Self::NoOptOutNotice,
        Self::OnOptOutList,
        Self::Bounced,
        Self::Complained,
        Self::Restricted,
        Self::Disputed,
        Self::Paused,
        Self::OtherController,
        Self::UnknownTopic,
        Self::FromNotAllowed,
        Self::LedgerUnavailable,
        Self::Held,
    ];

    /// The word of the public contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::ClassDisputed => "class_disputed",
            Self::DoiConsent => "doi_consent",
            Self::ExistingCustomer => "existing_customer",
            Self::OptOutRegime => "opt_out_regime",
            Self::Shadow => "shadow",
            Self::NoConsent => "no_consent",
            Self::OptInPending => "opt_in_pending",
            Self::Withdrawn => "withdrawn",
            Self::Objected => "objected",
            Self::ConsentStale => "consent_stale",
            Self::CustomerWindowOver => "customer_window_over",
            Self::NotSimilar => "not_similar",
            Self::NoOptOutNotice => "no_opt_out_notice",
            Self::OnOptOutList => "on_opt_out_list",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Restricted => "restricted",
            Self::Disputed => "disputed",
            Self::Paused => "paused",
            Self::OtherController => "other_controller",
            Self::UnknownTopic => "unknown_topic",
            Self::FromNotAllowed => "from_not_allowed",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::Held => "held",
        }
    }

    /// The inverse of [`Reason::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// What follows from it.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Transactional | Self::ClassDisputed | Self::DoiConsent | Self::ExistingCustomer | Self::OptOutRegime | Self::Shadow => {
                Verdict::Pass
            }
            Self::LedgerUnavailable => Verdict::Defer,
            Self::Held => Verdict::Hold,
            _ => Verdict::Block,
        }
    }

    /// The legal basis, for what passes (S4-01).
    pub fn basis(self) -> Option<LegalBasis> {
        match self {
            Self::Transactional | Self::ClassDisputed => Some(LegalBasis::NotAdvertising),
            Self::DoiConsent => Some(LegalBasis::Consent),
            Self::ExistingCustomer => Some(LegalBasis::ExistingCustomer),
            Self::OptOutRegime => Some(LegalBasis::OptOut),
            Self::Shadow => Some(LegalBasis::None),
            _ => None,
        }
    }

    /// True for what needs no consent, because it counts as no advertising.
    pub fn needs_no_consent(self) -> bool {
        matches!(self, Self::Transactional | Self::ClassDisputed)
    }

    /// True for what a stream in shadow lets pass: there is no basis, and nobody said no.
    pub fn merely_lacks_basis(self) -> bool {
        matches!(
            self,
            Self::NoConsent
                | Self::OptInPending
                | Self::ConsentStale
                | Self::CustomerWindowOver
                | Self::NotSimilar
                | Self::NoOptOutNotice
                | Self::OnOptOutList
        )
    }

    /// True for what the person said against advertising, or had done about it: nothing that merely lacks.
    pub fn is_a_no(self) -> bool {
        matches!(self, Self::Withdrawn | Self::Objected | Self::Complained | Self::Disputed | Self::Restricted)
    }

    /// True for what the exemption for existing customers says, whichever way it goes.
    pub fn is_of_customers(self) -> bool {
        matches!(self, Self::ExistingCustomer | Self::CustomerWindowOver | Self::NotSimilar | Self::NoOptOutNotice | Self::OnOptOutList)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Language;

    #[test]
    fn every_reason_has_its_word_its_sentences_and_a_basis_when_it_passes() {
        // S4-01
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            assert_ne!(reason.sentence(Language::DE), reason.sentence(Language::EN));
            assert_ne!(reason.remedy(Language::DE), reason.remedy(Language::EN));
            assert_eq!(reason.basis().is_some(), reason.verdict() == Verdict::Pass, "{reason}");
        }
    }
}
