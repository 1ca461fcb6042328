//! The relay against an outbound MTA that fails at each stage: what the caller is told, what the
//! MTA got, and that it never gets a mail twice or half.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use consentry::mail::{Address, Body, Envelope, Lane, Outcome, Recipient, ReversePath, Sender};
use consentry::relay::{Relay, RelaySettings, RelayTimeouts, RelayTls};
use consentry::tls::{Connector, ConnectorError};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fake_mta::{Act, FakeMta, Script, Stage, TestCertificate};

const MESSAGE: &[u8] = b"From: news@shop.example\r\nSubject: x\r\n\r\n.one\r\n..two\r\n";
const SMALL: Duration = Duration::from_millis(300);

fn address(text: &str) -> Address {
    Address::parse(text).expect("valid")
}

fn envelope() -> Envelope {
    Envelope {
        sender: Sender::new(ReversePath::Mailbox(address("bounce@shop.example"))),
        recipient: Recipient::new(address("Olivia+tag@Mail.example.org")),
    }
}

fn sender(change: impl FnOnce(&mut Sender)) -> Envelope {
    let mut envelope = envelope();
    change(&mut envelope.sender);
    envelope
}

fn to(text: &str) -> Envelope {
    Envelope { recipient: Recipient::new(address(text)), ..envelope() }
}

fn settings(mta: &FakeMta) -> RelaySettings {
    RelaySettings { host: mta.address().ip().to_string(), port: mta.address().port(), ..RelaySettings::default() }
}

fn relay(mta: &FakeMta) -> Relay {
    Relay::new(settings(mta), "gate.example", None)
}

async fn send(relay: &Relay, envelope: &Envelope, message: &[u8]) -> Outcome {
    match relay.begin(envelope, Lane::Transactional).await {
        Ok(transaction) => transaction.send(message.to_vec()).await,
        Err(outcome) => outcome,
    }
}

/// Like `Reject 550 5.1.1 no such user` or `unreachable MAIL: no answer…`.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accept { text } => format!("accepted {text}"),
        Outcome::Defer { code, text } | Outcome::Reject { code, text } => format!("{} {code} {text}", outcome.as_str()),
        Outcome::Unreachable { why } | Outcome::Uncertain { why } => format!("{} {why}", outcome.as_str()),
    }
}

