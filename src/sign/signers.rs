//! All keys of an installation, and which of them sign a message: those of the From domain, one of each algorithm. How keys are exchanged
//! stands here, too: the next one is configured, and published, before its time.

use jiff::Timestamp;

use super::{Algorithm, Signer, SignerError, relaxed, select};
use crate::mail::Address;

/// All keys of an installation.
#[derive(Debug, Default)]
pub struct Signers(Vec<Signer>);

impl Signers {
    /// The keys, as configured.
    pub fn new(signers: Vec<Signer>) -> Self {
        Self(signers)
    }

    /// The keys, as configured.
    pub fn iter(&self) -> impl Iterator<Item = &Signer> {
        self.0.iter()
    }

    /// Those that sign a message of `from` at that time: of the keys that are aligned with it (U-44) those of the nearest domain, and of
    /// each algorithm the one whose time came last. So an old key signs until the new one's record has been read everywhere.
    pub fn signing(&self, from: &Address, at: Timestamp) -> Vec<&Signer> {
        let ready: Vec<&Signer> = self.0.iter().filter(|signer| signer.begins(at) && signer.aligned_with(from)).collect();
        let nearest = ready.iter().map(|signer| signer.domain.len()).max();
        let of = |algorithm: Algorithm| {
            let keys = ready.iter().filter(|signer| Some(signer.domain.len()) == nearest && signer.algorithm() == algorithm);
            // of equals the first
            keys.rev().max_by_key(|signer| signer.sign_from).copied()
        };
        Algorithm::ALL.into_iter().filter_map(of).collect()
    }

    /// The message with the signatures on top. Mail of a domain without a key comes back unsigned: then the outbound MTA signs (U-05).
    pub fn signed(&self, message: Vec<u8>, from: &Address, at: Timestamp) -> Result<Vec<u8>, SignerError> {
        let signers = self.signing(from, at);
        if signers.is_empty() {
            return Ok(message);
        }
        // what is signed is the same for all
        let (fields, body) = relaxed::split(&message);
        let mut header = Vec::with_capacity(4_096);
        let names = select(&message, &fields, &mut header).ok_or(SignerError::NoFrom)?;
        let body_hash = relaxed::body_hash(&message[body..]);
        let mut signed = Vec::with_capacity(message.len() + 1_024 * signers.len());
        for signer in signers {
            signed.extend_from_slice(&signer.field(&names, &header, &body_hash, at)?);
        }
        signed.extend_from_slice(&message);
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_nearest_domain_sign_and_the_next_one_waits_for_its_time() {
        // U-41, U-44
        let at = |day: i64| Timestamp::from_second(day * 86_400).expect("valid");
        let key = |domain: &str, selector: &str, algorithm, from: Option<i64>| {
            Signer::generate(domain, selector, algorithm).expect("valid names").0.from(from.map(at))
        };
        let signers = Signers::new(vec![
            key("shop.example", "ed", Algorithm::Ed25519, None),
            key("shop.example", "old", Algorithm::Rsa, None),
            key("shop.example", "new", Algorithm::Rsa, Some(10)),
            key("news.shop.example", "news", Algorithm::Rsa, None),
            key("shop.example", "last", Algorithm::Rsa, Some(20)),
        ]);
        for (from, day, expected) in [
            ("a@shop.example", 9, vec!["old", "ed"]),
            ("a@shop.example", 10, vec!["new", "ed"]),
            ("a@other.shop.example", 30, vec!["last", "ed"]),
            ("a@news.shop.example", 30, vec!["news"]),
            ("a@elsewhere.example", 30, vec![]),
        ] {
            let from = Address::parse(from).expect("valid");
            let found: Vec<&str> = signers.signing(&from, at(day)).into_iter().map(|signer| signer.selector.as_str()).collect();
            assert_eq!(found, expected, "{from:?} {day}");
            let message = signers.signed(b"From: a@shop.example\r\n\r\nx\r\n".to_vec(), &from, at(day)).expect("signed");
            assert_eq!(String::from_utf8_lossy(&message).matches("DKIM-Signature: ").count(), expected.len());
        }
    }
}
