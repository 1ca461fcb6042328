//! The keyring: keyed hashes for look-ups, sealing of personal fields, wrapping of each subject's data
//! keys. Pure: randomness comes as an argument; reading and guarding the key file is `store`'s job.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use crate::consent::{CopyKey, LookupKey};
use crate::mail::Address;

/// Octets of every key and keyed hash here.
const KEY: usize = 32;

/// First line of a key file; the number is the format's version.
const HEADER: &str = "consentry-keys 1";

/// The names in a key file, in their order.
const NAMES: [&str; 5] = ["pepper", "master", "ledger", "secret", "link"];

type Raw = Zeroizing<[u8; KEY]>;

/// The installation's own keys. Who has them and the database can read every personal field, so they
/// live in a file of their own with a backup of its own (E-10).
pub struct Keyring {
    raw: [Raw; NAMES.len()],
    pepper: hmac::Key,
    secret: hmac::Key,
    master: DataKey,
    ledger: DataKey,
}

/// Why a text is no key file. Repeats no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not a key file, or one of a later release.
    #[error("line 1 is not \"{HEADER}\": restore the file from the key backup, or run the release that wrote it")]
    Header,
    /// A line that is no key.
    #[error("line {line} is not \"{name} <44 characters of base64>\": restore the file from the key backup")]
    Line {
        /// Counted from 1.
        line: usize,
        /// The key that should stand there.
        name: &'static str,
    },
}

impl Keyring {
    /// Random octets that [`Keyring::generate`] wants.
    pub const ENTROPY: usize = KEY * NAMES.len();

    /// A new keyring of fresh randomness.
    pub fn generate(entropy: &[u8; Keyring::ENTROPY]) -> Self {
        let (keys, _) = entropy.as_chunks::<KEY>();
        Self::of(std::array::from_fn(|n| Zeroizing::new(keys[n])))
    }

    fn of(raw: [Raw; NAMES.len()]) -> Self {
        let [pepper, master, ledger, secret, _link] = &raw;
        Self {
            pepper: hmac::Key::new(hmac::HMAC_SHA256, &pepper[..]),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret[..]),
            master: DataKey::new(master),
            ledger: DataKey::new(ledger),
            raw,
        }
    }

    /// The key file's content: a header, then one key a line.
    pub fn to_text(&self) -> Zeroizing<String> {
        // one allocation, so that no copy of a key stays behind in freed memory
        let mut text = Zeroizing::new(String::with_capacity(NAMES.len() * 64 + HEADER.len()));
        text.push_str(HEADER);
        text.push('\n');
        for (name, key) in NAMES.iter().zip(&self.raw) {
            text.push_str(name);
            text.push(' ');
            STANDARD.encode_string(&key[..], &mut text);
            text.push('\n');
        }
        text
    }

    /// The inverse of [`Keyring::to_text`].
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(KeyFileError::Header);
        }
        let mut raw: [Raw; NAMES.len()] = Default::default();
        for (n, (name, key)) in NAMES.into_iter().zip(&mut raw).enumerate() {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let bytes = value.and_then(|value| STANDARD.decode(value.trim_end()).ok()).map(Zeroizing::new);
            let bytes = bytes.filter(|bytes| bytes.len() == KEY).ok_or(KeyFileError::Line { line: n + 2, name })?;
            key.copy_from_slice(&bytes);
        }
        Ok(Self::of(raw))
    }

    /// Stored in the database, so that a ledger is never opened with another installation's keys. Covers
    /// the keys that stored data depends on; link keys may change.
    pub fn check_value(&self) -> [u8; 32] {
        let [pepper, master, ledger, secret, _link] = &self.raw;
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &master[..]));
        context.update(b"consentry check value\0");
        [pepper, ledger, secret].into_iter().for_each(|key| context.update(&key[..]));
        octets(&context.sign())
    }

    /// HMAC-SHA-256(pepper, canonical address) (E-12).
    pub fn lookup_key(&self, address: &Address) -> LookupKey {
        let canonical = Zeroizing::new(address.canonical());
        LookupKey(octets(&hmac::sign(&self.pepper, canonical.as_bytes())))
    }

    /// Keyed hash of a Message-ID. No canonical address has a NUL, so the domains stay apart.
    pub fn message_key(&self, message_id: &str) -> LookupKey {
        let mut context = hmac::Context::with_key(&self.pepper);
        context.update(b"message-id\0");
        context.update(message_id.as_bytes());
        LookupKey(octets(&context.sign()))
    }

    /// Keyed hash of a copy: what makes two submissions one mail to one person (M-08). Each part goes in with its length,
    /// so that no two lists of parts meet.
    pub fn copy_key(&self, parts: &[&[u8]]) -> CopyKey {
        let mut context = hmac::Context::with_key(&self.pepper);
        context.update(b"copy\0");
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        CopyKey(std::array::from_fn({
            let whole = octets(&context.sign());
            move |n| whole[n]
        }))
    }

    /// The key of mail that waits. Derived, because nothing sealed with it outlives the days it may wait.
    pub fn spool_key(&self) -> DataKey {
        let [_, _, ledger, ..] = &self.raw;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &ledger[..]);
        let mut raw = octets(&hmac::sign(&key, b"consentry spool 1"));
        let key = DataKey::new(&raw);
        raw.zeroize();
        key
    }

    /// Keyed hash of a random secret (confirmation token, API token): what is stored opens nothing.
    pub fn secret_key(&self, secret: &[u8]) -> [u8; 32] {
        octets(&hmac::sign(&self.secret, secret))
    }

    /// Numbered keys for signed links; the first signs.
    pub fn link_keys(&self) -> Vec<(u8, [u8; 32])> {
        let [.., link] = &self.raw;
        vec![(1, **link)]
    }

    /// The key of operational fields that belong to no single subject's data keys.
    pub fn ledger_key(&self) -> &DataKey {
        &self.ledger
    }

    /// A subject's data key, wrapped under the master key for storage.
    pub fn wrap(&self, nonce: [u8; 12], context: &[u8], raw: &[u8; 32]) -> Vec<u8> {
        self.master.seal(nonce, context, raw)
    }

    /// The inverse of [`Keyring::wrap`]; `None` for another context or damaged octets.
    pub fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Option<DataKey> {
        let mut raw: [u8; KEY] = self.master.open(context, wrapped)?.as_slice().try_into().ok()?;
        let key = DataKey::new(&raw);
        raw.zeroize();
        Some(key)
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(***)")
    }
}

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

