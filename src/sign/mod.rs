//! DKIM signatures (RFC 6376, RFC 8463) over the finished copy, relaxed/relaxed. Runs after the
//! last change (U-40), and knows nothing of DNS beyond the text of the record.

mod key;
mod relaxed;
mod signers;
mod verify;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use zeroize::Zeroizing;

pub use key::Algorithm;
use key::Key;
pub use signers::Signers;
pub use verify::{Fault, Signature, signatures};

use crate::mail::Address;

/// Signs for one domain with one selector. `Debug` hides the key.
pub struct Signer {
    domain: String,
    selector: String,
    key: Key,
    /// From when on it signs.
    sign_from: Option<Timestamp>,
}

/// Why there is no signer, or no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The domain of `d=` is no domain name.
    #[error("the DKIM domain is not a domain name")]
    Domain,
    /// The selector of `s=` is no dotted name (RFC 6376 s.3.1).
    #[error("the DKIM selector must be letters, digits and hyphens, with dots between labels, e.g. consentry-2026")]
    Selector,
    /// Not a PEM file with a private key that signs mail.
    #[error("the DKIM key is not a private RSA or Ed25519 key in PEM (PKCS#8 or PKCS#1): make one with `consentry keys dkim-generate`")]
    Key,
    /// A key that receivers may refuse (RFC 8301 s.3.2).
    #[error("the DKIM key is too short: make one of 2048 bits with `openssl genrsa 2048`")]
    TooShort,
    /// The cryptographic library refused to make a key or a signature.
    #[error("the cryptographic library refused to make a key or signature")]
    Crypto,
    /// RFC 6376 s.5.4: From must be signed, and this message has none.
    #[error("a message without From cannot be signed")]
    NoFrom,
}

/// Signed once more than they are there, so that nobody can add one (U-42, RFC 6376 s.8.15).
const OVERSIGNED: [&str; 9] = [
    "From",
    "Subject",
    "To",
    "Date",
    "Message-ID",
    // RFC 8058 s.4 wants both; receivers offer one-click only then (U-04)
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Id",
    "Content-Type",
];

/// Signed where they are there (RFC 6376 s.5.4.1; trace fields are not, as they change on the way).
const SIGNED: [&str; 17] = [
    "Sender",
    "Reply-To",
    "Cc",
    "MIME-Version",
    "Content-Transfer-Encoding",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "List-Help",
    "List-Owner",
    "List-Post",
    "List-Subscribe",
    "List-Archive",
    "Feedback-ID",
    "CFBL-Address",
    "CFBL-Feedback-ID",
    "Content-Language",
];

impl Signer {
    /// A signer with a private key in PEM: RSA of 2048 bits or more as PKCS#8 or PKCS#1, Ed25519 as PKCS#8.
    pub fn from_pem(domain: &str, selector: &str, pem: &str) -> Result<Self, SignerError> {
        Self::new(domain, selector, Key::from_pem(pem)?)
    }

    /// A signer with a new key, and the key as PKCS#8 PEM.
    pub fn generate(domain: &str, selector: &str, algorithm: Algorithm) -> Result<(Self, Zeroizing<String>), SignerError> {
        let key = Key::generate(algorithm)?;
        let pem = key.pem()?;
        Ok((Self::new(domain, selector, key)?, pem))
    }

    /// The same, not signing before that time.
    #[must_use]
    pub fn from(self, sign_from: Option<Timestamp>) -> Self {
        Self { sign_from, ..self }
    }

