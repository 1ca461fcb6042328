//! What the sender of a copy is told about it: that it was blocked, failed, is late, or went where no reports come from.

use jiff::Timestamp;

use super::follow::Follower;
use super::run::Shared;
use crate::compose::{Action, Fate};
use crate::consent::{Decision, Language};
use crate::gateway::{blocked_text, relayed};
use crate::mail::{AnswerProfile, Outcome};
use crate::store::{NewSpooled, SpooledCopy};
use crate::wire::Enhanced;

impl Follower {
    /// The person withdrew while the mail waited (I3).
    pub(super) async fn blocked(&self, copy: &SpooledCopy, decision: &Decision, message: &Shared) {
        tracing::info!(copy = %copy.id, decision = %decision.id, reason = %decision.reason, "blocked at a later attempt");
        let profile = self.gateway.credentials.stream(&copy.stream).map(|stream| stream.answer).unwrap_or_default();
        let diagnostic = blocked_text(decision);
        let why = decision.reason.sentence(Language::EN);
        let fate = Fate { recipient: &copy.recipient, action: Action::Failed, status: "5.7.1", diagnostic: &diagnostic, why };
        let report = if profile == AnswerProfile::Accept { None } else { self.report(copy, fate, message).await };
        if let Some(key) = copy.fingerprint {
            self.gateway.twins.forget(key);
        }
        self.take_out(copy.id, report).await;
    }

    /// It will not be delivered.
    pub(super) async fn failed(&self, copy: &SpooledCopy, outcome: &Outcome, why: &str, message: &Shared) {
        let status = match outcome {
            Outcome::Reject { text, .. } => Enhanced::of(text, 5).to_string(),
            _ => "5.0.0".to_owned(),
        };
        let diagnostic = outcome.reply();
        let fate = Fate { recipient: &copy.recipient, action: Action::Failed, status: &status, diagnostic: &diagnostic, why };
        let report = self.report(copy, fate, message).await;
        self.settle(copy, outcome, report).await;
    }

    /// Whoever asked for it learns that it takes longer (RFC 3461 s.4.1).
    pub(super) async fn tell_delay(&self, copy: &SpooledCopy, message: &Shared) {
        let (Some(last), Some(true)) = (&copy.last, copy.recipient.notify.map(|notify| notify.delay)) else { return };
        let why = "The mail could not be delivered yet; delivery goes on.";
        let fate = Fate { recipient: &copy.recipient, action: Action::Delayed, status: "4.4.1", diagnostic: last, why };
        if let Some(report) = self.report(copy, fate, message).await
            && let Err(error) = self.gateway.store.spool(&[report]).await
        {
            tracing::warn!(%error, "a report of delay cannot be kept");
        }
    }

    /// M-62.
    pub(super) async fn relayed(&self, copy: &SpooledCopy, outcome: &Outcome, message: &Shared) -> Option<NewSpooled> {
        let diagnostic = outcome.reply();
        self.report(copy, relayed(&copy.recipient, &diagnostic), message).await
    }

    /// A report needs no more than sender and message: it comes also where the stream is not configured any more (M-54).
    async fn report(&self, copy: &SpooledCopy, fate: Fate<'_>, message: &Shared) -> Option<NewSpooled> {
        let now = Timestamp::now();
        if let Some(opened) = message.get() {
            let (sender, original) = opened.parts();
            return self.gateway.report(sender, original, copy.queued_at, &[fate], now);
        }
        match self.gateway.store.spooled(copy.id.message).await {
            Ok(Some(spooled)) => self.gateway.report(&spooled.sender, &spooled.original, copy.queued_at, &[fate], now),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(copy = %copy.id, %error, "no report");
                None
            }
        }
    }
}
