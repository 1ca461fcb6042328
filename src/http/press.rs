//! Whether a person pressed the button of a page: it was shown by us, no script sent the form, and there was time to read.
//! Whoever is faster than that is asked to press once more: a robot with hands has gone on by then. Where the browser does
//! not say that a hand did it, that second press needs its time, too.

use jiff::Timestamp;

use super::answer::Answers;
use super::form::Posted;
use super::visitor::Visitor;
use crate::consent::PressGrade;

/// What came of looking at a press.
pub(super) enum Pressed {
    /// It counts.
    Yes {
        /// How sure it is.
        grade: PressGrade,
        /// Milliseconds between showing the page and pressing.
        dwell_ms: u64,
    },
    /// The page is to be shown again, with this stamp.
    Again(String),
}

/// Judges a press on the page that `purpose` names. It was given out with `Desk::stamp` of that.
pub(super) fn judge(answers: &Answers, visitor: &Visitor, purpose: &str, posted: &Posted, now: Timestamp) -> Pressed {
    let given = posted.value("stamp");
    let shown_ago = |purpose: &str| answers.desk.shown_ms_ago(purpose, given, now);
    let grade = |dwell_ms| PressGrade::of(visitor.navigation, dwell_ms).map(|grade| (grade, dwell_ms));
    let once_more = format!("{purpose} once more");
    match (shown_ago(purpose).and_then(grade), shown_ago(&once_more).and_then(grade)) {
        (Some((PressGrade::Hasty, _)), _) => Pressed::Again(answers.desk.stamp(&once_more, now)),
        (Some((grade, dwell_ms)), _) | (None, Some((grade, dwell_ms))) => Pressed::Yes { grade, dwell_ms },
        (None, None) => Pressed::Again(answers.desk.stamp(purpose, now)),
    }
}