    /// Whether its time has come.
    pub fn begins(&self, at: Timestamp) -> bool {
        self.sign_from.is_none_or(|from| from <= at)
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn new(domain: &str, selector: &str, key: Key) -> Result<Self, SignerError> {
        let domain = canonical(&format!("dkim@{domain}")).filter(|domain| !domain.starts_with('[')).ok_or(SignerError::Domain)?;
        // RFC 6376 s.3.1: sub-domains as in RFC 5321
        let label = |label: &str| {
            let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
        };
        if !selector.split('.').all(label) || selector.len() > 190 {
            return Err(SignerError::Selector);
        }
        Ok(Self { domain, selector: selector.to_owned(), key, sign_from: None })
    }

    /// The `DKIM-Signature: …` field with its CRLF, to be put on top of `message`, which has CRLF line
    /// ends. `at` is the `t=` of the signature.
    pub fn sign(&self, message: &[u8], at: Timestamp) -> Result<Vec<u8>, SignerError> {
        let (fields, body) = relaxed::split(message);
        let mut signed = Vec::with_capacity(4_096);
        let names = select(message, &fields, &mut signed).ok_or(SignerError::NoFrom)?;
        self.field(&names, &signed, &relaxed::body_hash(&message[body..]), at)
    }

    /// The field for a message of which the canonical header and the body's hash are known.
    fn field(&self, names: &[&str], header: &[u8], body_hash: &[u8; 32], at: Timestamp) -> Result<Vec<u8>, SignerError> {
        let mut field = self.head(names, body_hash, at);
        // RFC 6376 s.3.7: the signature field itself comes last, `b=` empty, without its CRLF
        let mut signed = Vec::with_capacity(header.len() + 1_024);
        signed.extend_from_slice(header);
        relaxed::field(field.as_bytes(), &mut signed);
        signed.truncate(signed.len() - 2);
        let signature = self.key.sign(&signed)?;

        for (index, line) in lines(&STANDARD.encode(signature), 72).enumerate() {
            if index > 0 {
                field.push_str("\r\n\t");
            }
            field.push_str(line);
        }
        field.push_str("\r\n");
        Ok(field.into_bytes())
    }

    /// The field up to `b=`. No `l=` (U-42): it would let others append to the body.
    fn head(&self, names: &[&str], body_hash: &[u8; 32], at: Timestamp) -> String {
        let mut field = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;\r\n\td={};\r\n\ts={}; t={};\r\n\th=",
            self.algorithm().name(),
            self.domain,
            self.selector,
            at.as_second()
        );
        let mut column = 4;
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                field.push(':');
            }
            if column + name.len() > 74 {
                field.push_str("\r\n\t");
                column = 2;
            }
            field.push_str(name);
            column += name.len() + 1;
        }
        field.push_str(";\r\n\tbh=");
        field.push_str(&STANDARD.encode(body_hash));
        // nothing behind `b=`: some verifiers stumble over a `;` on a line of its own
        field.push_str(";\r\n\tb=");
        field
    }

    /// The DNS record for the public key: owner name and TXT value, the latter as one string, which DNS
    /// tools split at 255 octets (RFC 6376 s.3.6.2.2).
    pub fn dns_record(&self) -> (String, String) {
        (format!("{}._domainkey.{}", self.selector, self.domain), self.key.record())
    }

    /// True when a signature of this signer counts for that From address under relaxed alignment
    /// (U-44): the address is in the signer's domain or below it. The case of a shared organisational
    /// domain above both (RFC 9989) needs DNS and is not looked at.
    pub fn aligned_with(&self, from: &Address) -> bool {
        canonical(from.as_str()).is_some_and(|domain| is_below(&domain, &self.domain))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer {{ domain: {:?}, selector: {:?}, key: *** }}", self.domain, self.selector)
    }
}

/// The domain of an address as lower-case A-label (RFC 6376 s.3.5 wants A-labels in `d=`).
fn canonical(address: &str) -> Option<String> {
    Address::parse(address).ok()?.canonical().rsplit_once('@').map(|(_, domain)| domain.to_owned())
}

