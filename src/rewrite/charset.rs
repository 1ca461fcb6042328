//! The footer's characters in a part's own charset. Never asks for a charset that the part has not,
//! and never makes a 7-bit part an 8-bit one.

use std::borrow::Cow;

use encoding_rs::Encoding as Table;
use unicode_normalization::UnicodeNormalization as _;

use super::entity::Encoding;

/// How a part writes characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    /// US-ASCII, and whatever is unknown: nearly all charsets contain it.
    Ascii,
    Utf16 {
        big_endian: bool,
    },
    /// A table of encoding_rs. `c1`: octets 128 to 159 are control characters, as in ISO 8859, and
    /// not the letters that WHATWG's tables have there.
    Table {
        table: &'static Table,
        c1: bool,
    },
}

/// How the labels of charsets begin in which ASCII does not stand for itself.
const ODD: [&str; 9] = ["utf-7", "unicode-1-1-utf-7", "utf-32", "ucs-", "iso-10646", "ibm0", "ibm1", "cp037", "ebcdic"];

impl Charset {
    /// The charset by its label. `None` where ASCII does not stand for itself and we cannot write it.
    pub(super) fn of(label: Option<&str>, body: &[u8], encoding: Encoding) -> Option<Self> {
        let label = label.unwrap_or_default().trim().to_ascii_lowercase();
        match label.as_str() {
            // RFC 2045 s.5.2; 8-bit octets without a label are UTF-8 today, or nothing we could write
            "" | "us-ascii" | "ascii" => {
                let utf8 = encoding == Encoding::Identity && !body.is_ascii() && std::str::from_utf8(body).is_ok();
                Some(if utf8 { Self::Utf8 } else { Self::Ascii })
            }
            "utf-8" | "utf8" => Some(Self::Utf8),
            // RFC 2781 s.4: not for MIME text, so only where the octets are wrapped
            _ if label.starts_with("utf-16") => {
                (encoding == Encoding::Base64).then_some(Self::Utf16 { big_endian: !label.ends_with("le") })
            }
            _ if ODD.iter().any(|odd| label.starts_with(odd)) => None,
            _ => Some(match Table::for_label(label.as_bytes()) {
                Some(table) if table.output_encoding() == table => Self::Table { table, c1: label.starts_with("iso") },
                _ => Self::Ascii,
            }),
        }
    }

    /// The text with one octet for each of its units, to be searched for ASCII: what is none, or only looks like it, is 255.
    pub(super) fn shadow(self, octets: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
        match self {
            Self::Utf16 { big_endian } => {
                let unit = |pair: &[u8]| match (pair, big_endian) {
                    ([0, low], true) | ([low, 0], false) if low.is_ascii() => *low,
                    _ => 0xff,
                };
                octets.chunks_exact(2).map(unit).collect()
            }
            // ISO-2022-JP: two octets of ASCII's range are one character, between escape sequences (RFC 1468)
            Self::Table { table, .. } if table == encoding_rs::ISO_2022_JP => {
                let mut wide = false;
                let mut shadow = octets.into_owned();
                for at in 0..shadow.len() {
                    match shadow[at..] {
                        [0x1b, b'$', ..] => wide = true,
                        [0x1b, b'(', ..] => wide = false,
                        [b'\r' | b'\n', ..] => wide = false,
                        _ if wide => shadow[at] = 0xff,
                        _ => {}
                    }
                }
                Cow::Owned(shadow)
            }
            _ => octets,
        }
    }

    /// The octets of `text`. What the charset lacks is written as near as ASCII comes; so is all of it
    /// where the result must be `seven_bit`.
    pub(super) fn encode(self, text: &str, seven_bit: bool) -> Vec<u8> {
        let octets = match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Ascii => approximate(text, |_| false).into_bytes(),
            Self::Utf16 { big_endian } => {
                text.encode_utf16().flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
            }
            Self::Table { table, c1 } => table.encode(&approximate(text, |c| can(table, c1, c))).0.into_owned(),
        };
        if seven_bit && !octets.is_ascii() { approximate(text, |_| false).into_bytes() } else { octets }
    }
}

