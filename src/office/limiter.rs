//! How often one place of the network may try to come in. Bounded, in memory, and gone with the process: the lock of an
//! account is the store's.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::wire::network;

/// Attempts that may come at once.
const BURST: i32 = 10;
/// After that, one each.
const INTERVAL: SignedDuration = SignedDuration::from_secs(6);
/// Places remembered. Beyond that, new ones share one allowance: a flood from everywhere may keep newcomers out for a
/// while, and finds no memory to fill.
const PLACES: usize = 4_096;

/// For each place, when its allowance is whole again (the generic cell rate algorithm).
#[derive(Default)]
pub(super) struct Limiter {
    whole_again: HashMap<Option<IpAddr>, Timestamp>,
}

impl Limiter {
    /// Takes one attempt from the allowance of `from`; otherwise for how long to wait.
    pub(super) fn take(&mut self, from: Option<IpAddr>, now: Timestamp) -> Result<(), SignedDuration> {
        let mut place = from.map(network);
        if self.whole_again.len() >= PLACES && !self.whole_again.contains_key(&place) {
            self.whole_again.retain(|_, whole| *whole > now);
            place = place.filter(|_| self.whole_again.len() < PLACES);
        }
        let whole = self.whole_again.get(&place).copied().unwrap_or(now).max(now);
        let wait = whole.duration_since(now) - INTERVAL * (BURST - 1);
        if wait.is_positive() {
            return Err(wait);
        }
        self.whole_again.insert(place, whole + INTERVAL);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn ip(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(n.into()))
    }

    #[test]
    fn a_place_gets_a_burst_and_then_one_attempt_at_a_time() {
        let mut limiter = Limiter::default();
        assert!((0..10).all(|_| limiter.take(ip(1), at(0)).is_ok()));
        assert_eq!(limiter.take(ip(1), at(0)), Err(INTERVAL));
        assert_eq!(limiter.take(ip(1), at(5)), Err(SignedDuration::from_secs(1)));
        assert!(limiter.take(ip(2), at(5)).is_ok(), "another place has its own");
        assert!(limiter.take(ip(1), at(6)).is_ok() && limiter.take(ip(1), at(6)).is_err());
        assert_eq!((0..20).filter(|_| limiter.take(ip(1), at(1_000)).is_ok()).count(), 10, "a rest gives the burst back, and no more");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_place() {
        let mut limiter = Limiter::default();
        let taken = (0..20_u128).filter(|n| limiter.take(Some(IpAddr::V6((0x2001_0db8 << 96 | n).into())), at(0)).is_ok());
        assert_eq!(taken.count(), 10);
        assert!(limiter.take(Some("2001:db8:0:1::1".parse().expect("valid")), at(0)).is_ok());
    }

    #[test]
    fn a_flood_of_places_is_bounded_and_forgotten() {
        let mut limiter = Limiter::default();
        let places = u32::try_from(PLACES).expect("small");
        let taken = (0..places * 2).filter(|n| limiter.take(ip(*n), at(0)).is_ok()).count();
        assert_eq!(taken, PLACES + 10, "those beyond share one allowance");
        assert!(limiter.whole_again.len() <= PLACES + 1);
        assert!(limiter.take(ip(places * 3), at(3_600)).is_ok() && limiter.whole_again.len() <= 2);
    }
}
