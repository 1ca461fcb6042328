//! A submission, read: the message indexed, its senders known. What cannot be read the same way by
//! everybody is refused here, before anything is decided.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Gateway;
use crate::consent::CopyKey;
use crate::mail::{Address, Body, Envelope, Hop, Message, MessageError, Recipient, Sender, Stream};
use crate::rewrite::Reading;

/// A message that may be decided on.
pub struct Incoming {
    pub(super) stream: Arc<Stream>,
    pub(super) sender: Sender,
    pub(super) message: Message,
    /// From, then Sender; at least one.
    pub(super) senders: Vec<Address>,
    pub(super) hop: Hop,
    /// Read once for all copies.
    pub(super) reading: Reading,
}

impl Incoming {
    pub(super) fn accept(stream: Arc<Stream>, mut sender: Sender, hop: Hop, data: Vec<u8>) -> Result<Self, MessageError> {
        let message = Message::parse(data, sender.smtputf8)?;
        let senders = senders(&message)?;
        if !message.raw().is_ascii() {
            sender.body = Body::EightBit; // whatever the client said: the outbound MTA must know (RFC 6152 s.3)
        }
        Ok(Self { stream, sender, message, senders, hop, reading: Reading::default() })
    }

    /// The envelope of one copy.
    pub(super) fn envelope(&self, recipient: &Recipient) -> Envelope {
        Envelope { sender: self.sender.clone(), recipient: recipient.clone() }
    }
}

impl Gateway {
    /// What each recipient's copy is known by when the client sends it again (M-08); none for a mail without Message-ID,
    /// because two such may be two mails that say the same.
    pub(super) fn fingerprints(&self, incoming: &Incoming, recipients: &[Recipient]) -> Vec<Option<CopyKey>> {
        let message_id = if self.twins.window.is_zero() { None } else { incoming.message.value("Message-ID") };
        let Some(message_id) = message_id else { return vec![None; recipients.len()] };
        let content = Sha256::digest(incoming.message.raw());
        let reverse_path = incoming.sender.reverse_path.as_str();
        let key = |recipient: &Recipient| {
            let [stream, from, to, id] = [&incoming.stream.name, reverse_path, recipient.address.as_str(), &*message_id].map(str::as_bytes);
            Some(self.store.keyring().copy_key(&[stream, from, to, id, &content]))
        };
        recipients.iter().map(key).collect()
    }
}

/// Everybody whom the mail claims to come from: From and Sender (M-02, RFC 5322 s.3.6.2).
fn senders(message: &Message) -> Result<Vec<Address>, MessageError> {
    let mut senders = message.from()?;
    senders.extend(message.sender()?);
    Ok(senders)
}
