//! Accounts, as the command line manages them: names and passwords that will do, and the changes.

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Office, Operator, OperatorId, Role, StoreError};
use crate::entropy::random;

/// Fewest characters of a password.
pub const PASSWORD_MIN: usize = 12;

/// Most octets of a password.
const PASSWORD_LIMIT: usize = 1_024;

/// Why an account is not made or changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountError {
    /// The name will not do.
    #[error("a name has 1 to 64 letters, digits, dots, hyphens or underscores")]
    Name,
    /// The password will not do.
    #[error("a password has at least {PASSWORD_MIN} characters, at most {PASSWORD_LIMIT} octets, and is not the name")]
    Password,
    /// There is no such account.
    #[error("there is no operator of this name: `consentry user list-operators` shows them")]
    Unknown,
    /// The password could not be hashed.
    #[error("the password cannot be hashed now: is there memory left?")]
    Busy,
    /// The ledger did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Office {
    /// Makes an account.
    pub async fn add_operator(
        &self,
        name: &str,
        role: Role,
        password: Zeroizing<String>,
        now: Timestamp,
    ) -> Result<OperatorId, AccountError> {
        let name = login_name(name);
        let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(AccountError::Name);
        }
        let hash = self.hash(&name, password).await?;
        Ok(self.inner.store.add_operator(&name, role, &hash, now).await?)
    }

    /// All accounts by name.
    pub async fn operators(&self) -> Result<Vec<Operator>, StoreError> {
        self.inner.store.operators().await
    }

    /// Gives an account another password.
    pub async fn set_password(&self, name: &str, password: Zeroizing<String>, now: Timestamp) -> Result<(), AccountError> {
        let operator = self.operator(name).await?;
        let hash = self.hash(&operator.name, password).await?;
        Ok(self.inner.store.set_password(operator.id, &hash, None, now).await?)
    }

    /// Gives an account another role.
    pub async fn set_role(&self, name: &str, role: Role, now: Timestamp) -> Result<(), AccountError> {
        Ok(self.inner.store.set_role(self.operator(name).await?.id, role, now).await?)
    }

    /// Closes an account for good.
    pub async fn disable_operator(&self, name: &str, now: Timestamp) -> Result<(), AccountError> {
        Ok(self.inner.store.disable_operator(self.operator(name).await?.id, now).await?)
    }

    /// Takes an account's second factor away.
    pub async fn reset_second_factor(&self, name: &str, now: Timestamp) -> Result<(), AccountError> {
        Ok(self.inner.store.reset_second_factor(self.operator(name).await?.id, now).await?)
    }

    async fn operator(&self, name: &str) -> Result<Operator, AccountError> {
        let name = login_name(name);
        self.operators().await?.into_iter().find(|operator| operator.name == name).ok_or(AccountError::Unknown)
    }

    /// The hash of a password that will do.
    pub(super) async fn hash(&self, name: &str, password: Zeroizing<String>) -> Result<String, AccountError> {
        if password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_LIMIT || password.to_lowercase() == name {
            return Err(AccountError::Password);
        }
        self.inner.passwords.hash(password, random()).await.ok_or(AccountError::Busy)
    }
}

/// A name as it is stored: phones begin names with a capital.
pub(super) fn login_name(typed: &str) -> String {
    typed.trim().to_ascii_lowercase()
}
