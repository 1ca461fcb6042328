//! What holds for a whole session, whatever its state: where it comes from, who logged in, how much patience is left.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::mail::Stream;
use crate::wire::Reply;

use super::super::listener::Protocol;
use super::super::reply;
use super::super::settings::SmtpSettings;
use super::Step;

/// Where a connection comes from, and what it may do for that alone.
pub(in crate::smtp) struct Origin {
    pub(in crate::smtp) protocol: Protocol,
    /// `None` for a local process on a unix socket.
    pub(in crate::smtp) peer: Option<SocketAddr>,
    /// On this machine, and no proxy in between: what it says travels over no wire.
    pub(in crate::smtp) local: bool,
    /// The stream of the listener, or else of the peer's network: it needs no login.
    pub(in crate::smtp) stream: Option<Arc<Stream>>,
    /// It may log in at all.
    pub(in crate::smtp) login: bool,
    /// STARTTLS is possible.
    pub(in crate::smtp) tls_offered: bool,
}

/// What holds for the whole connection.
pub(super) struct Facts {
    pub(super) settings: Arc<SmtpSettings>,
    pub(super) origin: Origin,
    /// Octets of the largest message, announced as `SIZE`.
    pub(super) largest: usize,
    /// The stream of the peer's credential.
    pub(super) login: Option<Arc<Stream>>,
    pub(super) tls: bool,
    pub(super) errors: u32,
    /// Commands outside transactions since the last message.
    pub(super) idle_commands: u32,
}

impl Facts {
    /// The stream that the client sends for; the credential says more than the way it came.
    pub(super) fn stream(&self) -> Option<&Arc<Stream>> {
        self.login.as_ref().or(self.origin.stream.as_ref())
    }

    pub(super) fn may_start_tls(&self) -> bool {
        self.origin.tls_offered && !self.tls
    }

    /// RFC 4954 s.4: passwords travel under TLS only (M-31), or not at all over a wire.
    pub(super) fn may_authenticate(&self) -> bool {
        match self.origin.peer {
            _ if !self.origin.login => false,
            _ if self.tls => true,
            Some(_) => self.settings.auth_without_tls_on_loopback && self.origin.local,
            None => true,
        }
    }

    /// Counts what no sound client earns; mail that is refused is not an error of the session.
    pub(super) fn count(&mut self, reply: Reply) -> Step {
        if matches!(reply.code, 500..=504 | 530 | 535 | 538 | 555) {
            self.errors += 1;
        }
        if self.errors >= self.settings.max_errors {
            return Step::Close(reply::TOO_MANY_ERRORS);
        }
        if self.idle_commands > self.settings.max_idle_commands {
            return Step::Close(reply::TOO_MANY_COMMANDS);
        }
        Step::Answer(reply)
    }
}
