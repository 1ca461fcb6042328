//! On the wire: SMTP's replies and dot-stuffing, shared by `smtp` (which writes replies) and `relay` (which reads them); and
//! what counts as one peer, for all that limit them. Does no I/O.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr};

/// An enhanced status code (RFC 3463), e.g. `5.7.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl Enhanced {
    /// The code at the front of a reply's text, if it is one of that class; else the class alone.
    pub fn of(text: &str, class: u8) -> Self {
        let word = text.split_ascii_whitespace().next().unwrap_or_default();
        let mut numbers = word.split('.').map(str::parse::<u16>);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(first)), Some(Ok(subject)), Some(Ok(detail)), None) if first == u16::from(class) => Self(class, subject, detail),
            _ => Self(class, 0, 0),
        }
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(class, subject, detail) = self;
        write!(f, "{class}.{subject}.{detail}")
    }
}

/// One SMTP reply (RFC 5321 s.4.2). Lines of `text` are separated by `\n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Written before each line of the text (RFC 2034 s.4); not for greetings, EHLO and 3yz.
    pub enhanced: Option<Enhanced>,
    /// Generic text; never an address or a header's value (I8).
    pub text: Cow<'static, str>,
}

/// What arrived is no SMTP reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an SMTP reply")]
pub struct NotAReply;

/// What one client commands: an IPv4 address, or an IPv6 /64 (RFC 6177 s.2 gives sites at least that).
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// A reply line may have 512 octets, with code and CRLF (RFC 5321 s.4.5.3.1.5): none of ours is longer.
const MAX_LINE: usize = 512;

/// Peers send longer lines, within reason: the most octets of a whole reply that is read.
const MAX_REPLY: usize = 16 * 1024;

impl Reply {
    /// A reply with an enhanced status code.
    pub const fn new(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text) }
    }

    /// A reply without an enhanced status code: greetings, EHLO and 3yz.
    pub const fn plain(code: u16, text: &'static str) -> Self {
        Self { code, enhanced: None, text: Cow::Borrowed(text) }
    }

    /// The same reply with another text.
    #[must_use]
    pub fn with_text(mut self, text: String) -> Self {
        self.text = Cow::Owned(text);
        self
    }

    /// 2yz or 3yz.
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// Writes the reply, one line per line of text (RFC 5321 s.4.2.1), and allocates nothing but
    /// what `out` grows by. A CR in the text becomes a space, so that no text can make a second
    /// reply; a line that would be too long loses its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let start = out.len();
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            write!(out, "{}{separator}", self.code).expect("a Vec takes everything");
            if let Some(Enhanced(class, subject, detail)) = self.enhanced {
                write!(out, "{class}.{subject}.{detail} ").expect("a Vec takes everything");
            }
            // never negative: code and enhanced code have 22 octets at most
            let room = MAX_LINE - b"\r\n".len() - (out.len() - start);
            let line = &line[..line.floor_char_boundary(room)];
            out.extend(line.bytes().map(|byte| if byte == b'\r' { b' ' } else { byte }));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Finds one reply at the front of `buffer`: its code and its length in octets, or `None` when
    /// more is needed. Looks at no text, so that a client that only wants the code allocates nothing.
    pub fn scan(buffer: &[u8]) -> Result<Option<(u16, usize)>, NotAReply> {
        let (mut at, mut code) = (0, None);
        loop {
            let Some(length) = memchr::memchr(b'\n', &buffer[at..]) else {
                return if buffer.len() > MAX_REPLY { Err(NotAReply) } else { Ok(None) };
            };
            let line = buffer[at..at + length].trim_ascii_end();
            at += length + 1;
            let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit)).ok_or(NotAReply)?;
            let this = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
            if !(200..600).contains(&this) || *code.get_or_insert(this) != this {
                return Err(NotAReply);
            }
            match line.get(3) {
                None | Some(b' ') => return Ok(Some((this, at))),
                Some(b'-') if at <= MAX_REPLY => {}
                Some(_) => return Err(NotAReply),
            }
        }
    }

    /// Reads one reply from the front of `buffer`: the reply and its length in octets, or `None`
    /// when more is needed. An enhanced status code stays in the text of its line.
    pub fn read(buffer: &[u8]) -> Result<Option<(Self, usize)>, NotAReply> {
        let Some((code, length)) = Self::scan(buffer)? else { return Ok(None) };
        let mut text = String::new();
        for line in buffer[..length - 1].split(|byte| *byte == b'\n') {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&String::from_utf8_lossy(line.trim_ascii_end().get(4..).unwrap_or_default()));
        }
        Ok(Some((Self { code, enhanced: None, text: Cow::Owned(text) }, length)))
    }
}

