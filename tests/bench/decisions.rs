//! The decision log under load: what recording costs, and how fast the admin's questions are answered over a whole
//! season of decisions (`season.rs`). Prints; judges nothing.
//!
//! `cargo run --release --example bench_decisions -- fill DIR [DECISIONS] [AT_ONCE] [HOURS]`
//! `cargo run --release --example bench_decisions -- ask DIR [ROUNDS]`

mod season;

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use consentry::consent::Reason;
use consentry::mail::Class;
use consentry::store::{DecisionFilter, Step, Store};
use jiff::{SignedDuration, Timestamp};
use season::{CAMPAIGNS, STREAMS, Season, TOPICS};

const DECISIONS: u64 = 10_000_000;
const HOURS: u64 = 90 * 24;
const PEOPLE: u64 = 1_000_000;
const ROUNDS: u64 = 200;
/// Rows of a page, as the admin pages ask for them.
const PAGE: u32 = 50;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let number = |n: usize, default: u64| words.get(n).map_or(Ok(default), |word| word.parse()).context("a number");
    match words.as_slice() {
        ["fill", dir, ..] => fill(Path::new(dir), number(2, DECISIONS)?, number(3, 4096)?, number(4, HOURS)?).await,
        ["ask", dir, ..] => ask(Path::new(dir), number(2, ROUNDS)?).await,
        _ => bail!("usage: bench_decisions fill DIR [DECISIONS] [AT_ONCE] [HOURS] | ask DIR [ROUNDS]"),
    }
}

/// Records a season through the store's own door, with so many decisions waiting for their commit at once.
async fn fill(dir: &Path, total: u64, at_once: u64, hours: u64) -> Result<()> {
    let store = Store::open(dir).await?;
    let season = Season {
        end: Timestamp::now(),
        total,
        length: SignedDuration::from_hours(i64::try_from(hours)?),
        people: PEOPLE.min(total / 10 + 1),
    };
    // What making them up costs is no part of the figure.
    let (began, spent) = (Instant::now(), cpu()?);
    (0..total.min(100_000)).for_each(|n| drop(season.decision(n)));
    let own = (cpu()? - spent) / total.min(100_000) as f64;
    let (made_in, spent) = (began.elapsed(), cpu()?);
    let mut waiting = VecDeque::new();
    for n in 0..total {
        waiting.push_back(store.record(season.decision(n), None));
        if waiting.len() as u64 >= at_once {
            waiting.pop_front().context("one waits")?.await?;
        }
    }
    for durable in waiting {
        durable.await?;
    }
    let (cpu, elapsed) = ((cpu()? - spent) / total as f64 - own, began.elapsed() - made_in);
    store.close().await;
    println!("{total} decisions, {at_once} at once: {:.1} µs CPU each, {:.0} s", cpu * 1e6, elapsed.as_secs_f64());
    Ok(())
}

/// Asks what the admin pages ask, filter by filter, and prints how long the answers took.
async fn ask(dir: &Path, rounds: u64) -> Result<()> {
    let began = Instant::now();
    let store = Store::open(dir).await?;
    println!("opened in {:.1} s; {rounds} questions of each kind, pages of {PAGE}, milliseconds", began.elapsed().as_secs_f64());
    println!("{:<34} {:>8} {:>8} {:>8} {:>6} {:>6}", "question", "p50", "p95", "most", "full", "late");
    let now = Timestamp::now();
    let days = |n: u64| now - SignedDuration::from_hours(24 * i64::try_from(n).expect("days"));
    let any = DecisionFilter::default;
    let questions: [(&str, &dyn Fn(u64) -> DecisionFilter); 12] = [
        ("first page, no filter", &|_| any()),
        ("a day", &|n| DecisionFilter { from: Some(days(n % 90 + 1)), to: Some(days(n % 90)), ..any() }),
        ("class", &|n| DecisionFilter { class: Some([Class::Marketing, Class::Transactional][place(n, 2)]), ..any() }),
        ("reason", &|n| DecisionFilter { reasons: vec![Reason::ALL[place(n, Reason::ALL.len() as u64)]], ..any() }),
        ("stream", &|n| DecisionFilter { stream: Some(STREAMS[place(n, 6)].0.into()), ..any() }),
        ("topic", &|n| DecisionFilter { topic: Some(format!("topic{}", n % TOPICS)), ..any() }),
        ("campaign", &|n| DecisionFilter { campaign: Some(format!("campaign-{}", n * 7 % CAMPAIGNS)), ..any() }),
        ("subject", &|n| DecisionFilter { subject: Some(season::subject(n * 4_999 % PEOPLE)), ..any() }),
        ("campaign and a rare reason", &|n| DecisionFilter {
            reasons: vec![Reason::LedgerUnavailable],
            campaign: Some(format!("campaign-{}", n * 7 % CAMPAIGNS)),
            ..any()
        }),
        ("topic, reason and a week", &|n| DecisionFilter {
            reasons: vec![Reason::OptInPending],
            topic: Some(format!("topic{}", n % TOPICS)),
            from: Some(days(n % 80 + 7)),
            to: Some(days(n % 80)),
            ..any()
        }),
        ("subject and reason", &|n| DecisionFilter {
            reasons: vec![Reason::NoConsent],
            subject: Some(season::subject(n * 4_999 % PEOPLE)),
            ..any()
        }),
        ("a campaign that is none", &|n| DecisionFilter { campaign: Some(format!("none-{n}")), ..any() }),
    ];
    for (name, question) in questions {
        let (mut times, mut full, mut late) = (Vec::new(), 0, 0);
        for n in 0..rounds {
            let filter = question(n);
            let asked = Instant::now();
            let page = store.search_decisions(&filter, None, PAGE).await?;
            times.push(asked.elapsed());
            full += u32::from(page.rows.len() == PAGE as usize);
            late += u32::from(page.searched_back_to.is_some());
        }
        print_times(name, times, full, late);
    }
    for (name, length, step) in
        [("charts of a day", 1, Step::Hour), ("charts of 30 days", 30, Step::Day), ("charts of 90 days", 90, Step::Day)]
    {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let asked = Instant::now();
            drop((store.volume(days(length), now, step).await?, store.event_counts(days(length), now, step).await?));
            times.push(asked.elapsed());
        }
        print_times(name, times, 0, 0);
    }
    store.close().await;
    Ok(())
}

fn place(n: u64, of: u64) -> usize {
    usize::try_from(n % of).expect("small")
}

fn print_times(name: &str, mut times: Vec<Duration>, full: u32, late: u32) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("{name:<34} {:>8.1} {:>8.1} {:>8.1} {full:>6} {late:>6}", at(50), at(95), at(100));
}

/// Seconds of processor time of this process, user and system.
fn cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("a stat line")?.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).context("a stat line");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
