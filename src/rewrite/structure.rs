//! Where a message has text that a reader sees (RFC 2046). Walks the raw bytes from the root and
//! decodes nothing; a parse of the whole message by mail-parser would decode every attachment, and
//! would not say what a part is a child of.

use std::ops::Range;

use memchr::memmem;

use super::RewriteError;
use super::charset::Charset;
use super::entity::{Encoding, Entity};
use crate::mail::Message;

/// A part that gets a footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) encoding: Encoding,
    pub(super) charset: Charset,
    /// The encoded body; the CRLF before a boundary is the boundary's (RFC 2046 s.5.1.1).
    pub(super) body: Range<usize>,
    /// What must stand before anything that is added to the body, because the empty line between
    /// header and body is missing.
    pub(super) separator: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Html,
}

/// Bounds on what a message can make us do; mail as people send it has less than ten parts.
const MAX_DEPTH: usize = 16;
const MAX_PARTS: usize = 500;

/// The parts that together show the link to whoever reads the message, each once: of alternatives all,
/// of a sequence the first that has text, of related parts the root.
pub(super) fn readable_parts(message: &Message) -> Result<Vec<Part>, RewriteError> {
    let raw = message.raw();
    let root = Entity::of_message(message);
    let mut walk = Walk { raw, parts: Vec::new(), seen: 0, signed: Signed::Closed };
    walk.visit(&root, 0)?;
    if walk.parts.is_empty() { Err(RewriteError::NoTextPart) } else { Ok(walk.parts) }
}

/// The same of a message that is signed as a whole or in part, to be looked at and not to be changed. What is encrypted, or signed so
/// that only its key shows it, cannot be looked at.
pub(super) fn signed_parts(message: &Message) -> Result<Vec<Part>, RewriteError> {
    let root = Entity::of_message(message);
    let mut walk = Walk { raw: message.raw(), parts: Vec::new(), seen: 0, signed: Signed::Open };
    walk.visit(&root, 0)?;
    if walk.parts.is_empty() { Err(RewriteError::NoTextPart) } else { Ok(walk.parts) }
}

/// Whether signed parts are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signed {
    Closed,
    Open,
}

/// Refuses what has more parts, or deeper nested ones, than is followed (M-45): nobody else should have to.
pub(super) fn check_bounds(message: &Message) -> Result<(), RewriteError> {
    let mut walk = Walk { raw: message.raw(), parts: Vec::new(), seen: 0, signed: Signed::Closed };
    walk.count(&Entity::of_message(message), 0)
}

struct Walk<'a> {
    raw: &'a [u8],
    parts: Vec<Part>,
    seen: usize,
    signed: Signed,
}

impl<'a> Walk<'a> {
    /// Enters a part.
    fn enter(&mut self, depth: usize) -> Result<(), RewriteError> {
        self.seen += 1;
        if depth > MAX_DEPTH || self.seen > MAX_PARTS { Err(RewriteError::TooManyParts) } else { Ok(()) }
    }

    /// Enters all parts, whatever they hold.
    fn count(&mut self, entity: &Entity<'a>, depth: usize) -> Result<(), RewriteError> {
        self.enter(depth)?;
        match entity.media_type() {
            ("multipart", _) => self.children(entity)?.iter().try_for_each(|child| self.count(child, depth + 1)),
            _ => Ok(()),
        }
    }

    /// Collects the parts below `entity`; answers whether there were any.
    fn visit(&mut self, entity: &Entity<'a>, depth: usize) -> Result<bool, RewriteError> {
        self.enter(depth)?;
        match entity.media_type() {
            ("text", "plain" | "") => self.leaf(entity, Kind::Text),
            ("text", "html") => self.leaf(entity, Kind::Html),
            // RFC 1847 s.2.1: the first part is what is signed
            ("multipart", "signed") if self.signed == Signed::Open => {
                let children = self.children(entity)?;
                children.first().map_or(Ok(false), |signed| self.visit(signed, depth + 1))
            }
            ("multipart", "encrypted") | ("application", "pkcs7-mime" | "x-pkcs7-mime") if self.signed == Signed::Open => {
                Err(RewriteError::Encrypted)
            }
            // RFC 1847, RFC 8551 s.3: a change breaks the signature or the cipher text (U-45)
            ("multipart", "signed" | "encrypted") | ("application", "pkcs7-mime" | "x-pkcs7-mime") => Err(RewriteError::Sealed),
            // RFC 2046 s.5.1.5: its parts are messages
            ("multipart", "digest") => Ok(false),
            ("multipart", subtype) => {
                let children = self.children(entity)?;
                match subtype {
                    "alternative" => self.all(&children, depth),
                    "related" => self.related(entity, &children, depth),
                    // RFC 2046 s.5.1.3: unknown ones are as mixed
                    _ => self.first(&children, depth),
                }
            }
            // among them message/rfc822, which is another's message
            _ => Ok(false),
        }
    }

