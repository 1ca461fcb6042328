//! One message as received: the raw bytes and an index of its header fields. Reads, never changes;
//! changes are splices made by `rewrite`. Bodies are not decoded here.

use super::{Address, AddressError};

/// The raw bytes of a message (CRLF line ends, no dot-stuffing) and where its header fields are.
#[derive(Clone)]
pub struct Message {
    raw: Vec<u8>,
    fields: Vec<Field>,
    body: usize,
}

#[derive(Clone, Copy)]
struct Field {
    start: usize,
    colon: usize,
    end: usize,
}

/// One header field of a message, as it stands there.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// The field name as written.
    pub name: &'a str,
    /// All after the colon, with folding and the final CRLF.
    pub raw_value: &'a [u8],
    /// Offset of the field's first byte in the message.
    pub start: usize,
    /// Offset behind the field's final CRLF.
    pub end: usize,
}

/// Why a message cannot be taken. The texts are safe for SMTP replies: they repeat no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A line of the header section is no field and no folding (RFC 5322 s.2.2).
    #[error("header line {line} is not a field: write Name: value")]
    NotAField {
        /// Line number in the message, from 1.
        line: usize,
    },
    /// A byte that a header must not have: NUL, or 8-bit without valid UTF-8 (M-43).
    #[error("header field {name} has a byte that is not allowed: encode it by RFC 2047")]
    Byte {
        /// The field's name; `?` for one that could be more than a name.
        name: String,
    },
    /// A field that may stand once stands twice (RFC 5322 s.3.6, M-44).
    #[error("header field {0} stands more than once")]
    Duplicate(&'static str),
    /// A field that must stand is missing (RFC 5322 s.3.6).
    #[error("header field {0} is missing")]
    Missing(&'static str),
    /// From or Sender holds no usable address (RFC 5322 s.3.6.2).
    #[error("header field {0} has no usable address: {1}")]
    Mailbox(&'static str, AddressError),
    /// More header fields, or a longer header, than the gateway takes.
    #[error("header is too large")]
    TooLarge,
    /// The same mail passed too many hosts (RFC 5321 s.6.3, M-51).
    #[error("too many Received fields: mail is looping")]
    Loop,
}

/// Bounds on what a peer can make us index.
const MAX_FIELDS: usize = 1_000;
const MAX_HEADER: usize = 256 * 1024;
const MAX_RECEIVED: usize = 100;

impl Message {
    /// Indexes the header of `raw` and checks what RFC 5322 s.3.6 says of single fields. `utf8`: the
    /// client asked for SMTPUTF8, so header fields may hold UTF-8 (RFC 6532).
    pub fn parse(raw: Vec<u8>, utf8: bool) -> Result<Self, MessageError> {
        let mut fields: Vec<Field> = Vec::with_capacity(24);
        let (mut at, mut line, body) = (0, 1, body_start(&raw));
        while at < body {
            let end = line_end(&raw, at);
            let content = &raw[at..end];
            if content == b"\r\n" {
                break; // the empty line between header and body
            }
            match content.first() {
                Some(b' ' | b'\t') => {
                    let last = fields.last_mut().ok_or(MessageError::NotAField { line })?;
                    last.end = end;
                }
                _ => {
                    let colon = field_name(content).ok_or(MessageError::NotAField { line })?;
                    fields.push(Field { start: at, colon: at + colon, end });
                }
            }
            if fields.len() > MAX_FIELDS || end > MAX_HEADER {
                return Err(MessageError::TooLarge);
            }
            at = end;
            line += 1;
        }
        let message = Self { raw, fields, body };
        message.check(utf8)?;
        Ok(message)
    }

    fn check(&self, utf8: bool) -> Result<(), MessageError> {
        for header in self.headers() {
            // RFC 5322 s.2.2: no NUL, nothing above 127; RFC 6532 s.3: with SMTPUTF8 also UTF-8 (M-43)
            let text = header.raw_value.is_ascii() || (utf8 && std::str::from_utf8(header.raw_value).is_ok());
            if !text || memchr::memchr(0, header.raw_value).is_some() {
                return Err(MessageError::Byte { name: presentable(header.name).to_owned() });
            }
        }
        // RFC 5322 s.3.6 and M-44: a second one would hide behind the first
        for name in [
            "From",
            "Sender",
            "Reply-To",
            "To",
            "Cc",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ] {
            if self.all(name).nth(1).is_some() {
                return Err(MessageError::Duplicate(name));
            }
        }
        if self.header("From").is_none() {
            return Err(MessageError::Missing("From"));
        }
        // RFC 5321 s.6.3
        if self.all("Received").count() >= MAX_RECEIVED {
            return Err(MessageError::Loop);
        }
        Ok(())
    }

    /// The whole message as received.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The octets alone.
    pub fn into_raw(self) -> Vec<u8> {
        self.raw
    }

    /// Offset of the first byte of the body (behind the empty line; the length where there is none).
    pub fn body_offset(&self) -> usize {
        self.body
    }

    /// All header fields, top to bottom.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.fields.iter().map(|field| Header {
            // `field_name` let only ASCII pass
            name: std::str::from_utf8(&self.raw[field.start..field.colon]).unwrap_or_default().trim_end(),
            raw_value: &self.raw[field.colon + 1..field.end],
            start: field.start,
            end: field.end,
        })
    }

    /// All fields of that name (case-insensitive), top to bottom.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Header<'a>> {
        self.headers().filter(move |header| header.name.eq_ignore_ascii_case(name))
    }

    /// The first field of that name.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<Header<'a>> {
        self.all(name).next()
    }

    /// The unfolded value of the first field of that name.
    pub fn value(&self, name: &str) -> Option<String> {
        self.header(name).map(|header| header.value())
    }

    /// The addresses of the From field; at least one (RFC 5322 s.3.6.2).
    pub fn from(&self) -> Result<Vec<Address>, MessageError> {
        let header = self.header("From").ok_or(MessageError::Missing("From"))?;
        match addresses(&header) {
            Ok(addresses) if addresses.is_empty() => Err(MessageError::Mailbox("From", AddressError::Shape)),
            Ok(addresses) => Ok(addresses),
            Err(error) => Err(MessageError::Mailbox("From", error)),
        }
    }

    /// The addresses of the Sender field: one (RFC 5322 s.3.6.2), where there is the field. All that others
    /// may read there are told.
    pub fn sender(&self) -> Result<Vec<Address>, MessageError> {
        let found = self.header("Sender").map(|header| addresses(&header)).transpose();
        found.map(Option::unwrap_or_default).map_err(|error| MessageError::Mailbox("Sender", error))
    }
}

