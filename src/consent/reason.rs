//! The closed set of reasons: the same word in ledger, SMTP reply, log, API and pages.

use std::fmt;

use super::{Language, LegalBasis};

/// What happens to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may leave.
    Pass,
    /// It may not: 550 5.7.1.
    Block,
    /// Not now: 451.
    Defer,
}

impl Verdict {
    /// One word for the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Block => "block",
            Self::Defer => "defer",
        }
    }
}

/// Why a copy passes, is blocked or deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Pass: not advertising.
    Transactional,
    /// Pass: a confirmed double opt-in covers the topic.
    DoiConsent,
    /// Block: nothing on record.
    NoConsent,
    /// Block: asked for, not confirmed yet.
    OptInPending,
    /// Block: consent to this topic was withdrawn (GDPR Art. 7(3)).
    Withdrawn,
    /// Block: objection to all advertising of this controller (GDPR Art. 21(2)).
    Objected,
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
}

impl Reason {
    /// All reasons, in the order of their documentation.
    pub const ALL: [Reason; 11] = [
        Self::Transactional,
        Self::DoiConsent,
        Self::NoConsent,
        Self::OptInPending,
        Self::Withdrawn,
        Self::Objected,
        Self::Paused,
        Self::OtherController,
        Self::UnknownTopic,
        Self::FromNotAllowed,
        Self::LedgerUnavailable,
    ];

