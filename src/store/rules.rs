//! Which rules are in force, what others would have changed, and who approved them. Appends and reads; who may do what is the
//! business of `office`, what rules are that of `policy`.

use std::path::Path;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::audit::{Deed, NewAuditLine};
use super::column::{count, int, ms, octets, timestamp};
use super::{OperatorId, Role, Store, StoreError, begin};
use crate::entropy::random;

/// How rules came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// There were none before.
    FirstStart,
    /// By that approval.
    Approved(u64),
    /// Without one, because they only tighten.
    Tightened,
}

impl How {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstStart => "first_start",
            Self::Approved(_) => "approved",
            Self::Tightened => "tightened",
        }
    }
}

/// Rules that are or were in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRules {
    /// Their place in the order, from 1.
    pub seq: u64,
    /// SHA-256 of the text.
    pub id: [u8; 32],
    /// The rules.
    pub text: String,
    /// Since when.
    pub at: Timestamp,
    /// How they came into force.
    pub how: How,
}

/// A simulation to be kept, or one that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// Of which rules: SHA-256 of the text.
    pub rules: [u8; 32],
    /// The rules.
    pub text: String,
    /// `seq` of the rules in force then; 0 before the first.
    pub follows: u64,
    /// From when decisions were decided anew.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How many.
    pub number: u64,
    /// Of them, so many that were not sent would have passed.
    pub newly_passed: u64,
    /// And so many that passed would have been blocked.
    pub newly_blocked: u64,
    /// The figures as JSON.
    pub summary: String,
    /// Who ran it.
    pub ran_by: OperatorId,
    /// Their login name, as their account has it.
    pub ran_by_name: String,
    /// When.
    pub at: Timestamp,
}

/// An approval to be kept.
pub struct NewApproval<'a> {
    /// Of which rules.
    pub rules: [u8; 32],
    /// `seq` of the rules in force; 0 before the first.
    pub follows: u64,
    /// By whom.
    pub operator: OperatorId,
    /// In which role.
    pub role: Role,
    /// The risk decision, in their words.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
}

/// An approval as it is kept.
#[derive(Clone)]
pub struct Approval {
    /// Its place in the order, from 1.
    pub seq: u64,
    /// Of which rules.
    pub rules: [u8; 32],
    /// `seq` of the rules that were in force.
    pub follows: u64,
    /// Login name of who approved.
    pub operator: String,
    /// The word of their role then.
    pub role: String,
    /// Their reason; may hold personal data, hence no `Debug`.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

type RulesRow = (i64, Vec<u8>, String, i64, String, Option<i64>);

#[derive(sqlx::FromRow)]
struct SimulationRow {
    rules: Vec<u8>,
    text: String,
    follows: i64,
    since: i64,
    until: i64,
    number: i64,
    newly_passed: i64,
    newly_blocked: i64,
    summary: String,
    ran_by: Vec<u8>,
    ran_by_name: String,
    at: i64,
}

type ApprovalRow = (i64, Vec<u8>, i64, String, String, Vec<u8>, i64);

const ACTIVE: &str = "SELECT seq, id, text, at, how, approval FROM rules ORDER BY seq DESC LIMIT 1";

impl Store {
    /// The rules in force.
    pub async fn active_rules(&self) -> Result<Option<ActiveRules>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        active(&mut reader).await
    }

