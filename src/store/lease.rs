//! Which gateway delivers what waits, where several share a database: each takes what is due for some seconds and says again
//! and again that it lives. No row stays locked while a mail is under way; what a dead gateway had goes to the others.

use std::sync::Weak;
use std::time::Duration;

use super::db::query;
use super::{Inner, StoreError};

/// How long a gateway that is not heard of keeps what it took.
pub(super) const LEASE_MS: i64 = 30_000;

/// Between two signs of life: three may fail.
const BEAT: Duration = Duration::from_secs(8);

/// Takes letters: due until $1, so many, for that gateway, for so long.
macro_rules! take_letters {
    () => {
        "UPDATE letter SET lease_owner = $3, lease_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $4
         WHERE id IN (SELECT id FROM letter WHERE next_at <= $1
             AND (lease_owner = $3 OR lease_until < (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
             ORDER BY next_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING id, subject, mail, queued_at, attempts"
    };
}
pub(super) use take_letters;

/// Takes copies of lane $1: due until $2, so many, for that gateway, for so long.
macro_rules! take_copies {
    () => {
        "WITH taken AS (UPDATE copy SET lease_owner = $4, lease_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $5
             WHERE (message, number) IN (SELECT message, number FROM copy WHERE lane = $1 AND next_at <= $2
                 AND (lease_owner = $4 OR lease_until < (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
                 ORDER BY next_at, message, number LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING message, number, next_at)
         SELECT t.message, t.number, m.size FROM taken AS t JOIN message AS m ON m.id = t.message ORDER BY t.next_at, t.message, t.number"
    };
}
pub(super) use take_copies;

/// Says that this gateway lives, until the store is closed.
pub(super) async fn live(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(BEAT).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = beat(&inner).await {
            tracing::warn!(%error, "other gateways may take over what this one delivers");
        }
    }
}

async fn beat(inner: &Inner) -> Result<(), StoreError> {
    // Rows that somebody is changing at this moment are left for the next time: who waits for nobody stands in no ring.
    const LETTERS: &str = "UPDATE letter SET lease_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2
         WHERE id IN (SELECT id FROM letter WHERE lease_owner = $1 FOR UPDATE SKIP LOCKED)";
    const COPIES: &str = "UPDATE copy SET lease_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2
         WHERE (message, number) IN (SELECT message, number FROM copy WHERE lease_owner = $1 FOR UPDATE SKIP LOCKED)";
    query(LETTERS).bind(&inner.gateway[..]).bind(LEASE_MS).execute(&mut *inner.writer.lock().await).await?;
    query(COPIES).bind(&inner.gateway[..]).bind(LEASE_MS).execute(&mut *inner.spool.reader().lock().await).await?;
    Ok(())
}
