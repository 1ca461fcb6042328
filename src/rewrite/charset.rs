//! The footer's characters in a part's own charset. Never asks for a charset that the part has not,
//! and never makes a 7-bit part an 8-bit one.

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
