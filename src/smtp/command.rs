//! One command line as a value, or the reply that refuses it. Pure; knows nothing of order: whether
//! a command may come now is `session`'s business.

use zeroize::Zeroizing;

use crate::mail::{Address, Body, Notify, Recipient, Return, ReversePath, Sender, is_xtext};
use crate::wire::Reply;

use super::auth::{MAX_AUTH_LINE, Mechanism};
use super::reply;

/// RFC 5321 s.4.5.3.1.4: octets of a command line, CRLF included.
const MAX_LINE: usize = 512;
/// What parameters add to MAIL: SIZE 26 (RFC 1870 s.3), BODY 17 (RFC 6152 s.2), SMTPUTF8 10
/// (RFC 6531 s.3.4), AUTH 500 (RFC 4954 s.3), RET and ENVID 116 (RFC 3461 s.4.3, s.4.4).
const MAX_MAIL_LINE: usize = MAX_LINE + 26 + 17 + 10 + 500 + 116;
/// What parameters add to RCPT: NOTIFY 29 (RFC 3461 s.4.1), ORCPT 507 (s.4.2).
const MAX_RCPT_LINE: usize = MAX_LINE + 29 + 507;
/// Octets of an ENVID (RFC 3461 s.4.4).
const MAX_ENVID: usize = 100;
/// Octets of an ORCPT (RFC 3461 s.4.2).
const MAX_ORCPT: usize = 500;

/// A command this server understands.
pub(super) enum Command {
    Ehlo(String),
    Helo(String),
    Mail(MailFrom),
    /// Or why it is refused: a refused recipient is part of the transaction's story.
    Rcpt(Result<Recipient, Reply>),
    Data,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    StartTls,
    Auth {
        mechanism: Mechanism,
        initial: Option<Zeroizing<String>>,
    },
    /// CHUNKING is not announced: what follows is message data and must not be read as commands (M-13).
    Bdat,
    /// Another protocol's request line.
    Foreign,
}

/// What MAIL says.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct MailFrom {
    pub(super) sender: Sender,
    /// `SIZE=` in octets (RFC 1870 s.5).
    pub(super) size: Option<u64>,
}

impl Command {
    /// Parses a line without its CRLF.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Reply> {
        // M-41: only CRLF ends a line; what is left of other line ends makes the line invalid
        if memchr::memchr3(b'\r', b'\n', 0, line).is_some() {
            return Err(reply::BAD_OCTET);
        }
        let text = std::str::from_utf8(line).map_err(|_| reply::BAD_OCTET)?;
        let text = text.trim_end_matches([' ', '\t']); // RFC 5321 s.4.1.1 asks to tolerate it
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let verb = verb.to_ascii_uppercase();
        match verb.as_str() {
            "AUTH" if line.len() + 2 > MAX_AUTH_LINE => return Err(reply::AUTH_LINE_TOO_LONG),
            "MAIL" if line.len() + 2 > MAX_MAIL_LINE => return Err(reply::LINE_TOO_LONG),
            "RCPT" if line.len() + 2 > MAX_RCPT_LINE => return Err(reply::LINE_TOO_LONG),
            "AUTH" | "MAIL" | "RCPT" => {}
            _ if line.len() + 2 > MAX_LINE => return Err(reply::LINE_TOO_LONG),
            _ => {}
        }
        match verb.as_str() {
            "EHLO" => Ok(Self::Ehlo(client_name(rest)?)),
            "HELO" => Ok(Self::Helo(client_name(rest)?)),
            "MAIL" => mail(rest).map(Self::Mail),
            "RCPT" => Ok(Self::Rcpt(rcpt(rest))),
            "DATA" => bare(Self::Data, rest),
            "RSET" => bare(Self::Rset, rest),
            "QUIT" => bare(Self::Quit, rest),
            "STARTTLS" => bare(Self::StartTls, rest),
            "AUTH" => auth(rest),
            "NOOP" => Ok(Self::Noop),
            "VRFY" => Ok(Self::Vrfy),
            "HELP" => Ok(Self::Help),
            "BDAT" => Ok(Self::Bdat),
            "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" | "CONNECT" => Ok(Self::Foreign),
            "EXPN" | "TURN" | "ETRN" | "SEND" | "SOML" | "SAML" => Err(reply::NOT_OFFERED),
            _ => Err(reply::UNKNOWN_COMMAND),
        }
    }
}

