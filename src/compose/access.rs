//! The mail that carries a link to one's own data: asked for by the person, and no more advertising than the confirmation mail.

use minijinja::{Value, context};

use super::ComposeError;
use super::letter::{Composer, Letter};

/// What one such mail says.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// From whom, to whom, with which link.
    pub letter: Letter<'a>,
    /// Title of the topic of the mail that it was asked about.
    pub topic: &'a str,
    /// For how long the link works.
    pub valid_minutes: i64,
}

impl AccessRequest<'_> {
    fn values(&self) -> Value {
        context! { topic => self.topic, valid_minutes => self.valid_minutes }
    }
}

impl Composer {
    pub(super) fn check_access(&self, letter: Letter<'_>) -> Result<(), ComposeError> {
        let request = AccessRequest { letter, topic: "topic", valid_minutes: 60 };
        self.check_letter(letter, "access", request.values())
    }

    /// The mail, complete, lines ended by CRLF.
    pub fn access(&self, request: &AccessRequest<'_>) -> Result<String, ComposeError> {
        self.letter(request.letter, "access", request.values())
    }
}
