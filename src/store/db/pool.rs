//! Connections that are lent one at a time, in the order in which they were asked for. SQLite gets one: it has one writer.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Connection;
use crate::store::StoreError;

/// Some connections to one database.
pub(in crate::store) struct Pool {
    free: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

/// A connection on loan.
pub(in crate::store) struct Lent<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(in crate::store) fn new(connections: Vec<Connection>) -> Self {
        Self { permits: Semaphore::new(connections.len()), free: Mutex::new(connections) }
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
        let permit = self.permits.acquire().await.expect("it is never closed");
        let connection = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { pool: self, connection, _permit: permit }
    }

    /// Closes those that nobody has.
    pub(in crate::store) async fn close(&self) -> Result<(), StoreError> {
        let connections = std::mem::take(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in connections {
            connection.close().await?;
        }
        Ok(())
    }
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
        let connection = self.connection.take();
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).extend(connection);
    }
}
