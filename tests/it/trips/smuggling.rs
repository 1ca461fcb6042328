//! M-40 … M-42 to the far end: what tries to be two messages crosses the gate to a real Postfix, and to a raw sink, as one
//! message or none.

use crate::client::Client;
use crate::peers::postfix::Postfix;
use crate::sink::Sink;
use crate::smuggling::VARIANTS;
use crate::world::World;

const FROM: &str = "shop@acme.example";
const TO: &str = "olivia@people.example";

/// A message up to where the flaw comes.
fn front(number: usize) -> Vec<u8> {
    format!(
        "From: <{FROM}>\r\nTo: <{TO}>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{number}@acme.example>\r\n\
         Subject: one\r\n\r\none"
    )
    .into_bytes()
}

/// What a server that sees an end in the flaw would take for the next message.
fn second() -> Vec<u8> {
    format!("MAIL FROM:<{FROM}>\r\nRCPT TO:<evil@people.example>\r\nDATA\r\nFrom: <{FROM}>\r\nSubject: two\r\n\r\ntwo\r\n").into_bytes()
}

#[test]
fn no_variant_crosses_as_two_messages() {
    let sink = Sink::start();
    let postfix = Postfix::start(sink.address());
    let raw = Sink::start();
    for (sink, outbound) in [(&sink, postfix.address()), (&raw, raw.address())] {
        let world = World::start(outbound);
        let mut expected = Vec::new();
        for (number, variant) in VARIANTS.iter().enumerate() {
            let whole = [front(number), variant.to_vec(), second()].concat();
            let mut client = Client::login(world.smtp, "shop");
            client.open(FROM, TO);
            assert_eq!(client.command("DATA").0, 354);
            client.send_octets(&[&whole[..], b".\r\n"].concat());
            assert_eq!(client.reply().0, 550, "{variant:?} by DATA");
            client.open(FROM, TO);
            client.send_octets(&[format!("BDAT {} LAST\r\n", whole.len()).as_bytes(), &whole].concat());
            assert_eq!(client.reply().0, 550, "{variant:?} by BDAT");
            // in two chunks, cut in the middle of the flaw
            let (first, rest) = whole.split_at(front(number).len() + variant.len() / 2);
            client.open(FROM, TO);
            client.send_octets(&[format!("BDAT {}\r\n", first.len()).as_bytes(), first].concat());
            let told = client.reply().0;
            client.send_octets(&[format!("BDAT {} LAST\r\n", rest.len()).as_bytes(), rest].concat());
            let last = client.reply().0;
            assert!(matches!((told, last), (250, 550) | (550, 503)), "{variant:?} in two chunks: {told}, {last}");
        }
        // The end of DATA is no end within a chunk: that is one message, and its dots travel stuffed.
        for (number, end) in [&b"\r\n.\r\n"[..], b"\r\n..\r\n", b"\r\n.\r\n.\r\n"].into_iter().enumerate() {
            let whole = [front(100 + number), end.to_vec(), second()].concat();
            let mut client = Client::login(world.smtp, "shop");
            client.open(FROM, TO);
            client.send_octets(&[format!("BDAT {} LAST\r\n", whole.len()).as_bytes(), &whole].concat());
            assert_eq!(client.reply().0, 250, "{end:?}");
            expected.push([front(100 + number), end.to_vec(), second()].concat());
        }
        let arrivals = sink.wait_for(expected.len());
        assert_eq!(arrivals.len(), expected.len());
        for whole in &expected {
            let body = &whole[front(100).len()..];
            assert!(arrivals.iter().any(|arrival| arrival.to == [TO] && arrival.message.ends_with(body)), "{arrivals:?}");
        }
    }
    // Postfix's own count: what it took, whether or not it has gone on yet.
    assert_eq!(postfix.log().matches(": client=").count(), 3, "{}", postfix.log());
    assert_eq!((sink.arrivals().len(), raw.arrivals().len()), (3, 3));
}
