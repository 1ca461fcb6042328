//! The decision log under load: what recording costs, and how fast the admin's questions are answered over a whole
//! season of decisions (`season.rs`). Prints; judges nothing.
//!
//! `cargo run --release --example bench_decisions -- fill DIR [DECISIONS] [AT_ONCE] [HOURS]`
//! `cargo run --release --example bench_decisions -- ask DIR [QUESTIONS] [HOURS]`

mod ask;
mod season;
mod sign_up;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use consentry::consent::{Topic, Verdict};
use consentry::mail::{Address, Outcome};
use consentry::store::Store;
use jiff::{SignedDuration, Timestamp};
use season::{STREAMS, Season, TOPICS};
use sign_up::SignUp;

const DECISIONS: u64 = 10_000_000;
const HOURS: u64 = 90 * 24;
const PEOPLE: u64 = 1_000_000;
const QUESTIONS: u64 = 48;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let number = |n: usize, default: u64| words.get(n).map_or(Ok(default), |word| word.parse()).context("a number");
    match words.as_slice() {
        ["fill", dir, ..] => fill(Path::new(dir), number(2, DECISIONS)?, number(3, 4096)?, number(4, HOURS)?).await,
        ["ask", dir, ..] => ask::ask(Path::new(dir), number(2, QUESTIONS)?, number(3, HOURS)?).await,
        _ => bail!("usage: bench_decisions fill DIR [DECISIONS] [AT_ONCE] [HOURS] | ask DIR [QUESTIONS] [HOURS]"),
    }
}

/// Records a season through the store's own door, with so many decisions waiting for their commit at once.
async fn fill(dir: &Path, total: u64, at_once: u64, hours: u64) -> Result<()> {
    let store = Store::open(dir).await?;
    let season = season(Timestamp::now(), total, hours)?;
    sign_ups(&store, &season, hours).await?;
    // What making them up costs is no part of the figure.
    let (began, spent) = (Instant::now(), cpu()?);
    (0..total.min(100_000)).for_each(|n| drop(season.decision(n)));
    let own = (cpu()? - spent) / total.min(100_000) as f64;
    let (made_in, spent) = (began.elapsed(), cpu()?);
    let mut waiting = VecDeque::new();
    for n in 0..total {
        let decision = season.decision(n);
        let (id, at, verdict) = (decision.id, decision.at, decision.reason.verdict());
        waiting.push_back(store.record(decision, None));
        if verdict == Verdict::Pass {
            store.settle(id, at, &Outcome::Accept { text: "2.0.0 Ok: queued as 4bXyZ01234567".into() });
        }
        if waiting.len() as u64 >= at_once {
            waiting.pop_front().context("one waits")?.await?;
        }
    }
    for durable in waiting {
        durable.await?;
    }
    let (cpu, elapsed) = ((cpu()? - spent) / total as f64 - own, began.elapsed() - made_in);
    store.close().await;
    println!("{total} decisions with their outcomes, {at_once} at once: {:.1} µs CPU each, {:.0} s", cpu * 1e6, elapsed.as_secs_f64());
    Ok(())
}

fn season(end: Timestamp, total: u64, hours: u64) -> Result<Season> {
    Ok(Season { end, total, length: SignedDuration::from_hours(i64::try_from(hours)?), people: PEOPLE.min(total / 10 + 1) })
}

/// One sign-up an hour for every controller, every fifth withdrawn: what the charts of sign-ups are drawn from.
async fn sign_ups(store: &Store, season: &Season, hours: u64) -> Result<()> {
    for n in 0..hours {
        let at = season.end - SignedDuration::from_hours(i64::try_from(hours - n)?);
        for (m, controller) in [STREAMS[0].1, STREAMS[4].1].into_iter().enumerate() {
            let number = 2 * n + m as u64;
            let address = Address::parse(&format!("reader{number}@bench.example"))?;
            let topic = Topic::parse(&format!("topic{}", n % TOPICS))?;
            let sign_up = SignUp { address, withdrawn: n % 5 == 0, controller: controller.into(), topic, number, at };
            sign_up.record(store.clone()).await?;
        }
    }
    sign_up::empty_letter_box(store).await
}

/// Seconds of processor time of this process, user and system.
fn cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("a stat line")?.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).context("a stat line");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