#[tokio::test]
async fn each_fault_of_the_outbound_mta_has_its_outcome() {
    use Act::{Drop, Garbage, Say};
    const CLOSED: &str = "connection closed by the outbound MTA";
    const NO_SMTP: &str = "answer of the outbound MTA is not SMTP";
    for (stage, act, expected) in [
        (Stage::Greeting, Act::Normal, "accepted 2.0.0 queued as 4XyZ".to_owned()),
        (Stage::Greeting, Say("421 4.3.2 busy"), "deferred 421 4.3.2 busy".into()),
        (Stage::Greeting, Say("450 later"), "deferred 450 later".into()),
        (Stage::Greeting, Say("554 no SMTP service"), "unreachable greeting: outbound MTA answers 554".into()),
        (Stage::Greeting, Drop, format!("unreachable greeting: {CLOSED}")),
        (Stage::Greeting, Garbage, format!("unreachable greeting: {NO_SMTP}")),
        (Stage::Ehlo, Say("421 bye"), "deferred 421 bye".into()),
        (Stage::Ehlo, Say("550 go away"), "unreachable EHLO: outbound MTA answers 550".into()),
        (Stage::Ehlo, Drop, format!("unreachable EHLO: {CLOSED}")),
        (Stage::Ehlo, Garbage, format!("unreachable EHLO: {NO_SMTP}")),
        (Stage::Mail, Say("421 4.3.2 busy"), "deferred 421 4.3.2 busy".into()),
        (Stage::Mail, Say("451 4.7.1 greylisted"), "deferred 451 4.7.1 greylisted".into()),
        (Stage::Mail, Say("550-5.7.1 one\r\n550 5.7.1 two"), "rejected 550 5.7.1 one 5.7.1 two".into()),
        (Stage::Mail, Say("354 go"), format!("unreachable MAIL: {NO_SMTP}")),
        (Stage::Mail, Drop, format!("unreachable MAIL: {CLOSED}")),
        (Stage::Mail, Garbage, format!("unreachable MAIL: {NO_SMTP}")),
        (Stage::Rcpt, Say("421 busy"), "deferred 421 busy".into()),
        (Stage::Rcpt, Say("452 4.2.2 full"), "deferred 452 4.2.2 full".into()),
        (Stage::Rcpt, Say("550 5.1.1 no such user"), "rejected 550 5.1.1 no such user".into()),
        (Stage::Rcpt, Drop, format!("unreachable RCPT: {CLOSED}")),
        (Stage::Rcpt, Garbage, format!("unreachable RCPT: {NO_SMTP}")),
        (Stage::Data, Say("421 busy"), "deferred 421 busy".into()),
        (Stage::Data, Say("451 4.3.0 later"), "deferred 451 4.3.0 later".into()),
        (Stage::Data, Say("554 5.7.0 no"), "rejected 554 5.7.0 no".into()),
        (Stage::Data, Say("250 ok"), format!("unreachable DATA: {NO_SMTP}")),
        (Stage::Data, Say("354 go\r\n250 2.0.0 queued"), format!("unreachable DATA: {NO_SMTP}")),
        (Stage::Data, Drop, format!("unreachable DATA: {CLOSED}")),
        (Stage::Data, Garbage, format!("unreachable DATA: {NO_SMTP}")),
        // a small message is on its way with its dot before the peer can close
        (Stage::Body, Drop, format!("uncertain final dot: {CLOSED}")),
        (Stage::Body, Say("552 5.3.4 too large"), "rejected 552 5.3.4 too large".into()),
        (Stage::Dot, Say("421 4.3.2 shutting down"), "deferred 421 4.3.2 shutting down".into()),
        (Stage::Dot, Say("451 4.3.0 disk"), "deferred 451 4.3.0 disk".into()),
        (Stage::Dot, Say("554-5.7.1 spam\r\n554 5.7.1 really"), "rejected 554 5.7.1 spam 5.7.1 really".into()),
        (Stage::Dot, Say("354 more"), format!("uncertain final dot: {NO_SMTP}")),
        (Stage::Dot, Drop, format!("uncertain final dot: {CLOSED}")),
        (Stage::Dot, Garbage, format!("uncertain final dot: {NO_SMTP}")),
    ] {
        for extensions in [&["PIPELINING"][..], &[]] {
            let mta = FakeMta::start(Script::new().extensions(extensions).on(stage, act)).await;
            let outcome = send(&relay(&mta), &envelope(), MESSAGE).await;
            assert_eq!(told(&outcome), expected, "{stage:?} {act:?} {extensions:?}");
            assert_eq!(mta.received().len(), usize::from(outcome.as_str() == "accepted"), "{stage:?} {act:?} {extensions:?}");
        }
    }
}

#[tokio::test]
async fn each_stage_has_its_timeout() {
    // M-07
    let long = RelayTimeouts::default();
    for (stage, timeouts, outcome) in [
        (Stage::Greeting, RelayTimeouts { greeting: SMALL, ..long }, "unreachable"),
        (Stage::Ehlo, RelayTimeouts { command: SMALL, ..long }, "unreachable"),
        (Stage::Mail, RelayTimeouts { command: SMALL, ..long }, "unreachable"),
        (Stage::Rcpt, RelayTimeouts { command: SMALL, ..long }, "unreachable"),
        (Stage::Data, RelayTimeouts { data: SMALL, ..long }, "unreachable"),
        (Stage::Dot, RelayTimeouts { final_reply: SMALL, ..long }, "uncertain"),
    ] {
        let mta = FakeMta::start(Script::new().on(stage, Act::Hang)).await;
        let relay = Relay::new(RelaySettings { timeouts, ..settings(&mta) }, "gate.example", None);
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), outcome, "{stage:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let mta = FakeMta::start(Script::new().on(Stage::Dot, Act::Hang)).await;
    let (outcome, ()) = tokio::join!(async { send(&relay(&mta), &envelope(), MESSAGE).await }, async {
        mta.wait_reached(Stage::Dot, 1).await;
        mta.release();
    });
    assert_eq!(outcome.as_str(), "accepted");
}

