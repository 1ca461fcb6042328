//! The SMTP envelope: who gets bounces, who gets the mail, which extensions it needs.

use super::Address;
use super::notify::{Notify, Return};

/// Where delivery reports go (RFC 5321 s.2.3.1). The null path is kept as `<>` (M-53).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nobody wants a report about this mail.
    Null,
    /// Reports go here.
    Mailbox(Address),
}

impl ReversePath {
    /// The text between the angle brackets of `MAIL FROM:<…>`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Null => "",
            Self::Mailbox(address) => address.as_str(),
        }
    }
}

/// The `BODY=` parameter of MAIL (RFC 6152 s.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// Seven-bit text, the default.
    #[default]
    SevenBit,
    /// Octets above 127 may occur.
    EightBit,
}

/// What MAIL says; the same for all recipients of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// From `MAIL FROM`.
    pub reverse_path: ReversePath,
    /// From `BODY=`.
    pub body: Body,
    /// True when the client asked for SMTPUTF8 (RFC 6531 s.3.4).
    pub smtputf8: bool,
    /// `RET=`: how much of the message a report of failure shall hold (RFC 3461 s.4.3).
    pub ret: Option<Return>,
    /// `ENVID=`: the client's name for the envelope, as xtext, for reports about it (RFC 3461 s.4.4).
    pub envid: Option<String>,
}

impl Sender {
    /// A sender with nothing but a path.
    pub fn new(reverse_path: ReversePath) -> Self {
        Self { reverse_path, body: Body::default(), smtputf8: false, ret: None, envid: None }
    }
}

/// What one RCPT says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// From `RCPT TO`, byte-exact (M-20).
    pub address: Address,
    /// `NOTIFY=` (RFC 3461 s.4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=`: address type and original recipient as xtext (RFC 3461 s.4.2).
    pub orcpt: Option<String>,
}

impl Recipient {
    /// A recipient with nothing but an address.
    pub fn new(address: Address) -> Self {
        Self { address, notify: None, orcpt: None }
    }
}

/// The envelope of one copy: exactly one recipient (M-61: content is per recipient).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Of the message.
    pub sender: Sender,
    /// Of this copy.
    pub recipient: Recipient,
}
