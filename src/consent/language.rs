//! The language a person reads: a tag of RFC 5646, of which only the primary subtag counts. Which
//! languages the gateway's own texts exist in is the business of `compose`.

use std::fmt;

/// Longest `Accept-Language` that is looked at, in ranges; a peer could send any number.
const RANGES: usize = 32;

/// A language, by the primary subtag of its tag (RFC 5646 s.2.2.1), in lower case: `de`, `en`, `ckb`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language([u8; 8]);

impl Language {
    /// German.
    pub const DE: Self = Self(*b"de\0\0\0\0\0\0");
    /// English.
    pub const EN: Self = Self(*b"en\0\0\0\0\0\0");

    /// The language of a tag such as `de`, `de-AT` or `zh-Hant-TW`; `None` for what is no tag.
    pub fn parse(tag: &str) -> Option<Self> {
        let mut subtags = tag.split('-');
        let primary =
            subtags.next().filter(|primary| (2..=8).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_alphabetic()))?;
        if !subtags.all(|subtag| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())) {
            return None;
        }
        let mut octets = [0; 8];
        octets[..primary.len()].copy_from_slice(primary.to_ascii_lowercase().as_bytes());
        Some(Self(octets))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|octet| *octet == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }

    /// True where text runs from right to left, in the script the language is mostly written in.
    pub fn is_rtl(self) -> bool {
        matches!(self.as_str(), "ar" | "ckb" | "dv" | "fa" | "he" | "ps" | "sd" | "ug" | "ur" | "yi")
    }

    /// The value of HTML's `dir`.
    pub fn dir(self) -> &'static str {
        if self.is_rtl() { "rtl" } else { "ltr" }
    }

    /// The languages that an `Accept-Language` or `Content-Language` value names, the most wanted first (RFC 9110
    /// s.12.5.4): by weight, and by place where weights are the same. `*` names none.
    pub fn ranges(value: &str) -> Vec<Self> {
        let mut weighted: Vec<(u16, Self)> = value.split(',').take(RANGES).filter_map(range).collect();
        weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight)); // stable: place decides between equals
        weighted.into_iter().map(|(_, language)| language).collect()
    }
}

/// One range and its weight in thousandths; `None` for one that is not wanted (`q=0`) or makes no sense.
fn range(text: &str) -> Option<(u16, Language)> {
    let mut parts = text.split(';').map(str::trim);
    let language = Language::parse(parts.next()?)?;
    let weight = match parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))) {
        None => 1.0,
        Some(weight) => weight.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?,
    };
    let weight = (weight * 1000.0).round() as u16;
    (weight > 0).then_some((weight, language))
}

impl Default for Language {
    fn default() -> Self {
        Self::EN
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Language {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a language tag like de, en or pt-BR"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_down_to_its_language() {
        for (tag, expected) in [
            ("de", Some("de")),
            ("DE", Some("de")),
            ("de-AT", Some("de")),
            ("zh-Hant-TW", Some("zh")),
            ("ckb", Some("ckb")),
            ("abcdefgh", Some("abcdefgh")),
            ("", None),
            ("d", None),
            ("abcdefghi", None),
            ("de-", None),
            ("de_AT", None),
            ("d3", None),
            ("*", None),
            ("../x", None),
        ] {
            assert_eq!(Language::parse(tag).as_ref().map(Language::as_str), expected, "{tag}");
        }
        assert_eq!((Language::parse("de"), Language::parse("en-GB")), (Some(Language::DE), Some(Language::EN)));
    }

    #[test]
    fn the_most_wanted_language_that_there_is_counts() {
        let fr = Language::parse("fr").expect("valid");
        for (value, expected) in [
            ("de-DE,de;q=0.9,en;q=0.8", Some(Language::DE)),
            ("fr, en-GB;q=0.7", Some(fr)),
            ("es, en-GB;q=0.7", Some(Language::EN)),
            ("en;q=0.5, de;q=0.9", Some(Language::DE)),
            ("en;q=0.5,de ; q=0.501", Some(Language::DE)),
            ("de;q=0, en;q=0.1", Some(Language::EN)),
            ("de;q=2, en;q=0.1", Some(Language::EN)),
            ("de, en", Some(Language::DE)),
            ("DE", Some(Language::DE)),
            ("es", None),
            ("*", None),
            ("de;q=0", None),
            ("de;q=nan", None),
            ("", None),
        ] {
            let known = [Language::EN, Language::DE, fr];
            assert_eq!(Language::ranges(value).into_iter().find(|own| known.contains(own)), expected, "{value}");
        }
        let flood = format!("{}de", "es,".repeat(100));
        assert!(!Language::ranges(&flood).contains(&Language::DE));
    }

    #[test]
    fn text_runs_the_way_the_language_is_written() {
        for (tag, dir) in [("de", "ltr"), ("ar-EG", "rtl"), ("he", "rtl"), ("ckb", "rtl"), ("ja", "ltr")] {
            assert_eq!(Language::parse(tag).map(Language::dir), Some(dir), "{tag}");
        }
    }

    #[test]
    fn a_language_is_stored_as_its_tag() {
        let json = serde_json::to_string(&Language::DE).expect("a string");
        assert_eq!((json.as_str(), serde_json::from_str::<Language>("\"de-CH\"").ok()), ("\"de\"", Some(Language::DE)));
        assert!(serde_json::from_str::<Language>("\"german language\"").is_err());
    }
}
