//! The gateway's own mails on their way out: taken from the spool, relayed, tried again with growing
//! pauses, given up in the end. What came of it becomes evidence in the ledger.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::mail::{Lane, Outcome};
use crate::relay::Relay;
use crate::store::{Store, StoreError, WaitingLetter};

/// How many mails one look at the spool takes.
const BATCH: u32 = 32;

/// How often the spool is looked at when nothing wakes the loop; also the finest retry time.
const TICK: Duration = Duration::from_secs(30);

/// A confirmation mail that cannot be delivered for this long is given up: its link is half used up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Pauses between attempts; the last one repeats.
const PAUSES: [SignedDuration; 5] = [
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(4),
];

/// Delivers what is in the spool until `shutdown`; a delivery that runs is finished first, and none begins.
pub async fn run(store: Store, relay: Relay, shutdown: impl Future<Output = ()>) {
    let signal = store.letter_signal();
    tokio::pin!(shutdown);
    loop {
        // Registered before the look, so that a mail spooled meanwhile is not slept over.
        let spooled = signal.notified();
        match deliver_due(&store, &relay, shutdown.as_mut()).await {
            Ok(Taken::Stopped) => return,
            Ok(Taken::Batch) => continue,
            Ok(Taken::All) => {}
            Err(error) => tracing::error!(%error, "spool cannot be read"),
        }
        tokio::select! {
            () = &mut shutdown => return,
            () = spooled => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// What one look at the spool came to.
enum Taken {
    All,
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
        store.letter_later(mail.id, Timestamp::now() + pause(mail.attempts)).await?;
        let outcome = match relay.begin(&mail.envelope, Lane::Transactional).await {
            Ok(transaction) => transaction.send(mail.message.clone()).await,
            Err(outcome) => outcome,
        };
        if let Err(error) = settle(store, mail, outcome, Timestamp::now()).await {
            tracing::error!(%error, "what came of a confirmation mail was not recorded");
        }
    }
    Ok(if due.len() == BATCH as usize { Taken::Batch } else { Taken::All })
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

fn pause(attempts: u32) -> SignedDuration {
    let index = usize::try_from(attempts).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
    PAUSES[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay() {
        for (attempts, minutes) in [(0, 1), (1, 5), (4, 240), (5, 240), (u32::MAX, 240)] {
            assert_eq!(pause(attempts), SignedDuration::from_mins(minutes), "{attempts}");
        }
    }
}
