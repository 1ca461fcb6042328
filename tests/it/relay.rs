//! The relay against an outbound MTA that fails at each stage: what the caller is told, what the
//! MTA got, and that it never gets a mail twice or half.

mod envelope;
mod faults;
mod hops;
mod login;
mod pool;
mod postfix;
mod table;
mod tls;

use std::time::Duration;

use consentry::mail::{Address, Envelope, Lane, Outcome, Recipient, ReversePath, Sender};
use consentry::relay::{Relay, RelaySettings};

use crate::fake_mta::FakeMta;

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
    RelaySettings::at(mta.address())
}

fn over(settings: &RelaySettings) -> Relay {
    Relay::new(settings, "gate.example").expect("its files can be read")
}

fn relay(mta: &FakeMta) -> Relay {
    over(&settings(mta))
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