/// The commands that take no argument.
fn bare(command: Command, rest: &str) -> Result<Command, Reply> {
    if rest.is_empty() { Ok(command) } else { Err(reply::NO_ARGUMENT) }
}

/// Domain or address literal (RFC 5321 s.4.1.1.1). Clients send all sorts of host names, so only
/// the characters are checked: the name goes into our Received field.
fn client_name(rest: &str) -> Result<String, Reply> {
    let sound = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:[]".contains(&octet);
    if rest.is_empty() || rest.len() > 255 || !rest.bytes().all(sound) {
        return Err(reply::HELLO_SYNTAX);
    }
    Ok(rest.to_owned())
}

fn mail(rest: &str) -> Result<MailFrom, Reply> {
    let (path, parameters) = path(rest, "FROM:").ok_or(reply::MAIL_SYNTAX)?;
    let mut size = None;
    let mut sender = Sender::new(ReversePath::Null);
    for (keyword, value) in once_each(parameters)? {
        match (keyword.as_str(), value) {
            ("SIZE", Some(value)) => size = Some(octets(value)?),
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => sender.body = Body::SevenBit,
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => sender.body = Body::EightBit,
            ("SMTPUTF8", None) => sender.smtputf8 = true,
            ("RET", Some(value)) => sender.ret = Some(Return::parse(value).ok_or(reply::BAD_PARAMETER)?),
            ("ENVID", Some(value)) if value.len() <= MAX_ENVID && is_xtext(value) => sender.envid = Some(value.to_owned()),
            // RFC 4954 s.5: must be understood; from clients not trusted to speak for others it counts as `AUTH=<>`
            ("AUTH", Some(value)) if !value.is_empty() && is_xtext(value) => {}
            ("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID" | "AUTH" | "", _) => return Err(reply::BAD_PARAMETER),
            _ => return Err(reply::UNKNOWN_PARAMETER),
        }
    }
    if !path.is_empty() {
        let address = mailbox(path).ok_or(reply::BAD_SENDER)?;
        if address.is_internationalised() && !sender.smtputf8 {
            return Err(reply::UTF8_NOT_ASKED);
        }
        sender.reverse_path = ReversePath::Mailbox(address);
    }
    Ok(MailFrom { sender, size })
}

fn rcpt(rest: &str) -> Result<Recipient, Reply> {
    let (path, parameters) = path(rest, "TO:").ok_or(reply::RCPT_SYNTAX)?;
    let (mut notify, mut orcpt) = (None, None);
    for (keyword, value) in once_each(parameters)? {
        match (keyword.as_str(), value) {
            ("NOTIFY", Some(value)) => notify = Some(Notify::parse(value).ok_or(reply::BAD_PARAMETER)?),
            ("ORCPT", Some(value)) if value.len() <= MAX_ORCPT && is_original_recipient(value) => orcpt = Some(value.to_owned()),
            ("NOTIFY" | "ORCPT" | "", _) => return Err(reply::BAD_PARAMETER),
            _ => return Err(reply::UNKNOWN_PARAMETER),
        }
    }
    if path.eq_ignore_ascii_case("postmaster") {
        return Err(reply::NO_LOCAL_MAILBOX);
    }
    Ok(Recipient { address: mailbox(path).ok_or(reply::BAD_RECIPIENT)?, notify, orcpt })
}

/// `addr-type;xtext` (RFC 3461 s.4.2); an internationalised address may come as UTF-8 (RFC 6533 s.3).
fn is_original_recipient(value: &str) -> bool {
    let Some((kind, address)) = value.split_once(';') else { return false };
    let utf8 = kind.eq_ignore_ascii_case("utf-8");
    let sound = is_xtext(address) || (utf8 && address.chars().all(|c| !c.is_control() && !matches!(c, ' ' | '=')));
    !kind.is_empty() && !address.is_empty() && kind.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-') && sound
}

