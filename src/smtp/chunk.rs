//! A message in counted chunks (RFC 3030): no dots to remove, no end to find, the same strict lines as in DATA (M-14).
//! Pure; `connection` counts the octets and feeds them.

use super::draft::Draft;
use super::reply;

/// Reads one message from chunks of any size: a chunk may end amid a line, or between CR and LF.
pub(super) struct ChunkReader {
    pub(super) draft: Draft,
    place: Place,
}

/// What stands directly before the next octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// CRLF, or the beginning.
    LineStart,
    Text,
    Cr,
}

impl ChunkReader {
    /// Takes messages of up to `limit` octets, all chunks together.
    pub(super) fn new(limit: usize) -> Self {
        Self { draft: Draft::new(limit), place: Place::LineStart }
    }

    /// Reads on.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let mut at = 0;
        while let Some(&octet) = piece.get(at) {
            if self.place == Place::Cr {
                if octet == b'\n' {
                    self.draft.end_line();
                    self.place = Place::LineStart;
                    at += 1;
                    continue;
                }
                self.draft.refuse(reply::BAD_LINES); // bare CR
            }
            at = self.draft.text(piece, at);
            self.place = Place::Text;
            if at < piece.len() {
                at += 1;
                self.place = Place::Cr;
            }
        }
        self.draft.keep(piece);
    }

    /// The last chunk is complete. A last line without its CRLF gets it: the final dot of the next hop needs one before it
    /// (RFC 5321 s.4.1.1.4), so it is added here, where all that judges, signs and stores the message still sees it.
    pub(super) fn end(&mut self) {
        match self.place {
            Place::LineStart => {}
            Place::Text => self.draft.keep(b"\r\n"),
            Place::Cr => self.draft.refuse(reply::BAD_LINES),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `input` in pieces of the given sizes (the last one repeats).
    fn read(input: &[u8], limit: usize, sizes: &[usize]) -> Result<Vec<u8>, u16> {
        let mut reader = ChunkReader::new(limit);
        let (mut rest, mut sizes) = (input, sizes.iter().copied().chain(std::iter::repeat(*sizes.last().expect("a size"))));
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(sizes.next().expect("endless").min(rest.len()));
            reader.feed(piece);
            rest = more;
        }
        reader.end();
        reader.draft.finish().map_err(|reply| reply.code)
    }

    #[test]
    fn lines_are_as_strict_as_in_data_and_dots_are_text() {
        for (input, expected) in [
            ("", Ok("")),
            ("a\r\n", Ok("a\r\n")),
            ("a", Ok("a\r\n")),
            (".\r\n..\r\n", Ok(".\r\n..\r\n")),
            ("\r\n.\r\n", Ok("\r\n.\r\n")),
            ("\r\n", Ok("\r\n")),
            ("a\r", Err(550)),
            ("a\rb", Err(550)),
            ("\r\r\n", Err(550)),
            ("a\n.\nb\r\n", Err(550)),
            ("\n", Err(550)),
            ("\0", Err(550)),
        ] {
            for size in [1, 2, 3, 100] {
                let expected = expected.map(|text| text.as_bytes().to_vec());
                assert_eq!(read(input.as_bytes(), 100, &[size]), expected, "{input:?} by {size}");
            }
        }
    }

    #[test]
    fn limits_refuse_one_octet_too_many() {
        let line = "x".repeat(998) + "\r\n";
        for size in [1, 7, 998, 999, 2000] {
            assert_eq!(read(line.as_bytes(), 1000, &[size]).map(|message| message.len()), Ok(1000));
            assert_eq!(read(line.as_bytes(), 999, &[size]), Err(552));
            assert_eq!(read(&line.as_bytes()[..998], 999, &[size]), Err(552), "the CRLF we add counts");
            assert_eq!(read(format!("x{line}").as_bytes(), 5000, &[size]), Err(552));
        }
    }

    #[test]
    fn the_gravest_flaw_is_told_whichever_comes_first() {
        // found by tests/fuzz: 552 or 550, as the octets were cut
        for (input, expected) in [("0123456789\r\n\n", 550), ("\n0123456789\r\n", 550), (&*("x".repeat(999) + "\r\n"), 552)] {
            for size in [1, 3, 5, 10, 2000] {
                assert_eq!(read(input.as_bytes(), 5, &[size]), Err(expected), "{size}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_cut_gives_what_one_piece_gives(
            input in prop::collection::vec(prop::sample::select(&b"..\r\r\n\n\0ab"[..]), 0..60),
            sizes in prop::collection::vec(1usize..9, 1..20),
        ) {
            let whole = read(&input, 50, &[input.len().max(1)]);
            prop_assert_eq!(&read(&input, 50, &sizes), &whole);
            let text = String::from_utf8_lossy(&input).replace("\r\n", "");
            prop_assert_eq!(whole == Err(550) || whole == Err(552), text.contains(['\r', '\n', '\0']) || input.len() > 50 - 2 * usize::from(!input.is_empty() && !input.ends_with(b"\r\n")));
        }

        #[test]
        fn data_and_chunks_agree(lines in prop::collection::vec("[.a\r\n\0ü]{0,6}", 0..20)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let mut wire = Vec::new();
            crate::wire::stuff(message.as_bytes(), &mut wire);
            let mut data = super::super::data::DataReader::new(1000);
            prop_assert_eq!(data.feed(&wire), Some(wire.len()));
            prop_assert_eq!(data.draft.finish().map_err(|reply| reply.code), read(message.as_bytes(), 1000, &[3]));
        }
    }
}
