//! How far it is sure that a person pressed a button, and not a program that opens what stands in mails.
//! Security scanners follow links and run the scripts of pages; some submit forms. They do so without a person's
//! hand on the page, and current browsers tell that to the server. Pure; reading header fields is `http`'s business.

use serde::{Deserialize, Serialize};

/// What a browser tells about a form that it sends (Fetch Metadata Request Headers, W3C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Navigation {
    /// `Sec-Fetch-Mode: navigate` with `Sec-Fetch-User: ?1`: a person's hand caused it.
    ByHand,
    /// `Sec-Fetch-Mode: navigate` without it, from a browser that would say so: a script caused it.
    ByScript,
    /// Not a navigation at all: a script fetched it.
    Fetched,
    /// An older browser, which says nothing, or one that leaves `Sec-Fetch-User` out.
    Unsaid,
}

impl Navigation {
    /// True when the browser tells that no person's hand caused it.
    pub fn is_by_script(self) -> bool {
        matches!(self, Self::ByScript | Self::Fetched)
    }
}

/// The grade of a confirmation, part of its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PressGrade {
    /// The browser says that a person pressed, and there was time to read.
    Person,
    /// A person pressed, says the browser, but faster than anybody reads.
    Hasty,
    /// The browser does not say; nothing speaks against a person.
    Unclear,
}

/// Nobody reads the page and presses within this time, milliseconds.
const READING: u64 = 1_000;

impl PressGrade {
    /// The grade of a press `dwell_ms` after the page was shown; `None` for one that counts for nothing: a script did it, or
    /// it came faster than anybody reads and no browser vouches for a person. Consent is an act of the person (GDPR
    /// Art. 4(11)).
    pub fn of(navigation: Navigation, dwell_ms: u64) -> Option<Self> {
        match navigation {
            Navigation::ByScript | Navigation::Fetched => None,
            Navigation::ByHand if dwell_ms < READING => Some(Self::Hasty),
            Navigation::ByHand => Some(Self::Person),
            Navigation::Unsaid if dwell_ms < READING => None,
            Navigation::Unsaid => Some(Self::Unclear),
        }
    }

    /// The word in evidence and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Hasty => "hasty",
            Self::Unclear => "unclear",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hand_confirms_and_haste_is_noted() {
        for (navigation, dwell, grade) in [
            (Navigation::ByHand, 5_000, Some(PressGrade::Person)),
            (Navigation::ByHand, 999, Some(PressGrade::Hasty)),
            (Navigation::Unsaid, 5_000, Some(PressGrade::Unclear)),
            (Navigation::Unsaid, 1_000, Some(PressGrade::Unclear)),
            (Navigation::Unsaid, 999, None),
            (Navigation::ByScript, 5_000, None),
            (Navigation::Fetched, 5_000, None),
        ] {
            assert_eq!(PressGrade::of(navigation, dwell), grade, "{navigation:?} {dwell}");
        }
    }
}
