//! Signed links: which subject, controller and topic an unsubscribe link acts for, provable without
//! a look-up. Holds no personal data (U-07), knows no URL and no database; links never expire (U-14).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

use crate::consent::{DecisionId, Language, SubjectId, Topic};

/// What a link says: for whom, on whose behalf, about what, and which decision put it into a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The recipient, as a random id.
    pub subject: SubjectId,
    /// Key of the controller; short, as keys in the config are.
    pub controller: String,
    /// What the mail was about.
    pub topic: Topic,
    /// The decision that let the mail pass.
    pub decision: DecisionId,
    /// The language of the mail, where it says; the page behind the link speaks it.
    pub language: Option<Language>,
}

/// Signs with the first key, verifies with every key it holds, so that links in old mail work after
/// the keys were rotated (U-14). Clones share the keys, so that all have a new one at once. `Debug` hides the keys.
#[derive(Clone)]
pub struct LinkRing {
    keys: Arc<RwLock<Keys>>,
}

type Keys = Vec<(u8, Hmac<Sha256>)>;

// version, key id, subject, decision, length of the topic, topic, length of the language, language, controller, MAC
const VERSION: u8 = 1;
const FIXED: usize = 1 + 1 + 16 + 16 + 1 + 1;
const MAC: usize = 16; // 128 bit (U-07)
/// Longest token that is looked at.
const MAX_TOKEN: usize = 1_024;
/// Keeps these MACs apart from any other use of the same key.
const CONTEXT: &[u8] = b"consentry link\0";

impl LinkRing {
    /// A ring of keys with their ids; the first signs, all verify.
    ///
    /// # Panics
    ///
    /// Without a key: a ring that cannot sign is a mistake of the caller.
    pub fn new(keys: Vec<(u8, [u8; 32])>) -> Self {
        Self { keys: Arc::new(RwLock::new(Self::prepared(keys))) }
    }

    /// Takes these keys in place of those it has. False, and nothing changes, where one is missing that it has: links of that
    /// key are out, and must go on to work (U-14).
    ///
    /// # Panics
    ///
    /// As [`LinkRing::new`].
    pub fn replace(&self, keys: Vec<(u8, [u8; 32])>) -> bool {
        let new = Self::prepared(keys);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let is_whole = keys.iter().all(|(id, _)| new.iter().any(|(new, _)| new == id));
        if is_whole {
            *keys = new;
        }
        is_whole
    }

    fn prepared(mut keys: Vec<(u8, [u8; 32])>) -> Keys {
        assert!(!keys.is_empty(), "a link ring needs a key");
        keys.iter_mut()
            .map(|(id, key)| {
                let mut mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
                key.zeroize();
                mac.update(CONTEXT);
                (*id, mac)
            })
            .collect()
    }

    /// The key of that id.
    fn key(&self, id: u8) -> Option<Hmac<Sha256>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|(key, _)| *key == id).map(|(_, mac)| mac.clone())
    }

    /// True when the token names a key that the ring does not have: a newer one, or the token is nothing of ours.
    pub fn lacks_key_of(&self, token: &str) -> bool {
        // Four characters are three octets: version, id, and one of the subject's.
        let head = token.get(..4).and_then(|head| URL_SAFE_NO_PAD.decode(head).ok());
        head.is_some_and(|head| head[0] == VERSION && self.key(head[1]).is_none())
    }

    /// The token for a URL: base64url without padding (RFC 4648 s.5), so `A-Z a-z 0-9 - _` only.
    pub fn sign(&self, link: &Link) -> String {
        let (id, mac) = self.keys.read().unwrap_or_else(PoisonError::into_inner)[0].clone();
        let topic = link.topic.as_str().as_bytes();
        let language = link.language.as_ref().map_or(&[][..], |language| language.as_str().as_bytes());
        let mut claim = Vec::with_capacity(FIXED + topic.len() + language.len() + link.controller.len() + MAC);
        claim.extend_from_slice(&[VERSION, id]);
        claim.extend_from_slice(&link.subject.0);
        claim.extend_from_slice(&link.decision.0);
        claim.push(u8::try_from(topic.len()).expect("a topic has at most 64 octets"));
        claim.extend_from_slice(topic);
        claim.push(u8::try_from(language.len()).expect("a language tag has at most 8 octets"));
        claim.extend_from_slice(language);
        claim.extend_from_slice(link.controller.as_bytes());
        let tag = mac.chain_update(&claim).finalize().into_bytes();
        claim.extend_from_slice(&tag[..MAC]);
        URL_SAFE_NO_PAD.encode(claim)
    }

    /// What the token says, if one of the keys made it; `None` for anything else, without a reason.
    pub fn verify(&self, token: &str) -> Option<Link> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (claim, tag) = token.split_last_chunk::<MAC>()?;
        let (&[version, id], _) = claim.split_first_chunk()?;
        let mac = self.key(id)?;
        if version != VERSION {
            return None;
        }
        // constant time
        mac.chain_update(claim).verify_truncated_left(tag).ok()?;
        read(&claim[2..])
    }
}

