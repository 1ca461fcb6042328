//! Texts and pages as people saw them, stored once under their SHA-256. Evidence keeps the hash, which is
//! sealed with it; the text itself is nobody's and lies in clear.

use sha2::{Digest, Sha256};

use super::db::{Connection, query, query_as};
use super::{Store, StoreError};
use crate::consent::{Evidence, TextVersion};

/// Moves the texts of `evidence` into their table and leaves their hashes.
pub(super) async fn keep_all(tx: &mut Connection, evidence: &mut Evidence) -> Result<(), StoreError> {
    match evidence {
        Evidence::Request(request) => {
            request.text_version = keep(tx, &mut request.consent_text).await?;
            if let Some(text) = &mut request.tracking_text {
                *text = keep(tx, text).await?;
            }
            if let Some(form) = &mut request.form {
                form.version = keep(tx, &mut form.page).await?;
            }
        }
        Evidence::Confirmation(confirmation) => confirmation.page_version = keep(tx, &mut confirmation.page).await?,
        Evidence::Choice(choice) => {
            if let Some(agreed) = &mut choice.agreed {
                agreed.text = keep(tx, &mut agreed.text).await?;
            }
        }
        Evidence::Mail(_) => {}
    }
    Ok(())
}

/// Puts back what [`keep_all`] took out.
pub(super) async fn restore_all(connection: &mut Connection, evidence: &mut Evidence) -> Result<(), StoreError> {
    match evidence {
        Evidence::Request(request) => {
            request.consent_text = restore(connection, &request.text_version).await?;
            if let Some(text) = &mut request.tracking_text {
                *text = restore(connection, text).await?;
            }
            if let Some(form) = &mut request.form {
                form.page = restore(connection, &form.version).await?;
            }
        }
        Evidence::Confirmation(confirmation) => confirmation.page = restore(connection, &confirmation.page_version).await?,
        Evidence::Choice(choice) => {
            if let Some(agreed) = &mut choice.agreed {
                agreed.text = restore(connection, &agreed.text).await?;
            }
        }
        Evidence::Mail(_) => {}
    }
    Ok(())
}

impl Store {
    /// Keeps texts that mails will have, so that each can be shown as it was.
    pub async fn keep_texts(&self, texts: impl IntoIterator<Item = String>) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        for mut text in texts {
            keep(&mut writer, &mut text).await?;
        }
        Ok(())
    }

    /// The text of that version.
    pub async fn text(&self, version: TextVersion) -> Result<Option<String>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let last = [&version.0[..], &[0xff; 24]].concat();
        let row: Option<(String,)> = query_as("SELECT text FROM text_version WHERE id BETWEEN $1 AND $2")
            .bind(&version.0[..])
            .bind(last)
            .fetch_optional(&mut reader)
            .await?;
        let row = row.filter(|(text,)| TextVersion::of(text) == version);
        Ok(row.map(|(text,)| text))
    }
}

/// Takes the text out and returns its hash.
pub(super) async fn keep(tx: &mut Connection, text: &mut String) -> Result<String, StoreError> {
    let text = std::mem::take(text);
    let id = Sha256::digest(text.as_bytes());
    query("INSERT INTO text_version (id, text) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING").bind(&id[..]).bind(text).execute(tx).await?;
    Ok(hex::encode(id))
}

async fn restore(connection: &mut Connection, id: &str) -> Result<String, StoreError> {
    let hash = hex::decode(id).map_err(|_| StoreError::Damaged("a text version"))?;
    let row: Option<(String,)> = query_as("SELECT text FROM text_version WHERE id = $1").bind(hash).fetch_optional(connection).await?;
    // The hash in the evidence is authenticated, the text is not: it counts only if it is the one.
    let row = row.filter(|(text,)| hex::encode(Sha256::digest(text)) == id);
    row.map(|(text,)| text).ok_or(StoreError::Damaged("a text version"))
}
