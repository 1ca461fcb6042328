//! What all connections of one listener share.

use std::sync::Arc;

use crate::tls::Acceptor;

use super::budget::Budget;
use super::settings::SmtpSettings;

/// What all connections of one listener share.
pub(super) struct Room<H> {
    pub(super) handler: Arc<H>,
    pub(super) settings: Arc<SmtpSettings>,
    pub(super) budget: Budget,
    pub(super) tls: Tls,
}

/// When TLS begins on a listener.
#[derive(Clone)]
pub enum Tls {
    /// Never: neither STARTTLS nor AUTH off the loopback is offered.
    Off,
    /// When the client asks for it (RFC 3207).
    StartTls(Acceptor),
    /// With the connection (RFC 8314 s.3.3).
    Implicit(Acceptor),
}
