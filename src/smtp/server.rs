//! The listener: admits connections within their limits, runs one task for each, drains them at
//! shutdown. What is said on a connection is `connection`'s and `session`'s business.

use std::collections::HashMap;
use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::tls::Acceptor;

use super::budget::Budget;
use super::connection::{Connection, End, Stop, cut_off};
use super::handler::Handler;
use super::reply;
use super::room::{Room, Tls};
use super::session::Session;
use super::settings::SmtpSettings;
use crate::wire::network;

/// A handshake is a few packets; whoever needs longer holds a place for nothing.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// Pause after a failed accept: most often there are no file descriptors, and they come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves SMTP on `listener` until `shutdown` ends; then closes the listener and drains: idle sessions get
/// 421, running transactions end, if their message arrives in time. Returns when the last connection is closed; dropping it cuts them off.
///
/// Settings are expected to be [checked](SmtpSettings::check).
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    settings: Arc<SmtpSettings>,
    tls: Tls,
    shutdown: impl Future<Output = ()>,
) {
    let budget = Budget::new(settings.max_bytes_in_flight);
    let room = Arc::new(Room { handler, settings, budget, tls });
    let (stop, stopped) = watch::channel(None);
    let places = Places::default();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    match places.admit(peer.ip(), &room.settings) {
                        Some(place) => {
                            let (room, stopped) = (room.clone(), stopped.clone());
                            connections.spawn(async move {
                                host(socket, peer, &room, stopped).await;
                                drop(place);
                            });
                        }
                        None => turn_away(socket, &room.tls),
                    }
                }
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
    drop(listener);
    stop.send_replace(Some(Instant::now() + room.settings.drain_timeout()));
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(panicked = error.is_panic(), "an SMTP connection ended abnormally");
    }
}

/// One connection from greeting to close.
async fn host<H: Handler>(socket: TcpStream, peer: SocketAddr, room: &Room<H>, mut stop: Stop) {
    // Replies are small and awaited: Nagle's algorithm would only delay them.
    let _ = socket.set_nodelay(true);
    let network = room.handler.stream_of_peer(peer.ip());
    let session = Session::new(room.settings.clone(), peer, network, matches!(room.tls, Tls::StartTls(_)));
    if let Tls::Implicit(acceptor) = &room.tls {
        if let Some(transport) = shake_hands(socket, acceptor, &mut stop).await {
            let mut connection = Connection::new(transport, stop);
            connection.queue(&reply::greeting(&room.settings.hostname));
            converse_to_the_end(connection, session.tls_up(), room).await;
        }
        return;
    }
    let mut connection = Connection::new(socket, stop.clone());
    connection.queue(&reply::greeting(&room.settings.hostname));
    match connection.converse(session, room).await {
        Err(end) => connection.finish(end).await,
        Ok(session) => {
            // Only a session that was told of an acceptor asks for TLS.
            let Tls::StartTls(acceptor) = &room.tls else { return };
            if let Some(transport) = shake_hands(connection.into_transport(), acceptor, &mut stop).await {
                converse_to_the_end(Connection::new(transport, stop), session.tls_up(), room).await;
            }
        }
    }
}

/// With TLS active the session offers no STARTTLS, so `converse` ends in one way only.
async fn converse_to_the_end<S, H>(mut connection: Connection<S>, session: Session, room: &Room<H>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let end = connection.converse(session, room).await.err().unwrap_or(End::Gone);
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
fn turn_away(socket: TcpStream, tls: &Tls) {
    tracing::warn!("too many SMTP connections");
    if let Tls::Implicit(_) = tls {
        return; // it would have to be said under TLS
    }
    let mut words = Vec::new();
    reply::TOO_MANY_CONNECTIONS.write(&mut words);
    if let Ok(mut socket) = socket.into_std() {
        let _ = socket.write(&words); // a courtesy; the peer may be gone
    }
}

/// Open connections by network. A `std` mutex: nothing is awaited while it is held.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place; free again on drop.
struct Place {
    places: Places,
    network: IpAddr,
}

impl Places {
    fn admit(&self, peer: IpAddr, settings: &SmtpSettings) -> Option<Place> {
        let network = network(peer);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.get(&network).copied().unwrap_or_default();
        if here >= settings.max_connections_per_address || open.values().sum::<usize>() >= settings.max_connections {
            return None;
        }
        open.insert(network, here + 1);
        Some(Place { places: self.clone(), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = open.get_mut(&self.network) {
            *here -= 1;
            if *here == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_per_network_and_in_total_and_come_back() {
        let settings = SmtpSettings { max_connections: 3, max_connections_per_address: 2, ..SmtpSettings::default() };
        let places = Places::default();
        let admit = |text: &str| places.admit(text.parse().expect(text), &settings);
        let (one, two) = (admit("2001:db8::1"), admit("2001:db8::2"));
        assert!(one.is_some() && two.is_some() && admit("2001:db8::3").is_none());
        let three = admit("192.0.2.1");
        assert!(three.is_some() && admit("192.0.2.2").is_none());
        drop((two, three));
        assert!(admit("192.0.2.2").is_some());
        assert_eq!(places.0.lock().expect("not poisoned").len(), 1);
    }
}