    /// All rules that ever were in force, newest first.
    pub async fn rules_history(&self) -> Result<Vec<ActiveRules>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<RulesRow> =
            sqlx::query_as("SELECT seq, id, text, at, how, approval FROM rules ORDER BY seq DESC").fetch_all(&mut *reader).await?;
        rows.into_iter().map(read_rules).collect()
    }

    /// Puts rules into force in place of those that were `seen`, with a line in the audit log. False when others came into
    /// force meanwhile: two starts at once are no two activations.
    pub async fn activate_rules(&self, rules: &ActiveRules, seen: u64, reason: Option<&str>) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if active(&mut tx).await?.map_or(0, |active| active.seq) != seen {
            return Ok(false);
        }
        let seq = int(seen + 1);
        let sealed = reason.map(|reason| self.keyring().ledger_key().seal(random(), &context("rules", seq), reason.as_bytes()));
        let approval = if let How::Approved(approval) = rules.how { Some(int(approval)) } else { None };
        sqlx::query("INSERT INTO rules (seq, id, text, at, how, approval, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .bind(seq)
            .bind(&rules.id[..])
            .bind(&rules.text)
            .bind(ms(rules.at))
            .bind(rules.how.as_str())
            .bind(approval)
            .bind(sealed)
            .execute(&mut *tx)
            .await?;
        let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let line = format!("rules {}, {}{said}", hex::encode(rules.id), rules.how.as_str());
        self.append_audit(&mut tx, deed(Deed::RulesActivated, None, line, rules.at)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps a simulation.
    pub async fn keep_simulation(&self, simulation: &Simulation) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        sqlx::query(
            "INSERT INTO simulation (seq, rules, text, follows, since, until, number, newly_passed, newly_blocked, summary, ran_by, at)
             SELECT 1 + coalesce(max(seq), 0), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM simulation",
        )
        .bind(&simulation.rules[..])
        .bind(&simulation.text)
        .bind(int(simulation.follows))
        .bind(ms(simulation.since))
        .bind(ms(simulation.until))
        .bind(int(simulation.number))
        .bind(int(simulation.newly_passed))
        .bind(int(simulation.newly_blocked))
        .bind(&simulation.summary)
        .bind(&simulation.ran_by.0[..])
        .bind(ms(simulation.at))
        .execute(&mut *tx)
        .await?;
        let line = format!("rules {}", hex::encode(simulation.rules));
        self.append_audit(&mut tx, deed(Deed::RulesSimulated, Some(simulation.ran_by), line, simulation.at)).await?;
        Ok(tx.commit().await?)
    }

    /// All simulations, newest first.
    pub async fn simulations(&self) -> Result<Vec<Simulation>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<SimulationRow> = sqlx::query_as(
            "SELECT s.*, o.name AS ran_by_name FROM simulation AS s JOIN operator AS o ON o.id = s.ran_by ORDER BY s.seq DESC",
        )
        .fetch_all(&mut *reader)
        .await?;
        rows.into_iter().map(SimulationRow::read).collect()
    }

    /// Keeps an approval, with a line in the audit log.
    pub async fn approve_rules(&self, approval: NewApproval<'_>) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let (last,): (i64,) = sqlx::query_as("SELECT coalesce(max(seq), 0) FROM approval").fetch_one(&mut *tx).await?;
        let seq = last + 1;
        sqlx::query("INSERT INTO approval (seq, rules, follows, operator, role, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .bind(seq)
            .bind(&approval.rules[..])
            .bind(int(approval.follows))
            .bind(&approval.operator.0[..])
            .bind(approval.role.as_str())
            .bind(self.keyring().ledger_key().seal(random(), &context("approval", seq), approval.reason.as_bytes()))
            .bind(ms(approval.at))
            .execute(&mut *tx)
            .await?;
        let line = format!("rules {}: {}", hex::encode(approval.rules), approval.reason);
        self.append_audit(&mut tx, deed(Deed::RulesApproved, Some(approval.operator), line, approval.at)).await?;
        Ok(tx.commit().await?)
    }

    /// All approvals, newest first.
    pub async fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        let rows: Vec<ApprovalRow> = {
            let mut reader = self.inner.reader.lock().await;
            sqlx::query_as(
                "SELECT a.seq, a.rules, a.follows, o.name, a.role, a.reason, a.at
                 FROM approval AS a JOIN operator AS o ON o.id = a.operator ORDER BY a.seq DESC",
            )
            .fetch_all(&mut *reader)
            .await?
        };
        let read = |(seq, rules, follows, operator, role, sealed, at): ApprovalRow| {
            let plain = self.keyring().ledger_key().open(&context("approval", seq), &sealed);
            let reason = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok()).ok_or(StoreError::Damaged("an approval"))?;
            let (seq, follows) = (count(seq)?, count(follows)?);
            Ok(Approval { seq, rules: octets(&rules)?, follows, operator, role, reason, at: timestamp(at)? })
        };
        rows.into_iter().map(read).collect()
    }

    /// The newest approval of rules to follow those of that `seq`.
    pub async fn approval_of(&self, rules: [u8; 32], follows: u64) -> Result<Option<u64>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        approval_of(&mut reader, rules, follows).await
    }

    /// Looks at a ledger without changing anything, not even bringing it up to date: the rules in force, and whether the given
    /// ones are approved to follow them. `None` where there is no ledger, or one from before there were rules in it.
    pub async fn peek_rules(dir: &Path, rules: [u8; 32]) -> Result<Option<(Option<ActiveRules>, bool)>, StoreError> {
        let file = dir.join("ledger.sqlite");
        if !super::has_content(&file) {
            return Ok(None);
        }
        let mut connection = SqliteConnectOptions::new().filename(&file).read_only(true).disable_statement_logging().connect().await?;
        let (tables,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM sqlite_schema WHERE name IN ('rules', 'approval')").fetch_one(&mut connection).await?;
        if tables < 2 {
            return Ok(None);
        }
        let active = active(&mut connection).await?;
        let follows = active.as_ref().map_or(0, |active| active.seq);
        let is_approved = approval_of(&mut connection, rules, follows).await?.is_some();
        connection.close().await?;
        Ok(Some((active, is_approved)))
    }
}

