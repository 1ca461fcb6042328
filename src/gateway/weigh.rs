//! The decision on one copy: what the ledger knows of the recipient, asked and put to `decide`.

use jiff::Timestamp;

use super::Gateway;
use super::incoming::Incoming;
use crate::consent::{CopyKey, Decision, DecisionId, Language, LookupKey, Reason, Standing, SubjectId, TopicStanding, Verdict};
use crate::decide::{Finding, Question, decide, is_contact};
use crate::entropy::random;
use crate::mail::{Address, Class, Classification, Dispute, Lane, Recipient, Step, Stream};
use crate::store::StoreError;

/// A decision, and what else of the standing the copy depends on.
pub(super) struct Weighed {
    pub(super) decision: Decision,
    /// The person agreed to being measured (L-TRK-01).
    pub(super) may_measure: bool,
    /// Of the footer, for advertising that leaves.
    pub(super) language: Option<Language>,
}

impl Gateway {
    /// Decides. Errors mean that the ledger cannot be asked: defer (I4).
    pub(super) async fn decide(
        &self,
        incoming: &Incoming,
        recipient: &Recipient,
        copy: Option<CopyKey>,
        classification: Classification,
    ) -> Result<Weighed, StoreError> {
        let keyring = self.store.keyring();
        // I3: the look-up begins after end-of-data, so that every withdrawal answered before counts
        let address = &recipient.address;
        let recipient = keyring.lookup_key(address);
        let (subject, standing) = self.known(classification.class, recipient).await?;
        let now = Timestamp::now();
        let listed = classification.class == Class::Marketing && self.may_be_listed(&incoming.stream, standing.as_ref(), address, now);
        let Finding { reason, event, topic, profile, shadowed } = decide(Question {
            stream: &incoming.stream,
            classification: &classification,
            from_allowed: incoming.senders.iter().all(|sender| incoming.stream.may_use(sender)),
            standing: standing.as_ref(),
            listed,
            catalogue: &self.catalogue,
            policy: &self.policy,
            now,
        });
        let active = standing.as_ref().and_then(|standing| standing.active(&incoming.stream.controller));
        let tracking = standing.as_ref().map(|standing| standing.tracking(&incoming.stream.controller));
        let may_measure = matches!(tracking, Some(TopicStanding::Given(_)));
        let is_contact = is_contact(reason, active, now);
        let footer = topic.as_ref().filter(|_| has_footer(reason)).and_then(|topic| self.footer_of(incoming, topic, reason));
        let (language, footer) = footer.unzip();
        let id = DecisionId::new(now, random());
        let decision = Decision {
            id,
            at: now,
            stream: incoming.stream.name.clone(),
            controller: incoming.stream.controller.clone(),
            recipient,
            subject,
            classification,
            topic,
            reason,
            folded_from: standing.map_or(0, |standing| standing.seq),
            event,
            profile,
            shadowed,
            rules: Some(self.rules),
            footer: footer.flatten(),
            is_contact,
            message: incoming.message.value("Message-ID").map(|id| keyring.message_key(&id)),
            copy,
            size: incoming.message.raw().len() as u64,
        };
        Ok(Weighed { decision, may_measure, language })
    }

    /// On the ECG list or not to be told, where that may matter (J-04).
    pub(super) fn may_be_listed(&self, stream: &Stream, standing: Option<&Standing>, address: &Address, now: Timestamp) -> bool {
        let country = standing.and_then(|standing| standing.country(&stream.controller));
        self.policy.asks_ecg_list(&stream.controller, country) && self.ecg.may_list(address, now)
    }

    /// The recipient's subject and standing. Transactional mail needs no standing: the record finds its
    /// subject by the same key, and takes the fresh one only for a recipient never seen.
    async fn known(&self, class: Class, recipient: LookupKey) -> Result<(SubjectId, Option<Standing>), StoreError> {
        let found = if class == Class::Marketing { self.store.standing(recipient).await? } else { None };
        Ok(found.map_or_else(|| (SubjectId(random()), None), |(subject, standing)| (subject, Some(standing))))
    }
}

/// Advertising that leaves.
fn has_footer(reason: Reason) -> bool {
    reason.verdict() == Verdict::Pass && !reason.needs_no_consent()
}

/// A dispute that decides nothing is told: somebody should look at the stream.
pub(super) fn tell_dispute(stream: &Stream, classification: &Classification) {
    if let Some(Step { why, .. }) = classification.disputed_by() {
        let what = if stream.disputed == Dispute::Hold { "waits for a person" } else { "passes as transactional" };
        tracing::warn!(stream = stream.name, why, "class_disputed: {what}");
    }
}

/// Transactional mail never waits behind a campaign.
pub(super) fn lane(decision: &Decision) -> Lane {
    if decision.classification.class == Class::Marketing { Lane::Bulk } else { Lane::Transactional }
}
