//! What all connections share, whatever listener they came by.

use std::sync::Arc;

use super::budget::Budget;
use super::places::Places;
use super::settings::SmtpSettings;

/// The server behind all listeners: one handler, one budget, one count of connections. [`serve`](super::serve) puts a
/// listener before it.
pub struct Server<H> {
    pub(super) handler: Arc<H>,
    pub(super) settings: Arc<SmtpSettings>,
    pub(super) budget: Budget,
    pub(super) places: Places,
}

impl<H> Server<H> {
    /// Settings are expected to be [checked](SmtpSettings::check).
    pub fn new(handler: Arc<H>, settings: SmtpSettings) -> Arc<Self> {
        let budget = Budget::new(settings.max_bytes_in_flight);
        Arc::new(Self { handler, settings: Arc::new(settings), budget, places: Places::default() })
    }
}
