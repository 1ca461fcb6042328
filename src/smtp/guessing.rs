//! Passwords are guessed slowly here: failed logins are counted for an account from a network, for a network, and for an
//! account from anywhere. The first two lock, the last only slows logins that never succeeded from there: nobody can
//! lock out a tool from elsewhere. Knows no passwords, and counts accounts that do not exist like those that do.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;

/// Failed logins of one account from one network.
const HERE: Pace = Pace::new(5, Duration::from_secs(60));
/// Failed logins from one network.
const NETWORK: Pace = Pace::new(20, Duration::from_secs(15));
/// Failed logins of one account.
const ACCOUNT: Pace = Pace::new(20, Duration::from_secs(5));
/// How long a login waits where its account's pace is exceeded.
const SLOW: Duration = Duration::from_secs(3);
/// More counts than this are not kept.
const COUNTS: usize = 32 * 1024;
/// More logins that succeeded are not remembered.
const KNOWN: usize = 4 * 1024;
/// Logins from one network are checked one after the other, or a thousand at once would each be the first.
const TURNS: usize = 64;

/// The counts of the whole server.
pub(super) struct Guessing {
    keys: RandomState,
    counts: Mutex<Counts>,
    turns: Vec<tokio::sync::Mutex<()>>,
}

/// By keyed hash: no name and no address is kept, and long ones take no more room.
#[derive(Default)]
struct Counts {
    failures: HashMap<u64, Instant>,
    /// Accounts that logged in from a network, and when.
    known: HashMap<u64, Instant>,
}

/// A login that is tried.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    here: u64,
    network: u64,
    account: u64,
}

/// What may become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    Check,
    CheckAfter(Duration),
    Refuse,
}

impl Guessing {
    pub(super) fn new() -> Self {
        Self {
            keys: RandomState::new(),
            counts: Mutex::default(),
            turns: std::iter::repeat_with(Default::default).take(2 * TURNS).collect(),
        }
    }

    /// `network`: as [`wire::network`](crate::wire::network) has it; none for local processes.
    pub(super) fn attempt(&self, network: Option<IpAddr>, account: &str) -> Attempt {
        Attempt {
            here: self.keys.hash_one((0, network, account)),
            network: self.keys.hash_one((1, network)),
            account: self.keys.hash_one((2, account)),
        }
    }

    /// Waits until no other login from its network is being checked.
    /// Who logged in before queues with their like only: a tool does not stand behind strangers' guesses.
    pub(super) async fn turn(&self, attempt: Attempt) -> tokio::sync::MutexGuard<'_, ()> {
        let known = self.counts().known.contains_key(&attempt.here);
        let turn = if known { TURNS + attempt.here as usize % TURNS } else { attempt.network as usize % TURNS };
        self.turns[turn].lock().await
    }

    pub(super) fn leave(&self, attempt: Attempt, now: Instant) -> Leave {
        let counts = self.counts();
        let has_room = |pace: Pace, key| pace.has_room(counts.failures.get(&key).copied(), now);
        let known = counts.known.contains_key(&attempt.here);
        if !has_room(HERE, attempt.here) || !(known || has_room(NETWORK, attempt.network)) {
            return Leave::Refuse;
        }
        if known || has_room(ACCOUNT, attempt.account) { Leave::Check } else { Leave::CheckAfter(SLOW) }
    }

    pub(super) fn failed(&self, attempt: Attempt, now: Instant) {
        let mut counts = self.counts();
        for (pace, key) in [(HERE, attempt.here), (NETWORK, attempt.network), (ACCOUNT, attempt.account)] {
            make_room(&mut counts.failures, COUNTS, now);
            let full = pace.taken(counts.failures.get(&key).copied(), now);
            counts.failures.insert(key, full);
        }
    }

    pub(super) fn succeeded(&self, attempt: Attempt, now: Instant) {
        let mut counts = self.counts();
        counts.failures.remove(&attempt.here);
        if counts.known.len() >= KNOWN && !counts.known.contains_key(&attempt.here) {
            keep_younger_half(&mut counts.known, KNOWN); // times of logins: none of them is over
        }
        counts.known.insert(attempt.here, now);
    }

    /// A `std` mutex: nothing is awaited while it is held.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At the limit, what is over goes; if that is not half of all, the older half.
