//! One SMTP session as a state machine without I/O: a line goes in, the next state and what to do come out.
//! Holds no buffers, reads no clock, checks no password.

mod facts;

use std::net::IpAddr;
use std::sync::Arc;

use crate::mail::{AnswerProfile, Hop, Recipient, ReversePath, Stream};
use crate::wire::Reply;

use super::auth::{self, Credentials, Exchange, Mechanism, Progress};
use super::command::{Command, MailFrom};
use super::handler::Authentication;
use super::listener::Protocol;
use super::reply;
use super::settings::SmtpSettings;
use super::transaction::{Ending, Transaction};
use facts::Facts;
pub(super) use facts::Origin;

/// What a stream may send, apart from consent.
pub(super) trait Policy {
    /// Whether it may begin a transaction with this reverse-path.
    fn mail(&self, stream: &Stream, path: &ReversePath) -> Result<(), Reply>;
    /// Whether it may name one more recipient.
    fn rcpt(&self, stream: &Stream) -> Result<(), Reply>;
}

/// Octets of addresses in one envelope: a thousand usual ones. More is no list of people but a way to fill our memory.
const MAX_ENVELOPE: usize = 128 * 1024;

/// A session between two lines.
pub(super) struct Session {
    facts: Facts,
    state: State,
}

/// Each state holds what is known then and nothing else.
enum State {
    Greeted,
    Ready {
        client: Client,
    },
    Login {
        client: Client,
        exchange: Exchange,
    },
    /// A sender, and no recipient yet. `tried`: there was one, and it was refused.
    Mail {
        client: Client,
        stream: Arc<Stream>,
        mail: MailFrom,
        tried: bool,
    },
    Rcpt {
        client: Client,
        stream: Arc<Stream>,
        mail: MailFrom,
        /// At least one.
        recipients: Vec<Recipient>,
    },
    /// The message arrives in chunks: nothing may change the envelope any more (RFC 3030 s.2).
    Chunks {
        client: Client,
        transaction: Transaction,
    },
}

/// How the client introduced itself.
struct Client {
    name: String,
    /// By EHLO: it may use extensions.
    extended: bool,
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

impl State {
    /// Commands that lead nowhere when nothing but them comes: a peer could hold its place with them for ever.
    fn idles(&self, command: &Command) -> bool {
        let open = matches!(self, Self::Mail { .. } | Self::Rcpt { .. } | Self::Chunks { .. });
        match command {
            Command::Mail(_) | Command::Rcpt(_) | Command::Data | Command::Bdat { .. } => false,
            Command::Rset => !open,
            _ => true,
        }
    }

    fn command(self, facts: &Facts, command: Command, policy: &impl Policy) -> (Self, Step) {
        match (command, facts.origin.protocol) {
            (Command::Ehlo(name), Protocol::Smtp) | (Command::Lhlo(name), Protocol::Lmtp) => {
                let (starttls, auth) = (facts.may_start_tls(), facts.may_authenticate());
                let prdr = facts.origin.protocol == Protocol::Smtp; // LMTP has it by itself
                let reply = reply::extended_hello(&facts.settings.hostname, facts.largest, prdr, starttls, auth);
                (Self::Ready { client: Client { name, extended: true } }, Step::Answer(reply))
            }
            (Command::Helo(name), Protocol::Smtp) => {
                let reply = reply::hello(&facts.settings.hostname);
                (Self::Ready { client: Client { name, extended: false } }, Step::Answer(reply))
            }
            // RFC 2033 s.4.1
            (Command::Ehlo(_) | Command::Helo(_), Protocol::Lmtp) => (self, Step::Answer(reply::LHLO_HERE)),
            (Command::Lhlo(_), Protocol::Smtp) => (self, Step::Answer(reply::UNKNOWN_COMMAND)),
            (command, _) => self.ordinary(facts, command, policy),
        }
    }

    /// The commands that SMTP and LMTP share.
    fn ordinary(self, facts: &Facts, command: Command, policy: &impl Policy) -> (Self, Step) {
        match command {
            Command::Mail(mail) => self.mail(facts, mail, policy),
            Command::Rcpt(recipient) => self.rcpt(facts, recipient, policy),
            Command::Data => self.data(facts),
            Command::Rset => (self.reset(), Step::Answer(reply::OK)),
            Command::StartTls => self.start_tls(facts),
            Command::Auth { mechanism, initial } => self.auth(facts, mechanism, initial.as_deref().map(String::as_str)),
            Command::Noop => (self, Step::Answer(reply::OK)),
            Command::Vrfy => (self, Step::Answer(reply::CANNOT_VERIFY)),
            Command::Help => (self, Step::Answer(reply::HELP)),
            Command::Quit => (self, Step::Close(reply::CLOSING)),
            Command::Bdat { octets, last } => self.bdat(facts, octets, last),
            Command::BadBdat => (self, Step::Close(reply::BDAT_SYNTAX)),
            // EHLO, HELO and LHLO have been answered
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) => (self, Step::Answer(reply::UNKNOWN_COMMAND)),
            Command::Foreign => (self, Step::Close(reply::NOT_SMTP)),
        }
    }

