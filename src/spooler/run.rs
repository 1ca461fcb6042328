//! The loop over the copies that wait: which are under way, which are next, and when to look again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OnceCell, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::follow::{Ended, Follower};
use super::{DRAIN, SpoolSettings};
use crate::gateway::{Gateway, Late, Opened};
use crate::mail::Lane;
use crate::store::{CopyId, DueCopy, SpoolId};

/// Copies that one look at the spool takes.
const BATCH: usize = 256;

/// How often the spool is looked at when nothing happens: commands of the operator change it from outside.
const TICK: Duration = Duration::from_secs(1);

/// Pauses while the outbound MTA cannot be reached: the first, and the longest after it doubled.
const DOWN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Octets of the copies under way, unless one alone is larger: each is in memory two or three times.
const OCTETS: u64 = 32 * 1024 * 1024;

/// A message that copies under way share.
pub(super) type Shared = Arc<OnceCell<Opened>>;

struct Spooler {
    follower: Follower,
    /// Read, not begun.
    ready: [VecDeque<DueCopy>; 2],
    /// There may be more that is due.
    more: [bool; 2],
    /// When to look again if nothing happens.
    wake: Instant,
    /// Read: not to be read again.
    claimed: HashSet<CopyId>,
    messages: HashMap<SpoolId, Weak<OnceCell<Opened>>>,
    running: JoinSet<(CopyId, Ended)>,
    /// The places of those under way; one that waits for a late answer has none.
    places: HashMap<tokio::task::Id, DueCopy>,
    /// Under way in each lane, and their octets.
    busy: [usize; 2],
    octets: u64,
    down: Option<Down>,
}

/// The outbound MTA cannot be reached.
struct Down {
    pause: Duration,
    until: Instant,
}

