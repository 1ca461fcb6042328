//! The trip of one mail: accept, classify, decide, record, rewrite, sign, relay, settle. Read this
//! first. Each step is a call into its room; what is here is their order, and what a failure means.

mod attempt;
mod copy;
mod crowd;
mod early;
mod handler;
mod incoming;
mod keep;
mod replies;
mod reports;
mod several;
mod twins;
mod weigh;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub use self::attempt::{Attempt, Failure, Opened};
pub use self::copy::marketing;
pub use self::crowd::share_crowds;
pub use self::incoming::Incoming;
pub use self::keep::{FIRST_PAUSE, LAST_WORD, Late};
pub use self::replies::blocked_text;
pub use self::reports::relayed;
pub use self::twins::Twins;
use self::twins::{Boarding, Flight};
use self::weigh::Weighed;
use crate::classify::{Classifier, Crowds};
use crate::compose::{Footers, PublicUrl};
use crate::consent::{Catalogue, CopyKey, Decision, Reason, TextVersion, Verdict};
use crate::credentials::Credentials;
use crate::mail::{Classification, Outcome, Recipient};
use crate::policy::{Ecg, Policy};
use crate::relay::{Answered, Relay};
use crate::rewrite::{RewriteSettings, Trackers, tool_unsubscribe};
use crate::sign::Signers;
use crate::smtp::{Answers, Submission};
use crate::store::{CopyState, Durable, Store};
use crate::token::LinkRing;
use crate::wire::Reply;

/// Everything one mail's trip needs; shared by all sessions.
pub struct Gateway {
    /// The ledger.
    pub store: Store,
    /// The way out.
    pub relay: Relay,
    /// Who may submit.
    pub credentials: Credentials,
    /// Controllers and topics.
    pub catalogue: Arc<Catalogue>,
    /// The rules that decisions follow.
    pub policy: Arc<Policy>,
    /// Their version, for the record (L-AD-07).
    pub rules: TextVersion,
    /// What tells what a mail is.
    pub classifier: Arc<Classifier>,
    /// How many people get the same text.
    pub crowds: Mutex<Crowds>,
    /// The Austrian list.
    pub ecg: Ecg,
    /// Keys of the unsubscribe links.
    pub links: LinkRing,
    /// The visible part of the unsubscribe link, prepared per topic and language.
    pub footers: Footers,
    /// What is known of tools that measure people.
    pub trackers: Trackers,
    /// What the operator says of rewriting.
    pub rewriting: RewriteSettings,
    /// DKIM keys.
    pub signers: Arc<Signers>,
    /// This host's name, for trace fields and reports.
    pub hostname: String,
    /// Base of the links.
    pub public_url: PublicUrl,
    /// What was taken lately.
    pub twins: Twins,
    /// How long a client waits for the outbound MTA's last word. Then the copy is in doubt, and ours (M-08).
    pub doubt_after: Duration,
    /// Octets that may wait in the spool.
    pub spool_limit: u64,
    /// How long mail is held for a person.
    pub hold_for: Duration,
    /// Copies whose last word takes long go to the spooler.
    pub late: mpsc::UnboundedSender<Late>,
}

impl Gateway {
    /// Takes one message on its trip; the replies answer the client's end-of-data.
    pub async fn trip(&self, submission: Submission) -> Vec<Reply> {
        let Submission { stream, sender, recipients, answers, data, hop, .. } = submission;
        let (recipients, named) = several::distinct(recipients);
        let number = if answers == Answers::Each { named.len() } else { 1 };
        let incoming = match Incoming::accept(stream, sender, hop, data) {
            Ok(incoming) => incoming,
            Err(error) => return vec![replies::malformed(&error); number],
        };
        let fingerprints = self.fingerprints(&incoming, &recipients);
        let classification = self.classify(&incoming, &recipients);
        weigh::tell_dispute(&incoming.stream, &classification);
        let replies = match <[Recipient; 1]>::try_from(recipients) {
            Ok([recipient]) => vec![self.one(incoming, recipient, fingerprints[0], classification).await],
            Err(recipients) => self.several(incoming, recipients, &fingerprints, classification, answers).await,
        };
        match answers {
            Answers::One => replies,
            Answers::Each => named.into_iter().map(|copy| replies[copy].clone()).collect(),
        }
    }

