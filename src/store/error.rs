//! What can go wrong with the ledger, and the mend where there is one. No text repeats stored values (I8).

use std::path::PathBuf;
use std::sync::Arc;

use super::db::is_broken;
use crate::crypto::KeyFileError;

/// Why the store did not do it. After any of these nothing was written; but where the connection to a server was lost while it
/// committed, nobody can tell. Of mail that is taken the spool finds out before it answers; all else may be told again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The data directory or a file in it cannot be created, read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// Another process has the data directory.
    #[error("{}: another consentry runs on this data directory: stop it, or give this one its own", .0.display())]
    InUse(PathBuf),
    /// The key file's content is damaged.
    #[error("{}: {source}", path.display())]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// Where it is damaged.
        source: KeyFileError,
    },
    /// There is a ledger and no key file.
    #[error("{}: the key file of this ledger is missing: restore it from the key backup; without it no address can be found or read", .0.display())]
    KeyFileLost(PathBuf),
    /// The key file is older than the keys in use.
    #[error("{}: lacks a link key that is in use: restore the newest key file from the key backup, or links in sent mail end with the next start", .0.display())]
    LinkKeyLost(PathBuf),
    /// There are as many link keys as a link can name.
    #[error("there are 255 link keys, more than a link can name: the newest stays in use")]
    LinkKeysFull,
    /// There is a ledger and no database of its subjects' keys.
    #[error("{}: the subjects' keys of this ledger are missing: restore them from their backup; without it no evidence can be read", .0.display())]
    SubjectKeysLost(PathBuf),
    /// The key file is another ledger's.
    #[error("{}: the key file belongs to another ledger: restore the one that was backed up with this ledger", .0.display())]
    KeyFileWrong(PathBuf),
    /// Others than the owner may read the key file.
    #[error("{}: others may read the key file (mode {mode:03o}): run chmod 600 on it", path.display())]
    KeyFileOpen {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The database refused. SQLite's texts name tables and columns, never values.
    #[error("ledger database: {0}")]
    Database(Arc<sqlx::Error>),
    /// The local journal cannot be read or written.
    #[error("journal: {0}")]
    Journal(Arc<std::io::Error>),
    /// Nothing can be written.
    #[error("ledger database: the disk with the data directory is full: make room there")]
    DiskFull,
    /// The schema could not be brought up to date.
    #[error("ledger schema: {0}")]
    Migration(Arc<sqlx::migrate::MigrateError>),
    /// A stored value cannot be read: damaged, moved to another row, or written by a later release.
    #[error("ledger: {0} cannot be read: restore the database from a backup, or run the release that wrote it")]
    Damaged(&'static str),
    /// An API token or an operator of that name exists.
    #[error("this name is taken: choose another one")]
    NameTaken,
    /// As much mail waits in the spool as the configuration allows.
    #[error("the spool is full: mend the way out, or raise spool.max_octets")]
    SpoolFull,
    /// The store was closed.
    #[error("the ledger is closed")]
    Closed,
}

impl StoreError {
    /// True when the server took the transaction back because it and another one waited for each other, or did not fit
    /// together: nothing is written, and the same again may succeed.
    pub(super) fn is_collision(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| code == "40P01" || code == "40001") // deadlock_detected, serialization_failure
    }

    /// True when the connection was lost, so that nobody heard what became of a commit.
    pub(super) fn is_loss(&self) -> bool {
        matches!(self, Self::Database(error) if is_broken(error))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // SQLITE_FULL; and SQLITE_IOERR_SHMSIZE, which it meets at a start
        if code.is_some_and(|code| code == "13" || code == "4874") { Self::DiskFull } else { Self::Database(Arc::new(error)) }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::Migration(Arc::new(error))
    }
}
