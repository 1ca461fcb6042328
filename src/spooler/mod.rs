//! Later attempts at what waits: copies in the spool, and the gateway's own letters. Nothing is decided here but when, and
//! what follows: the decision is the gateway's, taken anew before each attempt (I3).
//!
//! `run` is the loop over the copies, `follow` what an attempt leads to, `fate` what the sender is told, `schedule` the pauses, `letters` the gateway's
//! own mails.

mod fate;
mod follow;
mod letters;
mod run;
mod schedule;
mod settings;

use std::time::Duration;

pub use letters::run as run_letters;
pub use run::run;
pub use settings::SpoolSettings;

/// How long deliveries under way may take at a shutdown; what is not settled then waits for the next start.
const DRAIN: Duration = Duration::from_secs(30);
