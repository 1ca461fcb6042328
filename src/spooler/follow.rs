//! One copy's attempt and what follows from it: settled, reported on, tried again later, given up.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::run::Shared;
use super::{SpoolSettings, schedule};
use crate::compose::{Action, Fate};
use crate::consent::{Decision, DecisionId, Language};
use crate::entropy::random;
use crate::gateway::{Attempt, Failure, Gateway, Late, Opened, relayed};
use crate::mail::{AnswerProfile, Lane, Outcome};
use crate::relay::Answered;
use crate::store::{CopyId, CopyState, NewSpooled, SpooledCopy, StoreError};

/// Pause while the spool's disk takes nothing.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// How a copy's time under way ended.
pub(super) struct Ended {
    /// The place that it had: its lane and its octets.
    pub(super) place: Option<(Lane, u64)>,
    /// Whether the outbound MTA was reached; `None` when nobody tried.
    pub(super) reached: Option<bool>,
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
    pub(super) async fn deliver(self, copy: SpooledCopy, message: Shared) -> Ended {
        let place = Some((copy.lane, copy.size));
        if copy.state == CopyState::Held || self.is_too_old(&copy) {
            self.give_up(copy, &message).await;
            return Ended { place, reached: None };
        }
        let attempt = match self.open(&copy, &message).await {
            Ok(None) => return Ended { place, reached: None }, // dropped meanwhile
            Ok(Some(Opened::Mail(incoming))) => self.gateway.attempt(&copy, incoming).await,
            Ok(Some(Opened::Report { sender, original })) => Ok(self.gateway.attempt_report(&copy, sender, original).await),
            Err(failure) => Err(failure),
        };
        let reached = match attempt {
            Ok(attempt) => self.follow(copy, attempt, &message).await,
            Err(failure) => {
                tracing::error!(copy = %copy.id, error = %failure, "no attempt");
                self.later(copy, None, &message).await;
                None
            }
        };
        Ended { place, reached }
    }

    /// Waits for the last word on a copy that the gateway handed over.
    pub(super) async fn wait_for(self, late: Late) -> Ended {
        let id = late.copy;
        let copies = self.gateway.store.spool_copies(Some(id.message), u32::MAX).await;
        let copy = copies.ok().and_then(|copies| copies.into_iter().find(|copy| copy.id == id));
        if let Some(copy) = copy {
            let decision = copy.decision;
            self.follow(copy, Attempt::Late(decision, late), &Shared::default()).await;
        }
        Ended { place: None, reached: None }
    }

    async fn follow(&self, mut copy: SpooledCopy, attempt: Attempt, message: &Shared) -> Option<bool> {
        let (decision, Answered { outcome, reports }) = match attempt {
            Attempt::Blocked(decision) => {
                self.blocked(&copy, &decision, message).await;
                return None;
            }
            Attempt::Answered(decision, answered) => (decision, answered),
            Attempt::Late(decision, late) => match self.last_word(late).await {
                Some(answered) => (decision, answered),
                None => return None, // the next start tries it again
            },
        };
        copy.decision = decision;
        tracing::info!(copy = %copy.id, outcome = outcome.as_str(), attempts = copy.attempts + 1, "attempt");
        let reached = !matches!(outcome, Outcome::Unreachable { .. });
        match &outcome {
            Outcome::Accept { .. } => {
                let diagnostic = outcome.reply();
                let fate = relayed(&copy.recipient, &diagnostic);
                let report = if reports { None } else { self.report(&copy, fate, message).await };
                self.settle(&copy, decision, &outcome, report).await;
            }
            Outcome::Reject { code, .. } if !(530..=539).contains(code) => {
                self.failed(&copy, &outcome, "The outbound server refused the mail.", message).await;
            }
            // No fault of this mail: it is due as before.
            Outcome::Unreachable { .. } => self.unreached(copy, &outcome).await,
            Outcome::Uncertain { .. } => {
                copy.state = CopyState::Uncertain;
                self.later(copy, Some(&outcome), message).await;
            }
            Outcome::Defer { .. } | Outcome::Reject { .. } => self.later(copy, Some(&outcome), message).await,
        }
        Some(reached)
    }

    /// `None` at a shutdown.
    async fn last_word(&self, late: Late) -> Option<Answered> {
        let mut stop = self.stop.clone();
        tokio::select! {
            answered = late.answer => Some(answered),
            _ = stop.wait_for(|stop| *stop) => None,
        }
    }

