//! Connections that are lent one at a time, in the order in which they were asked for. SQLite gets one: it has one writer.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Connection;
use crate::store::StoreError;

/// Some connections to one database.
pub(in crate::store) struct Pool {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

/// A connection on loan.
pub(in crate::store) struct Lent<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pool {
    pub(in crate::store) fn new(connections: Vec<Connection>) -> Self {
        Self { permits: Arc::new(Semaphore::new(connections.len())), free: Arc::new(Mutex::new(connections)) }
    }

    /// So many connections to the same database.
    pub(in crate::store) async fn like(connection: &Connection, size: usize) -> Result<Self, StoreError> {
        let mut connections = Vec::with_capacity(size);
        for _ in 0..size {
            connections.push(connection.another().await?);
        }
        Ok(Self::new(connections))
    }

    /// Waits for a connection; it goes back when it is dropped.
    pub(in crate::store) async fn lock(&self) -> Lent<'_> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        let connection = free(&self.free).pop();
        Lent { pool: self, connection, permit: Some(permit) }
    }

    /// Closes those that nobody has.
    pub(in crate::store) async fn close(&self) -> Result<(), StoreError> {
        let connections = std::mem::take(&mut *free(&self.free));
        for connection in connections {
            connection.close().await?;
        }
        Ok(())
    }
}

fn free(connections: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("there is one for each permit, until it is dropped")
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("there is one for each permit, until it is dropped")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let (Some(mut connection), permit) = (self.connection.take(), self.permit.take()) else { return };
        if !connection.has_loose_end() {
            free(&self.pool.free).push(connection);
            return;
        }
        // The server must hear of the roll-back now: until then it keeps the rows locked.
        let pool = Arc::clone(&self.pool.free);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                connection.settle().await;
                free(&pool).push(connection);
                drop(permit);
            });
        }
    }
}
