//! Mail that answers ours, through a real Postfix as the company's inbound MTA: unsubscribing by mail, complaints, bounces.

use std::net::SocketAddr;

use super::newsletter;
use crate::client::Client;
use crate::peers::postfix::Postfix;
use crate::peers::run_with_input;
use crate::sink::{Arrival, Sink};
use crate::world::{World, consentry, link};

const NEWS: &str = "newsletter@acme.example";
const OLIVIA: &str = "olivia@people.example";
const STRANGER: &str = "olivia.private@elsewhere.example";
const SECRET: &str = "correct horse battery staple";

/// A world whose controller has its three mailboxes, read by an inbound listener.
fn world(sink: &Sink, inbound: &str) -> World {
    World::start_with(sink.address(), |setup| {
        let mailboxes =
            "{ unsubscribe_mailbox = \"leave@acme.example\", complaints = \"fbl@acme.example\", bounces = \"bounces@acme.example\" }";
        let from = "from = \"newsletter@acme.example\"";
        setup.config = setup.config.replacen(from, &format!("{from}\nheaders = {mailboxes}"), 1);
        setup.config.push_str(&format!("\n[[listener]]\naddress = \"127.0.0.1:0\"\ninbound = {inbound}\n"));
    })
}

/// Where it takes such mail.
fn inbound(world: &World) -> SocketAddr {
    let log = world.log();
    let line = log.lines().find(|line| line.contains("inbound listens")).unwrap();
    let digits = |char: char| !(char.is_ascii_digit() || ".:".contains(char));
    line.split("127.0.0.1:")
        .nth(1)
        .and_then(|rest| rest.split(digits).next())
        .and_then(|port| format!("127.0.0.1:{port}").parse().ok())
        .unwrap()
}

/// What became of the mails so far, in the gateway's words.
fn taken(world: &World) -> usize {
    world.log().matches("inbound mail").count()
}

/// Hands a mail to `server` as one that nobody knows, and waits until the gateway has dealt with it.
fn deliver(world: &World, server: SocketAddr, from: &str, to: &str, message: &str) {
    let before = taken(world);
    let (code, text) = Client::connect(server).send(from, to, message.as_bytes());
    assert_eq!(code, 250, "{text}");
    while taken(world) == before {
        std::thread::yield_now();
    }
}

fn consent(world: &World, sink: &Sink, who: &str) -> Arrival {
    let before = sink.arrivals().len();
    world.sign_up(who);
    let asked = sink.wait_for(before + 1).pop().unwrap();
    assert_eq!(world.confirm(&link(&asked.message, "/c/")).status, 200);
    asked
}

fn send(world: &World, who: &str, number: u32) -> (u16, String) {
    Client::login(world.smtp, "news").send(NEWS, who, &newsletter(who, number))
}

/// A newsletter that arrived, and the token in it.
fn arrived(world: &World, sink: &Sink, who: &str, number: u32) -> (String, String) {
    let before = sink.arrivals().len();
    let (code, text) = send(world, who, number);
    assert_eq!(code, 250, "{text}");
    let message = String::from_utf8(sink.wait_for(before + 1).pop().unwrap().message).unwrap();
    let token = message.split("mailto:leave@acme.example?subject=").nth(1).and_then(|rest| rest.split('>').next()).unwrap().to_owned();
    (message, token)
}

fn assert_blocked(world: &World, who: &str, number: u32, reason: &str) {
    let (code, text) = send(world, who, number);
    assert!(code == 550 && text.contains(&format!("consent: {reason} ref=")), "{code} {text}");
}

