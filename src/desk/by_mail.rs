//! What comes by mail: an objection from the person's own address, a complaint by way of the mailbox provider, a confirmation
//! mail that came back. How a mail is read is the business of `inbound`.

use jiff::Timestamp;

use super::{Desk, StoreError, Subscription};
use crate::consent::{ChoiceEvidence, Controller, Fact, MailEvidence, OptInId, Source};
use crate::mail::{Address, ReversePath};
use crate::store::{NewFact, NewWithdrawal, Stop, TellAnswer, Told, WithdrawAnswer};

impl Desk {
    /// Records an objection (GDPR Art. 21(2)) of whoever wrote from `address`: it needs no form (L-OBJ-02). `known_only`: nobody
    /// vouches for the sender, so that only people on record are taken at their word. True when there is something new on record.
    pub async fn object_by_mail(
        &self,
        controller: &str,
        address: &Address,
        known_only: bool,
        message_id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let store = &self.inner.store;
        let key = store.keyring().lookup_key(address);
        if known_only && store.standing(key).await?.is_none() {
            return Ok(false);
        }
        let fact = NewFact {
            key,
            controller: controller.to_owned(),
            told: Told::Stop(Stop::Advertising),
            fact: Fact::default(),
            notice: None,
            source: Source::Mail,
            at: now,
            evidence: ChoiceEvidence {
                note: Some(format!("mail from the address itself, Message-ID <{message_id}>")),
                ..Default::default()
            },
            once: None,
            line: None,
        };
        Ok(store.tell(fact).await? == TellAnswer::Done)
    }

    /// Records a complaint about the mail that carried the link (U-35); `kind` as in the report (RFC 5965 s.3.1). True when
    /// there is something new on record.
    pub async fn complain(&self, subscription: &Subscription, kind: &str, now: Timestamp) -> Result<bool, StoreError> {
        let link = &subscription.link;
        let evidence = ChoiceEvidence {
            decision: Some(link.decision.to_string()),
            note: Some(format!("report of the mailbox provider: {kind}")),
            ..Default::default()
        };
        let (subject, controller, source) = (link.subject, link.controller.clone(), Source::Mail);
        let withdrawal = NewWithdrawal { subject, controller, stop: Stop::Complaint, source, at: now, evidence };
        Ok(self.inner.store.withdraw(withdrawal).await? == WithdrawAnswer::Done)
    }

    /// Records that the confirmation mail of an opt-in came back, with what the failing host said. False for one that is
    /// unknown, confirmed, or whose mail is known to have failed.
    pub async fn mail_bounced(&self, opt_in: OptInId, reply: &str, now: Timestamp) -> Result<bool, StoreError> {
        let evidence = MailEvidence { message_id: String::new(), at: now, reply: reply.to_owned() };
        self.inner.store.mail_bounced(opt_in, evidence).await
    }
}

/// Where the bounces of a mail of the gateway's own go (M-66): to the controller's mailbox for them, with the opt-in that they
/// are about, or to whoever reads the mail that is sent to its sender.
pub(super) fn return_path(controller: &Controller, from: &Address, opt_in: Option<OptInId>) -> ReversePath {
    let bounces = controller.headers.bounces.as_deref().and_then(|bounces| bounces.rsplit_once('@')).and_then(|(local, domain)| {
        let id = opt_in.map(|id| format!("+{}", hex::encode(id.0))).unwrap_or_default();
        Address::parse(&format!("{local}{id}@{domain}")).ok()
    });
    ReversePath::Mailbox(bounces.unwrap_or_else(|| from.clone()))
}
