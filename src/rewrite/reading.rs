//! A marketing message, read once for all its recipients: the parts that are seen, and what of them is to change. Signed and
//! encrypted mail is only looked at: may it go as it is?

use std::sync::OnceLock;

use super::entity::Encoding;
use super::identity::{Concealed, concealed};
use super::ready::Ready;
use super::trackers::{Link, Trackers};
use super::{RewriteError, base64, footer, html, quoted_printable, structure};
use crate::mail::Message;

/// What was read of one message; empty until its first marketing copy is made.
#[derive(Debug, Default)]
pub struct Reading(OnceLock<Result<Read, RewriteError>>);

/// The parts, and what concerns them all.
#[derive(Debug)]
pub(super) struct Read {
    /// None of a signed message that brings its own link.
    pub(super) parts: Vec<Ready>,
    /// Links that measure, and where they lead cannot be told.
    pub(super) blind: usize,
    /// What the subject conceals.
    pub(super) concealed: Option<Concealed>,
    language: Option<String>,
}

impl Reading {
    pub(super) fn of(&self, message: &Message, trackers: &Trackers) -> Result<&Read, RewriteError> {
        self.0.get_or_init(|| Read::new(message, trackers)).as_ref().map_err(|error| *error)
    }

    /// True when copies get a footer; signed mail that brings its own link stays as it is.
    pub fn takes_footer(&self, message: &Message, trackers: &Trackers) -> bool {
        self.of(message, trackers).is_ok_and(|read| !read.parts.is_empty())
    }

    /// The languages that the message says it is in: as its header has them, or its HTML.
    pub fn language(&self, message: &Message, trackers: &Trackers) -> Option<&str> {
        self.of(message, trackers).ok()?.language.as_deref()
    }
}

impl Read {
    fn new(message: &Message, trackers: &Trackers) -> Result<Self, RewriteError> {
        let concealed = concealed(message);
        if let Some(what) = concealed {
            tracing::warn!("marketing that does not look like it: {}", what.as_str());
        }
        let read = match Self::readable(message, trackers) {
            Err(RewriteError::Sealed) => Self::sealed(message, trackers),
            read => read,
        };
        read.map(|read| {
            let of_html = || read.parts.iter().find_map(|part| part.language.clone());
            Self { concealed, language: message.value("Content-Language").or_else(of_html), ..read }
        })
    }

    fn readable(message: &Message, trackers: &Trackers) -> Result<Self, RewriteError> {
        let mut parts = Vec::new();
        for part in structure::readable_parts(message)? {
            let body = &message.raw()[part.body.clone()];
            parts.push(Ready::new(part, body, trackers)?);
        }
        let blind = parts.iter().map(|part| part.blind).sum();
        Ok(Self { parts, blind, concealed: None, language: None })
    }

    /// Signed mail stays as it is (U-45). It may go if the person finds in every text of it the link that the tool's own
    /// List-Unsubscribe names, or another link of a tool's to leave by.
    fn sealed(message: &Message, trackers: &Trackers) -> Result<Self, RewriteError> {
        let own = own_links(message);
        for part in structure::signed_parts(message)? {
            let body = &message.raw()[part.body.clone()];
            let text = match part.encoding {
                Encoding::Identity => body.to_vec(),
                Encoding::QuotedPrintable => quoted_printable::decode(body),
                Encoding::Base64 => base64::Decoded::new(body)?.octets,
            };
            let text = part.charset.shadow(text.into());
            if footer::is_pgp_encrypted(&text) {
                return Err(RewriteError::Encrypted);
            }
            let text = String::from_utf8_lossy(&html::resolved(&text)).into_owned();
            let ways_out = text.split(|c: char| c.is_whitespace() || "\"'<>()".contains(c));
            let is_one = |word: &str| own.iter().any(|own| own == word) || trackers.link(word) == Link::Unsubscribe;
            if !ways_out.into_iter().any(is_one) {
                return Err(RewriteError::Sealed);
            }
        }
        Ok(Self { parts: Vec::new(), blind: 0, concealed: None, language: None })
    }
}

/// The web addresses of the tool's own List-Unsubscribe.
fn own_links(message: &Message) -> Vec<String> {
    let value = message.value("List-Unsubscribe").unwrap_or_default();
    let inside = value.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(uri, _)| uri.trim().to_owned()));
    inside.filter(|uri| uri.starts_with("https://") || uri.starts_with("http://")).collect()
}
