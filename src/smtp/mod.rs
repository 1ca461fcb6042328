//! The SMTP submission server (RFC 6409): strict about lines, order and sizes, and nothing beyond. It
//! knows streams and envelopes; whether a mail may pass is the [`Handler`]'s business.
//!
//! From the wire inwards: `listener` and `unix` (where connections come in), `serve` (accepts and drains), `places` and
//! `budget` (limits over all listeners), `pace` and `guessing` (how often), `proxy` (who it is behind a proxy), `connection` (octets, deadlines), `transfer` (a message on the wire), `data` and
//! `chunk` (where it ends), `draft` (what has arrived of it), `session` (order of commands, no I/O), `transaction` (a
//! complete envelope, its replies), `command` and `auth` (one line), `reply` (every answer by name).

mod auth;
mod budget;
mod chunk;
mod command;
mod connection;
mod data;
mod draft;
mod guessing;
mod handler;
mod listener;
mod pace;
mod places;
mod proxy;
mod reply;
mod serve;
mod server;
mod session;
mod settings;
mod transaction;
mod transfer;
mod unix;

pub use handler::{Answers, Authentication, Handler, Submission};
pub use listener::{Door, Protocol, Socket, Tls};
pub use serve::serve;
pub use server::Server;
pub use settings::{SettingsError, SmtpSettings, StreamRates};
pub use unix::{UnixSocket, UnixSocketError};
