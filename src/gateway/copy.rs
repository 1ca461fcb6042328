//! The copy that leaves: trace field, unsubscribe headers and footer, signature. The steps are done
//! by `rewrite` and `sign`; here is what they are told.

use jiff::Timestamp;

use super::Gateway;
use super::incoming::Incoming;
use super::weigh::Weighed;
use crate::compose::Filled;
use crate::consent::{DecisionId, Language, Reason, TextVersion, Topic, TopicEntry};
use crate::mail::{Hop, Message, Outcome, StreamMode};
use crate::rewrite::{Concealing, Fields, Marketing, Plan, RewriteError, TrackedLinks, Trackers, rewrite};
use crate::sign::SignerError;
use crate::token::Link;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error(transparent)]
    Sign(#[from] SignerError),
}

impl Gateway {
    /// Makes the copy of a passed message for its one recipient.
    pub(super) fn copy(&self, weighed: &Weighed, incoming: &Incoming) -> Result<Vec<u8>, CopyError> {
        let copy = self.spliced(weighed, incoming)?;
        // U-40: the signature is the last change
        Ok(self.signers.signed(copy, &incoming.senders[0], weighed.decision.at)?)
    }

    /// The language of the footer that a copy on that topic gets, and which version of it; none where the mail takes none.
    pub(super) fn footer_of(&self, incoming: &Incoming, topic: &Topic, reason: Reason) -> Option<(Language, Option<TextVersion>)> {
        let entry = self.catalogue.topic(topic)?;
        let Incoming { message, reading, .. } = incoming;
        let language = self.footers.language(&entry.controller, reading.language(message, &self.trackers));
        let takes_one = reading.takes_footer(message, &self.trackers);
        Some((language, self.footers.version(&entry.name, reason.basis(), language).filter(|_| takes_one)))
    }

    /// The copy without its signature.
    pub(super) fn spliced(&self, weighed: &Weighed, incoming: &Incoming) -> Result<Vec<u8>, RewriteError> {
        let Incoming { message, reading, .. } = incoming;
        let decision = &weighed.decision;
        let mut on_top = received(&incoming.hop, &self.hostname, decision.id, decision.at);
        on_top.push_str(&missing(message, &self.hostname, decision.id));
        let headers = self.catalogue.controller(&decision.controller).map(|controller| &controller.headers);
        let fields = Fields { help: headers.and_then(|headers| headers.list_help.as_deref()), ..Fields::default() };
        let plan = Plan { on_top: on_top.as_bytes(), fields, kept: &self.rewriting.keep_fields, marketing: None };
        let topic = decision.topic.as_ref().filter(|_| !decision.reason.needs_no_consent());
        let Some(entry) = topic.and_then(|topic| self.catalogue.topic(topic)) else {
            return rewrite(message, reading, &plan);
        };
        let declared = reading.language(message, &self.trackers);
        let token = self.links.sign(&Link {
            subject: decision.subject,
            controller: decision.controller.clone(),
            topic: entry.name.clone(),
            decision: decision.id,
            language: declared.and_then(|value| Language::ranges(value).into_iter().next()),
        });
        let url = self.public_url.unsubscribe(&token);
        let footer = weighed.language.and_then(|language| self.footers.filled(&entry.name, decision.reason.basis(), language, &url));
        let footer = footer.ok_or(RewriteError::Setting("the footer"))?; // the language is one that there is
        let mailbox = headers.and_then(|headers| headers.unsubscribe_mailbox.as_deref());
        let mailto = mailbox.map(|mailbox| format!("mailto:{mailbox}?subject={token}"));
        let feedback = headers.and_then(|headers| headers.feedback_sender.as_deref());
        // U-33: the same for all recipients, and nothing that a tool could fill with names
        let feedback = feedback.map(|sender| format!("{}:{}:marketing:{sender}", entry.name, decision.controller));
        let enforces = incoming.stream.mode == StreamMode::Enforce;
        let marketing = Marketing {
            mailto: mailto.as_deref(),
            may_measure: weighed.may_measure,
            refuse_blind: self.rewriting.tracked_links == TrackedLinks::Refuse && enforces,
            refuse_concealed: self.rewriting.concealed == Concealing::Refuse && enforces,
            ..marketing(entry, &footer, &url, &self.trackers)
        };
        let fields = Fields {
            owner: headers.and_then(|headers| headers.list_owner.as_deref()),
            feedback_id: feedback.as_deref(),
            complaints: headers.and_then(|headers| headers.complaints.as_deref()).map(|address| (address, &*token)),
            csa_complaints: headers.and_then(|headers| headers.csa_complaints.as_deref()),
            ..fields
        };
        rewrite(message, reading, &Plan { fields, marketing: Some(marketing), ..plan })
    }
}