/// Reads a claim behind version and key id. Only genuine claims come here.
fn read(claim: &[u8]) -> Option<Link> {
    let (subject, rest) = claim.split_first_chunk()?;
    let (decision, rest) = rest.split_first_chunk()?;
    let (&length, rest) = rest.split_first()?;
    let (topic, rest) = rest.split_at_checked(usize::from(length))?;
    let (&length, rest) = rest.split_first()?;
    let (language, controller) = rest.split_at_checked(usize::from(length))?;
    Some(Link {
        subject: SubjectId(*subject),
        decision: DecisionId(*decision),
        topic: Topic::parse(std::str::from_utf8(topic).ok()?).ok()?,
        language: std::str::from_utf8(language).ok().and_then(Language::parse),
        controller: std::str::from_utf8(controller).ok()?.to_owned(),
    })
}

impl fmt::Debug for LinkRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkRing(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(controller: &str, topic: &str) -> Link {
        Link {
            subject: SubjectId([7; 16]),
            controller: controller.to_owned(),
            topic: Topic::parse(topic).expect("valid"),
            decision: DecisionId([9; 16]),
            language: Some(Language::DE),
        }
    }

    #[test]
    fn old_links_work_after_rotation_and_others_do_not() {
        // U-14
        let old = LinkRing::new(vec![(1, [1; 32])]);
        let token = old.sign(&link("acme", "news"));
        let rotated = LinkRing::new(vec![(3, [3; 32]), (2, [2; 32]), (1, [1; 32])]);
        assert_eq!(rotated.verify(&token), Some(link("acme", "news")));
        assert_ne!(rotated.sign(&link("acme", "news")), token);
        for (case, ring) in [
            ("the key is gone", LinkRing::new(vec![(2, [2; 32])])),
            ("another key has its id", LinkRing::new(vec![(1, [2; 32])])),
            ("the key has another id", LinkRing::new(vec![(2, [1; 32])])),
        ] {
            assert_eq!(ring.verify(&token), None, "{case}");
        }
    }

    #[test]
    fn another_version_is_refused_even_with_a_right_mac() {
        let ring = LinkRing::new(vec![(1, [1; 32])]);
        let mut token = URL_SAFE_NO_PAD.decode(ring.sign(&link("acme", "news"))).expect("base64url");
        let claim = token.len() - MAC;
        token[0] = VERSION + 1;
        let tag = ring.key(1).expect("held").chain_update(&token[..claim]).finalize().into_bytes();
        token[claim..].copy_from_slice(&tag[..MAC]);
        assert_eq!(ring.verify(&URL_SAFE_NO_PAD.encode(token)), None);
    }

    #[test]
    fn a_ring_that_lacks_a_newer_key_knows_it_and_clones_get_it() {
        let newer = LinkRing::new(vec![(2, [2; 32]), (1, [1; 32])]);
        let ring = LinkRing::new(vec![(1, [1; 32])]);
        let clone = ring.clone();
        let token = newer.sign(&link("acme", "news"));
        assert!(clone.lacks_key_of(&token));
        assert!(!clone.lacks_key_of(&ring.sign(&link("acme", "news"))));
        assert!(ring.replace(vec![(2, [2; 32]), (1, [1; 32])]));
        assert!(!ring.replace(vec![(1, [1; 32])]), "a file of before takes no key away");
        assert!(!clone.lacks_key_of(&token));
        assert_eq!(clone.verify(&token), Some(link("acme", "news")));
        for text in ["", "A", "äöü", "====", "Zm9v"] {
            assert!(!ring.lacks_key_of(text), "{text}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        let ring = LinkRing::new(vec![(1, [1; 32])]);
        let token = ring.sign(&link("acme", "news"));
        let long = "A".repeat(MAX_TOKEN + 4);
        for text in ["", "A", "====", "ä", " ", &token[1..], &token[..token.len() - 1], &format!("{token}="), &format!("{token}A"), &long]
        {
            assert_eq!(ring.verify(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_signed_is_read_back(
            subject: [u8; 16], decision: [u8; 16], controller in "[a-z0-9-]{0,200}", topic in "[a-z]{1,20}(\\.[a-z0-9_-]{1,20}){0,2}",
            language in "[a-z]{2,8}|"
        ) {
            let topic = Topic::parse(&topic).expect("valid");
            let link = Link { subject: SubjectId(subject), decision: DecisionId(decision), controller, topic, language: Language::parse(&language) };
            let ring = LinkRing::new(vec![(5, [5; 32])]);
            let token = ring.sign(&link);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(ring.verify(&token), Some(link));
        }

        #[test]
        fn no_bit_flip_survives(bit in 0usize..8 * 200, controller in "[a-z]{1,30}") {
            // U-07
            let ring = LinkRing::new((0..=255).map(|id| (id, [id; 32])).collect());
            let token = ring.sign(&link(&controller, "news.weekly"));
            let mut characters = token.clone().into_bytes();
            let index = (bit / 8) % characters.len();
            characters[index] ^= 1 << (bit % 8);
            if let Ok(text) = std::str::from_utf8(&characters) {
                prop_assert_eq!(ring.verify(text), None);
            }
            let mut octets = URL_SAFE_NO_PAD.decode(&token).expect("base64url");
            let index = (bit / 8) % octets.len();
            octets[index] ^= 1 << (bit % 8);
            prop_assert_eq!(ring.verify(&URL_SAFE_NO_PAD.encode(octets)), None);
        }
    }
}
