//! Every reply the server itself gives, named, with its code, enhanced code and source. Texts are
//! generic and repeat nothing the peer sent (I8); what the gateway decides is answered by its own replies.

use crate::wire::{Enhanced, Reply};

// 2yz and 3yz
/// RFC 5321 s.4.1.1.8
pub(super) const HELP: Reply =
    Reply::new(214, Enhanced(2, 0, 0), "EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, BDAT, RSET, NOOP, QUIT; see RFC 5321");
/// RFC 3207 s.4
pub(super) const START_TLS: Reply = Reply::new(220, Enhanced(2, 0, 0), "ready to start TLS");
/// RFC 5321 s.4.1.1.10
pub(super) const CLOSING: Reply = Reply::new(221, Enhanced(2, 0, 0), "closing connection");
/// RFC 4954 s.6
pub(super) const AUTHENTICATED: Reply = Reply::new(235, Enhanced(2, 7, 0), "authenticated");
/// RFC 5321 s.4.2.2
pub(super) const OK: Reply = Reply::new(250, Enhanced(2, 0, 0), "ok");
/// RFC 3463 s.3.2
pub(super) const SENDER_OK: Reply = Reply::new(250, Enhanced(2, 1, 0), "sender ok");
/// RFC 3463 s.3.2
pub(super) const RECIPIENT_OK: Reply = Reply::new(250, Enhanced(2, 1, 5), "recipient ok");
/// RFC 3030 s.2
pub(super) const CHUNK_OK: Reply = Reply::new(250, Enhanced(2, 0, 0), "chunk received");
/// draft-hall-prdr-00: at least one recipient gets the message
pub(super) const SOME_TAKEN: Reply = Reply::new(250, Enhanced(2, 0, 0), "message accepted for the recipients answered with 250");
/// RFC 5321 s.3.5.3: says nothing about whether the mailbox exists
pub(super) const CANNOT_VERIFY: Reply = Reply::new(252, Enhanced(2, 0, 0), "cannot verify, send the mail");
/// RFC 4954 s.4: an empty challenge
pub(super) const PLAIN_PROMPT: Reply = Reply::plain(334, "");
/// `Username:` in base64
pub(super) const USERNAME_PROMPT: Reply = Reply::plain(334, "VXNlcm5hbWU6");
/// `Password:` in base64
pub(super) const PASSWORD_PROMPT: Reply = Reply::plain(334, "UGFzc3dvcmQ6");
/// draft-hall-prdr-00, as Exim and swaks speak it
pub(super) const EACH_FOLLOWS: Reply = Reply::plain(353, "one reply for each recipient follows, then one for the message");
/// RFC 5321 s.4.1.1.4
pub(super) const START_DATA: Reply = Reply::plain(354, "send the message, end with a line that holds a dot");

// 4yz
/// RFC 5321 s.3.8
pub(super) const SHUTTING_DOWN: Reply = Reply::new(421, Enhanced(4, 3, 2), "service is shutting down, try again soon");
/// RFC 5321 s.3.8
pub(super) const TOO_MANY_CONNECTIONS: Reply = Reply::new(421, Enhanced(4, 3, 2), "too many connections, try again later");
/// RFC 5321 s.4.5.3.2.7
pub(super) const TIMED_OUT: Reply = Reply::new(421, Enhanced(4, 4, 2), "waited too long, closing connection");
/// RFC 5321 s.7.8
pub(super) const TOO_MANY_COMMANDS: Reply = Reply::new(421, Enhanced(4, 7, 0), "too many commands without a message, closing connection");
/// RFC 5321 s.7.8
pub(super) const TOO_MANY_ERRORS: Reply = Reply::new(421, Enhanced(4, 7, 0), "too many errors, closing connection");
/// RFC 3463 s.3.8: says nothing about the kind of mail
pub(super) const TOO_FAST: Reply = Reply::new(451, Enhanced(4, 7, 1), "this stream has reached its rate, try again in a minute");
/// RFC 5321 s.4.5.3.1.10
pub(super) const OUT_OF_MEMORY: Reply = Reply::new(452, Enhanced(4, 3, 1), "no room for the message now, try again later");
/// RFC 5321 s.4.5.3.1.10 (452, never 552; M-05)
pub(super) const TOO_MANY_RECIPIENTS: Reply = Reply::new(452, Enhanced(4, 5, 3), "enough recipients, send the message and come again");
/// RFC 4954 s.6
pub(super) const AUTH_UNAVAILABLE: Reply = Reply::new(454, Enhanced(4, 7, 0), "authentication is unavailable now, try again later");

