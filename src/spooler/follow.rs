//! One copy's attempt and what follows from it: settled, tried again later, given up. What its sender is told stands in
//! `fate`.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::run::Shared;
use super::{SpoolSettings, schedule};
use crate::entropy::random;
use crate::gateway::{Attempt, Failure, Gateway, LAST_WORD, Late, Opened};
use crate::mail::Outcome;
use crate::relay::Answered;
use crate::store::{CopyId, CopyState, Hand, NewSpooled, SpooledCopy, StoreError};

/// Pause while the spool's disk takes or gives nothing.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// How a copy's time under way ended.
pub(super) enum Ended {
    /// Whether an outbound MTA was reached; `None` when nobody tried.
    Done(Option<bool>),
    /// Its answer takes long; somebody else waits for it.
    Late(Late),
    /// Its row cannot be read. It must not be tried again and again.
    Damaged,
}

/// What every delivery needs.
#[derive(Clone)]
pub(super) struct Follower {
    pub(super) gateway: Arc<Gateway>,
    pub(super) settings: SpoolSettings,
    pub(super) stop: watch::Receiver<bool>,
}

impl Follower {
    /// Tries a copy, and sees to what follows.
    pub(super) async fn deliver(self, id: CopyId, message: Shared) -> Ended {
        // Read now: an operator may have judged since it was found due.
        let copy = match self.gateway.store.spool_copy_to_try(id).await {
            Ok(Some(copy)) if copy.next_at <= Timestamp::now() => copy,
            Ok(_) => return Ended::Done(None),
            Err(error @ StoreError::Damaged(_)) => {
                tracing::error!(copy = %id, %error, "left alone until the next start");
                return Ended::Damaged;
            }
            Err(error) => {
                tracing::error!(copy = %id, %error, "the spool cannot be read");
                return Ended::Done(None);
            }
        };
        if copy.state == CopyState::Held || (copy.attempts > 0 && self.is_too_old(&copy)) {
            self.give_up(&copy, &message).await;
            return Ended::Done(None);
        }
        let attempt = match self.open(&copy, &message).await {
            Ok(None) => return Ended::Done(None), // settled meanwhile
            Ok(Some(Opened::Mail(incoming, classification))) => self.gateway.attempt(&copy, incoming, classification).await,
            Ok(Some(Opened::Report { sender, original })) => Ok(self.gateway.attempt_report(&copy, sender, original).await),
            Err(failure) => Err(failure),
        };
        match attempt {
            Ok(Attempt::Blocked(decision)) => {
                self.blocked(&copy, &decision, &message).await;
                Ended::Done(None)
            }
            Ok(Attempt::Held(ground)) => {
                let next_at = self.gateway.hold_ends(Timestamp::now());
                let held = SpooledCopy { ground: Some(ground), state: CopyState::Held, next_at, ..copy };
                self.write(|| self.gateway.store.spool_changed(&held, copy.state, Hand::Gateway)).await;
                Ended::Done(None)
            }
            Ok(Attempt::Unreached(ground, outcome)) => {
                self.unreached(SpooledCopy { ground, ..copy }, &outcome, &message).await;
                Ended::Done(Some(false))
            }
            Ok(Attempt::Answered(ground, answered)) => {
                self.follow(SpooledCopy { ground, ..copy }, answered, &message).await;
                Ended::Done(Some(true))
            }
            Ok(Attempt::Late(ground, late)) => {
                let in_doubt = SpooledCopy { ground, state: CopyState::Uncertain, next_at: Timestamp::now() + LAST_WORD, ..copy };
                self.write(|| self.gateway.store.spool_changed(&in_doubt, copy.state, Hand::Gateway)).await;
                Ended::Late(late)
            }
            Err(failure) => {
                tracing::error!(copy = %copy.id, error = %failure, "no attempt");
                self.later(copy, None, &message).await;
                Ended::Done(None)
            }
        }
    }

    /// Waits for the last word on a copy, and sees to what follows.
    pub(super) async fn wait_for(self, late: Late) -> Ended {
        let Late { copy: id, answer } = late;
        let mut stop = self.stop.clone();
        let answered = tokio::select! {
            answered = answer => answered,
            _ = stop.wait_for(|stop| *stop) => return Ended::Done(None), // the next start tries it again
        };
        let copy = loop {
            match self.gateway.store.spool_copy(id).await {
                Ok(copy) => break copy,
                Err(error) => tracing::error!(copy = %id, %error, "the spool cannot be read"),
            }
            if self.pause().await {
                break None;
            }
        };
        if let Some(copy) = copy {
            self.follow(copy, answered, &Shared::default()).await;
        }
        Ended::Done(None)
    }

