//! TLS on both sides, one stack (rustls) and one provider (aws-lc-rs). Opens no sockets itself.

mod acceptor;

pub use acceptor::{Acceptor, TlsError};
