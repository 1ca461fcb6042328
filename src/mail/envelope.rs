//! The SMTP envelope of one copy: who gets bounces, who gets the mail, which extensions it needs.

use super::Address;

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

/// The envelope of one copy: exactly one recipient (M-61: content is per recipient).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// From `MAIL FROM`.
    pub reverse_path: ReversePath,
    /// From `RCPT TO`, byte-exact (M-20).
    pub recipient: Address,
    /// From `BODY=`.
    pub body: Body,
    /// True when the client asked for SMTPUTF8 (RFC 6531 s.3.4).
    pub smtputf8: bool,
}
