//! One line of the ledger: what happened to a subject's consent. Inserted, never changed (I7).

use jiff::Timestamp;

use super::{Evidence, OptInId, Topic};

/// What happened. Each kind that exists is one the gateway can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A sign-up was recorded; its confirmation mail was committed with it.
    Requested,
    /// The outbound MTA took the confirmation mail.
    DoiMailSent,
    /// The confirmation mail cannot be delivered.
    DoiBounced,
    /// The person confirmed: consent (GDPR Art. 4(11)).
    Given,
    /// The person withdrew consent to these topics (GDPR Art. 7(3)).
    Withdrawn,
    /// The person objected to all advertising of the controller (GDPR Art. 21(2)).
    Objected,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 6] = [Self::Requested, Self::DoiMailSent, Self::DoiBounced, Self::Given, Self::Withdrawn, Self::Objected];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::DoiMailSent => "doi_mail_sent",
            Self::DoiBounced => "doi_bounced",
            Self::Given => "given",
            Self::Withdrawn => "withdrawn",
            Self::Objected => "objected",
        }
    }

    /// The inverse of [`EventKind::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Through which door an event came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The machine API, on the word of a website's server.
    Api,
    /// The person, on a page of the gateway.
    Page,
    /// The person's mail program, by one-click (RFC 8058).
    OneClick,
    /// The gateway itself.
    Gateway,
    /// An operator on behalf of the person (S0-12); the audit log says who. Never grants (I5).
    Staff,
}

impl Source {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::OneClick => "one_click",
            Self::Gateway => "gateway",
            Self::Staff => "staff",
        }
    }

    /// The inverse of [`Source::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Api, Self::Page, Self::OneClick, Self::Gateway, Self::Staff].into_iter().find(|source| source.as_str() == word)
    }
}

/// One event of one subject. Its place in the order is `seq`, not `at`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Position among the subject's events, from 1, without gaps; given by the ledger.
    pub seq: u64,
    /// Wall-clock time, UTC.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// Key of the controller concerned.
    pub controller: String,
    /// The topics concerned; empty for [`EventKind::Objected`], which means all of the controller.
    pub topics: Vec<Topic>,
    /// Through which door.
    pub source: Source,
    /// The double opt-in it belongs to.
    pub opt_in: Option<OptInId>,
    /// For [`EventKind::Given`]: the `seq` of the request that was confirmed. A withdrawal between
    /// request and confirmation thereby voids the confirmation (DESIGN.md section 5).
    pub answers: Option<u64>,
    /// The proof, as stored sealed; `None` where it was not asked for.
    pub evidence: Option<Evidence>,
}
