//! Nouns of consent: who, about what, on which evidence. Pure: no clock, no database, no sockets.

mod basis;
mod brand;
mod catalogue;
mod channel;
mod controller;
mod decision;
mod event;
mod evidence;
mod form;
mod language;
mod opt_in;
mod press;
mod reason;
mod standing;
mod subject;
mod suppression;
mod topic;

pub use basis::LegalBasis;
pub use brand::{Brand, Color};
pub use catalogue::{Catalogue, TopicEntry};
pub use channel::Channel;
pub use controller::Controller;
pub use decision::{CopyKey, Decision, DecisionId};
pub use event::{Event, EventKind, Source};
pub use evidence::{Agreement, ChoiceEvidence, ConfirmationEvidence, Evidence, FormEvidence, MailEvidence, RequestEvidence};
pub use form::{Form, FormText};
pub use language::Language;
pub use opt_in::{OptIn, OptInError, OptInId, Stage};
pub use press::{Navigation, PressGrade};
pub use reason::{Reason, Verdict};
pub use standing::{Mark, Standing, TopicStanding};
pub use subject::{LookupKey, SubjectId, ordered as ordered_id};
pub use suppression::Suppression;
pub use topic::{Topic, TopicError};
