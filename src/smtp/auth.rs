//! SASL PLAIN (RFC 4616) and LOGIN as exchanges of lines. Decodes only: whether the password is
//! right is the handler's business.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::reply;
use crate::wire::Reply;

/// RFC 4954 s.4: octets of one line of the exchange, CRLF included.
pub(super) const MAX_AUTH_LINE: usize = 12_288;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    Login,
}

/// What the client claims; no `Debug`, so it cannot be logged.
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: Zeroizing<String>,
}

/// An exchange that waits for the client's next line.
pub(super) enum Exchange {
    Plain,
    LoginUsername,
    LoginPassword { username: String },
}

/// What one line led to.
pub(super) enum Progress {
    Prompt(Exchange, Reply),
    Complete(Credentials),
    Refuse(Reply),
}

/// Begins with the `AUTH` command itself.
pub(super) fn begin(mechanism: Mechanism, initial: Option<&str>) -> Progress {
    let (exchange, prompt) = match mechanism {
        Mechanism::Plain => (Exchange::Plain, reply::PLAIN_PROMPT),
        Mechanism::Login => (Exchange::LoginUsername, reply::USERNAME_PROMPT),
    };
    match initial {
        None => Progress::Prompt(exchange, prompt),
        Some("=") => exchange.answer(b""), // RFC 4954 s.4: an initial response that is empty
        Some(initial) => exchange.answer(initial.as_bytes()),
    }
}

impl Exchange {
    /// The client's line, without its CRLF.
    pub(super) fn answer(self, line: &[u8]) -> Progress {
        if line.len() + 2 > MAX_AUTH_LINE {
            return Progress::Refuse(reply::AUTH_LINE_TOO_LONG);
        }
        if line == b"*" {
            return Progress::Refuse(reply::AUTH_CANCELLED);
        }
        let Some(text) = decode(line) else { return Progress::Refuse(reply::AUTH_SYNTAX) };
        match self {
            Self::Plain => plain(&text),
            Self::LoginUsername if text.is_empty() => Progress::Refuse(reply::AUTH_SYNTAX),
            Self::LoginUsername => Progress::Prompt(Self::LoginPassword { username: text.as_str().to_owned() }, reply::PASSWORD_PROMPT),
            Self::LoginPassword { username } => Progress::Complete(Credentials { username, password: text }),
        }
    }
}

/// RFC 4616 s.2: `[authzid] NUL authcid NUL passwd`.
fn plain(text: &str) -> Progress {
    let mut parts = text.split('\0');
    let (Some(acting_for), Some(username), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Progress::Refuse(reply::AUTH_SYNTAX);
    };
    if username.is_empty() || password.is_empty() {
        return Progress::Refuse(reply::AUTH_SYNTAX);
    }
    // A stream's credential speaks for that stream only.
    if !acting_for.is_empty() && acting_for != username {
        return Progress::Refuse(reply::AUTH_REFUSED);
    }
    Progress::Complete(Credentials { username: username.to_owned(), password: Zeroizing::new(password.to_owned()) })
}

fn decode(line: &[u8]) -> Option<Zeroizing<String>> {
    let bytes = Zeroizing::new(STANDARD.decode(line).ok()?);
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(progress: Progress) -> Result<(String, String), u16> {
        match progress {
            Progress::Complete(given) => Ok((given.username, given.password.to_string())),
            Progress::Refuse(reply) | Progress::Prompt(_, reply) => Err(reply.code),
        }
    }

    #[test]
    fn plain_is_decoded_or_refused() {
        let given = |user: &str, password: &str| Ok((user.to_owned(), password.to_owned()));
        for (plain, expected) in [
            (&b"\0shop\0secret"[..], given("shop", "secret")),
            (b"shop\0shop\0secret", given("shop", "secret")),
            (b"other\0shop\0secret", Err(535)),
            (b"\0shop", Err(501)),
            (b"\0shop\0secret\0more", Err(501)),
            (b"\0\0secret", Err(501)),
            (b"\0shop\0", Err(501)),
            (b"\0shop\0\xff", Err(501)),
            (b"", Err(501)),
        ] {
            assert_eq!(outcome(Exchange::Plain.answer(STANDARD.encode(plain).as_bytes())), expected, "{plain:?}");
        }
        let too_long = "A".repeat(MAX_AUTH_LINE);
        for (line, code) in [("*", 501), ("not base64", 501), ("AGE", 501), (&too_long, 500)] {
            assert_eq!(outcome(Exchange::Plain.answer(line.as_bytes())), Err(code), "{code}");
        }
    }

    #[test]
    fn an_initial_response_saves_a_prompt() {
        // M-32
        assert_eq!(outcome(begin(Mechanism::Plain, None)), Err(334));
        assert_eq!(outcome(begin(Mechanism::Login, Some("c2hvcA=="))), Err(334));
        assert_eq!(outcome(begin(Mechanism::Plain, Some("="))), Err(501));
        assert_eq!(outcome(begin(Mechanism::Plain, Some("AGEAYg=="))), Ok(("a".into(), "b".into())));
    }

    #[test]
    fn login_asks_for_name_and_password() {
        let Progress::Prompt(exchange, prompt) = begin(Mechanism::Login, None) else { panic!("no prompt") };
        assert_eq!(STANDARD.decode(&*prompt.text).expect("base64"), b"Username:");
        let Progress::Prompt(exchange, prompt) = exchange.answer(b"c2hvcA==") else { panic!("no prompt") };
        assert_eq!(STANDARD.decode(&*prompt.text).expect("base64"), b"Password:");
        assert_eq!(outcome(exchange.answer(b"c2VjcmV0")), Ok(("shop".into(), "secret".into())));
    }
}
