//! The connections to one outbound MTA: how many there are, which one is next, when one is too old.
//! What happens on a connection is not known here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::RelaySettings;
use super::connection::Connection;
use crate::mail::Lane;

/// Idle connections and the right to use one.
///
/// A fresh connection is opened only by the holder of a slot who found no idle one, and a used one
/// comes back before its slot is free again: never are more open than there are slots.
pub(super) struct Pool {
    /// For both lanes.
    shared: Arc<Semaphore>,
    /// For transactional mail alone.
    reserved: Arc<Semaphore>,
    /// The least recently used in front.
    idle: Mutex<VecDeque<Connection>>,
    limits: Limits,
}

/// When a kept connection is given up; see [`RelaySettings`].
struct Limits {
    max_idle: usize,
    idle_lifetime: Duration,
    messages_per_connection: u32,
}

impl Pool {
    pub(super) fn new(settings: &RelaySettings) -> Self {
        let reserved = usize::from(settings.reserved());
        let shared = usize::from(settings.max_connections.get()) - reserved;
        let limits = Limits {
            max_idle: settings.max_idle.into(),
            idle_lifetime: settings.idle_lifetime,
            messages_per_connection: settings.messages_per_connection.get(),
        };
        Self { shared: Arc::new(Semaphore::new(shared)), reserved: Arc::new(Semaphore::new(reserved)), idle: Mutex::default(), limits }
    }

    /// A slot that is free now.
    pub(super) fn free_slot(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let free = |slots: &Arc<Semaphore>| Arc::clone(slots).try_acquire_owned().ok();
        match lane {
            Lane::Transactional => free(&self.reserved).or_else(|| free(&self.shared)),
            Lane::Bulk => free(&self.shared),
        }
    }

    /// Waits for a slot, within a lane first come first served. Transactional mail waits in two queues at once, and
    /// nothing of a campaign is in front of it in one of them. `None` never comes: the semaphores are not closed.
    pub(super) async fn slot(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let shared = Arc::clone(&self.shared).acquire_owned();
        let slot = match lane {
            Lane::Bulk => shared.await,
            Lane::Transactional => tokio::select! {
                biased;
                slot = Arc::clone(&self.reserved).acquire_owned() => slot,
                slot = shared => slot,
            },
        };
        slot.ok()
    }

    pub(super) fn has_idle(&self) -> bool {
        self.with_idle(|idle| !idle.is_empty())
    }

    /// The connection used last, when it is young and quiet; older ones close by and by.
    pub(super) fn take(&self) -> Option<Connection> {
        let now = Instant::now();
        loop {
            let mut connection = self.with_idle(VecDeque::pop_back)?;
            if now.duration_since(connection.idle_since) < self.limits.idle_lifetime && connection.is_quiet() {
                return Some(connection);
            }
            connection.close();
        }
    }

    /// Keeps a connection, if it can be used again and there is room. Closes one that nobody needed
    /// for long: as the last used goes out first, the surplus of a busy hour grows old in front.
    pub(super) fn put(&self, mut connection: Connection) {
        if !connection.make_idle(self.limits.messages_per_connection) {
            return connection.close();
        }
        let now = connection.idle_since;
        let surplus = self.with_idle(|idle| {
            idle.push_back(connection);
            let full = idle.len() > self.limits.max_idle;
            let old = idle.front().is_some_and(|front| now.duration_since(front.idle_since) >= self.limits.idle_lifetime);
            if full || old { idle.pop_front() } else { None }
        });
        if let Some(surplus) = surplus {
            surplus.close();
        }
    }

    fn with_idle<T>(&self, act: impl FnOnce(&mut VecDeque<Connection>) -> T) -> T {
        // Nothing in there can be left half done by a panic.
        act(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
