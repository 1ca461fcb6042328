//! The SMTP submission server (RFC 6409): strict about lines, order and sizes, and nothing beyond. It
//! knows streams and envelopes; whether a mail may pass is the [`Handler`]'s business.
//!
//! From the wire inwards: `server` (listener, limits, drain), `connection` (octets, deadlines), `data` (the end of
//! a message), `session` (order of commands, no I/O), `command` and `auth` (one line), `reply` (every answer by name).

mod auth;
mod budget;
mod command;
mod connection;
mod data;
mod handler;
mod reply;
mod room;
mod server;
mod session;
mod settings;

pub use handler::{Answers, Authentication, Handler, Submission};
pub use room::Tls;
pub use server::serve;
pub use settings::{SettingsError, SmtpSettings};
