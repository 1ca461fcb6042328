//! The copy that leaves: trace field, unsubscribe headers and footer, signature. The steps are done
//! by `rewrite` and `sign`; here is what they are told.

use super::Gateway;
use super::incoming::Incoming;
use crate::consent::{Decision, Language, Reason};
use crate::mail::{Hop, Outcome};
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
        let received = received(&incoming.hop, &self.hostname, decision);
        let topic = decision.topic.as_ref().filter(|_| decision.reason == Reason::DoiConsent);
        let Some(entry) = topic.and_then(|topic| self.catalogue.topic(topic)) else {
            return rewrite(message, &Plan { received: received.as_bytes(), marketing: None });
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
        let marketing = Marketing {
            unsubscribe_url: &url,
            list_id_phrase: &entry.title,
            list_id: &entry.list_id,
            footer_text: &self.footers.text(&entry.name, language, &url).unwrap_or_default(),
            footer_html: &self.footers.html(&entry.name, language, &url).unwrap_or_default(),
        };
        rewrite(message, &Plan { received: received.as_bytes(), marketing: Some(marketing) })
    }
}

/// What the client is told when a copy cannot be made: the mail is refused, not changed by halves.
pub(super) fn refused(error: &CopyError) -> Outcome {
    tracing::warn!(%error, "copy cannot be made");
    match error {
        CopyError::Rewrite(error) => Outcome::Reject { code: 554, text: format!("5.6.3 {error}") },
        CopyError::Sign(_) => Outcome::Defer { code: 451, text: "4.3.0 signing failed".into() },
    }
}

/// RFC 5321 s.4.4, with `id` so that a mail leads to its decision. The client's IP address and the
/// recipient stay out of it: the one is nobody's business, the other may be one of many (M-67).
fn received(hop: &Hop, hostname: &str, decision: &Decision) -> String {
    // RFC 3848
    let with = match (hop.tls, hop.authenticated) {
        (true, true) => "ESMTPSA",
        (true, false) => "ESMTPS",
        (false, true) => "ESMTPA",
        (false, false) => "ESMTP",
    };
    let from: String = hop.helo.chars().filter(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(*c)).take(255).collect();
    let date = decision.at.strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!("Received: from {from}\r\n\tby {hostname} (Consentry) with {with} id {};\r\n\t{date}\r\n", decision.id)
}