#[tokio::test]
async fn a_message_that_broke_off_before_its_dot_is_not_there() {
    // Larger than all socket buffers between us: the dot waits at our side.
    let large = [b"A: b\r\n\r\n".as_slice(), &b"0123456789\r\n".repeat(2_000_000)].concat();
    for (act, expected) in [
        (Act::Drop, "unreachable message: connection closed by the outbound MTA"),
        (Act::Say("552 5.3.4 too large"), "rejected 552 5.3.4 too large"),
        (Act::Hang, "unreachable message: no answer from the outbound MTA in time"),
    ] {
        let mta = FakeMta::start(Script::new().on(Stage::Body, act)).await;
        let timeouts = RelayTimeouts { block: SMALL, ..RelayTimeouts::default() };
        let relay = Relay::new(RelaySettings { timeouts, ..settings(&mta) }, "gate.example", None);
        assert_eq!(told(&send(&relay, &envelope(), &large).await), expected);
        assert_eq!(mta.received(), []);
    }
}

#[tokio::test]
async fn envelope_and_message_arrive_as_they_are() {
    // M-20, M-53
    let mta = FakeMta::start(Script::new()).await;
    let relay = relay(&mta);
    let null = Envelope { sender: Sender { body: Body::EightBit, ..Sender::new(ReversePath::Null) }, ..envelope() };
    let utf8 = Envelope { recipient: Recipient::new(address("ü@x.example")), ..sender(|sender| sender.body = Body::EightBit) };
    for envelope in [envelope(), null, utf8] {
        assert_eq!(send(&relay, &envelope, MESSAGE).await.as_str(), "accepted");
    }
    let received = mta.received();
    let paths = received.iter().map(|mail| (mail.reverse_path.as_str(), mail.recipients[0].as_str(), mail.parameters.as_str()));
    assert_eq!(
        paths.collect::<Vec<_>>(),
        [
            ("bounce@shop.example", "Olivia+tag@Mail.example.org", ""),
            ("", "Olivia+tag@Mail.example.org", "BODY=8BITMIME"),
            ("bounce@shop.example", "ü@x.example", "BODY=8BITMIME SMTPUTF8"),
        ]
    );
    assert!(received.iter().all(|mail| mail.message == MESSAGE && mail.recipients.len() == 1 && mail.pipelined));
    assert_eq!(mta.connections(), 1);
}

#[tokio::test]
async fn what_the_outbound_mta_did_not_announce_is_not_used() {
    // M-16, M-18
    let eight = "From: a@x.example\r\n\r\nü\r\n".as_bytes();
    let header = "From: a@x.example\r\nSubject: ü\r\n\r\nx\r\n".as_bytes();
    let body = sender(|sender| sender.body = Body::EightBit);
    let utf8 = sender(|sender| sender.smtputf8 = true);
    for (extensions, envelope, message, expected) in [
        (&[][..], &body, MESSAGE, "accepted 2.0.0 queued as 4XyZ"),
        (&[], &body, eight, "rejected 554 5.6.3 message has 8-bit text, the outbound MTA does not announce 8BITMIME"),
        (&["8BITMIME"], &body, eight, "accepted 2.0.0 queued as 4XyZ"),
        (&["8BITMIME"], &body, header, "rejected 553 5.6.7 mail needs SMTPUTF8, the outbound MTA does not announce it"),
        (&["8BITMIME"], &utf8, MESSAGE, "rejected 553 5.6.7 mail needs SMTPUTF8, the outbound MTA does not announce it"),
        (&["SIZE 20"], &body, MESSAGE, "rejected 552 5.3.4 message is larger than the outbound MTA takes"),
        (&["SIZE 0"], &body, MESSAGE, "accepted 2.0.0 queued as 4XyZ"),
    ] {
        let mta = FakeMta::start(Script::new().extensions(extensions)).await;
        let outcome = send(&relay(&mta), envelope, message).await;
        assert_eq!(told(&outcome), expected, "{extensions:?}");
        let received = mta.received();
        assert_eq!(received.len(), usize::from(outcome.as_str() == "accepted"));
        assert!(received.iter().all(|mail| mail.parameters.is_empty() != extensions.contains(&"8BITMIME") && !mail.pipelined));
    }
}

