//! One connection to the outbound MTA: writes commands and message, reads replies, and knows
//! whether it may be used again. How it is opened stands in `open`, who uses it when in `pool`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use zeroize::Zeroize;

use super::RelayTimeouts;
use super::commands::write_envelope;
use super::extensions::Extensions;
use super::stream::Stream;
use crate::mail::{Envelope, Outcome};
use crate::wire::{self, Reply};

/// Buffers that a large message blew up are not kept that large.
const KEPT_BUFFER: usize = 64 * 1024;

/// A connection that said EHLO. One transaction at a time: [`begin`](Self::begin),
/// [`go_ahead`](Self::go_ahead), [`send_message`](Self::send_message), [`final_reply`](Self::final_reply).
/// Dropped before the message, it closes without the final dot, and nothing is delivered (RFC 5321 s.4.1.1.4).
pub(super) struct Connection {
    stream: Stream,
    pub(super) extensions: Extensions,
    limits: RelayTimeouts,
    /// What arrived; the first `heard` octets are the last reply.
    inbox: Vec<u8>,
    heard: usize,
    /// What is to be written; the first `written` octets were.
    outbox: Vec<u8>,
    written: usize,
    /// Transactions begun here.
    messages: u32,
    /// Since then nobody used it.
    pub(super) idle_since: Instant,
    /// No transaction is open, and both sides know it.
    reusable: bool,
    /// The peer may hold a half transaction: RSET goes before the next one.
    reset_due: bool,
}

/// What the peer says to envelope and DATA.
pub(super) enum Answer {
    /// 354: the message may follow.
    GoAhead,
    /// It will not take the mail. Nothing of it was sent.
    Refused(Outcome),
    /// It closed the kept connection before it heard of this mail: a fresh one may do.
    Stale,
}

/// Why a connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// The command or step that got no answer.
    pub(super) stage: &'static str,
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Closed,
    Slow,
    NotSmtp,
}

impl Connection {
    /// Nothing was read from or written to `stream` yet.
    pub(super) fn new(stream: Stream, limits: RelayTimeouts) -> Self {
        Self {
            stream,
            extensions: Extensions::default(),
            limits,
            inbox: Vec::with_capacity(4096),
            heard: 0,
            outbox: Vec::with_capacity(16 * 1024),
            written: 0,
            messages: 0,
            idle_since: Instant::now(),
            reusable: true,
            reset_due: false,
        }
    }

    /// The TCP connection alone, when the peer sent nothing that was not asked for. What it sent in clear
    /// after its reply to STARTTLS would count as sent under TLS (RFC 3207 s.6).
    pub(super) fn into_tcp(self) -> Option<TcpStream> {
        match self.stream {
            Stream::Plain(tcp) if self.inbox.len() == self.heard => Some(tcp),
            _ => None,
        }
    }

    /// Writes MAIL, RCPT and DATA: in one piece when the peer announced PIPELINING (RFC 2920
    /// s.3.1), else the first of them. Reads nothing.
    pub(super) async fn begin(&mut self, envelope: &Envelope) -> Result<(), Broken> {
        self.messages += 1;
        self.reusable = false;
        self.outbox.clear();
        self.written = 0;
        if self.reset_due {
            self.outbox.extend_from_slice(b"RSET\r\n");
        }
        write_envelope(envelope, self.extensions, &mut self.outbox);
        self.offer(if self.reset_due { "RSET" } else { "MAIL" }).await
    }

    /// Reads the replies to what [`begin`](Self::begin) wrote, and writes the rest at a peer
    /// without PIPELINING.
    pub(super) async fn go_ahead(&mut self) -> Answer {
        match self.envelope_replies().await {
            Ok(answer) => answer,
            Err(Broken { stage: "RSET" | "MAIL", how: How::Closed }) if self.is_kept() => Answer::Stale,
            Err(broken) => Answer::Refused(broken.unreachable()),
        }
    }

