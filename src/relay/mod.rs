//! Hands copies to the outbound MTA over kept connections and tells what became of them. Does not
//! try again, does not spool, and changes no octet of a message but for dot-stuffing.
//!
//! A transaction has two halves, so that rewriting, signing and the commit of the decision overlap
//! the round trip to the outbound MTA (DESIGN 1):
//!
//! ```text
//! Relay::begin       -> MAIL, RCPT, DATA in one write (RFC 2920), on a kept connection if there is one
//! Transaction::send  <- 250, 250, 354
//!                    -> message and final dot in one write
//!                    <- 250
//! ```
//!
//! Invariant: a message is sent once. A kept connection that turns out closed is replaced, once,
//! while nothing of the message was sent; what happens after the final dot is told, not mended.

mod connection;
mod extensions;
mod open;
mod pool;
mod settings;

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tracing::debug;

use crate::mail::{Envelope, Outcome};
use crate::tls::Connector;
use connection::{Answer, Connection};
use open::Peer;
use pool::Pool;

pub use settings::{RelaySettings, RelayTimeouts, RelayTls};

/// The outbound MTA. Clones share its connections.
#[derive(Clone)]
pub struct Relay(Arc<Shared>);

struct Shared {
    peer: Peer,
    pool: Pool,
}

/// One copy on its way: the outbound MTA has the envelope, not the message. Dropped, it closes its
/// connection without the final dot, and nothing is delivered (RFC 5321 s.4.1.1.4).
#[must_use = "a transaction that is not sent delivers nothing"]
pub struct Transaction {
    shared: Arc<Shared>,
    connection: Connection,
    envelope: Envelope,
    /// Freed after the connection went back to the pool.
    _slot: OwnedSemaphorePermit,
}

impl Relay {
    /// `helo` is our name for EHLO (RFC 5321 s.4.1.1.1). `tls` must be given where
    /// [`RelaySettings::tls_required`] says so; without it nothing leaves. Connects to nobody yet.
    pub fn new(settings: RelaySettings, helo: &str, tls: Option<Connector>) -> Self {
        let pool = Pool::new(&settings);
        Self(Arc::new(Shared { peer: Peer { settings, helo: helo.to_owned(), tls }, pool }))
    }

    /// Opens a transaction for one copy. Returns at once on a kept connection, without the replies
    /// to the envelope; where there is none, it opens one first.
    ///
    /// `envelope.sender.body` must fit the message that follows: say [`Body::EightBit`](crate::mail::Body)
    /// where it has octets above 127.
    ///
    /// The error is the outcome: `Unreachable`, `Defer` by a peer that is busy, or `Reject` for an
    /// envelope that it cannot take (M-18). None of the message was sent.
    pub async fn begin(&self, envelope: &Envelope) -> Result<Transaction, Outcome> {
        let Shared { peer, pool } = &*self.0;
        let slot = pool.slot(&peer.settings).await?;
        let connection = match self.0.begin_on_kept(envelope).await? {
            Some(connection) => connection,
            None => self.0.begin_on_fresh(envelope).await?,
        };
        Ok(Transaction { shared: Arc::clone(&self.0), connection, envelope: envelope.clone(), _slot: slot })
    }
}

impl Transaction {
    /// Sends the message (CRLF line ends, not dot-stuffed) and waits for the last word.
    ///
    /// Cancelled before it returns, the outcome is unknown; it must then be taken for `Uncertain`.
    pub async fn send(mut self, message: &[u8]) -> Outcome {
        let mut answer = self.connection.go_ahead().await;
        if let Answer::Stale = answer {
            debug!("kept connection was closed by the outbound MTA, taking a fresh one");
            self.connection = match self.shared.begin_on_fresh(&self.envelope).await {
                Ok(connection) => connection,
                Err(outcome) => return outcome,
            };
            answer = self.connection.go_ahead().await;
        }
        let outcome = match answer {
            Answer::GoAhead => match self.connection.extensions.refuse_message(message) {
                // After 354 only closing takes a message back.
                Some(refused) => return refused,
                None => self.connection.deliver(message).await,
            },
            Answer::Refused(outcome) => outcome,
            Answer::Stale => Outcome::Unreachable { why: "MAIL: fresh connection closed by the outbound MTA".to_owned() },
        };
        self.shared.pool.put(self.connection, &self.shared.peer.settings);
        outcome
    }
}

impl Shared {
    /// `None`: there is no kept connection that takes a command.
    async fn begin_on_kept(&self, envelope: &Envelope) -> Result<Option<Connection>, Outcome> {
        let Some(mut connection) = self.pool.take(&self.peer.settings) else { return Ok(None) };
        if let Some(refused) = connection.extensions.refuse_envelope(envelope) {
            self.pool.put(connection, &self.peer.settings);
            return Err(refused);
        }
        Ok(connection.begin(envelope).await.is_ok().then_some(connection))
    }

    async fn begin_on_fresh(&self, envelope: &Envelope) -> Result<Connection, Outcome> {
        let mut connection = self.peer.open().await?;
        if let Some(refused) = connection.extensions.refuse_envelope(envelope) {
            connection.close();
            return Err(refused);
        }
        connection.begin(envelope).await.map_err(connection::Broken::unreachable)?;
        Ok(connection)
    }
}
