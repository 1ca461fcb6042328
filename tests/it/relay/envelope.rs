//! What arrives at the outbound MTA: envelope and message, octet by octet, and no extension that it
//! did not announce.

use consentry::mail::{Body, Envelope, Lane, Notify, Recipient, Return, ReversePath, Sender};
use proptest::prelude::*;

use super::{MESSAGE, address, envelope, relay, send, sender, told};
use crate::fake_mta::{FakeMta, Script};

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
async fn reports_become_the_business_of_an_mta_that_announces_dsn() {
    // M-62
    let mut envelope = sender(|sender| {
        sender.ret = Some(Return::Full);
        sender.envid = Some("QQ314159".to_owned());
    });
    envelope.recipient.notify = Notify::parse("SUCCESS,DELAY");
    envelope.recipient.orcpt = Some("rfc822;Olivia+2Btag@Mail.example.org".to_owned());
    for (extensions, mail, rcpt) in [
        (&["DSN", "PIPELINING"][..], "RET=FULL ENVID=QQ314159", "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Olivia+2Btag@Mail.example.org"),
        (&["PIPELINING"], "", ""),
    ] {
        let mta = FakeMta::start(Script::new().extensions(extensions)).await;
        let transaction = relay(&mta).begin(&envelope, Lane::Transactional).await.expect("begun");
        let waiting = transaction.deliver(MESSAGE.to_vec()).await.expect("sent with its dot");
        let answered = waiting.answer().await;
        assert_eq!((answered.outcome.as_str(), answered.reports), ("accepted", !mail.is_empty()), "{extensions:?}");
        let received = mta.received();
        assert_eq!((received[0].parameters.as_str(), received[0].recipient_parameters.as_str()), (mail, rcpt), "{extensions:?}");
    }
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
