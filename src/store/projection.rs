//! Rebuilding the projection from the events: what is kept must be what they fold to.

use super::column::octets;
use super::db::{query, query_as};
use super::{Store, StoreError, begin, ledger};
use crate::consent::{Standing, SubjectId};

/// Subjects per step.
const STEP: u32 = 500;

impl Store {
    /// Drops the standing of every subject and folds it anew from its events, in one transaction; the number of
    /// subjects with events. The keys stay: they are not derived.
    pub async fn rebuild_standing(&self) -> Result<u64, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if tx.is_shared() {
            // In the order in which commits of decisions lock.
            query("SELECT 1 FROM standing WHERE seq <> 0 ORDER BY key FOR UPDATE").execute(&mut tx).await?;
        }
        query("UPDATE standing SET seq = 0, state = $1 WHERE seq <> 0").bind(ledger::state(&Standing::default())).execute(&mut tx).await?;
        let mut rebuilt = 0;
        let mut after = Vec::new();
        loop {
            let subjects: Vec<(Vec<u8>,)> = query_as("SELECT DISTINCT subject FROM event WHERE subject > $1 ORDER BY subject LIMIT $2")
                .bind(after)
                .bind(STEP)
                .fetch_all(&mut tx)
                .await?;
            let Some((last,)) = subjects.last() else { break };
            after = last.clone();
            for (subject,) in subjects {
                let subject = SubjectId(octets(&subject)?);
                let events = ledger::events(&mut tx, subject, None).await?;
                ledger::save(&mut tx, subject, &Standing::fold(&events)).await?;
                rebuilt += 1;
            }
        }
        tx.commit().await?;
        Ok(rebuilt)
    }
}
