//! The gateway's own letters on their way out: taken from the ledger, relayed, tried again with growing
//! pauses, given up in the end. What came of it becomes evidence in the ledger.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{DRAIN, schedule};
use crate::entropy::random;
use crate::mail::{Lane, Outcome};
use crate::relay::Relay;
use crate::store::{Store, StoreError, WaitingLetter};

/// How many letters one look takes.
const BATCH: u32 = 32;

/// Pause while the ledger, or a letter in it, cannot be read.
const PAUSE: Duration = Duration::from_secs(30);

/// A confirmation mail that cannot be delivered for this long is given up: its link is half used up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3600);

/// Delivers what is due until `shutdown`; a delivery that runs is finished first, within reason, and none begins.
pub async fn run(store: Store, relay: Relay, shutdown: impl Future<Output = ()>) {
    let signal = store.letter_signal();
    tokio::pin!(shutdown);
    loop {
        // Registered before the look, so that a letter posted meanwhile is not slept over.
        let posted = signal.notified();
        let wait = match deliver_due(&store, &relay, shutdown.as_mut()).await {
            Ok(Taken::Stopped) => return,
            Ok(Taken::Batch) => continue,
            // One that is due and was not taken is damaged: it must not make the loop spin.
            Ok(Taken::All { next }) => next.map(|next| Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or(PAUSE)),
            Err(error) => {
                tracing::error!(%error, "letters cannot be read");
                Some(PAUSE)
            }
        };
        tokio::select! {
            () = &mut shutdown => return,
            () = posted => {}
            () = until(wait) => {}
        }
    }
}

/// The retry clock; without anything to wait for it never rings.
async fn until(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// What one look came to.
enum Taken {
    /// Nothing more is due; when the next one is.
    All {
        next: Option<Timestamp>,
    },
    /// There may be more.
    Batch,
    Stopped,
}

async fn deliver_due(store: &Store, relay: &Relay, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> Result<Taken, StoreError> {
    let due = store.due_letters(Timestamp::now(), BATCH).await?;
    for mail in &due {
        // An outbound MTA that hangs takes minutes for each.
        if poll_fn(|context| Poll::Ready(shutdown.as_mut().poll(context).is_ready())).await {
            return Ok(Taken::Stopped);
        }
        // Put off before it is sent: while the ledger cannot be written nothing leaves, and a mail whose end could not
        // be recorded comes again after a pause, not with every look (L-DOI-05).
        let [dice] = random();
        store.letter_later(mail.id, schedule::next(Timestamp::now(), mail.attempts, LONGEST_PAUSE, dice)).await?;
        let mut stopping = false;
        let outcome = tokio::select! {
            outcome = send(relay, mail) => outcome,
            () = async {
                shutdown.as_mut().await;
                stopping = true;
                tokio::time::sleep(DRAIN).await;
            } => return Ok(Taken::Stopped), // it is put off, and may come twice
        };
        if let Err(error) = settle(store, mail, outcome, Timestamp::now()).await {
            tracing::error!(%error, "what came of a confirmation mail was not recorded");
        }
        if stopping {
            return Ok(Taken::Stopped);
        }
    }
    if due.len() == BATCH as usize {
        return Ok(Taken::Batch);
    }
    Ok(Taken::All { next: store.next_letter().await? })
}

async fn send(relay: &Relay, mail: &WaitingLetter) -> Outcome {
    match relay.begin(&mail.envelope, Lane::Transactional).await {
        Ok(transaction) => transaction.send(mail.message.clone()).await,
        Err(outcome) => outcome,
    }
}

async fn settle(store: &Store, mail: &WaitingLetter, outcome: Outcome, now: Timestamp) -> Result<(), StoreError> {
    tracing::info!(outcome = outcome.as_str(), attempts = mail.attempts + 1, "confirmation mail");
    match outcome {
        Outcome::Accept { .. } | Outcome::Reject { .. } => store.letter_done(mail.id, now, &outcome).await,
        Outcome::Defer { .. } | Outcome::Unreachable { .. } | Outcome::Uncertain { .. } => {
            if now.duration_since(mail.queued_at) > GIVE_UP {
                let expired = Outcome::Reject { code: 554, text: "5.4.7 not deliverable in time".into() };
                return store.letter_done(mail.id, now, &expired).await;
            }
            Ok(()) // put off already
        }
    }
}
