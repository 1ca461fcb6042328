//! The loop over the copies that wait: which are under way, which are next, and when to look again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OnceCell, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::SpoolSettings;
use super::follow::{Ended, Follower};
use crate::gateway::{Gateway, Late, Opened};
use crate::mail::Lane;
use crate::store::{CopyId, SpoolId, SpooledCopy};

/// Copies that one look at the spool takes.
const BATCH: usize = 256;

/// How often the spool is looked at when nothing happens: commands of the operator change it from outside.
const TICK: Duration = Duration::from_secs(1);

/// Pauses while the outbound MTA cannot be reached: the first, and the longest after it doubled.
const DOWN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A message that copies under way share.
pub(super) type Shared = Arc<OnceCell<Opened>>;

struct Spooler {
    follower: Follower,
    /// Read, not begun.
    ready: [VecDeque<SpooledCopy>; 2],
    /// Read: not to be read again.
    claimed: HashSet<CopyId>,
    messages: HashMap<SpoolId, Weak<OnceCell<Opened>>>,
    running: JoinSet<(CopyId, Ended)>,
    /// Under way in each lane.
    busy: [usize; 2],
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
        claimed: HashSet::new(),
        messages: HashMap::new(),
        running: JoinSet::new(),
        busy: [0; 2],
        down: None,
    };
    loop {
        let wake = spooler.look().await;
        let store = spooler.follower.gateway.store.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = spooler.running.join_next(), if !spooler.running.is_empty() => spooler.ended(ended),
            Some(late) = late.recv() => spooler.wait_for(late),
            () = store.spool_arrival() => {}
            () = tokio::time::sleep_until(wake) => {}
        }
    }
    while let Some(ended) = spooler.running.join_next().await {
        spooler.ended(ended);
    }
}

impl Spooler {
    /// Begins what is due; tells when to look again if nothing happens before.
    async fn look(&mut self) -> Instant {
        let now = Instant::now();
        let tick = now + TICK;
        if let Some(down) = &self.down
            && (down.until > now || self.busy != [0; 2])
        {
            return down.until.max(now + DOWN.0).min(tick);
        }
        for lane in [Lane::Transactional, Lane::Bulk] {
            while self.has_room(lane) {
                if self.ready[index(lane)].is_empty() && !self.read(lane).await {
                    break;
                }
                let Some(copy) = self.ready[index(lane)].pop_front() else { break };
                self.begin(copy);
            }
        }
        let store = &self.follower.gateway.store;
        let at = Timestamp::now();
        match store.spool_next(at).await {
            Ok(Some(next)) => tick.min(now + Duration::try_from(next.duration_since(at)).unwrap_or_default()),
            Ok(None) => tick,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read");
                tick
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

    /// Reads what is due; false when nothing is.
    async fn read(&mut self, lane: Lane) -> bool {
        let most = u32::try_from(BATCH + self.claimed.len()).unwrap_or(u32::MAX);
        match self.follower.gateway.store.spool_due(lane, Timestamp::now(), most).await {
            Ok(due) => {
                let ready = &mut self.ready[index(lane)];
                for copy in due {
                    if self.claimed.insert(copy.id) {
                        ready.push_back(copy);
                    }
                }
                !ready.is_empty()
            }
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read");
                false
            }
        }
    }

    fn begin(&mut self, copy: SpooledCopy) {
        let message = self.messages.get(&copy.id.message).and_then(Weak::upgrade).unwrap_or_default();
        self.messages.insert(copy.id.message, Arc::downgrade(&message));
        self.busy[index(copy.lane)] += 1;
        let (follower, id) = (self.follower.clone(), copy.id);
        self.running.spawn(async move { (id, follower.deliver(copy, message).await) });
    }

    /// Takes over a copy whose answer the gateway did not wait for. It needs no place: it has its connection.
    fn wait_for(&mut self, late: Late) {
        self.claimed.insert(late.copy);
        let (follower, id) = (self.follower.clone(), late.copy);
        self.running.spawn(async move { (id, follower.wait_for(late).await) });
    }

    fn ended(&mut self, ended: Result<(CopyId, Ended), tokio::task::JoinError>) {
        let (id, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // The copy stays claimed: what made this panic would do so again with every look.
                tracing::error!(panicked = error.is_panic(), "a delivery ended abnormally");
                return;
            }
        };
        self.claimed.remove(&id);
        if let Some(lane) = ended.lane {
            self.busy[index(lane)] -= 1;
        }
        match (ended.reached, &mut self.down) {
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
