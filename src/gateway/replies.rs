//! What the client is told at end-of-data. Texts hold reasons and references, never an address (I8).

use crate::consent::{Decision, DecisionId};
use crate::mail::{AnswerProfile, MessageError, Outcome};
use crate::store::StoreError;
use crate::wire::{Enhanced, Reply};

/// The message cannot be read the same way by everybody, so nobody gets it (M-43 to M-45).
pub(super) fn malformed(error: &MessageError) -> Reply {
    let (code, enhanced) = match error {
        MessageError::Loop => (554, Enhanced(5, 4, 6)),
        MessageError::TooLarge => (552, Enhanced(5, 3, 4)),
        _ => (554, Enhanced(5, 6, 0)),
    };
    tracing::info!(%error, "message refused");
    Reply { code, enhanced: Some(enhanced), text: error.to_string().into() }
}

/// Nothing is sent that is not on record (I1, I4, E-13).
pub(super) fn ledger_unavailable(error: &StoreError) -> Reply {
    tracing::error!(%error, "ledger unavailable");
    Reply::new(451, Enhanced(4, 3, 0), "consent: ledger_unavailable, try again later")
}

/// The same mail is on its way already; what becomes of it is not known yet (M-08).
pub(super) fn twin() -> Reply {
    Reply::new(451, Enhanced(4, 4, 5), "the same message is being delivered, try again later")
}

/// The same mail was taken before, and is not delivered again (M-08).
pub(super) fn taken_before(decision: DecisionId) -> Reply {
    Reply { code: 250, enhanced: Some(Enhanced(2, 0, 0)), text: format!("taken before ref={decision}").into() }
}

/// Durable here, and delivered by and by (I2).
pub(super) fn kept(decision: &Decision) -> Reply {
    Reply { code: 250, enhanced: Some(Enhanced(2, 0, 0)), text: format!("taken, delivery follows ref={}", decision.id).into() }
}

/// The outbound MTA did not take it, and neither can the spool: the client keeps it (M-54).
pub(super) fn not_kept(decision: &Decision, outcome: &Outcome, error: &StoreError) -> Reply {
    tracing::error!(%error, "mail cannot be kept in the spool");
    match error {
        StoreError::SpoolFull => spool_unavailable(error),
        _ => relayed(decision, outcome),
    }
}

/// Nothing of the message is kept: the client keeps it (M-54).
pub(super) fn spool_unavailable(error: &StoreError) -> Reply {
    tracing::error!(%error, "mail cannot be kept in the spool");
    match error {
        StoreError::SpoolFull => Reply::new(452, Enhanced(4, 3, 1), "too much mail waits here, try again later"),
        _ => Reply::new(451, Enhanced(4, 3, 0), "mail cannot be kept here now, try again later"),
    }
}

/// `550 5.7.1 consent: <reason> ref=<id>`; never 5.1.x, which would make the tool take the address
/// for dead and hold back its receipts, too (M-59). 250 for tools that stop a campaign on refusals.
pub(super) fn blocked(decision: &Decision, profile: AnswerProfile) -> Reply {
    let text = format!("consent: {} ref={}", decision.reason, decision.id);
    match profile {
        AnswerProfile::Accept => Reply { code: 250, enhanced: Some(Enhanced(2, 0, 0)), text: text.into() },
        AnswerProfile::Reject | AnswerProfile::RejectAtRcpt => Reply { code: 550, enhanced: Some(Enhanced(5, 7, 1)), text: text.into() },
    }
}

/// The same as one line of a report.
pub fn blocked_text(decision: &Decision) -> String {
    format!("550 5.7.1 consent: {} ref={}", decision.reason, decision.id)
}

/// The client's answer is the outbound MTA's answer (DESIGN.md section 1, step 7). Its text stays
/// here: it may repeat an address. Code and enhanced code are carried back.
pub(super) fn relayed(decision: &Decision, outcome: &Outcome) -> Reply {
    let reply = |code: u16, enhanced: Enhanced, text: &str| Reply {
        code,
        enhanced: Some(enhanced),
        text: format!("{text} ref={}", decision.id).into(),
    };
    match outcome {
        // RFC 5321 s.3.8: 421 says that who speaks closes the connection; the outbound MTA does, not we
        Outcome::Defer { code: 421, text } => reply(451, Enhanced::of(text, 4), "outbound MTA deferred"),
        Outcome::Accept { .. } => reply(250, Enhanced(2, 0, 0), "taken by the outbound MTA"),
        Outcome::Defer { code, text } => reply(*code, Enhanced::of(text, 4), "outbound MTA deferred"),
        Outcome::Reject { code, text } => reply(*code, Enhanced::of(text, 5), "outbound MTA refused"),
        Outcome::Unreachable { .. } => reply(451, Enhanced(4, 4, 1), "outbound MTA not reachable"),
        Outcome::Uncertain { .. } => reply(451, Enhanced(4, 4, 2), "outbound MTA did not answer"),
    }
}

/// No copy can be made: why, in our own words, which hold nothing of the mail.
pub(super) fn not_copied(decision: &Decision, outcome: &Outcome) -> Reply {
    let (code, text) = match outcome {
        Outcome::Reject { code, text } | Outcome::Defer { code, text } => (*code, text.as_str()),
        _ => return relayed(decision, outcome),
    };
    let words = text.split_once(' ').map_or(text, |(_, words)| words);
    let class = if code < 500 { 4 } else { 5 };
    Reply { code, enhanced: Some(Enhanced::of(text, class)), text: format!("{words} ref={}", decision.id).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_of_the_outbound_mta_is_not_ours() {
        use crate::consent::{LookupKey, Reason, SubjectId};
        use crate::mail::{Class, Classification};
        let decision = Decision {
            id: crate::consent::DecisionId([0; 16]),
            at: jiff::Timestamp::UNIX_EPOCH,
            stream: "s".into(),
            controller: "c".into(),
            recipient: LookupKey([0; 32]),
            subject: SubjectId([0; 16]),
            classification: Classification { class: Class::Transactional, topic: None, campaign: None, steps: Vec::new() },
            topic: None,
            reason: Reason::Transactional,
            folded_from: 0,
            event: None,
            profile: None,
            shadowed: None,
            rules: None,
            footer: None,
            is_contact: false,
            message: None,
            copy: None,
            size: 0,
        };
        for (code, expected) in [(421, 451), (450, 450), (452, 452)] {
            let reply = relayed(&decision, &Outcome::Defer { code, text: "4.3.2 x".into() });
            assert_eq!((reply.code, reply.enhanced), (expected, Some(Enhanced(4, 3, 2))), "{code}");
        }
    }

    #[test]
    fn the_outbound_mtas_status_is_carried_back_only_when_it_fits() {
        for (text, class, expected) in [
            ("5.1.1 <a@x.example> unknown", 5, Enhanced(5, 1, 1)),
            ("4.2.2 full", 5, Enhanced(5, 0, 0)),
            ("no such user", 5, Enhanced(5, 0, 0)),
            ("4.7.1.1 x", 4, Enhanced(4, 0, 0)),
            ("", 4, Enhanced(4, 0, 0)),
        ] {
            assert_eq!(Enhanced::of(text, class), expected, "{text}");
        }
    }
}
