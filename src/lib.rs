//! Consentry: an SMTP gateway that enforces consent.
//!
//! For every message and every recipient it answers one question before anything leaves: *on which
//! legal basis may this person get this mail now?* No basis, no mail, and a record that says why.
//!
//! # The trip of one mail
//!
//! ```text
//! accept -> classify -> decide -> record -> rewrite -> sign -> relay -> settle
//! smtp/     classify/   decide    store/    rewrite/   sign    relay    store/
//! ```
//!
//! [`gateway`] joins these steps; read it first.
//!
//! # Rooms
//!
//! * Nouns: [`mail`] (address, envelope, message, stream, class, outcome) and [`consent`] (subject,
//!   topic, event, standing, reason, decision).
//! * The rules: [`policy`] (profiles as data, exemptions, what counts as similar).
//! * Where data is and may be: [`residency`] (places, processors, the law on transfers).
//! * Pure verbs: [`classify`], [`decide`], [`rewrite`], [`sign`], [`token`], [`compose`], [`crypto`].
//!   They name no clock, no randomness, no tokio and no database: what they need is an argument.
//! * Adapters: [`smtp`], [`relay`], [`store`]; they never import each other. [`wire`] and [`tls`] are
//!   shared by the first two; [`credentials`] knows who may submit, [`entropy`] where randomness comes from.
//! * Joiners: [`gateway`] (one mail's trip), [`desk`] (what recipients and tools ask), [`office`] (what operators
//!   do), [`spooler`] (later attempts: what waits, and the gateway's own mails), [`retention`] (what goes when its time has come),
//!   [`simulate`] (what other rules would have done), [`http`] (the pages
//!   and the API of desk and office), [`inbound`] (mail that answers ours).
//! * [`config`] composes the rooms' settings; [`cli`] starts things.
//!
//! # Invariants
//!
//! * **I1** No marketing copy leaves without a durable decision record that names its legal basis.
//! * **I2** 250 means: taken by the outbound MTA, or durable in the spool, or (answer profile `accept` only) blocked and
//!   recorded. After 4yz or 5yz nothing of it is delivered.
//! * **I3** A withdrawal acts on every message whose end-of-data comes after the answer to it, and on every later attempt
//!   at one that waits.
//! * **I4** Ledger unreachable: 451, never a pass.
//! * **I5** Nobody can grant consent for someone else: only a confirmed double opt-in grants.
//! * **I6** GET and HEAD change nothing; the one-click POST needs no cookie, login or redirect.
//! * **I7** The ledger is append-only.
//! * **I8** No address, IP, token or subject line in logs, reply texts or URLs; personal fields at
//!   rest are encrypted, look-up is by keyed hash.
//! * **I9** Exactly one List-Unsubscribe and List-Unsubscribe-Post on marketing, none elsewhere;
//!   the DKIM signature covers both.
//! * **I10** One message in is never two messages out; bytes that were not ours are unchanged.

pub mod classify;
pub mod cli;
pub mod compose;
pub mod config;
pub mod consent;
pub mod credentials;
pub mod crypto;
pub mod decide;
pub mod desk;
pub mod entropy;
pub mod gateway;
pub mod http;
pub mod inbound;
pub mod mail;
pub mod office;
pub mod policy;
pub mod relay;
pub mod residency;
pub mod retention;
pub mod rewrite;
pub mod sign;
pub mod simulate;
pub mod smtp;
pub mod spooler;
pub mod store;
pub mod tls;
pub mod token;
pub mod wire;
