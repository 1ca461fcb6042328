//! The ledger on disk: the only room with SQL. Keeps what `consent` defines, seals what is personal, and answers the
//! hot path in batches. Decides nothing, and knows no network.
//!
//! Read `ledger` for how an event is appended, `look_up` and `recorder` for the hot path.
//!
//! Every write goes through one connection behind a fair lock, so a gateway never waits for itself; only for a command
//! beside it ([`Store::open_beside`]), as long as that writes its row. A future that is dropped half-way leaves a transaction that is rolled back before the next one begins.

mod access;
mod api_token;
mod audit;
mod column;
mod data_dir;
mod decision;
mod decision_log;
mod dossier;
mod erasure;
mod error;
mod event_tally;
mod evidence_end;
mod fact;
mod journal;
mod key_file;
mod ledger;
mod letter;
mod limit;
mod look_up;
mod operator;
mod opt_in;
mod preference;
mod projection;
mod recorder;
mod replay;
mod retention;
mod rules;
mod search;
mod search_subject;
mod session;
mod spool;
mod stride;
mod subject_keys;
mod tally;
mod text_version;
mod volume;
mod withdrawal;

use std::path::Path;
use std::sync::Arc;

use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, Notify};

pub use access::{AccessLink, NewAccess};
pub use api_token::{ApiToken, Scope};
pub use audit::{AuditLine, Deed, NewAuditLine, Object};
pub use decision::Durable;
pub use decision_log::{DecisionRow, read_steps};
pub use dossier::{OptInRow, Shelf, SuppressionRow};
pub use erasure::{Erasure, EvidenceFate, NewErasure};
pub use error::StoreError;
pub use event_tally::EventCount;
pub use evidence_end::{EvidenceAge, EvidenceRun};
pub use fact::{NewFact, Once, TellAnswer, Told};
pub use letter::{LetterId, WaitingLetter};
pub use operator::{Attempt, LockRule, Operator, OperatorId, Place, Role, TakesBack};
pub use opt_in::{Confirmation, NewOptIn, RequestAnswer};
pub use preference::NewChoice;
pub use replay::{Past, PastDecision, PastPerson};
pub use rules::{ActiveRules, Approval, How, NewApproval, Simulation};
pub use search::{DecisionFilter, DecisionPage, Names};
pub use session::{NewSession, Proof, Session, Stage};
pub use spool::{CopyId, CopyState, DueCopy, Ground, Judgement, NewCopy, NewSpooled, SpoolId, SpoolSize, SpooledCopy, SpooledMessage};
pub use volume::{DecisionCounts, Step, Volume};
pub use withdrawal::{NewWithdrawal, Stop, WithdrawAnswer};

use crate::crypto::Keyring;
use data_dir::DataDir;
use journal::Journal;
use look_up::LookUps;
use recorder::Recorder;
use spool::Spool;
use subject_keys::{DataKeys, SubjectKeys};
use tally::Run;

/// The ledger. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    keyring: Arc<Keyring>,
    /// All writes to the ledger, group commits included.
    writer: Arc<Mutex<SqliteConnection>>,
    /// All reads but the hot look-up and the admin's, which have connections of their own.
    reader: Mutex<SqliteConnection>,
    /// Searches and charts: they may take their time, and no public page waits for them.
    admin: Mutex<SqliteConnection>,
    subject_keys: SubjectKeys,
    look_ups: LookUps,
    recorder: Recorder,
    letters: Arc<Notify>,
    spool: Spool,
    /// Last, so that the lock goes when the connections are gone.
    _data_dir: DataDir,
}

