//! Bearer tokens of machines: name, scopes, and a keyed hash instead of the secret. Checking scopes is `http`'s business.

use jiff::Timestamp;

use super::column::ms;
use super::db::{query, query_as};
use super::{Store, StoreError};
use crate::consent::Teller;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Report sign-ups, which start double opt-ins.
    OptIn,
    /// Read decisions.
    Decisions,
    /// Tell what that system knows (S0-07).
    Events(Teller),
    /// Have all that is stored about a person (GDPR Art. 15).
    SubjectAccess,
    /// Erase a person (GDPR Art. 17).
    SubjectErasure,
    /// Restrict processing, and lift it (GDPR Art. 18).
    SubjectRestriction,
    /// Correct an address (GDPR Art. 16).
    SubjectRectification,
    /// Enter requests of persons, and list them (GDPR Art. 12).
    Requests,
}

/// A known token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Stands in the evidence of what it reported.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 11] = [
        Self::OptIn,
        Self::Decisions,
        Self::Events(Teller::Crm),
        Self::Events(Teller::Erp),
        Self::Events(Teller::Ma),
        Self::Events(Teller::Staff),
        Self::SubjectAccess,
        Self::SubjectErasure,
        Self::SubjectRestriction,
        Self::SubjectRectification,
        Self::Requests,
    ];

    /// The word on the command line, in tables and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OptIn => "opt_in",
            Self::Decisions => "decisions",
            Self::Events(Teller::Crm) => "events:crm",
            Self::Events(Teller::Erp) => "events:erp",
            Self::Events(Teller::Ma) => "events:ma",
            Self::Events(Teller::Staff) => "events:staff",
            Self::SubjectAccess => "subjects:access",
            Self::SubjectErasure => "subjects:erasure",
            Self::SubjectRestriction => "subjects:restriction",
            Self::SubjectRectification => "subjects:rectification",
            Self::Requests => "requests",
        }
    }

    /// The inverse of [`Scope::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

impl ApiToken {
    /// Which system talks with it. A token speaks for one: one of two says nothing about which.
    pub fn teller(&self) -> Option<Teller> {
        let mut tellers = self.scopes.iter().filter_map(|scope| if let Scope::Events(teller) = scope { Some(*teller) } else { None });
        tellers.next().filter(|_| tellers.next().is_none())
    }
}

impl Store {
    /// Adds a token; `secret` is `Keyring::secret_key` of its octets.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] when there is one of that name.
    pub async fn add_api_token(&self, name: &str, scopes: &[Scope], secret: &[u8; 32], at: Timestamp) -> Result<(), StoreError> {
        let scopes = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        let mut writer = self.inner.writer.lock().await;
        let result = query("INSERT INTO api_token (secret, name, scopes, created) VALUES ($1, $2, $3, $4)")
            .bind(&secret[..])
            .bind(name)
            .bind(scopes)
            .bind(ms(at))
            .execute(&mut writer)
            .await;
        match result {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(StoreError::NameTaken),
            other => Ok(other.map(|_| ())?),
        }
    }

    /// The token of that secret (`Keyring::secret_key` of its octets).
    pub async fn api_token(&self, secret: &[u8; 32]) -> Result<Option<ApiToken>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let row: Option<(String, String)> =
            query_as("SELECT name, scopes FROM api_token WHERE secret = $1").bind(&secret[..]).fetch_optional(&mut reader).await?;
        let Some((name, scopes)) = row else { return Ok(None) };
        let scopes: Option<Vec<Scope>> = scopes.split_whitespace().map(Scope::parse).collect();
        Ok(Some(ApiToken { name, scopes: scopes.ok_or(StoreError::Damaged("a token's scopes"))? }))
    }
}
