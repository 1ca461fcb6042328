//! Reads the signatures on a message that came back: what they cover, whether the body is the one that was signed, and with a key's
//! record whether they are right (RFC 6376 s.6.1). Proves that an outbound MTA signs as one-click needs it (U-05). Asks no DNS.

use std::ops::Range;

use aws_lc_rs::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::relaxed::{self, Field};
use super::{canonical, tags};
use crate::mail::Address;

/// One `DKIM-Signature` of a message, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `d=`.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// `a=`.
    pub algorithm: String,
    /// The names of `h=`, in lower case.
    covered: Vec<String>,
    /// What makes it worth nothing, besides the key.
    pub fault: Option<Fault>,
    signed: Vec<u8>,
    value: Vec<u8>,
}

/// What makes a signature worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A tag is missing, doubled, or cannot be read.
    #[error("a tag is missing, doubled, of another domain or cannot be read")]
    Malformed,
    /// RFC 8301 s.3.1 forbids rsa-sha1; others are unknown.
    #[error("its algorithm is not rsa-sha256 or ed25519-sha256")]
    Algorithm,
    /// The body is another than the one that was signed.
    #[error("the body was changed after it was signed")]
    Body,
    /// `x=`: it is over.
    #[error("it has expired (x=)")]
    Expired,
    /// `l=`: anybody may add to the body (U-42).
    #[error("it covers a part of the body only (l=)")]
    Partial,
}

/// All signatures of a message with CRLF line ends, top to bottom, as they stand at that time.
pub fn signatures(message: &[u8], now: Timestamp) -> Vec<Signature> {
    let (fields, body) = relaxed::split(message);
    let is_signature = |field: &&Field| message[field.name.clone()].eq_ignore_ascii_case(b"DKIM-Signature");
    fields.iter().filter(is_signature).map(|field| read(message, &fields, field, &message[body..], now)).collect()
}

impl Signature {
    /// True when it covers a field, so that nobody changes it unseen.
    pub fn covers(&self, name: &str) -> bool {
        self.covered.iter().any(|covered| covered.eq_ignore_ascii_case(name))
    }

    /// True when it speaks for the domain of that From address or for one above it (U-44), as far as that can be told without DNS.
    pub fn aligned_with(&self, from: &Address) -> bool {
        let own = canonical(&format!("dkim@{}", self.domain));
        own.is_some_and(|own| canonical(from.as_str()).is_some_and(|from| super::is_below(&from, &own)))
    }

    /// True when the key of that TXT record made it; `None` for a record that cannot be read.
    pub fn is_of(&self, record: &str) -> Option<bool> {
        // as `dig +short` or a zone file has it: strings in quotes, semicolons escaped
        let quoted: String = record.split('"').skip(1).step_by(2).collect();
        let record = if quoted.is_empty() { record } else { &quoted };
        let record: String = record.chars().filter(|c| !c.is_ascii_whitespace() && !"()\\".contains(*c)).collect();
        let tag = |name: &str| record.split(';').find_map(|tag| tag.strip_prefix(name)?.strip_prefix('='));
        let kind = if self.algorithm == "ed25519-sha256" { "ed25519" } else { "rsa" };
        if tag("v").is_some_and(|version| version != "DKIM1") || tag("k").unwrap_or("rsa") != kind {
            return None;
        }
        let key = STANDARD.decode(tag("p")?).ok()?;
        let (algorithm, digest): (&'static dyn VerificationAlgorithm, _) = match self.algorithm.as_str() {
            // RFC 8301 s.3.2: from 1024 bits on
            "rsa-sha256" => (&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, None),
            // RFC 8463 s.3: what is signed is the hash
            "ed25519-sha256" => (&ED25519, Some(Sha256::digest(&self.signed))),
            _ => return None,
        };
        let signed = digest.as_ref().map_or(&self.signed[..], |digest| &digest[..]);
        Some(UnparsedPublicKey::new(algorithm, key).verify(signed, &self.value).is_ok())
    }
}

