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
/// (RFC 6531 s.3.4), AUTH 500 (RFC 4954 s.3), RET and ENVID 116 (RFC 3461 s.4.3, s.4.4), PRDR 5.
const MAX_MAIL_LINE: usize = MAX_LINE + 26 + 17 + 10 + 500 + 116 + 5;
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
    Lhlo(String),
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
    /// The next `octets` are message data, whatever becomes of them.
    Bdat {
        octets: u64,
        last: bool,
    },
    /// Nobody can tell where the data behind it ends: it must not be read as commands (M-13).
    BadBdat,
    /// Another protocol's request line; also a PROXY header from somebody who may not send one.
    Foreign,
}

/// What MAIL says.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct MailFrom {
    pub(super) sender: Sender,
    /// `SIZE=` in octets (RFC 1870 s.5).
    pub(super) size: Option<u64>,
    /// `PRDR`: the client wants a reply for each recipient (draft-hall-prdr-00).
    pub(super) prdr: bool,
}

impl Command {
    /// Parses a line without its CRLF.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Reply> {
        match Self::understand(line) {
            Err(_) if is_bdat(line) => Ok(Self::BadBdat),
            command => command,
        }
    }

    fn understand(line: &[u8]) -> Result<Self, Reply> {
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
            "LHLO" => Ok(Self::Lhlo(client_name(rest)?)),
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
            "BDAT" => Ok(bdat(rest).unwrap_or(Self::BadBdat)),
            "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" | "CONNECT" | "PROXY" => Ok(Self::Foreign),
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

/// `chunk-size [SP "LAST"]` (RFC 3030 s.2).
fn bdat(rest: &str) -> Option<Command> {
    let (size, last) = match rest.split_once(' ') {
        None => (rest, false),
        Some((size, end)) if end.eq_ignore_ascii_case("LAST") => (size, true),
        Some(_) => return None,
    };
    Some(Command::Bdat { octets: octets(size).ok()?, last })
}

fn mail(rest: &str) -> Result<MailFrom, Reply> {
    let (path, parameters) = path(rest, "FROM:").ok_or(reply::MAIL_SYNTAX)?;
    let (mut size, mut prdr) = (None, false);
    let mut sender = Sender::new(ReversePath::Null);
    for (keyword, value) in once_each(parameters)? {
        match (keyword.as_str(), value) {
            ("SIZE", Some(value)) => size = Some(octets(value)?),
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => sender.body = Body::SevenBit,
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => sender.body = Body::EightBit,
            ("SMTPUTF8", None) => sender.smtputf8 = true,
            ("PRDR", None) => prdr = true,
            ("RET", Some(value)) => sender.ret = Some(Return::parse(value).ok_or(reply::BAD_PARAMETER)?),
            ("ENVID", Some(value)) if value.len() <= MAX_ENVID && is_xtext(value) => sender.envid = Some(value.to_owned()),
            // RFC 4954 s.5: must be understood; from clients not trusted to speak for others it counts as `AUTH=<>`
            ("AUTH", Some(value)) if !value.is_empty() && is_xtext(value) => {}
            ("SIZE" | "BODY" | "SMTPUTF8" | "PRDR" | "RET" | "ENVID" | "AUTH" | "", _) => return Err(reply::BAD_PARAMETER),
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
    Ok(MailFrom { sender, size, prdr })
}

/// True for whatever a client may take for BDAT: octets follow that are no commands (M-13).
fn is_bdat(line: &[u8]) -> bool {
    let (verb, rest) = line.split_at_checked(4).unwrap_or((line, b""));
    verb.eq_ignore_ascii_case(b"BDAT") && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
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
mod tests;
