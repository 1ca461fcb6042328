//! What is sealed in the spool's rows: addresses, and words that may hold one.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{CopyId, Ground, NewSpooled, SpoolId};
use crate::crypto::DataKey;
use crate::entropy::random;
use crate::mail::{Address, Body, Class, Hop, Notify, Recipient, Return, ReversePath, Sender};
use crate::store::StoreError;

/// What is known of a message besides its octets.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    reverse_path: String,
    eight_bit: bool,
    smtputf8: bool,
    ret: Option<String>,
    envid: Option<String>,
    helo: String,
    lmtp: bool,
    tls: bool,
    authenticated: bool,
}

/// What is known of a copy, opened.
type CopyParts = (Recipient, Option<String>, Option<String>, Option<Class>);

/// What is known of a copy.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedCopy {
    address: String,
    notify: Option<String>,
    orcpt: Option<String>,
    says: Option<String>,
    last: Option<String>,
    ruling: Option<String>,
}

impl Head {
    pub(super) fn of(message: &NewSpooled) -> Self {
        let NewSpooled { sender, hop, .. } = message;
        Self {
            reverse_path: sender.reverse_path.as_str().to_owned(),
            eight_bit: sender.body == Body::EightBit,
            smtputf8: sender.smtputf8,
            ret: sender.ret.map(|ret| ret.as_str().to_owned()),
            envid: sender.envid.clone(),
            helo: hop.helo.clone(),
            lmtp: hop.lmtp,
            tls: hop.tls,
            authenticated: hop.authenticated,
        }
    }

    pub(super) fn seal(&self, key: &DataKey, id: SpoolId) -> Vec<u8> {
        seal(key, &place("head", id, 0), self)
    }

    pub(super) fn open(key: &DataKey, id: SpoolId, sealed: &[u8]) -> Result<Self, StoreError> {
        open(key, &place("head", id, 0), sealed)
    }

    pub(super) fn parts(self) -> Result<(Sender, Hop), StoreError> {
        let reverse_path = match self.reverse_path.as_str() {
            "" => ReversePath::Null,
            text => ReversePath::Mailbox(address(text)?),
        };
        let sender = Sender {
            reverse_path,
            body: if self.eight_bit { Body::EightBit } else { Body::SevenBit },
            smtputf8: self.smtputf8,
            ret: self.ret.as_deref().and_then(Return::parse),
            envid: self.envid,
        };
        Ok((sender, Hop { helo: self.helo, lmtp: self.lmtp, tls: self.tls, authenticated: self.authenticated }))
    }
}

impl SealedCopy {
    pub(super) fn of(recipient: &Recipient, ground: Option<&Ground>, last: Option<&str>, ruling: Option<Class>) -> Self {
        Self {
            address: recipient.address.as_str().to_owned(),
            notify: recipient.notify.map(|notify| notify.to_string()),
            orcpt: recipient.orcpt.clone(),
            says: ground.map(|ground| ground.says.clone()),
            last: last.map(str::to_owned),
            ruling: ruling.map(|class| class.as_str().to_owned()),
        }
    }

    pub(super) fn seal(&self, key: &DataKey, id: CopyId) -> Vec<u8> {
        seal(key, &place("copy", id.message, id.number), self)
    }

    pub(super) fn open(key: &DataKey, id: CopyId, sealed: &[u8]) -> Result<Self, StoreError> {
        open(key, &place("copy", id.message, id.number), sealed)
    }

    /// The recipient, what the decision said, the last words, what a person said.
    pub(super) fn parts(self) -> Result<CopyParts, StoreError> {
        let ruling =
            self.ruling.as_deref().map(|word| Class::parse(word).ok_or(StoreError::Damaged("a ruling in the spool"))).transpose()?;
        let notify = self.notify.as_deref().and_then(Notify::parse);
        Ok((Recipient { address: address(&self.address)?, notify, orcpt: self.orcpt }, self.says, self.last, ruling))
    }
}

/// Where a sealed value belongs: moved to another row it does not open.
pub(super) fn place(column: &str, message: SpoolId, number: u32) -> Vec<u8> {
    [b"spool\0", column.as_bytes(), b"\0", &message.0[..], &number.to_be_bytes()[..]].concat()
}

fn seal(key: &DataKey, place: &[u8], value: &impl Serialize) -> Vec<u8> {
    let plain = Zeroizing::new(serde_json::to_vec(value).expect("texts and flags serialise"));
    key.seal(random(), place, &plain)
}

fn open<T: for<'de> Deserialize<'de>>(key: &DataKey, place: &[u8], sealed: &[u8]) -> Result<T, StoreError> {
    let plain = key.open(place, sealed).ok_or(StoreError::Damaged("a spooled message"))?;
    serde_json::from_slice(&plain).map_err(|_| StoreError::Damaged("a spooled message"))
}

fn address(text: &str) -> Result<Address, StoreError> {
    Address::parse(text).map_err(|_| StoreError::Damaged("an address in the spool"))
}
