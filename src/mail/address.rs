//! A mailbox address as SMTP carries it, and its canonical form for look-ups. Does not judge
//! whether the mailbox exists, and never changes what goes on the wire.

use std::fmt;
use std::iter::once;
use std::net::IpAddr;

use unicode_normalization::UnicodeNormalization;

/// A mailbox (`local-part@domain`), byte-exact as the client wrote it (RFC 5321 s.2.4: the
/// local-part is case-sensitive and ours to pass on, not to change).
///
/// `Debug` hides the address (I8).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

/// Why a text is no mailbox address. The texts are safe for SMTP replies: they repeat no input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing on one side of it.
    #[error("address needs a local-part, an @ and a domain")]
    Shape,
    /// A character that the grammar does not allow where it stands.
    #[error("address has a character that is not allowed")]
    Character,
    /// Longer than RFC 5321 s.4.5.3.1 allows: local-part 64, domain 255, path 254 octets.
    #[error("address is too long")]
    TooLong,
    /// Not a domain name and not an address literal.
    #[error("address has a malformed domain")]
    Domain,
}

impl Address {
    /// Parses `local-part@domain` (RFC 5321 s.4.1.2, with RFC 6531 s.3.3 for UTF-8).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let at = text.rfind('@').ok_or(AddressError::Shape)?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Shape);
        }
        // RFC 5321 s.4.5.3.1.1, .2, .3
        if local.len() > 64 || domain.len() > 255 || text.len() > 254 {
            return Err(AddressError::TooLong);
        }
        check_local(local)?;
        check_domain(domain)?;
        Ok(Self { text: text.to_owned(), at })
    }

    /// The whole address, as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, as written.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part after the `@`, as written.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// True when the address needs SMTPUTF8 (RFC 6531).
    pub fn is_internationalised(&self) -> bool {
        !self.text.is_ascii()
    }

    /// The form the look-up key is made of: domain as lower-case A-label, local-part in NFC and
    /// lower-case, quoting removed where it is not needed (M-19, S0-15). Never goes on the wire.
    ///
    /// A local-part with a letter's double (U+212A, the Kelvin sign, for K) keeps it: to a mail server it names another
    /// mailbox than the plain letter does, and its owner must not answer for the other's.
    pub fn canonical(&self) -> String {
        let local = unquote(self.local());
        let local: String = match local.chars().any(is_double) {
            true => local.chars().map(|c| if is_double(c) { c.to_string() } else { c.to_lowercase().collect() }).collect(),
            false => local.nfc().collect::<String>().to_lowercase().nfc().collect(),
        };
        format!("{local}@{}", canonical_domain(self.domain()))
    }

    /// For people who may know that there is an address, but not which: `a…@e….org`.
    pub fn masked(&self) -> String {
        let first = |s: &str| s.chars().next().map(String::from).unwrap_or_default();
        let top = self.domain().rsplit_once('.').map_or("", |(_, top)| top);
        format!("{}…@{}….{top}", first(self.local()), first(self.domain()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(***)")
    }
}

/// The comparable form of a domain: lower-case A-labels (RFC 5890). A name that IDNA refuses is
/// only lower-cased, so that it still compares with itself.
pub(super) fn canonical_domain(domain: &str) -> String {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase())
}

/// True for a character that NFC or lower-casing turns into another letter's, and not only into another way to write it.
fn is_double(c: char) -> bool {
    let mut normal = once(c).nfc();
    // U+03F4, a symbol of its own, has the lower case of U+0398.
    c == '\u{3f4}' || matches!((normal.next(), normal.next()), (Some(other), None) if other != c)
}

fn check_local(local: &str) -> Result<(), AddressError> {
    if let Some(inner) = local.strip_prefix('"') {
        let inner = inner.strip_suffix('"').ok_or(AddressError::Character)?;
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                // RFC 5321 s.4.1.2 quoted-pairSMTP: backslash and one printable character
                '\\' => match chars.next() {
                    Some(' '..='~') => {}
                    _ => return Err(AddressError::Character),
                },
                '"' => return Err(AddressError::Character),
                c if c.is_control() => return Err(AddressError::Character),
                _ => {}
            }
        }
        return Ok(());
    }
    let atom = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control()))
    };
    if local.split('.').all(atom) { Ok(()) } else { Err(AddressError::Character) }
}