fn can(table: &'static Table, c1: bool, c: char) -> bool {
    let mut buffer = [0; 4];
    let (octets, _, missing) = table.encode(c.encode_utf8(&mut buffer));
    !(missing || c1 && matches!(octets[..], [0x80..=0x9f]))
}

/// Characters outside ASCII as references, which every charset of HTML can hold.
pub(super) fn references(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for c in html.chars() {
        if c.is_ascii() { out.push(c) } else { out.push_str(&format!("&#{};", u32::from(c))) }
    }
    out
}

/// `text` with what is neither ASCII nor `kept` replaced by ASCII that reads like it, or by nothing.
fn approximate(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() || kept(c) {
            out.push(c);
        } else {
            match spelling(c) {
                Some(spelling) => out.push_str(spelling),
                None => out.extend(c.nfkd().filter(char::is_ascii)),
            }
        }
    }
    out
}

/// What decomposition does not give, or gives against German usage.
fn spelling(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' => "ae",
        'ö' | 'ø' | 'œ' => "oe",
        'ü' => "ue",
        'Ä' => "Ae",
        'Ö' | 'Ø' | 'Œ' => "Oe",
        'Ü' => "Ue",
        'ß' => "ss",
        'æ' => "ae",
        'Æ' => "Ae",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' => "th",
        'Þ' => "Th",
        'ı' => "i",
        '‐'..='―' | '−' => "-",
        '‘' | '’' | '‚' | '‹' | '›' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '•' | '·' => "*",
        '→' => "->",
        '€' => "EUR",
        '£' => "GBP",
        '©' => "(c)",
        '®' => "(R)",
        '§' => "Sec.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_lead_to_what_can_be_written() {
        let of = |label, encoding| Charset::of(Some(label), b"", encoding).map(|charset| charset.encode("ü€→Ω", false));
        for (label, expected) in [
            ("utf-8", Some("ü€→Ω".as_bytes())),
            (" UTF8 ", Some("ü€→Ω".as_bytes())),
            ("us-ascii", Some(b"ueEUR->")),
            ("x-unknown", Some(b"ueEUR->")),
            ("iso-8859-1", Some(b"\xfcEUR->")), // 0x80 is a control character there
            ("ISO-8859-15", Some(b"\xfc\xa4->")),
            ("windows-1252", Some(b"\xfc\x80->")),
            ("iso-8859-7", Some(b"ue\xa4->\xd9")),
            ("utf-16le", None),
            ("utf-7", None),
            ("ibm037", None),
        ] {
            assert_eq!(of(label, Encoding::QuotedPrintable).as_deref(), expected, "{label}");
        }
        assert_eq!(of("utf-16le", Encoding::Base64).as_deref(), Some(&b"\xfc\x00\xac\x20\x92\x21\xa9\x03"[..]));
        assert_eq!(of("utf-16", Encoding::Base64).as_deref(), Some(&b"\x00\xfc\x20\xac\x21\x92\x03\xa9"[..]));
    }

    #[test]
    fn a_part_without_label_is_judged_by_its_octets() {
        // RFC 2045 s.5.2
        for (body, encoding, expected) in [
            ("a".as_bytes(), Encoding::Identity, Charset::Ascii),
            ("ü".as_bytes(), Encoding::Identity, Charset::Utf8),
            (b"\xfc", Encoding::Identity, Charset::Ascii),
            ("ü".as_bytes(), Encoding::QuotedPrintable, Charset::Ascii),
        ] {
            assert_eq!(Charset::of(None, body, encoding), Some(expected), "{body:?}");
        }
    }

    #[test]
    fn seven_bit_parts_get_seven_bit_octets() {
        assert_eq!(Charset::Utf8.encode("für Łódź – 5 €", true), b"fuer Lodz - 5 EUR");
        assert_eq!(references("<p title=\"ü\">€</p>"), "<p title=\"&#252;\">&#8364;</p>");
    }
}
