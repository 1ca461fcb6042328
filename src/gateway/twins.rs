//! What is sent again though it was taken: a client that did not hear the answer sends the same mail anew (RFC 1047, M-08).
//! Remembers copies by keyed hash; a copy on its way keeps its twin waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::consent::{CopyKey, DecisionId};

/// Copies of one generation. There are two: some 40 octets each.
pub(super) const GENERATION: usize = 128 * 1024;

/// Copies taken lately, and copies on their way. Clones share them.
#[derive(Clone)]
pub struct Twins {
    known: Arc<Mutex<Known>>,
    /// For how long a copy is remembered at least, unless so many come that memory would grow.
    pub(super) window: SignedDuration,
}

#[derive(Default)]
struct Known {
    flying: HashMap<u64, ()>,
    young: HashMap<u64, DecisionId>,
    old: HashMap<u64, DecisionId>,
    /// When the young ones began.
    since: Timestamp,
}

/// What is known of a copy that comes in.
pub(super) enum Boarding {
    /// Nothing: it may fly.
    Fresh(Flight),
    /// It was taken, on that decision.
    Taken(DecisionId),
    /// Its twin is on its way; nobody knows yet whether it arrives.
    Flying,
}

/// A copy on its way. Dropped, it is forgotten; landed, it is remembered.
pub(super) struct Flight {
    twins: Twins,
    key: Option<u64>,
}

impl Twins {
    /// Remembers for that long; zero is not at all.
    pub fn new(window: Duration) -> Self {
        Self { known: Arc::default(), window: SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX) }
    }

    /// Lets a copy in; without a key nothing is known of it before or after.
    pub(super) fn board(&self, key: Option<CopyKey>, now: Timestamp) -> Boarding {
        let key = key.map(short);
        if let Some(key) = key {
            let mut known = self.known();
            known.age(now, self.window);
            if let Some(decision) = known.young.get(&key).or_else(|| known.old.get(&key)) {
                return Boarding::Taken(*decision);
            }
            if known.flying.insert(key, ()).is_some() {
                return Boarding::Flying;
            }
        }
        Boarding::Fresh(Flight { twins: self.clone(), key })
    }

    /// A copy that was taken did not arrive: when its client sends it again, it is a mail like any other.
    pub fn forget(&self, key: CopyKey) {
        let mut known = self.known();
        known.young.remove(&short(key));
        known.old.remove(&short(key));
    }

    /// Remembers a copy that was taken before this process began.
    pub(super) fn remember(&self, key: CopyKey, decision: DecisionId, now: Timestamp) {
        self.known().remember(short(key), decision, now, self.window);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing in there can be left half done by a panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn remember(&mut self, key: u64, decision: DecisionId, now: Timestamp, window: SignedDuration) {
        self.age(now, window);
        if self.young.len() >= GENERATION {
            self.turn(now);
        }
        self.young.insert(key, decision);
    }

    /// Forgets what is older than the window, however quiet it was.
    fn age(&mut self, now: Timestamp, window: SignedDuration) {
        let age = now.duration_since(self.since);
        if age >= window {
            self.turn(now);
        }
        if age >= window.saturating_add(window) {
            self.old.clear();
        }
    }

    fn turn(&mut self, now: Timestamp) {
        self.old = std::mem::take(&mut self.young);
        self.since = now;
    }
}

impl Flight {
    /// The copy was taken: by the outbound MTA, or by the spool.
    pub(super) fn land(self, decision: DecisionId, now: Timestamp) {
        if let Some(key) = self.key {
            self.twins.known().remember(key, decision, now, self.twins.window);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.twins.known().flying.remove(&key);
        }
    }
}

/// Half of the hash is enough: two of a quarter of a million copies meet once in 10¹³ mails.
fn short(CopyKey(key): CopyKey) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|n| key[n]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> Option<CopyKey> {
        let mut key = [0; 16];
        key[4..8].copy_from_slice(&n.to_be_bytes());
        Some(CopyKey(key))
    }

    fn word(boarding: &Boarding) -> &'static str {
        match boarding {
            Boarding::Fresh(_) => "fresh",
            Boarding::Taken(_) => "taken",
            Boarding::Flying => "flying",
        }
    }

    #[test]
    fn a_twin_waits_for_the_first_and_learns_what_became_of_it() {
        let (twins, decision, now) = (Twins::new(Duration::from_secs(4 * 3600)), DecisionId([1; 16]), Timestamp::UNIX_EPOCH);
        let Boarding::Fresh(first) = twins.board(key(1), now) else { panic!("known") };
        let words = [key(1), key(2), None].map(|key| word(&twins.board(key, now)));
        assert_eq!(words, ["flying", "fresh", "fresh"]);
        drop(first);
        let Boarding::Fresh(again) = twins.board(key(1), now) else { panic!("known") };
        again.land(decision, now);
        assert!(matches!(twins.board(key(1), now), Boarding::Taken(id) if id == decision));
        twins.forget(key(1).expect("some"));
        assert_eq!(word(&twins.board(key(1), now)), "fresh");
    }

    #[test]
    fn copies_are_forgotten_after_the_window_also_where_nothing_else_comes() {
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        for (hours, expected) in [(0, "taken"), (3, "taken"), (7, "taken"), (8, "fresh"), (70, "fresh")] {
            let twins = Twins::new(Duration::from_secs(4 * 3600));
            twins.board(None, at(0));
            twins.remember(key(9).expect("some"), DecisionId([1; 16]), at(0));
            assert_eq!(word(&twins.board(key(9), at(hours))), expected, "{hours} h");
        }
    }

    #[test]
    fn copies_never_fill_the_memory() {
        let (twins, now) = (Twins::new(Duration::from_secs(4 * 3600)), Timestamp::UNIX_EPOCH);
        for n in 10..(10 + 3 * GENERATION as u32) {
            twins.remember(key(n).expect("some"), DecisionId([1; 16]), now);
        }
        let known = twins.known();
        assert!(known.young.len() <= GENERATION && known.old.len() <= GENERATION);
    }
}
