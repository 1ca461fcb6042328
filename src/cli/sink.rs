//! An outbound MTA that takes everything, keeps the last mails in memory, and sends nothing: the demo's, and where a canary comes back.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::mail::{Message, Recipient, ReversePath, Stream, StreamClass};
use crate::smtp::{Authentication, Handler, Submission};
use crate::wire::{Enhanced, Reply};

/// More mails than this are not kept; the oldest go first.
const KEPT: usize = 500;

/// A mail that left the gateway.
#[derive(Debug, Clone)]
pub(super) struct Left {
    pub(super) number: u64,
    pub(super) recipient: String,
    pub(super) raw: String,
    pub(super) subject: String,
    /// True when it carries a one-click link: advertising.
    pub(super) one_click: bool,
}

#[derive(Default)]
struct Kept {
    total: u64,
    mails: Vec<Left>,
}

/// What left, newest last.
pub(super) struct Sink {
    stream: Arc<Stream>,
    kept: Mutex<Kept>,
    arrived: Notify,
}

impl Sink {
    pub(super) fn new() -> Arc<Self> {
        let stream = Stream::named("sink", StreamClass::Declared);
        Arc::new(Self { stream: Arc::new(stream), kept: Mutex::default(), arrived: Notify::new() })
    }

    /// Newest first.
    pub(super) fn mails(&self) -> Vec<Left> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.mails.iter().rev().cloned().collect()
    }

    pub(super) fn mail(&self, number: u64) -> Option<Left> {
        self.mails().into_iter().find(|mail| mail.number == number)
    }

    /// How many arrived so far.
    pub(super) fn total(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Waits until more than `before` mails have arrived and returns the newest.
    pub(super) async fn after(&self, before: u64) -> Option<Left> {
        loop {
            let arrived = self.arrived.notified();
            if self.total() > before {
                return self.mails().into_iter().next();
            }
            arrived.await;
        }
    }
}

impl Handler for Sink {
    fn stream_of_peer(&self, _: IpAddr) -> Option<Arc<Stream>> {
        Some(Arc::clone(&self.stream))
    }

    async fn authenticate(&self, _: &str, _: Zeroizing<String>) -> Authentication {
        Authentication::Refused
    }

    fn reverse_path(&self, _: &Stream, _: &ReversePath) -> Result<(), Reply> {
        Ok(())
    }

    async fn recipient(&self, _: &Stream, _: &Recipient) -> Result<(), Reply> {
        Ok(())
    }

    async fn submit(&self, submission: Submission) -> Vec<Reply> {
        let raw = String::from_utf8_lossy(&submission.data).into_owned();
        let message = Message::parse(submission.data, true).ok();
        let decoded = mail_parser::MessageParser::new().parse_headers(raw.as_bytes());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.total += 1;
        let number = kept.total;
        kept.mails.push(Left {
            number,
            recipient: submission.recipients.iter().map(|to| to.address.as_str()).collect::<Vec<_>>().join(", "),
            subject: decoded.as_ref().and_then(|message| message.subject()).unwrap_or_default().to_owned(),
            one_click: message.is_some_and(|message| message.header("List-Unsubscribe-Post").is_some()),
            raw,
        });
        if kept.mails.len() > KEPT {
            kept.mails.remove(0);
        }
        drop(kept);
        self.arrived.notify_waiters();
        vec![Reply::new(250, Enhanced(2, 0, 0), "Ok: queued as demo").with_text(format!("Ok: queued as demo{number}"))]
    }
}
