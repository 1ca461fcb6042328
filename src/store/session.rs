//! Who is in the office. A session is found by the keyed hash of its token and gets a new token with each step up, so that
//! nobody can prepare one for somebody else. How long one lasts is the business of `office`.

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::audit::{Deed, NewAuditLine, Object};
use super::column::{int, ms};
use super::db::{Connection, query, query_as};
use super::operator::{Place, totp_context};
use super::{Operator, OperatorId, Store, StoreError, begin, operator};
use crate::entropy::random;

/// Sessions of one operator at the same stage; an older one ends when a new one begins.
const MOST: i64 = 10;

/// `last_seen` is not written more often than this.
const GRAIN: SignedDuration = SignedDuration::from_secs(60);

/// For so long the place of a login stays known.
const KNOWN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How far an operator has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The password was right, the second factor is to come.
    PasswordPassed,
    /// Inside.
    Full,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::PasswordPassed => "password_passed",
            Self::Full => "full",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::PasswordPassed, Self::Full].into_iter().find(|stage| stage.as_str() == word)
    }
}

/// A session to be begun.
pub struct NewSession<'a> {
    /// `Keyring::secret_key` of its token.
    pub token: [u8; 32],
    /// Whose.
    pub operator: OperatorId,
    /// How far.
    pub stage: Stage,
    /// A TOTP secret that is shown and to be proved.
    pub enrolment: Option<&'a [u8]>,
    /// From when.
    pub at: Timestamp,
    /// Until when at most.
    pub ends: Timestamp,
}

/// A session in force.
pub struct Session {
    /// Whose, as the account is now.
    pub operator: Operator,
    /// How far.
    pub stage: Stage,
    /// The TOTP secret that is shown and to be proved.
    pub enrolment: Option<Zeroizing<Vec<u8>>>,
}

/// What brings an operator inside, beside the password.
pub enum Proof<'a> {
    /// Nothing more.
    Password,
    /// A code of that time step.
    Code(u64),
    /// A new secret, by a code of that time step.
    Enrolment(&'a [u8], u64),
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    operator: operator::Row,
    stage: String,
    enrolment: Option<Vec<u8>>,
    last_seen: i64,
}

impl Store {
    /// Begins a session.
    pub async fn begin_session(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        self.insert_session(&mut tx, session).await?;
        Ok(tx.commit().await?)
    }