    async fn envelope_replies(&mut self) -> Result<Answer, Broken> {
        if self.reset_due {
            // RFC 5321 s.4.1.1.5: 250 and nothing else
            if self.reply("RSET", self.limits.command).await? != 250 {
                return Ok(Answer::Stale);
            }
            self.reset_due = false;
            self.offer("MAIL").await?;
        }
        let mut refusal = None;
        for (stage, limit) in [("MAIL", self.limits.command), ("RCPT", self.limits.command), ("DATA", self.limits.data)] {
            if stage != "MAIL" {
                self.offer(stage).await?;
            }
            match (stage, self.reply(stage, limit).await) {
                (_, Err(broken)) => return refusal.map_or(Err(broken), |refusal| Ok(Answer::Refused(refusal))),
                // RFC 5321 s.3.8: the peer closes; on a kept connection for reasons older than this mail
                ("MAIL", Ok(421)) if self.is_kept() => return Ok(Answer::Stale),
                (_, Ok(code @ 421)) => return Ok(Answer::Refused(refusal.unwrap_or_else(|| self.outcome(code)))),
                ("MAIL" | "RCPT", Ok(200..300)) => {}
                ("DATA", Ok(354)) => return self.message_may_follow(refusal),
                (_, Ok(code @ 400..600)) => {
                    refusal.get_or_insert_with(|| self.outcome(code));
                }
                (_, Ok(_)) => return Err(Broken { stage, how: How::NotSmtp }),
            }
            if refusal.is_some() && !self.extensions.pipelining {
                break;
            }
        }
        // All replies are read; the envelope the peer may still hold goes with RSET.
        self.reset_due = true;
        self.reusable = true;
        refusal.map(Answer::Refused).ok_or(Broken { stage: "DATA", how: How::NotSmtp })
    }

    fn message_may_follow(&self, refusal: Option<Outcome>) -> Result<Answer, Broken> {
        match refusal {
            // RFC 2920 s.3.1: a peer may say 354 without a valid recipient. The lone dot asked for
            // there makes an empty mail at some MTAs, so nothing is sent; the connection closes.
            Some(refusal) => Ok(Answer::Refused(refusal)),
            // A reply to a message that was not sent yet could pass for the real one.
            None if self.inbox.len() > self.heard => Err(Broken { stage: "DATA", how: How::NotSmtp }),
            None => Ok(Answer::GoAhead),
        }
    }

    /// Sends the message after 354, up to and including its final dot. The error is certain: the peer does
    /// not have the mail.
    pub(super) async fn send_message(&mut self, message: Vec<u8>) -> Result<(), Outcome> {
        self.outbox.clear();
        self.written = 0;
        wire::stuff(&message, &mut self.outbox);
        drop(message);
        // The dot goes out last: what fails here, fails before it.
        if let Err(broken) = self.write(self.outbox.len(), "message").await {
            return Err(self.last_words(broken).await);
        }
        // The reply may take minutes and the connection live long; a large message is not kept for either.
        self.outbox.clear();
        self.outbox.shrink_to(KEPT_BUFFER);
        Ok(())
    }

    /// Reads the reply to the final dot. From there on the peer may have the mail.
    pub(super) async fn final_reply(&mut self) -> Outcome {
        match self.reply("final dot", self.limits.final_reply).await {
            Ok(code @ (200..300 | 400..600)) => {
                self.reset_due = code >= 400;
                self.reusable = code != 421; // RFC 5321 s.3.8: the peer closes
                self.outcome(code)
            }
            Ok(_) => Broken { stage: "final dot", how: How::NotSmtp }.uncertain(),
            Err(broken) => broken.uncertain(),
        }
    }

    /// A peer that closes amid the message may have told why, e.g. 552.
    async fn last_words(&mut self, broken: Broken) -> Outcome {
        if broken.how == How::Closed
            && let Ok(code @ 400..600) = self.reply(broken.stage, self.limits.data).await
        {
            return self.outcome(code);
        }
        broken.unreachable()
    }

    /// It carried a transaction before this one.
    fn is_kept(&self) -> bool {
        self.messages > 1
    }

    /// True when another transaction can follow; from now on the connection counts as idle.
    pub(super) fn make_idle(&mut self, messages_at_most: u32) -> bool {
        self.idle_since = Instant::now();
        self.reusable && self.inbox.len() == self.heard && self.messages < messages_at_most
    }

