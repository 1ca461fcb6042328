//! One SMTP session as a state machine without I/O: a line goes in, the next state and what to do come out.
//! Holds no buffers, reads no clock, checks no password.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::mail::{AnswerProfile, Recipient, ReversePath, Stream};
use crate::wire::Reply;

use super::auth::{self, Credentials, Exchange, Mechanism, Progress};
use super::command::{Command, MailFrom};
use super::handler::{Answers, Authentication, Submission};
use super::reply;
use super::settings::SmtpSettings;

/// Whether a stream may use a reverse-path.
pub(super) type SenderPolicy<'a> = dyn Fn(&Stream, &ReversePath) -> Result<(), Reply> + 'a;

/// A session between two lines.
pub(super) struct Session {
    facts: Facts,
    state: State,
}

/// What holds for the whole connection, whatever the state.
struct Facts {
    settings: Arc<SmtpSettings>,
    peer: SocketAddr,
    /// The stream of the peer's network.
    network: Option<Arc<Stream>>,
    /// The stream of the peer's credential.
    login: Option<Arc<Stream>>,
    tls_offered: bool,
    tls: bool,
    errors: u32,
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
}

/// A transaction that lacks nothing but the message.
pub(super) struct Transaction {
    submission: Submission,
    /// `SIZE=`, as promised.
    pub(super) size: Option<u64>,
}

impl Transaction {
    /// What the handler gets.
    pub(super) fn with(self, data: Vec<u8>) -> Submission {
        Submission { data, ..self.submission }
    }
}

impl Session {
    /// A new connection; `tls_offered`: STARTTLS is possible.
    pub(super) fn new(settings: Arc<SmtpSettings>, peer: SocketAddr, network: Option<Arc<Stream>>, tls_offered: bool) -> Self {
        Self { facts: Facts { settings, peer, network, login: None, tls_offered, tls: false, errors: 0 }, state: State::Greeted }
    }

    /// TLS is active: all that was said before is forgotten (RFC 3207 s.4.2, M-30).
    pub(super) fn tls_up(self) -> Self {
        Self { facts: Facts { tls: true, login: None, ..self.facts }, state: State::Greeted }
    }

    /// True outside a transaction: a shutdown may end the session here.
    pub(super) fn is_idle(&self) -> bool {
        !matches!(self.state, State::Mail { .. } | State::Rcpt { .. })
    }

    /// Takes one line, without its CRLF. `followed`: more octets have arrived behind it.
    pub(super) fn line(self, line: &[u8], followed: bool, policy: &SenderPolicy<'_>) -> (Self, Step) {
        let Self { mut facts, state } = self;
        let (state, step) = match state {
            State::Login { client, exchange } => progress(client, exchange.answer(line)),
            state => match Command::parse(line) {
                // RFC 2920 s.3.1, RFC 3207 s.4: these end a group, whether they are granted or not. Octets behind
                // them are a message that would be read as commands, or commands slipped in before TLS (M-12, M-30).
                Ok(Command::Data | Command::StartTls) if followed => (state, Step::Close(reply::PIPELINED_TOO_FAR)),
                Ok(command) => state.command(&mut facts, command, policy),
                Err(refusal) => (state, Step::Answer(refusal)),
            },
        };
        let step = match step {
            Step::Answer(reply) => facts.count(reply),
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
        let (state, reply) = state.recipient(answer.map(|()| recipient));
        let step = facts.count(reply);
        (Self { facts, state }, step)
    }

    /// The handler's answer to the message. One that was taken makes up for earlier errors.
    pub(super) fn settled(mut self, replies: &[Reply]) -> Self {
        if replies.iter().any(Reply::is_positive) {
            self.facts.errors = 0;
        }
        self
    }
}

impl Facts {
    /// The stream that the client sends for; the credential says more than the network.
    fn stream(&self) -> Option<&Arc<Stream>> {
        self.login.as_ref().or(self.network.as_ref())
    }