    fn mail(self, facts: &Facts, mail: MailFrom, policy: &impl Policy) -> (Self, Step) {
        let client = match self {
            // Only refused recipients: nothing is pending, and campaigns of real tools hang on this.
            Self::Ready { client } | Self::Mail { client, tried: true, .. } => client,
            Self::Greeted | Self::Login { .. } => return (self, Step::Answer(reply::HELLO_FIRST)),
            Self::Mail { .. } | Self::Rcpt { .. } | Self::Chunks { .. } => return (self, Step::Answer(reply::NESTED_MAIL)),
        };
        let refuse = |client, reply| (Self::Ready { client }, Step::Answer(reply));
        let Some(stream) = facts.stream().cloned() else { return refuse(client, reply::AUTH_REQUIRED) }; // M-01, M-02
        if mail.prdr && facts.origin.protocol == Protocol::Lmtp {
            return refuse(client, reply::UNKNOWN_PARAMETER);
        }
        if mail.size.is_some_and(|size| size > facts.largest as u64) {
            return refuse(client, reply::MESSAGE_TOO_BIG); // M-09
        }
        if let Err(reply) = policy.mail(&stream, &mail.sender.reverse_path) {
            return refuse(client, reply);
        }
        (Self::Mail { client, stream, mail, tried: false }, Step::Answer(reply::SENDER_OK))
    }

    fn rcpt(self, facts: &Facts, recipient: Result<Recipient, Reply>, policy: &impl Policy) -> (Self, Step) {
        let (stream, mail, open) = match &self {
            Self::Mail { stream, mail, .. } => (stream, mail, 0),
            Self::Rcpt { stream, mail, recipients, .. } => (stream, mail, recipients.len()),
            Self::Ready { .. } => return (self, Step::Answer(reply::MAIL_FIRST)),
            Self::Chunks { .. } => return (self, Step::Answer(reply::NO_MIXING)),
            Self::Greeted | Self::Login { .. } => return (self, Step::Answer(reply::HELLO_FIRST)),
        };
        let recipient = recipient.and_then(|recipient| policy.rcpt(stream).map(|()| recipient));
        let recipient = match recipient {
            _ if open >= facts.settings.max_recipients || self.envelope_octets() > MAX_ENVELOPE => {
                return (self, Step::Answer(reply::TOO_MANY_RECIPIENTS)); // M-05
            }
            Ok(recipient) if !mail.sender.smtputf8 && needs_smtputf8(&recipient) => Err(reply::UTF8_NOT_ASKED),
            Ok(recipient) if stream.answer == AnswerProfile::RejectAtRcpt => {
                let stream = stream.clone();
                return (self, Step::Check(stream, recipient));
            }
            recipient => recipient,
        };
        let (state, reply) = self.recipient(recipient);
        (state, Step::Answer(reply))
    }

    /// What the recipients occupy.
    fn envelope_octets(&self) -> usize {
        let Self::Rcpt { recipients, .. } = self else { return 0 };
        let octets = |recipient: &Recipient| recipient.address.as_str().len() + recipient.orcpt.as_ref().map_or(0, String::len);
        recipients.iter().map(octets).sum()
    }

    /// What becomes of a recipient that was taken or refused.
    fn recipient(self, recipient: Result<Recipient, Reply>) -> (Self, Reply) {
        match (self, recipient) {
            (Self::Mail { client, stream, mail, .. }, Ok(recipient)) => {
                (Self::Rcpt { client, stream, mail, recipients: vec![recipient] }, reply::RECIPIENT_OK)
            }
            (Self::Mail { client, stream, mail, .. }, Err(refusal)) => (Self::Mail { client, stream, mail, tried: true }, refusal),
            (Self::Rcpt { client, stream, mail, mut recipients }, Ok(recipient)) => {
                recipients.push(recipient);
                (Self::Rcpt { client, stream, mail, recipients }, reply::RECIPIENT_OK)
            }
            (state, Err(refusal)) => (state, refusal),
            (state, Ok(_)) => (state, reply::MAIL_FIRST),
        }
    }