    /// The person withdrew while the mail waited (I3).
    async fn blocked(&self, copy: &SpooledCopy, decision: &Decision, message: &Shared) {
        tracing::info!(copy = %copy.id, decision = %decision.id, reason = %decision.reason, "blocked at a later attempt");
        let profile = self.gateway.credentials.stream(&copy.stream).map(|stream| stream.answer).unwrap_or_default();
        let diagnostic = format!("550 5.7.1 consent: {} ref={}", decision.reason, decision.id);
        let fate = Fate {
            recipient: &copy.recipient,
            action: Action::Failed,
            status: "5.7.1",
            diagnostic: &diagnostic,
            why: decision.reason.sentence(Language::EN),
        };
        let report = if profile == AnswerProfile::Accept { None } else { self.report(copy, fate, message).await };
        self.take_out(copy.id, report).await;
    }

    async fn failed(&self, copy: &SpooledCopy, outcome: &Outcome, why: &str, message: &Shared) {
        let diagnostic = outcome.reply();
        let fate = Fate { recipient: &copy.recipient, action: Action::Failed, status: status(outcome), diagnostic: &diagnostic, why };
        let report = self.report(copy, fate, message).await;
        self.settle(copy, copy.decision, outcome, report).await;
    }

    async fn give_up(&self, copy: SpooledCopy, message: &Shared) {
        let last = copy.last.clone().unwrap_or_default();
        let (outcome, why) = match copy.state {
            CopyState::Held => (
                Outcome::Reject { code: 554, text: format!("5.7.1 held and not released; {last}") },
                "The mail was held, and nobody released it.",
            ),
            _ => (
                Outcome::Reject { code: 554, text: format!("5.4.7 not deliverable in time; {last}") },
                "The mail could not be delivered in time.",
            ),
        };
        self.failed(&copy, &outcome, why, message).await;
    }

    /// Puts a copy off; `outcome` is what was said about it.
    async fn later(&self, mut copy: SpooledCopy, outcome: Option<&Outcome>, message: &Shared) {
        let now = Timestamp::now();
        let [dice] = random();
        copy.next_at = schedule::next(now, copy.attempts, self.settings.longest_pause, dice);
        copy.attempts += 1;
        copy.last = outcome.map(Outcome::reply).or(copy.last);
        let asked = copy.recipient.notify.is_some_and(|notify| notify.delay);
        let report = match &copy.last {
            Some(last) if asked && schedule::becomes_late(copy.queued_at, now, copy.next_at) => {
                let why = "The mail could not be delivered yet; delivery goes on.";
                let fate = Fate { recipient: &copy.recipient, action: Action::Delayed, status: "4.4.1", diagnostic: last, why };
                self.report(&copy, fate, message).await
            }
            _ => None,
        };
        if let Some(report) = report
            && let Err(error) = self.gateway.store.spool(&[report]).await
        {
            tracing::warn!(%error, "a report of delay cannot be kept");
        }
        self.write(|| self.gateway.store.spool_changed(&copy)).await;
    }

    async fn unreached(&self, mut copy: SpooledCopy, outcome: &Outcome) {
        tracing::warn!(copy = %copy.id, why = outcome.reply(), "outbound MTA");
        if copy.last.is_none() {
            copy.last = Some(outcome.reply());
            self.write(|| self.gateway.store.spool_changed(&copy)).await;
        }
    }

    /// The end of a copy: its outcome on record, out of the spool.
    async fn settle(&self, copy: &SpooledCopy, decision: Option<DecisionId>, outcome: &Outcome, report: Option<NewSpooled>) {
        if let Some(decision) = decision {
            self.gateway.store.settle(decision, Timestamp::now(), outcome);
        }
        self.take_out(copy.id, report).await;
    }

    async fn take_out(&self, id: CopyId, report: Option<NewSpooled>) {
        self.write(|| self.gateway.store.spool_settled(id, report.as_slice())).await;
    }

    /// Writes until it is durable: a copy that was delivered and is not taken out would be delivered again.
    async fn write<W: Future<Output = Result<(), StoreError>>>(&self, write: impl Fn() -> W) {
        let mut stop = self.stop.clone();
        while let Err(error) = write().await {
            tracing::error!(%error, "the spool cannot be written");
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(DISK_PAUSE) => {}
            }
        }
    }

    async fn report(&self, copy: &SpooledCopy, fate: Fate<'_>, message: &Shared) -> Option<NewSpooled> {
        match self.open(copy, message).await {
            Ok(Some(opened)) => {
                let (sender, original) = opened.parts();
                self.gateway.report(sender, original, copy.queued_at, &[fate], Timestamp::now())
            }
            Ok(None) => None,
            Err(error) => {
                tracing::error!(copy = %copy.id, %error, "no report");
                None
            }
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
        copy.attempts > 0 && age > SignedDuration::try_from(self.settings.give_up_after).unwrap_or(SignedDuration::MAX)
    }
}

/// The enhanced status code of a refusal.
fn status(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Reject { text, .. } => text.split(' ').next().filter(|word| word.starts_with("5.")).unwrap_or("5.0.0"),
        _ => "5.0.0",
    }
}