    fn may_start_tls(&self) -> bool {
        self.tls_offered && !self.tls
    }

    /// RFC 4954 s.4: passwords travel under TLS only (M-31), or not at all over a wire.
    fn may_authenticate(&self) -> bool {
        self.tls || (self.settings.auth_without_tls_on_loopback && self.peer.ip().is_loopback())
    }

    /// Counts what no sound client earns; mail that is refused is not an error of the session.
    fn count(&mut self, reply: Reply) -> Step {
        if matches!(reply.code, 500..=504 | 530 | 535 | 538 | 555) {
            self.errors += 1;
        }
        if self.errors >= self.settings.max_errors { Step::Close(reply::TOO_MANY_ERRORS) } else { Step::Answer(reply) }
    }
}

impl State {
    fn command(self, facts: &mut Facts, command: Command, policy: &SenderPolicy<'_>) -> (Self, Step) {
        match command {
            Command::Ehlo(name) => {
                let (starttls, auth) = (facts.may_start_tls(), facts.may_authenticate());
                let reply = reply::extended_hello(&facts.settings.hostname, facts.settings.max_message_size, starttls, auth);
                (Self::Ready { client: Client { name, extended: true } }, Step::Answer(reply))
            }
            Command::Helo(name) => {
                let reply = reply::hello(&facts.settings.hostname);
                (Self::Ready { client: Client { name, extended: false } }, Step::Answer(reply))
            }
            Command::Mail(mail) => self.mail(facts, mail, policy),
            Command::Rcpt(recipient) => self.rcpt(facts, recipient),
            Command::Data => self.data(facts),
            Command::Rset => (self.reset(), Step::Answer(reply::OK)),
            Command::StartTls => self.start_tls(facts),
            Command::Auth { mechanism, initial } => self.auth(facts, mechanism, initial.as_deref().map(String::as_str)),
            Command::Noop => (self, Step::Answer(reply::OK)),
            Command::Vrfy => (self, Step::Answer(reply::CANNOT_VERIFY)),
            Command::Help => (self, Step::Answer(reply::HELP)),
            Command::Quit => (self, Step::Close(reply::CLOSING)),
            Command::Bdat => (self, Step::Close(reply::NOT_OFFERED)),
            Command::Foreign => (self, Step::Close(reply::NOT_SMTP)),
        }
    }

    fn mail(self, facts: &Facts, mail: MailFrom, policy: &SenderPolicy<'_>) -> (Self, Step) {
        let client = match self {
            // Only refused recipients: nothing is pending, and campaigns of real tools hang on this.
            Self::Ready { client } | Self::Mail { client, tried: true, .. } => client,
            Self::Greeted | Self::Login { .. } => return (self, Step::Answer(reply::HELLO_FIRST)),
            Self::Mail { .. } | Self::Rcpt { .. } => return (self, Step::Answer(reply::NESTED_MAIL)),
        };
        let refuse = |client, reply| (Self::Ready { client }, Step::Answer(reply));
        let Some(stream) = facts.stream().cloned() else { return refuse(client, reply::AUTH_REQUIRED) }; // M-01, M-02
        if mail.size.is_some_and(|size| size > facts.settings.max_message_size as u64) {
            return refuse(client, reply::MESSAGE_TOO_BIG); // M-09
        }
        if let Err(reply) = policy(&stream, &mail.sender.reverse_path) {
            return refuse(client, reply);
        }
        (Self::Mail { client, stream, mail, tried: false }, Step::Answer(reply::SENDER_OK))
    }

