//! In and out: password, second factor, sessions. Each answer to a failed attempt is the same, whatever failed, and each step
//! inside gets a new token, so that one that was planted before leads nowhere.

use std::net::IpAddr;
use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::accounts::login_name;
use super::{AccountError, Deed, NewAuditLine, Object, Office, Operator, OperatorId, Session, Stage, StoreError, TotpPolicy, totp};
use crate::entropy::random;
use crate::store::{Attempt, LockRule, NewSession, Place, Proof};
use crate::wire::network;

/// A session ends when nothing came for so long.
const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// A session ends after so long in any case.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// After the password, the second factor must come within this time.
const HALFWAY: SignedDuration = SignedDuration::from_mins(10);
/// Failed attempts that do not lock: neither where they come from, nor the account for other places.
const FREE: u32 = 4;
/// Without another failure, one is forgotten each time this has passed.
const FORGETS: SignedDuration = SignedDuration::from_hours(1);
/// Minutes that the failures after that lock for; the last one for all that follow.
const LOCKS: [i64; 5] = [1, 2, 4, 8, 15];

/// What a browser keeps. Its text is random, and stored as a keyed hash only.
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    fn new() -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(Zeroizing::new(random::<32>()))))
    }

    /// For the cookie.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What comes of an attempt to enter.
pub enum EnterAnswer {
    /// Name, password or code is wrong, or the account is locked: it is not told which.
    Refused,
    /// Too many attempts from this place; try again after that time.
    TooMany(SignedDuration),
    /// It cannot be checked now.
    Busy,
    /// The session that the code belongs to is over.
    Gone,
    /// The password is right; the second factor is to come, or to be set up.
    Halfway(SessionToken),
    /// Inside.
    Inside(SessionToken),
}

/// What comes of the wish for another password.
pub enum PasswordAnswer {
    /// It is changed; all sessions ended, and this is the new one.
    Changed(SessionToken),
    /// The new one will not do.
    Unfit,
    /// The old one is wrong, or the account is locked.
    Refused,
    /// Too many attempts from this place.
    TooMany(SignedDuration),
    /// It cannot be checked now.
    Busy,
}

/// What an authenticator app needs.
pub struct Enrolment {
    /// For typing: base32 in groups of four.
    pub secret: Zeroizing<String>,
    /// For the camera.
    pub uri: Zeroizing<String>,
}

/// A password, checked.
enum Checked {
    Right(Operator),
    Wrong,
    NotNow,
}

impl Office {
    /// A token that is nobody's session: forms of visitors are bound to it.
    pub fn blank_token(&self) -> SessionToken {
        SessionToken::new()
    }

