//! The gateway as the SMTP server sees it: who may submit, and where a submission goes.

use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Gateway;
use crate::credentials::Login;
use crate::mail::{Recipient, ReversePath, Stream};
use crate::rewrite::ROOM;
use crate::smtp::{Authentication, Handler, Submission};
use crate::wire::{Enhanced, Reply};

impl Handler for Gateway {
    fn stream_of_peer(&self, peer: IpAddr) -> Option<Arc<Stream>> {
        self.credentials.of_network(peer)
    }

    async fn authenticate(&self, username: &str, password: Zeroizing<String>) -> Authentication {
        match self.credentials.login(username, password).await {
            Login::Granted(stream) => Authentication::Granted(stream),
            Login::Refused => Authentication::Refused,
            Login::Unavailable => Authentication::Unavailable,
        }
    }

    fn reverse_path(&self, stream: &Stream, path: &ReversePath) -> Result<(), Reply> {
        match path {
            // M-02: bounces of somebody else's mail are not ours to direct
            ReversePath::Mailbox(address) if !stream.may_use(address) => {
                Err(Reply::new(550, Enhanced(5, 7, 1), "this stream may not use this sender domain"))
            }
            _ => Ok(()),
        }
    }

    async fn recipient(&self, stream: &Stream, recipient: &Recipient) -> Result<(), Reply> {
        self.early(stream, recipient).await
    }

    fn largest_message(&self) -> Option<usize> {
        let taken = usize::try_from(self.relay.largest_message()?).unwrap_or(usize::MAX);
        // An outbound MTA for small mail only: transactional mail still fits.
        Some(taken.saturating_sub(ROOM).max(taken / 2))
    }

    async fn submit(&self, submission: Submission) -> Vec<Reply> {
        self.trip(submission).await
    }
}
