//! Accounts of the office and the attempts to use them. Each change ends the account's sessions and is audited in the same
//! transaction. What a password or a code must be like is the business of `office`.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::audit::{Deed, NewAuditLine, Object};
use super::column::{ms, octets, timestamp};
use super::db::{Connection, Sql, query, query_as};
use super::{Store, StoreError, begin};
use crate::entropy::random;

/// Random, immutable id of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperatorId(pub [u8; 16]);

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What an operator is in the house; what that lets them do is a table in `office`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Sees what happens, and no person.
    Viewer,
    /// Helps persons: finds them, and says no for them.
    Operator,
    /// Answers for the rules: exports, reveals with a reason, reads the audit log.
    Compliance,
    /// Defends against claims: sees the evidence in full.
    Legal,
}

impl Role {
    /// All roles, from the one that may least.
    pub const ALL: [Role; 4] = [Self::Viewer, Self::Operator, Self::Compliance, Self::Legal];

    /// The word on the command line, in tables and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Compliance => "compliance",
            Self::Legal => "legal",
        }
    }

    /// The inverse of [`Role::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Stands in the audit log.
    pub id: OperatorId,
    /// The login name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// True when a code is asked for after the password.
    pub has_second_factor: bool,
    /// True when the account is closed for good.
    pub disabled: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// What an attempt meets.
pub enum Attempt {
    /// No such account, or a closed one.
    Unknown,
    /// Too many failed before.
    Locked,
    /// It may be checked, and counts as failed until something else is said.
    Open {
        /// Whose.
        operator: Operator,
        /// The argon2 hash to check a password against.
        password: String,
        /// True when somebody is locked out from now on, should this one fail.
        locks: bool,
        /// For [`Store::forgive_attempt`].
        takes_back: TakesBack,
    },
}

/// Where an attempt comes from: the keyed hash of its network; `None` when that cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub Option<[u8; 32]>);

impl Place {
    /// As it is stored.
    pub(super) fn network(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |network| &network[..])
    }
}

/// What failed attempts lead to.
#[derive(Clone, Copy)]
pub struct LockRule {
    /// So many do not lock.
    pub free: u32,
    /// For how long so many lock.
    pub lock: fn(u32) -> SignedDuration,
    /// After so long without another, one is forgotten.
    pub forgets: SignedDuration,
}

/// What an attempt has counted, should it turn out well.
pub struct TakesBack {
    from: Place,
    counts: bool,
    locked_until: i64,
}

/// Places of one account that are remembered; beyond that, those go that failed longest ago and were never inside.
const PLACES: i64 = 500;

/// The failures that are not forgotten yet.
fn left_of(failures: i64, failed_at: i64, rule: LockRule, at: Timestamp) -> i64 {
    let forgets = i64::try_from(rule.forgets.as_millis()).unwrap_or(i64::MAX).max(1);
    (failures - ms(at).saturating_sub(failed_at).max(0) / forgets).max(0)
}

/// When a lock of that length ends; 0 for none.
fn until(at: Timestamp, lock: SignedDuration) -> i64 {
    if lock.is_positive() { ms(at).saturating_add(i64::try_from(lock.as_millis()).unwrap_or(i64::MAX)) } else { 0 }
}

/// Drops the places whose failures are forgotten, and what is beyond [`PLACES`].
async fn forget_places(tx: &mut Connection, operator: &[u8], rule: LockRule, at: Timestamp) -> Result<(), StoreError> {
    let forgets = i64::try_from(rule.forgets.as_millis()).unwrap_or(i64::MAX);
    query(
        "DELETE FROM place WHERE operator = $1 AND known_until <= $2
             AND (failures <= ($2 - failed_at) / $3 AND locked_until <= $2
                  OR network NOT IN (SELECT network FROM place WHERE operator = $1 ORDER BY failed_at DESC LIMIT $4))",
    )
    .bind(operator)
    .bind(ms(at))
    .bind(forgets.max(1))
    .bind(PLACES)
    .execute(tx)
    .await?;
    Ok(())
}

/// The columns of an [`Operator`].
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Vec<u8>,
    name: String,
    role: String,
    has_second_factor: bool,
    disabled: bool,
    created: i64,
}

