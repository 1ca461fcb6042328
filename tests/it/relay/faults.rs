//! An outbound MTA that fails at each stage: what the caller is told, and that nothing counts as
//! accepted without the MTA's 2yz.

use consentry::relay::{RelaySettings, RelayTimeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{MESSAGE, SMALL, envelope, over, relay, send, settings, told};
use crate::fake_mta::{Act, FakeMta, Script, Stage};

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
        let relay = over(&RelaySettings { timeouts, ..settings(&mta) });
        assert_eq!(told(&send(&relay, &envelope(), &large).await), expected);
        assert_eq!(mta.received(), []);
    }
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
    let relay = over(&RelaySettings { port: Some(port), ..RelaySettings::default() });
    let (outcome, ()) = tokio::join!(async { send(&relay, &envelope(), MESSAGE).await }, flood);
    assert_eq!(told(&outcome), "unreachable greeting: answer of the outbound MTA is not SMTP");
}
