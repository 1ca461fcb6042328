//! A listener at work: admits connections within their limits, runs one task for each, drains them at
//! shutdown. What is said on a connection is `connection`'s and `session`'s business.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::tls::Acceptor;

use super::connection::{Connection, End, Stop, cut_off};
use super::handler::Handler;
use super::listener::{Door, Protocol, Socket, Tls};
use super::places::Place;
use super::proxy::{Announced, read_header};
use super::reply;
use super::server::Server;
use super::session::{Origin, Session};
use crate::wire::Reply;

/// A handshake is a few packets; whoever needs longer holds a place for nothing.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// A proxy sends its header at once; a packet may be lost on the way.
const PROXY_HEADER: Duration = Duration::from_secs(5);
/// How long after the drain's deadline a handler may still answer for what arrived in time.
const LAST_ANSWER: Duration = Duration::from_secs(45);
/// Pause after a failed accept: most often there are no file descriptors, and they come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves on `socket` until `shutdown` ends; then closes it and drains: idle sessions get
/// 421, running transactions end, if their message arrives in time. Returns when the last connection is closed; dropping it cuts them off.
pub async fn serve<H: Handler>(socket: Socket, door: Door, server: Arc<Server<H>>, shutdown: impl Future<Output = ()>) {
    let door = Arc::new(door);
    let (stop, stopped) = watch::channel(None);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            accepted = socket.accept() => match accepted {
                Ok(visitor) => match admit(&visitor, &door, &server) {
                    Some(place) => {
                        let (server, door, stopped) = (server.clone(), door.clone(), stopped.clone());
                        connections.spawn(async move {
                            match visitor {
                                Visitor::Remote(socket, peer) => host(socket, peer, place, &door, &server, stopped).await,
                                Visitor::Local(socket) => host_local(socket, place, &door, &server, stopped).await,
                            }
                        });
                    }
                    None => turn_away(visitor, &door.tls),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an SMTP connection");
                    tokio::select! {
                        () = &mut shutdown => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            },
        }
    }
    drop(socket);
    let deadline = Instant::now() + server.settings.drain_timeout();
    stop.send_replace(Some(deadline));
    let drained = timeout_at(deadline + LAST_ANSWER, async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    });
    if drained.await.is_err() {
        // Their clients have no answer, so they keep their mail.
        tracing::warn!(connections = connections.len(), "SMTP connections were cut off");
    }
}

/// Who has connected.
enum Visitor {
    Remote(TcpStream, SocketAddr),
    Local(UnixStream),
}

impl Socket {
    async fn accept(&self) -> io::Result<Visitor> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                Visitor::Remote(socket, SocketAddr::new(peer.ip().to_canonical(), peer.port()))
            }
            Self::Unix(listener) => Visitor::Local(listener.accept().await?),
        })
    }
}

fn admit<H>(visitor: &Visitor, door: &Door, server: &Server<H>) -> Option<Place> {
    let mut place = server.places.admit(&server.settings)?;
    match visitor {
        Visitor::Remote(_, peer) if door.is_proxy(peer.ip()) => Some(place), // it will say whose connection this is
        Visitor::Remote(_, peer) => place.belong_to(peer.ip(), &server.settings).then_some(place),
        Visitor::Local(_) => Some(place),
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(panicked = error.is_panic(), "an SMTP connection ended abnormally");
    }
}

