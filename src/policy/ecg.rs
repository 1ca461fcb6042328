//! The Austrian ECG list (ECG §7(2)): who wants no advertising without consent, as a local copy of the regulator's file. Says
//! only whether an address or its domain is on it; whether that matters is the profile's word (J-04).

use std::collections::HashSet;
use std::path::Path;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use jiff::{SignedDuration, Timestamp};

use super::window::Window;
use crate::mail::Address;

const LENGTH: usize = 20;

/// How far ahead the clock may be that dated the file.
const SKEW: SignedDuration = SignedDuration::from_hours(24);

/// The list: SHA-1 of addresses and of `@domain`s, in lower case. The hash is the list's own format, no protection of ours
/// (E-12 names it as the exception).
#[derive(Clone, PartialEq, Eq)]
pub struct EcgList {
    hashes: HashSet<[u8; LENGTH]>,
    /// When the copy was made.
    pub dated: Timestamp,
}

impl std::fmt::Debug for EcgList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EcgList({} entries of {})", self.hashes.len(), self.dated)
    }
}

/// The file is no list.
#[derive(Debug, thiserror::Error)]
pub enum EcgError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is neither of the two forms.
    #[error("not an ECG list: 20 octets for each entry, or 40 hexadecimal digits on each line; line {0}")]
    Form(usize),
    /// Nothing is in it.
    #[error("the ECG list is empty")]
    Empty,
}

impl EcgList {
    /// Reads the file; its modification time is the list's date.
    pub fn read(path: &Path) -> Result<Self, EcgError> {
        let octets = std::fs::read(path)?;
        let dated = std::fs::metadata(path)?.modified()?.try_into().map_err(std::io::Error::other)?;
        Self::parse(&octets, dated)
    }

    fn parse(octets: &[u8], dated: Timestamp) -> Result<Self, EcgError> {
        let is_text = octets.iter().all(|octet| octet.is_ascii_hexdigit() || octet.is_ascii_whitespace());
        let hashes: HashSet<[u8; LENGTH]> = if is_text {
            let line = |(number, line): (usize, &str)| {
                let mut hash = [0; LENGTH];
                hex::decode_to_slice(line.trim(), &mut hash).map(|()| hash).map_err(|_| EcgError::Form(number + 1))
            };
            let text = std::str::from_utf8(octets).unwrap_or_default(); // ASCII
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect::<Result<_, _>>()?
        } else {
            let (entries, rest) = octets.as_chunks::<LENGTH>();
            if !rest.is_empty() {
                return Err(EcgError::Form(entries.len() + 1));
            }
            entries.iter().copied().collect()
        };
        if hashes.is_empty() { Err(EcgError::Empty) } else { Ok(Self { hashes, dated }) }
    }

    /// True when the address is listed, or its whole domain.
    pub fn lists(&self, address: &Address) -> bool {
        let address = address.as_str().to_lowercase();
        let domain = address.rfind('@').map_or("", |at| &address[at..]);
        [&address[..], domain].into_iter().any(|entry| self.hashes.contains(digest(&SHA1_FOR_LEGACY_USE_ONLY, entry.as_bytes()).as_ref()))
    }
}

/// The list as a gateway has it: perhaps missing, perhaps old.
#[derive(Debug, Clone)]
pub struct Ecg {
    list: Option<EcgList>,
    max_age: Window,
}

impl Ecg {
    /// The copy in `file`, if there is one; it counts for `max_age`.
    pub fn open(file: Option<&Path>, max_age: Option<Window>) -> Result<Self, EcgError> {
        let list = file.map(EcgList::read).transpose()?;
        Ok(Self { list, max_age: Window::of_ecg_list(max_age) })
    }

    /// True when the address is on the list, or nobody can tell: there is no copy, or it is too old (J-04).
    pub fn may_list(&self, address: &Address, now: Timestamp) -> bool {
        // a date that has not come says nothing about the age
        let is_dated = |list: &EcgList| list.dated.duration_since(now) <= SKEW && self.max_age.holds(list.dated, now);
        self.list.as_ref().is_none_or(|list| !is_dated(list) || list.lists(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(entry: &str) -> Vec<u8> {
        digest(&SHA1_FOR_LEGACY_USE_ONLY, entry.as_bytes()).as_ref().to_vec()
    }

    #[test]
    fn addresses_and_domains_are_found_in_both_forms() {
        // J-04
        let entries = [hash("olivia@people.example"), hash("@closed.example")];
        let text = entries.iter().map(hex::encode).collect::<Vec<_>>().join("\n");
        for octets in [entries.concat(), text.into_bytes()] {
            let list = EcgList::parse(&octets, Timestamp::UNIX_EPOCH).expect("a list");
            for (address, expected) in [
                ("olivia@people.example", true),
                ("Olivia@People.example", true),
                ("oliver@people.example", false),
                ("anybody@closed.example", true),
                ("anybody@not.closed.example", false),
            ] {
                assert_eq!(list.lists(&Address::parse(address).expect(address)), expected, "{address}");
            }
            let stranger = Address::parse("oliver@people.example").expect("an address");
            let ecg = Ecg { list: Some(list), max_age: Window::days(30) };
            let day = jiff::SignedDuration::from_hours(24);
            assert!(!ecg.may_list(&stranger, Timestamp::UNIX_EPOCH + day * 30), "a list of thirty days counts");
            assert!(ecg.may_list(&stranger, Timestamp::UNIX_EPOCH + day * 31), "an older one says nothing, so everybody may be on it");
            let ahead = Timestamp::UNIX_EPOCH - day * 2;
            assert!(ecg.may_list(&stranger, ahead), "a list of a day to come is of no known age");
            assert!(Ecg { list: None, ..ecg }.may_list(&stranger, Timestamp::UNIX_EPOCH));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for octets in [&b""[..], b"\n\n", b"abc", b"\0\x01", &[0xff; 21]] {
            assert!(EcgList::parse(octets, Timestamp::UNIX_EPOCH).is_err(), "{octets:?}");
        }
    }
}