// 5yz
/// RFC 2033 s.4.1
pub(super) const LHLO_HERE: Reply = Reply::plain(500, "this is LMTP, say LHLO");
/// RFC 5321 s.4.2.4
pub(super) const UNKNOWN_COMMAND: Reply = Reply::new(500, Enhanced(5, 5, 1), "command not recognised");
/// M-41: a command is refused as a whole, never repaired
pub(super) const BAD_OCTET: Reply = Reply::new(500, Enhanced(5, 5, 2), "command holds a bare CR, a NUL or invalid UTF-8");
/// RFC 5321 s.4.5.3.1.4
pub(super) const LINE_TOO_LONG: Reply = Reply::new(500, Enhanced(5, 5, 2), "command line too long");
/// RFC 4954 s.4
pub(super) const AUTH_LINE_TOO_LONG: Reply = Reply::new(500, Enhanced(5, 5, 6), "authentication line too long");
/// RFC 2034 s.4: no enhanced code in answers to EHLO and HELO
pub(super) const HELLO_SYNTAX: Reply = Reply::plain(501, "syntax: EHLO your.host.name or EHLO [your.ip.address]");
/// RFC 5321 s.4.1.1.2
pub(super) const MAIL_SYNTAX: Reply = Reply::new(501, Enhanced(5, 5, 2), "syntax: MAIL FROM:<address>");
/// RFC 5321 s.4.1.1.3
pub(super) const RCPT_SYNTAX: Reply = Reply::new(501, Enhanced(5, 5, 2), "syntax: RCPT TO:<address>");
/// RFC 5321 s.4.1.1
pub(super) const NO_ARGUMENT: Reply = Reply::new(501, Enhanced(5, 5, 4), "this command takes no argument");
/// RFC 5321 s.4.1.1.11
pub(super) const BAD_PARAMETER: Reply = Reply::new(501, Enhanced(5, 5, 4), "parameter malformed or given twice");
/// RFC 4954 s.4
pub(super) const AUTH_SYNTAX: Reply = Reply::new(501, Enhanced(5, 5, 2), "cannot decode the authentication data");
/// RFC 4954 s.4
pub(super) const AUTH_CANCELLED: Reply = Reply::new(501, Enhanced(5, 7, 0), "authentication cancelled");
/// RFC 3030 s.2: where the chunk ends cannot be told, so the connection ends here
pub(super) const BDAT_SYNTAX: Reply = Reply::new(501, Enhanced(5, 5, 4), "syntax: BDAT size [LAST], closing connection");
/// RFC 5321 s.4.2.4
pub(super) const NOT_OFFERED: Reply = Reply::new(502, Enhanced(5, 5, 1), "command not offered");
/// RFC 5321 s.4.1.4
pub(super) const HELLO_FIRST: Reply = Reply::new(503, Enhanced(5, 5, 1), "send EHLO first");
/// RFC 5321 s.4.1.4
pub(super) const MAIL_FIRST: Reply = Reply::new(503, Enhanced(5, 5, 1), "send MAIL first");
/// RFC 5321 s.3.3
pub(super) const RCPT_FIRST: Reply = Reply::new(503, Enhanced(5, 5, 1), "send RCPT first");
/// RFC 3030 s.2
pub(super) const NO_MIXING: Reply = Reply::new(503, Enhanced(5, 5, 1), "the message is arriving by BDAT, end it with LAST or send RSET");
/// RFC 5321 s.4.1.4
pub(super) const NESTED_MAIL: Reply = Reply::new(503, Enhanced(5, 5, 1), "a transaction is open, send RSET first");
/// RFC 4954 s.4
pub(super) const AUTH_IN_TRANSACTION: Reply = Reply::new(503, Enhanced(5, 5, 1), "not within a mail transaction");
/// RFC 4954 s.4
pub(super) const AUTH_TWICE: Reply = Reply::new(503, Enhanced(5, 5, 1), "already authenticated");
/// RFC 3207 s.4.2
pub(super) const TLS_ALREADY: Reply = Reply::new(503, Enhanced(5, 5, 1), "TLS is already active");
/// RFC 4954 s.4
pub(super) const UNKNOWN_MECHANISM: Reply = Reply::new(504, Enhanced(5, 5, 4), "mechanism not offered, use PLAIN or LOGIN");
/// M-41; Postfix answers the same way since 3.9
pub(super) const BARE_LF: Reply = Reply::new(521, Enhanced(5, 5, 2), "bare LF received: lines must end with CR LF");
/// A browser was talked into sending us its form
pub(super) const NOT_SMTP: Reply = Reply::new(521, Enhanced(5, 5, 1), "this is an SMTP server");
/// RFC 4954 s.6
pub(super) const AUTH_REQUIRED: Reply = Reply::new(530, Enhanced(5, 7, 0), "authentication required");
/// RFC 4954 s.6
pub(super) const AUTH_REFUSED: Reply = Reply::new(535, Enhanced(5, 7, 8), "authentication credentials invalid");
/// RFC 4954 s.6 (M-31)
pub(super) const TLS_REQUIRED: Reply = Reply::new(538, Enhanced(5, 7, 11), "encryption required, send STARTTLS first");
/// RFC 5321 s.4.5.1 asks for a postmaster where mail is received; here it is only passed on
pub(super) const NO_LOCAL_MAILBOX: Reply = Reply::new(550, Enhanced(5, 1, 3), "no local mailboxes here: give the postmaster's domain");
/// M-40, M-41, M-43
pub(super) const BAD_LINES: Reply =
    Reply::new(550, Enhanced(5, 6, 0), "message has a bare CR, a bare LF or a NUL: lines must end with CR LF");
