//! A submission, read: the message indexed, its senders known. What cannot be read the same way by
//! everybody is refused here, before anything is decided.

use std::sync::Arc;

use crate::mail::{Address, Body, Envelope, Message, MessageError, Stream};
use crate::smtp::Submission;

/// A message that may be decided on.
pub(super) struct Incoming {
    pub(super) stream: Arc<Stream>,
    pub(super) envelope: Envelope,
    pub(super) message: Message,
    /// From, then Sender; at least one.
    pub(super) senders: Vec<Address>,
    pub(super) hop: Hop,
}

/// How the message came in, for the trace field.
pub(super) struct Hop {
    pub(super) helo: String,
    pub(super) tls: bool,
    pub(super) authenticated: bool,
}

impl Incoming {
    pub(super) fn accept(submission: Submission) -> Result<Self, MessageError> {
        let Submission { stream, sender, mut recipients, data, helo, tls, authenticated, .. } = submission;
        let mut envelope = Envelope { sender, recipient: recipients.remove(0) };
        let message = Message::parse(data, envelope.sender.smtputf8)?;
        let senders = senders(&message)?;
        if !message.raw().is_ascii() {
            envelope.sender.body = Body::EightBit; // whatever the client said: the outbound MTA must know (RFC 6152 s.3)
        }
        Ok(Self { stream, envelope, message, senders, hop: Hop { helo, tls, authenticated } })
    }
}

/// Everybody whom the mail claims to come from: From and Sender (M-02, RFC 5322 s.3.6.2).
fn senders(message: &Message) -> Result<Vec<Address>, MessageError> {
    let mut senders = message.from()?;
    senders.extend(message.sender()?);
    Ok(senders)
}