fn read(message: &[u8], fields: &[Field], own: &Field, body: &[u8], now: Timestamp) -> Signature {
    let raw = &message[own.all.clone()];
    let text = String::from_utf8_lossy(raw);
    let tag = |name: &str| tags(&text).find(|(known, _)| known == name).map(|(_, value)| value);
    let octets = |name: &str| tag(name).and_then(|value| STANDARD.decode(value).ok());
    let covered: Vec<String> = tag("h").unwrap_or_default().split(':').map(str::to_ascii_lowercase).collect();
    let canonical = tag("c").unwrap_or_default();
    let (header, whole) = canonical.split_once('/').unwrap_or((&canonical, "simple")); // RFC 6376 s.3.5
    let is_relaxed = header == "relaxed";
    let algorithm = tag("a").unwrap_or_default();
    let (value, hash) = (octets("b"), octets("bh"));
    let body_hash = if whole == "relaxed" { relaxed::body_hash(body) } else { simple_hash(body) };
    let names: Vec<String> = tags(&text).map(|(name, _)| name).collect();
    let doubled = (1..names.len()).any(|at| names[..at].contains(&names[at]));
    // s.3.5: `i=` is of the domain or below it
    let foreign = tag("i").is_some_and(|id| !super::is_below(id.rsplit('@').next().unwrap_or_default(), &tag("d").unwrap_or_default()));
    let over = tag("x").is_some_and(|end| end.parse::<i64>().is_ok_and(|end| end < now.as_second()));
    let fault = match (&value, &hash) {
        _ if !["rsa-sha256", "ed25519-sha256"].contains(&algorithm.as_str()) => Some(Fault::Algorithm),
        (None, _) | (_, None) => Some(Fault::Malformed),
        _ if doubled || foreign || tag("v").as_deref() != Some("1") => Some(Fault::Malformed),
        _ if over => Some(Fault::Expired),
        _ if tag("l").is_some() => Some(Fault::Partial),
        (_, Some(hash)) if hash[..] != body_hash => Some(Fault::Body),
        _ => None,
    };
    let write =
        |field: &[u8], signed: &mut Vec<u8>| if is_relaxed { relaxed::field(field, signed) } else { signed.extend_from_slice(field) };
    let mut signed = Vec::with_capacity(4_096);
    // RFC 6376 s.5.4.2: of fields with one name the lowest is the first
    let mut taken: Vec<bool> = fields.iter().map(|field| field.all == own.all).collect();
    for name in &covered {
        let next =
            (0..fields.len()).rev().find(|at| !taken[*at] && message[fields[*at].name.clone()].eq_ignore_ascii_case(name.as_bytes()));
        if let Some(at) = next {
            taken[at] = true;
            write(&message[fields[at].all.clone()], &mut signed);
        }
    }
    // s.3.7: itself comes last, without the value of b= and without its CRLF
    let empty = without(raw, value_of_b(raw));
    write(&empty, &mut signed);
    signed.truncate(signed.len() - 2);
    let word = |name| tag(name).unwrap_or_default();
    Signature { domain: word("d"), selector: word("s"), algorithm, covered, fault, signed, value: value.unwrap_or_default() }
}

/// Where the value of `b=` stands in the field, white space around it included.
fn value_of_b(field: &[u8]) -> Range<usize> {
    let mut from = memchr::memchr(b':', field).map_or(0, |colon| colon + 1);
    let end = field.len() - if field.ends_with(b"\r\n") { 2 } else { 0 };
    while from < end {
        let stop = memchr::memchr(b';', &field[from..end]).map_or(end, |at| from + at);
        if let Some(equals) = memchr::memchr(b'=', &field[from..stop])
            && field[from..from + equals].trim_ascii() == b"b"
        {
            return from + equals + 1..stop;
        }
        from = stop + 1;
    }
    end..end
}

fn without(field: &[u8], range: Range<usize>) -> Vec<u8> {
    [&field[..range.start], &field[range.end..]].concat()
}