/// The parameters as keyword and value; each may come once.
fn once_each<'a>(parameters: impl Iterator<Item = &'a str>) -> Result<Vec<(String, Option<&'a str>)>, Reply> {
    let mut seen: Vec<(String, Option<&str>)> = Vec::new();
    for parameter in parameters {
        let (keyword, value) = match parameter.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (parameter, None),
        };
        let keyword = keyword.to_ascii_uppercase();
        if seen.iter().any(|(earlier, _)| *earlier == keyword) {
            return Err(reply::BAD_PARAMETER);
        }
        seen.push((keyword, value));
    }
    Ok(seen)
}

fn auth(rest: &str) -> Result<Command, Reply> {
    let (name, initial) = match rest.split_once(' ') {
        Some((name, initial)) => (name, Some(initial)),
        None => (rest, None),
    };
    let mechanism = match name.to_ascii_uppercase().as_str() {
        "PLAIN" => Mechanism::Plain,
        "LOGIN" => Mechanism::Login,
        _ => return Err(reply::UNKNOWN_MECHANISM),
    };
    Ok(Command::Auth { mechanism, initial: initial.map(|text| Zeroizing::new(text.to_owned())) })
}

/// Splits `FROM:<path> parameters` into what stands between the brackets and the parameters.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, impl Iterator<Item = &'a str>)> {
    let (head, tail) = rest.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    // RFC 5321 s.3.3 forbids spaces here, yet many tools send one. Harmless: what counts stands between
    // the brackets, and we write MAIL and RCPT anew towards the outbound MTA.
    let inner = tail.trim_start_matches(' ').strip_prefix('<')?;
    let end = closing_bracket(inner)?;
    let (path, parameters) = (&inner[..end], &inner[end + 1..]);
    if !(parameters.is_empty() || parameters.starts_with(' ')) {
        return None;
    }
    Some((path, parameters.split(' ').skip(1)))
}

/// The first `>` that is not inside a quoted local-part.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The address, without a source route (RFC 5321 s.3.3 and F.2: accept and ignore).
fn mailbox(path: &str) -> Option<Address> {
    let address = match path.strip_prefix('@') {
        None => path,
        Some(route) => {
            let (route, address) = route.split_once(':')?;
            let sound = |octet: u8| octet.is_ascii_alphanumeric() || b"-._@,".contains(&octet);
            if !route.bytes().all(sound) {
                return None;
            }
            address
        }
    };
    Address::parse(address).ok()
}