    fn rcpt(self, facts: &Facts, recipient: Result<Recipient, Reply>) -> (Self, Step) {
        let (stream, mail, open) = match &self {
            Self::Mail { stream, mail, .. } => (stream, mail, 0),
            Self::Rcpt { stream, mail, recipients, .. } => (stream, mail, recipients.len()),
            Self::Ready { .. } => return (self, Step::Answer(reply::MAIL_FIRST)),
            Self::Greeted | Self::Login { .. } => return (self, Step::Answer(reply::HELLO_FIRST)),
        };
        let recipient = match recipient {
            _ if open >= facts.settings.max_recipients => return (self, Step::Answer(reply::TOO_MANY_RECIPIENTS)), // M-05
            Ok(recipient) if recipient.address.is_internationalised() && !mail.sender.smtputf8 => Err(reply::UTF8_NOT_ASKED),
            Ok(recipient) if stream.answer == AnswerProfile::RejectAtRcpt => {
                let stream = stream.clone();
                return (self, Step::Check(stream, recipient));
            }
            recipient => recipient,
        };
        let (state, reply) = self.recipient(recipient);
        (state, Step::Answer(reply))
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
        match self {
            Self::Rcpt { client, stream, mail: MailFrom { sender, size }, recipients } => {
                let submission = Submission {
                    stream,
                    sender,
                    recipients,
                    answers: Answers::One,
                    data: Vec::new(),
                    peer: facts.peer,
                    helo: client.name.clone(),
                    tls: facts.tls,
                    authenticated: facts.login.is_some(),
                };
                (Self::Ready { client }, Step::Receive(Transaction { submission, size }))
            }
            Self::Mail { tried: true, .. } => (self, Step::Answer(reply::NO_RECIPIENT)),
            Self::Mail { .. } => (self, Step::Answer(reply::RCPT_FIRST)),
            Self::Ready { .. } => (self, Step::Answer(reply::MAIL_FIRST)),
            Self::Greeted | Self::Login { .. } => (self, Step::Answer(reply::HELLO_FIRST)),
        }
    }

    fn start_tls(self, facts: &Facts) -> (Self, Step) {
        let refusal = match self {
            _ if facts.tls => reply::TLS_ALREADY,
            _ if !facts.tls_offered => reply::NOT_OFFERED,
            Self::Ready { .. } => return (Self::Greeted, Step::StartTls(reply::START_TLS)),
            Self::Greeted | Self::Login { .. } => reply::HELLO_FIRST,
            Self::Mail { .. } | Self::Rcpt { .. } => reply::NESTED_MAIL,
        };
        (self, Step::Answer(refusal))
    }

    fn auth(self, facts: &Facts, mechanism: Mechanism, initial: Option<&str>) -> (Self, Step) {
        let refusal = match self {
            _ if !facts.may_authenticate() => reply::TLS_REQUIRED,
            _ if facts.login.is_some() => reply::AUTH_TWICE,
            Self::Ready { client } if client.extended => return progress(client, auth::begin(mechanism, initial)),
            Self::Mail { .. } | Self::Rcpt { .. } => reply::AUTH_IN_TRANSACTION,
            Self::Greeted | Self::Ready { .. } | Self::Login { .. } => reply::HELLO_FIRST,
        };
        (self, Step::Answer(refusal))
    }

