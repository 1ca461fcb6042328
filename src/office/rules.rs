//! Which rules may serve: simulated, approved by a second person, or tightening only (S0-26, S0-27, S0-28).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::{Action, EnterAnswer, Office, OfficeError, Operator, OperatorId, Stage, StoreError, reason};
use crate::policy::{RuleChange, Rules, RulesId};
use crate::store::{ActiveRules, Approval, How, NewApproval, Simulation};

/// How far back a simulation goes at least, to propose rules by: days differ, weeks less so.
const LEAST_SPAN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How often a gateway looks whether other rules came into force.
const WATCH: Duration = Duration::from_secs(60);

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
        "there is no simulation of these rules against those in force: run `consentry simulate --as NAME` with their configuration, so that what they change is known (S0-27)"
    )]
    NotSimulated,
    /// It says too little.
    #[error("a simulation to propose rules by covers at least a week, so that it says something (S0-27): write --since 7d or more")]
    SpanTooShort,
    /// One person is not enough.
    #[error("{0} ran the simulation of these rules: a second person must approve them (S0-26)")]
    SamePerson(String),
    /// There is nothing to approve.
    #[error("these rules are in force")]
    AlreadyInForce,
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

/// Where rules are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesState {
    /// They decide about mail.
    InForce,
    /// A second person approved them to follow those in force: they serve from the next start.
    Approved,
    /// Somebody had them simulated against those in force; nobody approved them yet.
    Proposed,
    /// They were in force, or proposed to follow others than those in force now.
    Outdated,
    /// Never heard of.
    Unknown,
}

impl RulesState {
    /// The word on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Approved => "approved",
            Self::Proposed => "proposed",
            Self::Outdated => "outdated",
            Self::Unknown => "unknown",
        }
    }
}

/// All that is on record about rules, newest first.
pub struct RulesOnRecord {
    /// Those that were in force; the first still are.
    pub history: Vec<ActiveRules>,
    /// What rules would have changed.
    pub simulations: Vec<Simulation>,
    /// Who approved what.
    pub approvals: Vec<Approval>,
}

impl RulesOnRecord {
    /// `seq` of the rules in force; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.history.first().map_or(0, |active| active.seq)
    }

    /// All ids, the latest that anything happened to first.
    pub fn ids(&self) -> Vec<RulesId> {
        let in_force = self.history.iter().map(|active| (active.at, active.id));
        let simulated = self.simulations.iter().map(|simulation| (simulation.at, simulation.rules));
        let mut all: Vec<_> = in_force.chain(simulated).collect();
        all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut ids: Vec<RulesId> = Vec::new();
        for (_, id) in all {
            if !ids.contains(&RulesId(id)) {
                ids.push(RulesId(id));
            }
        }
        ids
    }

    /// Where they are on their way.
    pub fn state(&self, rules: RulesId) -> RulesState {
        let follows = self.seq();
        let is_active = self.history.first().is_some_and(|active| active.id == rules.0);
        let is_approved = self.approvals.iter().any(|approval| approval.rules == rules.0 && approval.follows == follows);
        match () {
            () if is_active => RulesState::InForce,
            () if is_approved => RulesState::Approved,
            () if self.proposer(rules).is_some() => RulesState::Proposed,
            () if self.text(rules).is_some() => RulesState::Outdated,
            () => RulesState::Unknown,
        }
    }

    /// Who had them simulated first since those in force are.
    pub fn proposer(&self, rules: RulesId) -> Option<OperatorId> {
        let follows = self.seq();
        let first = self.simulations.iter().rev().find(|simulation| simulation.rules == rules.0 && simulation.follows == follows);
        first.map(|simulation| simulation.ran_by)
    }

    /// Their text.
    pub fn text(&self, rules: RulesId) -> Option<&str> {
        let in_force = self.history.iter().find(|active| active.id == rules.0).map(|active| &active.text);
        let simulated = self.simulations.iter().find(|simulation| simulation.rules == rules.0).map(|simulation| &simulation.text);
        in_force.or(simulated).map(String::as_str)
    }

    /// What they say otherwise than those in force; and of that what is looser. `None` where another release wrote either.
    pub fn difference(&self, rules: RulesId) -> Option<(Vec<RuleChange>, Vec<String>)> {
        let active = self.history.first()?;
        let (new, old) = (Rules::parse(self.text(rules)?)?, Rules::parse(&active.text)?);
        Some((new.changes(&old), looser(&new, active)))
    }
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

    /// Tells the log, once a minute, that `rules` decide here while others are in force: another gateway brought them, and
    /// this one must be started anew. Until `shutdown`.
    pub async fn watch_rules(self, rules: RulesId, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            match self.inner.store.active_rules().await {
                Ok(Some(active)) if active.id != rules.0 => {
                    tracing::error!(here = %rules, in_force = %RulesId(active.id), since = %active.at, "rules_outdated");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "whether other rules came into force is not known"),
            }
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(WATCH) => {}
            }
        }
    }

    /// Keeps a simulation in the operator's name: they propose these rules, and somebody else approves them (S0-26, S0-27).
    pub async fn propose_rules(&self, operator: &Operator, simulation: Simulation) -> Result<(), RulesError> {
        self.authorise(operator, Action::SimulateRules)?;
        if simulation.until.duration_since(simulation.since) < LEAST_SPAN {
            return Err(RulesError::SpanTooShort);
        }
        // whoever proves to be somebody stands for it, whatever the caller wrote
        let simulation = Simulation { ran_by: operator.id, ran_by_name: operator.name.clone(), ..simulation };
        Ok(self.inner.store.keep_simulation(&simulation).await?)
    }

    /// Approves rules to follow those in force, once somebody else proposed them.
    pub async fn approve_rules(&self, operator: &Operator, rules: RulesId, why: &str, now: Timestamp) -> Result<(), RulesError> {
        self.authorise(operator, Action::ApproveRules)?;
        let why = reason(why)?;
        let record = self.rules_on_record(operator).await?;
        match record.state(rules) {
            RulesState::InForce => return Err(RulesError::AlreadyInForce),
            RulesState::Unknown | RulesState::Outdated => return Err(RulesError::NotSimulated),
            RulesState::Proposed | RulesState::Approved => {}
        }
        if record.proposer(rules) == Some(operator.id) {
            return Err(RulesError::SamePerson(operator.name.clone()));
        }
        let (follows, operator, role) = (record.seq(), operator.id, operator.role);
        let approval = NewApproval { rules: rules.0, follows, operator, role, reason: why, at: now };
        Ok(self.inner.store.approve_rules(approval).await?)
    }

    /// All rules that were ever proposed, approved or in force.
    pub async fn rules_on_record(&self, operator: &Operator) -> Result<RulesOnRecord, OfficeError> {
        self.authorise(operator, Action::Rules)?;
        let store = &self.inner.store;
        let (history, simulations, approvals) = (store.rules_history().await?, store.simulations().await?, store.approvals().await?);
        Ok(RulesOnRecord { history, simulations, approvals })
    }

    /// Somebody at the command line, who proves who they are: in and out again, with all that a login has, its locks and its
    /// lines in the audit log included.
    pub async fn prove_operator(
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
    // a text that is not the one that was approved is no yardstick
    let old = Rules::parse(&active.text).filter(|_| Rules::is_text_of(&active.text, RulesId(active.id)));
    match old {
        Some(old) => rules.is_within(&old).err().unwrap_or_default(),
        None => vec!["the rules in force were written by another release, or changed in the ledger: they cannot be compared".to_owned()],
    }
}
