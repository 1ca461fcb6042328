//! Nouns of mail: what travels through the gateway. Knows nothing of consent, databases or sockets.

mod address;
mod class;
mod envelope;
mod message;
mod outcome;
mod stream;

pub use address::{Address, AddressError};
pub use class::{Class, Classification, Step, Trust};
pub use envelope::{Body, Envelope, ReversePath};
pub use message::{Header, Message, MessageError};
pub use outcome::Outcome;
pub use stream::{DomainPattern, Stream, StreamClass};