    fn data(self, facts: &Facts) -> (Self, Step) {
        match self.complete(facts) {
            Ok((client, transaction)) => (Self::Ready { client }, Step::Receive(transaction)),
            Err(refused) => (refused.0, Step::Answer(refused.1)),
        }
    }

    /// M-13: whatever becomes of the chunk, its octets are no commands.
    fn bdat(self, facts: &Facts, octets: u64, last: bool) -> (Self, Step) {
        let complete = match self {
            Self::Chunks { client, transaction } => Ok((client, transaction)),
            state => state.complete(facts),
        };
        match complete {
            Err(refused) => (refused.0, Step::Skip { octets, reply: refused.1 }),
            Ok((client, transaction)) if last => (Self::Ready { client }, Step::LastChunk { octets, transaction }),
            Ok((client, transaction)) => {
                let size = transaction.size;
                (Self::Chunks { client, transaction }, Step::Chunk { octets, size })
            }
        }
    }

    /// The transaction, if it lacks nothing but the message; else the state as it was, and what is missing.
    fn complete(self, facts: &Facts) -> Result<(Client, Transaction), Box<(Self, Reply)>> {
        let refusal = match self {
            Self::Rcpt { client, stream, mail, recipients } => {
                let transaction = Transaction {
                    stream,
                    sender: mail.sender,
                    recipients,
                    size: mail.size,
                    ending: Ending::of(facts.origin.protocol, mail.prdr),
                    peer: facts.origin.peer,
                    hop: Hop {
                        helo: client.name.clone(),
                        lmtp: facts.origin.protocol == Protocol::Lmtp,
                        tls: facts.tls,
                        authenticated: facts.login.is_some(),
                    },
                };
                return Ok((client, transaction));
            }
            Self::Mail { tried: true, .. } if facts.origin.protocol == Protocol::Smtp => reply::NO_RECIPIENT,
            Self::Mail { .. } => reply::RCPT_FIRST, // RFC 2033 s.4.2, too
            Self::Ready { .. } => reply::MAIL_FIRST,
            Self::Chunks { .. } => reply::NO_MIXING,
            Self::Greeted | Self::Login { .. } => reply::HELLO_FIRST,
        };
        Err(Box::new((self, refusal)))
    }

    fn start_tls(self, facts: &Facts) -> (Self, Step) {
        let refusal = match self {
            _ if facts.tls => reply::TLS_ALREADY,
            _ if !facts.origin.tls_offered => reply::NOT_OFFERED,
            Self::Ready { .. } => return (Self::Greeted, Step::StartTls(reply::START_TLS)),
            Self::Greeted | Self::Login { .. } => reply::HELLO_FIRST,
            Self::Mail { .. } | Self::Rcpt { .. } | Self::Chunks { .. } => reply::NESTED_MAIL,
        };
        (self, Step::Answer(refusal))
    }

    fn auth(self, facts: &Facts, mechanism: Mechanism, initial: Option<&str>) -> (Self, Step) {
        let refusal = match self {
            _ if !facts.may_authenticate() => reply::TLS_REQUIRED,
            _ if facts.login.is_some() => reply::AUTH_TWICE,
            Self::Ready { client } if client.extended => return progress(client, auth::begin(mechanism, initial)),
            Self::Mail { .. } | Self::Rcpt { .. } | Self::Chunks { .. } => reply::AUTH_IN_TRANSACTION,
            Self::Greeted | Self::Ready { .. } | Self::Login { .. } => reply::HELLO_FIRST,
        };
        (self, Step::Answer(refusal))
    }

    fn reset(self) -> Self {
        match self {
            Self::Greeted => Self::Greeted,
            Self::Ready { client }
            | Self::Login { client, .. }
            | Self::Mail { client, .. }
            | Self::Rcpt { client, .. }
            | Self::Chunks { client, .. } => Self::Ready { client },
        }
    }
}

/// An internationalised address in RCPT, the original one included, is for a client that asked for it (RFC 6531 s.3.4,
/// RFC 6533 s.3).
fn needs_smtputf8(recipient: &Recipient) -> bool {
    recipient.address.is_internationalised() || recipient.orcpt.as_ref().is_some_and(|orcpt| !orcpt.is_ascii())
}

fn progress(client: Client, progress: Progress) -> (State, Step) {
    match progress {
        Progress::Prompt(exchange, prompt) => (State::Login { client, exchange }, Step::Answer(prompt)),
        Progress::Complete(credentials) => (State::Ready { client }, Step::Authenticate(credentials)),
        Progress::Refuse(reply) => (State::Ready { client }, Step::Answer(reply)),
    }
}

#[cfg(test)]
mod tests;