fn octets(tag: &hmac::Tag) -> [u8; 32] {
    tag.as_ref().try_into().expect("HMAC-SHA-256 gives 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(fill: u8) -> Keyring {
        let mut entropy = [fill; Keyring::ENTROPY];
        entropy.iter_mut().zip(0..).for_each(|(byte, n)| *byte ^= n);
        Keyring::generate(&entropy)
    }

    fn address(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    #[test]
    fn a_key_file_reads_back_the_same_keys() {
        let ours = keyring(7);
        let text = ours.to_text();
        let again = Keyring::parse(&text).expect("parses");
        assert_eq!(*again.to_text(), *text);
        assert_eq!(again.check_value(), ours.check_value());
        assert_eq!(again.link_keys(), ours.link_keys());
        assert_eq!(again.lookup_key(&address("a@x.example")), ours.lookup_key(&address("a@x.example")));
        assert_ne!(keyring(8).check_value(), ours.check_value());
    }

    #[test]
    fn a_damaged_key_file_is_refused_with_its_line() {
        let text = keyring(7).to_text();
        for (damaged, error) in [
            (String::new(), KeyFileError::Header),
            (text.replace("keys 1", "keys 2"), KeyFileError::Header),
            (text.replace("master", "mister"), KeyFileError::Line { line: 3, name: "master" }),
            (text.replace("secret ", "secret A"), KeyFileError::Line { line: 5, name: "secret" }),
            (text[..text.len() - 10].to_owned(), KeyFileError::Line { line: 6, name: "link" }),
        ] {
            assert_eq!(Keyring::parse(&damaged).err(), Some(error));
        }
    }

    #[test]
    fn a_key_depends_on_the_canonical_address_and_the_pepper_and_its_domain() {
        // E-12, M-19
        let ours = keyring(7);
        assert_eq!(ours.lookup_key(&address("A.B@Ex.org")), ours.lookup_key(&address("a.b@ex.ORG")));
        assert_ne!(ours.lookup_key(&address("a@x.example")), keyring(8).lookup_key(&address("a@x.example")));
        assert_ne!(ours.lookup_key(&address("a@x.example")), ours.message_key("a@x.example"));
        assert_ne!(ours.lookup_key(&address("a@x.example")).0, ours.secret_key(b"a@x.example"));
        assert_eq!(ours.copy_key(&[b"a", b"b"]), ours.copy_key(&[b"a", b"b"]));
        assert_ne!(ours.copy_key(&[b"a", b"b"]), ours.copy_key(&[b"ab", b""]));
    }

    #[test]
    fn a_sealed_value_opens_in_its_place_with_its_key_and_nowhere_else() {
        let key = DataKey::new(&[1; 32]);
        let sealed = key.seal([2; 12], b"event", b"personal");
        assert!(!sealed.windows(8).any(|w| w == b"personal"));
        assert_eq!(key.open(b"event", &sealed).as_deref().map(Vec::as_slice), Some(&b"personal"[..]));
        assert!(key.open(b"other", &sealed).is_none());
        assert!(DataKey::new(&[3; 32]).open(b"event", &sealed).is_none());
        for n in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[n] ^= 1;
            assert!(key.open(b"event", &flipped).is_none(), "octet {n}");
            assert!(key.open(b"event", &sealed[..n]).is_none(), "cut at {n}");
        }
    }

    #[test]
    fn a_wrapped_data_key_is_the_same_key() {
        let ours = keyring(7);
        let wrapped = ours.wrap([4; 12], b"contact", &[9; 32]);
        let sealed = DataKey::new(&[9; 32]).seal([5; 12], b"", b"x");
        assert!(ours.unwrap(b"contact", &wrapped).expect("unwraps").open(b"", &sealed).is_some());
        assert!(ours.unwrap(b"evidence", &wrapped).is_none());
        assert!(keyring(8).unwrap(b"contact", &wrapped).is_none());
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?} {:?}", keyring(7), keyring(7).ledger_key()), "Keyring(***) DataKey(***)");
    }
}
