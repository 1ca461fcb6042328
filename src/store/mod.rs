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
mod crowd;
mod data_dir;
mod db;
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
mod label;
mod lease;
mod ledger;
mod letter;
mod limit;
mod look_up;
mod operator;
mod opt_in;
mod preference;
mod projection;
mod recorder;
mod rectification;
mod replay;
mod request;
mod retention;
mod rules;
mod search;
mod search_subject;
mod server;
mod session;
mod spool;
mod stride;
mod subject_keys;
mod tally;
mod text_version;
mod volume;
mod withdrawal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

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
pub use key_file::KeyFileStamp;
pub use label::Label;
pub use letter::{LetterId, WaitingLetter};
pub use operator::{Attempt, LockRule, Operator, OperatorId, Place, Role, TakesBack};
pub use opt_in::{Confirmation, NewOptIn, RequestAnswer};
pub use preference::NewChoice;
pub use rectification::{NewRectification, Rectification};
pub use replay::{Past, PastDecision, PastPerson};
pub use request::{Exercised, NewRequest, NewStep, Pressing, RequestFilter};
pub use rules::{ActiveRules, Approval, How, NewApproval, Simulation};
pub use search::{DecisionFilter, DecisionPage, Names};
pub use server::DatabaseSettings;
pub use session::{NewSession, Proof, Session, Stage};
pub use spool::{
    CopyId, CopyState, DueCopy, Ground, Hand, Judgement, NewCopy, NewSpooled, SpoolId, SpoolSize, SpooledCopy, SpooledMessage,
};
pub use volume::{DecisionCounts, Step, Volume};
pub use withdrawal::{NewWithdrawal, Stop, WithdrawAnswer};

use crate::crypto::Keyring;
use crate::entropy::random;
use data_dir::DataDir;
use db::{Connection, Pool, Transaction, query, query_as};
use journal::Journal;
use look_up::LookUps;
use recorder::Recorder;
use server::Server;
use spool::Spool;
use subject_keys::{DataKeys, SubjectKeys};
use tally::Run;

/// Connections to a server for each kind of work.
const CONNECTIONS: usize = 4;

/// The ledger. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// True where other gateways work on the same ledger.
    is_shared: bool,
    /// Names this one among them.
    gateway: [u8; 16],
    keyring: Arc<Keyring>,
    /// All writes to the ledger, group commits included.
    writer: Arc<Pool>,
    /// All reads but the hot look-up and the admin's, which have connections of their own.
    reader: Pool,
    /// Searches and charts: they may take their time, and no public page waits for them.
    admin: Pool,
    subject_keys: SubjectKeys,
    look_ups: LookUps,
    recorder: Recorder,
    letters: Arc<Notify>,
    spool: Spool,
    /// Last, so that the lock goes when the connections are gone.
    data_dir: DataDir,
}

