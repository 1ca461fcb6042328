//! When a copy is tried again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::gateway::FIRST_PAUSE;

/// After so long a sender who asked for it learns that delivery is delayed.
const DELAYED: SignedDuration = SignedDuration::from_hours(4);

/// The time of the next attempt after one that `attempts` failed ones went before: each pause is twice the last, up to `longest`, and up to a quarter more or
/// less (`dice` is fresh randomness), so that what failed together does not come together again.
pub(super) fn next(now: Timestamp, attempts: u32, longest: Duration, dice: u8) -> Timestamp {
    let longest = SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX);
    let pause = FIRST_PAUSE.checked_mul(1 << attempts.min(20)).unwrap_or(longest).min(longest);
    let quarter = pause / 4;
    now + pause - quarter + SignedDuration::from_millis(i64::try_from(quarter.as_millis()).unwrap_or(0) * 2 * i64::from(dice) / 255)
}

/// True for the one attempt after which a mail of that age counts as delayed.
pub(super) fn becomes_late(queued: Timestamp, now: Timestamp, next: Timestamp) -> bool {
    now.duration_since(queued) < DELAYED && next.duration_since(queued) >= DELAYED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_with_some_chance() {
        let longest = Duration::from_secs(7200);
        let pause = |attempts, dice| next(Timestamp::UNIX_EPOCH, attempts, longest, dice).as_second();
        for (attempts, seconds) in [(0, 60), (1, 120), (3, 480), (7, 7200), (20, 7200), (u32::MAX, 7200)] {
            assert_eq!((pause(attempts, 0), pause(attempts, 255)), (seconds * 3 / 4, seconds * 5 / 4), "{attempts}");
        }
    }

    #[test]
    fn a_mail_becomes_late_once() {
        let at = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        for (now, next, late) in [(10, 20, false), (200, 239, false), (200, 240, true), (239, 500, true), (240, 360, false)] {
            assert_eq!(becomes_late(at(0), at(now), at(next)), late, "{now} {next}");
        }
    }
}
