//! The message between 354 and the final dot: finds its one true end, removes the stuffed dots,
//! refuses what another server could read as another end. Pure; `connection` feeds it.

use super::draft::Draft;
use super::reply;

/// Reads one message from chunks of any size.
///
/// Only `CRLF.CRLF` ends it (RFC 5321 s.4.1.1.4, M-40). A message with a flaw is read to that same
/// end and then refused as a whole: an early answer would make commands of the rest (M-41).
pub(super) struct DataReader {
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
    /// A dot at the start of a line.
    Dot,
    /// The same and a CR.
    DotCr,
}

impl DataReader {
    /// Takes messages of up to `limit` octets, counted without stuffed dots.
    pub(super) fn new(limit: usize) -> Self {
        Self { draft: Draft::new(limit), place: Place::LineStart }
    }

    /// Reads on. When the end is in `chunk`: the number of octets up to and with it; the rest is not
    /// the message's.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Option<usize> {
        // `from`: the first octet not copied yet; one copy per chunk unless dots are removed
        let (mut at, mut from) = (0, 0);
        while let Some(&octet) = chunk.get(at) {
            match (self.place, octet) {
                (Place::LineStart, b'.') => {
                    self.draft.keep(&chunk[from..at]);
                    at += 1;
                    from = at;
                    self.place = Place::Dot;
                }
                (Place::Dot, b'\r') => {
                    at += 1;
                    from = at; // part of the end, or the message is refused below
                    self.place = Place::DotCr;
                }
                (Place::DotCr, b'\n') => return Some(at + 1),
                (Place::Cr, b'\n') => {
                    at += 1;
                    self.draft.end_line();
                    self.place = Place::LineStart;
                }
                (Place::Cr | Place::DotCr, _) => {
                    self.draft.refuse(reply::BAD_LINES); // bare CR
                    self.place = Place::Text;
                }
                (Place::LineStart | Place::Dot, _) => self.place = Place::Text,
                (Place::Text, _) => {
                    at = self.draft.text(chunk, at);
                    if at < chunk.len() {
                        at += 1;
                        self.place = Place::Cr;
                    }
                }
            }
        }
        self.draft.keep(&chunk[from..]);
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::draft::MAX_TEXT;
    use super::*;

    type Read = Option<(usize, Result<Vec<u8>, u16>)>;

    /// Feeds `input` in chunks of the given sizes (the last one repeats).
    fn read(input: &[u8], limit: usize, sizes: &[usize]) -> Read {
        let mut reader = DataReader::new(limit);
        let (mut at, mut sizes) = (0, sizes.iter().copied().chain(std::iter::repeat(*sizes.last().expect("a size"))));
        while at < input.len() {
            let end = (at + sizes.next().expect("endless")).min(input.len());
            if let Some(consumed) = reader.feed(&input[at..end]) {
                return Some((at + consumed, reader.draft.finish().map_err(|reply| reply.code)));
            }
            at = end;
        }
        None
    }

    #[test]
    fn the_end_is_found_and_dots_are_unstuffed() {
        for (input, expected) in [
            (".\r\n", Some((3, ""))),
            ("a\r\n.\r\n", Some((6, "a\r\n"))),
            ("a\r\n.\r\nMAIL", Some((6, "a\r\n"))),
            ("..\r\n.\r\n", Some((7, ".\r\n"))),
            ("a\r\n...b\r\n.\r\n", Some((12, "a\r\n..b\r\n"))),
            (".a\r\n.\r\n", Some((7, "a\r\n"))),
            ("\r\n.\r\n", Some((5, "\r\n"))),
            ("a.\r\n.\r\n", Some((7, "a.\r\n"))),
            ("a\r\n", None),
            ("a\r\n.", None),
            ("a\r\n.\r", None),
            ("", None),
        ] {
            let expected = expected.map(|(end, text)| (end, Ok(text.as_bytes().to_vec())));
            for size in [1, 2, 3, 100] {
                assert_eq!(read(input.as_bytes(), 100, &[size]), expected, "{input:?} by {size}");
            }
        }
    }

