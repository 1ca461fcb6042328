//! What the buttons of the preference pages are called in a form, and what their result is called in the texts.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::answer::Answers;
use super::form::Posted;
use super::page::Page;
use super::visitor::Visitor;
use crate::consent::Right;
use crate::desk::{Choice, SignUpError};

/// The button that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// A choice that takes effect at once.
    Choice(Choice),
    /// Agree to being measured.
    Tracking,
    /// Take back the unsubscribing.
    Undo,
    /// Tell why the mail came.
    Why,
    /// Ask for a right that people carry out (GDPR Art. 12).
    Ask(Right),
}

impl Chosen {
    /// What the form says; `None` when it says nothing we know.
    pub(super) fn read(posted: &Posted) -> Option<Self> {
        Some(match posted.value("choice") {
            "topic" => Self::Choice(Choice::Topic),
            "topics" => Self::Choice(Choice::AllTopics),
            "objection" => Self::Choice(Choice::Object),
            "pause" => Self::Choice(Choice::Pause { days: posted.value("days").parse().ok().filter(|days| PAUSES.contains(days))? }),
            "resume" => Self::Choice(Choice::Resume),
            "no_tracking" => Self::Choice(Choice::StopTracking),
            "tracking" => Self::Tracking,
            "undo" => Self::Undo,
            "why" => Self::Why,
            "ask" => Self::Ask(Right::parse(posted.value("right")).filter(|right| ASKED_FOR.contains(right))?),
            _ => return None,
        })
    }

    /// The texts that tell the result: `chosen.<word>`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Choice(Choice::Topic) => "topic",
            Self::Choice(Choice::AllTopics) => "topics",
            Self::Choice(Choice::Object) => "objection",
            Self::Choice(Choice::Pause { .. }) => "paused",
            Self::Choice(Choice::Resume) => "resumed",
            Self::Choice(Choice::StopTracking) => "no_tracking",
            Self::Tracking => "tracking",
            Self::Undo => "undo",
            Self::Why => "why",
            Self::Ask(_) => "asked",
        }
    }

    /// The end of the pause that was chosen.
    pub(super) fn ends(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Choice(Choice::Pause { days }) => now.checked_add(SignedDuration::from_hours(24 * i64::from(days))).ok(),
            _ => None,
        }
    }
}

/// The rights that the page of one's own data offers to ask for; the others it carries out itself.
const ASKED_FOR: [Right; 3] = [Right::Rectification, Right::Erasure, Right::Restriction];

/// The pauses that the pages offer, days.
const PAUSES: [u16; 3] = [30, 90, 180];

/// What a person is told when a mail to them could not be made or kept.
pub(super) fn failed(answers: &Answers, visitor: &Visitor, error: &SignUpError) -> Response {
    match error {
        SignUpError::Store(error) => answers.unavailable(visitor, error),
        SignUpError::TooMany => answers.refusal(Page::TooMany, StatusCode::TOO_MANY_REQUESTS, visitor, ""),
        error => {
            tracing::error!(%error, "a mail to a person was not composed");
            answers.refusal(Page::Unavailable, StatusCode::INTERNAL_SERVER_ERROR, visitor, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::super::content::CHOSEN;
    use super::*;

    #[tokio::test]
    async fn the_pages_know_the_word_of_every_choice() {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))].into_iter().collect();
        let mut words = Vec::new();
        for choice in ["topic", "topics", "objection", "pause", "resume", "no_tracking", "tracking", "undo", "why", "ask"] {
            let posted = Posted::read(&headers, format!("choice={choice}&days=30&right=erasure").as_bytes()).await.expect("a form");
            words.push(Chosen::read(&posted).expect(choice).word());
        }
        assert_eq!(words, CHOSEN);
    }
}
