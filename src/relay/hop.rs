//! One outbound MTA in use: its kept connections, whether it is reachable, and how a transaction
//! begins there. Which one a mail goes to is decided in `mod.rs`.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{info, warn};

use super::connection::Connection;
use super::health::Health;
use super::login::Login;
use super::open::{Peer, Protection};
use super::pool::Pool;
use super::settings::{HopSettings, RelayTls};
use super::{RelayError, RelaySettings};
use crate::mail::{Envelope, Outcome};
use crate::tls::Connector;

/// One outbound MTA.
pub(super) struct Hop {
    pub(super) priority: u16,
    pub(super) pool: Pool,
    peer: Peer,
    health: Health,
    /// What its last EHLO said of `SIZE`; 0: nothing.
    size: AtomicU64,
}

/// Why no transaction began. None of the message was sent.
pub(super) enum NotBegun {
    /// This mail cannot go there.
    Refused(Outcome),
    /// No mail can.
    Away(Outcome),
}

impl Hop {
    /// Reads the files that the settings name; connects to nobody.
    pub(super) fn new(settings: &HopSettings, relay: &RelaySettings, helo: &str) -> Result<Self, RelayError> {
        let host = settings.host.clone();
        let connector = || Connector::new(settings.ca_file.as_deref()).map_err(|error| RelayError::Tls(host.clone(), error));
        let protection = match settings.tls() {
            RelayTls::Off => Protection::None,
            RelayTls::Required => Protection::StartTls(connector()?),
            RelayTls::Implicit => Protection::Implicit(connector()?),
        };
        let login = Login::read(settings).map_err(|error| RelayError::Password(host.clone(), error))?;
        let peer = Peer { host, port: settings.port(), protection, login, helo: helo.to_owned(), timeouts: relay.timeouts };
        Ok(Self {
            priority: settings.priority,
            pool: Pool::new(relay),
            peer,
            health: Health::new(relay.longest_pause),
            size: AtomicU64::new(0),
        })
    }

    /// False while it is set aside and no connection from before is kept.
    pub(super) fn is_usable(&self) -> bool {
        self.health.is_good(Instant::now()) || self.pool.has_idle()
    }

    /// What a mail is told that finds it set aside.
    pub(super) fn set_aside(&self) -> Outcome {
        aside(&self.health.why())
    }

    /// Octets of the largest message it takes, as far as it is known: when it was last connected to, it said so (RFC 1870 s.3).
    pub(super) fn largest_message(&self) -> Option<u64> {
        Some(self.size.load(Ordering::Relaxed)).filter(|size| *size > 0)
    }

    /// Begins a transaction on a kept connection, or else on a fresh one. Who calls holds a slot of the pool.
    pub(super) async fn begin(&self, envelope: &Envelope, _slot: &OwnedSemaphorePermit) -> Result<Connection, NotBegun> {
        if let Some(mut connection) = self.pool.take() {
            if let Some(refused) = connection.extensions.refuse_envelope(envelope) {
                self.pool.put(connection);
                return Err(NotBegun::Refused(refused));
            }
            if connection.begin(envelope).await.is_ok() {
                return Ok(connection);
            }
        }
        self.begin_on_fresh(envelope).await
    }

    pub(super) async fn begin_on_fresh(&self, envelope: &Envelope) -> Result<Connection, NotBegun> {
        let mut connection = self.open().await.map_err(NotBegun::Away)?;
        if let Some(refused) = connection.extensions.refuse_envelope(envelope) {
            connection.close();
            return Err(NotBegun::Refused(refused));
        }
        connection.begin(envelope).await.map_err(|broken| NotBegun::Refused(broken.unreachable()))?;
        Ok(connection)
    }

    async fn open(&self) -> Result<Connection, Outcome> {
        let leave = self.health.ask(Instant::now()).map_err(|why| aside(&why))?;
        let Peer { host, port, .. } = &self.peer;
        match self.peer.open().await {
            Ok(connection) => {
                self.size.store(connection.extensions.size.unwrap_or(0), Ordering::Relaxed);
                if leave.succeeded() {
                    info!(host, port, "outbound MTA is reachable again");
                }
                Ok(connection)
            }
            Err(outcome) => {
                // A reply's text may hold an address of ours; its code does not (I8).
                let why = match &outcome {
                    Outcome::Unreachable { why } => why.clone(),
                    Outcome::Defer { code, .. } => format!("outbound MTA answers {code}"),
                    other => other.as_str().to_owned(),
                };
                if let Some(pause) = leave.failed(Instant::now(), &why) {
                    warn!(host, port, why, ?pause, "outbound MTA cannot be reached, set aside");
                }
                Err(outcome)
            }
        }
    }
}

fn aside(why: &str) -> Outcome {
    Outcome::Unreachable { why: format!("set aside for a while after {why}") }
}
