//! What a listener is: where it waits, which protocol it speaks, what its connections may do. Accepts nothing itself;
//! that is `serve`'s business.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::net::TcpListener;

use super::unix::UnixSocket;
use crate::mail::Stream;
use crate::tls::Acceptor;

/// Where connections come in.
pub enum Socket {
    /// Over the network.
    Tcp(TcpListener),
    /// From processes of this machine.
    Unix(UnixSocket),
}

/// What holds for all connections of one listener.
#[derive(Clone)]
pub struct Door {
    /// What is spoken.
    pub protocol: Protocol,
    /// Whether it is encrypted. Not on a unix socket.
    pub tls: Tls,
    /// The stream of whoever comes in here; a login says more, the stream's own networks less.
    pub stream: Option<Arc<Stream>>,
    /// Who gets that stream; empty: whoever comes.
    pub networks: Vec<IpNet>,
    /// Whether clients may log in.
    pub login: bool,
    /// Proxies, which must announce the client's address (PROXY protocol). Nobody else may.
    pub proxies: Vec<IpNet>,
}

impl Socket {
    /// Where it is, for the log: an address, or `unix:` and a path.
    pub fn name(&self) -> io::Result<String> {
        Ok(match self {
            Self::Tcp(listener) => listener.local_addr()?.to_string(),
            Self::Unix(socket) => format!("unix:{}", socket.path().display()),
        })
    }
}

impl Door {
    /// Submission, for clients that log in or come from a stream's network.
    pub fn submission(tls: Tls) -> Self {
        Self { protocol: Protocol::Smtp, tls, stream: None, networks: Vec::new(), login: true, proxies: Vec::new() }
    }

    pub(super) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&peer))
    }

    /// The stream of a client from that address, by the way it came.
    pub(super) fn stream_of(&self, peer: IpAddr) -> Option<Arc<Stream>> {
        let may = self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&peer));
        self.stream.clone().filter(|_| may)
    }
}

/// The language of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Submission (RFC 6409).
    #[default]
    Smtp,
    /// One reply for each recipient after the message (RFC 2033).
    Lmtp,
}

/// When TLS begins on a listener.
#[derive(Clone)]
pub enum Tls {
    /// Never: neither STARTTLS nor AUTH off the machine is offered.
    Off,
    /// When the client asks for it (RFC 3207).
    StartTls(Acceptor),
    /// With the connection (RFC 8314 s.3.3).
    Implicit(Acceptor),
}