    async fn follow(&self, copy: SpooledCopy, answered: Answered, message: &Shared) {
        let Answered { outcome, reports } = answered;
        tracing::info!(copy = %copy.id, outcome = outcome.as_str(), attempts = copy.attempts + 1, "attempt");
        match &outcome {
            Outcome::Accept { .. } => {
                let report = if reports { None } else { self.relayed(&copy, &outcome, message).await };
                self.settle(&copy, &outcome, report).await;
            }
            Outcome::Reject { .. } => self.failed(&copy, &outcome, "The outbound server refused the mail.", message).await,
            Outcome::Defer { .. } | Outcome::Unreachable { .. } | Outcome::Uncertain { .. } => {
                self.later(copy, Some(&outcome), message).await;
            }
        }
    }

    async fn give_up(&self, copy: &SpooledCopy, message: &Shared) {
        let last = copy.last.clone().unwrap_or_default();
        let (text, why) = match copy.state {
            CopyState::Held => (format!("5.7.1 held and not released; {last}"), "The mail was held, and nobody released it."),
            _ => (format!("5.4.7 not deliverable in time; {last}"), "The mail could not be delivered in time."),
        };
        self.failed(copy, &Outcome::Reject { code: 554, text }, why, message).await;
    }

    /// Puts a copy off; `outcome` is what was said about it.
    async fn later(&self, mut copy: SpooledCopy, outcome: Option<&Outcome>, message: &Shared) {
        let (now, was) = (Timestamp::now(), copy.state);
        let [dice] = random();
        copy.state = if matches!(outcome, Some(Outcome::Uncertain { .. })) { CopyState::Uncertain } else { CopyState::Waiting };
        copy.next_at = schedule::next(now, copy.attempts, self.settings.longest_pause, dice);
        copy.attempts += 1;
        copy.last = outcome.map(Outcome::reply).or(copy.last);
        if schedule::becomes_late(copy.queued_at, now, copy.next_at) {
            self.tell_delay(&copy, message).await;
        }
        self.write(|| self.gateway.store.spool_changed(&copy, was, Hand::Gateway)).await;
    }

    /// No fault of this mail: it is due as before, unless it has waited long enough.
    async fn unreached(&self, mut copy: SpooledCopy, outcome: &Outcome, message: &Shared) {
        tracing::warn!(copy = %copy.id, why = outcome.reply(), "outbound MTA");
        let is_news = copy.last.is_none();
        copy.last = Some(outcome.reply());
        if self.is_too_old(&copy) {
            self.give_up(&copy, message).await;
        } else if is_news {
            self.write(|| self.gateway.store.spool_changed(&copy, copy.state, Hand::Gateway)).await;
        }
    }

    /// The end of a copy: out of the spool, its outcome on record. Where another gateway has taken it over, that one's is.
    pub(super) async fn settle(&self, copy: &SpooledCopy, outcome: &Outcome, report: Option<NewSpooled>) {
        if let (Some(key), Outcome::Reject { .. }) = (copy.fingerprint, outcome) {
            self.gateway.twins.forget(key);
        }
        if self.take_out(copy.id, report).await
            && let Some(ground) = &copy.ground
        {
            self.gateway.store.settle(ground.decision, Timestamp::now(), outcome);
        }
    }

    /// True when it was there, and ours.
    pub(super) async fn take_out(&self, id: CopyId, report: Option<NewSpooled>) -> bool {
        let taken = self.write(|| self.gateway.store.spool_settled(id, report.as_slice(), Hand::Gateway)).await;
        if taken == Some(false) {
            tracing::warn!(copy = %id, "it went, or another gateway took it over, while this one tried it");
        }
        taken == Some(true)
    }

    /// Writes until it is durable: a copy that was delivered and is not taken out would be delivered again. `None` at a shutdown.
    async fn write<T, W: Future<Output = Result<T, StoreError>>>(&self, write: impl Fn() -> W) -> Option<T> {
        loop {
            match write().await {
                Ok(done) => return Some(done),
                Err(error) => tracing::error!(%error, "the spool cannot be written"),
            }
            if self.pause().await {
                return None;
            }
        }
    }

    /// Lets the disk come to itself; true at a shutdown.
    async fn pause(&self) -> bool {
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(DISK_PAUSE) => false,
        }
    }

    /// The message of a copy, read once for all copies under way.
    async fn open<'a>(&self, copy: &SpooledCopy, message: &'a Shared) -> Result<Option<&'a Opened>, Failure> {
        if let Some(opened) = message.get() {
            return Ok(Some(opened));
        }
        let Some(spooled) = self.gateway.store.spooled(copy.id.message).await? else { return Ok(None) };
        message.get_or_try_init(|| async { self.gateway.reopen(spooled) }).await.map(Some)
    }

    fn is_too_old(&self, copy: &SpooledCopy) -> bool {
        let age = Timestamp::now().duration_since(copy.queued_at);
        age > SignedDuration::try_from(self.settings.give_up_after).unwrap_or(SignedDuration::MAX)
    }
}