/// The same domain, or one below it.
fn is_below(domain: &str, above: &str) -> bool {
    domain.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Names and values of a signature's tags, without white space (RFC 6376 s.3.2).
fn tags(field: &str) -> impl Iterator<Item = (String, String)> {
    let (_, list) = field.split_once(':').unwrap_or(("", field));
    let squeezed = |text: &str| text.split_ascii_whitespace().collect::<String>();
    list.split(';').filter_map(|tag| tag.split_once('=')).map(move |(name, value)| (squeezed(name), squeezed(value)))
}

fn lines(text: &str, width: usize) -> impl Iterator<Item = &str> {
    (0..text.len()).step_by(width).map(move |at| &text[at..text.len().min(at + width)])
}

/// Writes the fields to sign, canonicalised, to `signed`; answers the names for `h=` in the same order,
/// or `None` where there is no From.
fn select(message: &[u8], fields: &[relaxed::Field], signed: &mut Vec<u8>) -> Option<Vec<&'static str>> {
    let mut names = Vec::with_capacity(OVERSIGNED.len() * 2 + SIGNED.len());
    for name in OVERSIGNED.into_iter().chain(SIGNED) {
        // RFC 6376 s.5.4.2: of fields with one name the lowest is the first
        for field in fields.iter().rev() {
            if message[field.name.clone()].eq_ignore_ascii_case(name.as_bytes()) {
                relaxed::field(&message[field.all.clone()], signed);
                names.push(name);
            }
        }
        if name == "From" && names.is_empty() {
            return None;
        }
        if OVERSIGNED.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// One key for all tests: making one takes a while.
    static KEY: LazyLock<(Signer, Zeroizing<String>)> =
        LazyLock::new(|| Signer::generate("shop.example", "s1", Algorithm::Rsa).expect("valid names"));

    fn sign(message: &str) -> String {
        let field = KEY.0.sign(message.as_bytes(), Timestamp::from_second(1_800_000_000).expect("valid")).expect("has From");
        String::from_utf8(field).expect("ASCII")
    }

    fn tag(field: &str, name: &str) -> Option<String> {
        tags(field).find(|(known, _)| known == name).map(|(_, value)| value)
    }

    #[test]
    fn the_field_has_the_tags_that_are_asked_for_and_no_others() {
        // U-41, U-42
        let field = sign("From: a@shop.example\r\n\r\nHello\r\n");
        for (name, expected) in [
            ("v", Some("1")),
            ("a", Some("rsa-sha256")),
            ("c", Some("relaxed/relaxed")),
            ("d", Some("shop.example")),
            ("s", Some("s1")),
            ("t", Some("1800000000")),
            ("l", None),
            ("x", None),
            ("i", None),
        ] {
            assert_eq!(tag(&field, name).as_deref(), expected, "{name}=");
        }
        assert!(field.ends_with("\r\n") && !field.contains("\r\n\r\n"));
        assert!(field.split("\r\n").all(|line| line.len() <= 78 && !line.ends_with([' ', '\t'])), "{field}");
    }

    #[test]
    fn what_could_be_added_is_signed_once_more_than_it_is_there() {
        // U-42, U-04: List-* also where the message has none (U-20 stays true on the way)
        let field = sign("Cc: c@x.example\r\nFrom: a@shop.example\r\nList-Id: <a.b>\r\nReceived: x\r\n\r\n");
        let names = tag(&field, "h").expect("there");
        let count = |name: &str| names.split(':').filter(|signed| *signed == name).count();
        for (name, expected) in [
            ("From", 2),
            ("List-Id", 2),
            ("Subject", 1),
            ("List-Unsubscribe", 1),
            ("List-Unsubscribe-Post", 1),
            ("Content-Type", 1),
            ("Cc", 1),
            ("Sender", 0),
            ("Received", 0),
        ] {
            assert_eq!(count(name), expected, "{name} in {names}");
        }
    }

    #[test]
    fn a_message_without_from_is_refused() {
        assert_eq!(KEY.0.sign(b"To: a@x.example\r\n\r\nFrom: x\r\n", Timestamp::UNIX_EPOCH).err(), Some(SignerError::NoFrom));
        assert_eq!(KEY.0.sign(b"", Timestamp::UNIX_EPOCH).err(), Some(SignerError::NoFrom));
    }

    #[test]
    fn a_key_that_was_written_is_read_back() {
        let again = Signer::from_pem("Shop.Example", "s1", &KEY.1).expect("our own PEM");
        assert_eq!(again.dns_record(), KEY.0.dns_record());
        let (name, value) = again.dns_record();
        assert_eq!(name, "s1._domainkey.shop.example");
        assert!(value.starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{value}");
    }

    #[test]
    fn an_ed25519_key_signs_shortly_and_is_read_back() {
        // U-41, RFC 8463
        let (signer, pem) = Signer::generate("shop.example", "e1", Algorithm::Ed25519).expect("valid names");
        let again = Signer::from_pem("shop.example", "e1", &pem).expect("our own PEM");
        assert_eq!(again.dns_record(), signer.dns_record());
        let (_, value) = signer.dns_record();
        assert_eq!((value.starts_with("v=DKIM1; k=ed25519; p="), value.len()), (true, "v=DKIM1; k=ed25519; p=".len() + 44), "{value}");
        let field = again.sign(b"From: a@shop.example\r\n\r\nx\r\n", Timestamp::UNIX_EPOCH).expect("has From");
        let field = String::from_utf8(field).expect("ASCII");
        assert_eq!(tag(&field, "a").as_deref(), Some("ed25519-sha256"));
        assert_eq!(tag(&field, "b").map(|signature| signature.len()), Some(88));
    }

    #[test]
    fn keys_and_names_that_do_not_do_are_refused() {
        // a key that is too short is refused in tests/it/dkim.rs, which has OpenSSL make one
        let broken = KEY.1.replace("MII", "AII");
        for (domain, selector, pem, expected) in [
            ("shop.example", "s1", "", SignerError::Key),
            ("shop.example", "s1", &broken, SignerError::Key),
            ("", "s1", &KEY.1, SignerError::Domain),
            ("shop.example; x=1", "s1", &KEY.1, SignerError::Domain),
            ("[127.0.0.1]", "s1", &KEY.1, SignerError::Domain),
            ("shop.example", "", &KEY.1, SignerError::Selector),
            ("shop.example", "a..b", &KEY.1, SignerError::Selector),
            ("shop.example", "a;b", &KEY.1, SignerError::Selector),
        ] {
            assert_eq!(Signer::from_pem(domain, selector, pem).err(), Some(expected), "{domain} {selector}");
        }
    }

    #[test]
    fn pkcs_1_is_read_as_well() {
        let body: String = KEY.1.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).expect("base64");
        // RFC 5208 s.5: the PKCS#1 key stands behind version, algorithm and three headers
        let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", STANDARD.encode(&der[26..]));
        let signer = Signer::from_pem("shop.example", "s1", &pem).expect("PKCS#1");
        assert_eq!(signer.dns_record(), KEY.0.dns_record());
    }

    #[test]
    fn alignment_is_the_domain_or_one_below() {
        // U-44
        for (from, expected) in [
            ("a@shop.example", true),
            ("a@SHOP.example", true),
            ("a@mail.shop.example", true),
            ("a@example", false),
            ("a@othershop.example", false),
            ("a@shop.example.evil.example", false),
        ] {
            assert_eq!(KEY.0.aligned_with(&Address::parse(from).expect("valid")), expected, "{from}");
        }
        let german = Signer::from_pem("münchen.example", "s1", &KEY.1).expect("an A-label is made of it");
        assert!(german.aligned_with(&Address::parse("a@xn--mnchen-3ya.example").expect("valid")));
        assert!(sign_domain(&german).starts_with("xn--mnchen-3ya"));
    }

    fn sign_domain(signer: &Signer) -> String {
        let field = signer.sign(b"From: a@x.example\r\n\r\n", Timestamp::UNIX_EPOCH).expect("has From");
        tag(&String::from_utf8_lossy(&field), "d").expect("there")
    }

    #[test]
    fn debug_hides_the_key() {
        assert_eq!(format!("{:?}", KEY.0), "Signer { domain: \"shop.example\", selector: \"s1\", key: *** }");
    }
}
