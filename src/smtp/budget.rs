//! The memory that messages in flight may occupy together. Counts octets; allocates nothing.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A message takes more than its own octets until it is answered: the copy that is rewritten for its recipient, and that
/// copy as it goes out or into the spool. Copies for several recipients are made one after the other.
pub(super) const COPIES: usize = 3;

/// The budget of all listeners; clones share it.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// A message's share; returned on drop.
pub(super) struct Lease {
    budget: Budget,
    share: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(super) fn new(octets: usize) -> Self {
        Self(Arc::new(Semaphore::new(octets.min(Semaphore::MAX_PERMITS))))
    }

    /// A share of nothing, to be resized.
    pub(super) fn lease(&self) -> Lease {
        Lease { budget: self.clone(), share: None }
    }

    fn take(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_many_owned(u32::try_from(octets).ok()?).ok()
    }
}

impl Lease {
    /// Makes the share large enough for a message of `octets` and its [`COPIES`]; false, and no change, when so much is
    /// not free. Nobody waits: the client is told to come again.
    pub(super) fn resize(&mut self, octets: usize) -> bool {
        let octets = octets.saturating_mul(COPIES);
        let held = self.share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if octets > held {
            let Some(extension) = self.budget.take(octets - held) else { return false };
            match &mut self.share {
                Some(share) => share.merge(extension),
                share => *share = Some(extension),
            }
        } else if let Some(share) = &mut self.share {
            drop(share.split(held - octets));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back_and_nobody_gets_more_than_there_is() {
        let budget = Budget::new(100 * COPIES);
        let lease = |octets| {
            let mut lease = budget.lease();
            lease.resize(octets).then_some(lease)
        };
        let mut first = lease(60).expect("free");
        assert!(lease(50).is_none());
        assert!(first.resize(60) && first.resize(100) && !first.resize(101));
        assert!(lease(1).is_none() && lease(0).is_some());
        assert!(first.resize(40));
        assert!(lease(60).is_some());
        drop(first);
        assert!(lease(100).is_some() && lease(usize::MAX).is_none());
    }
}
