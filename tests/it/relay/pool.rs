//! Kept connections: when they are used again, reset, replaced and given up; who waits for one.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use consentry::mail::{Lane, Outcome};
use consentry::relay::{RelaySettings, RelayTimeouts};

use super::{MESSAGE, SMALL, envelope, over, relay, send, sender, settings, to, told};
use crate::fake_mta::{Act, FakeMta, Script, Stage};

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
    let relay = over(&settings(&mta));
    mta.stop().await;
    let outcome = send(&relay, &envelope(), MESSAGE).await;
    assert!(told(&outcome).starts_with("unreachable connect: "), "{outcome:?}");
}

#[tokio::test]
async fn connections_are_bounded_and_waiting_for_one_is_too() {
    let mta = FakeMta::start(Script::new()).await;
    let timeouts = RelayTimeouts { queue: SMALL, ..RelayTimeouts::default() };
    let two = NonZeroU16::new(2).expect("2");
    let relay = over(&RelaySettings { max_connections: two, timeouts, ..settings(&mta) });
    let first = relay.begin(&envelope(), Lane::Transactional).await.expect("begun");
    let second = relay.begin(&envelope(), Lane::Transactional).await.expect("begun");
    assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "deferred 451 4.4.5 all connections to the outbound MTA are in use");
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
    let relay = over(&RelaySettings { max_connections: three, timeouts, ..settings(&mta) });
    let begin = |lane| {
        let relay = relay.clone();
        async move { relay.begin(&envelope(), lane).await }
    };
    let full = |begun: Result<_, Outcome>| told(&begun.err().expect("no connection is free"));
    const FULL: &str = "deferred 451 4.4.5 all connections to the outbound MTA are in use";
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
        let relay = over(&settings);
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
    let relay = over(&RelaySettings { max_connections: NonZeroU16::new(4).expect("4"), ..settings(&mta) });
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
