//! How long mail waits, and how much of it.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::Deserialize;

use crate::relay::duration;

/// The `[spool]` table of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolSettings {
    /// Octets of messages that may wait; beyond it clients get 452. Default: 4 GiB.
    pub max_octets: u64,
    /// Copies under way at the same time, at most. Keep it below `outbound.max_connections`. Default: 20.
    pub deliveries: NonZeroU16,
    /// Mail that could not be delivered for this long is given up with a report to its sender. RFC 5321 s.4.5.4.1 asks for
    /// four to five days. Default: 5 d.
    #[serde(deserialize_with = "duration")]
    pub give_up_after: Duration,
    /// The longest pause between two attempts at one copy. Default: 2 h.
    #[serde(deserialize_with = "duration")]
    pub longest_pause: Duration,
    /// How long a client waits for the outbound MTA's answer to a message. Then the copy is in doubt, the spool has it, the client
    /// gets 250, and the late answer is awaited without it (M-08). Default: 30 s.
    #[serde(deserialize_with = "duration")]
    pub doubt_after: Duration,
    /// How long a copy is remembered after it was taken, so that its client may send it again without harm (M-08): from so
    /// long up to twice as long, unless very many come. `0s`: not at all, for tools that use a Message-ID more than once.
    /// Default: 4 h.
    #[serde(deserialize_with = "duration")]
    pub remember_for: Duration,
    /// How long mail is held for a person before it is given up. Default: 7 d.
    #[serde(deserialize_with = "duration")]
    pub hold_for: Duration,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        const DELIVERIES: NonZeroU16 = NonZeroU16::new(20).expect("20 is not 0");
        Self {
            max_octets: 4 * 1024 * 1024 * 1024,
            deliveries: DELIVERIES,
            give_up_after: hours(5 * 24),
            longest_pause: hours(2),
            doubt_after: Duration::from_secs(30),
            remember_for: hours(4),
            hold_for: hours(7 * 24),
        }
    }
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(3600 * hours)
}

impl SpoolSettings {
    /// All that is wrong, each with the mend.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let minute = Duration::from_secs(60);
        let month = Duration::from_secs(31 * 24 * 3600);
        for (name, span) in [("give_up_after", self.give_up_after), ("longest_pause", self.longest_pause), ("hold_for", self.hold_for)] {
            if span < minute || span > month {
                faults.push(format!("{name}: must be one minute to 31 days, e.g. \"2h\" or \"5d\""));
            }
        }
        if !(Duration::from_secs(1)..=10 * minute).contains(&self.doubt_after) {
            faults.push("doubt_after: must be one second to ten minutes, e.g. \"30s\"".to_owned());
        }
        if self.remember_for > hours(7 * 24) {
            faults.push("remember_for: must be seven days at most, e.g. \"4h\"".to_owned());
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_with_defaults_and_what_cannot_work_is_told() {
        let read = toml::from_str::<SpoolSettings>;
        assert_eq!(read("").expect("all have defaults"), SpoolSettings::default());
        assert!(SpoolSettings::default().faults().is_empty());
        for (text, faults) in [
            ("give_up_after = '48h'", 0),
            ("longest_pause = '1s'", 1),
            ("hold_for = '1000h'", 1),
            ("hold_for = '7d'", 0),
            ("doubt_after = '0s'", 1),
        ] {
            assert_eq!(read(text).expect(text).faults().len(), faults, "{text}");
        }
        for text in ["deliveries = 0", "give_up_after = '-1h'", "hold_for = '1mo'", "max_bytes = 1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
