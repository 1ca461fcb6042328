//! A span of calendar time in which something holds, or no end.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// How long something holds: calendar months and days, counted in UTC, or for ever.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window(Option<Span>);

/// The text is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a window is an ISO 8601 duration of at most 1200 months such as \"P24M\" or \"P30D\", or \"unlimited\", not {0:?}")]
pub struct WindowError(String);

/// A century: more is a typing error.
const LONGEST_DAYS: i64 = 36_525;

impl Window {
    /// Without an end.
    pub const UNLIMITED: Self = Self(None);

    /// How old a copy of the ECG list may be: 30 days where nothing else is said (J-04).
    pub fn of_ecg_list(said: Option<Self>) -> Self {
        said.unwrap_or_else(|| Self::days(30))
    }

    /// So many days.
    pub fn days(days: i8) -> Self {
        Self(Some(Span::new().days(days)))
    }

    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, WindowError> {
        if text == "unlimited" {
            return Ok(Self::UNLIMITED);
        }
        let refuse = || WindowError(text.to_owned());
        let span: Span = text.parse().map_err(|_| refuse())?;
        let start = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        let end = start.checked_add(span).map_err(|_| refuse())?;
        let days = start.until((jiff::Unit::Day, &end)).map_err(|_| refuse())?.get_days();
        if span.is_negative() || i64::from(days) > LONGEST_DAYS { Err(refuse()) } else { Ok(Self(Some(span))) }
    }

    /// True when `now` lies within the window that opened at `from`; its last instant does.
    pub fn holds(self, from: Timestamp, now: Timestamp) -> bool {
        self.end(from).is_none_or(|end| now <= end)
    }

    /// When the window that opened at `from` ends; `None` for never.
    pub fn end(self, from: Timestamp) -> Option<Timestamp> {
        let span = self.0?;
        from.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|end| end.timestamp())
    }

    /// True when it is at most as long as `other`, whenever they open.
    pub fn is_within(self, other: Self) -> bool {
        match (self.0, other.0) {
            (_, None) => true,
            _ if self == other => true,
            (None, Some(_)) => false,
            // Months have 28 to 31 days, so no formula tells: every day is tried that a window may open on, from one leap year
            // to beyond the next, and around 2100, which is none.
            (Some(_), Some(_)) => {
                let every_day =
                    |from: i16, to: i16| Date::constant(from, 1, 1).series(Span::new().days(1)).take_while(move |day| day.year() < to);
                let midnight = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp());
                every_day(2024, 2033).chain(every_day(2096, 2105)).filter_map(midnight).all(|start| self.end(start) <= other.end(start))
            }
        }
    }
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Window {}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(span) => write!(f, "{span}"),
            None => f.write_str("unlimited"),
        }
    }
}

impl TryFrom<String> for Window {
    type Error = WindowError;

    fn try_from(text: String) -> Result<Self, WindowError> {
        Self::parse(&text)
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn a_window_ends_with_its_last_instant() {
        // S0-04: 24 months after is in, a second later is out
        let window = Window::parse("P24M").expect("a window");
        let from = at("2024-11-25T10:00:00Z");
        assert!(window.holds(from, at("2026-11-25T10:00:00Z")));
        assert!(!window.holds(from, at("2026-11-25T10:00:01Z")));
        // the last day of a short month
        assert_eq!(Window::parse("P1M").expect("a window").end(at("2027-01-31T00:00:00Z")), Some(at("2027-02-28T00:00:00Z")));
        assert!(Window::UNLIMITED.holds(from, at("2999-01-01T00:00:00Z")));
        // a fact of the future, told by a clock that is ahead
        assert!(window.holds(at("2027-01-01T00:00:00Z"), from));
    }

    #[test]
    fn they_read_back_and_compare() {
        for text in ["P24M", "P1Y6M", "P30D", "unlimited"] {
            let window = Window::parse(text).expect(text);
            assert_eq!(Window::parse(&window.to_string()), Ok(window), "{text}");
        }
        for text in ["", "24", "-P1M", "P2000Y", "for ever"] {
            assert!(Window::parse(text).is_err(), "{text}");
        }
        let window = |text| Window::parse(text).expect(text);
        for (one, other, expected) in [
            ("P12M", "P24M", true),
            ("P24M", "P24M", true),
            ("P24M", "P12M", false),
            ("P24M", "unlimited", true),
            ("unlimited", "P24M", false),
            ("P30D", "P1M", false), // February
            ("P28D", "P1M", true),
            ("P8M", "P244D", false), // March to October
            ("P8M", "P245D", true),
            ("P1461D", "P48M", false), // around 2100
        ] {
            assert_eq!(window(one).is_within(window(other)), expected, "{one} {other}");
        }
    }

    fn any_window() -> impl Strategy<Value = Window> {
        let span = (0..40u32, 0..1_500u32).prop_map(|(months, days)| match (months % 3, days % 3) {
            (0, _) => format!("P{days}D"),
            (_, 0) => format!("P{months}M"),
            _ => format!("P{months}M{}D", days % 62),
        });
        span.prop_map(|text| Window::parse(&text).expect("a window"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_within_never_ends_later(one in any_window(), other in any_window(), hours in 0..1_000_000i64) {
            let from = at("2020-01-01T00:00:00Z") + jiff::SignedDuration::from_hours(hours);
            prop_assert!(!one.is_within(other) || one.end(from) <= other.end(from), "{one} {other} {from}");
        }
    }
}
