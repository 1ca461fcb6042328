//! The keyring: keyed hashes for look-ups, sealing of personal fields, wrapping of each subject's data
//! keys. Pure: randomness comes as an argument; reading and guarding the key file is `store`'s job.

mod data_key;
mod text;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use zeroize::{Zeroize, Zeroizing};

pub use self::data_key::DataKey;
pub use self::text::KeyFileError;
use crate::consent::{CopyKey, LookupKey};
use crate::mail::Address;

/// Octets of every key and keyed hash here.
const KEY: usize = 32;

/// The names in a key file, in their order.
const NAMES: [&str; 5] = ["pepper", "master", "ledger", "secret", "link"];

type Raw = Zeroizing<[u8; KEY]>;

/// The installation's own keys. Who has them and the database can read every personal field, so they
/// live in a file of their own with a backup of its own (E-10).
pub struct Keyring {
    raw: [Raw; NAMES.len()],
    /// The link keys after the first, oldest first.
    later_links: Vec<LaterLink>,
    pepper: hmac::Key,
    secret: hmac::Key,
    master: DataKey,
    ledger: DataKey,
}

/// A link key that a rotation made.
struct LaterLink {
    made: Timestamp,
    signs_from: Timestamp,
    raw: Raw,
}

/// What may be told of a link key. The first has no times: it is as old as the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkGeneration {
    /// Counted from 1; stands in every link that it signed.
    pub number: u8,
    /// When it was made.
    pub made: Option<Timestamp>,
    /// From when on it signs, until the next does.
    pub signs_from: Option<Timestamp>,
}

impl Keyring {
    /// Random octets that [`Keyring::generate`] wants.
    pub const ENTROPY: usize = KEY * NAMES.len();

    /// A new keyring of fresh randomness.
    pub fn generate(entropy: &[u8; Keyring::ENTROPY]) -> Self {
        let (keys, _) = entropy.as_chunks::<KEY>();
        Self::of(std::array::from_fn(|n| Zeroizing::new(keys[n])), Vec::new())
    }

    fn of(raw: [Raw; NAMES.len()], later_links: Vec<LaterLink>) -> Self {
        let [pepper, master, ledger, secret, _link] = &raw;
        Self {
            pepper: hmac::Key::new(hmac::HMAC_SHA256, &pepper[..]),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret[..]),
            master: DataKey::new(master),
            ledger: DataKey::new(ledger),
            raw,
            later_links,
        }
    }

    /// The same with one more link key, which signs from that time on; `None` when there are as many as a link can name.
    pub fn with_link(mut self, raw: [u8; 32], made: Timestamp, signs_from: Timestamp) -> Option<Self> {
        u8::try_from(self.later_links.len() + 2).ok()?;
        self.later_links.push(LaterLink { made, signs_from, raw: Zeroizing::new(raw) });
        Some(self)
    }

    /// The link keys, oldest first.
    pub fn link_generations(&self) -> Vec<LinkGeneration> {
        let later = self.later_links.iter().zip(2..);
        let later = later.map(|(link, number)| LinkGeneration { number, made: Some(link.made), signs_from: Some(link.signs_from) });
        std::iter::once(LinkGeneration { number: 1, made: None, signs_from: None }).chain(later).collect()
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

    /// Numbered keys for signed links; the first signs now. None ever goes: old mail has links of each (U-14).
    pub fn link_keys(&self, now: Timestamp) -> Vec<(u8, [u8; 32])> {
        let [.., first] = &self.raw;
        let later = self.later_links.iter().zip(2..).map(|(link, number)| (number, *link.raw));
        let mut keys: Vec<(u8, [u8; 32])> = std::iter::once((1, **first)).chain(later).collect();
        let signing = self.later_links.iter().rposition(|link| link.signs_from <= now).map_or(0, |n| n + 1);
        keys.swap(0, signing);
        keys
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

fn octets(tag: &hmac::Tag) -> [u8; 32] {
    tag.as_ref().try_into().expect("HMAC-SHA-256 gives 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn keyring(fill: u8) -> Keyring {
        let mut entropy = [fill; Keyring::ENTROPY];
        entropy.iter_mut().zip(0..).for_each(|(byte, n)| *byte ^= n);
        Keyring::generate(&entropy)
    }

    pub(super) fn address(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    #[test]
    fn a_new_link_key_signs_from_its_time_on_and_the_others_stay() {
        // U-14
        let at = |second| Timestamp::from_second(second).expect("in range");
        let numbers = |keyring: &Keyring, now| keyring.link_keys(at(now)).iter().map(|(number, _)| *number).collect::<Vec<_>>();
        let rotated = keyring(7).with_link([2; 32], at(10), at(20)).and_then(|keyring| keyring.with_link([3; 32], at(30), at(40)));
        let rotated = rotated.expect("room");
        assert_eq!(rotated.check_value(), keyring(7).check_value());
        let again = Keyring::parse(&rotated.to_text()).expect("parses");
        assert_eq!(again.link_generations(), rotated.link_generations());
        for (now, expected) in [(19, [1, 2, 3]), (20, [2, 1, 3]), (39, [2, 1, 3]), (40, [3, 2, 1])] {
            assert_eq!(numbers(&again, now), expected, "{now}");
            assert_eq!(again.link_keys(at(now)), rotated.link_keys(at(now)));
        }
        let text = rotated.to_text();
        for (damaged, line) in [
            (text.replace("link-2", "link-3"), 7),
            (text[..text.len() - 60].to_owned(), 8),
            (text.lines().take(6).map(|line| format!("{line}\n")).collect(), 7),
        ] {
            assert_eq!(Keyring::parse(&damaged).err(), Some(KeyFileError::LaterLink { line, generation: line - 5 }));
        }
        let full = (0..254).try_fold(keyring(7), |keyring, _| keyring.with_link([4; 32], at(1), at(1))).expect("255 fit");
        assert!(full.with_link([4; 32], at(1), at(1)).is_none());
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
