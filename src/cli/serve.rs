//! `consentry serve`: opens the ledger, starts the adapters, drains on SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::renew::{hang_ups, renew};
use crate::classify::Classifier;
use crate::compose::{Footers, PublicUrl, Words};
use crate::config::{Config, InboundEntry, ListenAddress, TlsMode};
use crate::consent::{Catalogue, TextVersion};
use crate::credentials::Credentials;
use crate::desk::Desk;
use crate::entropy::random;
use crate::gateway::{Gateway, Late, Twins, share_crowds};
use crate::inbound::Inbound;
use crate::office::Office;
use crate::policy::Ecg;
use crate::relay::Relay;
use crate::rewrite::Trackers;
use crate::sign::{Signer, Signers};
use crate::store::Store;
use crate::{http, retention, smtp, spooler, tls};

/// Connections that may wait to be accepted; the system takes less where it wants less.
const BACKLOG: i32 = 1_024;

/// Mode of a unix socket's file, where the configuration says none.
const SOCKET_MODE: u32 = 0o660;

/// Serves until a signal comes; running transactions are finished.
pub(super) async fn run(path: &Path) -> anyhow::Result<()> {
    // Before anything that takes time: a reload amid the start must not end it.
    let hang_ups = hang_ups()?;
    let config = Config::load(path)?;
    let sockets = Sockets::bind(&config).await?;
    let (parts, late) = Parts::over(&config, Store::open_on(&config.data_dir, config.database.as_ref()).await?)?;
    // Only what a second person approved decides about mail (S0-26).
    super::rules::enter_into_force(path, &parts.office, &config.rules(), None).await?;
    for warning in super::rules::past_review(&parts.gateway.policy, jiff::Timestamp::now()) {
        tracing::warn!("{warning}");
    }
    let router = http::router(&parts.desk, &parts.office, &config.http, axum::Router::new())?;
    let (stop, stopped) = watch::channel(false);
    let acceptor = sockets.acceptor.clone();
    // Before anybody is told that it listens: a signal just then must not end it at once.
    let end = end_signal()?;
    let mut running = start(&config, &parts, late, sockets, router, stopped.clone()).await?;
    running.spawn(renew(acceptor, parts.desk.clone(), hang_ups, until(stopped)));
    end.await;
    tracing::info!("draining");
    stop.send_replace(true);
    drain(running).await;
    parts.store.close().await;
    Ok(())
}

/// The bound sockets; bound before the ledger is opened, so that a busy port is told at once.
pub(super) struct Sockets {
    pub(super) smtp: Vec<(smtp::Socket, smtp::Door)>,
    /// Those that take mail which answers ours.
    pub(super) inbound: Vec<(smtp::Socket, smtp::Door, InboundEntry)>,
    pub(super) acceptor: Option<tls::Acceptor>,
    pub(super) http: TcpListener,
}

impl Sockets {
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let acceptor = acceptor(config)?;
        let (mut smtp, mut inbound) = (Vec::new(), Vec::new());
        for entry in config.listeners() {
            let place = || format!("listener {}", entry.address);
            let socket = match &entry.address {
                ListenAddress::Tcp(address) => smtp::Socket::Tcp(bind(*address).with_context(place)?),
                ListenAddress::Unix(path) => {
                    smtp::Socket::Unix(smtp::UnixSocket::bind(path, entry.mode.unwrap_or(SOCKET_MODE)).with_context(place)?)
                }
            };
            let certificate = || acceptor.clone().with_context(|| format!("{}: listen.tls is missing", place()));
            let tls = match config.tls_mode(&entry) {
                TlsMode::Off => smtp::Tls::Off,
                TlsMode::StartTls => smtp::Tls::StartTls(certificate()?),
                TlsMode::Implicit => smtp::Tls::Implicit(certificate()?),
            };
            let named = |name: &String| config.streams.iter().find(|stream| stream.name == *name);
            let stream = entry.stream.as_ref().and_then(named).map(|stream| stream.binding().stream);
            let stream = if entry.inbound.is_some() { Some(Inbound::stream()) } else { stream };
            let login = entry.inbound.is_none();
            let door = smtp::Door { protocol: entry.protocol, tls, stream, networks: entry.networks, login, proxies: entry.proxy_from };
            match entry.inbound {
                Some(settings) => inbound.push((socket, door, settings)),
                None => smtp.push((socket, door)),
            }
        }
        let http = TcpListener::bind(config.http.listen).await.with_context(|| format!("http.listen {}", config.http.listen))?;
        Ok(Self { smtp, inbound, acceptor, http })
    }
}

/// `[::]` is IPv6 alone, whatever the system's default: `0.0.0.0` can stand beside it.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?; // as tokio does: the ports of the process before this one are free
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The assembled product.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) relay: Relay,
    pub(super) gateway: Arc<Gateway>,
    pub(super) desk: Desk,
    pub(super) office: Office,
}

