//! TLS of the SMTP side: the listener's certificate and the outbound MTA's roots. One provider
//! (aws-lc-rs), TLS 1.2 or later (M-33). Knows no SMTP.

mod acceptor;
mod connector;

pub use acceptor::{Acceptor, TlsError};
pub use connector::{Connector, ConnectorError};
