//! What `tests/fuzz` tries with random octets: the session with its commands, and the readers of messages. Panics where a
//! promise is broken. Not part of the product: built by cargo-fuzz only.

use std::sync::Arc;

use crate::mail::{AnswerProfile, Dispute, ReversePath, Stream, StreamClass, StreamMode};
use crate::wire::Reply;

use super::chunk::ChunkReader;
use super::data::DataReader;
use super::handler::Authentication;
use super::listener::Protocol;
use super::reply;
use super::session::{Origin, Policy, Session, Step};
use super::settings::SmtpSettings;

struct Anything;

impl Policy for Anything {
    fn mail(&self, _: &Stream, _: &ReversePath) -> Result<(), Reply> {
        Ok(())
    }

    fn rcpt(&self, _: &Stream) -> Result<(), Reply> {
        Ok(())
    }
}

/// Lines of one session. The first octet says where it takes place.
pub fn command(octets: &[u8]) {
    let Some((place, lines)) = octets.split_first() else { return };
    let answer = if place & 1 == 0 { AnswerProfile::Reject } else { AnswerProfile::RejectAtRcpt };
    let (name, controller) = (String::from("stream"), String::from("controller"));
    let stream = Arc::new(Stream {
        name,
        controller,
        class: StreamClass::Declared,
        topic: None,
        from_domains: Vec::new(),
        answer,
        mode: StreamMode::Enforce,
        disputed: Dispute::Enforce,
        bulk: Default::default(),
    });
    let settings =
        Arc::new(SmtpSettings { max_errors: u32::MAX, max_idle_commands: u32::MAX, max_recipients: 3, ..SmtpSettings::default() });
    let origin = Origin {
        protocol: if place & 2 == 0 { Protocol::Smtp } else { Protocol::Lmtp },
        peer: None,
        local: true,
        stream: (place & 4 == 0).then(|| stream.clone()),
        login: true,
        tls_offered: true,
    };
    let largest = settings.max_message_size;
    let mut session = Session::new(settings, origin, largest);
    for line in lines.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (mut next, mut step) = session.line(line, false, &Anything);
        session = loop {
            match step {
                Step::Answer(reply) => {
                    check(&reply);
                    break next;
                }
                Step::Close(reply) => return check(&reply),
                Step::StartTls(_) => break next.tls_up(),
                Step::Authenticate(given) => {
                    let right = given.password.len() % 2 == 0;
                    let answer = if right { Authentication::Granted(stream.clone()) } else { Authentication::Refused };
                    (next, step) = next.authenticated(answer);
                }
                Step::Check(_, recipient) => {
                    let refused = recipient.address.as_str().len() % 2 == 0;
                    (next, step) = next.checked(recipient, if refused { Err(reply::TOO_FAST) } else { Ok(()) });
                }
                Step::Receive(transaction) | Step::LastChunk { transaction, .. } => {
                    let (ending, recipients) = (transaction.ending, transaction.recipients.len());
                    assert!((1..=3).contains(&recipients));
                    let submission = transaction.with(Vec::new());
                    assert!(!submission.hop.helo.is_empty());
                    let replies = ending.answer(recipients, vec![reply::OK; recipients]);
                    assert!(!next.is_chunking() && next.is_idle());
                    break next.settled(&replies);
                }
                Step::Chunk { octets, .. } => {
                    assert!(next.is_chunking());
                    (next, step) = next.chunked((octets % 2 == 1).then_some(reply::MESSAGE_TOO_BIG));
                }
                Step::Skip { reply, .. } => step = Step::Answer(reply),
            }
        };
    }
}

/// One reply is one reply.
fn check(reply: &Reply) {
    let mut out = Vec::new();
    reply.write(&mut out);
    assert!(matches!(Reply::scan(&out), Ok(Some((code, length))) if code == reply.code && length == out.len()));
}

/// A message by DATA and by chunks. The first octets say how it is cut; a cut changes nothing.
pub fn data(octets: &[u8]) {
    let Some((cuts, input)) = octets.split_at_checked(4) else { return };
    let sizes = || cuts.iter().map(|cut| usize::from(cut % 16) + 1).cycle();
    let whole = by_data(input, std::iter::once(input.len().max(1)).cycle());
    assert_eq!(by_data(input, sizes()), whole);
    // the end is where RFC 5321 says, and nowhere inside
    let line_first = [b"\r\n", input].concat();
    let end = memchr::memmem::find(&line_first, b"\r\n.\r\n").map(|at| at + 3);
    assert_eq!(whole.as_ref().map(|(end, _)| *end), end);
    if let Some((end, Ok(message))) = &whole {
        let mut stuffed = Vec::new();
        crate::wire::stuff(message, &mut stuffed);
        // what a client stuffed without need comes back without it, so the message itself must come back
        let again = by_data(&stuffed, sizes());
        assert_eq!(again, Some((stuffed.len(), Ok(message.clone()))));
        assert_eq!(by_chunks(message, sizes()).as_ref(), Ok(message));
        assert!(*end <= input.len() && clean(message));
    }
    let whole = by_chunks(input, std::iter::once(input.len().max(1)).cycle());
    assert_eq!(by_chunks(input, sizes()), whole);
    if let Ok(message) = whole {
        assert!(clean(&message) && message.starts_with(input));
    }
}

fn clean(message: &[u8]) -> bool {
    let cr = message.iter().filter(|octet| **octet == b'\r').count();
    let lf = message.iter().filter(|octet| **octet == b'\n').count();
    !message.contains(&0) && cr == lf && memchr::memmem::find_iter(message, b"\r\n").count() == cr
}

type Read = Result<Vec<u8>, u16>;

fn by_data(input: &[u8], sizes: impl Iterator<Item = usize>) -> Option<(usize, Read)> {
    let mut reader = DataReader::new(4096);
    let mut at = 0;
    for size in sizes {
        if at == input.len() {
            return None;
        }
        let piece = &input[at..input.len().min(at + size)];
        if let Some(consumed) = reader.feed(piece) {
            return Some((at + consumed, reader.draft.finish().map_err(|reply| reply.code)));
        }
        at += piece.len();
    }
    None
}

fn by_chunks(input: &[u8], sizes: impl Iterator<Item = usize>) -> Read {
    let mut reader = ChunkReader::new(4096);
    let mut at = 0;
    for size in sizes {
        if at == input.len() {
            break;
        }
        let piece = &input[at..input.len().min(at + size)];
        reader.feed(piece);
        at += piece.len();
    }
    reader.end();
    reader.draft.finish().map_err(|reply| reply.code)
}