/// RFC 1870 s.6 (M-09)
pub(super) const MESSAGE_TOO_BIG: Reply = Reply::new(552, Enhanced(5, 3, 4), "message is bigger than the announced SIZE");
/// RFC 5321 s.4.5.3.1.6 (M-04): the outbound MTA would fold it and break the signature
pub(super) const TEXT_LINE_TOO_LONG: Reply =
    Reply::new(552, Enhanced(5, 6, 0), "message has a line over 998 octets: encode that part as quoted-printable or base64");
/// RFC 5321 s.4.2.3
pub(super) const BAD_SENDER: Reply = Reply::new(553, Enhanced(5, 1, 7), "sender address malformed");
/// RFC 5321 s.4.2.3
pub(super) const BAD_RECIPIENT: Reply = Reply::new(553, Enhanced(5, 1, 3), "recipient address malformed");
/// RFC 6531 s.3.5
pub(super) const UTF8_NOT_ASKED: Reply = Reply::new(553, Enhanced(5, 6, 7), "address needs the SMTPUTF8 parameter of MAIL");
/// RFC 5321 s.3.3
pub(super) const NO_RECIPIENT: Reply = Reply::new(554, Enhanced(5, 5, 1), "no valid recipient");
/// RFC 2920 s.3.1, RFC 3207 s.4.2 (M-12, M-30)
pub(super) const PIPELINED_TOO_FAR: Reply =
    Reply::new(554, Enhanced(5, 5, 0), "data sent before the reply to this command, closing connection");
/// RFC 5321 s.4.1.1.11
pub(super) const UNKNOWN_PARAMETER: Reply = Reply::new(555, Enhanced(5, 5, 4), "parameter not recognised");

/// The first words on a connection (RFC 5321 s.4.2; no enhanced code, RFC 2034 s.4).
pub(super) fn greeting(hostname: &str, protocol: &str) -> Reply {
    Reply::plain(220, "").with_text(format!("{hostname} {protocol} Consentry"))
}

/// The answer to HELO.
pub(super) fn hello(hostname: &str) -> Reply {
    Reply::plain(250, "").with_text(hostname.to_owned())
}

/// The answer to EHLO and LHLO: what this server itself does, whatever the outbound MTA offers (M-03).
pub(super) fn extended_hello(hostname: &str, size: usize, prdr: bool, starttls: bool, auth: bool) -> Reply {
    let prdr = if prdr { "\nPRDR" } else { "" };
    let starttls = if starttls { "\nSTARTTLS" } else { "" };
    let auth = if auth { "\nAUTH PLAIN LOGIN" } else { "" };
    let text = format!("{hostname}\nPIPELINING\nSIZE {size}\n8BITMIME\nSMTPUTF8\nCHUNKING\nDSN\nENHANCEDSTATUSCODES{prdr}{starttls}{auth}");
    Reply::plain(250, "").with_text(text)
}
