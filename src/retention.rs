//! Joiner: what the ledger must not keep for ever goes when its time has come. The table below is the whole of it; how
//! each kind is erased is `store`'s business.
//!
//! | what | kept | why |
//! |---|---|---|
//! | address and evidence of a sign-up that was never confirmed | 30 days | GDPR Art. 5(1)(c), (e); the longest limit on mails counts it (L-DOI-04, L-DOI-05) |
//! | link to one's own data | 1 day | works for an hour; the limit on such mails counts it |

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::consent::OptIn;
use crate::store::{Store, StoreError};

/// How often the table is gone through.
const PAUSE: Duration = Duration::from_secs(3_600);
/// How long a link to one's own data is kept.
const ACCESS_LINKS: SignedDuration = SignedDuration::from_hours(24);

/// Goes through the table at once and then every hour, until `shutdown`.
pub async fn run(store: Store, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            done = erase_due(&store, Timestamp::now()) => match done {
                Ok(0) => {}
                Ok(erased) => tracing::info!(erased, "retention ended"),
                Err(error) => tracing::error!(%error, "what is due was not erased; the next try is in an hour"),
            },
        }
        tokio::select! {
            () = &mut shutdown => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Erases all that is due at `now`, in small steps; how many rows.
pub async fn erase_due(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let before = |kept: SignedDuration| now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
    let mut erased = store.drop_access_links(before(ACCESS_LINKS)).await?;
    loop {
        match store.erase_unconfirmed(before(OptIn::KEPT), now).await? {
            0 => return Ok(erased),
            step => erased += step,
        }
    }
}
