//! A mail transaction that lacks nothing but its message, and what its end sounds like: one reply, or one for each
//! recipient. Decides nothing about the mail.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::mail::{Hop, Recipient, Sender, Stream};
use crate::wire::Reply;

use super::handler::{Answers, Submission};
use super::listener::Protocol;
use super::reply;

/// The envelope, and where it came from.
pub(super) struct Transaction {
    pub(super) stream: Arc<Stream>,
    pub(super) sender: Sender,
    /// At least one.
    pub(super) recipients: Vec<Recipient>,
    /// `SIZE=`, as promised.
    pub(super) size: Option<u64>,
    pub(super) ending: Ending,
    pub(super) peer: Option<SocketAddr>,
    pub(super) hop: Hop,
}

/// How the end of a message is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Once (RFC 5321 s.4.2.5).
    One,
    /// Once for each recipient, also where all get the same (RFC 2033 s.4.2).
    Lmtp,
    /// 353, once for each recipient, once for all of them (draft-hall-prdr-00).
    Prdr,
}

impl Ending {
    pub(super) fn of(protocol: Protocol, prdr: bool) -> Self {
        match (protocol, prdr) {
            (Protocol::Lmtp, _) => Self::Lmtp,
            (Protocol::Smtp, true) => Self::Prdr,
            (Protocol::Smtp, false) => Self::One,
        }
    }

    /// What the client hears about a message that the handler answered.
    pub(super) fn answer(self, recipients: usize, mut replies: Vec<Reply>) -> Vec<Reply> {
        let shared = replies.len() != recipients;
        match self {
            Self::One => replies.truncate(1),
            // A client that waits for more replies than it gets would take the next command's for them.
            Self::Lmtp if shared => return replies.into_iter().take(1).cycle().take(recipients).collect(),
            Self::Lmtp => {}
            // Like Exim: a single recipient has one answer anyhow, and so have recipients who share theirs.
            Self::Prdr if shared || recipients == 1 => replies.truncate(1),
            Self::Prdr => {
                let taken = replies.iter().any(|reply| (200..300).contains(&reply.code));
                let again = || replies.iter().find(|reply| (400..500).contains(&reply.code));
                let overall = if taken { Some(&reply::SOME_TAKEN) } else { again().or(replies.first()) };
                let overall = overall.cloned();
                replies.insert(0, reply::EACH_FOLLOWS);
                replies.extend(overall);
            }
        }
        replies
    }
}

impl Transaction {
    /// What the handler gets.
    pub(super) fn with(self, data: Vec<u8>) -> Submission {
        let each = self.ending != Ending::One && self.recipients.len() > 1;
        Submission {
            stream: self.stream,
            sender: self.sender,
            recipients: self.recipients,
            answers: if each { Answers::Each } else { Answers::One },
            data,
            peer: self.peer,
            hop: self.hop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Enhanced;

    #[test]
    fn the_end_sounds_as_each_protocol_wants_it() {
        for (ending, recipients, replies, expected) in [
            (Ending::One, 2, &[250][..], &[250][..]),
            (Ending::One, 1, &[550], &[550]),
            (Ending::Lmtp, 1, &[250], &[250]),
            (Ending::Lmtp, 3, &[250, 550, 451], &[250, 550, 451]),
            (Ending::Lmtp, 3, &[552], &[552, 552, 552]),
            (Ending::Prdr, 3, &[552], &[552]),
            (Ending::Prdr, 1, &[250], &[250]),
            (Ending::Prdr, 3, &[550, 250, 451], &[353, 550, 250, 451, 250]),
            (Ending::Prdr, 2, &[550, 451], &[353, 550, 451, 451]),
            (Ending::Prdr, 2, &[550, 550], &[353, 550, 550, 550]),
        ] {
            let replies: Vec<_> = replies.iter().map(|code| Reply::new(*code, Enhanced(2, 0, 0), "")).collect();
            let told: Vec<_> = ending.answer(recipients, replies).iter().map(|reply| reply.code).collect();
            assert_eq!(told, expected, "{ending:?} {recipients}");
        }
    }
}
