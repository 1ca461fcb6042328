//! The second factor: time-based one-time passwords (RFC 6238) of six digits and thirty seconds, as every authenticator app
//! makes them. Pure; that a code works once is the store's promise.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use subtle::ConstantTimeEq;

/// Octets of a secret: as many as HMAC-SHA-1 gives (RFC 4226 s.4, R6).
pub(super) const SECRET: usize = 20;

/// Seconds of a time step (RFC 6238 s.5.2).
const STEP: i64 = 30;

/// The time step whose code this is, one before and one after now included, since clocks differ (RFC 6238 s.5.2).
pub(super) fn matching_step(secret: &[u8], typed: &str, now: Timestamp) -> Option<u64> {
    let typed: String = typed.chars().filter(|character| !character.is_whitespace()).collect();
    let step = u64::try_from(now.as_second() / STEP).ok()?;
    // Each of them is compared, so that the time says nothing of which one it was.
    [step.checked_sub(1), Some(step), step.checked_add(1)].into_iter().flatten().fold(None, |found, step| {
        let same = bool::from(code(secret, step).as_bytes().ct_eq(typed.as_bytes()));
        if same { Some(step) } else { found }
    })
}

/// The secret as authenticator apps take it by hand (RFC 4648 s.6).
pub(super) fn base32(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let quintet = |chunk: &[u8], n: usize| {
        let bits = chunk.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet)) << (8 * (5 - chunk.len()));
        char::from(ALPHABET[usize::try_from(bits >> (35 - 5 * n) & 31).unwrap_or_default()])
    };
    octets.chunks(5).flat_map(|chunk| (0..(chunk.len() * 8).div_ceil(5)).map(move |n| quintet(chunk, n))).collect()
}

/// The code of a time step (RFC 4226 s.5.3).
fn code(secret: &[u8], step: u64) -> String {
    // RFC 6238 s.1.2 has SHA-1 as its default, and apps know nothing else; HMAC does not need collision resistance.
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let word = tag[offset..offset + 4].iter().fold(0_u32, |word, octet| word << 8 | u32::from(*octet));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET_OF_THE_RFC: &[u8] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        // RFC 6238 appendix B, SHA-1; the last six of its eight digits
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (second, digits) in vectors {
            let step = u64::try_from(second / 30).expect("after 1970");
            assert_eq!(code(SECRET_OF_THE_RFC, step), digits);
            assert_eq!(matching_step(SECRET_OF_THE_RFC, digits, at(second)), Some(step), "{second}");
        }
    }

    #[test]
    fn a_code_counts_one_step_early_and_one_late_and_no_more() {
        let code = code(SECRET_OF_THE_RFC, 100);
        for (second, counts) in [(2_969, false), (2_970, true), (3_000, true), (3_059, true), (3_060, false)] {
            assert_eq!(matching_step(SECRET_OF_THE_RFC, &code, at(second)).is_some(), counts, "{second}");
        }
        assert_eq!(matching_step(SECRET_OF_THE_RFC, &format!(" {} {}", &code[..3], &code[3..]), at(3_000)), Some(100));
        for wrong in ["", "0", &code[1..], &format!("{code}0"), "abcdef"] {
            assert_eq!(matching_step(SECRET_OF_THE_RFC, wrong, at(3_000)), None, "{wrong}");
        }
    }

    #[test]
    fn base32_is_that_of_the_rfc() {
        // RFC 4648 s.10, without padding
        for (plain, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }
}
