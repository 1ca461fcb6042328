//! Several outbound MTAs: which one a mail goes to, when the next one is taken, and that a refusal is
//! never carried to another.

use std::num::NonZeroU16;
use std::time::Duration;

use consentry::mail::Lane;
use consentry::relay::{HopSettings, RelaySettings, RelayTimeouts, RelayTls};

use super::{MESSAGE, SMALL, envelope, over, relay, send, told};
use crate::fake_mta::{Act, FakeMta, Script, Stage};

fn hop(mta: &FakeMta, priority: u16) -> HopSettings {
    HopSettings {
        host: mta.address().ip().to_string(),
        port: Some(mta.address().port()),
        priority,
        tls: None,
        ca_file: None,
        username: None,
        password_file: None,
    }
}

fn several(hops: &[HopSettings]) -> RelaySettings {
    RelaySettings { hops: hops.to_vec(), ..RelaySettings::default() }
}

#[tokio::test]
async fn a_hop_that_cannot_be_reached_is_set_aside_and_the_next_one_taken() {
    use Act::{Drop, Garbage, Say};
    for (stage, act) in [
        (Stage::Greeting, Say("421 4.3.2 busy")),
        (Stage::Greeting, Say("554 no")),
        (Stage::Greeting, Drop),
        (Stage::Greeting, Garbage),
        (Stage::Greeting, Act::Hang),
        (Stage::Ehlo, Say("550 go away")),
        (Stage::Ehlo, Drop),
        (Stage::Ehlo, Act::Hang),
    ] {
        let (first, second) = (FakeMta::start(Script::new().on(stage, act)).await, FakeMta::start(Script::new()).await);
        let timeouts = RelayTimeouts { greeting: SMALL, command: SMALL, ..RelayTimeouts::default() };
        // listed last, preferred nevertheless
        let relay = over(&RelaySettings { timeouts, ..several(&[hop(&second, 20), hop(&first, 10)]) });
        for _ in 0..3 {
            assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted", "{stage:?} {act:?}");
        }
        assert_eq!((first.connections(), second.received().len()), (1, 3), "{stage:?} {act:?}");
        assert_eq!(first.received().len(), 0);
    }
}

#[tokio::test]
async fn a_hop_without_tls_or_port_is_passed_by() {
    let (closed, clear, good) =
        (FakeMta::start(Script::new()).await, FakeMta::start(Script::new()).await, FakeMta::start(Script::new()).await);
    let closed_hop = hop(&closed, 1);
    closed.stop().await;
    let relay = over(&several(&[closed_hop, HopSettings { tls: Some(RelayTls::Required), ..hop(&clear, 2) }, hop(&good, 3)]));
    assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    assert_eq!((clear.received().len(), good.received().len()), (0, 1));
}

#[tokio::test]
async fn what_a_hop_says_of_a_mail_is_final() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
        for (act, expected) in [
            (Act::Say("451 4.3.0 later"), "deferred"),
            (Act::Say("550 5.7.1 no"), "rejected"),
            (Act::Say("421 4.3.2 bye"), "deferred"),
            (Act::Drop, if stage == Stage::Dot { "uncertain" } else { "unreachable" }),
        ] {
            let (first, second) = (FakeMta::start(Script::new().on(stage, act)).await, FakeMta::start(Script::new()).await);
            let relay = over(&several(&[hop(&first, 10), hop(&second, 20)]));
            assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), expected, "{stage:?} {act:?}");
            assert_eq!(second.connections(), 0, "{stage:?} {act:?}");
        }
    }
}

#[tokio::test]
async fn hops_of_one_priority_share_the_load() {
    let (first, second, spare) =
        (FakeMta::start(Script::new()).await, FakeMta::start(Script::new()).await, FakeMta::start(Script::new()).await);
    let relay = over(&several(&[hop(&first, 10), hop(&second, 10), hop(&spare, 20)]));
    for _ in 0..10 {
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    }
    assert_eq!((first.received().len(), second.received().len(), spare.connections()), (5, 5, 0));
}

