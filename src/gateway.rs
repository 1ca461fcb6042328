//! The trip of one mail: accept, classify, decide, record, rewrite, sign, relay, settle. Read this
//! first. Each step is a call into its room; what is here is their order, and what a failure means.

mod copy;
mod handler;
mod incoming;
mod replies;
mod weigh;

use std::sync::Arc;

use jiff::Timestamp;

use self::incoming::Incoming;
use crate::classify::classify;
use crate::compose::{Footers, PublicUrl};
use crate::consent::{Catalogue, Decision, Reason, Verdict};
use crate::credentials::Credentials;
use crate::mail::{Class, Outcome};
use crate::relay::{Lane, Relay};
use crate::rewrite::tool_unsubscribe;
use crate::sign::Signers;
use crate::smtp::Submission;
use crate::store::{Durable, Store};
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
    /// Keys of the unsubscribe links.
    pub links: LinkRing,
    /// The visible part of the unsubscribe link, prepared per topic and language.
    pub footers: Footers,
    /// DKIM keys.
    pub signers: Arc<Signers>,
    /// This host's name, for trace fields.
    pub hostname: String,
    /// Base of the links.
    pub public_url: PublicUrl,
}

impl Gateway {
    /// Takes one message on its trip; the reply answers the client's end-of-data.
    pub async fn trip(&self, submission: Submission) -> Reply {
        let incoming = match Incoming::accept(submission) {
            Ok(incoming) => incoming,
            Err(error) => return replies::malformed(&error),
        };
        let classification = classify(&incoming.stream, &incoming.message);
        let decision = match self.decide(&incoming, classification).await {
            Ok(decision) => decision,
            Err(error) => return replies::ledger_unavailable(&error), // I4
        };
        // I1: recording begins now; nothing that could be delivered is sent before it is durable
        let recorded = self.store.record(decision.clone(), replaced_link(&decision, &incoming));
        match decision.reason.verdict() {
            Verdict::Pass => self.pass(&decision, incoming, recorded).await,
            Verdict::Block | Verdict::Defer => match recorded.await {
                Ok(()) => replies::blocked(&decision),
                Err(error) => replies::ledger_unavailable(&error),
            },
        }
    }

    /// Relays the copy. The envelope's dialogue, the rewriting and the signature overlap the commit of the
    /// record; the message itself waits for it.
    async fn pass(&self, decision: &Decision, incoming: Incoming, recorded: Durable) -> Reply {
        let lane = if decision.classification.class == Class::Marketing { Lane::Bulk } else { Lane::Transactional };
        let transaction = self.relay.begin(&incoming.envelope, lane).await;
        let copy = self.copy(decision, &incoming);
        if let Err(error) = recorded.await {
            return replies::ledger_unavailable(&error); // dropping the transaction sends no dot
        }
        let outcome = match (transaction, copy) {
            (Ok(transaction), Ok(copy)) => transaction.send(copy).await,
            (_, Err(error)) => copy::refused(&error),
            (Err(outcome), _) => outcome,
        };
        if let Outcome::Unreachable { why } | Outcome::Uncertain { why } = &outcome {
            tracing::warn!(decision = %decision.id, why, "outbound MTA");
        }
        self.store.settle(decision.id, Timestamp::now(), &outcome);
        replies::relayed(decision, &outcome)
    }
}

/// The tool's own List-Unsubscribe, kept when ours takes its place (U-19).
fn replaced_link(decision: &Decision, incoming: &Incoming) -> Option<String> {
    (decision.reason == Reason::DoiConsent).then(|| tool_unsubscribe(&incoming.message)).flatten()
}
