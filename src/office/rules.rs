//! Which rules may serve: simulated, approved by a second person, or tightening only (S0-26, S0-27, S0-28).

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::accounts::login_name;
use super::{Action, EnterAnswer, Office, OfficeError, Operator, Stage, StoreError, reason};
use crate::policy::{Rules, RulesId};
use crate::store::{ActiveRules, How, NewApproval};

/// How it is that rules may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// They were in force already.
    InForce,
    /// They came into force just now.
    New(How),
}

/// Why rules may not serve, or are not approved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RulesError {
    /// Other rules are in force, and nobody approved these to follow them.
    #[error("these rules are neither in force nor approved")]
    NotApproved {
        /// The rules that were to serve.
        rules: RulesId,
        /// Those in force.
        active: RulesId,
        /// What is looser than what is in force; empty where it is a tightening.
        looser: Vec<String>,
    },
    /// They do not only tighten.
    #[error("these rules do not only tighten what is in force:\n  {}", .0.join("\n  "))]
    Looser(Vec<String>),
    /// Others came into force at the same moment.
    #[error("other rules came into force just now: look at `consentry rules list` and try again")]
    Overtaken,
    /// No simulation of them is kept.
    #[error(
        "there is no simulation of these rules against those in force: run `consentry simulate` with their configuration, so that what they change is known (S0-27)"
    )]
    NotSimulated,
    /// One person is not enough.
    #[error("{0} ran the simulation of these rules: a second person must approve them (S0-26)")]
    SamePerson(String),
    /// Whoever it is did not prove it.
    #[error("name, password or code is wrong, or the account is locked")]
    Refused,
    /// The account has a second factor.
    #[error("this account has a second factor: give the code that it shows by --code")]
    CodeMissing,
    /// The account needs a second factor first.
    #[error("this account has no second factor yet, and [admin] totp asks for one: log in at /admin once to set it up")]
    NoSecondFactor,
    /// It cannot be checked now.
    #[error("the password cannot be checked now: try again in a moment")]
    Busy,
    /// The role or the reason will not do, or the ledger failed.
    #[error(transparent)]
    Office(#[from] OfficeError),
}

impl From<StoreError> for RulesError {
    fn from(error: StoreError) -> Self {
        Self::Office(error.into())
    }
}

impl Office {
    /// Lets rules serve that are in force, approved, the first ever, or, with a reason for haste, tighter than those in force.
    pub async fn activate_rules(&self, rules: &Rules, tighten: Option<&str>, now: Timestamp) -> Result<Activation, RulesError> {
        let (id, text) = (rules.id(), rules.text());
        let store = &self.inner.store;
        let active = store.active_rules().await?;
        let seen = active.as_ref().map_or(0, |active| active.seq);
        let (how, why) = match (active, tighten) {
            (Some(active), _) if active.id == id.0 => return Ok(Activation::InForce),
            (None, _) => (How::FirstStart, None),
            (Some(active), tighten) => match (store.approval_of(id.0, seen).await?, tighten) {
                (Some(approval), _) => (How::Approved(approval), None),
                (None, None) => {
                    let looser = looser(rules, &active);
                    return Err(RulesError::NotApproved { rules: id, active: RulesId(active.id), looser });
                }
                (None, Some(why)) => match looser(rules, &active) {
                    looser if looser.is_empty() => (How::Tightened, Some(reason(why)?)),
                    looser => return Err(RulesError::Looser(looser)),
                },
            },
        };
        let new = ActiveRules { seq: seen + 1, id: id.0, text, at: now, how };
        if store.activate_rules(&new, seen, why).await? { Ok(Activation::New(how)) } else { Err(RulesError::Overtaken) }
    }

    /// Approves rules to follow those in force. Who approves proves it as at a login, and is somebody else than who had them
    /// simulated first since those in force are.
    pub async fn approve_rules(
        &self,
        rules: RulesId,
        name: &str,
        password: Zeroizing<String>,
        code: Option<&str>,
        why: &str,
        now: Timestamp,
    ) -> Result<Operator, RulesError> {
        let why = reason(why)?;
        let operator = self.prove_operator(name, password, code, now).await?;
        self.authorise(&operator, Action::ApproveRules)?;
        let store = &self.inner.store;
        let follows = store.active_rules().await?.map_or(0, |active| active.seq);
        let simulations = store.simulations().await?; // newest first
        let first = simulations.iter().rev().find(|simulation| simulation.rules == rules.0 && simulation.follows == follows);
        let first = first.ok_or(RulesError::NotSimulated)?;
        if login_name(&first.ran_by) == operator.name {
            return Err(RulesError::SamePerson(operator.name));
        }
        let approval = NewApproval { rules: rules.0, follows, operator: operator.id, role: operator.role, reason: why, at: now };
        store.approve_rules(approval).await?;
        Ok(operator)
    }

    /// In and out again: with all that a login has, its locks and its lines in the audit log included.
    async fn prove_operator(
        &self,
        name: &str,
        password: Zeroizing<String>,
        code: Option<&str>,
        now: Timestamp,
    ) -> Result<Operator, RulesError> {
        let mut answer = self.login(name, password, None, now).await?;
        if let EnterAnswer::Halfway(token) = &answer {
            let session = self.session(token.as_str(), now).await?.ok_or(RulesError::Refused)?;
            if !session.operator.has_second_factor {
                return Err(RulesError::NoSecondFactor);
            }
            answer = self.prove(token.as_str(), code.ok_or(RulesError::CodeMissing)?, None, now).await?;
        }
        match answer {
            EnterAnswer::Inside(token) => {
                let session = self.session(token.as_str(), now).await?.filter(|session| session.stage == Stage::Full);
                let operator = session.ok_or(RulesError::Refused)?.operator;
                self.leave(token.as_str(), &operator, now).await?;
                Ok(operator)
            }
            EnterAnswer::Busy | EnterAnswer::TooMany(_) => Err(RulesError::Busy),
            _ => Err(RulesError::Refused),
        }
    }
}

/// What is looser than what is in force; rules that another release wrote cannot be compared.
fn looser(rules: &Rules, active: &ActiveRules) -> Vec<String> {
    match Rules::parse(&active.text) {
        Some(old) => rules.is_within(&old).err().unwrap_or_default(),
        None => vec!["another release wrote the rules in force: they cannot be compared".to_owned()],
    }
}