impl Store {
    /// Opens `<dir>/ledger.sqlite`, `<dir>/subject-keys.sqlite`, `<dir>/spool.sqlite` and the key file `<dir>/keys`, and makes what is missing.
    /// Refuses a directory in use, and a ledger whose key file is lost, damaged, another's, or readable by others.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_on(dir, None).await
    }

    /// As [`Store::open`], but where a gateway runs on the directory, beside it: for a command that writes a row and ends.
    pub async fn open_beside(dir: &Path) -> Result<Self, StoreError> {
        Self::open_beside_on(dir, None).await
    }

    /// As [`Store::open`]; with a server, the directory has the key file alone, and any number of gateways share the server.
    pub async fn open_on(dir: &Path, database: Option<&DatabaseSettings>) -> Result<Self, StoreError> {
        Self::over(DataDir::lock(dir)?, database).await
    }

    /// As [`Store::open_beside`], with a server or without.
    pub async fn open_beside_on(dir: &Path, database: Option<&DatabaseSettings>) -> Result<Self, StoreError> {
        Self::over(DataDir::share(dir)?, database).await
    }

    async fn over(data_dir: DataDir, database: Option<&DatabaseSettings>) -> Result<Self, StoreError> {
        match database {
            None => Self::over_files(data_dir).await,
            Some(database) => Self::over_server(data_dir, &Server::of(database)?).await,
        }
    }

    async fn over_files(data_dir: DataDir) -> Result<Self, StoreError> {
        let keyring = Arc::new(key_file::load_or_make(&data_dir.keys(), data_dir.ledger().exists())?);
        // Keys of its own would be made for old subjects, and their evidence look damaged.
        if has_content(&data_dir.ledger()) && !has_content(&data_dir.subject_keys()) {
            return Err(StoreError::SubjectKeysLost(data_dir.subject_keys()));
        }
        let mut subject_keys = Connection::sqlite(&data_dir.subject_keys()).await?;
        let mut ledger = Connection::sqlite(&data_dir.ledger()).await?;
        if let (Some(subject_keys), Some(ledger)) = (subject_keys.as_sqlite(), ledger.as_sqlite()) {
            sqlx::migrate!("migrations/sqlite/keys").run(subject_keys).await?;
            sqlx::migrate!("migrations/sqlite").run(ledger).await?;
        }
        if !is_ours(&mut ledger, &keyring).await? {
            return Err(StoreError::KeyFileWrong(data_dir.keys()));
        }
        let spool = Spool::open(&data_dir.spool(), keyring.spool_key()).await?;
        Self::assemble(data_dir, keyring, ledger, Pool::new(vec![subject_keys]), spool, 1).await
    }

    async fn over_server(data_dir: DataDir, server: &Server) -> Result<Self, StoreError> {
        let [mut ledger, spool, mut subject_keys] = server.open().await?;
        let (is_begun,): (bool,) = query_as("SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'check')").fetch_one(&mut ledger).await?;
        let keyring = Arc::new(key_file::load_or_make(&data_dir.keys(), is_begun)?);
        if !is_ours(&mut ledger, &keyring).await? {
            return Err(StoreError::KeyFileWrong(data_dir.keys()));
        }
        if lost_its_subject_keys(&mut ledger, &mut subject_keys).await? {
            return Err(StoreError::SubjectKeysLost(PathBuf::from("the schema consentry_keys")));
        }
        let spool = Spool::over(spool, 2, keyring.spool_key()).await?;
        let subject_keys = Pool::like(&subject_keys, CONNECTIONS).await?;
        let store = Self::assemble(data_dir, keyring, ledger, subject_keys, spool, CONNECTIONS).await?;
        tokio::spawn(lease::live(Arc::downgrade(&store.inner)));
        Ok(store)
    }

    async fn assemble(
        data_dir: DataDir,
        keyring: Arc<Keyring>,
        mut ledger: Connection,
        subject_keys: Pool,
        spool: Spool,
        connections: usize,
    ) -> Result<Self, StoreError> {
        let run = Run::last(&mut ledger).await?;
        // A command beside a gateway leaves that one's journal alone.
        let journal = data_dir.is_ours().then(|| Journal::open(&data_dir.journal(), Arc::clone(&keyring))).transpose();
        let journal = journal.map_err(|source| StoreError::File { path: data_dir.journal(), source: Arc::new(source) })?;
        let writer = Arc::new(Pool::like(&ledger, connections).await?);
        let inner = Inner {
            is_shared: ledger.is_shared(),
            gateway: random(),
            reader: Pool::like(&ledger, connections).await?,
            admin: Pool::like(&ledger, connections.div_ceil(2)).await?,
            subject_keys: SubjectKeys::new(Arc::clone(&keyring), subject_keys),
            look_ups: LookUps::start(ledger),
            recorder: Recorder::start(Arc::clone(&writer), run, journal),
            keyring,
            writer,
            letters: Arc::default(),
            spool,
            data_dir,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The installation's keys.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.inner.keyring
    }

    /// The link keys as they are in the key file now, which a rotation may have changed; the first signs. Fails for the file of
    /// another installation.
    pub fn link_keys(&self, now: Timestamp) -> Result<Vec<(u8, [u8; 32])>, StoreError> {
        let path = self.inner.data_dir.keys();
        let keyring = key_file::load(&path)?;
        if keyring.check_value() != self.inner.keyring.check_value() {
            return Err(StoreError::KeyFileWrong(path));
        }
        Ok(keyring.link_keys(now))
    }

    /// Where the keys are.
    pub fn key_file(&self) -> PathBuf {
        self.inner.data_dir.keys()
    }

    /// What the key file of this moment is known by; `None` where there is none. A look at the file system, and no more.
    pub fn key_file_stamp(&self) -> Option<KeyFileStamp> {
        key_file::stamp(&self.inner.data_dir.keys())
    }

    /// The keys of a data directory, read beside whoever uses it.
    pub fn read_keyring(dir: &Path) -> Result<Keyring, StoreError> {
        key_file::load(&DataDir::beside(dir).keys())
    }

    /// Adds a link key to those of a data directory, beside whoever uses it. Give the other gateways of a ledger the file before the
    /// key signs.
    pub fn rotate_link_key(dir: &Path, now: Timestamp, signs_from: Timestamp) -> Result<Keyring, StoreError> {
        key_file::add_link(&DataDir::beside(dir).keys(), now, signs_from)
    }

    /// The data keys of a subject that is about to be appended to, made where missing.
    async fn keys_of(&self, tx: &mut Connection, place: &ledger::Place) -> Result<DataKeys, StoreError> {
        let ended = evidence_end::last(tx, place.subject).await?;
        self.inner.subject_keys.of_or_new(place.subject, place.standing.seq + 1, ended).await
    }

    /// Writes what was recorded and settled before, and closes. Other clones get [`StoreError::Closed`] for what they
    /// record or look up afterwards; files are closed with the last clone.
    pub async fn close(self) {
        self.inner.recorder.close().await;
        self.inner.look_ups.close().await;
        self.inner.spool.close().await;
        let Some(inner) = Arc::into_inner(self.inner) else { return };
        for pool in [&*inner.writer, &inner.reader, &inner.admin, inner.spool.reader(), inner.subject_keys.pool()] {
            if let Err(error) = pool.close().await {
                tracing::warn!(%error, "a database was not closed cleanly");
            }
        }
    }
}