    /// A message to one recipient: the client's answer is the outbound MTA's answer.
    async fn one(&self, incoming: Incoming, recipient: Recipient, key: Option<CopyKey>, classification: Classification) -> Reply {
        let flight = match self.twins.board(key, Timestamp::now()) {
            Boarding::Fresh(flight) => flight,
            Boarding::Taken(decision) => return replies::taken_before(decision),
            Boarding::Flying => return replies::twin(),
        };
        let weighed = match self.decide(&incoming, &recipient, key, classification).await {
            Ok(weighed) => weighed,
            Err(error) => return replies::ledger_unavailable(&error), // I4
        };
        let decision = &weighed.decision;
        // I1: recording begins now; nothing that could be delivered is sent before it is durable
        let recorded = self.record(decision, &incoming);
        match decision.reason.verdict() {
            Verdict::Pass => self.pass(&weighed, incoming, recipient, flight, recorded).await,
            Verdict::Hold => match recorded.await {
                Ok(()) => self.hold(decision, incoming, recipient, flight).await,
                Err(error) => replies::ledger_unavailable(&error),
            },
            Verdict::Block | Verdict::Defer => match recorded.await {
                Ok(()) => replies::blocked(decision, incoming.stream.answer),
                Err(error) => replies::ledger_unavailable(&error),
            },
        }
    }

    /// Relays the copy. The envelope's dialogue, the rewriting and the signature overlap the commit of the
    /// record; the message itself waits for it. A client hears within `doubt_after`, whatever the outbound MTA does.
    async fn pass(&self, weighed: &Weighed, incoming: Incoming, recipient: Recipient, flight: Flight, recorded: Durable) -> Reply {
        let decision = &weighed.decision;
        let deadline = Instant::now() + self.doubt_after;
        let transaction = timeout_at(deadline, self.relay.begin(&incoming.envelope(&recipient), weigh::lane(decision))).await;
        let copy = self.copy(weighed, &incoming);
        if let Err(error) = recorded.await {
            return replies::ledger_unavailable(&error); // dropping the transaction sends no dot
        }
        let Answered { outcome, reports } = match (transaction, copy) {
            (_, Err(error)) => {
                let refused = copy::refused(&error);
                self.store.settle(decision.id, Timestamp::now(), &refused);
                return replies::not_copied(decision, &refused);
            }
            (Err(_), _) => keep::unreached("the outbound MTA is slow with the envelope"),
            (Ok(Err(outcome)), _) => keep::certain(outcome),
            (Ok(Ok(transaction)), Ok(copy)) => {
                let mut answer = keep::last_word(transaction, copy);
                match timeout_at(deadline, &mut answer).await {
                    Ok(answered) => answered,
                    Err(_) => return self.doubt(decision, incoming, recipient, flight, answer).await,
                }
            }
        };
        match &outcome {
            Outcome::Accept { .. } => {
                let now = Timestamp::now();
                self.store.settle(decision.id, now, &outcome);
                flight.land(decision.id, now);
                if !reports {
                    self.report_relayed(&incoming, &recipient, &outcome).await;
                }
                replies::relayed(decision, &outcome)
            }
            Outcome::Reject { .. } => {
                self.store.settle(decision.id, Timestamp::now(), &outcome);
                replies::relayed(decision, &outcome)
            }
            Outcome::Uncertain { .. } => self.keep(decision, incoming, recipient, flight, CopyState::Uncertain, &outcome).await,
            Outcome::Defer { .. } | Outcome::Unreachable { .. } => {
                self.keep(decision, incoming, recipient, flight, CopyState::Waiting, &outcome).await
            }
        }
    }

    fn record(&self, decision: &Decision, incoming: &Incoming) -> Durable {
        let Decision { id, stream, reason, classification, .. } = decision;
        tracing::info!(decision = %id, stream, class = %classification.class, %reason, "decided");
        self.store.record(decision.clone(), replaced_link(decision, incoming))
    }
}

/// The tool's own List-Unsubscribe, kept when ours takes its place (U-19).
fn replaced_link(decision: &Decision, incoming: &Incoming) -> Option<String> {
    (decision.reason == Reason::DoiConsent).then(|| tool_unsubscribe(&incoming.message)).flatten()
}