impl Parts {
    /// With it comes what the gateway hands to the spooler.
    pub(super) fn over(config: &Config, store: Store) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Late>)> {
        let signers = Arc::new(signers(config)?);
        let catalogue = Arc::new(config.catalogue());
        let public_url = PublicUrl::parse(&config.public_url)?;
        let relay = relay(config)?;
        let words = words(config, &catalogue)?;
        let footers = Footers::new(&catalogue, &words)?;
        let desk = Desk::new(store.clone(), Arc::clone(&catalogue), words, Arc::clone(&signers), public_url.clone())?;
        let desk = desk.with_outbound(config.outbound.hops().into_iter().map(|hop| hop.host).collect());
        let desk = desk.with_evidence_kept(config.policy().evidence()).with_rules(config.rules().id());
        let ecg = Ecg::open(config.policy.ecg_list.as_deref(), config.policy.ecg_max_age).context("policy: ecg_list")?;
        let trackers = Trackers::new(&config.rewrite.trackers).map_err(anyhow::Error::msg).context("rewrite")?;
        let (late, later) = mpsc::unbounded_channel();
        let gateway = Arc::new(Gateway {
            store: store.clone(),
            relay: relay.clone(),
            credentials: Credentials::new(config.bindings(), random()),
            catalogue,
            policy: Arc::new(config.policy()),
            rules: TextVersion::of_hash(config.rules().id().0),
            classifier: Arc::new(Classifier::new(config.class_rules.clone())),
            crowds: Mutex::default(),
            ecg,
            links: desk.links().clone(),
            footers,
            trackers: trackers.with_own(&public_url.unsubscribe_links()),
            rewriting: config.rewrite.clone(),
            signers,
            hostname: config.smtp.hostname.clone(),
            public_url,
            twins: Twins::new(config.spool.remember_for),
            doubt_after: config.spool.doubt_after,
            spool_limit: config.spool.max_octets,
            hold_for: config.spool.hold_for,
            late,
        });
        let office = Office::new(store.clone(), config.admin.clone());
        Ok((Self { store, relay, gateway, desk, office }, later))
    }
}

/// The built-in texts and templates, and the operator's over them.
pub(super) fn words(config: &Config, catalogue: &Catalogue) -> anyhow::Result<Arc<Words>> {
    let words = Words::new(catalogue, config.overrides()?)?;
    for language in words.unfinished() {
        tracing::warn!("{language}");
    }
    Ok(Arc::new(words))
}

/// The certificate of the SMTP listeners.
pub(super) fn acceptor(config: &Config) -> anyhow::Result<Option<tls::Acceptor>> {
    let acceptor = config.listen.tls.as_ref().map(|files| tls::Acceptor::from_pem_files(&files.certificate, &files.key));
    acceptor.transpose().context("listen.tls")
}

/// The way out, with the certificates and passwords it needs.
pub(super) fn relay(config: &Config) -> anyhow::Result<Relay> {
    Relay::new(&config.outbound, &config.smtp.hostname).context("outbound")
}

/// The configured DKIM keys.
pub(super) fn signers(config: &Config) -> anyhow::Result<Signers> {
    let read = |entry: &crate::config::DkimEntry| -> anyhow::Result<Signer> {
        let place = || format!("dkim {:?}: key_file {}", entry.domain, entry.key_file.display());
        let pem = Zeroizing::new(std::fs::read_to_string(&entry.key_file).with_context(place)?);
        Ok(Signer::from_pem(&entry.domain, &entry.selector, &pem).with_context(place)?.from(entry.sign_from))
    };
    Ok(Signers::new(config.dkim.iter().map(read).collect::<Result<_, _>>()?))
}

/// Starts the adapters and the spooler; they end when `stopped` turns true.
pub(super) async fn start(
    config: &Config,
    parts: &Parts,
    late: mpsc::UnboundedReceiver<Late>,
    sockets: Sockets,
    router: axum::Router,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<JoinSet<()>> {
    parts.gateway.remember().await?;
    parts.store.keep_texts(parts.gateway.footers.records()).await?;
    let server = smtp::Server::new(Arc::clone(&parts.gateway), config.smtp.clone(), config.rates());
    let mut running = JoinSet::new();
    for (socket, door) in sockets.smtp {
        tracing::info!(address = %socket.name()?, "smtp listens");
        running.spawn(smtp::serve(socket, door, Arc::clone(&server), until(stopped.clone())));
    }
    for (socket, door, InboundEntry { authserv_id }) in sockets.inbound {
        tracing::info!(address = %socket.name()?, "inbound listens");
        let handler = Arc::new(Inbound::new(parts.desk.clone(), authserv_id));
        running.spawn(smtp::serve(socket, door, server.beside(handler), until(stopped.clone())));
    }
    tracing::info!(address = %sockets.http.local_addr()?, "http listens");
    running.spawn(http::serve(sockets.http, router, config.http.clone(), until(stopped.clone())));
    running.spawn(spooler::run_letters(parts.store.clone(), parts.relay.clone(), until(stopped.clone())));
    running.spawn(spooler::run(Arc::clone(&parts.gateway), config.spool.clone(), late, stopped.clone()));
    running.spawn(parts.office.clone().watch_terms(until(stopped.clone())));
    running.spawn(parts.office.clone().watch_rules(config.rules().id(), until(stopped.clone())));
    running.spawn(share_crowds(Arc::clone(&parts.gateway), until(stopped.clone())));
    running.spawn(retention::run(parts.store.clone(), parts.gateway.policy.evidence(), until(stopped)));
    Ok(running)
}

/// Waits until all have ended.
pub(super) async fn drain(mut running: JoinSet<()>) {
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a part ended badly");
        }
    }
}

pub(super) async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// SIGTERM from the service manager, SIGINT from the keyboard; caught from now on, whenever it is waited for.
pub(super) fn end_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_families_listen_on_one_port() {
        // as in the example configuration
        let four = bind("0.0.0.0:0".parse().expect("an address")).expect("a free port");
        let port = four.local_addr().expect("bound").port();
        let six = bind(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)));
        // a machine without IPv6 says so
        let without = |error: &std::io::Error| error.kind() != std::io::ErrorKind::AddrInUse;
        assert!(six.as_ref().err().is_none_or(without), "{six:?}");
    }
}