/// Appends `message` to `out` as DATA wants it: dot-stuffed, ended by CRLF, followed by the final
/// dot (RFC 5321 s.4.5.2, s.4.1.1.4). `message` has CRLF line ends only.
pub fn stuff(message: &[u8], out: &mut Vec<u8>) {
    out.reserve(message.len() + 64);
    let mut from = 0;
    if message.first() == Some(&b'.') {
        out.push(b'.');
    }
    for at in memchr::memmem::find_iter(message, b"\r\n.") {
        out.extend_from_slice(&message[from..at + 2]);
        out.push(b'.');
        from = at + 2;
    }
    out.extend_from_slice(&message[from..]);
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_written_line_by_line_and_cannot_be_injected() {
        let mut out = Vec::new();
        Reply::new(250, Enhanced(2, 0, 0), "one\r\ntwo").write(&mut out);
        assert_eq!(out, b"250-2.0.0 one \r\n250 2.0.0 two\r\n");
    }

    #[test]
    fn code_and_enhanced_code_stand_before_each_line() {
        // M-17
        for (reply, expected) in [
            (Reply::new(250, Enhanced(2, 0, 0), ""), "250 2.0.0 \r\n"),
            (Reply::new(554, Enhanced(5, 7, 509), "a\nb"), "554-5.7.509 a\r\n554 5.7.509 b\r\n"),
            (Reply::plain(334, ""), "334 \r\n"),
            (Reply::plain(250, "a\n\nb"), "250-a\r\n250-\r\n250 b\r\n"),
        ] {
            let mut out = b"before\r\n".to_vec();
            reply.write(&mut out);
            assert_eq!(String::from_utf8(out), Ok(format!("before\r\n{expected}")));
        }
    }

    #[test]
    fn reply_lines_have_512_octets_at_most() {
        // RFC 5321 s.4.5.3.1.5; `250 ` and CRLF leave 506 octets, with `2.0.0 ` 500
        let plain = |text: String| Reply::plain(250, "").with_text(text);
        let enhanced = |text: String| Reply::new(250, Enhanced(2, 0, 0), "").with_text(text);
        for (reply, expected) in [
            (plain("a".repeat(506)), format!("250 {}\r\n", "a".repeat(506))),
            (plain("a".repeat(507)), format!("250 {}\r\n", "a".repeat(506))),
            (enhanced("a".repeat(500)), format!("250 2.0.0 {}\r\n", "a".repeat(500))),
            (enhanced("a".repeat(9_000)), format!("250 2.0.0 {}\r\n", "a".repeat(500))),
            // whole characters: of two octets, of three
            (enhanced("ü".repeat(300)), format!("250 2.0.0 {}\r\n", "ü".repeat(250))),
            (enhanced("€".repeat(300)), format!("250 2.0.0 {}\r\n", "€".repeat(166))),
            // each line by itself
            (plain(format!("{}\n{}\nb", "a".repeat(600), "a".repeat(506))), format!("250-{0}\r\n250-{0}\r\n250 b\r\n", "a".repeat(506))),
        ] {
            let mut out = Vec::new();
            reply.write(&mut out);
            assert_eq!(String::from_utf8(out), Ok(expected));
        }
    }

    #[test]
    fn replies_are_read_when_they_are_complete() {
        let read = |text: &str| Reply::read(text.as_bytes()).map(|r| r.map(|(reply, n)| (reply.code, reply.text.into_owned(), n)));
        assert_eq!(read("250"), Ok(None));
        assert_eq!(read("250-a\r\n"), Ok(None));
        assert_eq!(read("250\r\n"), Ok(Some((250, String::new(), 5))));
        assert_eq!(read("250-a\r\n250 b\r\n354 x"), Ok(Some((250, "a\nb".into(), 14))));
        for text in ["abc\r\n", "25\r\n", "250_x\r\n", "250-a\r\n251 b\r\n", "999 x\r\n"] {
            assert_eq!(read(text), Err(NotAReply), "{text}");
        }
        assert_eq!(Reply::read(&[b'2'; MAX_REPLY + 1]), Err(NotAReply));
    }

    #[test]
    fn dots_are_stuffed_and_the_end_is_unique() {
        for (message, expected) in [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n..\r\n", "..\r\n...\r\n.\r\n"),
            ("a\r\n.\r\nb.\r\n", "a\r\n..\r\nb.\r\n.\r\n"),
            ("\r\n.\r\n.\r\n", "\r\n..\r\n..\r\n.\r\n"),
        ] {
            let mut out = Vec::new();
            stuff(message.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{message:?}");
        }
    }
}
