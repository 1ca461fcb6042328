//! Hands copies to an outbound MTA over kept connections and tells what became of them. Does not
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
//! Of several outbound MTAs the preferred one that can be reached is taken; what it says of a mail is final, so that a
//! refusal is not carried to the next.
//!
//! Invariant: a message is sent once. A kept connection that turns out closed is replaced
//! while nothing of the message was sent; what happens after the final dot is told, not mended.

mod commands;
mod connection;
mod extensions;
mod health;
mod hop;
mod login;
mod open;
mod pool;
mod settings;
mod stream;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::select_all;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::mail::{Envelope, Lane, Outcome};
use crate::tls::ConnectorError;
use hop::{Hop, NotBegun};

pub use login::PasswordError;
pub use settings::{HopSettings, RelaySettings, RelayTimeouts, RelayTls, duration};
pub use transaction::{Answered, Transaction, Waiting};

/// The outbound MTAs. Clones share their connections.
#[derive(Clone)]
pub struct Relay(Arc<Shared>);

struct Shared {
    /// In order of preference.
    groups: Vec<Group>,
    timeouts: RelayTimeouts,
}

/// Outbound MTAs of one priority; never empty.
struct Group {
    hops: Vec<Arc<Hop>>,
    /// Who is asked first, so that the load is shared.
    turn: AtomicUsize,
}

/// Why there is no relay. The texts name the outbound MTA and the mend.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Its certificate could not be verified.
    #[error("{0}: {1}")]
    Tls(String, ConnectorError),
    /// The gateway could not log in.
    #[error("{0}: {1}")]
    Password(String, PasswordError),
}

impl Relay {
    /// `helo` is our name for EHLO (RFC 5321 s.4.1.1.1). Reads the files that the settings name; connects to nobody yet.
    pub fn new(settings: &RelaySettings, helo: &str) -> Result<Self, RelayError> {
        let mut groups = BTreeMap::<u16, Vec<Arc<Hop>>>::new();
        for hop in settings.hops() {
            let hop = Hop::new(&hop, settings, helo)?;
            groups.entry(hop.priority).or_default().push(Arc::new(hop));
        }
        let groups = groups.into_values().map(|hops| Group { hops, turn: AtomicUsize::new(0) }).collect();
        Ok(Self(Arc::new(Shared { groups, timeouts: settings.timeouts })))
    }

    /// Opens a transaction for one copy in `lane`. Returns at once on a kept connection, without the replies
    /// to the envelope; where there is none, it opens one first. An outbound MTA that cannot be reached is set aside,
    /// and the next one taken; one that is known to be away costs no time.
    ///
    /// `envelope.sender.body` must fit the message that follows: say [`Body::EightBit`](crate::mail::Body)
    /// where it has octets above 127.
    ///
    /// The error is the outcome: `Unreachable`, `Defer` by a peer that is busy, or `Reject` for an
    /// envelope that it cannot take (M-18). None of the message was sent.
    pub async fn begin(&self, envelope: &Envelope, lane: Lane) -> Result<Transaction, Outcome> {
        self.begin_after(None, envelope, lane).await
    }

    /// The same after `failure` elsewhere, which is told when no other is reachable.
    async fn begin_after(&self, mut failure: Option<Outcome>, envelope: &Envelope, lane: Lane) -> Result<Transaction, Outcome> {
        for group in &self.0.groups {
            let mut busy = Vec::new();
            for hop in group.in_turn().filter(|hop| hop.is_usable()) {
                let Some(slot) = hop.pool.free_slot(lane) else {
                    busy.push(hop);
                    continue;
                };
                match self.begin_at(hop, slot, envelope, lane).await {
                    Err(NotBegun::Away(outcome)) => failure = failure.or(Some(outcome)),
                    Err(NotBegun::Refused(outcome)) => return Err(outcome),
                    Ok(transaction) => return Ok(transaction),
                }
            }
            while !busy.is_empty() {
                let (number, slot) = self.wait(&busy, lane).await?;
                match self.begin_at(busy.swap_remove(number), slot, envelope, lane).await {
                    Err(NotBegun::Away(outcome)) => failure = failure.or(Some(outcome)),
                    Err(NotBegun::Refused(outcome)) => return Err(outcome),
                    Ok(transaction) => return Ok(transaction),
                }
            }
        }
        Err(failure.unwrap_or_else(|| self.set_aside()))
    }

    /// Octets of the largest message that every outbound MTA takes, as far as they have said so (M-10): which one a mail
    /// will go to is not known before.
    pub fn largest_message(&self) -> Option<u64> {
        self.0.groups.iter().flat_map(|group| &group.hops).filter_map(|hop| hop.largest_message()).min()
    }

    async fn begin_at(&self, hop: &Arc<Hop>, slot: OwnedSemaphorePermit, envelope: &Envelope, lane: Lane) -> Result<Transaction, NotBegun> {
        let connection = hop.begin(envelope, &slot).await?;
        Ok(Transaction { relay: self.clone(), hop: Arc::clone(hop), connection, envelope: envelope.clone(), lane, slot })
    }

    /// The first slot that becomes free at one of `hops`, and at which.
    async fn wait(&self, hops: &[&Arc<Hop>], lane: Lane) -> Result<(usize, OwnedSemaphorePermit), Outcome> {
        let free = select_all(hops.iter().map(|hop| Box::pin(hop.pool.slot(lane))));
        match timeout(self.0.timeouts.queue, free).await {
            Ok((Some(slot), number, _)) => Ok((number, slot)),
            Ok((None, ..)) | Err(_) => {
                Err(Outcome::Defer { code: 451, text: "4.4.5 all connections to the outbound MTA are in use".to_owned() })
            }
        }
    }

    fn set_aside(&self) -> Outcome {
        let first = self.0.groups.first().and_then(|group| group.hops.first());
        first.map_or_else(|| Outcome::Unreachable { why: "no outbound MTA is configured".to_owned() }, |hop| hop.set_aside())
    }
}

impl Group {
    /// All of them, each time beginning with another one.
    fn in_turn(&self) -> impl Iterator<Item = &Arc<Hop>> {
        let first = if self.hops.len() > 1 { self.turn.fetch_add(1, Ordering::Relaxed) % self.hops.len() } else { 0 };
        self.hops[first..].iter().chain(&self.hops[..first])
    }
}
