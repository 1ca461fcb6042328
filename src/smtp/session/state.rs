//! The order of commands: which are allowed in which state, what follows from each, what is answered. Counts nothing; how long a
//! session may go on is `session`'s business.

use std::sync::Arc;

use crate::mail::{AnswerProfile, Hop, Recipient, Stream};
use crate::smtp::auth::{self, Exchange, Mechanism, Progress};
use crate::smtp::command::{Command, MailFrom};
use crate::smtp::listener::Protocol;
use crate::smtp::reply;
use crate::smtp::transaction::{Ending, Transaction};
use crate::wire::Reply;

use super::facts::Facts;
use super::{Policy, Step};

/// Octets of addresses in one envelope: a thousand usual ones. More is no list of people but a way to fill our memory.
const MAX_ENVELOPE: usize = 128 * 1024;

/// Each state holds what is known then and nothing else.
pub(super) enum State {
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
pub(super) struct Client {
    name: String,
    /// By EHLO: it may use extensions.
    extended: bool,
}

impl State {
    /// Commands that lead nowhere when nothing but them comes: a peer could hold its place with them for ever.
    pub(super) fn idles(&self, command: &Command) -> bool {
        let open = matches!(self, Self::Mail { .. } | Self::Rcpt { .. } | Self::Chunks { .. });
        match command {
            Command::Mail(_) | Command::Rcpt(_) | Command::Data | Command::Bdat { .. } => false,
            Command::Rset => !open,
            _ => true,
        }
    }

    pub(super) fn command(self, facts: &Facts, command: Command, policy: &impl Policy) -> (Self, Step) {
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
    pub(super) fn recipient(self, recipient: Result<Recipient, Reply>) -> (Self, Reply) {
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

    pub(super) fn reset(self) -> Self {
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

pub(super) fn progress(client: Client, progress: Progress) -> (State, Step) {
    match progress {
        Progress::Prompt(exchange, prompt) => (State::Login { client, exchange }, Step::Answer(prompt)),
        Progress::Complete(credentials) => (State::Ready { client }, Step::Authenticate(credentials)),
        Progress::Refuse(reply) => (State::Ready { client }, Step::Answer(reply)),
    }
}
