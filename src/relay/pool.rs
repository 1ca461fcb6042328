//! The connections to the outbound MTA: how many there are, which one is next, when one is too old.
//! What happens on a connection is not known here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::RelaySettings;
use super::connection::Connection;
use crate::mail::{Lane, Outcome};

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
}

impl Pool {
    pub(super) fn new(settings: &RelaySettings) -> Self {
        let reserved = usize::from(settings.reserved());
        let shared = usize::from(settings.max_connections.get()) - reserved;
        Self { shared: Arc::new(Semaphore::new(shared)), reserved: Arc::new(Semaphore::new(reserved)), idle: Mutex::default() }
    }

    /// Waits for a slot, within a lane first come first served. Transactional mail waits in two queues at once, and
    /// nothing of a campaign is in front of it in one of them.
    pub(super) async fn slot(&self, lane: Lane, settings: &RelaySettings) -> Result<OwnedSemaphorePermit, Outcome> {
        let slots: &[&Arc<Semaphore>] = match lane {
            Lane::Transactional => &[&self.reserved, &self.shared],
            Lane::Bulk => &[&self.shared],
        };
        if let Some(slot) = slots.iter().find_map(|slots| Arc::clone(slots).try_acquire_owned().ok()) {
            return Ok(slot);
        }
        let free = async {
            let shared = Arc::clone(&self.shared).acquire_owned();
            match lane {
                Lane::Bulk => shared.await,
                Lane::Transactional => tokio::select! {
                    biased;
                    slot = Arc::clone(&self.reserved).acquire_owned() => slot,
                    slot = shared => slot,
                },
            }
        };
        match timeout(settings.timeouts.queue, free).await {
            Ok(Ok(slot)) => Ok(slot),
            // The semaphores are never closed.
            Ok(Err(_)) | Err(_) => Err(Outcome::Unreachable { why: "queue: all connections are in use".to_owned() }),
        }
    }

    /// The connection used last, when it is young and quiet; older ones close by and by.
    pub(super) fn take(&self, settings: &RelaySettings) -> Option<Connection> {
        let now = Instant::now();
        loop {
            let mut connection = self.with_idle(VecDeque::pop_back)?;
            if now.duration_since(connection.idle_since) < settings.idle_lifetime && connection.is_quiet() {
                return Some(connection);
            }
            connection.close();
        }
    }

    /// Keeps a connection, if it can be used again and there is room. Closes one that nobody needed
    /// for long: as the last used goes out first, the surplus of a busy hour grows old in front.
    pub(super) fn put(&self, mut connection: Connection, settings: &RelaySettings) {
        if !connection.make_idle(settings.messages_per_connection.get()) {
            return connection.close();
        }
        let now = connection.idle_since;
        let surplus = self.with_idle(|idle| {
            idle.push_back(connection);
            let full = idle.len() > settings.max_idle.into();
            let old = idle.front().is_some_and(|front| now.duration_since(front.idle_since) >= settings.idle_lifetime);
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
