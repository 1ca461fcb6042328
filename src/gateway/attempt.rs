//! A later attempt at one copy that waits: decided anew (I3), rewritten anew, relayed. When attempts are made, and what
//! follows from them, is the spooler's business.

use jiff::Timestamp;
use tokio::time::timeout;

use super::incoming::Incoming;
use super::keep::{LastWord, certain, last_word};
use super::{Gateway, Late, copy, weigh};
use crate::classify::ruled;
use crate::consent::{Decision, Verdict};
use crate::mail::{Classification, Envelope, MessageError, Outcome, Sender};
use crate::relay::Answered;
use crate::store::{Durable, Ground, SpooledCopy, SpooledMessage, StoreError};

/// What an attempt came to.
pub enum Attempt {
    /// The person may not get it any more.
    Blocked(Box<Decision>),
    /// Somebody must look at it first.
    Held(Ground),
    /// No outbound MTA can be reached; on what ground the copy would have gone.
    Unreached(Option<Ground>, Outcome),
    /// What the outbound MTA said; on what ground the copy went.
    Answered(Option<Ground>, Answered),
    /// It has not said it yet.
    Late(Option<Ground>, Late),
}

/// A message of the spool, read.
pub enum Opened {
    /// Of a stream, and what it is: the same for all its copies.
    Mail(Box<Incoming>, Classification),
    /// The gateway's own.
    Report {
        /// The null reverse-path.
        sender: Sender,
        /// As composed.
        original: Vec<u8>,
    },
}

impl Opened {
    /// From MAIL, and the message as it came in.
    pub fn parts(&self) -> (&Sender, &[u8]) {
        match self {
            Self::Mail(incoming, _) => (&incoming.sender, incoming.message.raw()),
            Self::Report { sender, original } => (sender, original),
        }
    }
}

/// Why there was no attempt. The copy waits on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// I4.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// The configuration has no such stream any more.
    #[error("the stream {0} of mail that waits is not configured any more: configure it again, or drop the mail")]
    StreamGone(String),
    /// It could be read when it came in.
    #[error("mail that waits cannot be read any more: {0}")]
    Message(#[from] MessageError),
}

impl Gateway {
    /// Reads a message of the spool.
    pub fn reopen(&self, message: SpooledMessage) -> Result<Opened, Failure> {
        let SpooledMessage { stream, sender, hop, queued_at: _, original } = message;
        if stream.is_empty() {
            return Ok(Opened::Report { sender, original });
        }
        let stream = self.credentials.stream(&stream).ok_or(Failure::StreamGone(stream))?;
        let incoming = Incoming::accept(stream, sender, hop, original)?;
        let classification = self.classify(&incoming, &[]);
        Ok(Opened::Mail(Box::new(incoming), classification))
    }

    /// Tries a report of the gateway's own, which goes out as it is.
    pub async fn attempt_report(&self, waiting: &SpooledCopy, sender: &Sender, original: &[u8]) -> Attempt {
        let envelope = Envelope { sender: sender.clone(), recipient: waiting.recipient.clone() };
        match self.relay.begin(&envelope, waiting.lane).await {
            Ok(transaction) => self.finish(waiting, None, last_word(transaction, original.to_vec())).await,
            Err(outcome) => not_begun(None, outcome),
        }
    }

    /// Tries a copy.
    pub async fn attempt(&self, waiting: &SpooledCopy, incoming: &Incoming, classification: &Classification) -> Result<Attempt, Failure> {
        let classification = match waiting.ruling {
            Some(class) => ruled(classification.clone(), class),
            None => classification.clone(),
        };
        let mut weighed = self.decide(incoming, &waiting.recipient, waiting.fingerprint, classification).await?;
        let decision = &mut weighed.decision;
        let mut recorded = None;
        let mut ground = Ground::of(decision);
        match waiting.ground.as_ref().filter(|before| before.says == ground.says) {
            Some(before) => {
                decision.id = before.decision;
                ground.decision = before.decision;
            }
            // I1: it names another basis, and must be durable before the message leaves
            None => recorded = Some(self.record(decision, incoming)),
        }
        if decision.reason.verdict() != Verdict::Pass {
            durable(recorded).await?;
            let is_held = decision.reason.verdict() == Verdict::Hold;
            return Ok(if is_held { Attempt::Held(ground) } else { Attempt::Blocked(Box::new(weighed.decision)) });
        }
        let transaction = self.relay.begin(&incoming.envelope(&waiting.recipient), weigh::lane(decision)).await;
        let copy = self.copy(&weighed, incoming);
        durable(recorded).await?;
        Ok(match (transaction, copy) {
            (Ok(transaction), Ok(copy)) => self.finish(waiting, Some(ground), last_word(transaction, copy)).await,
            (_, Err(error)) => Attempt::Answered(Some(ground), certain(copy::refused(&error))),
            (Err(outcome), _) => not_begun(Some(ground), outcome),
        })
    }

    /// A copy whose answer takes long is told so.
    async fn finish(&self, waiting: &SpooledCopy, ground: Option<Ground>, mut answer: LastWord) -> Attempt {
        match timeout(self.doubt_after, &mut answer).await {
            Ok(answered) => Attempt::Answered(ground, answered),
            Err(_) => Attempt::Late(ground, Late { copy: waiting.id, answer }),
        }
    }

    /// Remembers what was taken before this process began (M-08).
    pub async fn remember(&self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        for (key, decision) in self.store.delivered_since(now - self.twins.window, super::twins::GENERATION).await? {
            self.twins.remember(key, decision, now);
        }
        for (key, decision) in self.store.spool_fingerprints(super::twins::GENERATION).await? {
            self.twins.remember(key, decision, now);
        }
        Ok(())
    }
}

fn not_begun(ground: Option<Ground>, outcome: Outcome) -> Attempt {
    match outcome {
        Outcome::Unreachable { .. } => Attempt::Unreached(ground, outcome),
        outcome => Attempt::Answered(ground, certain(outcome)),
    }
}

async fn durable(recorded: Option<Durable>) -> Result<(), StoreError> {
    match recorded {
        Some(recorded) => recorded.await,
        None => Ok(()),
    }
}