/// RFC 6376 s.3.4.3: empty lines at the end are one line end.
fn simple_hash(body: &[u8]) -> [u8; 32] {
    let mut body = body;
    while let Some(shorter) = body.strip_suffix(b"\r\n") {
        body = shorter;
    }
    Sha256::new().chain_update(body).chain_update(b"\r\n").finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{Algorithm, Signer};

    const MESSAGE: &str = "From: a@news.shop.example\r\nSubject:  Lamps \r\nList-Unsubscribe: <https://x.example/u/1>\r\n\
                           List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nHello  world \r\n\r\n\r\n";

    #[test]
    fn our_own_signatures_are_read_and_what_changed_since_is_seen() {
        // U-05
        let from = Address::parse("a@news.shop.example").expect("valid");
        for algorithm in Algorithm::ALL {
            let (signer, _) = Signer::generate("shop.example", "s1", algorithm).expect("valid names");
            let (other, _) = Signer::generate("shop.example", "s1", algorithm).expect("valid names");
            let field = signer.sign(MESSAGE.as_bytes(), Timestamp::UNIX_EPOCH).expect("has From");
            let signed = format!("{}{MESSAGE}", String::from_utf8(field).expect("ASCII"));
            let read = |message: &str| signatures(message.as_bytes(), Timestamp::UNIX_EPOCH).remove(0);
            let good = read(&signed);
            assert_eq!((good.fault, good.domain.as_str(), good.selector.as_str()), (None, "shop.example", "s1"));
            assert!(good.covers("List-Unsubscribe-Post") && !good.covers("Received") && good.aligned_with(&from));
            assert!(!good.aligned_with(&Address::parse("a@workshop.example").expect("valid")));
            let (_, record) = signer.dns_record();
            let split = format!("( \"{}\"\n\"{}\" )", record[..40].replace(';', "\\;"), &record[40..]);
            assert_eq!((good.is_of(&record), good.is_of(&split)), (Some(true), Some(true)));
            assert_eq!((good.is_of(&other.dns_record().1), good.is_of("v=DKIM1"), good.is_of("p=!")), (Some(false), None, None));
            let aliased = format!("s1.dkim.provider.example.\n\"{record}\"");
            assert_eq!((good.is_of(&aliased), good.is_of(&record.replace("DKIM1", "spf1"))), (Some(true), None));
            // white space may change under way, nothing else
            assert_eq!(read(&signed.replace("Subject:  Lamps ", "subject: Lamps")).is_of(&record), Some(true));
            assert_eq!(read(&signed.replace("/u/1", "/u/2")).is_of(&record), Some(false));
            assert_eq!(read(&format!("{signed}x\r\n")).fault, Some(Fault::Body));
        }
    }

    #[test]
    fn what_makes_a_signature_worthless_is_named() {
        for (tags, expected) in [
            ("v=1; a=rsa-sha1; b=AA==; bh=AA==", Fault::Algorithm),
            ("v=1; a=rsa-sha256; b=AA==", Fault::Malformed),
            ("v=1; a=rsa-sha256; b=AA==; bh=AA==; l=5", Fault::Partial),
            ("v=1; a=rsa-sha256; bh=AA==; b =\r\n AA==", Fault::Body),
            ("a=rsa-sha256; b=AA==; bh=AA==", Fault::Malformed),
            ("v=1; a=rsa-sha256; b=AA==; bh=AA==; d=a.example; d=b.example", Fault::Malformed),
            ("v=1; a=rsa-sha256; b=AA==; bh=AA==; d=a.example; i=@b.example", Fault::Malformed),
            ("v=1; a=rsa-sha256; b=AA==; bh=AA==; x=-1", Fault::Expired),
            ("", Fault::Algorithm),
        ] {
            let found =
                signatures(format!("DKIM-Signature: {tags}\r\nFrom: a@x.example\r\n\r\nbody\r\n").as_bytes(), Timestamp::UNIX_EPOCH);
            assert_eq!(found[0].fault, Some(expected), "{tags}");
        }
        assert_eq!(signatures(b"From: a@x.example\r\n\r\nbody\r\n", Timestamp::UNIX_EPOCH), []);
        assert_eq!(signatures(b"", Timestamp::UNIX_EPOCH), []);
    }

    #[test]
    fn only_the_value_of_b_is_left_out() {
        let left = |field: &str| String::from_utf8(without(field.as_bytes(), value_of_b(field.as_bytes()))).expect("ASCII");
        assert_eq!(left("DKIM-Signature: v=1; bh=b=; b=ab\r\n c==; s=x\r\n"), "DKIM-Signature: v=1; bh=b=; b=; s=x\r\n");
        assert_eq!(left("DKIM-Signature: b=abc\r\n"), "DKIM-Signature: b=\r\n");
        assert_eq!(left("DKIM-Signature: v=1\r\n"), "DKIM-Signature: v=1\r\n");
    }
}
