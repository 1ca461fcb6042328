//! Who may submit: the streams, found by credential or by network. Since argon2 is slow by design, a credential
//! that was verified once is remembered under a keyed hash. Does not speak SMTP.

mod passwords;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use sha2::Sha256;
use zeroize::Zeroizing;

pub use passwords::{Passwords, hash_password, is_password_hash};

use crate::mail::Stream;

/// Passwords of connections that are checked at the same time.
const AT_ONCE: usize = 2;

/// More verified credentials than this are not remembered; there are as many as streams.
const REMEMBERED: usize = 1_024;

/// How a stream is recognised.
#[derive(Clone)]
pub struct Binding {
    /// The stream.
    pub stream: Arc<Stream>,
    /// User name and argon2 hash in PHC string format.
    pub login: Option<(String, String)>,
    /// Networks whose connections need no login.
    pub networks: Vec<IpNet>,
}

/// What came of a login.
#[derive(Debug, Clone)]
pub enum Login {
    /// The credential of this stream.
    Granted(Arc<Stream>),
    /// No such credential.
    Refused,
    /// Could not be checked.
    Unavailable,
}

/// All bindings, and the memory of verified logins.
pub struct Credentials {
    bindings: Vec<Binding>,
    remember: Hmac<Sha256>,
    verified: Mutex<HashSet<[u8; 32]>>,
    by_user: HashMap<String, usize>,
    passwords: Passwords,
}

impl Credentials {
    /// `secret` is fresh randomness: it keys the memory of verified logins.
    pub fn new(bindings: Vec<Binding>, secret: [u8; 32]) -> Self {
        let by_user = bindings
            .iter()
            .enumerate()
            .filter_map(|(index, binding)| binding.login.as_ref().map(|(user, _)| (user.clone(), index)))
            .collect();
        Self {
            bindings,
            remember: Hmac::new_from_slice(&secret).expect("HMAC takes keys of any length"),
            verified: Mutex::default(),
            by_user,
            passwords: Passwords::new(AT_ONCE, secret),
        }
    }

    /// The stream of that name.
    pub fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.bindings.iter().find(|binding| binding.stream.name == name).map(|binding| Arc::clone(&binding.stream))
    }

    /// The stream that connections from this address belong to, without a login.
    pub fn of_network(&self, peer: IpAddr) -> Option<Arc<Stream>> {
        let peer = peer.to_canonical();
        let bound = |binding: &&Binding| binding.networks.iter().any(|network| network.contains(&peer));
        self.bindings.iter().find(bound).map(|binding| Arc::clone(&binding.stream))
    }

    /// Checks a user name and password.
    pub async fn login(&self, user: &str, password: Zeroizing<String>) -> Login {
        let binding = self.by_user.get(user).map(|index| &self.bindings[*index]);
        let remembered = self.remembered(user, &password);
        if let Some(binding) = binding
            && self.verified.lock().unwrap_or_else(PoisonError::into_inner).contains(&remembered)
        {
            return Login::Granted(Arc::clone(&binding.stream));
        }
        let hash = binding.and_then(|binding| binding.login.as_ref()).map(|(_, hash)| hash.clone());
        match (self.passwords.check(hash, password).await, binding) {
            (Some(true), Some(binding)) => {
                let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
                if verified.len() < REMEMBERED {
                    verified.insert(remembered);
                }
                Login::Granted(Arc::clone(&binding.stream))
            }
            (Some(_), _) => Login::Refused,
            (None, _) => Login::Unavailable,
        }
    }

    fn remembered(&self, user: &str, password: &str) -> [u8; 32] {
        let mut mac = self.remember.clone();
        mac.update(&(user.len() as u64).to_be_bytes());
        mac.update(user.as_bytes());
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{AnswerProfile, Dispute, StreamClass, StreamMode};

    fn credentials() -> Credentials {
        let stream = |name: &str| {
            Arc::new(Stream {
                name: name.into(),
                controller: "acme".into(),
                class: StreamClass::Marketing,
                topic: None,
                from_domains: Vec::new(),
                answer: AnswerProfile::Reject,
                mode: StreamMode::Enforce,
                disputed: Dispute::Enforce,
                bulk: Default::default(),
            })
        };
        let network = "10.1.0.0/16".parse().expect("a network");
        Credentials::new(
            vec![
                Binding { stream: stream("news"), login: Some(("news".into(), hash_password(b"secret", &[1; 16]))), networks: vec![] },
                Binding { stream: stream("shop"), login: None, networks: vec![network] },
            ],
            [7; 32],
        )
    }

    async fn login(credentials: &Credentials, user: &str, password: &str) -> Option<String> {
        match credentials.login(user, Zeroizing::new(password.to_owned())).await {
            Login::Granted(stream) => Some(stream.name.clone()),
            Login::Refused | Login::Unavailable => None,
        }
    }

    #[tokio::test]
    async fn only_the_right_password_of_the_right_user_is_granted_also_from_memory() {
        let credentials = credentials();
        for (user, password, expected) in [
            ("news", "secret", Some("news")),
            ("news", "secret", Some("news")), // from memory
            ("news", "Secret", None),
            ("new", "ssecret", None), // user and password are kept apart in the memory's key
            ("newss", "ecret", None),
            ("", "", None),
            ("shop", "secret", None),
        ] {
            assert_eq!(login(&credentials, user, password).await.as_deref(), expected, "{user}");
        }
    }

    #[test]
    fn a_network_names_its_stream() {
        for (peer, expected) in [("10.1.2.3", Some("shop")), ("::ffff:10.1.2.3", Some("shop")), ("10.2.0.1", None), ("::1", None)] {
            let found = credentials().of_network(peer.parse().expect("an address"));
            assert_eq!(found.map(|stream| stream.name.clone()).as_deref(), expected, "{peer}");
        }
    }
}