    /// Any of the alternatives may be the one that is read (RFC 2046 s.5.1.4).
    fn all(&mut self, children: &[Entity<'a>], depth: usize) -> Result<bool, RewriteError> {
        let mut found = false;
        for child in children {
            found |= self.visit(child, depth + 1)?;
        }
        Ok(found)
    }

    /// The first text of a sequence. A text with a name is rather an attachment, unless there is no
    /// other; a sealed part stays as it is, and does no harm where the link can stand beside it.
    fn first(&mut self, children: &[Entity<'a>], depth: usize) -> Result<bool, RewriteError> {
        let (mut sealed, before) = (false, self.parts.len());
        for named in [false, true] {
            for child in children.iter().filter(|child| child.parameter("name").is_some() == named) {
                match self.visit(child, depth + 1) {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(RewriteError::Sealed) => {
                        sealed = true;
                        self.parts.truncate(before);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if sealed { Err(RewriteError::Sealed) } else { Ok(false) }
    }

    /// The root of related parts: the first, unless `start` names another (RFC 2387 s.3.2).
    fn related(&mut self, entity: &Entity<'a>, children: &[Entity<'a>], depth: usize) -> Result<bool, RewriteError> {
        let start = entity.parameter("start");
        let named = start.and_then(|start| children.iter().find(|child| child.has_id(start)));
        match named.or(children.first()) {
            Some(root) => self.visit(root, depth + 1),
            None => Ok(false),
        }
    }

    fn leaf(&mut self, entity: &Entity<'a>, kind: Kind) -> Result<bool, RewriteError> {
        let body = &self.raw[entity.body.clone()];
        let Some(encoding) = entity.encoding() else { return Ok(false) };
        let Some(charset) = Charset::of(entity.parameter("charset"), body, encoding) else { return Ok(false) };
        if entity.is_attachment() {
            return Ok(false);
        }
        self.parts.push(Part { kind, encoding, charset, body: entity.body.clone(), separator: entity.separator });
        Ok(true)
    }

    /// The parts of a multipart (RFC 2046 s.5.1.1). Where the closing boundary is missing, the last
    /// part goes to the end.
    fn children(&self, entity: &Entity<'a>) -> Result<Vec<Entity<'a>>, RewriteError> {
        let Some(boundary) = entity.parameter("boundary") else { return Ok(Vec::new()) };
        let delimiter = [b"--", boundary.as_bytes()].concat();
        let (mut children, mut start) = (Vec::new(), None);
        let area = &self.raw[..entity.body.end];
        for at in memmem::find_iter(&area[entity.body.start..], &delimiter).map(|at| at + entity.body.start) {
            if at > entity.body.start && area[at - 1] != b'\n' {
                continue;
            }
            let Some((close, behind)) = delimiter_line(area, at + delimiter.len()) else { continue };
            // between two delimiters right behind each other others see no part
            if let Some(start) = start.filter(|start| *start < at) {
                children.push(Entity::of_part(self.raw, start..(at - 2).max(start)));
            }
            if close {
                return Ok(children);
            }
            start = Some(behind);
            if children.len() > MAX_PARTS {
                return Err(RewriteError::TooManyParts);
            }
        }
        if let Some(start) = start {
            children.push(Entity::of_part(self.raw, start..area.len()));
        }
        Ok(children)
    }
}

/// What follows a delimiter: whether it closes, and where the next line begins. `None` where the line
/// goes on otherwise, for then it is text that only begins like a delimiter.
fn delimiter_line(area: &[u8], at: usize) -> Option<(bool, usize)> {
    let close = area[at..].starts_with(b"--");
    let at = if close { at + 2 } else { at };
    let end = memchr::memchr(b'\n', &area[at..]).map_or(area.len(), |n| at + n + 1);
    area[at..end].iter().all(|byte| b" \t\r\n".contains(byte)).then_some((close, end))
}
