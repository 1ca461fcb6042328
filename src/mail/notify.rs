//! What a client wants to hear about the fate of its mail (RFC 3461). Parameters only: reports are
//! written by `compose`.

use std::fmt;

/// `RET=`: what a report of failure holds of the message (RFC 3461 s.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

impl Return {
    /// `FULL` or `HDRS` in any case.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("FULL") => Some(Self::Full),
            _ if text.eq_ignore_ascii_case("HDRS") => Some(Self::Headers),
            _ => None,
        }
    }

    /// The keyword.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

/// `NOTIFY=`: the occasions for a report (RFC 3461 s.4.1). None of the three is `NEVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notify {
    /// The mail was delivered, or handed to a host that sends no reports.
    pub success: bool,
    /// It was not, and will not be.
    pub failure: bool,
    /// It takes longer than usual.
    pub delay: bool,
}

impl Notify {
    /// What RFC 3461 s.5.2.1 has a client without the parameter get: failures, and delays where the host tells them.
    pub const UNASKED: Self = Self { success: false, failure: true, delay: true };

    /// A list of `SUCCESS`, `FAILURE`, `DELAY`, or `NEVER` alone; in any case.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Some(Self::default());
        }
        let mut notify = Self::default();
        for word in text.split(',') {
            let occasion = match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => &mut notify.success,
                "FAILURE" => &mut notify.failure,
                "DELAY" => &mut notify.delay,
                _ => return None,
            };
            if std::mem::replace(occasion, true) {
                return None;
            }
        }
        Some(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let mut wanted = words.into_iter().filter(|(wanted, _)| *wanted).map(|(_, word)| word);
        let Some(first) = wanted.next() else { return f.write_str("NEVER") };
        f.write_str(first)?;
        wanted.try_for_each(|word| write!(f, ",{word}"))
    }
}

/// True for xtext (RFC 3461 s.4): printable ASCII without `+` and `=`, which stand as `+` and two upper-case hex digits.
pub fn is_xtext(text: &str) -> bool {
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let hex = |octet: Option<u8>| octet.is_some_and(|octet| matches!(octet, b'0'..=b'9' | b'A'..=b'F'));
        let sound = match octet {
            b'+' => hex(octets.next()) && hex(octets.next()),
            b'=' => false,
            octet => octet.is_ascii_graphic(),
        };
        if !sound {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notify_reads_what_it_writes_and_nothing_else() {
        for (text, expected) in [
            ("NEVER", Some("NEVER")),
            ("never", Some("NEVER")),
            ("success", Some("SUCCESS")),
            ("DELAY,FAILURE", Some("FAILURE,DELAY")),
            ("SUCCESS,FAILURE,DELAY", Some("SUCCESS,FAILURE,DELAY")),
            ("NEVER,SUCCESS", None),
            ("SUCCESS,SUCCESS", None),
            ("", None),
            ("SUCCESS,", None),
            ("SOON", None),
        ] {
            assert_eq!(Notify::parse(text).map(|notify| notify.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn xtext_escapes_what_it_must() {
        for (text, expected) in
            [("abc", true), ("a+2Bb", true), ("a+b", false), ("a+2", false), ("a=b", false), ("a b", false), ("ü", false)]
        {
            assert_eq!(is_xtext(text), expected, "{text}");
        }
    }
}
