//! Sealing: one AES-256-GCM key and what it seals.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// An AES-256-GCM key; its memory is wiped when dropped.
pub struct DataKey(LessSafeKey);

impl DataKey {
    /// The key of these octets.
    pub fn new(raw: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, raw).expect("AES-256 takes 32 octets");
        Self(LessSafeKey::new(key))
    }

    /// `nonce || ciphertext || tag`. The nonce must be fresh randomness; `context` says where the value
    /// belongs, so that a sealed value moved to another row does not open.
    pub fn seal(&self, nonce: [u8; 12], context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed[NONCE_LEN..])
            .expect("a value is far below the 64 GiB that GCM seals");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// The inverse of [`DataKey::seal`]; `None` for another key, another context or damaged octets.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let length = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(***)")
    }
}
