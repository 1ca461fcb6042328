//! A double opt-in in progress: asked for, then confirmed once, in time, by whoever reads the mailbox.

use jiff::{SignedDuration, Timestamp};

use super::{Standing, SubjectId, Topic};

/// Random id of an opt-in; ties its events together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OptInId(pub [u8; 16]);

/// An opt-in and how far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    /// Ties its events together.
    pub id: OptInId,
    /// Who asked.
    pub subject: SubjectId,
    /// Key of the controller that was asked.
    pub controller: String,
    /// What for.
    pub topics: Vec<Topic>,
    /// `seq` of the request.
    pub requested: u64,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// `seq` of the request to be measured that goes along, if the person agreed to that, too (L-TRK-06).
    pub tracking: Option<u64>,
    /// How far it got.
    pub stage: Stage,
}

/// How far an opt-in got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waits for the confirmation.
    Pending,
    /// Was confirmed; a repeated confirmation changes nothing and shows success.
    Confirmed,
}

/// Why an opt-in cannot be confirmed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OptInError {
    /// The link is older than [`OptIn::LIFETIME`] (L-DOI-04).
    #[error("the confirmation link has expired")]
    Expired,
    /// The person withdrew or objected after asking (DESIGN.md section 5).
    #[error("the request was withdrawn")]
    Voided,
}

impl OptIn {
    /// How long a confirmation link works (L-DOI-04).
    pub const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// When the address of a sign-up that was never confirmed is erased (L-DOI-04). Not before the longest limit on mails to
    /// one address has passed, which counts the rows (L-DOI-05).
    pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// Confirms it at `at`. `Ok(None)` when it was confirmed before.
    pub fn confirm(self, at: Timestamp, standing: &Standing) -> Result<Option<Self>, OptInError> {
        if self.stage == Stage::Confirmed {
            return Ok(None);
        }
        if at.duration_since(self.requested_at) > Self::LIFETIME {
            return Err(OptInError::Expired);
        }
        if self.topics.iter().any(|topic| standing.refused_since(self.requested, &self.controller, topic)) {
            return Err(OptInError::Voided);
        }
        Ok(Some(Self { stage: Stage::Confirmed, ..self }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Event, EventKind, Source};

    fn opt_in(stage: Stage) -> OptIn {
        OptIn {
            id: OptInId([1; 16]),
            subject: SubjectId([2; 16]),
            controller: "acme".into(),
            topics: vec![Topic::parse("news").expect("valid")],
            requested: 1,
            requested_at: Timestamp::UNIX_EPOCH,
            tracking: None,
            stage,
        }
    }

    fn after(kinds: &[EventKind]) -> Standing {
        let events: Vec<Event> = kinds
            .iter()
            .zip(1..)
            .map(|(kind, seq)| {
                let topics = vec![Topic::parse("news").expect("valid")];
                Event { seq, ..Event::new(*kind, "acme", topics, Source::Api, Timestamp::UNIX_EPOCH) }
            })
            .collect();
        Standing::fold(&events)
    }

    #[test]
    fn it_is_confirmed_once_in_time_and_not_after_a_withdrawal() {
        use EventKind::{Objected, Requested, Withdrawn};
        let in_time = Timestamp::UNIX_EPOCH + OptIn::LIFETIME;
        let late = in_time + SignedDuration::from_secs(1);
        let confirm = |stage, at, kinds: &[EventKind]| opt_in(stage).confirm(at, &after(kinds)).map(|done| done.map(|o| o.stage));
        assert_eq!(confirm(Stage::Pending, in_time, &[Requested]), Ok(Some(Stage::Confirmed)));
        assert_eq!(confirm(Stage::Pending, late, &[Requested]), Err(OptInError::Expired));
        assert_eq!(confirm(Stage::Pending, in_time, &[Requested, Withdrawn]), Err(OptInError::Voided));
        assert_eq!(confirm(Stage::Pending, in_time, &[Requested, Objected]), Err(OptInError::Voided));
        assert_eq!(confirm(Stage::Pending, in_time, &[Requested, Withdrawn, Requested]), Err(OptInError::Voided));
        assert_eq!(confirm(Stage::Confirmed, late, &[Requested]), Ok(None));
    }
}