/// What every copy about a topic gets; nobody is measured, and nothing refused.
pub fn marketing<'a>(entry: &'a TopicEntry, footer: &'a Filled<'a>, url: &'a str, trackers: &'a Trackers) -> Marketing<'a> {
    Marketing {
        unsubscribe_url: url,
        mailto: None,
        list_id_phrase: &entry.title,
        list_id: &entry.list_id,
        footer_text: &footer.text,
        footer_html: &footer.html,
        notice_text: &footer.notice_text,
        notice_html: &footer.notice_html,
        must_say: footer.must_say,
        unsubscribe_words: footer.unsubscribe_words,
        may_measure: false,
        refuse_blind: false,
        refuse_concealed: false,
        trackers,
    }
}

/// What the client is told when a copy cannot be made: the mail is refused, not changed by halves.
pub(super) fn refused(error: &CopyError) -> Outcome {
    tracing::warn!(%error, "copy cannot be made");
    match error {
        CopyError::Rewrite(error @ RewriteError::TooManyParts) => Outcome::Reject { code: 554, text: format!("5.6.0 {error}") },
        CopyError::Rewrite(error @ (RewriteError::Tracked | RewriteError::Concealed)) => {
            Outcome::Reject { code: 554, text: format!("5.7.1 {error}") }
        }
        CopyError::Rewrite(error) => Outcome::Reject { code: 554, text: format!("5.6.3 {error}") },
        CopyError::Sign(_) => Outcome::Defer { code: 451, text: "4.3.0 signing failed".into() },
    }
}

/// RFC 5321 s.4.4, with `id` so that a mail leads to its decision. The client's IP address and the
/// recipient stay out of it: the one is nobody's business, the other may be one of many (M-67).
fn received(hop: &Hop, hostname: &str, id: DecisionId, at: Timestamp) -> String {
    // RFC 3848
    let protocol = if hop.lmtp { "LMTP" } else { "ESMTP" };
    let with = format!("{protocol}{}{}", if hop.tls { "S" } else { "" }, if hop.authenticated { "A" } else { "" });
    let from: String = hop.helo.chars().filter(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(*c)).take(255).collect();
    let date = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!("Received: from {from}\r\n\tby {hostname} (Consentry) with {with} id {id};\r\n\t{date}\r\n")
}

/// What a submission server adds where the client left it out (RFC 6409 s.8.2, s.8.3; M-44): at the time of the decision, so
/// that every attempt at the copy says the same.
fn missing(message: &Message, hostname: &str, id: DecisionId) -> String {
    let mut fields = String::new();
    if message.header("Date").is_none() {
        fields.push_str(&id.at().strftime("Date: %a, %d %b %Y %H:%M:%S +0000\r\n").to_string());
    }
    if message.header("Message-ID").is_none() {
        fields.push_str(&format!("Message-ID: <{id}@{hostname}>\r\n"));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_left_out_is_added_and_the_same_at_each_attempt() {
        // M-44
        let id = DecisionId::new(Timestamp::from_second(86_400).expect("valid"), [1; 10]);
        let (date, message_id) = ("Date: Fri, 02 Jan 1970 00:00:00 +0000\r\n", format!("Message-ID: <{id}@gate.example>\r\n"));
        for (fields, expected) in [
            ("", format!("{date}{message_id}")),
            ("Date: x\r\n", message_id.clone()),
            ("message-id: <x@y>\r\n", date.to_owned()),
            ("Date: x\r\nMessage-ID: <x@y>\r\n", String::new()),
        ] {
            let message = Message::parse(format!("From: a@x.example\r\n{fields}\r\n").into_bytes(), false).expect("a message");
            assert_eq!(missing(&message, "gate.example", id), expected, "{fields}");
        }
    }

    #[test]
    fn the_trace_field_says_how_the_mail_came_in_and_nothing_of_the_client() {
        // M-50, RFC 3848
        let at = Timestamp::UNIX_EPOCH;
        for (lmtp, tls, authenticated, with) in [
            (false, false, false, "ESMTP"),
            (false, true, true, "ESMTPSA"),
            (true, false, false, "LMTP"),
            (true, true, false, "LMTPS"),
            (true, true, true, "LMTPSA"),
        ] {
            let hop = Hop { helo: "tool.example\r\nX: y".into(), lmtp, tls, authenticated };
            let expected = format!(
                "Received: from tool.exampleX:y\r\n\tby gate.example (Consentry) with {with} id {};\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n",
                "00".repeat(16)
            );
            assert_eq!(received(&hop, "gate.example", DecisionId([0; 16]), at), expected);
        }
    }
}
