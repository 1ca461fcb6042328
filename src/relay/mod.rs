//! Hands copies to the outbound MTA over kept connections and tells what became of them. Does not
//! try again, does not spool, and changes no octet of a message but for dot-stuffing.
//!
//! A transaction has three steps, so that rewriting, signing and the commit of the decision overlap
//! the round trip to the outbound MTA, and the wait for a late answer can go on elsewhere (DESIGN 1):
//!
//! ```text
//! Relay::begin          -> MAIL, RCPT, DATA in one write (RFC 2920), on a kept connection if there is one
//! Transaction::deliver  <- 250, 250, 354
//!                       -> message and final dot
//! Waiting::answer       <- 250
//! ```
//!
//! Invariant: a message is sent once. A kept connection that turns out closed is replaced, once,
//! while nothing of the message was sent; what happens after the final dot is told, not mended.

mod commands;
mod connection;
mod extensions;
mod open;
mod pool;
mod settings;
mod transaction;

use std::sync::Arc;

use crate::mail::{Envelope, Lane, Outcome};
use crate::tls::Connector;
use connection::Connection;
use open::Peer;
use pool::Pool;

pub use settings::{RelaySettings, RelayTimeouts, RelayTls};
pub use transaction::{Answered, Transaction, Waiting};

/// The outbound MTA. Clones share its connections.
#[derive(Clone)]
pub struct Relay(Arc<Shared>);

struct Shared {
    peer: Peer,
    pool: Pool,
}

impl Relay {
    /// `helo` is our name for EHLO (RFC 5321 s.4.1.1.1). `tls` must be given where
    /// [`RelaySettings::tls_required`] says so; without it nothing leaves. Connects to nobody yet.
    pub fn new(settings: RelaySettings, helo: &str, tls: Option<Connector>) -> Self {
        let pool = Pool::new(&settings);
        Self(Arc::new(Shared { peer: Peer { settings, helo: helo.to_owned(), tls }, pool }))
    }

    /// Opens a transaction for one copy in `lane`. Returns at once on a kept connection, without the replies
    /// to the envelope; where there is none, it opens one first.
    ///
    /// `envelope.sender.body` must fit the message that follows: say [`Body::EightBit`](crate::mail::Body)
    /// where it has octets above 127.
    ///
    /// The error is the outcome: `Unreachable`, `Defer` by a peer that is busy, or `Reject` for an
    /// envelope that it cannot take (M-18). None of the message was sent.
    pub async fn begin(&self, envelope: &Envelope, lane: Lane) -> Result<Transaction, Outcome> {
        let Shared { peer, pool } = &*self.0;
        let slot = pool.slot(lane, &peer.settings).await?;
        let connection = match self.0.begin_on_kept(envelope).await? {
            Some(connection) => connection,
            None => self.0.begin_on_fresh(envelope).await?,
        };
        Ok(Transaction { shared: Arc::clone(&self.0), connection, envelope: envelope.clone(), slot })
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
