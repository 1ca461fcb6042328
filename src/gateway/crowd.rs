//! What a message is, and how many people get the same text: counted here, shared with other gateways through the store every few
//! seconds. Nothing of it is asked of the store while a mail waits.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Gateway;
use super::incoming::Incoming;
use crate::classify::{Crowds, Path, Seen};
use crate::mail::{Classification, Recipient, ReversePath};
use crate::store::StoreError;

/// Between two exchanges. What another gateway counted is known here after two of them at most; a crash loses what one did not tell.
const PAUSE: Duration = Duration::from_secs(5);

impl Gateway {
    /// What the message is; its recipients are counted where its content is read. Without any it was counted before.
    pub(super) fn classify(&self, incoming: &Incoming, recipients: &[Recipient]) -> Classification {
        let path = if incoming.sender.reverse_path == ReversePath::Null { Path::Null } else { Path::Named };
        let stream = &incoming.stream;
        self.classifier.classify_among(stream, path, &incoming.message, |sketch| {
            if stream.bulk.recipients == 0 {
                return None;
            }
            let recipients: Vec<u64> = recipients.iter().map(|recipient| self.number_of(recipient)).collect();
            let now = Timestamp::now().as_second();
            self.crowds().count(Seen { stream: &stream.name, bulk: stream.bulk, sketch, recipients: &recipients, now })
        })
    }

    /// The same on every gateway; says nothing of whom.
    fn number_of(&self, recipient: &Recipient) -> u64 {
        let key = self.store.keyring().lookup_key(&recipient.address);
        u64::from_be_bytes(std::array::from_fn(|n| key.0[n]))
    }

    fn crowds(&self) -> MutexGuard<'_, Crowds> {
        // Counts that a panic left half done are counts still.
        self.crowds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was counted, and reads what others did.
    async fn exchange_crowds(&self, is_first: bool) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let changed = self.crowds().changed();
        self.store.keep_crowds(&changed, now).await?;
        if is_first || self.store.is_shared() {
            let rows = self.store.crowds_of_others(now).await?;
            let bulk = |name: &str| self.credentials.stream(name).map(|stream| stream.bulk);
            self.crowds().tell(rows, bulk, now.as_second());
        }
        Ok(())
    }
}

/// Exchanges what is counted, at once and until `stop`.
pub async fn share_crowds(gateway: Arc<Gateway>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut is_first = true;
    loop {
        match gateway.exchange_crowds(is_first).await {
            Ok(()) => is_first = false,
            Err(error) => tracing::warn!(%error, "how many people get the same text is not shared"),
        }
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    if let Err(error) = gateway.exchange_crowds(false).await {
        tracing::warn!(%error, "how many people got the same text is forgotten");
    }
}
