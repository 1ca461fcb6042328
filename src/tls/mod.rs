//! TLS on both sides of the gateway: rustls with aws-lc-rs, TLS 1.2 or newer (M-33). Knows no SMTP.

mod connector;

pub use connector::{Connector, ConnectorError};
