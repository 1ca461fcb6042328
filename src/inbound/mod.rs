//! Joiner: mail that answers ours. It comes from the company's own inbound MTA to a listener of its own: people who unsubscribe
//! by mail, mailbox providers that report a complaint, and bounces of the gateway's own mails. All of it can only say no, or
//! that a mailbox is not there; none of it is ever answered (RFC 3834 s.2, M-65), kept, or passed on.

mod authentication;
mod mailbox;
mod report;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use mail_parser::MessageParser;
use zeroize::Zeroizing;

use self::authentication::is_authentic;
use self::mailbox::{Mailbox, Mailboxes, Purpose};
use self::report::{bounce, complaint};
use self::token::candidates;
use crate::consent::Source;
use crate::desk::{Actor, Choice, Desk, SignUpError, StoreError, Subscription};
use crate::mail::{Address, AnswerProfile, Recipient, ReversePath, Stream, StreamClass};
use crate::smtp::{Answers, Authentication, Handler, Submission};
use crate::wire::{Enhanced, Reply};

/// Octets of a text that are searched for a link.
const SEARCHED: usize = 16 * 1024;

/// Fields that no person's own mail has.
const BY_PROGRAM: [&str; 4] = ["Precedence", "List-Id", "List-Unsubscribe", "X-Auto-Response-Suppress"];

const TAKEN: Reply = Reply::new(250, Enhanced(2, 0, 0), "taken");
/// RFC 3463 s.3.2
const NO_SUCH_MAILBOX: Reply = Reply::new(550, Enhanced(5, 1, 1), "no such mailbox");
/// Whoever asked to be left alone is heard as soon as it can be written down (I3).
const LATER: Reply = Reply::new(451, Enhanced(4, 3, 0), "cannot be recorded now, try again later");

/// Takes the mail of one inbound listener.
pub struct Inbound {
    desk: Desk,
    mailboxes: Mailboxes,
    authserv_id: Option<String>,
}

/// What became of a mail, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Somebody unsubscribed by the link's token.
    ByLink,
    /// Somebody objected by writing from their address.
    BySender,
    /// A mailbox provider's report was recorded.
    Complaint,
    /// A confirmation mail was not delivered.
    Bounce,
    /// It says nothing that could be recorded.
    Nothing,
}

impl Inbound {
    /// For the mailboxes of all controllers. `authserv_id`: whose `Authentication-Results` are trusted, the inbound MTA's own
    /// (RFC 8601 s.2.5); then reports count only when they are authentic (RFC 9477 s.3.2).
    pub fn new(desk: Desk, authserv_id: Option<String>) -> Self {
        let mailboxes = Mailboxes::of(desk.catalogue());
        Self { desk, mailboxes, authserv_id }
    }

    /// What a connection of an inbound listener belongs to: it sends nothing anywhere.
    pub fn stream() -> Arc<Stream> {
        // an unknown mailbox is refused where the inbound MTA asks for it
        let answer = AnswerProfile::RejectAtRcpt;
        Arc::new(Stream { answer, ..Stream::named("inbound", StreamClass::Transactional) })
    }

    async fn take(&self, mailbox: &Mailbox, submission: &Submission, now: Timestamp) -> Result<Taken, StoreError> {
        let Some(mail) = MessageParser::default().parse(&submission.data) else { return Ok(Taken::Nothing) };
        let authentic = self.authserv_id.as_deref().map(|id| is_authentic(&mail, id));
        match mailbox.purpose {
            Purpose::Unsubscribe => self.unsubscribe(mailbox, &submission.sender.reverse_path, &mail, authentic, now).await,
            Purpose::Complaints if authentic == Some(false) => Ok(Taken::Nothing), // RFC 9477 s.3.2
            Purpose::Complaints => self.complaint(&mail, now).await,
            Purpose::Bounces => self.bounce(mailbox, &mail, now).await,
        }
    }

    /// U-18: a token counts from whatever address it comes, and in mail sent by a program, too (M-65). Without one it is the
    /// address that wrote, unless a program did.
    async fn unsubscribe(
        &self,
        mailbox: &Mailbox,
        reverse_path: &ReversePath,
        mail: &mail_parser::Message<'_>,
        authentic: Option<bool>,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let subject = mail.subject().unwrap_or_default();
        let body = mail.body_text(0).unwrap_or_default();
        if let Some(subscription) = self.subscription(subject).or_else(|| self.subscription(head(&body))) {
            self.choose(&subscription, now).await?;
            return Ok(Taken::ByLink);
        }
        let Some(sender) = writer(reverse_path, mail).filter(|_| authentic != Some(false)) else { return Ok(Taken::Nothing) };
        let message_id = mail.message_id().unwrap_or_default();
        let known_only = authentic != Some(true);
        let done = self.desk.object_by_mail(&mailbox.controller, &sender, known_only, message_id, now).await?;
        Ok(if done { Taken::BySender } else { Taken::Nothing })
    }

