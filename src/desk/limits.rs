//! How many sign-ups one connection may make (L-DOI-05): a form must not become a tool to flood mailboxes, or the ledger.
//! Counts per network, in memory only, and never by the address that is signed up: that is the ledger's business.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Sign-ups from one network at once, and per hour. An office behind one address may have a few colleagues.
const PER_HOUR: NonZeroU32 = NonZeroU32::new(20).expect("not zero");

/// Networks remembered at most. Who has more networks than that at hand has other means, too.
const REMEMBERED: usize = 100_000;

/// The counters.
pub(super) struct SignUpLimits {
    per_network: DefaultKeyedRateLimiter<IpAddr>,
}

impl SignUpLimits {
    pub(super) fn new() -> Self {
        Self { per_network: RateLimiter::keyed(Quota::per_hour(PER_HOUR)) }
    }

    /// Counts a sign-up from that address; false when there were too many. One without an address is not counted.
    pub(super) fn admits(&self, ip: Option<IpAddr>) -> bool {
        if self.per_network.len() >= REMEMBERED {
            self.per_network.retain_recent(); // forgets those whose count has run off
        }
        match ip.map(network) {
            None => true,
            Some(network) => self.per_network.len() < REMEMBERED && self.per_network.check_key(&network).is_ok(),
        }
    }
}

/// An IPv6 customer gets a /64 at least, and each of its addresses is as good as the other.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_signs_up_only_so_many_and_does_not_stop_the_others() {
        let limits = SignUpLimits::new();
        let ip = |text: &str| Some(text.parse().expect(text));
        for n in 0..PER_HOUR.get() {
            assert!(limits.admits(ip(&format!("2001:db8::{n:x}"))), "{n}");
        }
        for late in ["2001:db8::ffff", "2001:db8::1:2:3:4"] {
            assert!(!limits.admits(ip(late)), "{late}");
        }
        for other in [ip("2001:db8:0:1::1"), ip("192.0.2.1"), None] {
            assert!(limits.admits(other));
        }
        assert!((0..PER_HOUR.get()).all(|_| limits.admits(ip("198.51.100.7"))));
        assert!(!limits.admits(ip("::ffff:198.51.100.7")), "the same address, written otherwise");
    }
}
