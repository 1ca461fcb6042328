//! Joiner: what other rules would have done to the mail of the past (S0-27). Recorded decisions are decided anew, each at its
//! own time, from what the record keeps: no mail is needed, and nothing is changed.
//!
//! What the record does not tell is not made up. The sender's domain is not kept, so where a stream's `from_domains` change,
//! what was refused for them is reported as not known. A topic that equals the stream's default of before counts as
//! defaulted. A suppression that was lifted since is gone; the events that it came from are not. Of earlier contacts only the
//! last is kept: who was written to by consent then, and is still, counts as in use before the first mail of the replay.

mod page;
mod people;
mod replay;
mod report;
mod table;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

pub use page::Heading;
pub use report::{After, Change, Line, Report, Tally};

use crate::consent::{Catalogue, DecisionId};
use crate::mail::Stream;
use crate::policy::{Policy, Rules};
use crate::store::{Past, PastDecision, Store, StoreError};
use people::People;
use replay::Replay;

/// Decisions read in one go.
const GO: u32 = 20_000;

/// The rules to try.
pub struct Trial {
    /// As one value.
    pub rules: Rules,
    /// Those in force, where they are known.
    pub before: Option<Rules>,
    /// Whose the topics are.
    pub catalogue: Catalogue,
    /// The profiles.
    pub policy: Policy,
    /// The streams.
    pub streams: Vec<Arc<Stream>>,
}

/// Decides anew what was decided from `since` to before `until`.
pub async fn simulate(store: &Store, trial: &Trial, since: Timestamp, until: Timestamp) -> Result<Report, StoreError> {
    let (reader, mut people) = (store.past().await?, People::new(store.past().await?));
    // What is read next is read while the last is decided.
    let (read, mut steps) = mpsc::channel(1);
    let reading = tokio::spawn(read_all(reader, Past::first(since), Past::first(until), read));
    let mut replay = Replay::new(trial);
    let mut report = Report::new(since, until, replay.notes());
    while let Some(step) = steps.recv().await {
        let step: Vec<PastDecision> = step?;
        let asked = step.iter().filter_map(|past| replay.asks(past)).collect();
        people.meet(asked).await?;
        for past in &step {
            let after = replay.decide(past, people.get(past.subject));
            report.count(past, after);
        }
    }
    reading.await.map_err(|_| StoreError::Closed)?;
    Ok(report)
}

async fn read_all(mut past: Past, mut from: DecisionId, to: DecisionId, read: mpsc::Sender<Result<Vec<PastDecision>, StoreError>>) {
    loop {
        let step = past.decisions(from, to, GO).await;
        let last = step.as_ref().ok().and_then(|step| step.last()).map(|past| past.id);
        let is_end = step.as_ref().map_or(true, |step| step.len() < GO as usize);
        // A closed channel: nobody wants more.
        if read.send(step).await.is_err() || is_end {
            return;
        }
        from = last.map_or(to, |last| DecisionId(u128::from_be_bytes(last.0).saturating_add(1).to_be_bytes()));
    }
}