impl Store {
    /// Opens `<dir>/ledger.sqlite`, `<dir>/subject-keys.sqlite`, `<dir>/spool.sqlite` and the key file `<dir>/keys`, and makes what is missing.
    /// Refuses a directory in use, and a ledger whose key file is lost, damaged, another's, or readable by others.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::over(DataDir::lock(dir)?).await
    }

    /// As [`Store::open`], but where a gateway runs on the directory, beside it: for a command that writes a row and ends.
    pub async fn open_beside(dir: &Path) -> Result<Self, StoreError> {
        Self::over(DataDir::share(dir)?).await
    }

    async fn over(data_dir: DataDir) -> Result<Self, StoreError> {
        let keyring = Arc::new(key_file::load_or_make(&data_dir.keys(), &data_dir.ledger())?);

        // Keys of its own would be made for old subjects, and their evidence look damaged.
        if has_content(&data_dir.ledger()) && !has_content(&data_dir.subject_keys()) {
            return Err(StoreError::SubjectKeysLost(data_dir.subject_keys()));
        }
        let mut subject_keys = data_dir::connect(&data_dir.subject_keys()).await?;
        sqlx::migrate!("migrations/sqlite/keys").run(&mut subject_keys).await?;
        let mut writer = data_dir::connect(&data_dir.ledger()).await?;
        sqlx::migrate!("migrations/sqlite").run(&mut writer).await?;
        if !is_ours(&mut writer, &keyring).await? {
            return Err(StoreError::KeyFileWrong(data_dir.keys()));
        }

        let spool = Spool::open(&data_dir.spool(), keyring.spool_key()).await?;
        let run = Run::last(&mut writer).await?;
        // A command beside a gateway leaves that one's journal alone.
        let journal = data_dir.is_ours().then(|| Journal::open(&data_dir.journal(), Arc::clone(&keyring))).transpose();
        let journal = journal.map_err(|source| StoreError::File { path: data_dir.journal(), source: Arc::new(source) })?;
        let writer = Arc::new(Mutex::new(writer));
        let inner = Inner {
            reader: Mutex::new(data_dir::connect(&data_dir.ledger()).await?),
            admin: Mutex::new(data_dir::connect(&data_dir.ledger()).await?),
            subject_keys: SubjectKeys::new(Arc::clone(&keyring), subject_keys),
            look_ups: LookUps::start(data_dir::connect(&data_dir.ledger()).await?),
            recorder: Recorder::start(Arc::clone(&writer), run, journal),
            keyring,
            writer,
            letters: Arc::default(),
            spool,
            _data_dir: data_dir,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The installation's keys.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.inner.keyring
    }

    /// The data keys of a subject that is about to be appended to, made where missing.
    async fn keys_of(&self, place: &ledger::Place) -> Result<DataKeys, StoreError> {
        self.inner.subject_keys.of_or_new(place.subject, place.standing.seq + 1).await
    }

    /// Writes what was recorded and settled before, and closes. Other clones get [`StoreError::Closed`] for what they
    /// record or look up afterwards; files are closed with the last clone.
    pub async fn close(self) {
        self.inner.recorder.close().await;
        self.inner.look_ups.close().await;
        self.inner.spool.close().await;
        let Some(inner) = Arc::into_inner(self.inner) else { return };
        let readers = [inner.reader.into_inner(), inner.admin.into_inner(), inner.spool.into_reader()];
        let connections = Arc::into_inner(inner.writer).map(Mutex::into_inner).into_iter().chain(readers);
        for connection in connections {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "ledger was not closed cleanly");
            }
        }
        if let Err(error) = inner.subject_keys.close().await {
            tracing::warn!(%error, "subject keys were not closed cleanly");
        }
    }
}

/// False for a file that is missing, or made and not written: a crash at the first start leaves such.
fn has_content(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// Begins a transaction that may write: it takes SQLite's write lock at once, so that what it reads stays true.
async fn begin(writer: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>, StoreError> {
    if writer.is_in_transaction() {
        catch_up(writer).await?;
    }
    Ok(writer.begin_with("BEGIN IMMEDIATE").await?)
}

/// On a full disk or an I/O error SQLite ends the transaction by itself (its documentation of ROLLBACK). sqlx's own ROLLBACK
/// then fails, and it counts that transaction as open for ever: no withdrawal could be recorded until the next start.
/// Only a new connection counts anew.
async fn catch_up(writer: &mut SqliteConnection) -> Result<(), StoreError> {
    writer.ping().await?; // a roll-back that waits has run after this
    if writer.is_in_transaction() {
        let (file,): (String,) =
            sqlx::query_as("SELECT file FROM pragma_database_list WHERE name = 'main'").fetch_one(&mut *writer).await?;
        tracing::warn!("the database ended a transaction by itself: a new connection takes over");
        *writer = data_dir::connect(Path::new(&file)).await?;
    }
    Ok(())
}

/// Compares the keyring with the one the ledger was begun with.
async fn is_ours(writer: &mut SqliteConnection, keyring: &Keyring) -> Result<bool, StoreError> {
    let ours = keyring.check_value();
    sqlx::query("INSERT INTO meta (name, value) VALUES ('check', ?1) ON CONFLICT (name) DO NOTHING")
        .bind(&ours[..])
        .execute(&mut *writer)
        .await?;
    let (stored,): (Vec<u8>,) = sqlx::query_as("SELECT value FROM meta WHERE name = 'check'").fetch_one(writer).await?;
    Ok(stored == ours)
}
