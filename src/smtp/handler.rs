//! The seam between the server and whoever takes its messages: the gateway, or the demo's sink.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::mail::{Hop, Recipient, ReversePath, Sender, Stream};
use crate::wire::Reply;

/// What the server asks the gateway.
pub trait Handler: Send + Sync + 'static {
    /// The stream that the peer's network alone entitles to; `None`: the peer must authenticate.
    fn stream_of_peer(&self, peer: IpAddr) -> Option<Arc<Stream>>;

    /// The stream of a credential. Asked only under TLS, on a unix socket, or on loopback where the settings say so and no
    /// proxy is in between.
    fn authenticate(&self, username: &str, password: Zeroizing<String>) -> impl Future<Output = Authentication> + Send;

    /// Whether the stream may use this reverse-path (M-02); the reply is the answer to MAIL.
    fn reverse_path(&self, stream: &Stream, path: &ReversePath) -> Result<(), Reply>;

    /// Whether a recipient can be refused before there is a message: asked where the stream says that it shall be
    /// ([`AnswerProfile::RejectAtRcpt`](crate::mail::AnswerProfile)); the reply is the answer to RCPT. `Ok` promises nothing.
    fn recipient(&self, stream: &Stream, recipient: &Recipient) -> impl Future<Output = Result<(), Reply>> + Send;

    /// Octets of the largest message that can go on its way; `None`: nobody said so, the settings alone limit it. Asked when
    /// a client connects, for what it is told then holds for it (M-10).
    fn largest_message(&self) -> Option<usize> {
        None
    }

    /// Takes a message after its end-of-data. The replies answer it: one, or with [`Answers::Each`] one per recipient, in
    /// their order. Runs to its end even when the client is gone: then nobody hears the replies (I2).
    fn submit(&self, submission: Submission) -> impl Future<Output = Vec<Reply>> + Send;
}

/// The answer to a credential.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// It belongs to this stream.
    Granted(Arc<Stream>),
    /// It does not belong to anyone.
    Refused,
    /// It cannot be checked now; the client shall try again.
    Unavailable,
}

/// How many answers the client can hear after the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// One for all recipients (RFC 5321 s.4.2.5).
    One,
    /// One for each recipient: LMTP (RFC 2033 s.4.2), PRDR.
    Each,
}

/// One message, received completely.
#[derive(Clone)]
pub struct Submission {
    /// On whose behalf.
    pub stream: Arc<Stream>,
    /// From MAIL.
    pub sender: Sender,
    /// From RCPT; at least one.
    pub recipients: Vec<Recipient>,
    /// What the client can hear.
    pub answers: Answers,
    /// The message without dot-stuffing; CRLF line ends only, no NUL, lines of up to 998 octets.
    pub data: Vec<u8>,
    /// The client's address; IPv4 is never mapped into IPv6. `None`: a local process on a unix socket.
    pub peer: Option<SocketAddr>,
    /// How it came in.
    pub hop: Hop,
}