fn mail(from: &str, to: &str, fields: &str, subject: &str, body: &str) -> String {
    format!(
        "From: Olivia <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@people.example>\r\n\
         {fields}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    )
}

#[test]
fn a_mail_unsubscribes_by_its_token_from_any_address_and_without_one_for_its_writer_and_nobody_is_answered() {
    // U-18, M-65, L-OBJ-02
    let sink = Sink::start();
    let world = world(&sink, "{}");
    let mx = Postfix::start(inbound(&world));
    let leave = |from: &str, fields: &str, subject: &str, body: &str| {
        deliver(&world, mx.address(), from, "leave@acme.example", &mail(from, "leave@acme.example", fields, subject, body));
    };
    let mut number = 0;
    // As mail programs write it, as somebody does by hand, and broken in pieces; from another address, and by a program.
    for (fields, before, behind, in_body) in [
        ("", "", "", false),
        ("Auto-Submitted: auto-generated\r\n", "Re: ", "", false),
        ("", "", "", true),
        ("Precedence: bulk\r\n", "unsubscribe ", " please", false),
    ] {
        number += 1;
        let who = format!("olivia{number}@people.example");
        consent(&world, &sink, &who);
        let (_, token) = arrived(&world, &sink, &who, number);
        let (subject, body) = if in_body { ("leave me alone", token.as_str()) } else { (&*format!("{before}{token}{behind}"), "") };
        leave(STRANGER, fields, subject, body);
        assert_blocked(&world, &who, number + 100, "withdrawn");
    }
    // Without a token: who wrote, if it was a person, and if they are on record.
    consent(&world, &sink, OLIVIA);
    let quiet = sink.arrivals().len();
    for (path, fields) in [(STRANGER, ""), (OLIVIA, "Auto-Submitted: auto-replied\r\n"), (OLIVIA, "List-Id: <x.example>\r\n"), ("", "")] {
        let forged = mail(OLIVIA, "leave@acme.example", fields, "Bitte abmelden", "");
        deliver(&world, mx.address(), path, "leave@acme.example", &forged);
    }
    assert_eq!(send(&world, OLIVIA, 201).0, 250, "a program, or somebody else, wrote that");
    leave("nobody@elsewhere.example", "", "stop", "");
    leave(OLIVIA, "", "Bitte abmelden", "Danke");
    assert_blocked(&world, OLIVIA, 202, "objected");
    assert!(!world.log().contains("people.example") && !world.log().contains("elsewhere.example"), "I8");
    assert_eq!(sink.arrivals().len(), quiet + 1, "the newsletter alone: nobody is answered");
    assert!(world.spool("list", &[]).starts_with("0 copies"));
}

#[test]
fn the_inbound_door_leads_nowhere_else() {
    // M-02
    let sink = Sink::start();
    let world = world(&sink, "{}");
    let mut client = Client::connect(inbound(&world));
    let hello = client.command("EHLO mx.acme.example").1;
    assert!(!hello.contains("AUTH"), "{hello}");
    assert_eq!(client.command("AUTH PLAIN AG5ld3MAd29ybGQtcGFzc3dvcmQ=").0, 538);
    assert_eq!(client.command("MAIL FROM:<>").0, 250);
    for (to, code) in [
        (OLIVIA, 550),
        ("newsletter@acme.example", 550),
        ("leave@globex.example", 550),
        ("bounces+12@acme.example", 550),
        ("Leave@ACME.example", 250),
    ] {
        assert_eq!(client.command(&format!("RCPT TO:<{to}>")).0, code, "{to}");
    }
}

/// A mailbox provider's report on a mail (RFC 5965).
fn report(kind: &str, fields: &str, original: &str) -> String {
    let header = original.split("\r\n\r\n").next().unwrap();
    format!(
        "From: <fbl@isp.example>\r\nTo: <fbl@acme.example>\r\nSubject: complaint\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <r@isp.example>\r\n\
         {fields}MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"r\"\r\n\r\n\
         --r\r\nContent-Type: text/plain\r\n\r\nThis is a report.\r\n--r\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: {kind}\r\nUser-Agent: ISP/1.0\r\nVersion: 1\r\n\r\n--r\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}\r\n\r\n--r--\r\n"
    )
}

#[test]
fn a_complaint_stops_mail_to_whoever_complains_and_to_nobody_else() {
    // U-34, U-35, U-36
    let sink = Sink::start();
    let world = world(&sink, "{ authserv_id = \"mx.acme.example\" }");
    let mx = Postfix::start(inbound(&world));
    let (other, leaver) = ("other@people.example", "leaver@people.example");
    for who in [OLIVIA, other, leaver] {
        consent(&world, &sink, who);
    }
    let (copy, _) = arrived(&world, &sink, OLIVIA, 1);
    let (left, _) = arrived(&world, &sink, leaver, 2);
    let quiet = sink.arrivals().len();
    let vouched = "Authentication-Results: mx.acme.example; dkim=pass header.d=isp.example\r\n";
    let forged = "Authentication-Results: mx.evil.example; dkim=pass header.d=isp.example\r\n";
    let complain = |kind: &str, fields: &str, original: &str| {
        deliver(&world, mx.address(), "fbl@isp.example", "fbl@acme.example", &report(kind, fields, original));
    };
    complain("abuse", "", &copy);
    complain("abuse", forged, &copy);
    complain("not-spam", vouched, &copy);
    complain("abuse", vouched, "Subject: a mail of somebody else");
    assert_eq!(send(&world, OLIVIA, 3).0, 250, "an unsigned report, one that is none, and one of another's mail");
    complain("abuse", vouched, &copy);
    complain("opt-out", vouched, &left);
    assert_blocked(&world, OLIVIA, 4, "complained");
    assert_blocked(&world, leaver, 5, "withdrawn");
    assert_eq!(send(&world, other, 6).0, 250, "one complaint does not stop everybody");
    assert_eq!(sink.arrivals().len(), quiet + 2, "nobody is answered");
}

#[test]
fn a_confirmation_mail_that_comes_back_is_noted_at_its_sign_up() {
    // M-66
    let sink = Sink::start();
    let world = world(&sink, "{}");
    let file = world.dir.path().join("consentry.toml").display().to_string();
    consentry(&["user", "add-operator", "--config", &file, "--name", "ida", "--role", "legal"], SECRET);
    let mx = Postfix::start(inbound(&world));
    world.sign_up(OLIVIA);
    let asked = sink.wait_for(1).pop().unwrap();
    let path = asked.from.clone();
    assert!(path.starts_with("bounces+") && path.ends_with("@acme.example"), "{path}");
    let bounce = |action: &str| {
        format!(
            "From: MAILER-DAEMON <>\r\nTo: <{path}>\r\nSubject: Undelivered\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <b@mx.example>\r\n\
             Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"r\"\r\n\r\n\
             --r\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
             Final-Recipient: rfc822; {OLIVIA}\r\nAction: {action}\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--r--\r\n"
        )
    };
    let events = || {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_consentry"));
        program.args([
            "subject",
            "access",
            "--config",
            &file,
            "--email",
            OLIVIA,
            "--controller",
            "acme",
            "--as",
            "ida",
            "--reason",
            "a look",
        ]);
        let output = run_with_input(&mut program, SECRET.as_bytes(), true);
        String::from_utf8(output.stdout).unwrap()
    };
    deliver(&world, mx.address(), "", &path, &bounce("delayed"));
    assert!(!events().contains("doi_bounced"));
    for _ in 0..2 {
        deliver(&world, mx.address(), "", &path, &bounce("failed"));
    }
    let told = events();
    assert_eq!(told.matches("doi_bounced").count(), 1, "{told}");
    assert_eq!(sink.arrivals().len(), 1, "nobody is answered");
    // Somebody reads that mailbox after all: the bounce was another's word.
    assert_eq!(world.confirm(&link(&asked.message, "/c/")).status, 200);
    deliver(&world, mx.address(), "", &path, &bounce("failed"));
    assert_eq!(send(&world, OLIVIA, 1).0, 250);
}
