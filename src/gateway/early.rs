//! A refusal before there is a message: where the stream alone says class and topic, a tool with a list of thousands learns at
//! RCPT whom it may not write to. It only ever refuses: who passes here is decided on again after the message (I3).

use jiff::Timestamp;

use super::{Gateway, replies};
use crate::consent::{Decision, DecisionId, Verdict};
use crate::decide::{Finding, Question, decide};
use crate::entropy::random;
use crate::mail::{Class, Classification, Recipient, Step, Stream, Trust};
use crate::wire::Reply;

impl Gateway {
    pub(super) async fn early(&self, stream: &Stream, recipient: &Recipient) -> Result<(), Reply> {
        let key = self.store.keyring().lookup_key(&recipient.address);
        // Whatever keeps the ledger from answering, the message will meet it.
        let Ok(known) = self.store.standing(key).await else { return Ok(()) };
        let (subject, standing) = known.unzip();
        let step = Step { trust: Trust::Credential, says: Class::Marketing, why: "stream is bound to marketing".into() };
        let classification = Classification { class: Class::Marketing, topic: stream.topic.clone(), campaign: None, steps: vec![step] };
        let now = Timestamp::now();
        let Finding { reason, event, topic, profile, shadowed } = decide(Question {
            stream,
            classification: &classification,
            from_allowed: true,
            standing: standing.as_ref(),
            listed: self.may_be_listed(stream, standing.as_ref(), &recipient.address, now),
            catalogue: &self.catalogue,
            policy: &self.policy,
            now,
        });
        if reason.verdict() != Verdict::Block {
            return Ok(());
        }
        let decision = Decision {
            id: DecisionId::new(now, random()),
            at: now,
            stream: stream.name.clone(),
            controller: stream.controller.clone(),
            recipient: key,
            subject: subject.unwrap_or_else(|| crate::consent::SubjectId(random())),
            classification,
            topic,
            reason,
            folded_from: standing.map_or(0, |standing| standing.seq),
            event,
            profile,
            shadowed,
            rules: Some(self.rules),
            footer: None,
            is_contact: false,
            message: None,
            copy: None,
            size: 0,
        };
        tracing::info!(decision = %decision.id, stream = stream.name, %reason, "decided at RCPT");
        match self.store.record(decision.clone(), None).await {
            Ok(()) => Err(replies::blocked(&decision, stream.answer)),
            Err(error) => Err(replies::ledger_unavailable(&error)),
        }
    }
}
