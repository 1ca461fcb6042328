//! What is on record about a person besides events and decisions, for the right of access (GDPR Art. 15). What it looks like
//! is the desk's business.

use jiff::Timestamp;

use super::column::{octets, timestamp};
use super::look_up::contacts;
use super::{Store, StoreError};
use crate::consent::{LookupKey, SubjectId};

/// A suppression as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressionRow {
    /// What it is about; empty for all advertising.
    pub topic: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// A sign-up as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptInRow {
    /// Names joined by a space.
    pub topics: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// In which language.
    pub language: String,
    /// `pending` or `confirmed`.
    pub stage: String,
}

/// What one controller has on record beside events and decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// The look-up key of the address.
    pub key: LookupKey,
    /// When this controller last sent advertising, to a month.
    pub contacted: Option<Timestamp>,
    /// What stays blocked.
    pub suppressions: Vec<SuppressionRow>,
    /// Sign-ups, oldest first.
    pub opt_ins: Vec<OptInRow>,
}

impl Store {
    /// What `controller` has of a person beside events and decisions; `None` for an unknown one.
    pub async fn shelf(&self, subject: SubjectId, controller: &str) -> Result<Option<Shelf>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let row: Option<(Vec<u8>, String)> = sqlx::query_as("SELECT key, contacted FROM standing WHERE subject = ?1")
            .bind(&subject.0[..])
            .fetch_optional(&mut *reader)
            .await?;
        let Some((key, contacted)) = row else { return Ok(None) };
        let suppressions: Vec<(String, String, i64)> =
            sqlx::query_as("SELECT topic, reason, at FROM suppression WHERE key = ?1 AND controller = ?2 ORDER BY topic")
                .bind(&key)
                .bind(controller)
                .fetch_all(&mut *reader)
                .await?;
        let opt_ins: Vec<(String, i64, String, String)> = sqlx::query_as(
            "SELECT topics, requested_at, language, stage FROM opt_in WHERE subject = ?1 AND controller = ?2 ORDER BY requested_at",
        )
        .bind(&subject.0[..])
        .bind(controller)
        .fetch_all(&mut *reader)
        .await?;
        let suppression = |(topic, reason, at)| Ok(SuppressionRow { topic, reason, at: timestamp(at)? });
        let opt_in = |(topics, at, language, stage)| Ok(OptInRow { topics, requested_at: timestamp(at)?, language, stage });
        Ok(Some(Shelf {
            key: LookupKey(octets(&key)?),
            contacted: contacts(&contacted)?.remove(controller),
            suppressions: suppressions.into_iter().map(suppression).collect::<Result<_, StoreError>>()?,
            opt_ins: opt_ins.into_iter().map(opt_in).collect::<Result<_, StoreError>>()?,
        }))
    }
}
