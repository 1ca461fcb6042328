//! The copy for one recipient: list headers and the footer with the unsubscribe link, spliced into
//! the bytes as received. What is not ours stays byte-identical (I10). Does not decide whether a
//! copy may leave, and does not sign it.

mod base64;
mod charset;
mod entity;
mod footer;
mod headers;
mod quoted_printable;
mod structure;

use std::ops::Range;

use crate::mail::Message;

/// What one recipient's copy gets.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The complete `Received: …` field with its CRLF (RFC 5321 s.4.4); goes on top (M-50).
    pub received: &'a [u8],
    /// What marketing gets besides; `None` for all other mail (U-20).
    pub marketing: Option<Marketing<'a>>,
}

/// What a marketing copy gets, ready to be placed.
#[derive(Clone, Copy)]
pub struct Marketing<'a> {
    /// The one-click URL of this recipient and topic (U-02, U-06).
    pub unsubscribe_url: &'a str,
    /// Name of the list as people know it (U-31); any characters.
    pub list_id_phrase: &'a str,
    /// The list's identifier, `label.domain` (RFC 2919 s.3).
    pub list_id: &'a str,
    /// The footer for text/plain, with the link.
    pub footer_text: &'a str,
    /// The footer for text/html, with the link: a snippet such as `<div>…</div>`.
    pub footer_html: &'a str,
}

impl std::fmt::Debug for Marketing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marketing(***)") // the URL carries a token (I8)
    }
}

/// Why no copy can be made. The texts are safe for SMTP replies: they repeat no content. All but
/// [`RewriteError::Setting`] are about the message: 554 5.6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// Signed or encrypted: the body must not be changed, and the link must be in it (U-45).
    #[error("signed or encrypted marketing mail cannot carry the unsubscribe link")]
    Sealed,
    /// Nothing that a reader sees as text, so no place for the link.
    #[error("marketing mail needs a text part that can carry the unsubscribe link")]
    NoTextPart,
    /// A text part is not what its transfer encoding says.
    #[error("a text part is not valid in its Content-Transfer-Encoding")]
    Undecodable,
    /// More MIME parts, or deeper nested, than the gateway follows.
    #[error("too many MIME parts")]
    TooManyParts,
    /// A value of the plan cannot stand in a header field: the configuration is wrong.
    #[error("{0} cannot stand in a header field")]
    Setting(&'static str),
}

/// Makes the copy; not dot-stuffed. The caller signs it next (U-40).
pub fn rewrite(message: &Message, plan: &Plan<'_>) -> Result<Vec<u8>, RewriteError> {
    let mut splices = vec![Splice::insert(0, headers::on_top(plan)?)];
    headers::remove(message, plan, &mut splices);
    if let Some(marketing) = &plan.marketing {
        footer::add(message, marketing, &mut splices)?;
    }
    Ok(apply(message.raw(), splices))
}

/// The unfolded value of the tool's own `List-Unsubscribe`, so that the tool can be told later (U-19).
pub fn tool_unsubscribe(message: &Message) -> Option<String> {
    message.value("List-Unsubscribe")
}

/// Replace these bytes of the message by those.
struct Splice {
    range: Range<usize>,
    bytes: Vec<u8>,
}

impl Splice {
    fn insert(at: usize, bytes: Vec<u8>) -> Self {
        Self { range: at..at, bytes }
    }

    fn remove(range: Range<usize>) -> Self {
        Self { range, bytes: Vec::new() }
    }
}

/// Copies `raw` once, with the splices. They do not overlap.
fn apply(raw: &[u8], mut splices: Vec<Splice>) -> Vec<u8> {
    splices.sort_by_key(|splice| splice.range.start);
    let added: usize = splices.iter().map(|splice| splice.bytes.len()).sum();
    let mut copy = Vec::with_capacity(raw.len() + added);
    let mut from = 0;
    for Splice { range, bytes } in splices {
        copy.extend_from_slice(&raw[from..range.start]);
        copy.extend_from_slice(&bytes);
        from = range.end;
    }
    copy.extend_from_slice(&raw[from..]);
    copy
}
