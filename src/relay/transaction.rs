//! One copy on its way: the message is sent up to its final dot, then its answer is awaited. How long
//! a caller waits for the answer before it takes the copy for doubtful is not decided here.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tracing::debug;

use super::Relay;
use super::connection::{Answer, Connection};
use super::hop::{Hop, NotBegun};
use crate::mail::{Envelope, Lane, Outcome};

/// One copy on its way: the outbound MTA has the envelope, not the message. Dropped, it closes its
/// connection without the final dot, and nothing is delivered (RFC 5321 s.4.1.1.4).
#[must_use = "a transaction that is not delivered delivers nothing"]
pub struct Transaction {
    pub(super) relay: Relay,
    pub(super) hop: Arc<Hop>,
    pub(super) connection: Connection,
    pub(super) envelope: Envelope,
    pub(super) lane: Lane,
    pub(super) slot: OwnedSemaphorePermit,
}

/// One copy whose final dot was sent: the outbound MTA may have it.
#[must_use = "only the answer tells whether the outbound MTA has the copy"]
pub struct Waiting {
    hop: Arc<Hop>,
    connection: Connection,
    /// Freed after the connection went back to the pool.
    _slot: OwnedSemaphorePermit,
}

/// The outbound MTA's last word, and what it can do after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The word.
    pub outcome: Outcome,
    /// True when the outbound MTA announced DSN and heard what reports the client wants: with the copy it takes over the duty
    /// to send them. Otherwise the parameters were dropped, and who accepted them owes "relayed" to a client that said
    /// NOTIFY=SUCCESS (RFC 3461 s.5.2.2, M-62).
    pub reports: bool,
}

impl Transaction {
    /// Sends the message (CRLF line ends, not dot-stuffed) with its final dot.
    ///
    /// The error is certain, never `Uncertain`: the outbound MTA does not have the copy. Cancelled before it
    /// returns, the outcome is unknown; it must then be taken for `Uncertain`.
    pub async fn deliver(mut self, message: Vec<u8>) -> Result<Waiting, Outcome> {
        let answer = loop {
            match self.connection.go_ahead().await {
                Answer::Stale => self = self.replaced().await?,
                answer => break answer,
            }
        };
        let sent = match answer {
            Answer::GoAhead => match self.connection.extensions.refuse_message(&message) {
                // After 354 only closing takes a message back.
                Some(refused) => return Err(refused),
                None => self.connection.send_message(message).await,
            },
            Answer::Refused(outcome) => Err(outcome),
            Answer::Stale => Err(Outcome::Unreachable { why: "MAIL: connection closed by the outbound MTA".to_owned() }),
        };
        let waiting = Waiting { hop: self.hop, connection: self.connection, _slot: self.slot };
        match sent {
            Ok(()) => Ok(waiting),
            Err(outcome) => {
                waiting.give_back();
                Err(outcome)
            }
        }
    }

    /// On a fresh connection to the same outbound MTA, which is never stale, or else at another one.
    async fn replaced(self) -> Result<Self, Outcome> {
        debug!("kept connection was closed by the outbound MTA, taking a fresh one");
        match self.hop.begin_on_fresh(&self.envelope).await {
            Ok(connection) => Ok(Self { connection, ..self }),
            Err(NotBegun::Refused(outcome)) => Err(outcome),
            Err(NotBegun::Away(outcome)) => {
                drop(self.slot);
                self.relay.begin_after(Some(outcome), &self.envelope, self.lane).await
            }
        }
    }

    /// [`deliver`](Self::deliver) and [`answer`](Waiting::answer), for callers that can wait for ten minutes.
    pub async fn send(self, message: Vec<u8>) -> Outcome {
        match self.deliver(message).await {
            Ok(waiting) => waiting.answer().await.outcome,
            Err(outcome) => outcome,
        }
    }
}

impl Waiting {
    /// The outbound MTA's last word: `Accept`, `Defer`, `Reject`, or `Uncertain` when the connection is lost or
    /// nothing comes within [`final_reply`](super::RelayTimeouts::final_reply) (M-07).
    ///
    /// The future borrows nothing: who has waited long enough spawns it and learns of a late answer. Dropped
    /// before it is ready, the copy is `Uncertain`, and the connection closes.
    pub async fn answer(mut self) -> Answered {
        let outcome = self.connection.final_reply().await;
        let reports = self.connection.extensions.dsn;
        self.give_back();
        Answered { outcome, reports }
    }

    fn give_back(self) {
        self.hop.pool.put(self.connection);
    }
}
