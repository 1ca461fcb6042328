//! A person's request to exercise a right, and its term (GDPR Art. 12(3) to (6)): what came in, and each step until it is
//! answered. How it is carried out is the business of who does it.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::SubjectId;
use super::subject::octets;

/// Identifies a request; ids sort by the time of their entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        octets(text).map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Which right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// GDPR Art. 15.
    Access,
    /// GDPR Art. 16.
    Rectification,
    /// GDPR Art. 17.
    Erasure,
    /// GDPR Art. 18.
    Restriction,
    /// GDPR Art. 20.
    Portability,
    /// GDPR Art. 21.
    Objection,
}

impl Right {
    /// All rights, in the order of their articles.
    pub const ALL: [Right; 6] = [Self::Access, Self::Rectification, Self::Erasure, Self::Restriction, Self::Portability, Self::Objection];

    /// The word in the register.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Rectification => "rectification",
            Self::Erasure => "erasure",
            Self::Restriction => "restriction",
            Self::Portability => "portability",
            Self::Objection => "objection",
        }
    }

    /// The inverse of [`Right::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == word)
    }
}

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestDoor {
    /// The person, on a page of the gateway.
    Page,
    /// Another system of the company.
    Api,
    /// Staff, who carried it out at once.
    Staff,
    /// A letter.
    Letter,
    /// An e-mail.
    Email,
    /// A call.
    Phone,
}

impl RequestDoor {
    /// All doors.
    pub const ALL: [RequestDoor; 6] = [Self::Page, Self::Api, Self::Staff, Self::Letter, Self::Email, Self::Phone];
    /// Those that staff enter by hand.
    pub const BY_HAND: [RequestDoor; 3] = [Self::Letter, Self::Email, Self::Phone];

    /// The word in the register.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Staff => "staff",
            Self::Letter => "letter",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// The inverse of [`RequestDoor::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.as_str() == word)
    }
}

/// One step of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestStep {
    /// It was entered.
    Received,
    /// There are doubts who asks, and more was asked of them (GDPR Art. 12(6)).
    IdentityDoubted,
    /// The doubts are gone.
    IdentityProven,
    /// Two more months; the person was told so, with the reasons (GDPR Art. 12(3)).
    Extended,
    /// It was done, and the person told (GDPR Art. 12(3)).
    Answered,
    /// It was not done, and the person told why and where to complain (GDPR Art. 12(4), (5)).
    Refused,
}

impl RequestStep {
    /// All steps.
    pub const ALL: [RequestStep; 6] =
        [Self::Received, Self::IdentityDoubted, Self::IdentityProven, Self::Extended, Self::Answered, Self::Refused];

    /// The word in the register.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::IdentityDoubted => "identity_doubted",
            Self::IdentityProven => "identity_proven",
            Self::Extended => "extended",
            Self::Answered => "answered",
            Self::Refused => "refused",
        }
    }

    /// The inverse of [`RequestStep::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }

    /// True for those after which nothing is to be done.
    pub fn closes(self) -> bool {
        matches!(self, Self::Answered | Self::Refused)
    }
}

/// A step as it was taken.
#[derive(Clone, PartialEq, Eq)]
pub struct StepTaken {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub step: RequestStep,
    /// Login name of who took it, or name of the API token; `None` for the person and for the gateway itself.
    pub by: Option<String>,
    /// In their words; `None` where there are none, or they went with the person's keys. May hold personal data, hence no `Debug`.
    pub note: Option<String>,
}

/// A request with its steps, the first of which is [`RequestStep::Received`].
#[derive(Clone, PartialEq, Eq)]
pub struct RightsRequest {
    /// Names it in answers.
    pub id: RequestId,
    /// Whose; `None` for somebody nothing is on record about.
    pub subject: Option<SubjectId>,
    /// Key of the controller that must answer.
    pub controller: String,
    /// Which right.
    pub right: Right,
    /// How it came in.
    pub door: RequestDoor,
    /// When the controller received it.
    pub received: Timestamp,
    /// What was done, in order.
    pub steps: Vec<StepTaken>,
}

/// How near the end of a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// The term is over.
    Overdue,
    /// It ends within [`RightsRequest::SOON`] days.
    Soon,
    /// There is time.
    Later,
}

/// Why a step cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepFault {
    /// It is answered or refused.
    #[error("the request is closed")]
    Closed,
    /// The law knows one extension (GDPR Art. 12(3)).
    #[error("the term was extended before: the law knows one extension (GDPR Art. 12(3))")]
    ExtendedBefore,
    /// The person must be told of an extension within the first month (GDPR Art. 12(3)).
    #[error("the first month is over: the person had to be told of an extension within it (GDPR Art. 12(3))")]
    TooLate,
    /// The first step is taken by entering it.
    #[error("it is entered already")]
    Entered,
}

impl RightsRequest {
    /// Days before the end of the term from which on it is urgent.
    pub const SOON: i32 = 7;

