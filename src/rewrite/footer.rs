//! What must stand before the footer with the unsubscribe link, and which texts must not get one. Where it goes in HTML is `drawn`'s
//! business, its words are the caller's.

use memchr::memmem;

use super::structure::Kind;

/// The byte order mark: whether the text is big-endian; `None` without one.
pub(super) fn byte_order(octets: &[u8]) -> Option<bool> {
    match octets {
        [0xff, 0xfe, ..] => Some(false),
        [0xfe, 0xff, ..] => Some(true),
        _ => None,
    }
}

/// RFC 9580 s.6.2, s.7: armoured or clear-signed text (U-45).
pub(super) fn is_pgp(text: &[u8]) -> bool {
    is_pgp_encrypted(text) || has_armour(text, b"SIGNED MESSAGE-----")
}

/// RFC 9580 s.6.2: nobody can say what is in it.
pub(super) fn is_pgp_encrypted(text: &[u8]) -> bool {
    has_armour(text, b"MESSAGE-----")
}

fn has_armour(text: &[u8], kind: &[u8]) -> bool {
    memmem::find_iter(text, "-----BEGIN PGP ").any(|at| (at == 0 || text[at - 1] == b'\n') && text[at + 15..].starts_with(kind))
}

/// What stands between the text before and the footer: an empty line in text; in HTML the footer
/// only gets lines of its own, so that none grows too long.
pub(super) fn gap(kind: Kind, before: &[u8]) -> &'static str {
    match (kind, before) {
        (Kind::Html, [] | [.., b'\n']) => "",
        (Kind::Html, _) => "\r\n",
        (_, [] | [b'\n'] | [b'\r', b'\n'] | [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n']) => "",
        (_, [.., b'\n']) => "\r\n",
        _ => "\r\n\r\n",
    }
}

/// Lines ended by CRLF, all of them.
pub(super) fn crlf(text: &str) -> String {
    text.trim_end_matches(['\r', '\n']).lines().flat_map(|line| [line, "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_footers_stand_behind_an_empty_line() {
        for (before, expected) in
            [("", ""), ("\r\n", ""), ("a", "\r\n\r\n"), ("a\r\n", "\r\n"), ("a\r\n\r\n", ""), ("a\n", "\r\n"), ("a\n\n", "")]
        {
            assert_eq!(gap(Kind::Text, before.as_bytes()), expected, "{before:?}");
        }
    }

    #[test]
    fn only_pgp_at_the_start_of_a_line_is_pgp() {
        // U-45
        for (text, expected) in [
            ("-----BEGIN PGP MESSAGE-----\r\n", true),
            ("x\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n", true),
            ("> -----BEGIN PGP MESSAGE-----\r\n", false),
            ("-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n", false),
        ] {
            assert_eq!(is_pgp(text.as_bytes()), expected, "{text}");
        }
    }
}