impl Row {
    pub(super) fn read(self) -> Result<Operator, StoreError> {
        Ok(Operator {
            id: OperatorId(octets(&self.id)?),
            name: self.name,
            role: Role::parse(&self.role).ok_or(StoreError::Damaged("an operator's role"))?,
            has_second_factor: self.has_second_factor,
            disabled: self.disabled,
            created: timestamp(self.created)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    #[sqlx(flatten)]
    operator: Row,
    password: String,
    failures: i64,
    failed_at: i64,
    locked_until: i64,
}

impl Store {
    /// Makes an account; `password` is its argon2 hash.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] when there is one of that name, disabled ones included.
    pub async fn add_operator(&self, name: &str, role: Role, password: &str, at: Timestamp) -> Result<OperatorId, StoreError> {
        let id = OperatorId(random());
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let added = query("INSERT INTO operator (id, name, password, role, created) VALUES ($1, $2, $3, $4, $5)")
            .bind(&id.0[..])
            .bind(name)
            .bind(password)
            .bind(role.as_str())
            .bind(ms(at))
            .execute(&mut tx)
            .await;
        match added {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Err(StoreError::NameTaken),
            added => added?,
        };
        let reason = Some(role.as_str().to_owned());
        self.append_audit(&mut tx, line(id, None, Deed::OperatorAdded, reason, at)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// All accounts by name, disabled ones included.
    pub async fn operators(&self) -> Result<Vec<Operator>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<Row> =
            query_as("SELECT id, name, role, totp IS NOT NULL AS has_second_factor, disabled, created FROM operator ORDER BY name")
                .fetch_all(&mut reader)
                .await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// Gives an account another role, and ends its sessions.
    pub async fn set_role(&self, id: OperatorId, role: Role, at: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        query("UPDATE operator SET role = $2 WHERE id = $1").bind(&id.0[..]).bind(role.as_str()).execute(&mut tx).await?;
        let reason = Some(role.as_str().to_owned());
        self.changed(&mut tx, line(id, None, Deed::RoleChanged, reason, at), id).await?;
        Ok(tx.commit().await?)
    }

    /// Gives an account another password (its argon2 hash), ends its sessions and unlocks it. `by` is `None` for the
    /// command line.
    pub async fn set_password(&self, id: OperatorId, password: &str, by: Option<OperatorId>, at: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        query("UPDATE operator SET password = $2, failures = 0, locked_until = 0 WHERE id = $1")
            .bind(&id.0[..])
            .bind(password)
            .execute(&mut tx)
            .await?;
        unlock_places(&mut tx, id).await?;
        self.changed(&mut tx, line(id, by, Deed::PasswordChanged, None, at), id).await?;
        Ok(tx.commit().await?)
    }

    /// Closes an account for good, and ends its sessions.
    pub async fn disable_operator(&self, id: OperatorId, at: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        query("UPDATE operator SET disabled = TRUE WHERE id = $1").bind(&id.0[..]).execute(&mut tx).await?;
        self.changed(&mut tx, line(id, None, Deed::OperatorDisabled, None, at), id).await?;
        Ok(tx.commit().await?)
    }

    /// Takes an account's second factor away, ends its sessions and unlocks it. The last step stays: should the same secret
    /// ever come back, its codes stay used.
    pub async fn reset_second_factor(&self, id: OperatorId, at: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        query("UPDATE operator SET totp = NULL, failures = 0, locked_until = 0 WHERE id = $1").bind(&id.0[..]).execute(&mut tx).await?;
        unlock_places(&mut tx, id).await?;
        self.changed(&mut tx, line(id, None, Deed::SecondFactorReset, None, at), id).await?;
        Ok(tx.commit().await?)
    }

    /// Begins an attempt on the account of that name. It is counted as failed before it is checked, so that many at once
    /// cannot outrun the lock; `rule` says for how long how many failures lock.
    ///
    /// A place has failures and a lock of its own. Those of all places lock the account for all but the places that the
    /// operator came in from; and of one place only so many count there that it alone does not lock.
    pub async fn begin_attempt(&self, name: &str, from: Place, rule: LockRule, at: Timestamp) -> Result<Attempt, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let row: Option<AttemptRow> = query_as(
            Sql { sqlite: "SELECT id, name, role, totp IS NOT NULL AS has_second_factor, disabled, created, password, failures, failed_at, locked_until
             FROM operator WHERE name = $1 AND NOT disabled",
            postgres: "SELECT id, name, role, totp IS NOT NULL AS has_second_factor, disabled, created, password, failures, failed_at, locked_until
             FROM operator WHERE name = $1 AND NOT disabled FOR UPDATE" },
        )
        .bind(name)
        .fetch_optional(&mut tx)
        .await?;
        let Some(row) = row else { return Ok(Attempt::Unknown) };
        let place: Option<(i64, i64, i64, i64)> =
            query_as("SELECT failures, failed_at, locked_until, known_until FROM place WHERE operator = $1 AND network = $2")
                .bind(&row.operator.id)
                .bind(from.network())
                .fetch_optional(&mut tx)
                .await?;
        let (failures, failed_at, locked_until, known_until) = place.unwrap_or_default();
        let now = ms(at);
        if now < locked_until || (now < row.locked_until && now >= known_until) {
            return Ok(Attempt::Locked);
        }
        let here = left_of(failures, failed_at, rule, at) + 1;
        let counts = here <= i64::from(rule.free);
        let everywhere = left_of(row.failures, row.failed_at, rule, at) + i64::from(counts);
        let [lock_here, lock_everywhere] = [here, everywhere].map(|failures| (rule.lock)(u32::try_from(failures).unwrap_or(u32::MAX)));
        query(
            "INSERT INTO place (operator, network, failures, failed_at, locked_until, known_until) VALUES ($1, $2, $3, $4, $5, 0)
             ON CONFLICT (operator, network) DO UPDATE SET failures = $3, failed_at = $4, locked_until = $5",
        )
        .bind(&row.operator.id)
        .bind(from.network())
        .bind(here)
        .bind(now)
        .bind(until(at, lock_here))
        .execute(&mut tx)
        .await?;
        forget_places(&mut tx, &row.operator.id, rule, at).await?;
        if counts {
            query("UPDATE operator SET failures = $2, failed_at = $3, locked_until = CASE WHEN locked_until > $4 THEN locked_until ELSE $4 END WHERE id = $1")
                .bind(&row.operator.id)
                .bind(everywhere)
                .bind(now)
                .bind(until(at, lock_everywhere))
                .execute(&mut tx)
                .await?;
        }
        tx.commit().await?;
        let locks = lock_here.is_positive() || (counts && lock_everywhere.is_positive());
        let takes_back = TakesBack { from, counts, locked_until: row.locked_until };
        Ok(Attempt::Open { operator: row.operator.read()?, password: row.password, locks, takes_back })
    }

    /// Takes back that an attempt counts as failed. The earlier ones go on counting until a full login, or until they are
    /// forgotten.
    pub async fn forgive_attempt(&self, id: OperatorId, attempt: TakesBack) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        query("UPDATE place SET failures = CASE WHEN failures > 0 THEN failures - 1 ELSE 0 END, locked_until = 0 WHERE operator = $1 AND network = $2")
            .bind(&id.0[..])
            .bind(attempt.from.network())
            .execute(&mut tx)
            .await?;
        if attempt.counts {
            query("UPDATE operator SET failures = CASE WHEN failures > 0 THEN failures - 1 ELSE 0 END, locked_until = $2 WHERE id = $1")
                .bind(&id.0[..])
                .bind(attempt.locked_until)
                .execute(&mut tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// The secret of the account's second factor, opened; `None` when it has none.
    pub async fn second_factor(&self, id: OperatorId) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let row: Option<(Vec<u8>,)> =
            query_as("SELECT totp FROM operator WHERE id = $1 AND totp IS NOT NULL").bind(&id.0[..]).fetch_optional(&mut reader).await?;
        let open = |(sealed,): (Vec<u8>,)| self.keyring().ledger_key().open(&totp_context(id), &sealed);
        row.map(|row| open(row).ok_or(StoreError::Damaged("a second factor"))).transpose()
    }

    /// After any change: who is inside must come in anew, and the change is on record.
    async fn changed(&self, tx: &mut Connection, line: NewAuditLine, id: OperatorId) -> Result<(), StoreError> {
        query("DELETE FROM session WHERE operator = $1").bind(&id.0[..]).execute(&mut *tx).await?;
        self.append_audit(tx, line).await
    }
}

/// Forgets the failures of all places.
async fn unlock_places(tx: &mut Connection, id: OperatorId) -> Result<(), StoreError> {
    query("UPDATE place SET failures = 0, locked_until = 0 WHERE operator = $1").bind(&id.0[..]).execute(tx).await?;
    Ok(())
}

fn line(id: OperatorId, by: Option<OperatorId>, deed: Deed, reason: Option<String>, at: Timestamp) -> NewAuditLine {
    NewAuditLine { at, operator: by, deed, object: Some(Object::Operator(id)), reason }
}

/// Where a sealed second factor belongs.
pub(super) fn totp_context(id: OperatorId) -> Vec<u8> {
    [b"operator\0totp\0", &id.0[..]].concat()
}
