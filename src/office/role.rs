//! Who may do what in the office: one table. Asking it is the business of each method of `Office`.

use crate::store::Role;

/// What an operator may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See figures.
    Overview,
    /// See decisions, with persons masked.
    Decisions,
    /// Search a person by address.
    FindSubject,
    /// See what happened to a person's consent, masked.
    SubjectTimeline,
    /// Withdraw or object on behalf of a person. There is no action that grants (I5).
    Withdraw,
    /// Take rows away as a file.
    ExportCsv,
    /// See a person's address, for a reason.
    RevealAddress,
    /// See what operators did.
    ReadAudit,
    /// See a person's evidence in full: IP address, browser, mail.
    Evidence,
    /// Take away all that is stored about a person, as a file (GDPR Art. 15).
    AccessExport,
    /// Erase a person (GDPR Art. 17).
    Erase,
    /// Restrict processing for a person, and lift it (GDPR Art. 18).
    Restrict,
    /// Correct the address of a person (GDPR Art. 16).
    Rectify,
    /// See which persons asked for what, and enter what came by letter (GDPR Art. 12).
    Requests,
    /// Extend the term of a request, answer or refuse it, doubt who asks (GDPR Art. 12(3) to (6)).
    HandleRequests,
    /// See which rules are in force, what others would change, and who approved them.
    Rules,
    /// Propose other rules: have them simulated (S0-27).
    SimulateRules,
    /// Approve a change of the rules (S0-28).
    ApproveRules,
    /// See which mails are held, without their words.
    Held,
    /// Read a mail that is held, for a reason; say what it is, or what a decided mail was.
    RuleOnClass,
}

const YES: bool = true;
const NO_: bool = false;

impl Action {
    /// All actions.
    pub const ALL: [Action; 20] = [
        Self::Overview,
        Self::Decisions,
        Self::FindSubject,
        Self::SubjectTimeline,
        Self::Withdraw,
        Self::ExportCsv,
        Self::RevealAddress,
        Self::ReadAudit,
        Self::Evidence,
        Self::AccessExport,
        Self::Erase,
        Self::Restrict,
        Self::Rectify,
        Self::Requests,
        Self::HandleRequests,
        Self::Rules,
        Self::SimulateRules,
        Self::ApproveRules,
        Self::Held,
        Self::RuleOnClass,
    ];

    /// The word in templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Decisions => "decisions",
            Self::FindSubject => "find_subject",
            Self::SubjectTimeline => "subject_timeline",
            Self::Withdraw => "withdraw",
            Self::ExportCsv => "export_csv",
            Self::RevealAddress => "reveal_address",
            Self::ReadAudit => "read_audit",
            Self::Evidence => "evidence",
            Self::AccessExport => "access_export",
            Self::Erase => "erase",
            Self::Restrict => "restrict",
            Self::Rectify => "rectify",
            Self::Requests => "requests",
            Self::HandleRequests => "handle_requests",
            Self::Rules => "rules",
            Self::SimulateRules => "simulate_rules",
            Self::ApproveRules => "approve_rules",
            Self::Held => "held",
            Self::RuleOnClass => "rule_on_class",
        }
    }

    /// Viewer, operator, compliance, legal (L-TOM-02). Accounts are the command line's business.
    #[rustfmt::skip]
    const fn table(self) -> [bool; Role::ALL.len()] {
        match self {
            Self::Overview        => [YES, YES, YES, YES],
            Self::Decisions       => [YES, YES, YES, YES],
            Self::FindSubject     => [NO_, YES, YES, YES],
            Self::SubjectTimeline => [NO_, YES, YES, YES],
            Self::Withdraw        => [NO_, YES, YES, YES],
            Self::ExportCsv       => [NO_, NO_, YES, YES],
            Self::RevealAddress   => [NO_, NO_, YES, YES],
            Self::ReadAudit       => [NO_, NO_, YES, YES],
            Self::Evidence        => [NO_, NO_, NO_, YES],
            Self::AccessExport    => [NO_, NO_, NO_, YES],
            Self::Erase           => [NO_, NO_, YES, YES],
            Self::Restrict        => [NO_, YES, YES, YES],
            Self::Rectify         => [NO_, NO_, YES, YES],
            Self::Requests        => [NO_, YES, YES, YES],
            Self::HandleRequests  => [NO_, NO_, YES, YES],
            Self::Rules           => [NO_, YES, YES, YES],
            Self::SimulateRules   => [NO_, YES, YES, YES],
            Self::ApproveRules    => [NO_, NO_, YES, YES],
            Self::Held            => [YES, YES, YES, YES],
            Self::RuleOnClass     => [NO_, NO_, YES, YES],
        }
    }

    /// True when the table says yes.
    pub const fn is_for(self, role: Role) -> bool {
        let [viewer, operator, compliance, legal] = self.table();
        match role {
            Role::Viewer => viewer,
            Role::Operator => operator,
            Role::Compliance => compliance,
            Role::Legal => legal,
        }
    }
}