    /// The last day of the term: the same day a month after it came in, or three months with an extension; where the month
    /// has no such day, its last (GDPR Art. 12(3), Regulation 1182/71 Art. 3(2)). Sundays and holidays buy no time here, and neither
    /// do doubts about who asks, as in GDPR Art. 12(6): it is the stricter reading. Days are those of UTC.
    pub fn due(received: Timestamp, extended: bool) -> Date {
        let months = if extended { 3.months() } else { 1.month() };
        day(received).saturating_add(months)
    }

    /// True when the term was extended.
    pub fn is_extended(&self) -> bool {
        self.steps.iter().any(|taken| taken.step == RequestStep::Extended)
    }

    /// The last day of its term.
    pub fn due_on(&self) -> Date {
        Self::due(self.received, self.is_extended())
    }

    /// The step that closed it.
    pub fn closed(&self) -> Option<&StepTaken> {
        self.steps.iter().find(|taken| taken.step.closes())
    }

    /// True while doubts about who asks stand.
    pub fn is_doubted(&self) -> bool {
        let last = self.steps.iter().rev().find(|taken| matches!(taken.step, RequestStep::IdentityDoubted | RequestStep::IdentityProven));
        last.is_some_and(|taken| taken.step == RequestStep::IdentityDoubted)
    }

    /// How near the end of its term is.
    pub fn urgency(&self, now: Timestamp) -> Urgency {
        match (self.due_on() - day(now)).get_days() {
            days if days < 0 => Urgency::Overdue,
            days if days <= Self::SOON => Urgency::Soon,
            _ => Urgency::Later,
        }
    }

    /// Whether that step can be taken now.
    pub fn may(&self, step: RequestStep, now: Timestamp) -> Result<(), StepFault> {
        match step {
            _ if self.closed().is_some() => Err(StepFault::Closed),
            RequestStep::Received => Err(StepFault::Entered),
            RequestStep::Extended if self.is_extended() => Err(StepFault::ExtendedBefore),
            RequestStep::Extended if day(now) > Self::due(self.received, false) => Err(StepFault::TooLate),
            _ => Ok(()),
        }
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn request(received: &str, steps: &[RequestStep]) -> RightsRequest {
        let taken = |step: &RequestStep| StepTaken { at: at(received), step: *step, by: None, note: None };
        RightsRequest {
            id: RequestId([1; 16]),
            subject: None,
            controller: "acme".into(),
            right: Right::Access,
            door: RequestDoor::Letter,
            received: at(received),
            steps: std::iter::once(&RequestStep::Received).chain(steps).map(taken).collect(),
        }
    }

    #[test]
    fn a_term_is_one_month_and_with_an_extension_three() {
        // L-DSR-01, GDPR Art. 12(3)
        for (received, extended, due) in [
            ("2026-05-03T23:59:59Z", false, "2026-06-03"),
            ("2026-01-31T10:00:00Z", false, "2026-02-28"),
            ("2028-01-30T10:00:00Z", false, "2028-02-29"),
            ("2026-11-30T10:00:00Z", true, "2027-02-28"),
            ("2026-12-05T00:00:00Z", true, "2027-03-05"),
        ] {
            assert_eq!(RightsRequest::due(at(received), extended).to_string(), due, "{received}");
        }
        let open = request("2026-05-03T10:00:00Z", &[]);
        for (now, urgency) in [
            ("2026-05-26T23:00:00Z", Urgency::Later),
            ("2026-05-27T00:00:00Z", Urgency::Soon),
            ("2026-06-03T23:59:59Z", Urgency::Soon),
            ("2026-06-04T00:00:00Z", Urgency::Overdue),
        ] {
            assert_eq!(open.urgency(at(now)), urgency, "{now}");
        }
    }

    #[test]
    fn a_term_is_extended_once_and_within_the_first_month_and_what_is_closed_stays_so() {
        // L-DSR-01, GDPR Art. 12(3), (6)
        let within = at("2026-06-03T12:00:00Z");
        let open = request("2026-05-03T10:00:00Z", &[]);
        assert_eq!(open.may(RequestStep::Extended, within), Ok(()));
        assert_eq!(open.may(RequestStep::Extended, at("2026-06-04T00:00:00Z")), Err(StepFault::TooLate));
        assert_eq!(open.may(RequestStep::Received, within), Err(StepFault::Entered));
        let extended = request("2026-05-03T10:00:00Z", &[RequestStep::Extended]);
        assert_eq!(extended.may(RequestStep::Extended, within), Err(StepFault::ExtendedBefore));
        assert_eq!(extended.due_on().to_string(), "2026-08-03");
        for closing in [RequestStep::Answered, RequestStep::Refused] {
            assert_eq!(open.may(closing, within), Ok(()));
            let closed = request("2026-05-03T10:00:00Z", &[closing]);
            for step in RequestStep::ALL {
                assert_eq!(closed.may(step, within), Err(StepFault::Closed), "{}", step.as_str());
            }
        }
        let doubted = request("2026-05-03T10:00:00Z", &[RequestStep::IdentityDoubted]);
        assert!(doubted.is_doubted() && doubted.may(RequestStep::Answered, within).is_ok());
        assert!(!request("2026-05-03T10:00:00Z", &[RequestStep::IdentityDoubted, RequestStep::IdentityProven]).is_doubted());
    }
}
