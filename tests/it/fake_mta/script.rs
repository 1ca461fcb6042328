//! What a script says: at which stage the MTA does what.

use std::sync::Arc;

use rustls::ServerConfig;

use super::TestCertificate;

/// A point in the dialogue where a script can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Instead of the greeting.
    Greeting,
    Ehlo,
    StartTls,
    /// Instead of the reply to AUTH.
    Auth,
    Rset,
    Mail,
    Rcpt,
    /// Instead of the reply to DATA.
    Data,
    /// At the first octets of the message; what is said there ends the connection.
    Body,
    /// Instead of the reply to the final dot.
    Dot,
    /// After the reply to a final dot was sent, unasked.
    Kept,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// What an MTA in good health does.
    Normal,
    /// Says this line instead; with 421 it closes the connection after it.
    Say(&'static str),
    /// Goes on as `Normal` after [`FakeMta::release`].
    Hang,
    /// Closes the connection.
    Drop,
    /// Says something that is no SMTP reply.
    Garbage,
}

/// How the MTA behaves.
#[derive(Clone)]
pub(crate) struct Script {
    pub(super) extensions: Vec<&'static str>,
    acts: Vec<(Stage, Option<usize>, Act)>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) implicit: bool,
    /// A recipient whose RCPT it answers so, whatever else is said.
    recipient: Option<(&'static str, Act)>,
    /// What its lines of AUTH must be.
    pub(super) login: Option<&'static [&'static str]>,
}

impl Script {
    /// Takes everything; announces PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES and SIZE 30000000.
    pub(crate) fn new() -> Self {
        let extensions = vec!["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 30000000"];
        Self { extensions, acts: Vec::new(), tls: None, implicit: false, recipient: None, login: None }
    }

    /// Announces exactly these (and STARTTLS, where it has a certificate).
    pub(crate) fn extensions(mut self, extensions: &[&'static str]) -> Self {
        self.extensions = extensions.to_vec();
        self
    }

    /// Acts so each time.
    pub(crate) fn on(mut self, stage: Stage, act: Act) -> Self {
        self.acts.push((stage, None, act));
        self
    }

    /// Acts so at the `nth` time (from 1, over all connections since the script was set).
    pub(crate) fn on_nth(mut self, stage: Stage, nth: usize, act: Act) -> Self {
        self.acts.push((stage, Some(nth), act));
        self
    }

    /// Acts so at RCPT of that recipient.
    pub(crate) fn on_recipient(mut self, path: &'static str, act: Act) -> Self {
        self.recipient = Some((path, act));
        self
    }

    pub(super) fn act_for(&self, path: &str) -> Option<Act> {
        self.recipient.filter(|(own, _)| *own == path).map(|(_, act)| act)
    }

    /// Offers STARTTLS.
    pub(crate) fn tls(mut self, certificate: &TestCertificate) -> Self {
        self.tls = Some(Arc::clone(&certificate.server));
        self
    }

    /// TLS from the first octet.
    pub(crate) fn implicit_tls(mut self, certificate: &TestCertificate) -> Self {
        self.implicit = true;
        self.tls(certificate)
    }

    /// Takes mail only after these lines of AUTH.
    pub(crate) fn login(mut self, lines: &'static [&'static str]) -> Self {
        self.login = Some(lines);
        self
    }

    pub(super) fn act(&self, stage: Stage, time: usize) -> Act {
        let fits = |entry: &&(Stage, Option<usize>, Act)| entry.0 == stage && entry.1.is_none_or(|nth| nth == time);
        self.acts.iter().rev().find(fits).map_or(Act::Normal, |entry| entry.2)
    }
}
