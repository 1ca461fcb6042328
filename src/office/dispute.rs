//! Mail whose class is disputed: what is held for a person, what it says, and the person's word on it. The word is a label for the model
//! as well (L-AD-07); what was decided before stays as it was.

use jiff::Timestamp;

use super::{Action, Deed, NewAuditLine, Object, Office, OfficeError, Operator, OperatorId, reason};
use crate::classify::content;
use crate::consent::DecisionId;
use crate::mail::{Class, Lane};
use crate::store::{CopyId, CopyState, Ground, Hand, Label, SpooledCopy, Store, StoreError};

/// Held copies that a page shows.
const SHOWN: u32 = 200;

/// A held mail, opened for a person.
pub struct HeldMail {
    /// The copy.
    pub copy: SpooledCopy,
    /// The subject, then the text as its reader sees it, line by line.
    pub lines: Vec<String>,
    /// What of it advertises most, as the model reads it; empty where nothing does.
    pub advertises: String,
}

/// What came of a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAnswer {
    /// It is done.
    Done,
    /// Somebody said before that it is this, and that stays.
    SaidBefore(Class),
    /// It is not held any more, or was never; or there is no such decision.
    Gone,
}

impl Office {
    /// What is held because its class is disputed, the oldest first, and how much is held altogether. No addresses, no words.
    pub async fn held(&self, operator: &Operator) -> Result<(Vec<SpooledCopy>, u64), OfficeError> {
        self.authorise(operator, Action::Held)?;
        let store = &self.inner.store;
        let mut copies = store.spool_held(SHOWN).await?;
        copies.retain(is_disputed);
        Ok((copies, store.spool_held_number().await?))
    }

    /// One held copy, without its words.
    pub async fn held_copy(&self, operator: &Operator, id: CopyId) -> Result<Option<SpooledCopy>, OfficeError> {
        self.authorise(operator, Action::Held)?;
        Ok(self.inner.store.spool_copy(id).await?.filter(|copy| copy.state == CopyState::Held && is_disputed(copy)))
    }

    /// Reads a held mail, for a reason.
    pub async fn read_held(&self, operator: &Operator, id: CopyId, why: &str, now: Timestamp) -> Result<Option<HeldMail>, OfficeError> {
        self.authorise(operator, Action::RuleOnClass)?;
        let why = reason(why)?;
        let Some(copy) = self.held_copy(operator, id).await? else { return Ok(None) };
        self.record(operator, Deed::HeldMailRead, object(&copy), Some(why), now).await?;
        let Some(message) = self.inner.store.spooled(id.message).await? else { return Ok(None) };
        let (lines, advertises) = content::shown(&message.original);
        Ok(Some(HeldMail { copy, lines, advertises }))
    }

    /// Says what a held mail is, for a reason.
    pub async fn rule_on_held(
        &self,
        operator: &Operator,
        id: CopyId,
        class: Class,
        why: &str,
        now: Timestamp,
    ) -> Result<RuleAnswer, OfficeError> {
        self.authorise(operator, Action::RuleOnClass)?;
        let why = reason(why)?;
        let Some(copy) = self.held_copy(operator, id).await? else { return Ok(RuleAnswer::Gone) };
        Ok(rule_on_copy(&self.inner.store, Some(operator.id), copy, class, why, now).await?)
    }

    /// What was said of a decided mail's class, if anything.
    pub async fn label(&self, operator: &Operator, decision: DecisionId) -> Result<Option<Class>, OfficeError> {
        self.authorise(operator, Action::Decisions)?;
        Ok(self.inner.store.label_of(decision).await?)
    }

    /// Says what a mail was that was decided on, for a reason: it counts for the model, not for that mail (L-AD-07).
    pub async fn appeal(
        &self,
        operator: &Operator,
        decision: DecisionId,
        class: Class,
        why: &str,
        now: Timestamp,
    ) -> Result<RuleAnswer, OfficeError> {
        self.authorise(operator, Action::RuleOnClass)?;
        let why = reason(why)?;
        let store = &self.inner.store;
        let Some(row) = store.decision(decision).await? else { return Ok(RuleAnswer::Gone) };
        let steps = row.decision.classification.steps;
        let label = Label { decision, at: now, stream: row.decision.stream, class, steps, figures: None };
        let said = store.keep_label(&label, line(Some(operator.id), decision, class, why, now)).await?;
        Ok(said.map_or(RuleAnswer::Done, RuleAnswer::SaidBefore))
    }
}

/// A person's word on a held copy: on record first, then the copy goes its way. Who says the same again after a crash in between
/// completes it. The first word stays.
pub async fn rule_on_copy(
    store: &Store,
    operator: Option<OperatorId>,
    copy: SpooledCopy,
    class: Class,
    why: &str,
    now: Timestamp,
) -> Result<RuleAnswer, StoreError> {
    let Some(ground) = copy.ground.clone().filter(|_| copy.state == CopyState::Held) else { return Ok(RuleAnswer::Gone) };
    let (Some(message), Some(row)) = (store.spooled(copy.id.message).await?, store.decision(ground.decision).await?) else {
        return Ok(RuleAnswer::Gone);
    };
    let label = Label {
        decision: ground.decision,
        at: now,
        stream: copy.stream.clone(),
        class,
        steps: row.decision.classification.steps,
        figures: Some(content::figures(&message.original)),
    };
    match store.keep_label(&label, line(operator, ground.decision, class, why, now)).await? {
        Some(said) if said != class => return Ok(RuleAnswer::SaidBefore(said)),
        _ => {}
    }
    let lane = if class == Class::Marketing { Lane::Bulk } else { Lane::Transactional };
    let ruled = SpooledCopy { state: CopyState::Waiting, next_at: now, lane, ruling: Some(class), ..copy };
    store.spool_changed(&ruled, CopyState::Held, Hand::Operator).await?;
    Ok(RuleAnswer::Done)
}

fn is_disputed(copy: &SpooledCopy) -> bool {
    copy.ground.as_ref().is_some_and(Ground::is_disputed)
}

fn object(copy: &SpooledCopy) -> Option<Object> {
    copy.ground.as_ref().map(|ground| Object::Decision(ground.decision))
}

fn line(operator: Option<OperatorId>, decision: DecisionId, class: Class, why: &str, at: Timestamp) -> NewAuditLine {
    NewAuditLine { at, operator, deed: Deed::ClassRuled, object: Some(Object::Decision(decision)), reason: Some(format!("{class}: {why}")) }
}
