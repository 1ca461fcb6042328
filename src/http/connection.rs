//! Connections: how many at the same time, and for how long one may be slow. Nothing of HTTP itself.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use super::HttpSettings;

/// Octets that a client may send without having got an answer: header, body and what it pipelines.
const UNANSWERED_LIMIT: usize = 256 * 1024;

/// A listener with a bounded number of connections.
pub(super) struct Bounded {
    listener: TcpListener,
    free: Arc<Semaphore>,
    patience: Duration,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener, settings: &HttpSettings) -> Self {
        // The handler's own time limit ends first, so that a slow ledger still gives a proper answer.
        let patience = Duration::from_secs(settings.request_timeout.saturating_mul(2).max(1));
        Self { listener, free: Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS))), patience }
    }
}

impl Listener for Bounded {
    type Io = Patient;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Patient, SocketAddr) {
        let permit = Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed");
        // axum's own accept waits and goes on when the system is out of file descriptors
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        (Patient::new(stream, self.patience, permit), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

/// A stream that ends when, since the last octet that we could write, too much time went by or too many
/// octets came in. So a client that trickles its request, or does not read its answer, holds no place for long.
pub(super) struct Patient {
    stream: TcpStream,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    unanswered: usize,
    _permit: OwnedSemaphorePermit,
}

impl Patient {
    fn new(stream: TcpStream, patience: Duration, permit: OwnedSemaphorePermit) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now() + patience));
        Self { stream, patience, deadline, unanswered: 0, _permit: permit }
    }

    fn poll_deadline<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn answered(&mut self) {
        self.unanswered = 0;
        let next = Instant::now() + self.patience;
        self.deadline.as_mut().reset(next);
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => self.poll_deadline(cx),
            Poll::Ready(Ok(())) => {
                self.unanswered += buf.filled().len() - before;
                let fine = self.unanswered <= UNANSWERED_LIMIT;
                Poll::Ready(if fine { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) })
            }
            ready => ready,
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, buf) {
            Poll::Pending => self.poll_deadline(cx),
            ready => {
                self.answered();
                ready
            }
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, bufs) {
            Poll::Pending => self.poll_deadline(cx),
            ready => {
                self.answered();
                ready
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listener(max_connections: usize) -> (Bounded, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        (Bounded::new(listener, &HttpSettings { max_connections, ..HttpSettings::default() }), address)
    }

    #[tokio::test]
    async fn a_silent_client_is_left() {
        let (mut listener, address) = listener(1).await;
        listener.patience = Duration::from_millis(1);
        let _client = TcpStream::connect(address).await.expect("connects");
        let (mut stream, _) = listener.accept().await;
        assert_eq!(stream.read_u8().await.expect_err("nothing comes").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_talks_without_end_is_left_and_one_that_gets_answers_is_not() {
        let (mut listener, address) = listener(1).await;
        let mut client = TcpStream::connect(address).await.expect("connects");
        let (mut stream, _) = listener.accept().await;
        let piece = vec![b'x'; UNANSWERED_LIMIT / 2];
        let mut buffer = piece.clone();
        for _ in 0..4 {
            client.write_all(&piece).await.expect("sent");
            stream.read_exact(&mut buffer).await.expect("within the limit");
            stream.write_all(b"answer").await.expect("sent");
        }
        let talk = async { while client.write_all(&piece).await.is_ok() {} };
        let listen = async move { while stream.read_exact(&mut buffer).await.is_ok() {} };
        tokio::join!(talk, listen); // both end
    }

    #[tokio::test]
    async fn there_is_a_place_again_when_a_connection_ends() {
        let (mut listener, address) = listener(1).await;
        let (_one, _two) = (TcpStream::connect(address).await.expect("connects"), TcpStream::connect(address).await.expect("connects"));
        let (first, _) = listener.accept().await;
        assert_eq!(listener.free.available_permits(), 0);
        drop(first);
        listener.accept().await;
    }
}