#[tokio::test]
async fn a_refused_envelope_costs_no_connection() {
    let mta = FakeMta::start(Script::new().extensions(&["PIPELINING"])).await;
    let relay = relay(&mta);
    let utf8 = sender(|sender| sender.smtputf8 = true);
    for (envelope, outcome) in [(envelope(), "accepted"), (utf8, "rejected"), (envelope(), "accepted")] {
        assert_eq!(send(&relay, &envelope, MESSAGE).await.as_str(), outcome);
    }
    assert_eq!(mta.connections(), 1);
}

#[tokio::test]
async fn after_a_refusal_the_connection_is_reset_and_used_again() {
    for extensions in [&["PIPELINING"][..], &[]] {
        for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
            let mta = FakeMta::start(Script::new().extensions(extensions).on_nth(stage, 1, Act::Say("550 5.7.1 no"))).await;
            let relay = relay(&mta);
            assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "rejected 550 5.7.1 no");
            for _ in 0..2 {
                assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted", "{stage:?} {extensions:?}");
            }
            assert_eq!(mta.connections(), 1, "{stage:?} {extensions:?}");
            assert_eq!(mta.commands().iter().filter(|line| *line == "RSET").count(), 1);
        }
    }
}

#[tokio::test]
async fn a_failed_reset_costs_the_connection_and_no_mail() {
    for act in [Act::Say("500 what"), Act::Say("421 bye"), Act::Drop] {
        let script = Script::new().on_nth(Stage::Rcpt, 1, Act::Say("550 no")).on(Stage::Rset, act);
        let mta = FakeMta::start(script).await;
        let relay = relay(&mta);
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "rejected");
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted", "{act:?}");
        assert_eq!((mta.connections(), mta.received().len()), (2, 1), "{act:?}");
    }
}

#[tokio::test]
async fn after_421_the_connection_is_given_up() {
    // RFC 5321 s.3.8
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
        let mta = FakeMta::start(Script::new().on_nth(stage, 1, Act::Say("421 4.3.2 bye"))).await;
        let relay = relay(&mta);
        assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "deferred 421 4.3.2 bye");
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted", "{stage:?}");
        assert_eq!((mta.connections(), mta.received().len()), (2, 1), "{stage:?}");
    }
}

#[tokio::test]
async fn a_go_ahead_without_recipient_gets_no_octet() {
    // RFC 2920 s.3.1
    for stage in [Stage::Mail, Stage::Rcpt] {
        let mta = FakeMta::start(Script::new().on(stage, Act::Say("550 5.1.1 no")).on_nth(Stage::Data, 1, Act::Say("354 go"))).await;
        let relay = relay(&mta);
        assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "rejected 550 5.1.1 no");
        mta.wait_closed(1).await;
        assert_eq!(mta.received(), []);
        mta.set(Script::new());
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
        assert_eq!((mta.connections(), mta.received().len()), (2, 1));
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced_without_loss() {
    let twice = |stage, nth, act| Script::new().on_nth(stage, nth, act);
    for script in [
        twice(Stage::Kept, 1, Act::Drop),
        twice(Stage::Kept, 1, Act::Say("421 4.4.2 idle for too long")),
        twice(Stage::Kept, 1, Act::Say("250 2.0.0 one reply too many")),
        twice(Stage::Mail, 2, Act::Drop),
        twice(Stage::Mail, 2, Act::Say("421 4.4.2 idle for too long")),
        twice(Stage::Mail, 2, Act::Drop).extensions(&[]),
        twice(Stage::Mail, 2, Act::Say("421 4.4.2 idle for too long")).extensions(&[]),
    ] {
        let mta = FakeMta::start(script).await;
        let relay = relay(&mta);
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
        mta.wait_reached(Stage::Kept, 1).await;
        assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "accepted 2.0.0 queued as 4XyZ");
        let received = mta.received();
        assert_eq!(received.iter().map(|mail| mail.connection).collect::<Vec<_>>(), [1, 2]);
    }
}

