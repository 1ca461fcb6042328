//! The envelope as the outbound MTA hears it: MAIL, RCPT and DATA with the parameters it announced to
//! understand. Pure.

use std::io::Write as _;

use super::extensions::{Extensions, needs_smtputf8};
use crate::mail::{Body, Envelope};

/// Writes MAIL, RCPT and DATA, one line each.
pub(super) fn write_envelope(envelope: &Envelope, announced: Extensions, out: &mut Vec<u8>) {
    let Envelope { sender, recipient } = envelope;
    out.extend_from_slice(b"MAIL FROM:<"); // the null path stays <> (M-53)
    out.extend_from_slice(sender.reverse_path.as_str().as_bytes());
    out.push(b'>');
    // RFC 6152 s.2: only where it was announced
    if sender.body == Body::EightBit && announced.eight_bit_mime {
        out.extend_from_slice(b" BODY=8BITMIME");
    }
    if needs_smtputf8(envelope) {
        out.extend_from_slice(b" SMTPUTF8");
    }
    // RFC 3461 s.5.2.1: passed on unchanged, none added (M-62)
    let dsn = |keyword: &str, value: Option<&str>, out: &mut Vec<u8>| {
        if let Some(value) = value.filter(|value| announced.dsn && is_one_word(value)) {
            [" ", keyword, "=", value].iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        }
    };
    dsn("RET", sender.ret.map(|ret| ret.as_str()), out);
    dsn("ENVID", sender.envid.as_deref(), out);
    out.extend_from_slice(b"\r\nRCPT TO:<");
    out.extend_from_slice(recipient.address.as_str().as_bytes()); // byte-exact (M-20)
    out.push(b'>');
    if let Some(notify) = recipient.notify.filter(|_| announced.dsn) {
        write!(out, " NOTIFY={notify}").expect("a Vec takes everything");
    }
    dsn("ORCPT", recipient.orcpt.as_deref(), out);
    out.extend_from_slice(b"\r\nDATA\r\n");
}

/// A value with a space or line end would be a second parameter or command: it is left out, whoever made it (I10).
fn is_one_word(value: &str) -> bool {
    !value.is_empty() && !value.bytes().any(|octet| octet <= b' ' || octet == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Address, Notify, Recipient, Return, ReversePath, Sender};

    #[test]
    fn reports_are_asked_for_as_the_client_did_and_only_where_they_are_known() {
        // M-62
        let address = |text: &str| Address::parse(text).expect("valid");
        let plain = Envelope {
            sender: Sender::new(ReversePath::Mailbox(address("a@x.example"))),
            recipient: Recipient::new(address("b@x.example")),
        };
        let mut full = plain.clone();
        full.sender.ret = Some(Return::Headers);
        full.sender.envid = Some("QQ+2B314159".to_owned());
        full.recipient.notify = Some(Notify { success: true, failure: true, delay: false });
        full.recipient.orcpt = Some("rfc822;B@x.example".to_owned());
        let mut never = plain.clone();
        never.recipient.notify = Some(Notify::default());
        let mut injected = plain.clone();
        injected.sender.envid = Some("a\r\nRCPT TO:<c@x.example>".to_owned());
        injected.recipient.orcpt = Some("rfc822;b NOTIFY=NEVER".to_owned());
        for (envelope, dsn, mail, rcpt) in [
            (&plain, true, "", ""),
            (&full, true, " RET=HDRS ENVID=QQ+2B314159", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;B@x.example"),
            (&full, false, "", ""),
            (&never, true, "", " NOTIFY=NEVER"),
            (&injected, true, "", ""),
        ] {
            let mut out = Vec::new();
            write_envelope(envelope, Extensions { dsn, ..Extensions::default() }, &mut out);
            let expected = format!("MAIL FROM:<a@x.example>{mail}\r\nRCPT TO:<b@x.example>{rcpt}\r\nDATA\r\n");
            assert_eq!(String::from_utf8(out), Ok(expected));
        }
    }
}
