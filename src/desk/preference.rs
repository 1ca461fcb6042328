//! What a person chooses by the link in a mail: stop this topic, stop all, object, a rest, not to be measured, or back again.
//! Whoever holds the link may be a stranger to whom the mail was forwarded: the link can say no, and shows of the person
//! only a masked address and the end of a rest. What lets mail flow again needs the mailbox.

use jiff::{SignedDuration, Timestamp};

use super::request::{Asked, SignUpError};
use super::{Actor, Desk, StoreError};
use crate::consent::{ChoiceEvidence, Controller, Language, Source, SubjectId, Topic};
use crate::store::{NewChoice, NewWithdrawal, Stop, WithdrawAnswer};
use crate::token::Link;

/// What a person chooses (L-OBJ-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// No more mail about the topic of the link.
    Topic,
    /// No more mail about any topic of the controller: all consents are withdrawn.
    AllTopics,
    /// Objection to all advertising of the controller, whatever its basis (GDPR Art. 21(2)).
    Object,
    /// A rest from all advertising of the controller for so many days.
    Pause {
        /// From now.
        days: u16,
    },
    /// The end of the rest; not by the link of a mail.
    Resume,
    /// No more measuring (L-TRK-05).
    StopTracking,
}

/// What the unsubscribe page speaks of: whose mail about what.
pub struct Subscription {
    pub(super) link: Link,
    /// The controller; `None` when the configuration no longer knows it, and the link works still (U-14).
    pub controller: Option<Controller>,
    /// Title of the topic, or its name when the configuration no longer knows it.
    pub topic: String,
    /// The language of the mail, where it said one.
    pub language: Option<Language>,
}

/// What a page may show of the person behind a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glimpse {
    /// The address, masked so that its owner recognises it and nobody else learns it; empty when it is not stored.
    pub address: String,
    /// The end of a rest that is in force.
    pub paused_until: Option<Timestamp>,
    /// The mail was sent to a customer without a consent of theirs: to unsubscribe from it is to object (L-OBJ-04).
    pub as_customer: bool,
}

impl Subscription {
    /// The controller's name as people know it.
    pub fn controller_name(&self) -> &str {
        self.controller.as_ref().map_or(&self.link.controller, |controller| &controller.name)
    }
}

impl Desk {
    /// The subscription behind an unsubscribe link; `None` for a link that is not ours. Reads no
    /// database, so that the page shows even while the ledger is away.
    pub fn subscription(&self, token: &str) -> Option<Subscription> {
        // Another gateway may sign with a newer key already. Tokens that only claim such a key have the file read no second time.
        if self.inner.links.lacks_key_of(token) && self.has_other_links() {
            // A file that cannot be used is told by who renews it every minute.
            let _ = self.renew_links(Timestamp::now());
        }
        let link = self.inner.links.verify(token)?;
        let controller = self.inner.catalogue.controller(&link.controller).cloned();
        let topic = self.title(&link.topic);
        Some(Subscription { language: link.language, link, controller, topic })
    }

    /// What the page may show of the person.
    pub async fn glimpse(&self, subscription: &Subscription, now: Timestamp) -> Result<Glimpse, StoreError> {
        let link = &subscription.link;
        let address = self.inner.store.address(link.subject).await?;
        let standing = self.inner.store.standing_of(link.subject).await?;
        Ok(Glimpse {
            address: address.map(|address| address.masked()).unwrap_or_default(),
            paused_until: standing.and_then(|standing| standing.pause(&link.controller, now)).map(|pause| pause.until),
            as_customer: self.was_sent_as_customer(link).await,
        })
    }

    /// Does what the holder of the link chooses, durably before it returns (I3). The answer is the same when it was so
    /// before (U-13): what was done; `None` when the ledger does not know the subject of the link, and for what the link cannot
    /// choose. No mail is sent about it (L-OBJ-08).
    pub async fn choose(
        &self,
        subscription: &Subscription,
        choice: Choice,
        source: Source,
        actor: Actor,
        now: Timestamp,
    ) -> Result<Option<Choice>, SignUpError> {
        let link = &subscription.link;
        match choice {
            Choice::Resume => return Ok(None),
            // Each one is a line in the ledger; a no that is repeated is none.
            Choice::Pause { .. } if !self.inner.limits.admits(actor.ip.as_deref()) => return Err(SignUpError::TooMany),
            _ => {}
        }
        let evidence = ChoiceEvidence { decision: Some(link.decision.to_string()), ..actor.evidence() };
        // L-OBJ-04: who was written to without having agreed to a topic cannot be asked which one they mean.
        let choice = if choice == Choice::Topic && self.was_sent_as_customer(link).await { Choice::Object } else { choice };
        let done = self.do_choose(link.subject, &link.controller, &link.topic, choice, source, evidence, now).await?;
        Ok(done.then_some(choice))
    }

