//! A message while it arrives: its octets, its limits, and the first reason to refuse it. Where it ends is the business
//! of its reader: `data` (a dot) or `chunk` (a count).

use crate::wire::{Enhanced, Reply};

use super::reply;

/// RFC 5321 s.4.5.3.1.6: 1000 octets with CRLF, a stuffed dot not counted.
pub(super) const MAX_TEXT: usize = 998;

/// What has arrived of a message. Once refused it holds nothing and is only read to its end.
pub(super) struct Draft {
    message: Vec<u8>,
    limit: usize,
    /// Octets of the current line so far.
    column: usize,
    refusal: Option<Reply>,
}

impl Draft {
    /// Takes up to `limit` octets.
    pub(super) fn new(limit: usize) -> Self {
        Self { message: Vec::new(), limit, column: 0, refusal: None }
    }

    /// The octets of memory the message occupies once it has room for `more` further ones. Doubles,
    /// so that it is rarely asked to grow, and does not ask beyond the limit: what comes beyond is refused, or part of the end.
    pub(super) fn room_with(&self, more: usize) -> usize {
        let (needed, held) = (self.message.len() + more, self.message.capacity());
        if needed <= held || self.refusal.is_some() { held } else { needed.max(held * 2).min(self.limit) }
    }

    /// Allocates that much.
    pub(super) fn make_room(&mut self, total: usize) {
        self.message.reserve_exact(total.saturating_sub(self.message.len()));
    }

    /// From here on the message is only read to its end. Of several refusals the gravest is told: which one comes first
    /// may depend on how the octets were cut into packets, the answer must not.
    pub(super) fn refuse(&mut self, reply: Reply) {
        self.message = Vec::new();
        if self.refusal.as_ref().is_none_or(|earlier| gravity(&reply) > gravity(earlier)) {
            self.refusal = Some(reply);
        }
    }

    /// Why it is refused, if it is.
    pub(super) fn refusal(&self) -> Option<&Reply> {
        self.refusal.as_ref()
    }

    /// Takes octets as they are.
    pub(super) fn keep(&mut self, piece: &[u8]) {
        if self.refusal.is_some() {
            return;
        }
        if self.message.len() + piece.len() > self.limit {
            self.refuse(reply::MESSAGE_TOO_BIG);
        } else {
            self.message.extend_from_slice(piece);
        }
    }

    /// Looks at the text of a line from `at` on: finds where it stops, at a CR or at the end of `piece`. Counts its
    /// octets; a bare LF or a NUL refuses the message and is passed over.
    pub(super) fn text(&mut self, piece: &[u8], mut at: usize) -> usize {
        loop {
            let stop = memchr::memchr3(b'\r', b'\n', 0, &piece[at..]).map_or(piece.len(), |n| at + n);
            self.column += stop - at;
            if self.column > MAX_TEXT {
                self.refuse(reply::TEXT_LINE_TOO_LONG);
            }
            match piece.get(stop) {
                None | Some(b'\r') => return stop,
                Some(_) => self.refuse(reply::BAD_LINES), // M-41, M-43
            }
            at = stop + 1;
        }
    }

    /// CRLF: a new line begins.
    pub(super) fn end_line(&mut self) {
        self.column = 0;
    }

    /// The message, or why it is refused.
    pub(super) fn finish(self) -> Result<Vec<u8>, Reply> {
        match self.refusal {
            None => Ok(self.message),
            Some(reply) => Err(reply),
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.message.capacity()
    }
}

/// Other line ends are an attack or a broken client; a message that is too big for now is neither.
fn gravity(refusal: &Reply) -> u8 {
    // By the codes: a hostile message asks once per octet.
    match (refusal.code, refusal.enhanced) {
        (550, _) => 3,                       // BAD_LINES
        (552, Some(Enhanced(5, 6, 0))) => 2, // TEXT_LINE_TOO_LONG
        (552, _) => 1,                       // MESSAGE_TOO_BIG
        _ => 0,
    }
}
