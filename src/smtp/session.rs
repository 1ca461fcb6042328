//! One SMTP session without I/O: a line goes in, the next state and what to do come out; errors and idling are counted. Which
//! command may follow which is `state`'s business. Holds no buffers, reads no clock, checks no password.

mod facts;
mod state;

use std::net::IpAddr;
use std::sync::Arc;

use crate::mail::{Recipient, ReversePath, Stream};
use crate::wire::Reply;

use super::auth::Credentials;
use super::command::Command;
use super::handler::Authentication;
use super::reply;
use super::settings::SmtpSettings;
use super::transaction::Transaction;
use facts::Facts;
pub(super) use facts::Origin;
use state::{State, progress};

/// What a stream may send, apart from consent.
pub(super) trait Policy {
    /// Whether it may begin a transaction with this reverse-path.
    fn mail(&self, stream: &Stream, path: &ReversePath) -> Result<(), Reply>;
    /// Whether it may name one more recipient.
    fn rcpt(&self, stream: &Stream) -> Result<(), Reply>;
}

/// A session between two lines.
pub(super) struct Session {
    facts: Facts,
    state: State,
}

/// What to do after a line.
pub(super) enum Step {
    /// Answer, then take the next line.
    Answer(Reply),
    /// Answer, then close.
    Close(Reply),
    /// Answer, then shake hands and call [`Session::tls_up`].
    StartTls(Reply),
    /// Ask the handler, then call [`Session::authenticated`] for the answer.
    Authenticate(Credentials),
    /// Ask the handler about a recipient, then call [`Session::checked`] for the answer.
    Check(Arc<Stream>, Recipient),
    /// Receive the message and hand both to the handler, then call [`Session::settled`].
    Receive(Transaction),
    /// Receive a chunk, then call [`Session::chunked`] for the answer.
    Chunk { octets: u64, size: Option<u64> },
    /// Receive the last chunk and go on as for [`Step::Receive`].
    LastChunk { octets: u64, transaction: Transaction },
    /// Read past a chunk that nobody wants, then answer.
    Skip { octets: u64, reply: Reply },
}

impl Session {
    /// A new connection that may send messages of up to `largest` octets.
    pub(super) fn new(settings: Arc<SmtpSettings>, origin: Origin, largest: usize) -> Self {
        Self { facts: Facts { settings, origin, largest, login: None, tls: false, errors: 0, idle_commands: 0 }, state: State::Greeted }
    }

    /// Octets of the largest message.
    pub(super) fn largest(&self) -> usize {
        self.facts.largest
    }

    /// TLS is active: all that was said before is forgotten (RFC 3207 s.4.2, M-30).
    pub(super) fn tls_up(self) -> Self {
        Self { facts: Facts { tls: true, login: None, ..self.facts }, state: State::Greeted }
    }

    /// True outside a transaction: a shutdown may end the session here.
    pub(super) fn is_idle(&self) -> bool {
        !matches!(self.state, State::Mail { .. } | State::Rcpt { .. } | State::Chunks { .. })
    }

    /// The client's address, if it has one.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.facts.origin.peer.map(|peer| peer.ip())
    }

    /// True while chunks are kept for a message that is not complete.
    pub(super) fn is_chunking(&self) -> bool {
        matches!(self.state, State::Chunks { .. })
    }

    /// Takes one line, without its CRLF. `followed`: more octets have arrived behind it.
    pub(super) fn line(self, line: &[u8], followed: bool, policy: &impl Policy) -> (Self, Step) {
        let Self { mut facts, state } = self;
        let (state, step) = match state {
            State::Login { client, exchange } => progress(client, exchange.answer(line)),
            state => match Command::parse(line) {
                // RFC 2920 s.3.1, RFC 3207 s.4: these end a group, whether they are granted or not. Octets behind
                // them are a message that would be read as commands, or commands slipped in before TLS (M-12, M-30).
                Ok(Command::Data | Command::StartTls) if followed => (state, Step::Close(reply::PIPELINED_TOO_FAR)),
                Ok(command) => {
                    if state.idles(&command) {
                        facts.idle_commands += 1;
                    }
                    state.command(&facts, command, policy)
                }
                Err(refusal) => (state, Step::Answer(refusal)),
            },
        };
        let step = match step {
            Step::Answer(reply) => facts.count(reply),
            Step::Skip { octets, reply } => match facts.count(reply) {
                Step::Answer(reply) => Step::Skip { octets, reply },
                step => step,
            },
            step => step,
        };
        (Self { facts, state }, step)
    }

    /// The handler's answer to [`Step::Authenticate`].
    pub(super) fn authenticated(mut self, answer: Authentication) -> (Self, Step) {
        let reply = match answer {
            Authentication::Granted(stream) => {
                self.facts.login = Some(stream);
                reply::AUTHENTICATED
            }
            Authentication::Refused => reply::AUTH_REFUSED,
            Authentication::Unavailable => reply::AUTH_UNAVAILABLE,
        };
        let step = self.facts.count(reply);
        (self, step)
    }

    /// The handler's answer to [`Step::Check`].
    pub(super) fn checked(self, recipient: Recipient, answer: Result<(), Reply>) -> (Self, Step) {
        let Self { mut facts, state } = self;
        facts.idle_commands = 0; // a campaign that is refused at RCPT is work, too
        let (state, reply) = state.recipient(answer.map(|()| recipient));
        let step = facts.count(reply);
        (Self { facts, state }, step)
    }

    /// What came of [`Step::Chunk`]. A refused chunk fails the message as a whole; chunks that are on their way already
    /// are read past (RFC 3030 s.2).
    pub(super) fn chunked(self, refusal: Option<Reply>) -> (Self, Step) {
        let Self { mut facts, state } = self;
        let (state, reply) = match (state, refusal) {
            (state, None) => (state, reply::CHUNK_OK),
            (state, Some(refusal)) => (state.reset(), refusal),
        };
        let step = facts.count(reply);
        (Self { facts, state }, step)
    }

    /// The handler's answer to the message. One that was taken makes up for earlier errors.
    pub(super) fn settled(mut self, replies: &[Reply]) -> Self {
        if replies.iter().any(|reply| (200..300).contains(&reply.code)) {
            self.facts.errors = 0;
        }
        self.facts.idle_commands = 0;
        self
    }
}

#[cfg(test)]
mod tests;
