//! The harness tried without the product: if this fails, look here before looking at the gateway.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::certificate::Certificate;
use super::daemon::Daemon;
use super::dkim::Verifier;
use super::ma_tools::{MaTool, Submission};
use super::postfix::Postfix;
use crate::environment;
use crate::sink::Sink;

/// Lines that a careless tool would alter: dots, swaks' tokens, blanks at the end, 8-bit text.
const MESSAGE: &str = "From: Shop <news@brand.example>\r\nTo: pat@customer.example\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\n\
    Message-ID: <1@brand.example>\r\nSubject: offer\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: 8bit\r\n\r\n.\r\n..two\r\n%FROM_ADDRESS% \\n\r\n  \r\nGr\u{fc}\u{df}e\r\n\r\n";

#[test]
fn a_message_of_every_tool_passes_a_real_postfix_unaltered() {
    let sink = Sink::start();
    let postfix = Postfix::start(sink.address());
    assert!(sink.arrivals().is_empty());
    let (_directory, eml) = file(MESSAGE);
    let messages = environment::long_or(MaTool::ALL.len(), 100);
    for (count, tool) in MaTool::ALL.into_iter().cycle().take(messages).enumerate() {
        let to = format!("{tool:?}-{count}@customer.example");
        let submission =
            Submission { eml: &eml, from: "bounce@brand.example", to: &to, host: postfix.address(), auth: None, starttls: false };
        let answer = tool.send(&submission);
        assert!(answer.accepted && answer.code == Some(250) && answer.text.starts_with("2.0.0 Ok: queued as"), "{tool:?}: {answer:?}");

        let arrival = sink.wait_for(count + 1).remove(count);
        assert_eq!((arrival.from.as_str(), arrival.to.as_slice()), ("bounce@brand.example", &[to][..]));
        let text = String::from_utf8(arrival.message).unwrap();
        let (added, own) = text.split_at(text.len() - MESSAGE.len());
        assert_eq!(own, MESSAGE, "{tool:?}");
        assert!(added.starts_with("Received: from ma.example"), "{tool:?}: {added}");
    }
    assert!(postfix.log().contains("status=sent (250 2.0.0 Ok: kept)"), "{}", postfix.log());
}

#[test]
fn every_tool_speaks_starttls_with_a_real_postfix() {
    let sink = Sink::start();
    let tls = Certificate::for_host("mta.example");
    let (certificate, key) = (tls.certificate(), tls.key());
    let settings = format!("smtpd_tls_security_level = encrypt\nsmtpd_tls_chain_files = {} {}\n", key.display(), certificate.display());
    let postfix = Postfix::start_with(sink.address(), &settings);
    let (_directory, eml) = file(MESSAGE);
    for tool in MaTool::ALL {
        let plain = Submission { eml: &eml, from: "", to: "pat@customer.example", host: postfix.address(), auth: None, starttls: false };
        let refused = tool.send(&plain);
        assert_eq!((refused.accepted, refused.code), (false, Some(530)), "{tool:?}: {refused:?}");
        let answer = tool.send(&Submission { starttls: true, ..plain });
        assert_eq!((answer.accepted, answer.code), (true, Some(250)), "{tool:?}: {answer:?}");
    }
    let arrivals = sink.wait_for(MaTool::ALL.len());
    assert!(arrivals.iter().all(|arrival| arrival.from.is_empty()), "{arrivals:?}");
}

#[test]
fn postfix_is_gone_with_everything_it_started() {
    let sink = Sink::start();
    let postfix = Postfix::start(sink.address());
    let address = postfix.address();
    drop(postfix);
    assert!(TcpListener::bind(address).is_ok());
}

#[test]
fn every_tool_reports_the_reply_that_refused_its_message() {
    let (_directory, eml) = file(MESSAGE);
    for (verb, reply, code, text) in [
        ("AUTH", "535 5.7.8 wrong credentials\r\n", Some(535), "5.7.8 wrong credentials"),
        ("MAIL", "550 5.7.1 not from here\r\n", Some(550), "5.7.1 not from here"),
        ("RCPT", "452 4.5.3 one at a time\r\n", Some(452), "4.5.3 one at a time"),
        (".", "550 5.7.1 consent: withdrawn ref=1\r\n", Some(550), "5.7.1 consent: withdrawn ref=1"),
        (".", "451 4.3.0 later\r\n", Some(451), "4.3.0 later"),
    ] {
        for tool in MaTool::ALL {
            let submission = Submission {
                eml: &eml,
                from: "bounce@brand.example",
                to: "pat@customer.example",
                host: one_session(verb, reply),
                auth: (verb == "AUTH").then_some(("user", "secret")),
                starttls: false,
            };
            let answer = tool.send(&submission);
            assert_eq!((answer.accepted, answer.code, answer.text.as_str()), (false, code, text), "{tool:?} at {verb}");
        }
    }
}

#[test]
fn a_tool_that_loses_the_connection_at_the_dot_got_no_reply() {
    let (_directory, eml) = file(MESSAGE);
    for tool in MaTool::ALL {
        let host = one_session(".", "");
        let submission = Submission { eml: &eml, from: "b@brand.example", to: "pat@customer.example", host, auth: None, starttls: false };
        let answer = tool.send(&submission);
        assert_eq!((answer.accepted, answer.code), (false, None), "{tool:?}: {answer:?}");
    }
}

#[test]
fn all_verifiers_find_a_broken_signature_and_its_fields() {
    let signed = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=brand.example; s=s1;\r\n\
         \th=From:from:List-Unsubscribe; bh=AAAA; b=AAAA\r\n{MESSAGE}"
    );
    for verifier in Verifier::ALL {
        assert_eq!(verifier.verify(MESSAGE.as_bytes(), "s1._domainkey.brand.example", "v=DKIM1; p="), [], "{verifier:?}");
        let found = verifier.verify(signed.as_bytes(), "s1._domainkey.brand.example", "v=DKIM1; p=");
        let [signature] = &found[..] else { panic!("{verifier:?}: {found:?}") };
        assert!(!signature.passed && signature.result.starts_with("fail: "), "{verifier:?}: {found:?}");
        assert_eq!((signature.domain.as_str(), signature.selector.as_str()), ("brand.example", "s1"));
        assert_eq!(signature.signed_fields, ["from", "from", "list-unsubscribe"], "{verifier:?}");
    }
}

#[test]
fn a_daemon_is_heard_and_ends_when_told() {
    let mut daemon =
        Daemon::spawn("shell", Command::new("/bin/sh").args(["-c", "echo ready on 25; read line; echo $line; exec cat /dev/zero"]));
    assert_eq!(daemon.wait_for_line(|line| line.strip_prefix("ready on ").map(str::to_owned)), "25");
    assert!(!daemon.terminate().success());
}

/// A server for one session that answers `verb` (or the final dot) with `reply`, all else with success;
/// an empty reply closes the connection instead.
fn one_session(verb: &'static str, reply: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut in_data = false;
        stream.write_all(b"220 stand-in ESMTP\r\n").unwrap();
        while let Some(Ok(line)) = lines.next() {
            let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let answer = match word.as_str() {
                _ if in_data && line != "." => continue,
                word if word == verb && reply.is_empty() => return,
                word if word == verb => reply,
                "DATA" => "354 go ahead\r\n",
                "EHLO" => "250-stand-in\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
                "QUIT" => "221 bye\r\n",
                _ => "250 ok\r\n",
            };
            in_data = word == "DATA";
            // A client that has heard enough may be gone.
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    address
}

fn file(message: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("message.eml");
    std::fs::write(&path, message).unwrap();
    (directory, path)
}
