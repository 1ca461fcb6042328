//! How a message came in, for the trace field (RFC 5321 s.4.4). Without the client's address: that is nobody's business.

/// The client's side of one hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The name in EHLO: letters, digits and `-._:[]`, at most 255.
    pub helo: String,
    /// True for LMTP (RFC 2033), false for SMTP.
    pub lmtp: bool,
    /// True when it came over TLS.
    pub tls: bool,
    /// True when the stream was found by AUTH.
    pub authenticated: bool,
}
