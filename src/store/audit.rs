//! The audit log: who did what in the office, in an order without gaps. Appends and reads; what is worth an entry is the
//! business of who does it.

use jiff::Timestamp;

use super::column::{count, int, ms, octets, timestamp};
use super::db::{Connection, query, query_as};
use super::{OperatorId, Store, StoreError, begin};
use crate::consent::{DecisionId, SubjectId};
use crate::entropy::random;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// An operator came in, second factor included.
    LoggedIn,
    /// An operator left.
    LoggedOut,
    /// Too many attempts failed; the account is closed for some minutes.
    LockedOut,
    /// An account was made.
    OperatorAdded,
    /// An account got another role.
    RoleChanged,
    /// An account was closed for good.
    OperatorDisabled,
    /// An account got another password.
    PasswordChanged,
    /// An operator proved a new second factor.
    SecondFactorSet,
    /// A second factor was taken away, to be set anew.
    SecondFactorReset,
    /// A person was searched by address.
    SubjectSearched,
    /// A person's address was shown.
    AddressRevealed,
    /// A person's evidence was shown in full.
    EvidenceRead,
    /// Rows left as a file.
    Exported,
    /// A consent was withdrawn on behalf of a person.
    Withdrew,
    /// All advertising was objected to on behalf of a person.
    Objected,
    /// What another system, or staff, knows of a person was told to the ledger.
    Told,
    /// Somebody tried to say a person's consent for them; it was refused (S0-11).
    GrantRefused,
    /// Mail that waits was held.
    MailHeld,
    /// Held mail was released.
    MailReleased,
    /// Mail that waits was given up.
    MailDropped,
    /// Held mail was read.
    HeldMailRead,
    /// Somebody said what a mail is, or was.
    ClassRuled,
    /// What is stored about a person left as a file (GDPR Art. 15).
    AccessExported,
    /// A person was erased (GDPR Art. 17).
    PersonErased,
    /// Processing was restricted, or a restriction lifted (GDPR Art. 18).
    Restricted,
    /// A person's request was entered by hand.
    RequestEntered,
    /// A step of a person's request was taken.
    RequestHandled,
    /// The address of a person was corrected (GDPR Art. 16).
    Rectified,
    /// Rules were simulated on recorded decisions.
    RulesSimulated,
    /// A change of the rules was approved (S0-28).
    RulesApproved,
    /// Rules came into force (R-07: `rule_activated`).
    RulesActivated,
}

impl Deed {
    /// All deeds.
    pub const ALL: [Deed; 31] = [
        Self::LoggedIn,
        Self::LoggedOut,
        Self::LockedOut,
        Self::OperatorAdded,
        Self::RoleChanged,
        Self::OperatorDisabled,
        Self::PasswordChanged,
        Self::SecondFactorSet,
        Self::SecondFactorReset,
        Self::SubjectSearched,
        Self::AddressRevealed,
        Self::EvidenceRead,
        Self::Exported,
        Self::Withdrew,
        Self::Objected,
        Self::Told,
        Self::GrantRefused,
        Self::MailHeld,
        Self::MailReleased,
        Self::MailDropped,
        Self::HeldMailRead,
        Self::ClassRuled,
        Self::AccessExported,
        Self::PersonErased,
        Self::Restricted,
        Self::RequestEntered,
        Self::RequestHandled,
        Self::Rectified,
        Self::RulesSimulated,
        Self::RulesApproved,
        Self::RulesActivated,
    ];

    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedIn => "logged_in",
            Self::LoggedOut => "logged_out",
            Self::LockedOut => "locked_out",
            Self::OperatorAdded => "operator_added",
            Self::RoleChanged => "role_changed",
            Self::OperatorDisabled => "operator_disabled",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorSet => "second_factor_set",
            Self::SecondFactorReset => "second_factor_reset",
            Self::SubjectSearched => "subject_searched",
            Self::AddressRevealed => "address_revealed",
            Self::EvidenceRead => "evidence_read",
            Self::Exported => "exported",
            Self::Withdrew => "withdrew",
            Self::Objected => "objected",
            Self::Told => "told",
            Self::GrantRefused => "grant_refused",
            Self::MailHeld => "mail_held",
            Self::MailReleased => "mail_released",
            Self::MailDropped => "mail_dropped",
            Self::HeldMailRead => "held_mail_read",
            Self::ClassRuled => "class_ruled",
            Self::AccessExported => "access_exported",
            Self::PersonErased => "person_erased",
            Self::Restricted => "restricted",
            Self::RequestEntered => "request_entered",
            Self::RequestHandled => "request_handled",
            Self::Rectified => "rectified",
            Self::RulesSimulated => "rules_simulated",
            Self::RulesApproved => "rules_approved",
            Self::RulesActivated => "rules_activated",
        }
    }

    /// The inverse of [`Deed::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == word)
    }
}

/// What it was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A decision.
    Decision(DecisionId),
    /// A person.
    Subject(SubjectId),
    /// An account.
    Operator(OperatorId),
}

