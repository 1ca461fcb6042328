//! Nouns of mail: what travels through the gateway. Knows nothing of consent, databases or sockets.

mod address;
mod class;
mod crowd;
mod envelope;
mod hop;
mod lane;
mod message;
mod notify;
mod outcome;
mod redact;
mod stream;

pub use address::{Address, AddressError};
pub use class::{Class, Classification, Step, Trust};
pub use crowd::CrowdRow;
pub use envelope::{Body, Envelope, Recipient, ReversePath, Sender};
pub use hop::Hop;
pub use lane::Lane;
pub use message::{Header, Message, MessageError};
pub use notify::{Notify, Return, is_xtext};
pub use outcome::Outcome;
pub use redact::redact;
pub use stream::{AnswerProfile, Bulk, Dispute, DomainPattern, Stream, StreamClass, StreamMode};
