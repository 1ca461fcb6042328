//! One connection: octets to lines and messages, replies back, every wait with a deadline. What a
//! line means is `session`'s business, what a message is worth the handler's.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::auth::MAX_AUTH_LINE;
use super::handler::Handler;
use super::reply;
use super::server::Server;
use super::session::{Session, Step};
use super::transfer::Chunks;
use crate::wire::Reply;

/// Enough for most lines.
const SMALL_INPUT: usize = 512;
/// A connection that has been idle for so long gives its buffers back: of many thousands, few are busy.
const REST: Duration = Duration::from_secs(1);
/// Replies are sent when they reach this, even if more commands wait: a peer must not make us hoard them.
const OUTPUT: usize = 8 * 1024;
/// How long, and over how many octets, we wait for a peer to read our last words.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 1024 * 1024;

/// A connection over TCP or TLS, with the buffers it reuses.
pub(super) struct Connection<S> {
    stream: S,
    /// What arrived; `input[start..]` is not used yet.
    pub(super) input: Vec<u8>,
    pub(super) start: usize,
    /// Replies not sent yet.
    output: Vec<u8>,
    /// One timer, re-armed for each wait.
    timer: Pin<Box<Sleep>>,
    stop: Stop,
    /// When it began, or had its last message answered.
    since: Instant,
    /// The message that is arriving in chunks.
    pub(super) chunks: Option<Chunks>,
    /// Octets of the largest message, as its session announced it.
    pub(super) largest: usize,
}

/// Tells of a shutdown: by when transactions must have their message. Nobody may hold the server longer.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

/// Waits for a shutdown, and unless `idle` for its deadline, too.
pub(super) async fn cut_off(stop: &mut Stop, idle: bool) {
    // An error means that the server is gone: then nothing is worth waiting for.
    let deadline = stop.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
    if let (Some(deadline), false) = (deadline, idle) {
        sleep_until(deadline).await;
    }
}

/// Why a conversation is over.
pub(super) enum End {
    /// We end it, and this is still to be said.
    HangUp(Reply),
    /// The peer is gone.
    Gone,
}

