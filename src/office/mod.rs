//! Joiner: what operators do, over the store. Each method takes the acting [`Operator`] and asks the table of [`Action`]s
//! itself, so that a check forgotten by a page cannot leak; what must be on record is recorded by the method that does it,
//! before it does it. How a question comes in and how the answer looks is the business of `http`.
//!
//! A new method begins with `self.authorise(operator, Action::…)?`, and one that touches a person goes on with
//! `self.record(operator, Deed::…, …).await?`.

mod accounts;
mod dispute;
mod door;
mod limiter;
mod log;
mod person;
mod requests;
mod rights;
mod role;
mod rules;
mod totp;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use jiff::Timestamp;

pub use accounts::{AccountError, PASSWORD_MIN};
pub use dispute::{HeldMail, RuleAnswer, rule_on_copy};
pub use door::{Enrolment, EnterAnswer, PasswordAnswer, SessionToken};
pub use log::{DecisionStory, Figures};
pub use person::Person;
pub use requests::{ByHand, RequestError};
pub use role::Action;
pub use rules::{Activation, RulesError, RulesOnRecord, RulesState};

pub use crate::store::{
    ActiveRules, AuditLine, CopyId, DecisionFilter, DecisionPage, DecisionRow, Deed, Erasure, EventCount, Names, NewAuditLine, Object,
    Operator, OperatorId, Pressing, Rectification, RequestFilter, Role, Session, Simulation, SpooledCopy, Stage, Step, Stop, StoreError,
    Volume, WithdrawAnswer,
};

use crate::credentials::Passwords;
use crate::entropy::random;
pub use crate::policy::{RuleChange, RulesId};
use crate::store::Store;
use limiter::Limiter;

/// Most characters of a reason.
const REASON_LIMIT: usize = 500;

/// Settings of the office.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OfficeSettings {
    /// False takes the admin pages away.
    pub enabled: bool,
    /// Whether every operator needs a second factor.
    pub totp: TotpPolicy,
    /// Networks that reach the admin pages; empty for all.
    pub networks: Vec<IpNet>,
}

/// Whether every operator needs a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TotpPolicy {
    /// It is set up at the first login.
    Required,
    /// Who wants one sets it up.
    Optional,
}

impl Default for OfficeSettings {
    fn default() -> Self {
        Self { enabled: true, totp: TotpPolicy::Required, networks: vec![] }
    }
}

/// Why the office did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OfficeError {
    /// The table says no.
    #[error("this is not for your role")]
    NotForRole,
    /// A reason is asked for, and this is none.
    #[error("give a reason, of at most {REASON_LIMIT} characters")]
    Reason,
    /// The ledger did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The office; cheap to clone.
#[derive(Clone)]
pub struct Office {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: OfficeSettings,
    passwords: Passwords,
    limiter: Mutex<Limiter>,
}

impl Office {
    /// An office over `store`.
    pub fn new(store: Store, settings: OfficeSettings) -> Self {
        // One password at a time, apart from those of the streams: a flood at this door does not slow mail.
        let passwords = Passwords::new(1, random());
        Self { inner: Arc::new(Inner { store, settings, passwords, limiter: Mutex::default() }) }
    }

    /// True when that address reaches the admin pages at all.
    pub fn admits(&self, from: Option<IpAddr>) -> bool {
        let OfficeSettings { enabled, networks, .. } = &self.inner.settings;
        let near = |ip: IpAddr| networks.iter().any(|network| network.contains(&ip.to_canonical()));
        *enabled && (networks.is_empty() || from.is_some_and(near))
    }

    /// Asks the table.
    pub fn authorise(&self, operator: &Operator, action: Action) -> Result<(), OfficeError> {
        if action.is_for(operator.role) { Ok(()) } else { Err(OfficeError::NotForRole) }
    }

    /// What operators did, newest first, before that line.
    pub async fn audit_log(&self, operator: &Operator, before: Option<u64>, limit: u32) -> Result<Vec<AuditLine>, OfficeError> {
        self.authorise(operator, Action::ReadAudit)?;
        Ok(self.inner.store.audit_log(before, limit).await?)
    }

    /// Puts on record that rows leave as a file; `what` says which. Call it before the first of them leaves.
    pub async fn begin_export(&self, operator: &Operator, what: &str, now: Timestamp) -> Result<(), OfficeError> {
        self.authorise(operator, Action::ExportCsv)?;
        self.record(operator, Deed::Exported, None, Some(what), now).await
    }

    /// Writes a line of the audit log.
    async fn record(
        &self,
        operator: &Operator,
        deed: Deed,
        object: Option<Object>,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        let reason = reason.map(str::to_owned);
        let line = NewAuditLine { at: now, operator: Some(operator.id), deed, object, reason };
        Ok(self.inner.store.audit(line).await?)
    }
}

/// The reason as it is recorded.
fn reason(text: &str) -> Result<&str, OfficeError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > REASON_LIMIT { Err(OfficeError::Reason) } else { Ok(text) }
}
