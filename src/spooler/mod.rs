//! Later attempts at what waits: copies in the spool, and the gateway's own letters. Nothing is decided here but when, and
//! what follows: the decision is the gateway's, taken anew before each attempt (I3).
//!
//! `run` is the loop over the copies, `follow` what an attempt leads to, `schedule` the pauses, `letters` the gateway's
//! own mails.

mod follow;
mod letters;
mod run;
mod schedule;
mod settings;

pub use letters::run as run_letters;
pub use run::run;
pub use settings::SpoolSettings;