    fn reset(self) -> Self {
        match self {
            Self::Greeted => Self::Greeted,
            Self::Ready { client } | Self::Login { client, .. } | Self::Mail { client, .. } | Self::Rcpt { client, .. } => {
                Self::Ready { client }
            }
        }
    }
}

fn progress(client: Client, progress: Progress) -> (State, Step) {
    match progress {
        Progress::Prompt(exchange, prompt) => (State::Login { client, exchange }, Step::Answer(prompt)),
        Progress::Complete(credentials) => (State::Ready { client }, Step::Authenticate(credentials)),
        Progress::Refuse(reply) => (State::Ready { client }, Step::Answer(reply)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::StreamClass;
    use crate::wire::Enhanced;

    fn stream(name: &str) -> Arc<Stream> {
        let (name, controller) = (name.to_owned(), "c".to_owned());
        let answer = if name == "login" { AnswerProfile::Reject } else { AnswerProfile::RejectAtRcpt };
        Arc::new(Stream { name, controller, class: StreamClass::Marketing, topic: None, from_domains: Vec::new(), answer })
    }

    fn session(network: bool, tls: bool) -> Session {
        let settings = Arc::new(SmtpSettings { max_errors: 4, max_recipients: 2, ..SmtpSettings::default() });
        let session = Session::new(settings, SocketAddr::from(([192, 0, 2, 1], 9)), network.then(|| stream("network")), true);
        if tls { session.tls_up() } else { session }
    }

    /// Says one line; credentials `shop` are granted, messages are taken.
    fn say(session: Session, line: &str) -> (Session, String) {
        let policy = |_: &Stream, path: &ReversePath| match path {
            ReversePath::Mailbox(address) if address.local() == "forbidden" => Err(Reply::new(550, Enhanced(5, 7, 1), "no")),
            _ => Ok(()),
        };
        let (line, followed) = line.strip_suffix('+').map_or((line, false), |line| (line, true));
        let (session, step) = session.line(line.as_bytes(), followed, &policy);
        match step {
            Step::Answer(reply) => (session, reply.code.to_string()),
            Step::Close(reply) => (session, format!("{} close", reply.code)),
            Step::StartTls(reply) => (session.tls_up(), reply.code.to_string()),
            Step::Authenticate(given) => {
                let granted = given.username == "shop";
                let answer = if granted { Authentication::Granted(stream("login")) } else { Authentication::Refused };
                let (session, Step::Answer(reply) | Step::Close(reply)) = session.authenticated(answer) else { panic!("no reply") };
                (session, reply.code.to_string())
            }
            Step::Check(_, recipient) => {
                let refused = recipient.address.local() == "nobody";
                let answer = if refused { Err(Reply::new(550, Enhanced(5, 7, 1), "no consent")) } else { Ok(()) };
                let (session, Step::Answer(reply) | Step::Close(reply)) = session.checked(recipient, answer) else { panic!("no reply") };
                (session, reply.code.to_string())
            }
            Step::Receive(transaction) => {
                let Submission { stream, sender, recipients, data, .. } = transaction.with(b"x".to_vec());
                let recipients: Vec<_> = recipients.iter().map(|recipient| recipient.address.as_str()).collect();
                let paths = format!("{} {}", sender.reverse_path.as_str(), recipients.join(","));
                (session.settled(&[reply::OK]), format!("{} {paths} {}", stream.name, data.len()))
            }
        }
    }

    fn talk(mut session: Session, lines: &[(&str, &str)]) {
        for (line, expected) in lines {
            let (next, answer) = say(session, line);
            assert_eq!(&answer, expected, "{line} of {lines:?}");
            session = next;
        }
    }

    #[test]
    fn transactions_follow_each_other() {
        let mail = ("MAIL FROM:<a@x.example> SIZE=5", "250");
        let rcpt = ("RCPT TO:<b@y.example>", "250");
        let data = ("DATA", "network a@x.example b@y.example 1");
        talk(session(true, false), &[("EHLO x", "250"), mail, rcpt, data, mail, rcpt, data, ("QUIT", "221 close")]);
        let both = ("DATA", "network a@x.example b@y.example,c@y.example 1");
        let more = ("RCPT TO:<c@y.example>", "250");
        talk(session(true, false), &[("HELO x", "250"), mail, rcpt, more, ("RCPT TO:<d@y.example>", "452"), both]);
        talk(session(true, false), &[("EHLO x", "250"), mail, rcpt, ("RCPT TO:<nobody@y.example>", "550"), more, both]);
        talk(session(true, false), &[("EHLO x", "250"), mail, rcpt, ("RSET", "250"), mail, rcpt, ("EHLO x", "250"), ("DATA", "503")]);
        // DESIGN.md section 4: only refused recipients leave nothing open
        for refused in
            [("RCPT TO:<ü@y.example>", "553"), ("RCPT TO:<a b>", "553"), ("RCPT TO", "501"), ("RCPT TO:<nobody@y.example>", "550")]
        {
            talk(session(true, false), &[("EHLO x", "250"), mail, refused, ("DATA", "554"), mail, rcpt, data]);
            talk(session(true, false), &[("EHLO x", "250"), mail, refused, mail, refused, rcpt, data]);
        }
        talk(session(true, false), &[("EHLO x", "250"), ("MAIL FROM:<> SMTPUTF8", "250"), ("RCPT TO:<ü@y.example>", "250")]);
    }

    #[test]
    fn order_is_kept_and_refusals_open_nothing() {
        let (mail, rcpt) = ("MAIL FROM:<a@x.example>", "RCPT TO:<b@y.example>");
        talk(session(true, false), &[(mail, "503"), (rcpt, "503"), ("DATA", "503"), ("NOOP", "250")]);
        talk(session(true, false), &[("EHLO x", "250"), (rcpt, "503"), (mail, "250"), (mail, "503"), ("DATA", "503")]);
        talk(session(true, false), &[("EHLO x", "250"), ("MAIL FROM:<forbidden@x.example>", "550"), (rcpt, "503"), (mail, "250")]);
        talk(session(true, false), &[("EHLO x", "250"), ("MAIL FROM:<> SIZE=10000001", "552"), ("MAIL FROM:<> SIZE=10000000", "250")]);
        talk(session(false, false), &[("EHLO x", "250"), (mail, "530"), (rcpt, "503")]);
    }

    #[test]
    fn octets_behind_data_or_starttls_end_the_session_granted_or_not() {
        // M-12, M-30
        let (mail, rcpt) = (("MAIL FROM:<a@x.example>+", "250"), ("RCPT TO:<b@y.example>+", "250"));
        talk(session(true, false), &[("EHLO x+", "250"), mail, rcpt, ("DATA+", "554 close")]);
        talk(session(true, false), &[("DATA+", "554 close")]);
        talk(session(true, false), &[("EHLO x", "250"), ("STARTTLS+", "554 close")]);
    }

    #[test]
    fn auth_wants_tls_ehlo_and_no_transaction_and_comes_once() {
        // M-31, M-32; `AHNob3AAcA==` is NUL shop NUL p
        let auth = "AUTH PLAIN AHNob3AAcA==";
        let (mail, rcpt) = (("MAIL FROM:<a@x.example>", "250"), ("RCPT TO:<b@y.example>", "250"));
        talk(
            session(false, false),
            &[("EHLO x", "250"), (auth, "538"), ("STARTTLS", "220"), (auth, "503"), ("EHLO x", "250"), (auth, "235")],
        );
        talk(
            session(false, true),
            &[("EHLO x", "250"), (auth, "235"), (auth, "503"), mail, rcpt, ("DATA", "login a@x.example b@y.example 1")],
        );
        talk(session(true, true), &[("EHLO x", "250"), mail, (auth, "503"), ("STARTTLS", "503")]);
        talk(session(true, true), &[("HELO x", "250"), (auth, "503")]);
        talk(session(false, true), &[("EHLO x", "250"), ("AUTH PLAIN", "334"), ("*", "501"), ("AUTH PLAIN AGEAYg==", "535")]);
    }

    #[test]
    fn errors_are_counted_until_a_message_is_taken() {
        let (mail, rcpt) = (("MAIL FROM:<a@x.example>", "250"), ("RCPT TO:<b@y.example>", "250"));
        let data = ("DATA", "network a@x.example b@y.example 1");
        let bad = ("XYZZY", "500");
        talk(session(true, false), &[("EHLO x", "250"), bad, bad, bad, ("XYZZY", "421 close")]);
        talk(session(true, false), &[("EHLO x", "250"), bad, bad, bad, mail, rcpt, data, bad, bad, bad, ("XYZZY", "421 close")]);
        // Mail that is refused is the tool's daily life, not its error.
        let refused = ("MAIL FROM:<forbidden@x.example>", "550");
        talk(session(true, false), &[("EHLO x", "250"), refused, refused, refused, refused, refused, mail]);
    }
}
