//! Where in a text the footer with the unsubscribe link goes: at its end, before the end tags of HTML, never into a comment; and what
//! must stand before it. Its words are the caller's.

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

/// Where in the decoded text the footer goes.
pub(super) fn place(kind: Kind, text: &[u8]) -> usize {
    match kind {
        Kind::Text => text.len(),
        Kind::Html => ["</body", "</html"].iter().find_map(|tag| last_tag(text, tag.as_bytes())).unwrap_or_else(|| outside_comment(text)),
    }
}

/// The last occurrence of an end tag that is not in a comment.
fn last_tag(html: &[u8], tag: &[u8]) -> Option<usize> {
    let is_tag = |at: &usize| {
        html.get(*at..*at + tag.len()).is_some_and(|name| name.eq_ignore_ascii_case(tag))
            && html.get(*at + tag.len()).is_none_or(|next| b"> \t\r\n/".contains(next))
    };
    let mut area = html.len();
    while let Some(at) = memchr::memrchr_iter(b'<', &html[..area]).find(is_tag) {
        match open_comment(&html[..at]) {
            None => return Some(at),
            Some(start) => area = start,
        }
    }
    None
}

/// The end, or the start of a comment that is still open there and would hide what follows.
fn outside_comment(html: &[u8]) -> usize {
    open_comment(html).unwrap_or(html.len())
}

/// The start of a comment that is still open at the end.
pub(super) fn open_comment(html: &[u8]) -> Option<usize> {
    // by its second character, which is rare; a search backwards for all four has no fast path
    let marks = memchr::memrchr_iter(b'!', html);
    let start = marks.filter(|at| *at > 0).map(|at| at - 1).find(|at| html[*at..].starts_with(b"<!--"))?;
    // `<!-->` is a whole comment
    memmem::find(&html[start + 2..], b"-->").is_none().then_some(start)
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
    fn html_footers_go_before_the_last_end_tag_that_counts() {
        // `|` marks the place
        for case in [
            "<html><body>x|</body></html>",
            "<html><BODY>x|</Body\t></html>",
            "<body>x</body>y|</body>",
            "<body>x|</body><!-- </body> -->",
            "<body>x|</body><!-- </body>",
            "<body><!-- </body> -->x|</body>",
            "<body><!--> x|</body>",
            "<html>x</bodyguard>|</html>",
            "<html>x|</html",
            "<p>x</p>|",
            "<p>x</p>|<!-- open </body>",
            "|",
            "<|",
        ] {
            let html = case.replacen('|', "", 1);
            assert_eq!(place(Kind::Html, html.as_bytes()), case.find('|').expect("a mark"), "{case}");
        }
    }

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
