//! Passwords as argon2id hashes. Argon2 is slow and takes memory by design, so its work is bounded and kept off the
//! reactor. Whose password it is, and what follows from it, is the caller's business.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

/// Checks and hashes passwords, a bounded number at the same time.
pub struct Passwords {
    slots: Arc<Semaphore>,
    decoy: String,
}

impl Passwords {
    /// Argon2 with its default parameters takes some 20 MiB and tens of milliseconds: many `at_once` would let anybody who
    /// can connect take the machine. `secret` is fresh randomness.
    pub fn new(at_once: usize, secret: [u8; 32]) -> Self {
        Self { slots: Arc::new(Semaphore::new(at_once)), decoy: hash_password(&secret, &secret[..16]) }
    }

    /// True when it is the password of `hash`; `None` when that cannot be told. Without a hash, which stands for an
    /// account that does not exist, it costs the same time, so that names cannot be probed.
    pub async fn check(&self, hash: Option<String>, password: Zeroizing<String>) -> Option<bool> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let right = self.run(move || Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok()).await?;
        Some(right && exists)
    }

    /// As [`hash_password`]; `None` when it cannot be done now.
    pub async fn hash(&self, password: Zeroizing<String>, salt: [u8; 16]) -> Option<String> {
        self.run(move || hash_password(password.as_bytes(), &salt)).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        // A thread of its own: the allocator keeps the memory for the thread that used it, and those of a pool
        // would each get their share in turn, hundreds of MiB together. A new thread takes over from the last.
        let (tell, done) = oneshot::channel();
        let thread = std::thread::Builder::new().name("argon2".into()).spawn(move || {
            let _slot = slot;
            let _ = tell.send(work()); // who asked may be gone
        });
        if let Err(error) = thread {
            tracing::error!(%error, "a password cannot be checked");
            return None;
        }
        done.await.ok()
    }
}

/// The argon2id hash of a password in PHC string format, as the configuration wants it.
/// `salt`: 16 random octets.
pub fn hash_password(password: &[u8], salt: &[u8]) -> String {
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(password, salt);
    hash.expect("the default parameters take any password and a salt of 16 octets").to_string()
}

/// True when the text is an argon2 hash that [`Passwords`] can check.
pub fn is_password_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_checked_against_its_hash_and_against_none_it_is_wrong() {
        let passwords = Passwords::new(1, [7; 32]);
        let password = |text: &str| Zeroizing::new(text.to_owned());
        let hash = passwords.hash(password("secret"), [1; 16]).await.expect("hashed");
        assert_eq!(passwords.check(Some(hash.clone()), password("secret")).await, Some(true));
        assert_eq!(passwords.check(Some(hash), password("Secret")).await, Some(false));
        let secret_of_the_decoy = String::from_utf8(vec![7; 32]).expect("ASCII");
        assert_eq!(passwords.check(None, password(&secret_of_the_decoy)).await, Some(false));
    }

    #[test]
    fn hashes_are_told_from_other_text() {
        assert!(is_password_hash(&hash_password(b"x", &[0; 16])));
        for text in ["", "secret", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$"] {
            assert!(!is_password_hash(text), "{text}");
        }
    }
}