    /// True when the peer said nothing since the last reply. A 421, an end of file, or a reply too
    /// many, which would be taken for one to the next mail, make it false. Costs no system call
    /// while nothing arrived.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut octet = [0];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut context, &mut ReadBuf::new(&mut octet)).is_pending()
    }

    /// Closes the connection; with QUIT, where the peer waits for a command (RFC 5321 s.4.1.1.10).
    /// Nobody waits for its reply.
    pub(super) fn close(mut self) {
        if !self.reusable {
            return;
        }
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(_)) = Pin::new(&mut self.stream).poll_write(&mut context, b"QUIT\r\n") {
            // Whatever comes of it: the connection closes now.
            let _ = Pin::new(&mut self.stream).poll_flush(&mut context);
        }
    }

    /// Writes one command and reads its reply's code.
    pub(super) async fn command(&mut self, line: &[&str], stage: &'static str, limit: Duration) -> Result<u16, Broken> {
        self.outbox.clear();
        self.written = 0;
        line.iter().for_each(|word| self.outbox.extend_from_slice(word.as_bytes()));
        self.write(self.outbox.len(), stage).await?;
        self.reply(stage, limit).await
    }

    /// Forgets what was written last, for the sake of a password in it.
    pub(super) fn forget_written(&mut self) {
        self.outbox.zeroize();
        self.written = 0;
    }

    /// Reads one reply; its text stays in the inbox for [`text`](Self::text).
    pub(super) async fn reply(&mut self, stage: &'static str, limit: Duration) -> Result<u16, Broken> {
        self.inbox.drain(..self.heard);
        self.heard = 0;
        let code = match Reply::scan(&self.inbox) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => timeout(limit, self.read_reply()).await.unwrap_or(Err(How::Slow)),
            Err(wire::NotAReply) => Err(How::NotSmtp),
        };
        let (code, length) = code.map_err(|how| Broken { stage, how })?;
        self.heard = length;
        Ok(code)
    }

    async fn read_reply(&mut self) -> Result<(u16, usize), How> {
        loop {
            match self.stream.read_buf(&mut self.inbox).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(How::Closed),
            }
            if let Some(found) = Reply::scan(&self.inbox).map_err(|wire::NotAReply| How::NotSmtp)? {
                return Ok(found);
            }
        }
    }

    /// The text of the last reply, lines separated by `\n`.
    pub(super) fn text(&self) -> String {
        let reply = Reply::read(&self.inbox[..self.heard]);
        reply.ok().flatten().map(|(reply, _)| reply.text.into_owned()).unwrap_or_default()
    }

    /// What the last reply makes of the mail; `code` is not 3yz.
    pub(super) fn outcome(&self, code: u16) -> Outcome {
        let text = self.text().replace('\n', " ");
        match code {
            200..300 => Outcome::Accept { text },
            300..500 => Outcome::Defer { code, text },
            // 530, 534, 535, 538 (RFC 3207 s.4, RFC 4954 s.6) refuse this host, not the mail: somebody mends the way out, and
            // the mail must not bounce meanwhile.
            530..=539 => Outcome::Defer { code: 451, text: format!("4.7.0 this gateway is not accepted: {code} {text}") },
            _ => Outcome::Reject { code, text },
        }
    }

    /// Writes what may be written before the reply to `stage` is read: all of it at a peer with
    /// PIPELINING (RFC 2920 s.3.1), else one line.
    async fn offer(&mut self, stage: &'static str) -> Result<(), Broken> {
        let rest = &self.outbox[self.written..];
        let line = if self.extensions.pipelining { None } else { memchr::memchr(b'\n', rest) };
        self.write(self.written + line.map_or(rest.len(), |at| at + 1), stage).await
    }

    /// Writes the outbox up to `end`; each piece that the peer takes has its time (RFC 5321 s.4.5.3.2.5).
    async fn write(&mut self, end: usize, stage: &'static str) -> Result<(), Broken> {
        let closed = |_: io::Error| How::Closed;
        while self.written < end {
            let piece = timeout(self.limits.block, self.stream.write(&self.outbox[self.written..end])).await;
            match piece.map_or(Err(How::Slow), |piece| piece.map_err(closed)) {
                Ok(0) => return Err(Broken { stage, how: How::Closed }),
                Ok(length) => self.written += length,
                Err(how) => return Err(Broken { stage, how }),
            }
        }
        // TLS may hold back the last record.
        let flushed = timeout(self.limits.block, self.stream.flush()).await;
        flushed.map_or(Err(How::Slow), |flushed| flushed.map_err(closed)).map_err(|how| Broken { stage, how })
    }
}

impl Broken {
    /// The peer does not have the mail.
    pub(super) fn unreachable(self) -> Outcome {
        Outcome::Unreachable { why: self.why() }
    }

    /// The peer may have the mail.
    fn uncertain(self) -> Outcome {
        Outcome::Uncertain { why: self.why() }
    }

    fn why(self) -> String {
        let how = match self.how {
            How::Closed => "connection closed by the outbound MTA",
            How::Slow => "no answer from the outbound MTA in time",
            How::NotSmtp => "answer of the outbound MTA is not SMTP",
        };
        format!("{}: {how}", self.stage)
    }
}
