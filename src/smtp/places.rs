//! How many connections may be open: in total, and from one network. One count for all listeners.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::settings::SmtpSettings;
use crate::wire::network;

/// Open connections. A `std` mutex: nothing is awaited while it is held.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// One connection's place; free again on drop.
pub(super) struct Place {
    places: Places,
    network: Option<IpAddr>,
}

impl Places {
    /// A place for a connection whose address is not known (yet).
    pub(super) fn admit(&self, settings: &SmtpSettings) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= settings.max_connections {
            return None;
        }
        open.total += 1;
        Some(Place { places: self.clone(), network: None })
    }
}

impl Place {
    /// Counts it for its network; false when there are enough from there.
    pub(super) fn belong_to(&mut self, peer: IpAddr, settings: &SmtpSettings) -> bool {
        let network = network(peer);
        let mut open = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_network.entry(network).or_default();
        if *here >= settings.max_connections_per_address {
            return false;
        }
        *here += 1;
        self.network = Some(network);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        let Some(network) = self.network else { return };
        if let Some(here) = open.by_network.get_mut(&network) {
            *here -= 1;
            if *here == 0 {
                open.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_per_network_and_in_total_and_come_back() {
        let settings = SmtpSettings { max_connections: 3, max_connections_per_address: 2, ..SmtpSettings::default() };
        let places = Places::default();
        let admit = |text: &str| {
            let mut place = places.admit(&settings)?;
            place.belong_to(text.parse().expect(text), &settings).then_some(place)
        };
        let (one, two) = (admit("2001:db8::1"), admit("2001:db8::2"));
        assert!(one.is_some() && two.is_some() && admit("2001:db8::3").is_none());
        let three = admit("192.0.2.1");
        assert!(three.is_some() && admit("192.0.2.2").is_none() && places.admit(&settings).is_none());
        drop((two, three));
        assert!(admit("192.0.2.2").is_some());
        assert_eq!(places.0.lock().expect("not poisoned").by_network.len(), 1);
    }
}
