//! The copy that leaves: trace field, unsubscribe headers and footer, signature. The steps are done
//! by `rewrite` and `sign`; here is what they are told.

use jiff::Timestamp;

use super::Gateway;
use super::incoming::Incoming;
use crate::consent::{Decision, DecisionId, Language, Reason};
use crate::mail::{Hop, Message, Outcome};
use crate::rewrite::{Marketing, Plan, RewriteError, rewrite};
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
    pub(super) fn copy(&self, decision: &Decision, incoming: &Incoming) -> Result<Vec<u8>, CopyError> {
        let copy = self.spliced(decision, incoming)?;
        // U-40: the signature is the last change
        Ok(self.signers.signed(copy, &incoming.senders[0], decision.at)?)
    }

    /// The copy without its signature.
    pub(super) fn spliced(&self, decision: &Decision, incoming: &Incoming) -> Result<Vec<u8>, RewriteError> {
        let message = &incoming.message;
        let mut on_top = received(&incoming.hop, &self.hostname, decision.id, decision.at);
        on_top.push_str(&missing(message, &self.hostname, decision.id));
        let topic = decision.topic.as_ref().filter(|_| decision.reason != Reason::Transactional);
        let Some(entry) = topic.and_then(|topic| self.catalogue.topic(topic)) else {
            return rewrite(message, &Plan { on_top: on_top.as_bytes(), marketing: None });
        };
        let declared = message.value("Content-Language");
        let token = self.links.sign(&Link {
            subject: decision.subject,
            controller: decision.controller.clone(),
            topic: entry.name.clone(),
            decision: decision.id,
            language: declared.as_deref().and_then(|value| Language::ranges(value).into_iter().next()),
        });
        let url = self.public_url.unsubscribe(&token);
        let language = self.footers.language(&entry.controller, declared.as_deref());
        let basis = decision.reason.basis();
        let marketing = Marketing {
            unsubscribe_url: &url,
            list_id_phrase: &entry.title,
            list_id: &entry.list_id,
            footer_text: &self.footers.text(&entry.name, basis, language, &url).unwrap_or_default(),
            footer_html: &self.footers.html(&entry.name, basis, language, &url).unwrap_or_default(),
        };
        rewrite(message, &Plan { on_top: on_top.as_bytes(), marketing: Some(marketing) })
    }
}

/// What the client is told when a copy cannot be made: the mail is refused, not changed by halves.
pub(super) fn refused(error: &CopyError) -> Outcome {
    tracing::warn!(%error, "copy cannot be made");
    match error {
        CopyError::Rewrite(error @ RewriteError::TooManyParts) => Outcome::Reject { code: 554, text: format!("5.6.0 {error}") },
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