#[tokio::test]
async fn a_stale_connection_is_replaced_once_and_only_before_a_reply() {
    for (script, expected) in [
        // the fresh one fails too
        (Script::new().on_nth(Stage::Mail, 2, Act::Drop).on_nth(Stage::Mail, 3, Act::Say("421 no")), "deferred 421 no"),
        (
            Script::new().on_nth(Stage::Mail, 2, Act::Drop).on_nth(Stage::Mail, 3, Act::Drop),
            "unreachable MAIL: connection closed by the outbound MTA",
        ),
        // the kept one answered
        (Script::new().on_nth(Stage::Rcpt, 2, Act::Drop), "unreachable RCPT: connection closed by the outbound MTA"),
        (Script::new().on_nth(Stage::Rcpt, 2, Act::Say("421 no")), "deferred 421 no"),
        (Script::new().on_nth(Stage::Dot, 2, Act::Drop), "uncertain final dot: connection closed by the outbound MTA"),
    ] {
        let mta = FakeMta::start(script).await;
        let relay = relay(&mta);
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
        assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), expected);
        assert_eq!(mta.received().len(), 1);
    }
}

#[tokio::test]
async fn a_dropped_transaction_delivers_nothing() {
    for extensions in [&["PIPELINING"][..], &[]] {
        let mta = FakeMta::start(Script::new().extensions(extensions)).await;
        let relay = relay(&mta);
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
        for dropped in 1..=2 {
            drop(relay.begin(&envelope(), Lane::Transactional).await.expect("begun"));
            mta.wait_closed(dropped).await;
        }
        assert_eq!((mta.received().len(), mta.connections()), (1, 2));
    }
}

#[tokio::test]
async fn an_outbound_mta_that_is_away_is_unreachable_until_it_is_back() {
    let mta = FakeMta::start(Script::new()).await;
    let relay = Relay::new(settings(&mta), "gate.example", None);
    mta.stop().await;
    let outcome = send(&relay, &envelope(), MESSAGE).await;
    assert!(told(&outcome).starts_with("unreachable connect: "), "{outcome:?}");
}

#[tokio::test]
async fn connections_are_bounded_and_waiting_for_one_is_too() {
    let mta = FakeMta::start(Script::new()).await;
    let timeouts = RelayTimeouts { queue: SMALL, ..RelayTimeouts::default() };
    let two = NonZeroU16::new(2).expect("2");
    let relay = Relay::new(RelaySettings { max_connections: two, timeouts, ..settings(&mta) }, "gate.example", None);
    let first = relay.begin(&envelope(), Lane::Transactional).await.expect("begun");
    let second = relay.begin(&envelope(), Lane::Transactional).await.expect("begun");
    assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "unreachable queue: all connections are in use");
    assert_eq!(first.send(MESSAGE.to_vec()).await.as_str(), "accepted");
    assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    assert_eq!(second.send(MESSAGE.to_vec()).await.as_str(), "accepted");
    assert_eq!(mta.connections(), 2);
}

#[tokio::test]
async fn a_campaign_leaves_connections_to_transactional_mail() {
    let mta = FakeMta::start(Script::new()).await;
    let timeouts = RelayTimeouts { queue: SMALL, ..RelayTimeouts::default() };
    let three = NonZeroU16::new(3).expect("3");
    let relay = Relay::new(RelaySettings { max_connections: three, timeouts, ..settings(&mta) }, "gate.example", None);
    let begin = |lane| {
        let relay = relay.clone();
        async move { relay.begin(&envelope(), lane).await }
    };
    let full = |begun: Result<_, Outcome>| told(&begun.err().expect("no connection is free"));
    const FULL: &str = "unreachable queue: all connections are in use";
    let _first = begin(Lane::Bulk).await.expect("begun");
    let second = begin(Lane::Bulk).await.expect("begun");
    assert_eq!(full(begin(Lane::Bulk).await), FULL, "the third is reserved");
    let reserved = begin(Lane::Transactional).await.expect("begun");
    assert_eq!(full(begin(Lane::Transactional).await), FULL);
    // campaigns wait, and more of them: what becomes free on the reserved lane is not theirs
    let waiting =
        tokio::join!(begin(Lane::Bulk), begin(Lane::Bulk), begin(Lane::Transactional), async { reserved.send(MESSAGE.to_vec()).await });
    assert_eq!((full(waiting.0).as_str(), full(waiting.1).as_str()), (FULL, FULL));
    let receipt = waiting.2.expect("begun");
    // transactional mail also takes what a campaign gives back
    let (_other, answer) = tokio::join!(begin(Lane::Transactional), async { second.send(MESSAGE.to_vec()).await });
    assert_eq!(answer.as_str(), "accepted");
    assert_eq!(receipt.send(MESSAGE.to_vec()).await.as_str(), "accepted");
    assert_eq!(mta.connections(), 3);
}

