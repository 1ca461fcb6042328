//! The decision on one copy: what the ledger knows of the recipient, asked and put to `decide`.

use jiff::Timestamp;

use super::Gateway;
use super::incoming::Incoming;
use crate::consent::{CopyKey, Decision, DecisionId, LookupKey, Standing, SubjectId};
use crate::decide::{Finding, Question, decide};
use crate::entropy::random;
use crate::mail::{Class, Classification, Lane, Recipient};
use crate::store::StoreError;

impl Gateway {
    /// Decides. Errors mean that the ledger cannot be asked: defer (I4).
    pub(super) async fn decide(
        &self,
        incoming: &Incoming,
        recipient: &Recipient,
        copy: Option<CopyKey>,
        classification: Classification,
    ) -> Result<Decision, StoreError> {
        let keyring = self.store.keyring();
        // I3: the look-up begins after end-of-data, so that every withdrawal answered before counts
        let recipient = keyring.lookup_key(&recipient.address);
        let (subject, standing) = self.known(classification.class, recipient).await?;
        let now = Timestamp::now();
        let Finding { reason, event, topic } = decide(Question {
            stream: &incoming.stream,
            classification: &classification,
            from_allowed: incoming.senders.iter().all(|sender| incoming.stream.may_use(sender)),
            standing: standing.as_ref(),
            catalogue: &self.catalogue,
            now,
        });
        let id = DecisionId::new(now, random());
        Ok(Decision {
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
            message: incoming.message.value("Message-ID").map(|id| keyring.message_key(&id)),
            copy,
            size: incoming.message.raw().len() as u64,
        })
    }

    /// The recipient's subject and standing. Transactional mail needs no standing: the record finds its
    /// subject by the same key, and takes the fresh one only for a recipient never seen.
    async fn known(&self, class: Class, recipient: LookupKey) -> Result<(SubjectId, Option<Standing>), StoreError> {
        let found = if class == Class::Marketing { self.store.standing(recipient).await? } else { None };
        Ok(found.map_or_else(|| (SubjectId(random()), None), |(subject, standing)| (subject, Some(standing))))
    }
}

/// Transactional mail never waits behind a campaign.
pub(super) fn lane(decision: &Decision) -> Lane {
    if decision.classification.class == Class::Marketing { Lane::Bulk } else { Lane::Transactional }
}