impl Object {
    fn columns(self) -> (&'static str, [u8; 16]) {
        match self {
            Self::Decision(id) => ("decision", id.0),
            Self::Subject(id) => ("subject", id.0),
            Self::Operator(id) => ("operator", id.0),
        }
    }

    fn read(kind: &str, id: &[u8]) -> Result<Self, StoreError> {
        let id = octets(id)?;
        match kind {
            "decision" => Ok(Self::Decision(DecisionId(id))),
            "subject" => Ok(Self::Subject(SubjectId(id))),
            "operator" => Ok(Self::Operator(OperatorId(id))),
            _ => Err(StoreError::Damaged("an audited object")),
        }
    }
}

/// A line to be written.
#[derive(Clone)]
pub struct NewAuditLine {
    /// When.
    pub at: Timestamp,
    /// Who; `None` for the command line.
    pub operator: Option<OperatorId>,
    /// Did what.
    pub deed: Deed,
    /// To what.
    pub object: Option<Object>,
    /// Why, in the operator's words; may hold personal data, hence no `Debug`.
    pub reason: Option<String>,
}

/// A line as it was written.
#[derive(Clone)]
pub struct AuditLine {
    /// Its place in the order, from 1, without gaps.
    pub seq: u64,
    /// What was written.
    pub line: NewAuditLine,
    /// Login name of who did it.
    pub operator_name: Option<String>,
    /// Login name of the account it was done to.
    pub object_name: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: i64,
    operator: Option<Vec<u8>>,
    deed: String,
    object_kind: Option<String>,
    object: Option<Vec<u8>>,
    reason: Option<Vec<u8>>,
    operator_name: Option<String>,
    object_name: Option<String>,
}

impl Store {
    /// Writes a line; it is durable when this returns.
    pub async fn audit(&self, line: NewAuditLine) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        self.append_audit(&mut tx, line).await?;
        Ok(tx.commit().await?)
    }

    /// Lines before that one, or the newest; newest first, at most `limit`.
    pub async fn audit_log(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let rows: Vec<Row> = {
            let mut reader = self.inner.reader.lock().await;
            query_as(
                "SELECT a.*, o.name AS operator_name, p.name AS object_name
                 FROM audit AS a LEFT JOIN operator AS o ON o.id = a.operator
                 LEFT JOIN operator AS p ON a.object_kind = 'operator' AND p.id = a.object
                 WHERE a.seq < $1 ORDER BY a.seq DESC LIMIT $2",
            )
            .bind(before.map_or(i64::MAX, int))
            .bind(limit)
            .fetch_all(&mut reader)
            .await?
        };
        rows.into_iter().map(|row| self.read_audit(row)).collect()
    }

    /// Writes a line as a part of `tx`, so that a deed and its line are one.
    pub(super) async fn append_audit(&self, tx: &mut Connection, line: NewAuditLine) -> Result<(), StoreError> {
        one_by_one(tx).await?;
        let (last,): (i64,) = query_as("SELECT coalesce(max(seq), 0) FROM audit").fetch_one(&mut *tx).await?;
        let seq = last + 1;
        let (kind, object) = line.object.map(Object::columns).unzip();
        let reason = line.reason.map(|text| self.keyring().ledger_key().seal(random(), &context(seq), text.as_bytes()));
        query("INSERT INTO audit (seq, at, operator, deed, object_kind, object, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(seq)
            .bind(ms(line.at))
            .bind(line.operator.map(|id| id.0.to_vec()))
            .bind(line.deed.as_str())
            .bind(kind)
            .bind(object.map(|id| id.to_vec()))
            .bind(reason)
            .execute(tx)
            .await?;
        Ok(())
    }

    fn read_audit(&self, row: Row) -> Result<AuditLine, StoreError> {
        let open = |sealed: Vec<u8>| {
            let plain = self.keyring().ledger_key().open(&context(row.seq), &sealed);
            plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok()).ok_or(StoreError::Damaged("an audited reason"))
        };
        let line = NewAuditLine {
            at: timestamp(row.at)?,
            operator: row.operator.map(|id| octets(&id).map(OperatorId)).transpose()?,
            deed: Deed::parse(&row.deed).ok_or(StoreError::Damaged("an audited deed"))?,
            object: row.object_kind.zip(row.object).map(|(kind, id)| Object::read(&kind, &id)).transpose()?,
            reason: row.reason.map(open).transpose()?,
        };
        Ok(AuditLine { seq: count(row.seq)?, line, operator_name: row.operator_name, object_name: row.object_name })
    }
}

/// Until the transaction ends, nobody else gives out the next number of an order without gaps.
pub(super) async fn one_by_one(tx: &mut Connection) -> Result<(), StoreError> {
    if tx.is_shared() {
        query("SELECT pg_advisory_xact_lock(hashtext('consentry order'))").execute(tx).await?;
    }
    Ok(())
}

/// Where a sealed reason belongs.
fn context(seq: i64) -> Vec<u8> {
    [b"audit\0", &seq.to_be_bytes()[..]].concat()
}