#[tokio::test]
async fn who_waited_long_enough_for_an_answer_still_learns_of_it() {
    // M-07, M-08
    let mta = FakeMta::start(Script::new().on(Stage::Dot, Act::Hang)).await;
    let relay = relay(&mta);
    let transaction = relay.begin(&envelope(), Lane::Bulk).await.expect("begun");
    let waiting = transaction.deliver(MESSAGE.to_vec()).await.expect("sent with its dot");
    mta.wait_reached(Stage::Dot, 1).await;
    let mut answer = Box::pin(waiting.answer());
    assert!(tokio::time::timeout(Duration::ZERO, &mut answer).await.is_err(), "no answer yet");
    let late = tokio::spawn(answer);
    mta.release();
    assert_eq!(told(&late.await.expect("no panic").outcome), "accepted 2.0.0 queued as 4XyZ");
    assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    assert_eq!(mta.connections(), 1, "the connection is kept");
}

#[tokio::test]
async fn connections_are_given_up_by_age_number_and_room() {
    let one = NonZeroU32::MIN;
    let mta = FakeMta::start(Script::new()).await;
    for (settings, reused) in [
        (settings(&mta), true),
        (RelaySettings { idle_lifetime: Duration::ZERO, ..settings(&mta) }, false),
        (RelaySettings { messages_per_connection: one, ..settings(&mta) }, false),
        (RelaySettings { max_idle: 0, ..settings(&mta) }, false),
    ] {
        let before = mta.connections();
        let relay = Relay::new(settings, "gate.example", None);
        for _ in 0..2 {
            assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
        }
        assert_eq!(mta.connections() - before, if reused { 1 } else { 2 });
    }
    mta.wait_closed(7).await;
    // RFC 5321 s.4.1.1.10
    assert!(mta.commands().iter().filter(|line| *line == "QUIT").count() >= 6);
}