fn make_room(entries: &mut HashMap<u64, Instant>, limit: usize, now: Instant) {
    if entries.len() < limit {
        return;
    }
    entries.retain(|_, until| *until > now);
    if entries.len() > limit / 2 {
        keep_younger_half(entries, limit);
    }
}

/// Of those with the same time some go and some stay.
fn keep_younger_half(entries: &mut HashMap<u64, Instant>, limit: usize) {
    let mut all: Vec<_> = entries.values().copied().collect();
    let (_, middle, _) = all.select_nth_unstable(limit / 2);
    let middle = *middle;
    let mut same = limit / 4;
    entries.retain(|_, at| *at > middle || (*at == middle && same.checked_sub(1).map(|rest| same = rest).is_some()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(guessing: &Guessing, network: &str, account: &str, now: Instant) -> Leave {
        let attempt = guessing.attempt(network.parse().ok(), account);
        let leave = guessing.leave(attempt, now);
        if leave != Leave::Refuse {
            guessing.failed(attempt, now);
        }
        leave
    }

    #[test]
    fn guesses_at_an_account_are_locked_where_they_come_from() {
        let (guessing, now) = (Guessing::new(), Instant::now());
        for _ in 0..5 {
            assert_eq!(fail(&guessing, "192.0.2.1", "shop", now), Leave::Check);
        }
        assert_eq!(fail(&guessing, "192.0.2.1", "shop", now), Leave::Refuse);
        assert_eq!(fail(&guessing, "192.0.2.1", "news", now), Leave::Check);
        assert_eq!(fail(&guessing, "192.0.2.2", "shop", now), Leave::Check);
        let later = now + Duration::from_secs(60);
        assert_eq!(fail(&guessing, "192.0.2.1", "shop", later), Leave::Check);
        assert_eq!(fail(&guessing, "192.0.2.1", "shop", later), Leave::Refuse);
    }

    #[test]
    fn guesses_at_many_accounts_lock_the_network_but_not_who_logged_in_from_there() {
        let (guessing, now) = (Guessing::new(), Instant::now());
        let known = guessing.attempt("192.0.2.1".parse().ok(), "shop");
        guessing.succeeded(known, now);
        for number in 0..20 {
            assert_eq!(fail(&guessing, "192.0.2.1", &format!("user{number}"), now), Leave::Check);
        }
        assert_eq!(fail(&guessing, "192.0.2.1", "another", now), Leave::Refuse);
        assert_eq!(fail(&guessing, "192.0.2.9", "another", now), Leave::Check);
        assert_eq!(guessing.leave(known, now), Leave::Check);
    }

    #[test]
    fn guesses_from_everywhere_slow_an_account_and_lock_nobody_out() {
        let (guessing, now) = (Guessing::new(), Instant::now());
        let known = guessing.attempt("198.51.100.1".parse().ok(), "shop");
        guessing.succeeded(known, now);
        for number in 0..20 {
            assert_eq!(fail(&guessing, &format!("192.0.2.{number}"), "shop", now), Leave::Check);
        }
        assert_eq!(fail(&guessing, "192.0.2.100", "shop", now), Leave::CheckAfter(SLOW));
        assert_eq!(guessing.leave(known, now), Leave::Check);
        assert_eq!(guessing.leave(guessing.attempt(None, "news"), now), Leave::Check);
    }

    #[test]
    fn memory_is_bounded_and_what_is_over_goes_first() {
        let (guessing, now) = (Guessing::new(), Instant::now());
        let network = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        for number in 0..20_000 {
            let now = now + Duration::from_millis(number.into());
            guessing.failed(guessing.attempt(network(number), "shop"), now);
            guessing.succeeded(guessing.attempt(network(number), "news"), now);
            // Who came lately is known.
            let before = guessing.attempt(network(number.saturating_sub(1_000)), "news");
            assert!(guessing.counts().known.contains_key(&before.here), "{number}");
        }
        let counts = guessing.counts();
        assert!(counts.failures.len() <= COUNTS && counts.known.len() <= KNOWN);
    }
}
