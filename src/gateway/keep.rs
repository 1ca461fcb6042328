//! Copies that the outbound MTA did not take now: into the spool, and the client is rid of them (I2).

use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};

use super::incoming::Incoming;
use super::twins::Flight;
use super::{Gateway, replies, weigh};
use crate::consent::Decision;
use crate::entropy::random;
use crate::mail::{Outcome, Recipient};
use crate::relay::{Answered, Transaction};
use crate::store::{CopyId, CopyState, Ground, NewCopy, NewSpooled, SpoolId, StoreError};
use crate::wire::Reply;

/// The pause after the first failed attempt; the spooler knows the later ones.
pub const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// By when a copy in doubt is tried again, if its late answer never comes: the relay gives up on it before (M-07).
pub const LAST_WORD: SignedDuration = SignedDuration::from_mins(15);

/// The outbound MTA's last word, some time.
pub(super) type LastWord = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A copy in the spool whose last word is still awaited.
pub struct Late {
    /// Which.
    pub copy: CopyId,
    /// The word.
    pub answer: Pin<Box<dyn Future<Output = Answered> + Send>>,
}

/// Sends the message and waits for its answer, however long that takes: who does not wait hands it on, because once it has
/// begun nobody else can tell whether the copy arrived.
pub(super) fn last_word(transaction: Transaction, copy: Vec<u8>) -> LastWord {
    Box::pin(async move {
        match transaction.deliver(copy).await {
            Ok(waiting) => waiting.answer().await,
            Err(outcome) => certain(outcome),
        }
    })
}

/// What came before the final dot: no report is owed.
pub(super) fn certain(outcome: Outcome) -> Answered {
    Answered { outcome, reports: true }
}

/// Nothing was sent.
pub(super) fn unreached(why: &str) -> Answered {
    certain(Outcome::Unreachable { why: why.to_owned() })
}

impl Gateway {
    /// Keeps the one copy of a message that was not taken.
    pub(super) async fn keep(
        &self,
        decision: &Decision,
        incoming: Incoming,
        recipient: Recipient,
        flight: Flight,
        state: CopyState,
        outcome: &Outcome,
    ) -> Reply {
        tracing::info!(decision = %decision.id, outcome = outcome.as_str(), "kept in the spool");
        let now = Timestamp::now();
        // An outbound MTA that cannot be reached is no fault of this mail: as soon as it answers again.
        let (next_at, attempts) = if matches!(outcome, Outcome::Unreachable { .. }) { (now, 0) } else { (now + FIRST_PAUSE, 1) };
        let copy = NewCopy { attempts, last: Some(outcome.reply()), ..new_copy(decision, recipient, state, next_at) };
        match self.put(incoming, vec![copy], now).await {
            Ok(_) => {
                flight.land(decision.id, now);
                replies::kept(decision)
            }
            Err(error) => {
                self.store.settle(decision.id, now, outcome);
                replies::not_kept(decision, outcome, &error)
            }
        }
    }

    /// Keeps the one copy of a message that a person is to look at.
    pub(super) async fn hold(&self, decision: &Decision, incoming: Incoming, recipient: Recipient, flight: Flight) -> Reply {
        let now = Timestamp::now();
        let copy = new_copy(decision, recipient, CopyState::Held, self.hold_ends(now));
        match self.put(incoming, vec![copy], now).await {
            Ok(_) => {
                flight.land(decision.id, now);
                replies::kept(decision)
            }
            Err(error) => {
                self.store.settle(decision.id, now, &Outcome::Defer { code: 451, text: "4.3.0 not kept".into() });
                replies::spool_unavailable(&error)
            }
        }
    }

    /// When mail that is held now is given up.
    pub fn hold_ends(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.hold_for).unwrap_or(Timestamp::MAX)
    }

    /// Keeps the one copy of a message that may have been taken; the spooler goes on waiting for the answer.
    pub(super) async fn doubt(
        &self,
        decision: &Decision,
        incoming: Incoming,
        recipient: Recipient,
        flight: Flight,
        answer: LastWord,
    ) -> Reply {
        tracing::warn!(decision = %decision.id, "the outbound MTA is slow with its last word");
        let now = Timestamp::now();
        let copy = new_copy(decision, recipient, CopyState::Uncertain, now + LAST_WORD);
        match self.put(incoming, vec![copy], now).await {
            Ok(message) => {
                flight.land(decision.id, now);
                // Nobody to take it over: at a shutdown, and then the spool has it.
                let _ = self.late.send(Late { copy: CopyId { message, number: 0 }, answer });
                replies::kept(decision)
            }
            // No room: then the client waits as long as the outbound MTA does.
            Err(error) => {
                tracing::error!(%error, "a copy in doubt cannot be kept");
                let Answered { outcome, .. } = answer.await;
                self.store.settle(decision.id, Timestamp::now(), &outcome);
                if matches!(outcome, Outcome::Accept { .. }) {
                    flight.land(decision.id, Timestamp::now());
                }
                replies::relayed(decision, &outcome)
            }
        }
    }

    /// Puts a message into the spool; durable when this returns.
    pub(super) async fn put(&self, incoming: Incoming, copies: Vec<NewCopy>, now: Timestamp) -> Result<SpoolId, StoreError> {
        let id = SpoolId::new(now, random());
        self.put_all(vec![incoming.spooled(id, copies, now)]).await.map(|()| id)
    }

    /// Puts messages in, if there is room for them.
    pub(super) async fn put_all(&self, messages: Vec<NewSpooled>) -> Result<(), StoreError> {
        let more: u64 = messages.iter().map(|message| message.original.len() as u64).sum();
        if self.store.spool_size().octets.saturating_add(more) > self.spool_limit {
            return Err(StoreError::SpoolFull);
        }
        self.store.spool(&messages).await
    }
}

impl Incoming {
    /// As it goes into the spool.
    pub(super) fn spooled(self, id: SpoolId, copies: Vec<NewCopy>, now: Timestamp) -> NewSpooled {
        let Self { stream, sender, message, hop, .. } = self;
        NewSpooled { id, stream: stream.name.clone(), sender, hop, queued_at: now, original: message.into_raw(), copies }
    }
}

/// A copy as it goes into the spool.
pub(super) fn new_copy(decision: &Decision, recipient: Recipient, state: CopyState, next_at: Timestamp) -> NewCopy {
    let (lane, fingerprint) = (weigh::lane(decision), decision.copy);
    NewCopy { recipient, lane, state, next_at, attempts: 0, ground: Some(Ground::of(decision)), fingerprint, last: None }
}