#[tokio::test]
async fn many_senders_share_the_connections_and_mix_nothing_up() {
    let mta = FakeMta::start(Script::new()).await;
    let relay = Relay::new(RelaySettings { max_connections: NonZeroU16::new(4).expect("4"), ..settings(&mta) }, "gate.example", None);
    let senders = (0..200).map(|number| {
        let relay = relay.clone();
        tokio::spawn(async move {
            let envelope = to(&format!("{number}@x.example"));
            send(&relay, &envelope, format!("Subject: {number}\r\n\r\n").as_bytes()).await
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        assert_eq!(sender.await.expect("no panic").as_str(), "accepted");
    }
    let received = mta.wait_received(200).await;
    assert!(mta.connections() <= 4);
    for mail in &received {
        let number = mail.recipients[0].trim_end_matches("@x.example");
        assert_eq!(mail.message, format!("Subject: {number}\r\n\r\n").as_bytes());
    }
}

#[tokio::test]
async fn nothing_goes_out_in_clear_where_tls_is_required() {
    // M-33
    let certificate = TestCertificate::make();
    let other = TestCertificate::make();
    let trusting = |certificate: &TestCertificate| Some(Connector::new(Some(&certificate.ca_file())).expect("a certificate"));
    for (script, host, connector, expected) in [
        (Script::new(), "127.0.0.1", trusting(&certificate), "unreachable STARTTLS: required, but the outbound MTA does not offer it"),
        (Script::new().tls(&certificate), "127.0.0.1", None, "unreachable STARTTLS: required, but TLS is not set up"),
        (
            Script::new().tls(&certificate).on(Stage::StartTls, Act::Say("454 4.7.0 not now")),
            "127.0.0.1",
            trusting(&certificate),
            "deferred 454 4.7.0 not now",
        ),
        (
            Script::new().tls(&certificate).on(Stage::StartTls, Act::Say("220 go\r\n250 injected")),
            "127.0.0.1",
            trusting(&certificate),
            "unreachable STARTTLS: answer of the outbound MTA is not SMTP",
        ),
        (Script::new().tls(&certificate), "127.0.0.1", trusting(&other), "unreachable TLS: "),
        (Script::new().tls(&certificate), "127.0.0.2", trusting(&certificate), "unreachable connect: "),
        (Script::new().tls(&certificate), "127.0.0.1", trusting(&certificate), "accepted 2.0.0 queued"),
        (Script::new().tls(&certificate), "localhost", trusting(&certificate), "accepted 2.0.0 queued"),
    ] {
        let mta = FakeMta::start(script).await;
        let settings = RelaySettings { host: host.to_owned(), tls: Some(RelayTls::Required), ..settings(&mta) };
        let outcome = send(&Relay::new(settings, "gate.example", connector), &envelope(), MESSAGE).await;
        assert!(told(&outcome).starts_with(expected), "{} instead of {expected}", told(&outcome));
        let received = mta.received();
        assert!(received.iter().all(|mail| mail.tls && mail.message == MESSAGE));
        assert_eq!(received.len(), usize::from(expected.starts_with("accepted")));
        assert!(received.len() == 1 || mta.commands().iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"));
    }
}

#[tokio::test]
async fn large_messages_and_kept_connections_work_under_tls() {
    let certificate = TestCertificate::make();
    let mta = FakeMta::start(Script::new().tls(&certificate)).await;
    let settings = RelaySettings { tls: Some(RelayTls::Required), ..settings(&mta) };
    let relay = Relay::new(settings, "gate.example", Some(Connector::new(Some(&certificate.ca_file())).expect("a certificate")));
    let large = [b"A: b\r\n\r\n".as_slice(), &b".123456789\r\n".repeat(300_000)].concat();
    for message in [MESSAGE, &large, MESSAGE] {
        assert_eq!(send(&relay, &envelope(), message).await.as_str(), "accepted");
    }
    let received = mta.received();
    assert!(received[1].message == large && received[2].message == MESSAGE);
    assert_eq!(mta.connections(), 1);
}

#[test]
fn a_ca_file_that_cannot_be_used_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here").expect("writable");
    assert!(matches!(Connector::new(Some(&empty)), Err(ConnectorError::NoCertificate { .. })));
    assert!(matches!(Connector::new(Some(&directory.path().join("none.pem"))), Err(ConnectorError::CaFile { .. })));
}

#[tokio::test]
async fn an_endless_reply_is_no_reply() {
    // A peer that never ends its line must not fill our memory.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let flood = async {
        let (mut tcp, _) = listener.accept().await.expect("the relay");
        while tcp.write_all(&[b'2'; 4096]).await.is_ok() {}
        let _ = tcp.read(&mut [0]).await;
    };
    let relay = Relay::new(RelaySettings { port, ..RelaySettings::default() }, "gate.example", None);
    let (outcome, ()) = tokio::join!(async { send(&relay, &envelope(), MESSAGE).await }, flood);
    assert_eq!(told(&outcome), "unreachable greeting: answer of the outbound MTA is not SMTP");
}

/// Lines that like dots, with CRLF after each.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![3 => Just(b'.'), 1 => any::<u8>().prop_filter("no line ends", |octet| !b"\r\n".contains(octet))];
    let line = prop::collection::vec(octet, 0..12);
    prop::collection::vec(line, 0..40).prop_map(|lines| lines.into_iter().flat_map(|line| [line, b"\r\n".to_vec()].concat()).collect())
}

#[test]
fn any_message_arrives_octet_by_octet() {
    // I10, M-42
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let relay = relay(&mta);
    proptest!(ProptestConfig::with_cases(256), |(message in messages())| {
        let before = mta.received().len();
        let outcome = runtime.block_on(send(&relay, &envelope(), &message));
        prop_assert_eq!(outcome.as_str(), "accepted");
        let received = mta.received();
        prop_assert_eq!(received.len(), before + 1);
        prop_assert_eq!(&received[before].message, &message);
    });
    assert_eq!(mta.connections(), 1);
}