async fn active(connection: &mut SqliteConnection) -> Result<Option<ActiveRules>, StoreError> {
    let row: Option<RulesRow> = sqlx::query_as(ACTIVE).fetch_optional(connection).await?;
    row.map(read_rules).transpose()
}

async fn approval_of(connection: &mut SqliteConnection, rules: [u8; 32], follows: u64) -> Result<Option<u64>, StoreError> {
    let row: (Option<i64>,) = sqlx::query_as("SELECT max(seq) FROM approval WHERE rules = ?1 AND follows = ?2")
        .bind(&rules[..])
        .bind(int(follows))
        .fetch_one(connection)
        .await?;
    row.0.map(count).transpose()
}

fn read_rules((seq, id, text, at, how, approval): RulesRow) -> Result<ActiveRules, StoreError> {
    let how = match (how.as_str(), approval) {
        ("first_start", None) => How::FirstStart,
        ("approved", Some(approval)) => How::Approved(count(approval)?),
        ("tightened", None) => How::Tightened,
        _ => return Err(StoreError::Damaged("an activation of rules")),
    };
    Ok(ActiveRules { seq: count(seq)?, id: octets(&id)?, text, at: timestamp(at)?, how })
}

impl SimulationRow {
    fn read(self) -> Result<Simulation, StoreError> {
        Ok(Simulation {
            rules: octets(&self.rules)?,
            text: self.text,
            follows: count(self.follows)?,
            since: timestamp(self.since)?,
            until: timestamp(self.until)?,
            number: count(self.number)?,
            newly_passed: count(self.newly_passed)?,
            newly_blocked: count(self.newly_blocked)?,
            summary: self.summary,
            ran_by: OperatorId(octets(&self.ran_by)?),
            ran_by_name: self.ran_by_name,
            at: timestamp(self.at)?,
        })
    }
}

fn deed(deed: Deed, operator: Option<OperatorId>, reason: String, at: Timestamp) -> NewAuditLine {
    NewAuditLine { at, operator, deed, object: None, reason: Some(reason) }
}

/// Where a sealed reason belongs.
fn context(table: &str, seq: i64) -> Vec<u8> {
    [table.as_bytes(), b"\0", &seq.to_be_bytes()[..]].concat()
}