fn check_domain(domain: &str) -> Result<(), AddressError> {
    if let Some(literal) = domain.strip_prefix('[') {
        // RFC 5321 s.4.1.3
        let literal = literal.strip_suffix(']').ok_or(AddressError::Domain)?;
        let literal = literal.strip_prefix("IPv6:").unwrap_or(literal);
        return literal.parse::<IpAddr>().map(|_| ()).map_err(|_| AddressError::Domain);
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || (!c.is_ascii() && !c.is_control() && !c.is_whitespace()))
    };
    if !domain.split('.').all(label) {
        return Err(AddressError::Domain);
    }
    if !domain.is_ascii() && idna::domain_to_ascii(domain).is_err() {
        return Err(AddressError::Domain);
    }
    Ok(())
}

/// `"a.b"` and `a.b` are the same mailbox (RFC 5321 s.4.1.2); the key must not differ.
fn unquote(local: &str) -> String {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return local.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Address::parse(text).expect(text).canonical()
    }

    #[test]
    fn one_person_has_one_key_whatever_the_spelling() {
        // M-19, S0-15
        for (a, b) in [
            ("A.B@Ex.org", "a.b@ex.org"),
            ("BÜRO@münchen.example", "büro@xn--mnchen-3ya.example"),
            ("bu\u{308}ro@x.example", "büro@x.example"),
            ("\"a.b\"@x.example", "a.b@x.example"),
            ("a@x.EXAMPLE", "a@x.example"),
        ] {
            assert_eq!(canonical(a), canonical(b), "{a} and {b}");
        }
        assert_ne!(canonical("a+tag@x.example"), canonical("a@x.example"));
    }

    #[test]
    fn a_letters_double_makes_another_mailbox() {
        // M-19, S0-15
        for (double, letter) in [
            ("mi\u{212a}e", "mike"),
            ("MI\u{212a}E", "mike"),
            ("\u{212b}sa", "\u{e5}sa"),
            ("\u{2126}", "\u{3c9}"),
            ("\u{3f4}", "\u{3b8}"),
            ("\u{f900}", "\u{8c48}"),
            ("\u{1fef}a", "`a"),
            ("\"a\u{37e}b\"", "\"a;b\""),
        ] {
            assert_ne!(canonical(&format!("{double}@x.example")), canonical(&format!("{letter}@x.example")), "{double} and {letter}");
        }
        assert_eq!(canonical("A\u{212a}\u{c9}@x.example"), "a\u{212a}\u{e9}@x.example");
        // Whatever one character stands for besides itself is its own other case.
        let mut seen = std::collections::HashMap::<String, char>::new();
        for c in ('\u{80}'..'\u{30000}').chain('a'..='z').filter(|c| !c.is_control()) {
            let key = canonical(&format!("{c}@x.example"));
            if let Some(other) = seen.insert(key, c) {
                let cased = other.to_lowercase().eq(c.to_lowercase()) && !other.is_ascii() && !c.is_ascii();
                assert!(cased, "{other:?} and {c:?}");
            }
        }
    }

    #[test]
    fn the_wire_form_is_kept() {
        assert_eq!(Address::parse("A.B+c@Ex.org").expect("valid").as_str(), "A.B+c@Ex.org");
    }

    #[test]
    fn malformed_addresses_are_refused() {
        let long_local = format!("{}@x.example", "a".repeat(65));
        for (text, error) in [
            ("", AddressError::Shape),
            ("a", AddressError::Shape),
            ("@x.example", AddressError::Shape),
            ("a@", AddressError::Shape),
            ("a..b@x.example", AddressError::Character),
            (".a@x.example", AddressError::Character),
            ("a b@x.example", AddressError::Character),
            ("a<b@x.example", AddressError::Character),
            ("a\r\nb@x.example", AddressError::Character),
            ("\"a\"b\"@x.example", AddressError::Character),
            ("a@-x.example", AddressError::Domain),
            ("a@x..example", AddressError::Domain),
            ("a@x.exa mple", AddressError::Domain),
            ("a@[999.1.1.1]", AddressError::Domain),
            (&long_local, AddressError::TooLong),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
        for text in ["a@x.example", "\"a b\"@x.example", "a@[127.0.0.1]", "a@[IPv6:::1]", "ü@x.example", "a@localhost"] {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn debug_and_mask_do_not_tell_the_address() {
        let address = Address::parse("olivia.carter@mail.example.org").expect("valid");
        assert_eq!(format!("{address:?}"), "Address(***)");
        assert_eq!(address.masked(), "o…@m….org");
    }
}
