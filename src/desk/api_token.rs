//! Tokens of tools: made here, shown once, stored as a keyed hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{ApiToken, Desk, Scope, StoreError};
use crate::entropy::random;

/// Lets people and secret scanners see what a leaked string is.
const PREFIX: &str = "ct_";

impl Desk {
    /// Makes and stores a token; the returned text is not stored and cannot be had again.
    pub async fn add_api_token(&self, name: &str, scopes: &[Scope], now: Timestamp) -> Result<Zeroizing<String>, StoreError> {
        let secret = Zeroizing::new(random::<32>());
        self.inner.store.add_api_token(name, scopes, &self.inner.store.keyring().secret_key(secret.as_ref()), now).await?;
        Ok(Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret.as_ref()))))
    }

    /// Whose token it is; `None` for one that is not ours. The look-up is by keyed hash, so its time tells nothing of the secret.
    pub async fn api_token(&self, text: &str) -> Result<Option<ApiToken>, StoreError> {
        match text.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).map(Zeroizing::new) {
            Some(secret) if secret.len() == 32 => self.inner.store.api_token(&self.inner.store.keyring().secret_key(&secret)).await,
            _ => Ok(None),
        }
    }
}
