//! What operators ask of the decision log: figures, searches, and the story of one decision. Persons are masked here: a
//! subject is an id, its events come without evidence, and only for those who may see them.

use jiff::Timestamp;

use super::{Action, Office, OfficeError, Operator};
use crate::consent::{DecisionId, Event};
use crate::store::{DecisionFilter, DecisionPage, DecisionRow, EventCount, Names, Step, Volume};

/// What charts are drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Decisions.
    pub volume: Vec<Volume>,
    /// Sign-ups, confirmations, withdrawals.
    pub events: Vec<EventCount>,
}

/// A decision, and what it was taken from.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionStory {
    /// The decision and its outcome.
    pub row: DecisionRow,
    /// The person's events that it was folded from, without evidence; `None` for those who may not see them.
    pub events: Option<Vec<Event>>,
    /// The footer that the copy got, word for word; none where there was none, or nobody kept it yet.
    pub footer: Option<String>,
}

impl Office {
    /// The figures from the hour of `from` to before the hour of `to`, by steps that begin with `from`.
    pub async fn figures(&self, operator: &Operator, from: Timestamp, to: Timestamp, step: Step) -> Result<Figures, OfficeError> {
        self.authorise(operator, Action::Overview)?;
        let store = &self.inner.store;
        Ok(Figures { volume: store.volume(from, to, step).await?, events: store.event_counts(from, to, step).await? })
    }

    /// Decisions that match, before that one or the newest; newest first.
    pub async fn decisions(
        &self,
        operator: &Operator,
        filter: &DecisionFilter,
        before: Option<DecisionId>,
        limit: u32,
    ) -> Result<DecisionPage, OfficeError> {
        self.may_search(operator, filter)?;
        Ok(self.inner.store.search_decisions(filter, before, limit).await?)
    }

    /// Decisions that match and are newer than that one; newest first.
    pub async fn newer_decisions(
        &self,
        operator: &Operator,
        filter: &DecisionFilter,
        after: DecisionId,
        limit: u32,
    ) -> Result<Vec<DecisionRow>, OfficeError> {
        self.may_search(operator, filter)?;
        Ok(self.inner.store.newer_decisions(filter, after, limit).await?)
    }

    /// What the log can be filtered by.
    pub async fn decision_names(&self, operator: &Operator) -> Result<Names, OfficeError> {
        self.authorise(operator, Action::Decisions)?;
        Ok(self.inner.store.decision_names().await?)
    }

    /// One decision, and the events it was folded from.
    pub async fn decision(&self, operator: &Operator, id: DecisionId) -> Result<Option<DecisionStory>, OfficeError> {
        self.authorise(operator, Action::Decisions)?;
        let Some(row) = self.inner.store.decision(id).await? else { return Ok(None) };
        let events = match self.timeline(operator, row.decision.subject).await {
            Ok(events) => Some(events.into_iter().filter(|event| event.seq <= row.decision.folded_from).collect()),
            Err(OfficeError::NotForRole) => None,
            Err(error) => return Err(error),
        };
        let footer = match row.decision.footer {
            Some(version) => self.inner.store.text(version).await?,
            None => None,
        };
        Ok(Some(DecisionStory { row, events, footer }))
    }

    /// Whoever may not see a person may not gather what happened to them either.
    fn may_search(&self, operator: &Operator, filter: &DecisionFilter) -> Result<(), OfficeError> {
        self.authorise(operator, Action::Decisions)?;
        if filter.subject.is_some() { self.authorise(operator, Action::SubjectTimeline) } else { Ok(()) }
    }
}
