//! What all connections share, whatever listener they came by: limits, and what is asked of the handler within them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::auth::Credentials;
use super::budget::Budget;
use super::guessing::{Guessing, Leave};
use super::handler::{Authentication, Handler};
use super::pace::Pace;
use super::places::Places;
use super::reply;
use super::session::Policy;
use super::settings::{SmtpSettings, StreamRates};
use crate::mail::{ReversePath, Stream};
use crate::wire::{Reply, network};

/// The server behind all listeners: one handler, one budget, one count of connections. [`serve`](super::serve) puts a
/// listener before it.
pub struct Server<H> {
    pub(super) handler: Arc<H>,
    pub(super) settings: Arc<SmtpSettings>,
    pub(super) budget: Budget,
    pub(super) places: Places,
    guessing: Guessing,
    /// By stream; those without limits are not here.
    rates: HashMap<String, Limits>,
}

/// The paces of one stream, and when all that was taken of each is forgotten.
struct Limits {
    messages: Option<Pace>,
    recipients: Option<Pace>,
    /// A `std` mutex: nothing is awaited while it is held.
    taken: Mutex<(Option<Instant>, Option<Instant>)>,
}

impl<H> Server<H> {
    /// Settings are expected to be [checked](SmtpSettings::check); `rates` by name of the stream.
    pub fn new(handler: Arc<H>, settings: SmtpSettings, rates: impl IntoIterator<Item = (String, StreamRates)>) -> Arc<Self> {
        let budget = Budget::new(settings.max_bytes_in_flight);
        let limits = |rates: StreamRates| Limits {
            messages: rates.messages_per_minute.map(Pace::per_minute),
            recipients: rates.recipients_per_minute.map(Pace::per_minute),
            taken: Mutex::default(),
        };
        let rates = rates.into_iter().filter(|(_, rates)| *rates != StreamRates::default());
        Arc::new(Self {
            handler,
            settings: Arc::new(settings),
            budget,
            places: Places::default(),
            guessing: Guessing::new(),
            rates: rates.map(|(stream, rates)| (stream, limits(rates))).collect(),
        })
    }
}

impl<H: Handler> Server<H> {
    /// Asks the handler about a credential, unless it looks like guessing: then the answer is the same as when nobody
    /// could be asked, for accounts that exist and for those that do not.
    pub(super) async fn authenticate(&self, peer: Option<IpAddr>, given: Credentials) -> Authentication {
        let attempt = self.guessing.attempt(peer.map(network), &given.username);
        if let Leave::CheckAfter(wait) = self.guessing.leave(attempt, Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        let _turn = self.guessing.turn(attempt).await;
        if self.guessing.leave(attempt, Instant::now()) == Leave::Refuse {
            tracing::warn!("logins are locked for a while after too many failed ones from their network");
            return Authentication::Unavailable;
        }
        let answer = self.handler.authenticate(&given.username, given.password).await;
        match &answer {
            Authentication::Granted(_) => self.guessing.succeeded(attempt, Instant::now()),
            Authentication::Refused => self.guessing.failed(attempt, Instant::now()),
            Authentication::Unavailable => {}
        }
        answer
    }
}

impl<H: Handler> Policy for Server<H> {
    fn mail(&self, stream: &Stream, path: &ReversePath) -> Result<(), Reply> {
        self.handler.reverse_path(stream, path)?;
        let Some(limits) = self.rates.get(&stream.name) else { return Ok(()) };
        let mut taken = limits.taken.lock().unwrap_or_else(PoisonError::into_inner);
        take(limits.messages, &mut taken.0)
    }

    fn rcpt(&self, stream: &Stream) -> Result<(), Reply> {
        let Some(limits) = self.rates.get(&stream.name) else { return Ok(()) };
        let mut taken = limits.taken.lock().unwrap_or_else(PoisonError::into_inner);
        take(limits.recipients, &mut taken.1)
    }
}

fn take(pace: Option<Pace>, full: &mut Option<Instant>) -> Result<(), Reply> {
    let (Some(pace), now) = (pace, Instant::now()) else { return Ok(()) };
    if !pace.has_room(*full, now) {
        return Err(reply::TOO_FAST);
    }
    *full = Some(pace.taken(*full, now));
    Ok(())
}
