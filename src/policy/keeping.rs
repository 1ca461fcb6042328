//! How long evidence of consent is kept after its last use: until so many years after the end of that year (BGB §§195, 199;
//! L-PRV-02), by channel (L-PRV-04: the five years of UWG §7a are the telephone's alone).

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::consent::Channel;

/// Whole years, counted from the end of the year of the last use or of the withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRule {
    /// Of consent to e-mail.
    pub email: u8,
    /// Of consent to calls.
    pub phone: u8,
    /// Of consent to letters.
    pub post: u8,
    /// Of consent to being measured.
    pub tracking: u8,
}

impl EvidenceRule {
    /// The years of a channel.
    pub fn years(&self, channel: Channel) -> u8 {
        match channel {
            Channel::Email => self.email,
            Channel::Phone => self.phone,
            Channel::Post => self.post,
            Channel::Tracking => self.tracking,
        }
    }

    /// Of each channel the longer of both.
    #[must_use]
    pub fn longest(self, other: Self) -> Self {
        Self {
            email: self.email.max(other.email),
            phone: self.phone.max(other.phone),
            post: self.post.max(other.post),
            tracking: self.tracking.max(other.tracking),
        }
    }

    /// From when on evidence that was `last` used may not be kept any more; years are those of UTC.
    pub fn ends(&self, channel: Channel, last: Timestamp) -> Timestamp {
        let year = last.to_zoned(TimeZone::UTC).year().saturating_add(i16::from(self.years(channel)) + 1);
        let begin = date(year.min(9_998), 1, 1).to_zoned(TimeZone::UTC);
        begin.map_or(Timestamp::MAX, |begin| begin.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_years_begin_with_the_end_of_the_year_and_the_telephone_has_its_own() {
        // L-PRV-02, L-PRV-04
        let rule = EvidenceRule { email: 3, phone: 5, post: 3, tracking: 3 };
        for (channel, last, ends) in [
            (Channel::Email, "2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
            (Channel::Email, "2026-12-31T23:59:59Z", "2030-01-01T00:00:00Z"),
            (Channel::Email, "2027-01-01T00:00:00Z", "2031-01-01T00:00:00Z"),
            (Channel::Phone, "2026-05-01T00:00:00Z", "2032-01-01T00:00:00Z"),
        ] {
            let at = |text: &str| text.parse::<Timestamp>().expect("a time");
            assert_eq!(rule.ends(channel, at(last)), at(ends), "{channel:?} {last}");
        }
    }
}
