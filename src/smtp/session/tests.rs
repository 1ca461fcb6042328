//! Dialogues without a wire: what each line leads to.

use super::super::handler::Submission;
use super::*;
use crate::mail::AnswerProfile;
use crate::mail::Dispute;
use crate::mail::{StreamClass, StreamMode};
use crate::smtp::Protocol;
use crate::wire::Enhanced;
use std::net::SocketAddr;

fn stream(name: &str) -> Arc<Stream> {
    let (name, controller) = (name.to_owned(), "c".to_owned());
    let answer = if name == "login" { AnswerProfile::Reject } else { AnswerProfile::RejectAtRcpt };
    Arc::new(Stream {
        name,
        controller,
        class: StreamClass::Marketing,
        topic: None,
        from_domains: Vec::new(),
        answer,
        mode: StreamMode::Enforce,
        disputed: Dispute::Enforce,
        bulk: Default::default(),
    })
}

fn session(network: bool, tls: bool) -> Session {
    let settings = Arc::new(SmtpSettings { max_errors: 4, max_recipients: 2, max_idle_commands: 12, ..SmtpSettings::default() });
    let peer = Some(SocketAddr::from(([192, 0, 2, 1], 9)));
    let origin =
        Origin { protocol: Protocol::Smtp, peer, local: false, stream: network.then(|| stream("network")), login: true, tls_offered: true };
    let largest = settings.max_message_size;
    let session = Session::new(settings, origin, largest);
    if tls { session.tls_up() } else { session }
}

struct Rules;

impl Policy for Rules {
    fn mail(&self, _: &Stream, path: &ReversePath) -> Result<(), Reply> {
        match path {
            ReversePath::Mailbox(address) if address.local() == "forbidden" => Err(Reply::new(550, Enhanced(5, 7, 1), "no")),
            _ => Ok(()),
        }
    }

    fn rcpt(&self, _: &Stream) -> Result<(), Reply> {
        Ok(())
    }
}

/// Says one line; credentials `shop` are granted, messages are taken.
fn say(session: Session, line: &str) -> (Session, String) {
    let (line, followed) = line.strip_suffix('+').map_or((line, false), |line| (line, true));
    let (session, step) = session.line(line.as_bytes(), followed, &Rules);
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
        Step::Chunk { octets, .. } => {
            let refusal = (octets > 100).then_some(reply::MESSAGE_TOO_BIG);
            let (session, Step::Answer(reply) | Step::Close(reply)) = session.chunked(refusal) else { panic!("no reply") };
            (session, reply.code.to_string())
        }
        Step::Skip { reply, .. } => (session, format!("{} skip", reply.code)),
        Step::Receive(transaction) | Step::LastChunk { transaction, .. } => {
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
    for refused in [("RCPT TO:<ü@y.example>", "553"), ("RCPT TO:<a b>", "553"), ("RCPT TO", "501"), ("RCPT TO:<nobody@y.example>", "550")]
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
    talk(session(false, false), &[("EHLO x", "250"), (auth, "538"), ("STARTTLS", "220"), (auth, "503"), ("EHLO x", "250"), (auth, "235")]);
    talk(session(false, true), &[("EHLO x", "250"), (auth, "235"), (auth, "503"), mail, rcpt, ("DATA", "login a@x.example b@y.example 1")]);
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

#[test]
fn chunks_hold_the_transaction_until_last_or_rset() {
    // M-13
    let (mail, rcpt) = (("MAIL FROM:<a@x.example>", "250"), ("RCPT TO:<b@y.example>", "250"));
    let last = ("BDAT 1 LAST", "network a@x.example b@y.example 1");
    talk(session(true, false), &[("EHLO x", "250"), mail, rcpt, ("BDAT 1+", "250"), ("BDAT 0", "250"), last, mail, rcpt, last]);
    for (line, code) in [
        ("DATA", "503"),
        ("MAIL FROM:<>", "503"),
        ("RCPT TO:<c@y.example>", "503"),
        ("STARTTLS", "503"),
        ("NOOP", "250"),
        ("BDAT 101", "552"),
    ] {
        let next = if line == "BDAT 101" { ("BDAT 1 LAST", "503 skip") } else { last };
        talk(session(true, false), &[("EHLO x", "250"), mail, rcpt, ("BDAT 1", "250"), (line, code), next, mail]);
    }
    talk(session(true, false), &[("EHLO x", "250"), mail, rcpt, ("BDAT 1", "250"), ("RSET", "250"), ("BDAT 1 LAST", "503 skip"), mail]);
    talk(session(true, false), &[("EHLO x", "250"), mail, ("BDAT 1 LAST", "503 skip"), rcpt, ("BDAT x", "501 close")]);
    let (bad, over) = (("BDAT 9", "503 skip"), ("BDAT 9", "421 close"));
    talk(session(true, false), &[bad, bad, bad, over]);
}

#[test]
fn commands_that_lead_nowhere_are_counted_until_there_is_a_message() {
    let (mail, rcpt, noop) = (("MAIL FROM:<a@x.example>", "250"), ("RCPT TO:<b@y.example>", "250"), ("NOOP", "250"));
    let idle = [noop; 11];
    let data = ("DATA", "network a@x.example b@y.example 1");
    talk(session(true, false), &[&[("EHLO x", "250")][..], &idle, &[mail, ("RSET", "250"), mail, ("NOOP", "421 close")]].concat());
    for work in [&[mail, rcpt, data][..], &[mail, ("RCPT TO:<nobody@y.example>", "550")]] {
        let after = [&[("EHLO x", "250")][..], &idle, work, &idle, &[noop, ("NOOP", "421 close")]].concat();
        talk(session(true, false), &after);
    }
}
