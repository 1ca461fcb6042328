//! Where mail comes in: short forms for the usual ports, `[[listener]]` for what they do not say. What it means for the
//! server is `cli`'s business.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use super::Config;
use crate::consent::Controller;
use crate::mail::Address;
use crate::smtp::Protocol;

/// The short forms, and the certificate of all listeners.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// SMTP submission, with STARTTLS where there is a certificate, e.g. `["0.0.0.0:587"]`.
    pub smtp: Vec<SocketAddr>,
    /// SMTP submission with TLS from the first octet (RFC 8314), e.g. `["0.0.0.0:465"]`.
    pub smtps: Vec<SocketAddr>,
    /// Certificate chain and key of all listeners, PEM.
    pub tls: Option<TlsFiles>,
}

/// PEM files of the listeners.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// One listener in full.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerEntry {
    /// `10.0.0.5:2525`, or `unix:/run/consentry/lmtp.sock`.
    pub address: ListenAddress,
    /// What is spoken.
    #[serde(default)]
    pub protocol: Protocol,
    /// When TLS begins; if not given, on demand where there is a certificate, never on a unix socket.
    #[serde(default)]
    pub tls: Option<TlsMode>,
    /// Name of the stream of whoever comes in here, without a login.
    #[serde(default)]
    pub stream: Option<String>,
    /// Who gets that stream; needed off the loopback. Others must log in.
    #[serde(default)]
    pub networks: Vec<IpNet>,
    /// Proxies that must announce the client's address (PROXY protocol 1 or 2); from others it is refused.
    #[serde(default)]
    pub proxy_from: Vec<IpNet>,
    /// Mode of a unix socket's file, e.g. `0o660`, the default.
    #[serde(default)]
    pub mode: Option<u32>,
    /// It takes no mail to be sent on, but what comes to the controllers' mailboxes: the inbound MTA hands it over here.
    #[serde(default)]
    pub inbound: Option<InboundEntry>,
}

/// What an inbound listener may rely on; `inbound = {}` where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InboundEntry {
    /// The inbound MTA's name in `Authentication-Results` (RFC 8601 s.2.5). Where it is given, complaints and objections count
    /// only when that MTA vouches for their sender; a token of ours counts in any case.
    pub authserv_id: Option<String>,
}

/// Where a listener waits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ListenAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Never.
    Off,
    /// When the client asks for it (RFC 3207).
    StartTls,
    /// With the connection (RFC 8314 s.3.3).
    Implicit,
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            _ => text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| format!("{text:?} is no address: write \"127.0.0.1:2525\" or \"unix:/run/consentry/lmtp.sock\"")),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl ListenerEntry {
    fn short(address: SocketAddr, tls: Option<TlsMode>) -> Self {
        let address = ListenAddress::Tcp(address);
        Self {
            address,
            protocol: Protocol::Smtp,
            tls,
            stream: None,
            networks: Vec::new(),
            proxy_from: Vec::new(),
            mode: None,
            inbound: None,
        }
    }

    /// Whoever comes in here needs no login.
    fn is_open(&self) -> bool {
        self.stream.is_some() || self.inbound.is_some()
    }

    fn is_local(&self) -> bool {
        match &self.address {
            ListenAddress::Tcp(address) => address.ip().is_loopback(),
            ListenAddress::Unix(_) => true,
        }
    }
}

impl Config {
    /// All listeners, the short forms first.
    pub fn listeners(&self) -> Vec<ListenerEntry> {
        let Listen { smtp, smtps, .. } = &self.listen;
        let short = smtp.iter().map(|address| ListenerEntry::short(*address, None));
        let short = short.chain(smtps.iter().map(|address| ListenerEntry::short(*address, Some(TlsMode::Implicit))));
        short.chain(self.listeners.iter().cloned()).collect()
    }

    /// When TLS begins on a listener.
    pub fn tls_mode(&self, listener: &ListenerEntry) -> TlsMode {
        match (&listener.address, listener.tls) {
            (_, Some(mode)) => mode,
            (ListenAddress::Tcp(_), None) if self.listen.tls.is_some() => TlsMode::StartTls,
            _ => TlsMode::Off,
        }
    }

