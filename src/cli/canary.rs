//! `consentry check --canary` and `--received`: a marketing mail as the gateway makes them, sent by the outbound MTA, and what its
//! signatures cover when it arrives (U-05). RFC 8058 s.4 wants both list fields covered; where they are not, mailbox providers offer
//! no one-click unsubscribing, and nobody is told.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::sink::Sink;
use crate::compose::{Footers, PublicUrl};
use crate::config::Config;
use crate::consent::{DecisionId, LegalBasis, SubjectId, Topic};
use crate::entropy::random;
use crate::gateway::marketing;
use crate::mail::{Address, Envelope, Lane, Message, Outcome, Recipient, ReversePath, Sender};
use crate::rewrite::{Fields, Plan, Reading, Trackers, rewrite};
use crate::sign::{Signature, signatures};
use crate::smtp;
use crate::token::{Link, LinkRing};

/// What a mailbox provider asks for (RFC 8058 s.4), and From (RFC 6376 s.5.4).
const COVERED: [&str; 3] = ["From", "List-Unsubscribe", "List-Unsubscribe-Post"];

/// How long it may be on its way.
const ARRIVES: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Sends a marketing mail to this address by the outbound MTA, as the gateway makes them.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "received")]
    canary: Option<String>,
    /// Waits there for it to come back by SMTP, and judges it: let an MTA pass mail to that address on to this one.
    #[arg(long, value_name = "IP:PORT", requires = "canary")]
    at: Option<SocketAddr>,
    /// The topic of that mail; not given: the first one.
    #[arg(long, requires = "canary")]
    topic: Option<String>,
    /// Judges such a mail that arrived in a mailbox: a file with the mail as it came, all header fields included.
    #[arg(long, value_name = "FILE")]
    received: Option<PathBuf>,
    /// The TXT record of the key that signs, as `dig +short TXT` prints it: then the signature itself is verified, too.
    #[arg(long, value_name = "TEXT")]
    record: Option<String>,
}

impl Arguments {
    /// Sends or judges, as asked.
    pub(super) async fn run(&self, config: &Config) -> anyhow::Result<()> {
        if let Some(file) = &self.received {
            return judge(&read(file)?, self.record.as_deref());
        }
        let Some(to) = &self.canary else { return Ok(()) };
        let to = Address::parse(to).with_context(|| format!("--canary {to}"))?;
        let Some(at) = self.at else {
            self.send(config, to).await?;
            println!("canary      sent; save what arrives as a file, all header fields included: consentry check --received FILE");
            return Ok(());
        };
        let listener = TcpListener::bind(at).await.with_context(|| format!("--at {at}"))?;
        let sink = Sink::new();
        let server = smtp::Server::new(sink.clone(), config.smtp.clone(), []);
        let door = smtp::Door::submission(smtp::Tls::Off);
        let serving = tokio::spawn(smtp::serve(smtp::Socket::Tcp(listener), door, server, std::future::pending()));
        let id = self.send(config, to).await?;
        let arrived = timeout(ARRIVES, async {
            let mut seen = 0;
            loop {
                sink.after(seen).await;
                seen = sink.total();
                if let Some(mail) = sink.mails().into_iter().find(|mail| mail.raw.contains(&id)) {
                    return mail;
                }
            }
        });
        let arrived = arrived.await;
        serving.abort();
        let mail = arrived.with_context(|| format!("the mail did not arrive at {at} within {} s", ARRIVES.as_secs()))?;
        judge(mail.raw.as_bytes(), self.record.as_deref())
    }

