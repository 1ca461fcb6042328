//! The ids of requirements in a text: `M-40`, `L-DOI-04`, and ranges of them.

/// Between the first and the last of a range.
const THROUGH: &[&str] = &["…", "–", "..", "...", "to"];

/// Every id that `text` names; those of a range are named by its ends.
pub(super) fn ids(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut end_of_last = 0;
    for (at, word) in words(text) {
        let Some((kind, number)) = parts(word) else { continue };
        let between = text[end_of_last..at].trim();
        let begins = found.last().filter(|_| THROUGH.contains(&between)).and_then(|last| parts(last)).filter(|(first, _)| *first == kind);
        let first = begins.map_or(number, |(_, first)| first + 1);
        found.extend((first..=number).map(|number| format!("{kind}-{number:02}")));
        end_of_last = at + word.len();
    }
    found
}

/// What could be an id, and where it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = text.split(|character: char| !(character.is_alphanumeric() || "-_".contains(character)));
    words.map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
}

/// The kind and the number of an id.
fn parts(word: &str) -> Option<(&str, u8)> {
    let (kind, number) = word.rsplit_once('-')?;
    let known = match kind.strip_prefix("L-") {
        Some(part) => !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_uppercase()),
        None => matches!(kind.as_bytes(), [b'E' | b'J' | b'M' | b'R' | b'U'] | [b'S', b'0'..=b'9']),
    };
    let digits = number.len() == 2 && number.bytes().all(|octet| octet.is_ascii_digit());
    (known && digits).then(|| number.parse().ok().map(|number| (kind, number)))?
}

#[test]
fn ids_lists_and_ranges_are_read() {
    for (text, expected) in [
        ("// S0-01", vec!["S0-01"]),
        ("M-54, I2: nothing; L-DOI-04 (GDPR Art. 5)", vec!["M-54", "L-DOI-04"]),
        ("U-01 … U-04, U-19", vec!["U-01", "U-02", "U-03", "U-04", "U-19"]),
        ("M-43 to M-45", vec!["M-43", "M-44", "M-45"]),
        ("S2-04–S2-05, S3-01", vec!["S2-04", "S2-05", "S3-01"]),
        ("M-01 … U-02", vec!["M-01", "U-02"]),
        ("\"{name}: M-50\"", vec!["M-50"]),
        ("L-SOFT-*, L-12, C-654/23, P-256, M-1, M-100, AM-10, E-01a, x-M-10, [I3, S-12]", vec![]),
    ] {
        assert_eq!(ids(text), expected, "{text}");
    }
}