#[tokio::test]
async fn a_busy_hop_leaves_mail_to_its_equal_but_not_to_its_spare() {
    let (first, second, spare) =
        (FakeMta::start(Script::new()).await, FakeMta::start(Script::new()).await, FakeMta::start(Script::new()).await);
    let timeouts = RelayTimeouts { queue: SMALL, ..RelayTimeouts::default() };
    let one = NonZeroU16::MIN;
    let hops = [hop(&first, 10), hop(&second, 10), hop(&spare, 20)];
    let relay = over(&RelaySettings { timeouts, max_connections: one, ..several(&hops) });
    let envelope = envelope();
    let begin = || relay.begin(&envelope, Lane::Bulk);
    let held = begin().await.expect("begun");
    let other = begin().await.expect("begun");
    assert_eq!(told(&begin().await.err().expect("both are busy")), "deferred 451 4.4.5 all connections to the outbound MTA are in use");
    let (third, sent) = tokio::join!(begin(), async { other.send(MESSAGE.to_vec()).await });
    assert_eq!((third.expect("whichever is free first").send(MESSAGE.to_vec()).await.as_str(), sent.as_str()), ("accepted", "accepted"));
    drop(held);
    assert_eq!((first.connections() + second.connections(), spare.connections()), (2, 0));
}

#[tokio::test]
async fn with_no_hop_reachable_mail_is_told_at_once_and_nobody_is_asked_again() {
    let (first, second) = (
        FakeMta::start(Script::new().on(Stage::Greeting, Act::Drop)).await,
        FakeMta::start(Script::new().on(Stage::Ehlo, Act::Drop)).await,
    );
    let relay = over(&several(&[hop(&first, 10), hop(&second, 20)]));
    assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "unreachable greeting: connection closed by the outbound MTA");
    for _ in 0..3 {
        let outcome = send(&relay, &envelope(), MESSAGE).await;
        assert_eq!(told(&outcome), "unreachable set aside for a while after greeting: connection closed by the outbound MTA");
    }
    assert_eq!((first.connections(), second.connections()), (1, 1));
}

#[tokio::test]
async fn the_preferred_hop_is_taken_again_when_it_is_back() {
    let (first, second) = (FakeMta::start(Script::new().on(Stage::Greeting, Act::Drop)).await, FakeMta::start(Script::new()).await);
    let relay = over(&RelaySettings { longest_pause: Duration::ZERO, ..several(&[hop(&first, 10), hop(&second, 20)]) });
    assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    first.set(Script::new());
    assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    assert_eq!((first.received().len(), second.received().len()), (1, 1));
}

#[tokio::test]
async fn a_hop_that_goes_away_between_two_mails_costs_none() {
    // The kept connection takes the envelope and is closed; nobody listens any more.
    let script = Script::new().on_nth(Stage::Mail, 2, Act::Drop).on_nth(Stage::Greeting, 2, Act::Drop);
    let (first, second) = (FakeMta::start(script).await, FakeMta::start(Script::new()).await);
    let relay = over(&several(&[hop(&first, 10), hop(&second, 20)]));
    for _ in 0..2 {
        assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "accepted 2.0.0 queued as 4XyZ");
    }
    assert_eq!((first.received().len(), second.received().len()), (1, 1));
}

#[tokio::test]
async fn kept_connections_of_a_hop_that_takes_no_new_ones_are_used() {
    // A busy MTA greets with 421 while it serves those it has.
    let mta = FakeMta::start(Script::new().on_nth(Stage::Greeting, 2, Act::Say("421 4.7.0 too many connections"))).await;
    let relay = relay(&mta);
    let first = relay.begin(&envelope(), Lane::Bulk).await.expect("begun");
    assert_eq!(told(&send(&relay, &envelope(), MESSAGE).await), "deferred 421 4.7.0 too many connections");
    assert_eq!(first.send(MESSAGE.to_vec()).await.as_str(), "accepted");
    assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    assert_eq!(mta.connections(), 2);
}
