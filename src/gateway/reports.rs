//! Delivery reports on their way: who wants one, and as what it goes into the spool. Their form is `compose`'s business.

use jiff::Timestamp;

use super::Gateway;
use super::incoming::Incoming;
use crate::compose::{Action, Fate, Report};
use crate::entropy::random;
use crate::mail::{Body, Hop, Lane, Notify, Outcome, Recipient, ReversePath, Sender};
use crate::store::{CopyState, NewCopy, NewSpooled, SpoolId};

impl Gateway {
    /// The report on those of `fates` that somebody wants to hear of; `None` when nobody does. Mail with the null
    /// reverse-path is never answered (M-53).
    pub fn report(&self, sender: &Sender, original: &[u8], arrived: Timestamp, fates: &[Fate<'_>], now: Timestamp) -> Option<NewSpooled> {
        let ReversePath::Mailbox(to) = &sender.reverse_path else { return None };
        let wanted: Vec<Fate<'_>> = fates.iter().filter(|fate| is_wanted(fate)).cloned().collect();
        if wanted.is_empty() {
            return None;
        }
        let nonce = hex::encode(random::<12>());
        let report = Report { hostname: &self.hostname, sender, to, arrived, original, fates: &wanted, at: now, nonce: &nonce };
        let octets = match report.compose() {
            Ok(octets) => octets,
            Err(error) => {
                tracing::error!(%error, "a delivery report cannot be written");
                return None;
            }
        };
        let smtputf8 = to.is_internationalised() || !header_is_ascii(&octets);
        let body = if octets.is_ascii() { Body::SevenBit } else { Body::EightBit };
        Some(NewSpooled {
            id: SpoolId::new(now, random()),
            stream: String::new(),
            // RFC 3464 s.2: nobody answers a report
            sender: Sender { smtputf8, body, ..Sender::new(ReversePath::Null) },
            hop: Hop { helo: self.hostname.clone(), lmtp: false, tls: false, authenticated: false },
            queued_at: now,
            original: octets,
            copies: vec![NewCopy {
                // RFC 3461 s.5.2.6: a report on a report shall not come
                recipient: Recipient { notify: Some(Notify::default()), ..Recipient::new(to.clone()) },
                lane: Lane::Transactional,
                state: CopyState::Waiting,
                next_at: now,
                attempts: 0,
                ground: None,
                fingerprint: None,
                last: None,
            }],
        })
    }

    /// Tells who asked for it that the mail went to a host that sends no reports (RFC 3461 s.5.2.2, M-62).
    pub(super) async fn report_relayed(&self, incoming: &Incoming, recipient: &Recipient, outcome: &Outcome) {
        let now = Timestamp::now();
        let diagnostic = outcome.reply();
        let fate = relayed(recipient, &diagnostic);
        let report = self.report(&incoming.sender, incoming.message.raw(), now, &[fate], now);
        if let Some(report) = report
            && let Err(error) = self.put_all(vec![report]).await
        {
            tracing::warn!(%error, "a report of success cannot be kept");
        }
    }
}

/// The fate of a copy that a host without DSN took.
pub fn relayed<'a>(recipient: &'a Recipient, diagnostic: &'a str) -> Fate<'a> {
    let why = "The mail was handed to a server that sends no reports; more will not be known here.";
    Fate { recipient, action: Action::Relayed, status: "2.0.0", diagnostic, why }
}

fn is_wanted(fate: &Fate<'_>) -> bool {
    let notify = fate.recipient.notify.unwrap_or(Notify::UNASKED);
    match fate.action {
        Action::Failed => notify.failure,
        Action::Delayed => notify.delay,
        Action::Relayed => notify.success,
    }
}

fn header_is_ascii(message: &[u8]) -> bool {
    let end = memchr::memmem::find(message, b"\r\n\r\n").unwrap_or(message.len());
    message[..end].is_ascii()
}
