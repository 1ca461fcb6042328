//! One line of the ledger: what happened to a subject's consent. Inserted, never changed (I7).

use jiff::Timestamp;

use super::{Channel, Evidence, Fact, OptInId, Topic};

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
    /// The person was asked to confirm and said no (S1-17). Voids what was asked for, and every older request of the same:
    /// whoever signs up somebody else must not cost them a consent of their own.
    Refused,
    /// The person withdrew consent to these topics (GDPR Art. 7(3)).
    Withdrawn,
    /// The person objected to all advertising of the controller (GDPR Art. 21(2)).
    Objected,
    /// The person wants a rest from all advertising of the controller, until [`Event::until`]. Consent stays.
    Paused,
    /// The person ended the pause.
    Resumed,
    /// The person's own dealings with the controller: what an exemption for existing customers rests on (UWG §7(3)).
    /// [`Event::topics`] are what it was about, [`Fact::trigger`] how it came about.
    Purchase,
    /// The person was told, where the address was collected, that advertising can be objected to (UWG §7(3) no. 4).
    NoticeShown,
    /// The person complained to a mailbox provider or an authority: as an objection (U-35).
    Complaint,
    /// The mailbox does not exist: no advertising there until somebody confirms from it.
    Bounce,
    /// The person says that the consent was not theirs (L-DOI-08).
    Disputed,
    /// The person wants processing restricted (GDPR Art. 18): no advertising until it is lifted.
    Restricted,
    /// A restriction was lifted (GDPR Art. 18(3)).
    Unrestricted,
    /// The consent lapsed with the circumstances, in the judgement of whoever tells it (L-CON-06). Idling by the clock needs no
    /// event: it acts at decision time.
    ExpiredIdle,
    /// Another system has a consent on its books, without complete evidence: on record, and nothing to send on.
    Imported,
    /// What this controller had of the person was erased: because a sign-up was never confirmed (L-DOI-04, GDPR Art. 5(1)(e)),
    /// or because the person wanted it (GDPR Art. 17); then an objection stands before it, which outlives it (L-OBJ-07).
    /// Evidence of consent stays for as long as claims may be raised (GDPR Art. 17(3)(e)).
    Erased,
    /// The address was corrected (GDPR Art. 16): the person is reached elsewhere, and this mailbox may be a stranger's. Blocks as
    /// an objection does, until somebody signs up from this mailbox and confirms.
    Rectified,
    /// The retention of the evidence ended, and its key was destroyed (L-PRV-02, E-15). A consent that cannot be proven any more is
    /// none (GDPR Art. 7(1)).
    EvidenceDestroyed,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 21] = [
        Self::Requested,
        Self::DoiMailSent,
        Self::DoiBounced,
        Self::Given,
        Self::Refused,
        Self::Withdrawn,
        Self::Objected,
        Self::Paused,
        Self::Resumed,
        Self::Purchase,
        Self::NoticeShown,
        Self::Complaint,
        Self::Bounce,
        Self::Disputed,
        Self::Restricted,
        Self::Unrestricted,
        Self::ExpiredIdle,
        Self::Imported,
        Self::Erased,
        Self::Rectified,
        Self::EvidenceDestroyed,
    ];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::DoiMailSent => "doi_mail_sent",
            Self::DoiBounced => "doi_bounced",
            Self::Given => "given",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Objected => "objected",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Purchase => "purchase",
            Self::NoticeShown => "optout_notice_shown",
            Self::Complaint => "complaint",
            Self::Bounce => "bounce",
            Self::Disputed => "disputed",
            Self::Restricted => "restricted",
            Self::Unrestricted => "unrestricted",
            Self::ExpiredIdle => "expired_idle",
            Self::Imported => "imported",
            Self::Erased => "erased",
            Self::Rectified => "rectified",
            Self::EvidenceDestroyed => "evidence_destroyed",
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
    /// The person, on a sign-up form of the gateway.
    Form,
    /// The person, on a page of the gateway.
    Page,
    /// The person's mail program, by one-click (RFC 8058).
    OneClick,
    /// A mail to one of the controller's mailboxes: the person's, or a report of a mail system. Can only say no (I5, U-18).
    Mail,
    /// An operator on behalf of the person, who called or wrote (L-OBJ-02, S0-12). Can only say no (I5).
    Staff,
    /// Another system of the company: what it may say stands in `desk`. Can only say no, or state facts (I5).
    System,
    /// The gateway itself.
    Gateway,
}

impl Source {
    /// All doors.
    pub const ALL: [Source; 8] = [Self::Api, Self::Form, Self::Page, Self::OneClick, Self::Mail, Self::Staff, Self::System, Self::Gateway];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Form => "form",
            Self::Page => "page",
            Self::OneClick => "one_click",
            Self::Mail => "mail",
            Self::Staff => "staff",
            Self::System => "system",
            Self::Gateway => "gateway",
        }
    }

    /// The inverse of [`Source::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == word)
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
    /// What it is about: being written to, called, or measured. Kept apart (L-TRK-01).
    pub channel: Channel,
    /// The topics concerned; empty for what concerns the whole controller, such as [`EventKind::Objected`] or
    /// [`EventKind::Paused`], and for everything of [`Channel::Tracking`].
    pub topics: Vec<Topic>,
    /// Through which door.
    pub source: Source,
    /// The double opt-in it belongs to.
    pub opt_in: Option<OptInId>,
    /// For [`EventKind::Given`] and [`EventKind::Refused`]: the `seq` of the request that was confirmed or refused. A
    /// withdrawal between request and confirmation thereby voids the confirmation (DESIGN.md section 5).
    pub answers: Option<u64>,
    /// For [`EventKind::Paused`]: when it ends by itself.
    pub until: Option<Timestamp>,
    /// What a fact from outside says.
    pub fact: Option<Fact>,
    /// The proof, as stored sealed; `None` where it was not asked for.
    pub evidence: Option<Evidence>,
}

impl Event {
    /// An event about e-mail that has no place in the order yet; the ledger gives it one.
    pub fn new(kind: EventKind, controller: impl Into<String>, topics: Vec<Topic>, source: Source, at: Timestamp) -> Self {
        let (seq, channel) = (0, Channel::Email);
        Self {
            seq,
            at,
            kind,
            controller: controller.into(),
            channel,
            topics,
            source,
            opt_in: None,
            answers: None,
            until: None,
            fact: None,
            evidence: None,
        }
    }
}