    /// Brings an operator inside: the session `old` gives way to `new`, failed attempts are forgotten, and it is on record.
    /// A new second factor ends all others of the operator. False when a code of that step was used before, there is a second
    /// factor already, or `old` has ended meanwhile; then nothing has changed.
    pub async fn enter(&self, old: Option<[u8; 32]>, proof: Proof<'_>, from: Place, new: NewSession<'_>) -> Result<bool, StoreError> {
        let (id, at) = (new.operator, new.at);
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let proved = match proof {
            Proof::Password => query("UPDATE operator SET failures = 0, locked_until = 0 WHERE id = $1 AND totp IS NULL").bind(&id.0[..]),
            Proof::Code(step) => query(
                "UPDATE operator SET failures = 0, locked_until = 0, totp_step = $2
                 WHERE id = $1 AND totp IS NOT NULL AND coalesce(totp_step, -1) < $2",
            )
            .bind(&id.0[..])
            .bind(int(step)),
            Proof::Enrolment(secret, step) => {
                query("UPDATE operator SET failures = 0, locked_until = 0, totp_step = $2, totp = $3 WHERE id = $1 AND totp IS NULL")
                    .bind(&id.0[..])
                    .bind(int(step))
                    .bind(self.keyring().ledger_key().seal(random(), &totp_context(id), secret))
            }
        };
        if proved.execute(&mut tx).await?.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(old) = old {
            let ended = query("DELETE FROM session WHERE token = $1 AND operator = $2").bind(&old[..]).bind(&id.0[..]);
            if ended.execute(&mut tx).await?.rows_affected() == 0 {
                return Ok(false);
            }
        }
        if matches!(proof, Proof::Enrolment(..)) {
            // Another way in from now on: whoever is inside by the old one must come in anew.
            query("DELETE FROM session WHERE operator = $1").bind(&id.0[..]).execute(&mut tx).await?;
        }
        remember(&mut tx, id, from, at).await?;
        self.insert_session(&mut tx, new).await?;
        let line = |deed| NewAuditLine { at, operator: Some(id), deed, object: Some(Object::Operator(id)), reason: None };
        if matches!(proof, Proof::Enrolment(..)) {
            self.append_audit(&mut tx, line(Deed::SecondFactorSet)).await?;
        }
        self.append_audit(&mut tx, line(Deed::LoggedIn)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The session of that token: not ended, not idle for `idle`, its operator not disabled.
    pub async fn session(&self, token: [u8; 32], idle: SignedDuration, at: Timestamp) -> Result<Option<Session>, StoreError> {
        let row: Option<Row> = {
            let mut reader = self.inner.reader.lock().await;
            query_as(
                "SELECT o.id, o.name, o.role, o.totp IS NOT NULL AS has_second_factor, o.disabled, o.created,
                        s.stage, s.enrolment, s.last_seen
                 FROM session AS s JOIN operator AS o ON o.id = s.operator
                 WHERE s.token = $1 AND s.ends > $2 AND s.last_seen > $3 AND NOT o.disabled",
            )
            .bind(&token[..])
            .bind(ms(at))
            .bind(ms(at - idle))
            .fetch_optional(&mut reader)
            .await?
        };
        let Some(row) = row else { return Ok(None) };
        if ms(at - GRAIN) >= row.last_seen {
            let mut writer = self.inner.writer.lock().await;
            let mut tx = begin(&mut writer).await?;
            query("UPDATE session SET last_seen = $2 WHERE token = $1").bind(&token[..]).bind(ms(at)).execute(&mut tx).await?;
            tx.commit().await?;
        }
        let open = |sealed: Vec<u8>| {
            let secret = self.keyring().ledger_key().open(&enrolment_context(&token), &sealed);
            secret.ok_or(StoreError::Damaged("an enrolment"))
        };
        Ok(Some(Session {
            operator: row.operator.read()?,
            stage: Stage::parse(&row.stage).ok_or(StoreError::Damaged("a session's stage"))?,
            enrolment: row.enrolment.map(open).transpose()?,
        }))
    }

    /// Gives a session a TOTP secret to show.
    pub async fn set_enrolment(&self, token: [u8; 32], secret: &[u8]) -> Result<(), StoreError> {
        let sealed = self.keyring().ledger_key().seal(random(), &enrolment_context(&token), secret);
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        query("UPDATE session SET enrolment = $2 WHERE token = $1").bind(&token[..]).bind(sealed).execute(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Ends a session.
    pub async fn end_session(&self, token: [u8; 32], operator: OperatorId, at: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        query("DELETE FROM session WHERE token = $1").bind(&token[..]).execute(&mut tx).await?;
        self.append_audit(&mut tx, logged_out(operator, at)).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the operator's sessions but the one of that token; says how many.
    pub async fn end_other_sessions(&self, token: [u8; 32], operator: OperatorId, at: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let ended = query("DELETE FROM session WHERE operator = $1 AND token <> $2")
            .bind(&operator.0[..])
            .bind(&token[..])
            .execute(&mut tx)
            .await?
            .rows_affected();
        if ended > 0 {
            self.append_audit(&mut tx, logged_out(operator, at)).await?;
        }
        tx.commit().await?;
        Ok(ended)
    }

    async fn insert_session(&self, tx: &mut Connection, session: NewSession<'_>) -> Result<(), StoreError> {
        let NewSession { token, operator, stage, enrolment, at, ends } = session;
        query("DELETE FROM session WHERE ends <= $1").bind(ms(at)).execute(&mut *tx).await?;
        query(
            "DELETE FROM session WHERE operator = $1 AND stage = $2 AND token NOT IN
                 (SELECT token FROM session WHERE operator = $1 AND stage = $2 ORDER BY created DESC LIMIT $3)",
        )
        .bind(&operator.0[..])
        .bind(stage.as_str())
        .bind(MOST - 1)
        .execute(&mut *tx)
        .await?;
        let enrolment = enrolment.map(|secret| self.keyring().ledger_key().seal(random(), &enrolment_context(&token), secret));
        query("INSERT INTO session (token, operator, stage, enrolment, created, last_seen, ends) VALUES ($1, $2, $3, $4, $5, $5, $6)")
            .bind(&token[..])
            .bind(&operator.0[..])
            .bind(stage.as_str())
            .bind(enrolment)
            .bind(ms(at))
            .bind(ms(ends))
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// Forgets the failures of the place, and that it was the operator's own for a while.
async fn remember(tx: &mut Connection, id: OperatorId, from: Place, at: Timestamp) -> Result<(), StoreError> {
    // Those of nowhere are anybody.
    let known = if from.0.is_some() { ms(at + KNOWN) } else { 0 };
    query(
        "INSERT INTO place (operator, network, failures, failed_at, locked_until, known_until) VALUES ($1, $2, 0, 0, 0, $3)
         ON CONFLICT (operator, network) DO UPDATE SET failures = 0, locked_until = 0, known_until = $3",
    )
    .bind(&id.0[..])
    .bind(from.network())
    .bind(known)
    .execute(tx)
    .await?;
    Ok(())
}

fn logged_out(id: OperatorId, at: Timestamp) -> NewAuditLine {
    NewAuditLine { at, operator: Some(id), deed: Deed::LoggedOut, object: Some(Object::Operator(id)), reason: None }
}

/// Where a sealed enrolment belongs.
fn enrolment_context(token: &[u8; 32]) -> Vec<u8> {
    [b"session\0enrolment\0", &token[..]].concat()
}
