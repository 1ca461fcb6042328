//! The trip of one mail: accept, classify, decide, record, rewrite, sign, relay, settle. Read this
//! first. Each step is a call into its room; what is here is their order, and what a failure means.

mod copy;
mod handler;
mod replies;

use std::sync::Arc;

use jiff::Timestamp;

use crate::classify::classify;
use crate::compose::{Footers, PublicUrl};
use crate::consent::{Catalogue, Decision, DecisionId, Reason, Standing, SubjectId, Verdict};
use crate::credentials::Credentials;
use crate::decide::{Finding, Question, decide};
use crate::mail::{Body, Class, Message, Outcome};
use crate::relay::Relay;
use crate::sign::Signers;
use crate::smtp::Submission;
use crate::store::{Store, StoreError};
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
        let Submission { stream, mut envelope, data, helo, tls, authenticated, .. } = submission;
        let message = match Message::parse(data, envelope.smtputf8) {
            Ok(message) => message,
            Err(error) => return replies::malformed(&error),
        };
        let senders = match copy::senders(&message) {
            Ok(senders) => senders,
            Err(error) => return replies::malformed(&error),
        };
        let classification = classify(&stream, &message);

        // I3: the look-up begins after end-of-data, so that every withdrawal answered before counts
        let key = self.store.keyring().lookup_key(&envelope.recipient);
        let known = match self.known(classification.class, key).await {
            Ok(known) => known,
            Err(error) => return replies::ledger_unavailable(&error), // I4
        };
        let (subject, standing) = known.map_or_else(|| (SubjectId(random()), None), |(subject, standing)| (subject, Some(standing)));
        let now = Timestamp::now();
        let Finding { reason, event, topic } = decide(Question {
            stream: &stream,
            classification: &classification,
            from_allowed: senders.iter().all(|sender| stream.may_use(sender)),
            standing: standing.as_ref(),
            catalogue: &self.catalogue,
            now,
        });
        let decision = Arc::new(Decision {
            id: DecisionId::new(now, random()),
            at: now,
            stream: stream.name.clone(),
            controller: stream.controller.clone(),
            recipient: key,
            subject,
            classification,
            topic,
            reason,
            folded_from: standing.map_or(0, |standing| standing.seq),
            event,
            message: message.value("Message-ID").map(|id| self.store.keyring().message_key(&id)),
            size: message.raw().len() as u64,
        });
        tracing::info!(decision = %decision.id, stream = stream.name, class = %decision.classification.class, %reason, "decided");

        // I1: recording begins now; nothing that could be delivered is sent before it is durable
        let recorded = self.store.record(Decision::clone(&decision), self.replaced_link(&decision, &message));
        if reason.verdict() != Verdict::Pass {
            return match recorded.await {
                Ok(()) => replies::blocked(&decision),
                Err(error) => replies::ledger_unavailable(&error),
            };
        }
        if !message.raw().is_ascii() {
            envelope.body = Body::EightBit; // whatever the client said: the outbound MTA must know (RFC 6152 s.3)
        }
        // The envelope's dialogue, the rewriting and the signature overlap the commit.
        let transaction = self.relay.begin(&envelope).await;
        let hop = copy::Hop { helo: &helo, hostname: &self.hostname, tls, authenticated };
        let copy = self.copy(&decision, &message, &senders[0], &hop, now);
        if let Err(error) = recorded.await {
            return replies::ledger_unavailable(&error); // dropping the transaction sends no dot
        }
        let outcome = match (transaction, copy) {
            (Ok(transaction), Ok(copy)) => transaction.send(&copy).await,
            (_, Err(error)) => copy::refused(&error),
            (Err(outcome), _) => outcome,
        };
        self.store.settle(decision.id, Timestamp::now(), &outcome);
        if let Outcome::Unreachable { why } | Outcome::Uncertain { why } = &outcome {
            tracing::warn!(decision = %decision.id, why, "outbound MTA");
        }
        replies::relayed(&decision, &outcome)
    }

    /// What the ledger knows of the recipient. Transactional mail needs no standing: its record finds
    /// the subject by the same key.
    async fn known(&self, class: Class, key: crate::consent::LookupKey) -> Result<Option<(SubjectId, Standing)>, StoreError> {
        if class == Class::Marketing { self.store.standing(key).await } else { Ok(None) }
    }

    /// The tool's own List-Unsubscribe, kept when ours takes its place (U-19).
    fn replaced_link(&self, decision: &Decision, message: &Message) -> Option<String> {
        (decision.reason == Reason::DoiConsent).then(|| crate::rewrite::tool_unsubscribe(message)).flatten()
    }
}

/// Fresh randomness.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random source works");
    bytes
}
