//! The message between 354 and the final dot: finds its one true end, removes the stuffed dots,
//! refuses what another server could read as another end. Pure; `connection` feeds it.

use crate::wire::Reply;

use super::reply;

/// RFC 5321 s.4.5.3.1.6: 1000 octets with CRLF, a stuffed dot not counted.
const MAX_TEXT: usize = 998;

/// Reads one message from chunks of any size.
///
/// Only `CRLF.CRLF` ends it (RFC 5321 s.4.1.1.4, M-40). A message with a flaw is read to that same
/// end and then refused as a whole: an early answer would make commands of the rest (M-41).
pub(super) struct DataReader {
    message: Vec<u8>,
    limit: usize,
    place: Place,
    /// Octets of the current line so far.
    column: usize,
    refusal: Option<Reply>,
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
        Self { message: Vec::new(), limit, place: Place::LineStart, column: 0, refusal: None }
    }

    /// The octets of memory the message occupies once it has room for `more` further ones. Doubles,
    /// so that it is rarely asked to grow, and does not ask beyond the limit.
    pub(super) fn room_with(&self, more: usize) -> usize {
        let (needed, held) = (self.message.len() + more, self.message.capacity());
        if needed <= held || self.refusal.is_some() { held } else { needed.max(held * 2).min(self.limit.max(needed)) }
    }

    /// Allocates that much.
    pub(super) fn make_room(&mut self, total: usize) {
        self.message.reserve_exact(total.saturating_sub(self.message.len()));
    }

    /// From here on the message is only read to its end. The first refusal stays.
    pub(super) fn refuse(&mut self, reply: Reply) {
        self.refusal.get_or_insert(reply);
        self.message = Vec::new();
    }

    /// Reads on. When the end is in `chunk`: the number of octets up to and with it; the rest is not
    /// the message's.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Option<usize> {
        // `from`: the first octet not copied yet; one copy per chunk unless dots are removed
        let (mut at, mut from) = (0, 0);
        while let Some(&octet) = chunk.get(at) {
            match (self.place, octet) {
                (Place::LineStart, b'.') => {
                    self.keep(&chunk[from..at]);
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
                    self.column = 0;
                    self.place = Place::LineStart;
                }
                (Place::Cr | Place::DotCr, _) => {
                    self.refuse(reply::BAD_LINES); // bare CR
                    self.place = Place::Text;
                }
                (Place::LineStart | Place::Dot, _) => self.place = Place::Text,
                (Place::Text, _) => at = self.text(chunk, at),
            }
        }
        self.keep(&chunk[from..]);
        None
    }

    /// The message, or why it is refused. To be called after the end.
    pub(super) fn finish(self) -> Result<Vec<u8>, Reply> {
        match self.refusal {
            None => Ok(self.message),
            Some(reply) => Err(reply),
        }
    }

    /// Skips to the next octet that means something; returns the place behind it.
    fn text(&mut self, chunk: &[u8], at: usize) -> usize {
        let found = memchr::memchr3(b'\r', b'\n', 0, &chunk[at..]);
        let stop = found.map_or(chunk.len(), |n| at + n);
        self.column += stop - at;
        if self.column > MAX_TEXT {
            self.refuse(reply::TEXT_LINE_TOO_LONG);
        }
        match chunk.get(stop) {
            None => return stop,
            Some(b'\r') => self.place = Place::Cr,
            Some(_) => self.refuse(reply::BAD_LINES), // bare LF or NUL
        }
        stop + 1
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.refusal.is_some() {
            return;
        }
        if self.message.len() + piece.len() > self.limit {
            self.refuse(reply::MESSAGE_TOO_BIG);
        } else {
            self.message.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = Option<(usize, Result<Vec<u8>, u16>)>;

    /// Feeds `input` in chunks of the given sizes (the last one repeats).
    fn read(input: &[u8], limit: usize, sizes: &[usize]) -> Read {
        let mut reader = DataReader::new(limit);
        let (mut at, mut sizes) = (0, sizes.iter().copied().chain(std::iter::repeat(*sizes.last().expect("a size"))));
        while at < input.len() {
            let end = (at + sizes.next().expect("endless")).min(input.len());
            if let Some(consumed) = reader.feed(&input[at..end]) {
                return Some((at + consumed, reader.finish().map_err(|reply| reply.code)));
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
        assert_eq!((reader.message.capacity(), reader.room_with(1000)), (0, 0));
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
