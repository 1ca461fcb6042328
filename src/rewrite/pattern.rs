//! Patterns of addresses, as written in `trackers.toml`.

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    /// The longest literal.
    core: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// In lower case.
    Literal(Vec<u8>),
    Any,
    Hex,
    Uuid,
    Id,
    Number,
}

impl Pattern {
    /// Reads a pattern; the text of the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(['*', '{', '}']).unwrap_or(rest.len());
            if end > 0 {
                pieces.push(Piece::Literal(rest[..end].to_ascii_lowercase().into_bytes()));
                rest = &rest[end..];
                continue;
            }
            let words = [("*", Piece::Any), ("{hex}", Piece::Hex), ("{uuid}", Piece::Uuid), ("{id}", Piece::Id), ("{num}", Piece::Number)];
            let (word, piece) = words
                .into_iter()
                .find(|(word, _)| rest.starts_with(word))
                .ok_or_else(|| format!("pattern {text:?}: write *, {{hex}}, {{uuid}}, {{id}} or {{num}}"))?;
            pieces.push(piece);
            rest = &rest[word.len()..];
        }
        let literals = pieces.iter().filter_map(|piece| if let Piece::Literal(literal) = piece { Some(literal) } else { None });
        let core = literals.max_by_key(|literal| literal.len()).cloned().unwrap_or_default();
        if core.len() < 3 {
            return Err(format!("pattern {text:?}: would fit nearly everything"));
        }
        Ok(Self { pieces, core })
    }

    /// What an address has that it fits.
    pub(super) fn core(&self) -> &[u8] {
        &self.core
    }

    /// Whether it fits an address, which is in lower case.
    pub(super) fn fits(&self, lower: &[u8]) -> bool {
        // where the last `*` stands and what it has taken: the pieces behind are tried again further on
        let (mut piece, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match self.pieces.get(piece) {
                Some(Piece::Any) => {
                    star = Some((piece + 1, at));
                    piece += 1;
                    continue;
                }
                Some(other) => {
                    if let Some(length) = other.taken(&lower[at..]) {
                        (piece, at) = (piece + 1, at + length);
                        continue;
                    }
                }
                None if at == lower.len() => return true,
                None => {}
            }
            match star {
                // a last `*` takes all
                Some((behind, _)) if behind == self.pieces.len() => return true,
                Some((behind, from)) if from < lower.len() => {
                    star = Some((behind, from + 1));
                    (piece, at) = (behind, from + 1);
                }
                _ => return false,
            }
        }
    }
}

impl Piece {
    /// How many octets it takes at the start of `text`.
    fn taken(&self, text: &[u8]) -> Option<usize> {
        let run = |class: fn(&u8) -> bool| text.iter().take_while(|byte| class(byte)).count();
        match self {
            Self::Literal(literal) => text.starts_with(literal).then_some(literal.len()),
            Self::Any => None,
            Self::Hex => Some(run(u8::is_ascii_hexdigit)).filter(|count| *count >= 8),
            Self::Id => Some(run(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))).filter(|count| *count >= 4),
            Self::Number => Some(run(u8::is_ascii_digit)).filter(|count| *count > 0),
            Self::Uuid => {
                let uuid = text.get(..36)?;
                let good = |(at, byte): (usize, &u8)| if [8, 13, 18, 23].contains(&at) { *byte == b'-' } else { byte.is_ascii_hexdigit() };
                uuid.iter().enumerate().all(good).then_some(36)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_addresses() {
        const UUID: &str = "5f2b9c1e-0a4d-4c7e-9b1a-2f3e4d5c6b7a";
        for (pattern, address, expected) in [
            ("*.x.example/o/*", "a.x.example/o/1", true),
            ("*.x.example/o/*", "x.example/o/1", false),
            ("x.example/o", "x.example/o/1", false),
            ("*/email/{hex}.gif", "m.x.example/email/5b2c3d4e5f60718293.gif", true),
            ("*/email/{hex}.gif", "m.x.example/images/email/banner.gif", false),
            ("*/r/{hex}?*", "m.x.example/r/a/r/0123456789abcdef?ct=1", true),
            ("*/link/{uuid}/{uuid}/{uuid}", &format!("l.x.example/link/{UUID}/{UUID}/{UUID}"), true),
            ("*/link/{uuid}/{uuid}/{uuid}", &format!("l.x.example/link/{UUID}/{UUID}"), false),
            ("*/lnk/{id}/{num}/{id}/ahr0c*", "t.x.example/lnk/aa-_b/12/abcd/ahr0chm", true),
            ("*/lnk/{id}/{num}/{id}/ahr0c*", "t.x.example/lnk/aa-_b/x/abcd/ahr0chm", false),
            ("*/a/*/a/b", "x/a/a/a/b", true),
        ] {
            assert_eq!(Pattern::parse(pattern).expect(pattern).fits(address.as_bytes()), expected, "{pattern} {address}");
        }
    }

    #[test]
    fn patterns_that_would_do_harm_are_refused() {
        for text in ["*", "", "a*b", "{nothing}xxx", "abc}"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
