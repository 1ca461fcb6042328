//! What all connections share, whatever listener they came by: limits, and what is asked of the handler within them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use super::auth::Credentials;
use super::budget::Budget;
use super::guessing::{Guessing, Leave};
use super::handler::{Authentication, Handler};
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

/// The paces of one stream: a minute's worth at once, spread evenly after that.
struct Limits {
    messages: Option<DefaultDirectRateLimiter>,
    recipients: Option<DefaultDirectRateLimiter>,
}

impl<H> Server<H> {
    /// Settings are expected to be [checked](SmtpSettings::check); `rates` by name of the stream.
    pub fn new(handler: Arc<H>, settings: SmtpSettings, rates: impl IntoIterator<Item = (String, StreamRates)>) -> Arc<Self> {
        let budget = Budget::new(settings.max_bytes_in_flight);
        let pace = |times| NonZeroU32::new(times).map(|times| RateLimiter::direct(Quota::per_minute(times)));
        let limits = |rates: StreamRates| Limits {
            messages: rates.messages_per_minute.and_then(pace),
            recipients: rates.recipients_per_minute.and_then(pace),
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

    /// A server for another handler, without rates of its own, that shares the limits of this one: memory and connections are
    /// those of all listeners together.
    pub fn beside<G>(&self, handler: Arc<G>) -> Arc<Server<G>> {
        Arc::new(Server {
            handler,
            settings: Arc::clone(&self.settings),
            budget: self.budget.clone(),
            places: self.places.clone(),
            guessing: Guessing::new(),
            rates: HashMap::new(),
        })
    }
}

impl<H: Handler> Server<H> {
    /// Octets of a message that a client which connects now may send.
    pub(super) fn largest_message(&self) -> usize {
        self.handler.largest_message().map_or(self.settings.max_message_size, |octets| octets.min(self.settings.max_message_size))
    }

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
        take(self.rates.get(&stream.name).and_then(|limits| limits.messages.as_ref()))
    }

    fn rcpt(&self, stream: &Stream) -> Result<(), Reply> {
        take(self.rates.get(&stream.name).and_then(|limits| limits.recipients.as_ref()))
    }
}

fn take(pace: Option<&DefaultDirectRateLimiter>) -> Result<(), Reply> {
    match pace.map(DefaultDirectRateLimiter::check) {
        Some(Err(_)) => Err(reply::TOO_FAST),
        None | Some(Ok(())) => Ok(()),
    }
}
