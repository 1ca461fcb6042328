//! Trips that go wrong: the outbound MTA refuses, hangs or is away; the process dies half-way.

use tokio::runtime::Runtime;

use super::receipt;
use crate::client::Client;
use crate::fake_mta::{Act, FakeMta, Script, Stage};
use crate::world::World;

const FROM: &str = "shop@acme.example";
const TO: &str = "lukas@people.example";

#[test]
fn the_outbound_mtas_refusal_is_the_clients_answer_without_its_words() {
    // M-54, I2: code and status are carried back, the text may hold an address and is not (I8)
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start(mta.address());
    let mut client = Client::login(world.smtp, "shop");
    let rows: &[(Stage, &'static str, u16, &str)] = &[
        (Stage::Rcpt, "550 5.1.1 <lukas@people.example> unknown", 550, "5.1.1 outbound MTA refused"),
        (Stage::Mail, "550 not from lukas", 550, "5.0.0 outbound MTA refused"),
        (Stage::Dot, "554 5.7.1 spam", 554, "5.7.1 outbound MTA refused"),
    ];
    for (number, (stage, says, code, text)) in (1..).zip(rows) {
        mta.set(Script::new().on(*stage, Act::Say(says)));
        let reply = client.send(FROM, TO, &receipt(TO, number));
        assert_eq!(reply.0, *code, "{says}");
        assert!(reply.1.starts_with(text) && !reply.1.contains("lukas"), "{says}: {}", reply.1);
        assert_eq!(settled(&world)["outcome"]["outcome"], "rejected", "{says}");
    }
    mta.set(Script::new());
    assert_eq!(client.send(FROM, TO, &receipt(TO, 9)).0, 250);
    assert_eq!(runtime.block_on(mta.wait_received(1)).len(), 1, "and nothing of what was refused");
}

/// Asking again is the only way to see a record; a program that never makes it is found out.
const ASKED_AT_MOST: u32 = 20_000;

/// The newest decision once its outcome is there: outcomes follow batched.
fn settled(world: &World) -> serde_json::Value {
    let mut newest = (0..ASKED_AT_MOST).map(|_| world.decisions().swap_remove(0));
    newest.find(|decision| !decision["outcome"].is_null()).expect("an outcome")
}

#[test]
fn what_the_outbound_mta_does_not_take_now_is_taken_here_and_arrives_once() {
    // I2, M-54: fault of the outbound MTA x result; none lost, none twice
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start(mta.address());
    let mut client = Client::login(world.smtp, "shop");
    let faults = [
        (Stage::Mail, Act::Say("451 4.3.5 later")),
        (Stage::Mail, Act::Say("530 5.7.0 Must issue a STARTTLS command first")),
        (Stage::Mail, Act::Drop),
        (Stage::Rcpt, Act::Say("452 full")),
        (Stage::Rcpt, Act::Drop),
        (Stage::Data, Act::Say("451 4.3.0 later")),
        (Stage::Data, Act::Drop),
        (Stage::Data, Act::Garbage),
        (Stage::Body, Act::Drop),
        (Stage::Dot, Act::Say("421 4.3.2 going down")),
        (Stage::Dot, Act::Say("451 4.3.0 disk full")),
        (Stage::Dot, Act::Garbage),
        (Stage::Dot, Act::Drop),
        (Stage::Greeting, Act::Say("554 no")),
        (Stage::Greeting, Act::Drop),
        (Stage::Ehlo, Act::Drop),
    ];
    for (number, (stage, act)) in (1..).zip(faults) {
        mta.set(Script::new().on(stage, act));
        let (code, text) = client.send(FROM, TO, &receipt(TO, number));
        assert!(code == 250 && text.starts_with("2.0.0 taken, delivery follows ref="), "{stage:?} {act:?}: {code} {text}");
        // The next fault meets a fresh connection.
        mta.set(Script::new().on(Stage::Kept, Act::Drop));
        world.spool("retry", &["--all"]);
        let arrived = runtime.block_on(mta.wait_received(number as usize));
        assert_eq!(count(&arrived, number), 1, "{stage:?} {act:?}");
    }
    world.wait_for_empty_spool();
    let arrived = mta.received();
    assert!((1..=16).all(|number| count(&arrived, number) == 1), "each once");
    assert!(arrived.iter().all(|mail| mail.reverse_path == FROM), "no reports");
    assert_eq!(settled(&world)["outcome"]["outcome"], "accepted");
}

fn count(arrived: &[crate::fake_mta::Received], number: u32) -> usize {
    let subject = format!("Subject: Rechnung {number}\r\n");
    arrived.iter().filter(|mail| String::from_utf8_lossy(&mail.message).contains(&subject)).count()
}

#[test]
fn an_answer_that_takes_long_is_awaited_without_the_client() {
    // M-08: the copy is in doubt, the client is rid of it, the late 250 ends it
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new().on(Stage::Dot, Act::Hang)));
    let mut world = World::start(mta.address());
    let (code, text) = Client::login(world.smtp, "shop").send(FROM, TO, &receipt(TO, 1));
    assert!(code == 250 && text.starts_with("2.0.0 taken, delivery follows"), "{code} {text}");
    assert!(world.spool("list", &[]).contains("\tuncertain\tshop\t"));
    mta.release();
    world.wait_for_empty_spool();
    assert_eq!(settled(&world)["outcome"]["outcome"], "accepted");
    assert_eq!(mta.received().len(), 1, "once");

    // Silence at any earlier stage is the spool's matter, too.
    for (number, stage) in (11..).zip([Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Greeting, Stage::Ehlo]) {
        mta.set(Script::new().on(stage, Act::Hang).on(Stage::Kept, Act::Drop));
        let (code, text) = Client::login(world.smtp, "shop").send(FROM, TO, &receipt(TO, number));
        assert!(code == 250 && text.starts_with("2.0.0 taken, delivery follows"), "{stage:?}: {code} {text}");
        mta.release();
        assert!((0..2_000).any(|_| world.spool("list", &[]).starts_with("0 copies")), "{stage:?}");
        assert_eq!(count(&mta.received(), number), 1, "{stage:?}");
    }

    // The same with a crash before the word: it may come twice, and is not lost.
    mta.set(Script::new().on(Stage::Dot, Act::Hang));
    assert_eq!(Client::login(world.smtp, "shop").send(FROM, TO, &receipt(TO, 2)).0, 250);
    world.crash_and_restart();
    mta.set(Script::new());
    world.spool("retry", &["--all"]);
    assert!(count(&runtime.block_on(mta.wait_received(7)), 2) >= 1);
    world.wait_for_empty_spool();
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
