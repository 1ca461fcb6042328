//! Fills a ledger for benchmarks: every address of a CSV (`email,status`) goes through a double
//! opt-in by the store's own doors; `withdrawn` ones withdraw afterwards. Evidence is synthetic.
//!
//! `cargo run --release --example bench_ledger -- CSV DATA_DIR CONTROLLER TOPIC`

mod sign_up;

use std::path::Path;

use anyhow::{Context, Result, bail};
use consentry::consent::Topic;
use consentry::mail::Address;
use consentry::store::Store;
use jiff::Timestamp;
use sign_up::SignUp;
use tokio::task::JoinSet;

/// Sign-ups under way at once: the store commits concurrent work together where it can.
const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, csv, data_dir, controller, topic] = arguments.as_slice() else {
        bail!("usage: bench_ledger CSV DATA_DIR CONTROLLER TOPIC");
    };
    let text = std::fs::read_to_string(csv).with_context(|| csv.clone())?;
    let store = Store::open(Path::new(data_dir)).await?;
    let topic = Topic::parse(topic)?;
    let mut running = JoinSet::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let (email, status) = line.split_once(',').with_context(|| format!("{csv}:{}: email,status", number + 1))?;
        let address = Address::parse(email)?;
        let withdrawn = status == "withdrawn";
        if running.len() >= AT_ONCE {
            running.join_next().await.context("a task")???;
        }
        let (controller, topic) = (controller.clone(), topic.clone());
        let sign_up = SignUp { address, withdrawn, controller, topic, number: number as u64, at: Timestamp::now() };
        running.spawn(sign_up.record(store.clone()));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    sign_up::empty_letter_box(&store).await?;
    store.close().await;
    Ok(())
}
