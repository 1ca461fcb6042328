//! Decisions and their outcomes as rows, and the doors by which they come in. Committing them is `recorder`'s business: a decision
//! is durable when its [`Durable`] is ready (I1, E-13).

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::column::{int, json, ms};
use super::recorder::{Line, State};
use super::tally::Mix;
use super::{Store, StoreError};
use crate::consent::{Decision, DecisionId, ProfileName, Reason};
use crate::entropy::random;
use crate::mail::{Class, Classification, Outcome, Step, Trust, redact};

/// Ready when the decision is durable. Dropping it does not undo the decision.
#[must_use = "the decision is durable only when this is ready"]
pub struct Durable(oneshot::Receiver<Result<(), StoreError>>);

impl Future for Durable {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is gone without an answer when the recorder is.
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

impl Store {
    /// Records a decision, and the tool's own List-Unsubscribe value that ours replaces. On an error nothing is recorded
    /// and nothing may leave (I4).
    pub fn record(&self, decision: Decision, tool_unsubscribe: Option<String>) -> Durable {
        let (done, durable) = oneshot::channel();
        let line = Line::Decision(self.row_of(decision, tool_unsubscribe), done);
        // A failed send drops `done`, which `durable` reports.
        let _ = self.inner.recorder.lines.send(line);
        Durable(durable)
    }

    /// Records what became of a decision's copy, with one of the next commits. The first outcome of a decision stays, for good
    /// and under the ledger's key: so no address may be in the MTA's words (L-DSR-02).
    pub fn settle(&self, id: DecisionId, at: Timestamp, outcome: &Outcome) {
        let (code, text) = match outcome {
            Outcome::Accept { text } => (Some(250), text),
            Outcome::Defer { code, text } | Outcome::Reject { code, text } => (Some(*code), text),
            Outcome::Unreachable { why } | Outcome::Uncertain { why } => (None, why),
        };
        let row = self.seal(&outcome_context(id), &redact(text)).map(|text| json((id.to_string(), ms(at), outcome.as_str(), code, text)));
        let sent = row.and_then(|row| self.inner.recorder.lines.send(Line::Outcome(id, row)).map_err(|_| StoreError::Closed));
        if let Err(error) = sent {
            tracing::error!(decision = %id, %error, "outcome was not recorded");
        }
    }

    /// Decisions in the local journal; `None` while the ledger takes what comes, and has all that came before (M-60).
    pub fn journaled(&self) -> Option<u64> {
        let State { is_away, waiting } = &*self.inner.recorder.state;
        let waiting = waiting.load(Ordering::Relaxed);
        (is_away.load(Ordering::Relaxed) || waiting > 0).then_some(waiting)
    }

    /// The JSON is made here, on the caller's time: the recorder is one task for all.
    fn row_of(&self, decision: Decision, tool_unsubscribe: Option<String>) -> Result<Box<Row>, StoreError> {
        // Named one by one, so that no field is forgotten.
        let Decision {
            id,
            at,
            stream,
            controller,
            recipient,
            subject,
            classification: Classification { class, topic: named_topic, campaign, steps },
            topic,
            reason,
            folded_from,
            event,
            profile,
            shadowed,
            rules,
            footer,
            is_contact,
            message,
            copy,
            size,
        } = decision;
        let (tool_context, plain_id) = (tool_context(id), id);
        // M-60: the credential says so, and nothing speaks against it
        let is_plain = class == Class::Transactional
            && matches!(steps.first(), Some(Step { trust: Trust::Credential, says: Class::Transactional, .. }));
        let (id, subject) = (id.to_string(), subject.to_string());
        // A standing with events is there for good, and its subject is the one that was read.
        let unknown = (folded_from == 0).then(|| hex::encode(recipient.0));
        let steps: Vec<_> = steps.iter().map(|step| (step.trust.as_str(), step.says.as_str(), &step.why)).collect();
        let row = json((
            &id,
            ms(at),
            &stream,
            &controller,
            &unknown,
            &subject,
            class.as_str(),
            named_topic,
            &campaign,
            json(steps),
            &topic,
            reason.as_str(),
            int(folded_from),
            event.map(int),
            message.map(|key| hex::encode(key.0)),
            // a tuple of seventeen does not serialise
            (
                int(size),
                copy.map(|key| hex::encode(key.0)),
                profile.map(ProfileName::as_str),
                shadowed.map(Reason::as_str),
                rules.map(|rules| rules.to_string()),
                footer.map(|footer| footer.to_string()),
            ),
        ));
        let tool_unsubscribe = tool_unsubscribe.map(|value| self.seal(&tool_context, &value)).transpose()?;
        Ok(Box::new(Row {
            contact: is_contact.then(|| json((hex::encode(recipient.0), &controller, ms(at)))),
            unknown: unknown.map(|key| json((key, subject))),
            tool_unsubscribe: tool_unsubscribe.map(|value| json((&id, value))),
            decision: row,
            id: plain_id,
            is_plain,
            mix: Mix {
                stream,
                controller,
                class: class.as_str(),
                topic: topic.map(|topic| topic.as_str().to_owned()).unwrap_or_default(),
                campaign: campaign.unwrap_or_default(),
                reason: reason.as_str(),
            },
        }))
    }

    fn seal(&self, context: &[u8], text: &str) -> Result<String, StoreError> {
        Ok(hex::encode(self.keyring().ledger_key().seal(random(), context, text.as_bytes())))
    }
}

/// Where a sealed outcome belongs.
pub(super) fn outcome_context(id: DecisionId) -> Vec<u8> {
    [b"outcome\0", &id.0[..]].concat()
}

/// Where a sealed List-Unsubscribe value belongs.
pub(super) fn tool_context(id: DecisionId) -> Vec<u8> {
    [b"tool_unsubscribe\0", &id.0[..]].concat()
}

/// A decision as JSON arrays, ready for the commit.
pub(super) struct Row {
    pub(super) id: DecisionId,
    pub(super) mix: Mix,
    pub(super) contact: Option<String>,
    pub(super) unknown: Option<String>,
    pub(super) decision: String,
    pub(super) tool_unsubscribe: Option<String>,
    /// May wait in the journal.
    pub(super) is_plain: bool,
}

impl Row {
    /// As it waits in the journal. Plain transactional mail is no contact.
    pub(super) fn record(&self) -> String {
        json((&self.unknown, &self.decision, &self.tool_unsubscribe))
    }

    /// The inverse of [`Row::record`].
    pub(super) fn of_record(record: &str) -> Option<Box<Self>> {
        let (unknown, decision, tool_unsubscribe): (Option<String>, String, Option<String>) = serde_json::from_str(record).ok()?;
        let fields: Vec<serde_json::Value> = serde_json::from_str(&decision).ok()?;
        let text = |n: usize| fields.get(n).and_then(serde_json::Value::as_str);
        let mix = Mix {
            stream: text(2)?.to_owned(),
            controller: text(3)?.to_owned(),
            class: Class::parse(text(6)?)?.as_str(),
            topic: text(10).unwrap_or_default().to_owned(),
            campaign: text(8).unwrap_or_default().to_owned(),
            reason: Reason::parse(text(11)?)?.as_str(),
        };
        let id = DecisionId::parse(text(0)?)?;
        Some(Box::new(Self { id, mix, contact: None, unknown, decision, tool_unsubscribe, is_plain: true }))
    }
}
