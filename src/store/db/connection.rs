//! A connection to either database, and its transactions. A lost PostgreSQL is asked for again by the next statement; a
//! transaction that was lost with it stays lost.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgTransactionManager};
use sqlx::sqlite::SqliteTransactionManager;
use sqlx::{ConnectOptions, Connection as _, PgConnection, SqlStr, SqliteConnection};
use sqlx_core::transaction::TransactionManager;
use tokio::time::{Instant, timeout};

use crate::store::{StoreError, data_dir};

/// How long one attempt to reach PostgreSQL may take.
const REACH: Duration = Duration::from_secs(5);

/// Between two attempts nobody waits: who asks meanwhile is told at once (I4).
const PAUSE: Duration = Duration::from_millis(250);

/// A connection to either database.
pub(in crate::store) enum Connection {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

/// A connection to a file.
pub(in crate::store) struct Sqlite {
    pub(super) connection: SqliteConnection,
    path: PathBuf,
}

/// A connection to a server, made anew when it was lost.
pub(in crate::store) struct Postgres {
    options: PgConnectOptions,
    live: Option<PgConnection>,
    /// What is under way would be torn apart by a new connection.
    in_transaction: bool,
    /// A roll-back is yet to be sent.
    loose_end: bool,
    failed: Option<Instant>,
}

impl Connection {
    /// To a file, made where it is missing.
    pub(in crate::store) async fn sqlite(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(Sqlite { connection: data_dir::connect(path).await?, path: path.to_owned() }))
    }

    /// To a file that is there, for reading only.
    pub(in crate::store) async fn reading(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(Sqlite { connection: data_dir::connect_to_read(path).await?, path: path.to_owned() }))
    }

    /// To a server.
    pub(in crate::store) async fn postgres(options: &PgConnectOptions) -> Result<Self, StoreError> {
        let mut postgres = Postgres { options: options.clone(), live: None, in_transaction: false, loose_end: false, failed: None };
        postgres.live().await?;
        Ok(Self::Postgres(Box::new(postgres)))
    }

    /// Another one to the same database.
    pub(in crate::store) async fn another(&self) -> Result<Self, StoreError> {
        match self {
            Self::Sqlite(sqlite) => Self::sqlite(&sqlite.path).await,
            Self::Postgres(postgres) => Self::postgres(&postgres.options).await,
        }
    }

    /// Begins a transaction that may write. SQLite takes its write lock at once, so that what is read stays true; on PostgreSQL
    /// whoever appends locks the subject's row.
    pub(in crate::store) async fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => {
                if sqlite.connection.is_in_transaction() {
                    sqlite.catch_up().await?;
                }
                SqliteTransactionManager::begin(&mut sqlite.connection, Some(SqlStr::from_static("BEGIN IMMEDIATE"))).await?;
            }
            Self::Postgres(postgres) => postgres.begin().await?,
        }
        Ok(Transaction { connection: self, open: true })
    }

    /// True where other gateways write at the same time.
    pub(in crate::store) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// True when the server has not heard yet that a transaction is taken back. A file's connection does that by itself.
    pub(in crate::store) fn has_loose_end(&self) -> bool {
        matches!(self, Self::Postgres(postgres) if postgres.loose_end)
    }

    /// Tells the server; a connection that does not answer is given up, and the server takes back what it had.
    pub(in crate::store) async fn settle(&mut self) {
        if let Self::Postgres(postgres) = self {
            if let Some(live) = &mut postgres.live
                && !matches!(timeout(REACH, live.ping()).await, Ok(Ok(())))
            {
                postgres.live = None;
            }
            postgres.loose_end = false;
        }
    }

    /// For what only files have.
    pub(in crate::store) fn as_sqlite(&mut self) -> Option<&mut SqliteConnection> {
        if let Self::Sqlite(sqlite) = self { Some(&mut sqlite.connection) } else { None }
    }

    pub(in crate::store) async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.connection.close().await?,
            Self::Postgres(postgres) => {
                if let Some(live) = postgres.live {
                    live.close().await?;
                }
            }
        }
        Ok(())
    }
}

impl Sqlite {
    /// On a full disk or an I/O error SQLite ends the transaction by itself (its documentation of ROLLBACK). sqlx's own ROLLBACK
    /// then fails, and it counts that transaction as open for ever: no withdrawal could be recorded until the next start.
    /// Only a new connection counts anew.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        self.connection.ping().await?; // a roll-back that waits has run after this
        if self.connection.is_in_transaction() {
            tracing::warn!("the database ended a transaction by itself: a new connection takes over");
            self.connection = data_dir::connect(&self.path).await?;
        }
        Ok(())
    }
}

impl Postgres {
    /// The connection, made anew where it was lost outside of a transaction.
    pub(super) async fn live(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if self.live.is_none() {
            let is_early = self.failed.is_some_and(|failed| failed.elapsed() < PAUSE);
            if self.in_transaction || is_early {
                return Err(lost());
            }
            let made = timeout(REACH, self.options.connect()).await.unwrap_or_else(|_| Err(lost()));
            self.failed = made.is_err().then(Instant::now);
            self.live = Some(made?);
        }
        self.live.as_mut().ok_or_else(lost)
    }

    /// Lets go of a connection that an answer says is broken.
    pub(super) fn seen<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if let Err(error) = &answer
            && is_broken(error)
        {
            self.live = None;
        }
        answer
    }

    /// A connection may have been lost while it was idle, for instance with a restart of the server: nothing is under way
    /// yet, so a second attempt harms nobody.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.in_transaction = false;
        let began = PgTransactionManager::begin(self.live().await?, None).await;
        if self.seen(began).is_err() {
            let began = PgTransactionManager::begin(self.live().await?, None).await;
            self.seen(began)?;
        }
        self.in_transaction = true;
        Ok(())
    }
}

fn lost() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::NotConnected, "no connection to the database server"))
}

/// True when nothing more can be asked on that connection.
pub(in crate::store) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        // Class 57P: the server stops, or was told to cut this session off.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => false,
        _ => true,
    }
}

/// A transaction; taken back when it is dropped before [`Transaction::commit`].
#[must_use = "it is taken back when it is dropped"]
pub(in crate::store) struct Transaction<'c> {
    connection: &'c mut Connection,
    open: bool,
}

impl Transaction<'_> {
    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        match &mut *self.connection {
            Connection::Sqlite(sqlite) => SqliteTransactionManager::commit(&mut sqlite.connection).await?,
            Connection::Postgres(postgres) => {
                let done = PgTransactionManager::commit(postgres.live().await?).await;
                postgres.seen(done)?;
                postgres.in_transaction = false;
            }
        }
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        match &mut *self.connection {
            Connection::Sqlite(sqlite) => SqliteTransactionManager::start_rollback(&mut sqlite.connection),
            Connection::Postgres(postgres) => {
                postgres.in_transaction = false;
                postgres.loose_end = true;
                if let Some(live) = &mut postgres.live {
                    PgTransactionManager::start_rollback(live);
                }
            }
        }
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
    }
}