/// Delivers what waits in the spool until `stop` turns true; deliveries under way end first, late answers are left to the
/// next start.
pub async fn run(gateway: Arc<Gateway>, settings: SpoolSettings, mut late: mpsc::UnboundedReceiver<Late>, mut stop: watch::Receiver<bool>) {
    let mut spooler = Spooler {
        follower: Follower { gateway, settings, stop: stop.clone() },
        ready: Default::default(),
        more: [true; 2],
        wake: Instant::now(),
        claimed: HashSet::new(),
        messages: HashMap::new(),
        running: JoinSet::new(),
        places: HashMap::new(),
        busy: [0; 2],
        octets: 0,
        down: None,
    };
    let store = spooler.follower.gateway.store.clone();
    loop {
        spooler.look().await;
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = spooler.running.join_next_with_id(), if !spooler.running.is_empty() => spooler.ended(ended),
            Some(late) = late.recv() => spooler.wait_for(late),
            () = store.spool_arrival() => spooler.more = [true; 2],
            () = tokio::time::sleep_until(spooler.wake) => spooler.more = [true; 2],
        }
    }
    let drained = timeout(DRAIN, async {
        while let Some(ended) = spooler.running.join_next_with_id().await {
            spooler.ended(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(copies = spooler.running.len(), "deliveries were cut off");
    }
}

impl Spooler {
    /// Begins what is due and finds a place.
    async fn look(&mut self) {
        let now = Instant::now();
        if let Some(down) = &self.down
            && (down.until > now || self.busy != [0; 2])
        {
            self.wake = down.until.max(now + DOWN.0);
            return;
        }
        let asked = self.more;
        for lane in [Lane::Transactional, Lane::Bulk] {
            while self.has_room(lane) {
                if self.ready[index(lane)].is_empty() {
                    self.read(lane).await;
                }
                let Some(copy) = self.ready[index(lane)].pop_front_if(|copy| self.octets == 0 || self.octets + copy.size <= OCTETS) else {
                    break;
                };
                self.begin(copy);
            }
        }
        // While deliveries are under way, the end of each is a look; then the next tick is soon enough for what comes due.
        if asked != [false; 2] {
            self.wake = if self.places.is_empty() { self.next_wake(now).await } else { now + TICK };
        }
    }

    async fn next_wake(&self, now: Instant) -> Instant {
        let at = Timestamp::now();
        match self.follower.gateway.store.spool_next(at).await {
            Ok(Some(next)) => (now + TICK).min(now + Duration::try_from(next.duration_since(at)).unwrap_or_default()),
            Ok(None) => now + TICK,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read");
                now + TICK
            }
        }
    }

    /// A campaign leaves a fifth of the places to transactional mail. While the outbound MTA is down, one copy at a time asks
    /// whether it is back.
    fn has_room(&self, lane: Lane) -> bool {
        let places = if self.down.is_some() { 1 } else { usize::from(self.follower.settings.deliveries.get()) };
        let reserved = if places > 1 { (places / 5).max(1) } else { 0 };
        let busy = self.busy[0] + self.busy[1];
        busy < places && (lane == Lane::Transactional || self.busy[index(Lane::Bulk)] < places - reserved)
    }

    /// Reads what is due, unless nothing is.
    async fn read(&mut self, lane: Lane) {
        if !self.more[index(lane)] {
            return;
        }
        let most = BATCH + self.claimed.len();
        match self.follower.gateway.store.spool_due(lane, Timestamp::now(), u32::try_from(most).unwrap_or(u32::MAX)).await {
            Ok(due) => {
                self.more[index(lane)] = due.len() == most;
                for copy in due {
                    if self.claimed.insert(copy.id) {
                        self.ready[index(lane)].push_back(copy);
                    }
                }
            }
            Err(error) => {
                self.more[index(lane)] = false; // until the next tick
                tracing::error!(%error, "the spool cannot be read");
            }
        }
    }

    fn begin(&mut self, copy: DueCopy) {
        let message = self.messages.get(&copy.id.message).and_then(Weak::upgrade).unwrap_or_default();
        self.messages.insert(copy.id.message, Arc::downgrade(&message));
        self.busy[index(copy.lane)] += 1;
        self.octets += copy.size;
        let (follower, id) = (self.follower.clone(), copy.id);
        let task = self.running.spawn(async move { (id, follower.deliver(id, message).await) });
        self.places.insert(task.id(), copy);
    }

    /// Takes over a copy whose answer takes long. It needs no place: it has its connection.
    fn wait_for(&mut self, late: Late) {
        self.claimed.insert(late.copy);
        let (follower, id) = (self.follower.clone(), late.copy);
        self.running.spawn(async move { (id, follower.wait_for(late).await) });
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, (CopyId, Ended)), tokio::task::JoinError>) {
        let task = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(task, _)| *task);
        if let Some(DueCopy { lane, size, .. }) = self.places.remove(&task) {
            self.busy[index(lane)] -= 1;
            self.octets -= size;
        }
        let reached = match ended {
            Ok((_, (id, Ended::Done(reached)))) => {
                self.claimed.remove(&id);
                reached
            }
            Ok((_, (_, Ended::Late(late)))) => {
                self.wait_for(late);
                Some(true)
            }
            // These stay claimed: what happened would happen with every look.
            Ok((_, (_, Ended::Damaged))) => None,
            Err(error) => {
                tracing::error!(panicked = error.is_panic(), "a delivery ended abnormally");
                None
            }
        };
        match (reached, &mut self.down) {
            (None, _) => {}
            (Some(true), down) => *down = None,
            (Some(false), Some(down)) => {
                down.pause = (down.pause * 2).min(DOWN.1);
                down.until = Instant::now() + down.pause;
            }
            (Some(false), down @ None) => *down = Some(Down { pause: DOWN.0, until: Instant::now() + DOWN.0 }),
        }
        if self.messages.len() > 2 * (BATCH + self.running.len()) {
            self.messages.retain(|_, message| message.strong_count() > 0);
        }
    }
}

fn index(lane: Lane) -> usize {
    match lane {
        Lane::Transactional => 0,
        Lane::Bulk => 1,
    }
}
