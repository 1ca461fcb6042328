//! Whether an outbound MTA is worth a new connection: after a failure it is set aside for a pause that
//! grows, then one attempt may find out. Knows no sockets; time comes as an argument.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What is known of one outbound MTA.
pub(super) struct Health {
    longest_pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// When the last failure was told, and until when nobody asks again.
    aside: Option<(Instant, Instant)>,
    /// Somebody finds out.
    probing: bool,
    why: String,
}

/// The right to try to connect. Dropped without a verdict (the caller went away) it says nothing.
pub(super) struct Leave<'a> {
    health: &'a Health,
    since: Instant,
    probe: bool,
}

impl Health {
    pub(super) fn new(longest_pause: Duration) -> Self {
        Self { longest_pause, state: Mutex::default() }
    }

    /// True when [`ask`](Self::ask) would say yes.
    pub(super) fn is_good(&self, now: Instant) -> bool {
        self.state().may_try(now)
    }

    /// Leave to connect, or why the MTA is set aside.
    pub(super) fn ask(&self, now: Instant) -> Result<Leave<'_>, String> {
        let mut state = self.state();
        if !state.may_try(now) {
            return Err(state.why.clone());
        }
        state.probing = state.failures > 0;
        Ok(Leave { health: self, since: now, probe: state.probing })
    }

    /// Why it was set aside the last time.
    pub(super) fn why(&self) -> String {
        self.state().why.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in there can be left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_try(&self, now: Instant) -> bool {
        self.failures == 0 || (!self.probing && self.aside.is_none_or(|(_, until)| now >= until))
    }
}

impl Leave<'_> {
    /// The MTA answers. True when it did not before.
    pub(super) fn succeeded(self) -> bool {
        let mut state = self.health.state();
        state.aside = None;
        std::mem::take(&mut state.failures) > 0
    }

    /// It does not. Gives the pause that begins; `None` when one had begun after this attempt did: many attempts at
    /// once are one failure.
    pub(super) fn failed(self, now: Instant, why: &str) -> Option<Duration> {
        let mut state = self.health.state();
        if state.aside.is_some_and(|(told, _)| told > self.since) {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(16)).min(self.health.longest_pause);
        state.failures = state.failures.saturating_add(1);
        state.aside = Some((now, now + pause));
        why.clone_into(&mut state.why);
        Some(pause)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.health.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(60);

    fn fail(health: &Health, now: Instant) -> Option<Duration> {
        health.ask(now).expect("may be tried").failed(now, "refused")
    }

    #[test]
    fn pauses_grow_and_one_attempt_ends_them() {
        let (health, mut now) = (Health::new(LONGEST), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(fail(&health, now), Some(Duration::from_secs(seconds)));
            let pause = Duration::from_secs(seconds);
            assert_eq!(health.ask(now + pause - Duration::from_millis(1)).err().as_deref(), Some("refused"));
            now += pause;
        }
        let probe = health.ask(now).expect("the pause is over");
        assert!(!health.is_good(now) && health.ask(now).is_err(), "one finds out");
        assert!(probe.succeeded());
        assert!(!health.ask(now).expect("good again").succeeded());
        assert_eq!(fail(&health, now), Some(Duration::from_secs(1)));
    }

    #[test]
    fn who_goes_away_while_finding_out_leaves_it_to_the_next() {
        let (health, now) = (Health::new(LONGEST), Instant::now());
        fail(&health, now);
        let later = now + LONGEST;
        drop(health.ask(later).expect("may be tried"));
        assert!(health.is_good(later));
    }

    #[test]
    fn many_attempts_at_once_are_one_failure() {
        let (health, now) = (Health::new(LONGEST), Instant::now());
        let (first, second) = (health.ask(now).expect("good"), health.ask(now).expect("good"));
        let later = now + Duration::from_secs(3);
        assert_eq!(first.failed(later, "refused"), Some(Duration::from_secs(1)));
        assert_eq!(second.failed(later, "refused"), None);
    }

    #[test]
    fn without_a_pause_each_attempt_is_made() {
        let (health, now) = (Health::new(Duration::ZERO), Instant::now());
        for _ in 0..3 {
            assert_eq!(fail(&health, now + Duration::from_secs(1)).map(|pause| pause.as_secs()), Some(0));
        }
    }
}