/// RFC 1870 s.3: up to 20 digits. A number that does not fit is an error, never a smaller number.
fn octets(value: &str) -> Result<u64, Reply> {
    if value.is_empty() || value.len() > 20 || !value.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(reply::BAD_PARAMETER);
    }
    value.parse().map_err(|_| reply::BAD_PARAMETER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The command in one line of text, or the refusing code.
    fn read(line: &str) -> Result<String, u16> {
        let command = Command::parse(line.as_bytes()).map_err(|reply| reply.code)?;
        Ok(match command {
            Command::Ehlo(name) => format!("ehlo {name}"),
            Command::Helo(name) => format!("helo {name}"),
            Command::Mail(MailFrom { sender, size }) => {
                let (path, body, utf8) = (sender.reverse_path.as_str(), sender.body, sender.smtputf8);
                let report = sender.ret.map(|ret| format!(" {}", ret.as_str())).unwrap_or_default();
                format!("mail <{path}> {size:?} {body:?} {utf8}{report}{}", sender.envid.unwrap_or_default())
            }
            Command::Rcpt(recipient) => {
                let Recipient { address, notify, orcpt } = recipient.map_err(|reply| reply.code)?;
                let notify = notify.map(|notify| format!(" {notify}")).unwrap_or_default();
                format!("rcpt {}{notify}{}", address.as_str(), orcpt.map(|to| format!(" {to}")).unwrap_or_default())
            }
            Command::Auth { mechanism, initial } => format!("auth {mechanism:?} {:?}", initial.as_deref()),
            Command::Data => "data".into(),
            Command::Rset => "rset".into(),
            Command::Noop => "noop".into(),
            Command::Vrfy => "vrfy".into(),
            Command::Help => "help".into(),
            Command::Quit => "quit".into(),
            Command::StartTls => "starttls".into(),
            Command::Bdat => "bdat".into(),
            Command::Foreign => "foreign".into(),
        })
    }

    #[test]
    fn commands_are_understood() {
        for (line, expected) in [
            ("EHLO x.example", "ehlo x.example"),
            ("ehlo [IPv6:::1]", "ehlo [IPv6:::1]"),
            ("HELO my_pc", "helo my_pc"),
            ("DATA", "data"),
            ("data  ", "data"),
            ("RSET", "rset"),
            ("QUIT\t", "quit"),
            ("STARTTLS", "starttls"),
            ("NOOP anything at all", "noop"),
            ("VRFY someone", "vrfy"),
            ("HELP", "help"),
            ("AUTH PLAIN", "auth Plain None"),
            ("auth login dXNlcg==", "auth Login Some(\"dXNlcg==\")"),
            ("AUTH PLAIN =", "auth Plain Some(\"=\")"),
            ("BDAT 5 LAST", "bdat"),
            ("POST / HTTP/1.1", "foreign"),
            ("MAIL FROM:<>", "mail <> None SevenBit false"),
            ("mail from:<A.b@X.example>", "mail <A.b@X.example> None SevenBit false"),
            ("MAIL FROM: <a@x.example>", "mail <a@x.example> None SevenBit false"),
            ("MAIL FROM:<a@x.example> SIZE=10 BODY=8BITMIME SMTPUTF8", "mail <a@x.example> Some(10) EightBit true"),
            ("MAIL FROM:<a@x.example> body=7bit auth=<>", "mail <a@x.example> None SevenBit false"),
            ("MAIL FROM:<a@x.example> SIZE=18446744073709551615", "mail <a@x.example> Some(18446744073709551615) SevenBit false"),
            ("MAIL FROM:<ü@x.example> SMTPUTF8", "mail <ü@x.example> None SevenBit true"),
            ("RCPT TO:<\"a> b\"@x.example>", "rcpt \"a> b\"@x.example"),
            ("RCPT TO:<\"a\\\">\"@x.example>", "rcpt \"a\\\">\"@x.example"),
            ("RCPT TO:<a+tag@[127.0.0.1]>", "rcpt a+tag@[127.0.0.1]"),
            ("RCPT TO:<@one.example,@two.example:a@x.example>", "rcpt a@x.example"),
            ("RCPT TO:<ü@x.example>", "rcpt ü@x.example"),
            // M-62
            ("MAIL FROM:<> ret=hdrs ENVID=QQ+2B1", "mail <> None SevenBit false HDRSQQ+2B1"),
            ("RCPT TO:<a@x.example> NOTIFY=DELAY,success", "rcpt a@x.example SUCCESS,DELAY"),
            ("RCPT TO:<a@x.example> ORCPT=rfc822;b+2Bc@y.example", "rcpt a@x.example rfc822;b+2Bc@y.example"),
            ("RCPT TO:<a@x.example> ORCPT=utf-8;ü@y.example notify=never", "rcpt a@x.example NEVER utf-8;ü@y.example"),
        ] {
            assert_eq!(read(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn malformed_commands_are_refused_with_their_code() {
        // CRATES.md section 7: each of these was once accepted by a well-known parser
        for (line, code) in [
            ("", 500),
            ("MA\rIL FROM:<a@x.example>", 500),
            ("NOOP\nRSET", 500),
            ("NOOP \0", 500),
            ("XYZZY", 500),
            (" NOOP", 500),
            ("EHLO", 501),
            ("EHLO a b", 501),
            ("EHLO a\"b", 501),
            ("EHLO ü.example", 501),
            ("DATA foo", 501),
            ("STARTTLS now", 501),
            ("EXPN list", 502),
            ("AUTH", 504),
            ("AUTH CRAM-MD5", 504),
            ("MAIL", 501),
            ("MAIL TO:<a@x.example>", 501),
            ("MAIL FROM:a@x.example", 501),
            ("MAIL FROM:<a@x.example", 501),
            ("MAIL FROM:<a@x.example>SIZE=1", 501),
            ("MAIL FROM :<a@x.example>", 501),
            ("MAIL  FROM:<a@x.example>", 501),
            ("MAIL FROM:\t<a@x.example>", 501),
            ("MAIL FROM:<a@x.example>  SIZE=1", 501),
            ("MAIL FROM:<a@x.example> SIZE=1 SIZE=2", 501),
            ("MAIL FROM:<a@x.example> SIZE", 501),
            ("MAIL FROM:<a@x.example> SIZE=", 501),
            ("MAIL FROM:<a@x.example> SIZE=-1", 501),
            ("MAIL FROM:<a@x.example> SIZE=+1", 501),
            ("MAIL FROM:<a@x.example> SIZE=18446744073709551616", 501),
            ("MAIL FROM:<a@x.example> SIZE=99999999999999999999999", 501),
            ("MAIL FROM:<a@x.example> BODY=BINARYMIME", 501),
            ("MAIL FROM:<a@x.example> SMTPUTF8=1", 501),
            ("MAIL FROM:<a@x.example> AUTH=a+zz", 501),
            ("MAIL FROM:<a@x.example> RET=SOME", 501),
            ("MAIL FROM:<a@x.example> ENVID=a+b", 501),
            ("MAIL FROM:<a@x.example> REQUIRETLS", 555),
            ("MAIL FROM:<ü@x.example>", 553),
            ("MAIL FROM:<a>", 553),
            ("MAIL FROM:<a@b@x.example>", 553),
            ("RCPT TO:<>", 553),
            ("RCPT TO:<a b@x.example>", 553),
            ("RCPT TO:<postmaster>", 550),
            ("RCPT TO:<Postmaster>", 550),
            ("RCPT TO:<a@x.example> NOTIFY=NEVER,DELAY", 501),
            ("RCPT TO:<a@x.example> ORCPT=rfc822", 501),
            ("RCPT TO:<a@x.example> SIZE=1", 555),
            ("RCPT TO:<@one.example;a@x.example>", 553),
            ("RCPT TO:<@o<ne:a@x.example>", 553),
            ("RCPT TO:<a@x.example>>", 501),
        ] {
            assert_eq!(read(line), Err(code), "{line}");
        }
        assert_eq!(Command::parse(b"NOOP \xff").err().map(|reply| reply.code), Some(500));
    }

    #[test]
    fn lines_end_at_their_limit() {
        // M-04, M-32; the lengths count CRLF
        let padded = |front: &str, length: usize| format!("{front}{}", "a".repeat(length - 2 - front.len()));
        for (line, fits) in [
            (padded("NOOP ", 512), true),
            (padded("NOOP ", 513), false),
            (padded("AUTH PLAIN ", 12_288), true),
            (padded("AUTH PLAIN ", 12_289), false),
            (padded("MAIL FROM:<a@x.example> AUTH=", 1_181), true),
            (padded("MAIL FROM:<a@x.example> AUTH=", 1_182), false),
        ] {
            assert_eq!(read(&line).err(), (!fits).then_some(500), "{}", line.len() + 2);
        }
        let local = "a".repeat(64);
        let domain = format!("{}.{}.{}.example", "b".repeat(63), "c".repeat(63), "d".repeat(53));
        assert!(read(&format!("RCPT TO:<{local}@{domain}>")).is_ok());
        assert_eq!(read(&format!("RCPT TO:<{local}@e{domain}>")), Err(553));
        assert_eq!(read(&format!("RCPT TO:<a{local}@x.example>")), Err(553));
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in prop::collection::vec(any::<u8>(), 0..80), front in prop::sample::select(&["", "MAIL FROM:<", "RCPT TO:<\"", "AUTH "][..])) {
            let _ = Command::parse(&[front.as_bytes(), &line].concat());
        }
    }
}