    /// True for a link of a mail that left on the exemption for existing customers. Where the decision cannot be read, the link
    /// is about its topic: that much is signed.
    async fn was_sent_as_customer(&self, link: &Link) -> bool {
        match self.inner.store.decision(link.decision).await {
            Ok(row) => row.is_some_and(|row| row.decision.is_of_customers()),
            Err(error) => {
                tracing::warn!(%error, "the decision behind an unsubscribe link cannot be read");
                false
            }
        }
    }

    /// Takes back what was stopped by mistake: a new sign-up for the topic of the link, which the owner of the mailbox has to
    /// confirm like any other. So a stranger cannot undo it, and neither can staff (I5); and an owner whose mail was
    /// forwarded to somebody who pressed the button learns of it. `Ok` says nothing about whether a mail was sent.
    pub async fn ask_again(&self, subscription: &Subscription, actor: Actor, asked: Asked, now: Timestamp) -> Result<(), SignUpError> {
        let (link, store) = (&subscription.link, &self.inner.store);
        let (Some(controller), Some(entry)) = (&subscription.controller, self.inner.catalogue.topic(&link.topic)) else { return Ok(()) };
        match store.address(link.subject).await? {
            Some(address) => self.request(controller, &[entry], &address, actor, asked, now).await,
            None => Ok(()), // we have no address to write to
        }
    }

    /// What pressing "undo" declares; `None` where it cannot be undone by a mail: the topic is no longer configured.
    pub fn consent_to(&self, subscription: &Subscription, language: Language) -> Option<String> {
        let controller = subscription.controller.as_ref()?;
        let entry = self.inner.catalogue.topic(&subscription.link.topic)?;
        let text = self.inner.words.consent(controller, language, &[&entry.title]);
        text.inspect_err(|error| tracing::error!(%error, "the consent text")).ok()
    }

    #[expect(clippy::too_many_arguments, reason = "who, whose, what, how, by which door, with what proof, when")]
    pub(super) async fn do_choose(
        &self,
        subject: SubjectId,
        controller: &str,
        topic: &Topic,
        choice: Choice,
        source: Source,
        evidence: ChoiceEvidence,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let store = &self.inner.store;
        let stop = match choice {
            Choice::Topic => Stop::Topics(vec![topic.clone()]),
            Choice::AllTopics => Stop::Topics(self.topics_of(subject, controller, topic).await?),
            Choice::Object => Stop::Advertising,
            Choice::StopTracking => Stop::Tracking,
            Choice::Pause { .. } | Choice::Resume => {
                let choose = NewChoice { subject, controller: controller.to_owned(), source, at: now, evidence };
                return match choice {
                    Choice::Pause { days } => {
                        let until = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX);
                        store.pause(choose, until).await
                    }
                    _ => store.resume(choose).await,
                };
            }
        };
        let withdrawal = NewWithdrawal { subject, controller: controller.to_owned(), stop, source, at: now, evidence };
        Ok(store.withdraw(withdrawal).await? != WithdrawAnswer::Unknown)
    }

    /// Every topic that mail of the controller could be about: configured, on record, or named by the link.
    async fn topics_of(&self, subject: SubjectId, controller: &str, topic: &Topic) -> Result<Vec<Topic>, StoreError> {
        let standing = self.inner.store.standing_of(subject).await?.unwrap_or_default();
        Ok(self.inner.catalogue.topics_of(controller, standing.topics(controller).map(|(topic, _)| topic).chain([topic])))
    }

    /// How people know a topic.
    pub(super) fn title(&self, topic: &Topic) -> String {
        self.inner.catalogue.topic(topic).map_or_else(|| topic.to_string(), |entry| entry.title.clone())
    }
}

impl Actor {
    /// What goes into the evidence.
    pub(super) fn evidence(self) -> ChoiceEvidence {
        ChoiceEvidence { ip: self.ip, user_agent: self.user_agent, ..ChoiceEvidence::default() }
    }
}