    /// The word of the public contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::DoiConsent => "doi_consent",
            Self::NoConsent => "no_consent",
            Self::OptInPending => "opt_in_pending",
            Self::Withdrawn => "withdrawn",
            Self::Objected => "objected",
            Self::Paused => "paused",
            Self::OtherController => "other_controller",
            Self::UnknownTopic => "unknown_topic",
            Self::FromNotAllowed => "from_not_allowed",
            Self::LedgerUnavailable => "ledger_unavailable",
        }
    }

    /// The inverse of [`Reason::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// What follows from it.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Transactional | Self::DoiConsent => Verdict::Pass,
            Self::LedgerUnavailable => Verdict::Defer,
            _ => Verdict::Block,
        }
    }

    /// The legal basis, for what passes (S4-01).
    pub fn basis(self) -> Option<LegalBasis> {
        match self {
            Self::Transactional => Some(LegalBasis::NotAdvertising),
            Self::DoiConsent => Some(LegalBasis::Consent),
            _ => None,
        }
    }

    /// One sentence for people: in German, or in English for everyone else.
    pub fn sentence(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Transactional, Language::DE) => "Es ist keine Werbung und braucht daher keine Einwilligung.",
            (Self::Transactional, _) => "It is not advertising, so it needs no consent.",
            (Self::DoiConsent, Language::DE) => "Die Person hat per Double-Opt-in bestätigt, dass sie E-Mails zu diesem Thema möchte.",
            (Self::DoiConsent, _) => "The person confirmed by double opt-in that they want mail about this topic.",
            (Self::NoConsent, Language::DE) => "Es ist Werbung, und für dieses Thema liegt keine Einwilligung dieser Person vor.",
            (Self::NoConsent, _) => "It is advertising, and there is no consent of this person on record for this topic.",
            (Self::OptInPending, Language::DE) => "Die Person hat sich angemeldet, aber noch nicht bestätigt.",
            (Self::OptInPending, _) => "The person signed up but has not confirmed yet.",
            (Self::Withdrawn, Language::DE) => "Die Person hat die Einwilligung für dieses Thema widerrufen oder abgelehnt.",
            (Self::Withdrawn, _) => "The person has withdrawn or refused consent to this topic.",
            (Self::Objected, Language::DE) => "Die Person hat jeder Werbung dieses Unternehmens widersprochen.",
            (Self::Objected, _) => "The person has objected to all advertising of this company.",
            (Self::Paused, Language::DE) => "Die Person hat jede Werbung dieses Unternehmens pausiert.",
            (Self::Paused, _) => "The person has paused all advertising of this company.",
            (Self::OtherController, Language::DE) => "Das Thema gehört zu einem anderen Unternehmen als dem Absender.",
            (Self::OtherController, _) => "The topic belongs to another company than the one that sends this mail.",
            (Self::UnknownTopic, Language::DE) => "Es ist Werbung ohne Thema oder mit einem nicht eingerichteten Thema.",
            (Self::UnknownTopic, _) => "It is advertising without a topic, or with one that is not configured.",
            (Self::FromNotAllowed, Language::DE) => "Dieser Stream darf nicht mit dieser Absenderdomain senden.",
            (Self::FromNotAllowed, _) => "This stream may not send from this domain.",
            (Self::LedgerUnavailable, Language::DE) => "Das Einwilligungsregister war nicht erreichbar, daher wurde nichts versendet.",
            (Self::LedgerUnavailable, _) => "The consent ledger could not be asked, so nothing was sent.",
        }
    }

    /// What would have to be true for such a mail to pass, in one sentence for people: in German, or in English for
    /// everyone else.
    pub fn remedy(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Transactional, Language::DE) => "Solche E-Mails werden durchgelassen; als Werbung bräuchten sie eine Einwilligung.",
            (Self::Transactional, _) => "It passes as it is; as advertising it would need consent.",
            (Self::DoiConsent, Language::DE) => "Solche E-Mails werden durchgelassen, bis die Person widerruft oder widerspricht.",
            (Self::DoiConsent, _) => "It passes as things are, until the person withdraws or objects.",
            (Self::NoConsent, Language::DE) => "Die Person müsste sich für dieses Thema anmelden und die Bestätigungsmail bestätigen.",
            (Self::NoConsent, _) => "The person would have to sign up for this topic and confirm the mail that asks for it.",
            (Self::OptInPending, Language::DE) => {
                "Die Person müsste die Anmeldung mit dem Link der Bestätigungsmail bestätigen, solange er gilt."
            }
            (Self::OptInPending, _) => "The person would have to confirm by the link in the confirmation mail, while it is valid.",
            (Self::Withdrawn, Language::DE) => "Die Person müsste sich selbst neu anmelden und bestätigen; niemand kann das für sie tun.",
            (Self::Withdrawn, _) => "The person would have to sign up anew and confirm; nobody can do it for them.",
            (Self::Objected, Language::DE) => {
                "Die Person müsste sich selbst neu anmelden und bestätigen; bis dahin gilt der Widerspruch für jede Werbung."
            }
            (Self::Objected, _) => "The person would have to sign up anew and confirm; until then the objection holds for all advertising.",
            (Self::Paused, Language::DE) => "Die Pause müsste enden: an ihrem Tag, oder weil die Person sie vorher beendet.",
            (Self::Paused, _) => "The pause would have to end: on its day, or because the person ends it earlier.",
            (Self::OtherController, Language::DE) => {
                "Die E-Mail müsste über einen Stream des Unternehmens gehen, dem das Thema gehört, oder ein Thema des eigenen haben."
            }
            (Self::OtherController, _) => {
                "The mail would have to go by a stream of the company that the topic belongs to, or be about a topic of its own."
            }
            (Self::UnknownTopic, Language::DE) => {
                "Die Nachricht (Kopfzeile Consentry-Topic) oder der Stream müsste ein Thema nennen, das eingerichtet ist."
            }
            (Self::UnknownTopic, _) => "The message (header Consentry-Topic) or the stream would have to name a topic that is configured.",
            (Self::FromNotAllowed, Language::DE) => {
                "Die Absenderdomain müsste zu denen gehören, die die Konfiguration diesem Stream erlaubt."
            }
            (Self::FromNotAllowed, _) => "The sender's domain would have to be among those that the configuration allows this stream.",
            (Self::LedgerUnavailable, Language::DE) => {
                "Das Einwilligungsregister müsste antworten; der Absender versucht es von selbst erneut."
            }
            (Self::LedgerUnavailable, _) => "The consent ledger would have to answer; the sender tries again by itself.",
        }
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

    #[test]
    fn every_reason_has_its_word_its_sentences_and_a_basis_when_it_passes() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            assert_ne!(reason.sentence(Language::DE), reason.sentence(Language::EN));
            assert_ne!(reason.remedy(Language::DE), reason.remedy(Language::EN));
            assert_eq!(reason.basis().is_some(), reason.verdict() == Verdict::Pass, "{reason}");
        }
    }
}
