//! The memory that messages in flight may occupy together. Counts octets; allocates nothing.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One listener's budget; clones share it.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// A message's share; returned on drop.
pub(super) struct Lease {
    budget: Budget,
    share: OwnedSemaphorePermit,
}

impl Budget {
    pub(super) fn new(octets: usize) -> Self {
        Self(Arc::new(Semaphore::new(octets.min(Semaphore::MAX_PERMITS))))
    }

    /// `None` when so much is not free; nobody waits, the client is told to come again.
    pub(super) fn lease(&self, octets: usize) -> Option<Lease> {
        Some(Lease { budget: self.clone(), share: self.take(octets)? })
    }

    fn take(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_many_owned(u32::try_from(octets).ok()?).ok()
    }
}

impl Lease {
    /// Makes the share `octets` large; false, and no change, when so much is not free.
    pub(super) fn resize(&mut self, octets: usize) -> bool {
        let held = self.share.num_permits();
        if octets < held {
            drop(self.share.split(held - octets));
        } else if octets > held {
            let Some(extension) = self.budget.take(octets - held) else { return false };
            self.share.merge(extension);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back_and_nobody_gets_more_than_there_is() {
        let budget = Budget::new(100);
        let mut first = budget.lease(60).expect("free");
        assert!(budget.lease(50).is_none());
        assert!(first.resize(60) && first.resize(100) && !first.resize(101));
        assert!(budget.lease(1).is_none());
        assert!(first.resize(40));
        assert!(budget.lease(60).is_some());
        drop(first);
        assert!(budget.lease(100).is_some());
    }
}
