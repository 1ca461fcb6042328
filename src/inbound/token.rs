//! What in a text may be the token of one of our links. Whether it is one, its signature tells.

/// No token of ours is shorter: ids, lengths and a MAC in base64url.
const LEAST: usize = 72;
/// So many are looked at; each costs a MAC.
const MOST: usize = 16;

/// The words of base64url characters (RFC 4648 s.5) that are long enough. Programs break a long subject or header line into
/// pieces: the text is read as it stands, and then with all its white space taken out.
pub(super) fn candidates(text: &str) -> Vec<String> {
    let joined: String = text.split_whitespace().collect();
    let mut found = Vec::new();
    for text in [text, &joined] {
        for word in text.split(|char: char| !(char.is_ascii_alphanumeric() || "-_".contains(char))) {
            if word.len() >= LEAST && found.len() < MOST && !found.iter().any(|known| known == word) {
                found.push(word.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_however_programs_write_them() {
        let token = "Ab-_9".repeat(20);
        let (start, end) = token.split_at(40);
        for (text, expected) in [
            (token.clone(), true),
            (format!("Re: {token}"), true),
            (format!("unsubscribe {token} please"), true),
            (format!("<https://x.example/u/{token}>"), true),
            (format!("{start}\r\n {end}"), true),
            ("short".to_owned(), false),
            (token[..LEAST - 1].to_owned(), false),
        ] {
            assert_eq!(candidates(&text).contains(&token), expected, "{text}");
        }
        let many: String = (0..100).map(|number| format!("{number}{} ", "x".repeat(80))).collect();
        assert_eq!(candidates(&many).len(), MOST);
    }
}