/// One connection over the network from greeting to close.
async fn host<H: Handler>(mut socket: TcpStream, mut peer: SocketAddr, mut place: Place, door: &Door, server: &Server<H>, mut stop: Stop) {
    // Replies are small and awaited: Nagle's algorithm would only delay them.
    let _ = socket.set_nodelay(true);
    let mut stream = None;
    let local = peer.ip().is_loopback() && !door.is_proxy(peer.ip());
    if door.is_proxy(peer.ip()) {
        let announced = tokio::select! {
            announced = timeout(PROXY_HEADER, read_header(&mut socket)) => announced,
            () = cut_off(&mut stop, true) => return,
        };
        match announced {
            Ok(Ok(Announced::Client(client))) => peer = client,
            Ok(Ok(Announced::Nobody)) => {} // no network of a stream: whoever it is must log in
            Ok(Err(error)) => return tracing::warn!(%error, "a proxy did not announce its client, connection closed"),
            Err(_) => return tracing::warn!("a proxy did not announce its client in time, connection closed"),
        }
        if !place.belong_to(peer.ip(), &server.settings) {
            return turn_away(Visitor::Remote(socket, peer), &door.tls);
        }
    }
    if !door.is_proxy(peer.ip()) {
        stream = door.stream_of(peer.ip()).or_else(|| server.handler.stream_of_peer(peer.ip()));
    }
    let tls_offered = matches!(door.tls, Tls::StartTls(_));
    let origin = Origin { protocol: door.protocol, peer: Some(peer), local, stream, login: door.login, tls_offered };
    let session = Session::new(server.settings.clone(), origin, server.largest_message());
    // Boxed: the state of TLS is kilobytes, and connections without it need not keep room for it.
    if let Tls::Implicit(acceptor) = &door.tls {
        let greeting = Some(greeting(door, server));
        return Box::pin(host_encrypted(socket, acceptor, greeting, session, server, stop)).await;
    }
    let mut connection = Connection::new(socket, stop.clone());
    connection.queue(&greeting(door, server));
    match connection.converse(session, server).await {
        Err(end) => connection.finish(end).await,
        Ok(session) => {
            // Only a session that was told of an acceptor asks for TLS.
            let Tls::StartTls(acceptor) = &door.tls else { return };
            Box::pin(host_encrypted(connection.into_transport(), acceptor, None, session, server, stop)).await;
        }
    }
}

/// The rest of a connection, from the handshake on.
async fn host_encrypted<H: Handler>(
    socket: TcpStream,
    acceptor: &Acceptor,
    greeting: Option<Reply>,
    session: Session,
    server: &Server<H>,
    mut stop: Stop,
) {
    let Some(transport) = shake_hands(socket, acceptor, &mut stop).await else { return };
    let mut connection = Connection::new(transport, stop);
    if let Some(greeting) = greeting {
        connection.queue(&greeting);
    }
    converse_to_the_end(connection, session.tls_up(), server).await;
}

/// One connection of a local process: it has no address, and needs no TLS.
async fn host_local<H: Handler>(socket: UnixStream, _place: Place, door: &Door, server: &Server<H>, stop: Stop) {
    let origin =
        Origin { protocol: door.protocol, peer: None, local: true, stream: door.stream.clone(), login: door.login, tls_offered: false };
    let session = Session::new(server.settings.clone(), origin, server.largest_message());
    let mut connection = Connection::new(socket, stop);
    connection.queue(&greeting(door, server));
    converse_to_the_end(connection, session, server).await;
}

fn greeting<H>(door: &Door, server: &Server<H>) -> Reply {
    reply::greeting(&server.settings.hostname, if door.protocol == Protocol::Lmtp { "LMTP" } else { "ESMTP" })
}

/// Where no STARTTLS is offered, `converse` ends in one way only.
async fn converse_to_the_end<S, H>(mut connection: Connection<S>, session: Session, server: &Server<H>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let end = connection.converse(session, server).await.err().unwrap_or(End::Gone);
    connection.finish(end).await;
}

async fn shake_hands(socket: TcpStream, acceptor: &Acceptor, stop: &mut Stop) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let handshake = tokio::select! {
        handshake = timeout(HANDSHAKE, acceptor.accept(socket)) => handshake,
        () = cut_off(stop, true) => return None,
    };
    match handshake {
        Ok(Ok(transport)) => Some(transport),
        Ok(Err(error)) => {
            tracing::info!(%error, "TLS handshake with an SMTP client failed");
            None
        }
        Err(_) => None,
    }
}

/// Says 421 instead of the greeting. The socket's buffer is empty, so this does not block.
fn turn_away(visitor: Visitor, tls: &Tls) {
    tracing::warn!("too many SMTP connections");
    let mut words = Vec::new();
    reply::TOO_MANY_CONNECTIONS.write(&mut words);
    let _ = match (visitor, tls) {
        (Visitor::Remote(..), Tls::Implicit(_)) => return, // it would have to be said under TLS
        (Visitor::Remote(socket, _), _) => socket.into_std().and_then(|mut socket| socket.write(&words)),
        (Visitor::Local(socket), _) => socket.into_std().and_then(|mut socket| socket.write(&words)),
    }; // a courtesy; the peer may be gone
}