/// The addresses of an address list; all must be usable, so that none hides behind another.
fn addresses(header: &Header<'_>) -> Result<Vec<Address>, AddressError> {
    let field = [b"From:", header.raw_value, b"\r\n"].concat();
    let parser = mail_parser::MessageParser::new().header_address(mail_parser::HeaderName::From);
    let parsed = parser.parse_headers(&field[..]);
    parsed
        .iter()
        .filter_map(|message| message.from())
        .flat_map(|list| list.iter().map(|one| Address::parse(one.address().unwrap_or_default())))
        .collect()
}

impl Header<'_> {
    /// The value unfolded (RFC 5322 s.2.2.3) and trimmed.
    pub fn value(&self) -> String {
        let text = String::from_utf8_lossy(self.raw_value);
        text.replace("\r\n", "").trim().to_owned()
    }
}

/// A field's name for logs and replies. RFC 5322 s.2.2 lets nearly everything be one, an address, too (I8).
fn presentable(name: &str) -> &str {
    let usual = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if usual { name } else { "?" }
}

/// Where the body begins: behind the first empty line.
fn body_start(raw: &[u8]) -> usize {
    if raw.starts_with(b"\r\n") {
        return 2;
    }
    memchr::memmem::find(raw, b"\r\n\r\n").map_or(raw.len(), |at| at + 4)
}

fn line_end(raw: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &raw[at..]).map_or(raw.len(), |n| at + n + 1)
}