    #[test]
    fn what_another_server_could_take_for_the_end_is_refused_at_the_true_end() {
        // M-40, M-41
        for inner in [
            "\n.\n",
            "\n.\r\n",
            "\r\n.\n",
            "\r.\r",
            "\r\n.\r",
            "\r\r\n.\r\r\n",
            "\r\n.\r\r\n",
            "\r.\r\n",
            "\n.\r",
            "\n\n.\r\n",
            "\r\n\n.\n",
            "\0.\0",
            "\0\r\n.\0\r\n",
            "\r\n\0.\r\n",
            "\r\n.\0\r\n",
            "\r",
            "\n",
            "\0",
        ] {
            let smuggled = format!("a{inner}MAIL FROM:<b@c.example>\r\n");
            for size in [1, 2, 3, 5, 1000] {
                assert_eq!(read(smuggled.as_bytes(), 1000, &[size]), None, "{inner:?} by {size} ended the message");
                let whole = format!("{smuggled}.\r\nQUIT\r\n");
                assert_eq!(read(whole.as_bytes(), 1000, &[size]), Some((whole.len() - 6, Err(550))), "{inner:?} by {size}");
            }
        }
    }

    #[test]
    fn limits_refuse_one_octet_too_many_but_read_to_the_end() {
        let message = "x".repeat(MAX_TEXT) + "\r\n";
        let wire = message.clone() + ".\r\n";
        assert_eq!(read(wire.as_bytes(), 1000, &[64]), Some((1003, Ok(message.into_bytes()))));
        assert_eq!(read(wire.as_bytes(), 999, &[64]), Some((1003, Err(552))));
        assert_eq!(read(format!("x{wire}").as_bytes(), 5000, &[64]), Some((1004, Err(552))));
        assert_eq!(read(format!(".{wire}").as_bytes(), 5000, &[64]).map(|(end, read)| (end, read.is_ok())), Some((1004, true)));
    }

    #[test]
    fn a_refused_message_holds_no_memory() {
        let mut reader = DataReader::new(10);
        for _ in 0..100 {
            assert_eq!(reader.feed(b"0123456789\r\n"), None);
        }
        assert_eq!((reader.draft.held(), reader.draft.room_with(1000)), (0, 0));
    }

    proptest! {
        #[test]
        fn any_split_gives_what_one_chunk_gives(
            input in prop::collection::vec(prop::sample::select(&b"..\r\r\n\n\0ab"[..]), 0..60),
            ended in any::<bool>(),
            sizes in prop::collection::vec(1usize..9, 1..20),
        ) {
            let input = if ended { [&input[..], b"\r\n.\r\n"].concat() } else { input };
            let whole = read(&input, 1000, &[input.len().max(1)]);
            prop_assert_eq!(&read(&input, 1000, &sizes), &whole);
            // The end is where RFC 5321 says, and nothing flawed before it is let through.
            let line_first = [b"\r\n", &input[..]].concat();
            let end = memchr::memmem::find(&line_first, b"\r\n.\r\n").map(|at| at + 3);
            prop_assert_eq!(whole.as_ref().map(|(end, _)| *end), end);
            if let Some((end, outcome)) = whole {
                let text = String::from_utf8_lossy(&input[..end]).replace("\r\n", "");
                prop_assert_eq!(outcome.is_err(), text.contains(['\r', '\n', '\0']));
            }
        }

        #[test]
        fn unstuffing_undoes_stuffing(lines in prop::collection::vec("[.a ü]{0,6}", 0..20), sizes in prop::collection::vec(1usize..40, 1..10)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let mut wire = Vec::new();
            crate::wire::stuff(message.as_bytes(), &mut wire);
            prop_assert_eq!(read(&wire, 1000, &sizes), Some((wire.len(), Ok(message.into_bytes()))));
        }
    }
}
