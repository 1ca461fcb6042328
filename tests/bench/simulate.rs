//! A ledger to simulate on: a season of decisions (`season.rs`) about people of whom every fifth signed up, some of whom
//! withdrew later; and a configuration with its streams and topics. The simulation itself is the product's own command.
//!
//! `cargo run --release --example bench_simulate -- DIR [DECISIONS]`

mod season;
mod sign_up;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use consentry::consent::{LookupKey, SubjectId, Topic};
use consentry::mail::Address;
use consentry::store::Store;
use jiff::{SignedDuration, Timestamp};
use season::{STREAMS, Season, TOPICS};
use sign_up::SignUp;
use tokio::task::JoinSet;

const DECISIONS: u64 = 1_000_000;
/// Days that the season lasts.
const DAYS: i64 = 29;
/// Decisions under way at once.
const AT_ONCE: usize = 4_096;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (dir, total) = match arguments.as_slice() {
        [_, dir] => (Path::new(dir), DECISIONS),
        [_, dir, total] => (Path::new(dir), total.parse().context("a number")?),
        _ => bail!("usage: bench_simulate DIR [DECISIONS]"),
    };
    let store = Store::open(&dir.join("data")).await?;
    let length = SignedDuration::from_hours(24 * DAYS);
    let season = Season { end: Timestamp::now(), total, length, people: total / 10 + 1 };
    let known = sign_ups(&store, season.people / 5, season.end - length).await?;
    let mut waiting = VecDeque::new();
    for n in 0..total {
        let mut decision = season.decision(n);
        // Every decision about one of the first people is about one who signed up.
        let person = usize::try_from(u64::from_be_bytes(decision.subject.0[..8].try_into()?) % (season.people))?;
        if let Some((key, subject)) = known.get(person) {
            (decision.recipient, decision.subject) = (*key, *subject);
            decision.folded_from = 2 * u64::from(decision.classification.class == consentry::mail::Class::Marketing);
        }
        waiting.push_back(store.record(decision, None));
        if waiting.len() >= AT_ONCE {
            waiting.pop_front().context("one waits")?.await?;
        }
    }
    for durable in waiting {
        durable.await?;
    }
    store.close().await;
    std::fs::write(dir.join("consentry.toml"), config(dir)?)?;
    println!("consentry simulate --config {}/consentry.toml --since 30d", dir.display());
    Ok(())
}

/// So many people sign up and confirm; every tenth withdraws.
async fn sign_ups(store: &Store, people: u64, at: Timestamp) -> Result<Vec<(LookupKey, SubjectId)>> {
    let mut running = JoinSet::new();
    for number in 0..people {
        if running.len() >= 64 {
            running.join_next().await.context("a task")???;
        }
        let address = Address::parse(&format!("reader{number}@bench.example"))?;
        let (controller, topic) = ("acme".to_owned(), Topic::parse(&format!("topic{}", number % TOPICS))?);
        let sign_up = SignUp { address, withdrawn: number % 10 == 0, controller, topic, number, at };
        running.spawn(sign_up.record(store.clone()));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    sign_up::empty_letter_box(store).await?;
    let mut known = Vec::new();
    for number in 0..people {
        let key = store.keyring().lookup_key(&Address::parse(&format!("reader{number}@bench.example"))?);
        known.push((key, store.standing(key).await?.context("just signed up")?.0));
    }
    Ok(known)
}

/// Everything the season names.
fn config(dir: &Path) -> Result<String> {
    let mut text = format!(
        "data_dir = \"{}/data\"\npublic_url = \"https://consent.bench.example\"\n[listen]\nsmtp = [\"127.0.0.1:0\"]\n[smtp]\nhostname = \"gateway.bench.example\"\n\
         [outbound]\nhost = \"127.0.0.1\"\nport = 25\n",
        dir.display()
    );
    for controller in ["acme", "other"] {
        write!(
            text,
            "[[controller]]\nkey = \"{controller}\"\nname = \"{controller}\"\nimprint = \"Street 1, Town\"\n\
             privacy_url = \"https://bench.example/privacy\"\nfrom = \"news@bench.example\"\n"
        )?;
    }
    for topic in 0..TOPICS {
        let (_, controller) = STREAMS[usize::try_from(topic % 5)?];
        write!(
            text,
            "[[topic]]\nname = \"topic{topic}\"\ncontroller = \"{controller}\"\ntitle = \"Topic {topic}\"\nlist_id = \"topic{topic}.bench.example\"\n"
        )?;
    }
    for (n, (name, controller)) in STREAMS.into_iter().enumerate() {
        write!(
            text,
            "[[stream]]\nname = \"{name}\"\ncontroller = \"{controller}\"\nclass = \"transactional\"\n\
             from_domains = [\"bench.example\"]\nnetworks = [\"10.0.{n}.0/24\"]\n"
        )?;
    }
    Ok(text)
}
