//! How often one connection may ask for a mail, or make the ledger grow (L-DOI-05): a form must not become a tool to flood
//! mailboxes. Counts per network, in memory only, and never by the address that is signed up: that is the ledger's
//! business. To say no is never limited.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::wire::network;

/// So many at once from one network, and in the long run so many per hour. An office behind one address may have a few
/// colleagues.
const PER_HOUR: NonZeroU32 = NonZeroU32::new(20).expect("not zero");

/// Networks share so many allowances, by a hash that nobody can foresee: the memory is bounded, and who has many networks
/// at hand can use up few allowances of others.
const ALLOWANCES: u64 = 1 << 17;

/// The counters.
pub(super) struct Limits {
    hasher: RandomState,
    allowances: DefaultKeyedRateLimiter<u64>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), allowances: RateLimiter::keyed(Quota::per_hour(PER_HOUR)) }
    }

    /// Counts one from that address; false when there were too many. All whose address cannot be told share one allowance:
    /// to hide it must gain nobody anything.
    pub(super) fn admits(&self, ip: Option<&str>) -> bool {
        let network = ip.and_then(|ip| ip.parse::<IpAddr>().ok()).map(network);
        self.allowances.check_key(&(self.hasher.hash_one(network) % ALLOWANCES)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_gets_only_so_many_and_does_not_stop_the_others() {
        let limits = Limits::new();
        for n in 0..PER_HOUR.get() {
            assert!(limits.admits(Some(&format!("2001:db8::{n:x}"))), "{n}");
        }
        for late in ["2001:db8::ffff", "2001:db8::1:2:3:4"] {
            assert!(!limits.admits(Some(late)), "{late}");
        }
        for other in [Some("2001:db8:0:1::1"), Some("192.0.2.1")] {
            assert!(limits.admits(other));
        }
        for n in 0..PER_HOUR.get() {
            assert!(limits.admits([None, Some("unknown")][n as usize % 2]), "{n}");
        }
        assert!(!limits.admits(None) && !limits.admits(Some("hidden")), "those of nowhere are one network");
        assert!((0..PER_HOUR.get()).all(|_| limits.admits(Some("198.51.100.7"))));
        assert!(!limits.admits(Some("::ffff:198.51.100.7")), "the same address, written otherwise");
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded() {
        let limits = Limits::new();
        for n in 0..2 * ALLOWANCES {
            limits.admits(Some(&std::net::Ipv6Addr::from_bits(u128::from(n) << 64).to_string()));
        }
        assert!(limits.allowances.len() as u64 <= ALLOWANCES);
    }
}