enum Input {
    Line(Range<usize>),
    Partial,
    Malformed(Reply),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, stop: Stop) -> Self {
        let timer = Box::pin(sleep_until(Instant::now()));
        Self { stream, input: Vec::new(), start: 0, output: Vec::new(), timer, stop, since: Instant::now(), chunks: None, largest: 0 }
    }

    /// Puts a reply into the next write.
    pub(super) fn queue(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
    }

    /// The transport, for TLS. What arrived in plaintext so far is dropped here (RFC 3207 s.4.2, M-30).
    pub(super) fn into_transport(self) -> S {
        self.stream
    }

    /// Talks until the client wants TLS (then `Ok`, and 220 is sent) or the conversation is over.
    pub(super) async fn converse<H: Handler>(&mut self, mut session: Session, server: &Server<H>) -> Result<Session, End> {
        let patience = server.settings.command_timeout();
        self.largest = session.largest();
        let mut deadline = None; // of the whole command, so that dripping octets do not extend it
        loop {
            let line = match self.next_line() {
                Input::Line(line) => line,
                Input::Malformed(reply) => return Err(End::HangUp(reply)),
                Input::Partial => {
                    self.flush(patience).await?; // RFC 2920 s.3.2: answer a whole group in one write
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
                    let deadline = deadline.min(self.since + server.settings.session_timeout());
                    let deadline = self.chunks.as_ref().map_or(deadline, |chunks| deadline.min(chunks.until()));
                    self.fill(deadline, session.is_idle()).await?;
                    continue;
                }
            };
            deadline = None;
            let followed = self.start < self.input.len();
            let handler = &server.handler;
            let (mut next, mut step) = session.line(&self.input[line], followed, server);
            session = loop {
                match step {
                    Step::Answer(reply) => {
                        self.queue(&reply);
                        break next;
                    }
                    Step::Close(reply) => return Err(End::HangUp(reply)),
                    Step::StartTls(reply) => {
                        self.queue(&reply);
                        self.flush(patience).await?;
                        return Ok(next);
                    }
                    Step::Authenticate(given) => {
                        let answer = server.authenticate(next.peer(), given).await;
                        (next, step) = next.authenticated(answer);
                    }
                    Step::Check(stream, recipient) => {
                        let answer = Box::pin(handler.recipient(&stream, &recipient)).await; // see `hand_over`
                        self.since = Instant::now();
                        (next, step) = next.checked(recipient, answer);
                    }
                    Step::Receive(transaction) => {
                        let replies = self.transact(transaction, server).await?;
                        replies.iter().for_each(|reply| self.queue(reply));
                        self.since = Instant::now();
                        break next.settled(&replies);
                    }
                    Step::Chunk { octets, size } => {
                        let refusal = self.take_chunk(octets, size, server).await?;
                        (next, step) = next.chunked(refusal);
                    }
                    Step::LastChunk { octets, transaction } => {
                        let replies = self.take_last_chunk(octets, transaction, server).await?;
                        replies.iter().for_each(|reply| self.queue(reply));
                        self.since = Instant::now();
                        break next.settled(&replies);
                    }
                    Step::Skip { octets, reply } => {
                        self.skip(octets, server).await?;
                        step = Step::Answer(reply);
                    }
                }
            };
            if !session.is_chunking() {
                self.chunks = None; // RSET, EHLO, or a chunk that was refused
            }
            if self.output.len() >= OUTPUT {
                self.flush(patience).await?;
            }
        }
    }

    /// Sends what is still to be said and closes.
    pub(super) async fn finish(mut self, end: End) {
        let End::HangUp(last) = end else { return };
        // One of `reply`'s own texts: nothing personal in it (I8).
        tracing::debug!(code = last.code, text = %last.text, "closing an SMTP connection");
        self.queue(&last);
        let _ = timeout(LINGER, async {
            self.stream.write_all(&self.output).await?;
            self.stream.shutdown().await?;
            // Closing with unread input makes TCP reset, and the peer would never see the reply.
            let mut left = LINGER_OCTETS;
            while left > 0 {
                self.input.clear();
                match self.stream.read_buf(&mut self.input).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            std::io::Result::Ok(())
        })
        .await; // the peer may be gone: nobody is left to tell
    }

    /// The next line in the buffer; consumed, CRLF not included.
    fn next_line(&mut self) -> Input {
        let rest = &self.input[self.start..];
        match memchr::memchr(b'\n', rest) {
            // Also where it is complete: the answer must not depend on how the octets were cut into packets.
            Some(at) if at >= MAX_AUTH_LINE => Input::Malformed(reply::LINE_TOO_LONG),
            Some(at) if at > 0 && rest[at - 1] == b'\r' => {
                let line = self.start..self.start + at - 1;
                self.start += at + 1;
                Input::Line(line)
            }
            Some(_) => Input::Malformed(reply::BARE_LF), // M-41
            None if rest.len() >= MAX_AUTH_LINE => Input::Malformed(reply::LINE_TOO_LONG),
            None => Input::Partial,
        }
    }

    /// Waits for more input. `idle`: a shutdown ends the wait at once, and after a while the buffers are given back.
    pub(super) async fn fill(&mut self, until: Instant, idle: bool) -> Result<(), End> {
        self.input.drain(..self.start);
        self.start = 0;
        let mut rests = idle && self.input.is_empty();
        loop {
            self.timer.as_mut().reset(if rests { until.min(Instant::now() + REST) } else { until });
            if self.input.capacity() == 0 {
                self.input.reserve_exact(SMALL_INPUT);
            }
            let Self { stream, input, timer, stop, .. } = self;
            tokio::select! {
                biased;
                () = cut_off(stop, idle) => return Err(End::HangUp(reply::SHUTTING_DOWN)),
                read = stream.read_buf(input) => return match read {
                    Ok(octets) if octets > 0 => Ok(()),
                    _ => Err(End::Gone),
                },
                () = timer.as_mut() => {}
            }
            if Instant::now() >= until {
                return Err(End::HangUp(reply::TIMED_OUT));
            }
            rests = false;
            (self.input, self.output) = (Vec::new(), Vec::new());
        }
    }

    /// Sends the queued replies in one write.
    pub(super) async fn flush(&mut self, patience: Duration) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.timer.as_mut().reset(Instant::now() + patience);
        let Self { stream, output, timer, stop, .. } = self;
        let sent = tokio::select! {
            biased;
            sent = async { stream.write_all(output).await?; stream.flush().await } => sent.map_err(|_| End::Gone),
            () = cut_off(stop, false) => Err(End::Gone),
            () = timer.as_mut() => Err(End::Gone),
        };
        output.clear();
        sent
    }
}
