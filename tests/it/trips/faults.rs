//! Trips that go wrong: the outbound MTA refuses, hangs or is away; the process dies half-way.

use std::net::{SocketAddr, TcpListener};

use tokio::runtime::Runtime;

use super::receipt;
use crate::client::Client;
use crate::fake_mta::{Act, FakeMta, Script, Stage};
use crate::world::World;

const FROM: &str = "shop@acme.example";
const TO: &str = "lukas@people.example";

#[test]
fn the_outbound_mtas_answer_is_the_clients_answer_without_its_words() {
    // M-54, I2: code and status are carried back, the text may hold an address and is not (I8)
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start(mta.address());
    let mut client = Client::login(world.smtp, "shop");
    let rows: &[(Stage, &'static str, u16, &str, &str)] = &[
        (Stage::Mail, "451 4.3.5 later, lukas@people.example", 451, "4.3.5 outbound MTA deferred", "deferred"),
        (Stage::Rcpt, "550 5.1.1 <lukas@people.example> unknown", 550, "5.1.1 outbound MTA refused", "rejected"),
        (Stage::Rcpt, "452 full", 452, "4.0.0 outbound MTA deferred", "deferred"),
        (Stage::Mail, "530 5.7.0 Must issue a STARTTLS command first", 451, "4.7.0 outbound MTA does not accept this gateway", "rejected"),
        (Stage::Dot, "554 5.7.1 spam", 554, "5.7.1 outbound MTA refused", "rejected"),
        (Stage::Dot, "421 4.3.2 going down", 451, "4.3.2 outbound MTA deferred", "deferred"),
    ];
    for (number, (stage, says, code, text, outcome)) in (1..).zip(rows) {
        mta.set(Script::new().on(*stage, Act::Say(says)));
        let reply = client.send(FROM, TO, &receipt(TO, number));
        assert_eq!(reply.0, *code, "{says}");
        assert!(reply.1.starts_with(text) && !reply.1.contains("lukas"), "{says}: {}", reply.1);
        assert_eq!(runtime.block_on(async { mta.received().len() }), 0, "{says}");
        let decision = settled(&world);
        assert_eq!(decision["outcome"]["outcome"], *outcome, "{says}");
    }
    mta.set(Script::new());
    assert_eq!(client.send(FROM, TO, &receipt(TO, 9)).0, 250);
    assert_eq!(runtime.block_on(mta.wait_received(1)).len(), 1);
}

/// Asking again is the only way to see a record; a program that never makes it is found out.
const ASKED_AT_MOST: u32 = 20_000;

/// The newest decision once its outcome is there: outcomes follow batched.
fn settled(world: &World) -> serde_json::Value {
    let mut newest = (0..ASKED_AT_MOST).map(|_| world.decisions().swap_remove(0));
    newest.find(|decision| !decision["outcome"].is_null()).expect("an outcome")
}

#[test]
fn with_the_outbound_mta_away_the_client_keeps_its_mail() {
    let world = World::start(nobody_listens());
    let mut client = Client::login(world.smtp, "shop");
    let (code, text) = client.send(FROM, TO, &receipt(TO, 1));
    assert_eq!(code, 451, "{text}");
    assert_eq!(settled(&world)["outcome"]["outcome"], "unreachable");
}

/// A port that was free a moment ago.
fn nobody_listens() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn killed_between_record_and_dot_nothing_has_left_and_the_client_has_no_250() {
    let runtime = Runtime::new().unwrap();
    for (stage, act) in [(Stage::Mail, Act::Hang), (Stage::Data, Act::Hang)] {
        let mta = runtime.block_on(FakeMta::start(Script::new().on(stage, act)));
        let mut world = World::start(mta.address());
        let mut client = Client::login(world.smtp, "shop");
        for command in [format!("MAIL FROM:<{FROM}>"), format!("RCPT TO:<{TO}>"), "DATA".to_owned()] {
            assert!(client.command(&command).0 < 400);
        }
        client.data(&receipt(TO, 1));
        runtime.block_on(mta.wait_reached(stage, 1));
        // The outbound MTA has the envelope and holds its answer: the record is made, the dot is not sent.
        assert!((0..ASKED_AT_MOST).any(|_| !world.decisions().is_empty()));
        world.crash_and_restart();
        assert_eq!(client.reply().0, 0, "no answer, so the client keeps the mail");
        mta.release();
        let decisions = world.decisions();
        assert_eq!(decisions.len(), 1);
        assert_eq!((&decisions[0]["reason"], &decisions[0]["outcome"]), (&"transactional".into(), &serde_json::Value::Null));
        runtime.block_on(mta.wait_closed(1));
        assert!(mta.received().is_empty(), "nothing was delivered");

        // The client sends again, and it arrives once.
        mta.set(Script::new());
        assert_eq!(Client::login(world.smtp, "shop").send(FROM, TO, &receipt(TO, 1)).0, 250);
        assert_eq!(runtime.block_on(mta.wait_received(1)).len(), 1);
    }
}

#[test]
fn malformed_mails_and_foreign_senders_are_refused_with_the_place() {
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start(mta.address());
    let mut client = Client::login(world.smtp, "shop");
    let with = |header: &str| format!("{header}\r\n\r\nText.\r\n").into_bytes();
    for (from, message, code, text) in [
        // M-02: the envelope at MAIL, the header at end-of-data
        ("shop@other.example", with("From: <shop@acme.example>"), 550, "5.7.1"),
        (FROM, with("From: <shop@other.example>"), 550, "5.7.1 consent: from_not_allowed ref="),
        (FROM, with("From: <shop@acme.example>, <shop@other.example>"), 550, "5.7.1 consent: from_not_allowed ref="),
        (FROM, with("From: <shop@acme.example>\r\nSender: <x@other.example>"), 550, "5.7.1 consent: from_not_allowed ref="),
        // M-44
        (FROM, with("From: <shop@acme.example>\r\nFrom: <shop@acme.example>"), 554, "5.6.0 header field From stands more than once"),
        (FROM, with("Subject: no sender"), 554, "5.6.0 header field From is missing"),
        (FROM, with("From: <shop@acme.example>\r\nnonsense"), 554, "5.6.0 header line 2 is not a field"),
        // M-51
        (FROM, with(&format!("{}From: <shop@acme.example>", "Received: x\r\n".repeat(100))), 554, "5.4.6"),
        // M-40, M-41
        (FROM, b"From: <shop@acme.example>\r\n\r\na\n.\nb\r\n".to_vec(), 550, "5.6.0"),
    ] {
        let reply = client.send(from, TO, &message);
        assert_eq!(reply.0, code, "{text}: {}", reply.1);
        assert!(reply.1.contains(text), "{text}: {}", reply.1);
    }
    assert_eq!(mta.connections(), 0, "M-58: nothing of it reached the outbound MTA");
}
