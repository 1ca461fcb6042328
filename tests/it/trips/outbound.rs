//! What the outbound MTA asks of a mail, and what it is spared.

use super::{count, receipt};
use crate::client::Client;
use crate::peers::postfix::Postfix;
use crate::sink::Sink;
use crate::world::{World, link};

const FROM: &str = "newsletter@acme.example";
const TO: &str = "olivia@people.example";
/// What this Postfix takes, in octets.
const LIMIT: usize = 300_000;

/// Octets of the largest message that a client which connects now is told of.
fn announced(world: &World) -> usize {
    let hello = Client::login(world.smtp, "news").command("EHLO tool.acme.example").1;
    hello.lines().find_map(|line| line.trim().strip_prefix("SIZE ")).unwrap().parse().unwrap()
}

/// A newsletter of exactly that many octets.
fn newsletter_of(octets: usize, number: u32) -> Vec<u8> {
    let mut mail = format!(
        "From: Acme <{FROM}>\r\nTo: <{TO}>\r\nSubject: Lamps\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <large.{number}@acme.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nNew lamps.\r\n--b\r\nContent-Type: text/html\r\n\r\n<html><body><p>New lamps.</p>\r\n"
    )
    .into_bytes();
    let end = b"</body></html>\r\n--b--\r\n";
    while mail.len() + end.len() + 80 < octets {
        mail.extend_from_slice(&[b"<!--".as_slice(), &[b'x'; 71], b"-->\r\n"].concat()[..80]);
    }
    mail.resize(octets - end.len() - 2, b' ');
    mail.extend_from_slice(b"\r\n");
    mail.extend_from_slice(end);
    mail
}

#[test]
fn a_message_of_the_announced_size_fits_a_real_postfix_with_all_that_is_added() {
    // M-10
    let sink = Sink::start();
    let postfix = Postfix::start_with(sink.address(), &format!("message_size_limit = {LIMIT}\n"));
    let world = World::start(postfix.address());
    let mut before = Client::login(world.smtp, "news"); // nobody knows of Postfix's limit yet
    world.sign_up(TO);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);

    let size = announced(&world);
    assert!((LIMIT / 2..LIMIT).contains(&size), "{size}");
    let mut tool = Client::login(world.smtp, "news");
    let (code, text) = tool.send(FROM, TO, &newsletter_of(size, 1));
    assert_eq!(code, 250, "{text}\n{}", postfix.log());
    let arrived = sink.wait_for(2).pop().unwrap().message;
    assert!(arrived.len() > size + 1000 && count(&arrived, "List-Unsubscribe") == 1, "{}", arrived.len());

    // M-09: one octet more is refused, at MAIL where it is declared
    assert_eq!(tool.command(&format!("MAIL FROM:<{FROM}> SIZE={}", size + 1)).0, 552);
    let (code, text) = tool.send(FROM, TO, &newsletter_of(size + 1, 2));
    assert_eq!((code, text.starts_with("5.3.4 ")), (552, true), "{text}");
    // Who connected earlier was told of more: what does not fit is refused all the same, and nothing waits.
    let (code, text) = before.send(FROM, TO, &newsletter_of(LIMIT, 3));
    assert_eq!((code, text.starts_with("5.3.4 ")), (552, true), "{text}");
    assert!(world.spool("list", &[]).starts_with("0 copies"));
    assert_eq!(sink.arrivals().len(), 2);
}

#[test]
fn delivered_to_is_neither_added_nor_taken_for_a_loop() {
    // M-52
    let sink = Sink::start();
    let world = World::start(sink.address());
    let mut shop = Client::login(world.smtp, "shop");
    let field = format!("Delivered-To: {TO}\r\n");
    for (number, fields) in [String::new(), field.clone(), field.repeat(3)].iter().enumerate() {
        let mail = [fields.as_bytes(), &receipt(TO, u32::try_from(number).unwrap())].concat();
        let (code, text) = shop.send("shop@acme.example", TO, &mail);
        assert_eq!(code, 250, "{text}");
        let arrived = sink.wait_for(number + 1).pop().unwrap().message;
        assert!(arrived.ends_with(&mail), "{}", String::from_utf8_lossy(&arrived));
        assert_eq!(count(&arrived, "Delivered-To"), count(&mail, "Delivered-To"));
    }
}