/// The length of the field name, when the line is a field (RFC 5322 s.2.2, with the obsolete
/// white space before the colon of s.4.5).
fn field_name(line: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(|b| (33..=126).contains(b))).then_some(colon)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Message, MessageError> {
        Message::parse(text.replace('\n', "\r\n").into_bytes(), false)
    }

    #[test]
    fn fields_are_found_with_folding_and_offsets() {
        let message = parse("From: a@x.example\nSubject: one\n two\nX-Empty:\n\nbody: no field\n").expect("valid");
        let subject = message.header("subject").expect("there");
        assert_eq!(subject.value(), "one two");
        assert_eq!(&message.raw()[subject.start..subject.end], b"Subject: one\r\n two\r\n");
        assert_eq!(&message.raw()[message.body_offset()..], b"body: no field\r\n");
        assert_eq!(message.headers().count(), 3);
        assert!(message.header("body").is_none());
    }

    #[test]
    fn from_is_read_with_and_without_a_name() {
        for (from, expected) in [
            ("a@x.example", vec!["a@x.example"]),
            ("\"Shop, Inc.\" <a@x.example>", vec!["a@x.example"]),
            ("A <a@x.example>, b@y.example", vec!["a@x.example", "b@y.example"]),
            ("=?utf-8?q?B=C3=BCro?=\n <a@x.example>", vec!["a@x.example"]),
        ] {
            let message = parse(&format!("From: {from}\n\n")).expect(from);
            let addresses = message.from().expect(from);
            assert_eq!(addresses.iter().map(Address::as_str).collect::<Vec<_>>(), expected);
        }
        assert!(matches!(parse("From: nobody\n\n").expect("header is fine").from(), Err(MessageError::Mailbox("From", _))));
    }

    #[test]
    fn no_sender_hides_behind_another() {
        // M-02
        for (field, expected) in [
            ("", vec![]),
            ("Sender: a@x.example\n", vec!["a@x.example"]),
            ("Sender: a@x.example, b@y.example\n", vec!["a@x.example", "b@y.example"]),
        ] {
            let message = parse(&format!("From: a@x.example\n{field}\n")).expect(field);
            let addresses = message.sender().expect(field);
            assert_eq!(addresses.iter().map(Address::as_str).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn bad_headers_are_refused_with_their_place() {
        // M-43, M-44, M-51
        let looping = format!("{}From: a@x.example\n\n", "Received: x\n".repeat(100));
        for (text, error) in [
            ("From: a@x.example\nFrom: b@x.example\n\n", MessageError::Duplicate("From")),
            ("From: a@x.example\nSubject: 1\nsubject: 2\n\n", MessageError::Duplicate("Subject")),
            ("Subject: x\n\n", MessageError::Missing("From")),
            ("\nFrom: a@x.example\n\n", MessageError::Missing("From")),
            ("From: a@x.example\nno field\n\n", MessageError::NotAField { line: 2 }),
            (" folded first\n\n", MessageError::NotAField { line: 1 }),
            ("From: a@x.example\nX: \0\n\n", MessageError::Byte { name: "X".into() }),
            // I8
            ("From: a@x.example\nb@x.example: \0\n\n", MessageError::Byte { name: "?".into() }),
            (&looping, MessageError::Loop),
        ] {
            assert_eq!(parse(text).err(), Some(error), "{text:?}");
        }
        let byte = || Some(MessageError::Byte { name: "Subject".into() });
        let latin1 = b"From: a@x.example\r\nSubject: caf\xe9\r\n\r\n".to_vec();
        let utf8 = "From: a@x.example\r\nSubject: café\r\n\r\n".as_bytes().to_vec();
        assert_eq!(Message::parse(latin1.clone(), false).err(), byte());
        assert_eq!(Message::parse(latin1, true).err(), byte());
        assert_eq!(Message::parse(utf8.clone(), false).err(), byte());
        assert!(Message::parse(utf8, true).is_ok());
    }

    #[test]
    fn a_message_without_body_has_an_empty_one() {
        let message = parse("From: a@x.example\n").expect("valid");
        assert_eq!(message.body_offset(), message.raw().len());
    }
}