/// False for a file that is missing, or made and not written: a crash at the first start leaves such.
fn has_content(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// True where people gave an address and there is no key at all: even erasing a person leaves a row.
async fn lost_its_subject_keys(ledger: &mut Connection, subject_keys: &mut Connection) -> Result<bool, StoreError> {
    // In this order: a first sign-up at another gateway makes its keys before its rows.
    let (has_people,): (bool,) = query_as("SELECT EXISTS (SELECT 1 FROM subject)").fetch_one(ledger).await?;
    let (has_keys,): (bool,) = query_as("SELECT EXISTS (SELECT 1 FROM subject_key)").fetch_one(subject_keys).await?;
    Ok(has_people && !has_keys)
}

/// Begins a transaction that may write.
async fn begin(writer: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    writer.begin().await
}

/// Compares the keyring with the one the ledger was begun with.
async fn is_ours(writer: &mut Connection, keyring: &Keyring) -> Result<bool, StoreError> {
    let ours = keyring.check_value();
    query("INSERT INTO meta (name, value) VALUES ('check', $1) ON CONFLICT (name) DO NOTHING")
        .bind(&ours[..])
        .execute(&mut *writer)
        .await?;
    let (stored,): (Vec<u8>,) = query_as("SELECT value FROM meta WHERE name = 'check'").fetch_one(writer).await?;
    Ok(stored == ours)
}