    pub(super) fn check_listeners(&self, faults: &mut Vec<String>) {
        let listeners = self.listeners();
        if listeners.is_empty() {
            faults.push("listen: neither smtp nor smtps, and no [[listener]]; write smtp = [\"0.0.0.0:587\"]".into());
        }
        if !self.listen.smtps.is_empty() && self.listen.tls.is_none() {
            faults.push("listen: smtps needs tls = { certificate = ..., key = ... }".into());
        }
        let logins = self.streams.iter().any(|stream| stream.username.is_some());
        let in_clear = |listener: &ListenerEntry| self.tls_mode(listener) == TlsMode::Off && !listener.is_local() && !listener.is_open();
        // M-31: passwords do not travel in clear
        for listener in listeners.iter().filter(|listener| logins && in_clear(listener)) {
            let mend =
                if self.listen.tls.is_some() { "leave tls = \"off\" out" } else { "write listen.tls = { certificate = ..., key = ... }" };
            faults.push(format!("listener \"{}\": streams with a username need TLS off the loopback; {mend}", listener.address));
        }
        for (number, listener) in listeners.iter().enumerate() {
            if listeners[..number]
                .iter()
                .any(|other| other.address == listener.address && !matches!(other.address, ListenAddress::Tcp(tcp) if tcp.port() == 0))
            {
                faults.push(format!("two listeners have address = \"{}\"", listener.address));
            }
        }
        if self.listeners.iter().any(|listener| listener.inbound.is_some()) {
            // whom a mail without a token concerns is told by the mailbox
            let mut known: Vec<String> = Vec::new();
            for mailbox in self.mailboxes() {
                let canonical = Address::parse(mailbox).map_or_else(|_| mailbox.clone(), |mailbox| mailbox.canonical());
                if known.contains(&canonical) {
                    faults.push(format!(
                        "mailbox {mailbox:?} stands twice in [[controller]]: inbound mail needs one for each purpose and controller"
                    ));
                }
                known.push(canonical);
            }
        }
        for listener in &self.listeners {
            faults.extend(self.faults_of(listener).into_iter().map(|fault| format!("listener \"{}\": {fault}", listener.address)));
        }
    }

    /// The mailboxes that an inbound listener takes mail for.
    fn mailboxes(&self) -> impl Iterator<Item = &String> {
        self.controllers.iter().flat_map(|Controller { headers, .. }| {
            [&headers.unsubscribe_mailbox, &headers.complaints, &headers.bounces].into_iter().flatten()
        })
    }

    fn faults_of(&self, listener: &ListenerEntry) -> Vec<String> {
        let mut faults = Vec::new();
        let unix = matches!(listener.address, ListenAddress::Unix(_));
        if unix && listener.tls.is_some_and(|tls| tls != TlsMode::Off) {
            faults.push("a unix socket has no TLS; leave tls out".into());
        } else if self.tls_mode(listener) != TlsMode::Off && self.listen.tls.is_none() {
            faults.push("tls needs listen.tls = { certificate = ..., key = ... }".into());
        }
        match listener.mode {
            Some(_) if !unix => faults.push("mode is for unix sockets; leave it out".into()),
            Some(mode) if mode > 0o777 => faults.push("mode must be like 0o660".into()),
            _ => {}
        }
        match &listener.address {
            // RFC 2033 s.5 (M-57)
            ListenAddress::Tcp(address) if listener.protocol == Protocol::Lmtp && address.port() == 25 => {
                faults.push("LMTP must not use port 25; choose another, e.g. 2400".into());
            }
            _ => {}
        }
        if listener.inbound.is_some() {
            if listener.stream.is_some() {
                faults.push("inbound takes no mail to be sent; leave stream out".into());
            }
            if self.mailboxes().next().is_none() {
                let names = "headers.unsubscribe_mailbox, headers.complaints or headers.bounces";
                faults.push(format!("inbound, but no [[controller]] has a mailbox; write {names} there"));
            }
        }
        match &listener.stream {
            Some(name) if !self.streams.iter().any(|stream| stream.name == *name) => {
                faults.push(format!("stream = {name:?} is no [[stream]] name"));
            }
            // M-01, M-02: who can reach it can send
            // A proxy brings clients from anywhere to a local address.
            _ if listener.is_open() && listener.networks.is_empty() && (!listener.is_local() || !listener.proxy_from.is_empty()) => {
                let what = if listener.inbound.is_some() { "inbound" } else { "stream" };
                faults.push(format!("{what} needs networks off the loopback and behind a proxy, or anybody who reaches it could send"));
            }
            None if !listener.networks.is_empty() && listener.inbound.is_none() => {
                faults.push("networks without stream; write stream = \"...\"".into());
            }
            _ => {}
        }
        if unix && !listener.proxy_from.is_empty() {
            faults.push("proxy_from is not for unix sockets".into());
        }
        if listener.proxy_from.iter().any(|network| network.prefix_len() == 0) {
            faults.push("proxy_from must not hold the whole internet: anybody could claim any address".into());
        }
        if unix && !listener.networks.is_empty() {
            faults.push("networks is not for unix sockets; mode says who may connect".into());
        }
        if listener.networks.iter().any(|network| network.prefix_len() == 0) {
            faults.push("networks must not hold the whole internet".into());
        }
        faults
    }
}
