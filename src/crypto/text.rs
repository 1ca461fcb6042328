//! The text of a key file: written, read back, refused with its line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{KEY, Keyring, LaterLink, NAMES, Raw};

/// First line of a key file; the number is the format's version.
const HEADER: &str = "consentry-keys 1";

/// The same of one with further link keys: a release that does not know them must not pass over them.
const HEADER_WITH_LINKS: &str = "consentry-keys 2";

/// Why a text is no key file. Repeats no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not a key file, or one of a later release.
    #[error("line 1 is not \"{HEADER}\": restore the file from the key backup, or run the release that wrote it")]
    Header,
    /// A line after the first keys that is no link key.
    #[error("line {line} is not \"link-{generation} <44 characters of base64> <made> <signs from>\": restore the file from the key backup")]
    LaterLink {
        /// Counted from 1.
        line: usize,
        /// The generation that should stand there.
        generation: usize,
    },
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
    /// The key file's content: a header, then one key a line.
    pub fn to_text(&self) -> Zeroizing<String> {
        // one allocation, so that no copy of a key stays behind in freed memory
        let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + NAMES.len() * 64 + self.later_links.len() * 128));
        text.push_str(if self.later_links.is_empty() { HEADER } else { HEADER_WITH_LINKS });
        text.push('\n');
        for (name, key) in NAMES.iter().zip(&self.raw) {
            text.push_str(name);
            text.push(' ');
            STANDARD.encode_string(&key[..], &mut text);
            text.push('\n');
        }
        for (link, generation) in self.later_links.iter().zip(2..) {
            text.push_str(&format!("link-{generation} "));
            STANDARD.encode_string(&link.raw[..], &mut text);
            text.push_str(&format!(" {} {}\n", link.made, link.signs_from));
        }
        text
    }

    /// The inverse of [`Keyring::to_text`].
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut lines = text.lines();
        let has_later_links = match lines.next() {
            Some(HEADER) => false,
            Some(HEADER_WITH_LINKS) => true,
            _ => return Err(KeyFileError::Header),
        };
        let mut raw: [Raw; NAMES.len()] = Default::default();
        for (n, (name, key)) in NAMES.into_iter().zip(&mut raw).enumerate() {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            *key = value.and_then(|value| key_of(value.trim_end())).ok_or(KeyFileError::Line { line: n + 2, name })?;
        }
        let mut later_links = Vec::new();
        for (n, text) in lines.take_while(|_| has_later_links).enumerate() {
            let fault = KeyFileError::LaterLink { line: n + 2 + NAMES.len(), generation: n + 2 };
            later_links.push(LaterLink::parse(text, n + 2).ok_or(fault)?);
        }
        // A rotation writes one at least: the file was cut.
        if has_later_links && later_links.is_empty() {
            return Err(KeyFileError::LaterLink { line: 2 + NAMES.len(), generation: 2 });
        }
        Ok(Self::of(raw, later_links))
    }
}

impl LaterLink {
    fn parse(line: &str, generation: usize) -> Option<Self> {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, key, made, signs_from] = fields[..] else { return None };
        if name != format!("link-{generation}") || generation > usize::from(u8::MAX) {
            return None;
        }
        Some(Self { made: made.parse().ok()?, signs_from: signs_from.parse().ok()?, raw: key_of(key)? })
    }
}

fn key_of(base64: &str) -> Option<Raw> {
    let octets = Zeroizing::new(STANDARD.decode(base64).ok()?);
    let octets: &[u8; KEY] = octets.as_slice().try_into().ok()?;
    Some(Zeroizing::new(*octets))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::tests::{address, keyring};
    use super::*;

    #[test]
    fn a_key_file_reads_back_the_same_keys() {
        let ours = keyring(7);
        let text = ours.to_text();
        let again = Keyring::parse(&text).expect("parses");
        assert_eq!(*again.to_text(), *text);
        assert_eq!(again.check_value(), ours.check_value());
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(again.link_keys(now), ours.link_keys(now));
        assert_eq!(again.lookup_key(&address("a@x.example")), ours.lookup_key(&address("a@x.example")));
        assert_ne!(keyring(8).check_value(), ours.check_value());
    }

    #[test]
    fn a_damaged_key_file_is_refused_with_its_line() {
        let text = keyring(7).to_text();
        for (damaged, error) in [
            (String::new(), KeyFileError::Header),
            (text.replace("keys 1", "keys 3"), KeyFileError::Header),
            (text.replace("keys 1", "keys 2"), KeyFileError::LaterLink { line: 7, generation: 2 }),
            (text.replace("master", "mister"), KeyFileError::Line { line: 3, name: "master" }),
            (text.replace("secret ", "secret A"), KeyFileError::Line { line: 5, name: "secret" }),
            (text[..text.len() - 10].to_owned(), KeyFileError::Line { line: 6, name: "link" }),
        ] {
            assert_eq!(Keyring::parse(&damaged).err(), Some(error));
        }
    }
}
