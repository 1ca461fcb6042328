//! The data directory: its files, their permissions, the lock. Opens connections; runs no statements of its own.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::StoreError;

/// A data directory, ours alone while this value lives, or shared with the gateway that has it.
pub(super) struct DataDir {
    dir: PathBuf,
    lock: Option<File>,
}

impl DataDir {
    /// Makes the directory where it is missing (0700) and locks it.
    pub(super) fn lock(dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
        let path = dir.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = open.map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
        }
    }

    /// As [`DataDir::lock`]; where another process has the directory, beside it.
    pub(super) fn share(dir: &Path) -> Result<Self, StoreError> {
        match Self::lock(dir) {
            Err(StoreError::InUse(dir)) => Ok(Self { dir, lock: None }),
            locked => locked,
        }
    }

    /// Beside whoever has the directory, for what needs no database.
    pub(super) fn beside(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), lock: None }
    }

    /// True where no other process has the directory.
    pub(super) fn is_ours(&self) -> bool {
        self.lock.is_some()
    }

    /// Decisions that wait for the ledger.
    pub(super) fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    /// The key file.
    pub(super) fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The ledger's database.
    pub(super) fn ledger(&self) -> PathBuf {
        self.dir.join("ledger.sqlite")
    }

    /// Mail that waits.
    pub(super) fn spool(&self) -> PathBuf {
        self.dir.join("spool.sqlite")
    }

    /// The subjects' data keys.
    pub(super) fn subject_keys(&self) -> PathBuf {
        self.dir.join("subject-keys.sqlite")
    }
}

/// Opens a database, made where missing. The file is made before SQLite sees it: 0600 whatever the umask, and
/// SQLite gives its WAL the same.
pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    make_private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A decision is on disk before its message leaves (I1): fsync at every commit.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is deleted is overwritten (E-09).
        .pragma("secure_delete", "ON")
        .pragma("cache_size", "-8192")
        // A statement's own journal, if it needs one, is no file.
        .pragma("temp_store", "MEMORY")
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// Opens a database that is there, without changing anything.
pub(super) async fn connect_to_read(path: &Path) -> Result<SqliteConnection, StoreError> {
    Ok(SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging().connect().await?)
}

/// Makes the file where it is missing. One that is there is never opened: POSIX drops a process's locks on a file with
/// any of its descriptors of it, and a backup that then finds no lock deletes the write-ahead log under the gateway
/// (sqlite.org/howtocorrupt.html, 2.2).
fn make_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::File { path: path.to_owned(), source: Arc::new(source) }
}