    async fn choose(&self, subscription: &Subscription, now: Timestamp) -> Result<(), StoreError> {
        match self.desk.choose(subscription, Choice::Topic, Source::Mail, Actor::default(), now).await {
            // the ledger may not know the subject any more: then there is nobody to write to
            Ok(_) => Ok(()),
            Err(SignUpError::Store(error)) => Err(error),
            Err(error) => {
                tracing::error!(%error, "a choice that no limit or mail stands in the way of");
                Ok(())
            }
        }
    }

    /// U-35: whoever complains gets no more advertising, whatever the basis was.
    async fn complaint(&self, mail: &mail_parser::Message<'_>, now: Timestamp) -> Result<Taken, StoreError> {
        let Some(complaint) = complaint(mail) else { return Ok(Taken::Nothing) };
        let Some(subscription) = self.subscription(&complaint.original) else { return Ok(Taken::Nothing) };
        if complaint.asks_to_stop {
            self.choose(&subscription, now).await?;
            return Ok(Taken::ByLink);
        }
        self.desk.complain(&subscription, complaint.kind, now).await?;
        Ok(Taken::Complaint)
    }

    /// M-66: a sign-up whose mail came back is nobody's.
    async fn bounce(&self, mailbox: &Mailbox, mail: &mail_parser::Message<'_>, now: Timestamp) -> Result<Taken, StoreError> {
        let (Some(opt_in), Some(reply)) = (mailbox.opt_in, bounce(mail)) else { return Ok(Taken::Nothing) };
        let done = self.desk.mail_bounced(opt_in, &reply, now).await?;
        Ok(if done { Taken::Bounce } else { Taken::Nothing })
    }

    /// The first link of ours in `text`.
    fn subscription(&self, text: &str) -> Option<Subscription> {
        candidates(text).iter().find_map(|token| self.desk.subscription(token))
    }
}

/// Who wrote the mail: From, where the envelope says the same, and no program sent it (RFC 3834 s.2, RFC 2919, RFC 2369).
fn writer(reverse_path: &ReversePath, mail: &mail_parser::Message<'_>) -> Option<Address> {
    let says_program = |(name, value): (&str, &str)| {
        let is_named = |names: &[&str]| names.iter().any(|own| own.eq_ignore_ascii_case(name));
        is_named(&BY_PROGRAM) || (is_named(&["Auto-Submitted"]) && !value.trim().eq_ignore_ascii_case("no"))
    };
    let by_program = mail.headers_raw().any(says_program);
    let from = Address::parse(mail.from()?.first()?.address()?).ok()?;
    match reverse_path {
        ReversePath::Mailbox(path) if !by_program && path.canonical() == from.canonical() => Some(from),
        _ => None,
    }
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(SEARCHED)]
}

impl Handler for Inbound {
    fn stream_of_peer(&self, _: IpAddr) -> Option<Arc<Stream>> {
        None // by the listener alone
    }

    async fn authenticate(&self, _: &str, _: Zeroizing<String>) -> Authentication {
        Authentication::Refused // nobody has a password here
    }

    fn reverse_path(&self, _: &Stream, _: &ReversePath) -> Result<(), Reply> {
        Ok(()) // anybody may unsubscribe
    }

    async fn recipient(&self, _: &Stream, recipient: &Recipient) -> Result<(), Reply> {
        self.mailboxes.find(&recipient.address).map(|_| ()).ok_or(NO_SUCH_MAILBOX)
    }

    async fn submit(&self, submission: Submission) -> Vec<Reply> {
        let mut replies = Vec::new();
        for recipient in &submission.recipients {
            let Some(mailbox) = self.mailboxes.find(&recipient.address) else {
                replies.push(NO_SUCH_MAILBOX);
                continue;
            };
            replies.push(match self.take(&mailbox, &submission, Timestamp::now()).await {
                Ok(taken) => {
                    tracing::info!(mailbox = ?mailbox.purpose, controller = mailbox.controller, ?taken, "inbound mail");
                    TAKEN
                }
                Err(error) => {
                    tracing::warn!(%error, "inbound mail cannot be recorded now");
                    LATER
                }
            });
        }
        match submission.answers {
            Answers::Each => replies,
            // Once more is harmless: what is recorded is recorded once.
            Answers::One => vec![replies.into_iter().max_by_key(|reply| reply.code == LATER.code).unwrap_or(TAKEN)],
        }
    }
}
