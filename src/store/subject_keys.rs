//! Each subject's two data keys: *contact*, which goes at erasure, and *evidence*, which goes when retention ends. In
//! a database with a backup chain of its own (E-10). What is sealed with them is the other files' business.

use std::sync::Arc;

use sqlx::SqliteConnection;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::StoreError;
use super::column::{count, int, json, octets};
use crate::consent::SubjectId;
use crate::crypto::{DataKey, Keyring};
use crate::entropy::random;

/// The subject's keys; `None` for one that was destroyed.
pub(super) struct DataKeys {
    pub(super) contact: Option<DataKey>,
    pub(super) evidence: Option<DataKey>,
    /// `seq` of the first event whose evidence this evidence key may have sealed.
    pub(super) since: u64,
}

impl DataKeys {
    /// Of nobody, or of one whose keys were destroyed: they seal and open nothing.
    pub(super) const NONE: Self = Self { contact: None, evidence: None, since: 0 };

    /// What opens the evidence of the event of that `seq`; `None` where the key that sealed it was destroyed.
    pub(super) fn evidence_of(&self, seq: u64) -> Option<&DataKey> {
        self.evidence.as_ref().filter(|_| seq >= self.since)
    }
}

/// The keys' database.
pub(super) struct SubjectKeys {
    keyring: Arc<Keyring>,
    connection: Mutex<SqliteConnection>,
}

type Wrapped = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

impl SubjectKeys {
    pub(super) fn new(keyring: Arc<Keyring>, connection: SqliteConnection) -> Self {
        Self { keyring, connection: Mutex::new(connection) }
    }

    /// The keys of a subject; none for one that never had any.
    pub(super) async fn of(&self, subject: SubjectId) -> Result<DataKeys, StoreError> {
        let mut connection = self.connection.lock().await;
        let row = find(&mut connection, subject).await?.unwrap_or_default();
        self.unwrap(subject, row)
    }

    /// The keys of a subject, made where missing; `next` is the `seq` of its next event. They are durable when this returns, so nothing is ever sealed
    /// under a key that a crash takes back; a crash in between leaves an unused key, which harms nobody.
    pub(super) async fn of_or_new(&self, subject: SubjectId, next: u64) -> Result<DataKeys, StoreError> {
        let mut connection = self.connection.lock().await;
        let row = match find(&mut connection, subject).await? {
            Some(row @ (Some(_), Some(_), _)) => row,
            _ => {
                sqlx::query_as(
                    "INSERT INTO subject_key (subject, contact, evidence, since) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (subject) DO UPDATE SET
                         contact = coalesce(contact, excluded.contact), evidence = coalesce(evidence, excluded.evidence),
                         since = iif(evidence IS NULL, excluded.since, since)
                     RETURNING contact, evidence, since",
                )
                .bind(&subject.0[..])
                .bind(self.wrapped_new("contact", subject)?)
                .bind(self.wrapped_new("evidence", subject)?)
                .bind(int(next))
                .fetch_one(&mut *connection)
                .await?
            }
        };
        self.unwrap(subject, row)
    }

    fn wrapped_new(&self, kind: &str, subject: SubjectId) -> Result<Vec<u8>, StoreError> {
        let raw = Zeroizing::new(random());
        Ok(self.keyring.wrap(random(), &context(kind, subject), &raw))
    }

    /// Destroys both keys of these subjects, in one commit: what they sealed is unreadable from now on (E-09).
    pub(super) async fn destroy(&self, subjects: &[SubjectId]) -> Result<(), StoreError> {
        if subjects.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = subjects.iter().map(SubjectId::to_string).collect();
        let mut connection = self.connection.lock().await;
        sqlx::query("UPDATE subject_key SET contact = NULL, evidence = NULL WHERE subject IN (SELECT unhex(value) FROM json_each(?1))")
            .bind(json(&ids))
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    /// The next subjects after that one that have an evidence key.
    pub(super) async fn with_evidence(&self, after: Option<SubjectId>, limit: u32) -> Result<Vec<SubjectId>, StoreError> {
        let mut connection = self.connection.lock().await;
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT subject FROM subject_key WHERE subject > ?1 AND evidence IS NOT NULL ORDER BY subject LIMIT ?2")
                .bind(after.map(|id| id.0.to_vec()).unwrap_or_default())
                .bind(limit)
                .fetch_all(&mut *connection)
                .await?;
        rows.iter().map(|(id,)| octets(id).map(SubjectId)).collect()
    }

    /// Destroys the contact key of a person, and where `evidence` says so the evidence key, in one commit (E-09).
    pub(super) async fn shred(&self, subject: SubjectId, evidence: bool) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().await;
        let statement = match evidence {
            true => "UPDATE subject_key SET contact = NULL, evidence = NULL WHERE subject = ?1",
            false => "UPDATE subject_key SET contact = NULL WHERE subject = ?1",
        };
        sqlx::query(statement).bind(&subject.0[..]).execute(&mut *connection).await?;
        Ok(())
    }

    fn unwrap(&self, subject: SubjectId, (contact, evidence, since): Wrapped) -> Result<DataKeys, StoreError> {
        let unwrap = |kind, wrapped: Option<Vec<u8>>| {
            let open = |wrapped: Vec<u8>| self.keyring.unwrap(&context(kind, subject), &wrapped);
            wrapped.map(|wrapped| open(wrapped).ok_or(StoreError::Damaged("a subject's key"))).transpose()
        };
        Ok(DataKeys { contact: unwrap("contact", contact)?, evidence: unwrap("evidence", evidence)?, since: count(since)? })
    }

    /// Closes the database.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        Ok(sqlx::Connection::close(self.connection.into_inner()).await?)
    }
}

async fn find(connection: &mut SqliteConnection, subject: SubjectId) -> Result<Option<Wrapped>, StoreError> {
    let row = sqlx::query_as("SELECT contact, evidence, since FROM subject_key WHERE subject = ?1");
    Ok(row.bind(&subject.0[..]).fetch_optional(connection).await?)
}

fn context(kind: &str, subject: SubjectId) -> Vec<u8> {
    [b"subject_key\0", kind.as_bytes(), b"\0", &subject.0[..]].concat()
}