    /// Sends it, and answers what it can be known by.
    async fn send(&self, config: &Config, to: Address) -> anyhow::Result<String> {
        let catalogue = config.catalogue();
        let topic = match &self.topic {
            Some(name) => catalogue.topic(&Topic::parse(name).with_context(|| format!("--topic {name}"))?),
            None => catalogue.topics.first(),
        };
        let entry = topic.context("there is no such topic in the configuration")?;
        let controller = catalogue.controller(&entry.controller).context("the topic's controller is not in the configuration")?;
        let words = super::serve::words(config, &catalogue)?;
        let footers = Footers::new(&catalogue, &words)?;
        let now = Timestamp::now();
        let decision = DecisionId::new(now, random());
        // a key that nobody else has: the link leads to nobody
        let link =
            Link { subject: SubjectId(random()), controller: controller.key.clone(), topic: entry.name.clone(), decision, language: None };
        let url = PublicUrl::parse(&config.public_url)?.unsubscribe(&LinkRing::new(vec![(0, random())]).sign(&link));
        let footer = footers.filled(&entry.name, Some(LegalBasis::Consent), controller.language, &url).context("the footer")?;
        let id = format!("<{decision}.canary@{}>", config.smtp.hostname);
        let raw = format!(
            "From: {}\r\nTo: {}\r\nSubject: Consentry canary\r\nDate: {}\r\nMessage-ID: {id}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
             This mail proves which fields are signed on the way out. Its link leads to nobody.\r\n",
            controller.from,
            to.as_str(),
            now.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        );
        let message = Message::parse(raw.into_bytes(), true)?;
        let trackers = Trackers::new(&config.rewrite.trackers).map_err(anyhow::Error::msg)?;
        let marketing = marketing(entry, &footer, &url, &trackers);
        let plan = Plan { on_top: b"", fields: Fields::default(), kept: &[], marketing: Some(marketing) };
        let copy = rewrite(&message, &Reading::default(), &plan)?;
        let from = Address::parse(&controller.from)?;
        let copy = super::serve::signers(config)?.signed(copy, &from, now)?;
        let envelope = Envelope { sender: Sender::new(ReversePath::Mailbox(from)), recipient: Recipient::new(to) };
        let outcome = match super::serve::relay(config)?.begin(&envelope, Lane::Transactional).await {
            Ok(transaction) => transaction.send(copy).await,
            Err(outcome) => outcome,
        };
        ensure!(matches!(outcome, Outcome::Accept { .. }), "the outbound MTA did not take the mail: {}", outcome.reply());
        Ok(id)
    }
}

/// Line ends as they were on the way: a mailbox may have others.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let raw = std::fs::read(file).with_context(|| file.display().to_string())?;
    let mut message = Vec::with_capacity(raw.len() + raw.len() / 40);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
        message.extend_from_slice(text);
        if text.len() < line.len() {
            message.extend_from_slice(b"\r\n");
        }
    }
    Ok(message)
}

/// Says what each signature is worth; fails where none is good enough.
fn judge(raw: &[u8], record: Option<&str>) -> anyhow::Result<()> {
    let message = Message::parse(raw.to_vec(), true)?;
    let from = message.from()?.remove(0);
    for name in &COVERED[1..] {
        let count = message.headers().filter(|header| header.name.eq_ignore_ascii_case(name)).count();
        ensure!(
            count == 1,
            "the mail has {count} fields {name} instead of one: is it one of the gateway's, and does something behind it change it?"
        );
    }
    let found = signatures(raw, Timestamp::now());
    ensure!(
        !found.is_empty(),
        "nobody signed the mail: let the outbound MTA sign mail of {}, or give the gateway a key ([[dkim]])",
        from.domain()
    );
    let mut good = false;
    for signature in &found {
        let said = verdict(signature, &from, record);
        let key = format!("d={} s={} a={}", signature.domain, signature.selector, signature.algorithm);
        match said {
            Ok(verified) => {
                good = true;
                println!("signature   {key}: covers {}; {verified}", COVERED.join(", "));
            }
            Err(lacks) => println!("signature   {key}: {lacks}"),
        }
    }
    if !good {
        bail!("no signature is good enough for one-click unsubscribing (RFC 8058 s.4): let whoever signs cover {}", COVERED.join(", "));
    }
    println!("canary      good");
    Ok(())
}

/// What a signature is worth: `Ok` says how well that is known.
fn verdict(signature: &Signature, from: &Address, record: Option<&str>) -> Result<&'static str, String> {
    if let Some(fault) = signature.fault {
        return Err(fault.to_string());
    }
    let missing: Vec<&str> = COVERED.into_iter().filter(|name| !signature.covers(name)).collect();
    if !missing.is_empty() {
        return Err(format!("does not cover {}", missing.join(", ")));
    }
    if !signature.aligned_with(from) {
        return Err(format!("is not of the domain {} of From", from.domain()));
    }
    match record.map(|record| signature.is_of(record)) {
        None => Ok("the body is as signed; not verified with the key, which --record would"),
        Some(Some(true)) => Ok("verified"),
        Some(Some(false)) => Err("is not of the key in --record, or a field was changed after it was signed".to_owned()),
        Some(None) => Err("--record is no record of such a key".to_owned()),
    }
}