    /// Goes into each form; who has only the cookie, or only the page, cannot make it.
    pub fn form_token(&self, cookie: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.inner.store.keyring().secret_key(&[b"form\0", cookie.as_bytes()].concat()))
    }

    /// True for the form token that belongs to the cookie.
    pub fn is_form_token(&self, cookie: &str, given: &str) -> bool {
        self.form_token(cookie).as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// The session behind a cookie, at whatever stage.
    pub async fn session(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        self.inner.store.session(self.key(cookie), IDLE, now).await
    }

    /// The first step. An unknown name gets the same answer as a wrong password, and costs a password's hash as well; that
    /// the attempt is written down only for names that there are takes a moment more.
    pub async fn login(
        &self,
        name: &str,
        password: Zeroizing<String>,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<EnterAnswer, StoreError> {
        if let Err(wait) = self.take(from, now) {
            return Ok(EnterAnswer::TooMany(wait));
        }
        let operator = match self.check(&login_name(name), password, from, now).await? {
            Checked::Right(operator) => operator,
            Checked::Wrong => return Ok(EnterAnswer::Refused),
            Checked::NotNow => return Ok(EnterAnswer::Busy),
        };
        let required = self.inner.settings.totp == TotpPolicy::Required;
        if !operator.has_second_factor && !required {
            return self.enter(None, Proof::Password, operator.id, from, now).await;
        }
        let enrolment = (!operator.has_second_factor).then(|| Zeroizing::new(random::<{ totp::SECRET }>()));
        let token = SessionToken::new();
        let session = NewSession {
            token: self.key(token.as_str()),
            operator: operator.id,
            stage: Stage::PasswordPassed,
            enrolment: enrolment.as_ref().map(|secret| &secret[..]),
            at: now,
            ends: now + HALFWAY,
        };
        self.inner.store.begin_session(session).await?;
        Ok(EnterAnswer::Halfway(token))
    }

    /// The second step, and the proof of a second factor that was just set up: a code, which works once.
    pub async fn prove(&self, cookie: &str, code: &str, from: Option<IpAddr>, now: Timestamp) -> Result<EnterAnswer, StoreError> {
        if let Err(wait) = self.take(from, now) {
            return Ok(EnterAnswer::TooMany(wait));
        }
        let Some(session) = self.session(cookie, now).await? else { return Ok(EnterAnswer::Gone) };
        let Attempt::Open { operator, locks, .. } =
            self.inner.store.begin_attempt(&session.operator.name, self.place(from), RULE, now).await?
        else {
            return Ok(EnterAnswer::Refused);
        };
        // An account that has a second factor takes no other: a session that was to set one up came too late.
        let secret = match operator.has_second_factor {
            true => self.inner.store.second_factor(operator.id).await?,
            false => session.enrolment,
        };
        let Some(secret) = secret else { return Ok(EnterAnswer::Gone) };
        let proof = totp::matching_step(&secret, code, now).map(|step| match operator.has_second_factor {
            true => Proof::Code(step),
            false => Proof::Enrolment(&secret, step),
        });
        let answer = match proof {
            Some(proof) => self.enter(Some(cookie), proof, operator.id, from, now).await?,
            None => EnterAnswer::Refused,
        };
        if matches!(answer, EnterAnswer::Refused) && locks {
            self.locked(operator.id, now).await?;
        }
        Ok(answer)
    }

    /// Lets an operator who is inside set up a second factor; nothing changes before a code proves it.
    pub async fn begin_enrolment(&self, cookie: &str) -> Result<(), StoreError> {
        self.inner.store.set_enrolment(self.key(cookie), &Zeroizing::new(random::<{ totp::SECRET }>())[..]).await
    }

    /// What the authenticator app of this session's operator needs, while it is to be proved.
    pub fn enrolment(&self, session: &Session) -> Option<Enrolment> {
        let secret = Zeroizing::new(totp::base32(session.enrolment.as_deref()?));
        let groups: Vec<&str> = secret.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        let uri = format!("otpauth://totp/Consentry:{}?secret={}&issuer=Consentry", session.operator.name, *secret);
        Some(Enrolment { secret: Zeroizing::new(groups.join(" ")), uri: Zeroizing::new(uri) })
    }

    /// Out.
    pub async fn leave(&self, cookie: &str, operator: &Operator, now: Timestamp) -> Result<(), StoreError> {
        self.inner.store.end_session(self.key(cookie), operator.id, now).await
    }

    /// Ends the operator's other sessions; says how many there were.
    pub async fn end_other_sessions(&self, cookie: &str, operator: &Operator, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.store.end_other_sessions(self.key(cookie), operator.id, now).await
    }

    /// Gives an operator another password, who knows the old one.
    pub async fn change_password(
        &self,
        operator: &Operator,
        old: Zeroizing<String>,
        new: Zeroizing<String>,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<PasswordAnswer, StoreError> {
        if let Err(wait) = self.take(from, now) {
            return Ok(PasswordAnswer::TooMany(wait));
        }
        match self.check(&operator.name, old, from, now).await? {
            Checked::Right(_) => {}
            Checked::Wrong => return Ok(PasswordAnswer::Refused),
            Checked::NotNow => return Ok(PasswordAnswer::Busy),
        }
        let hash = match self.hash(&operator.name, new).await {
            Ok(hash) => hash,
            Err(AccountError::Busy) => return Ok(PasswordAnswer::Busy),
            Err(_) => return Ok(PasswordAnswer::Unfit),
        };
        self.inner.store.set_password(operator.id, &hash, Some(operator.id), now).await?;
        let token = SessionToken::new();
        self.inner.store.begin_session(self.inside(&token, operator.id, now)).await?;
        Ok(PasswordAnswer::Changed(token))
    }

    /// Checks a password. The right one takes back that the attempt counts as failed.
    async fn check(&self, name: &str, password: Zeroizing<String>, from: Option<IpAddr>, now: Timestamp) -> Result<Checked, StoreError> {
        let (hash, opened) = match self.inner.store.begin_attempt(name, self.place(from), RULE, now).await? {
            Attempt::Unknown | Attempt::Locked => (None, None),
            Attempt::Open { operator, password, locks, takes_back } => (Some(password), Some((operator, locks, takes_back))),
        };
        match (self.inner.passwords.check(hash, password).await, opened) {
            (Some(true), Some((operator, _, takes_back))) => {
                self.inner.store.forgive_attempt(operator.id, takes_back).await?;
                Ok(Checked::Right(operator))
            }
            (Some(_), opened) => {
                if let Some((operator, true, _)) = opened {
                    self.locked(operator.id, now).await?;
                }
                Ok(Checked::Wrong)
            }
            (None, _) => Ok(Checked::NotNow),
        }
    }

    /// A lock is on record: somebody may be trying.
    async fn locked(&self, id: OperatorId, now: Timestamp) -> Result<(), StoreError> {
        tracing::warn!(operator = %id, "failed logins lock somebody out of an account");
        let object = Some(Object::Operator(id));
        self.inner.store.audit(NewAuditLine { at: now, operator: Some(id), deed: Deed::LockedOut, object, reason: None }).await
    }

    async fn enter(
        &self,
        old: Option<&str>,
        proof: Proof<'_>,
        id: OperatorId,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<EnterAnswer, StoreError> {
        let token = SessionToken::new();
        let old = old.map(|old| self.key(old));
        let entered = self.inner.store.enter(old, proof, self.place(from), self.inside(&token, id, now)).await?;
        Ok(if entered { EnterAnswer::Inside(token) } else { EnterAnswer::Refused })
    }

    fn inside<'a>(&self, token: &SessionToken, operator: OperatorId, now: Timestamp) -> NewSession<'a> {
        NewSession { token: self.key(token.as_str()), operator, stage: Stage::Full, enrolment: None, at: now, ends: now + LONGEST }
    }

    fn take(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), SignedDuration> {
        self.inner.limiter.lock().unwrap_or_else(PoisonError::into_inner).take(from, now)
    }

    /// Where somebody comes from, as the store knows it.
    fn place(&self, from: Option<IpAddr>) -> Place {
        let named = |from: IpAddr| [b"place\0", network(from).to_string().as_bytes()].concat();
        Place(from.map(|from| self.inner.store.keyring().secret_key(&named(from))))
    }

    fn key(&self, cookie: &str) -> [u8; 32] {
        self.inner.store.keyring().secret_key(cookie.as_bytes())
    }
}

const RULE: LockRule = LockRule { free: FREE, lock, forgets: FORGETS };

/// For how long so many failures lock.
fn lock(failures: u32) -> SignedDuration {
    match failures.checked_sub(FREE + 1) {
        None => SignedDuration::ZERO,
        Some(n) => SignedDuration::from_mins(LOCKS[(n as usize).min(LOCKS.len() - 1)]),
    }
}
