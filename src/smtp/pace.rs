//! So much at once, and then so often: a token bucket whose whole state is one instant, and from which is taken after the
//! fact, as failures are. (Rates of streams are the rate limiter library's business.) Reads no clock.

use std::time::Duration;

use tokio::time::Instant;

/// A pace: `burst` at once, then one each `step`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    step: Duration,
    burst: u32,
}

impl Pace {
    pub(super) const fn new(burst: u32, step: Duration) -> Self {
        Self { step, burst }
    }

    /// True when one more fits now. `full` is when all that was taken is forgotten.
    pub(super) fn has_room(self, full: Option<Instant>, now: Instant) -> bool {
        full.is_none_or(|full| full.saturating_duration_since(now) + self.step <= self.step * self.burst)
    }

    /// Takes one more, whether it fits or not.
    pub(super) fn taken(self, full: Option<Instant>, now: Instant) -> Instant {
        full.map_or(now, |full| full.max(now)) + self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_each_step() {
        let (pace, start) = (Pace::new(3, Duration::from_secs(20)), Instant::now());
        let mut full = None;
        let mut taken_at = |seconds| {
            let now = start + Duration::from_secs(seconds);
            let room = pace.has_room(full, now);
            if room {
                full = Some(pace.taken(full, now));
            }
            room
        };
        for (seconds, expected) in
            [(0, true), (0, true), (0, true), (0, false), (19, false), (20, true), (20, false), (900, true), (900, true)]
        {
            assert_eq!(taken_at(seconds), expected, "{seconds}");
        }
    }
}
