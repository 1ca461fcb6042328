//! The gateway's own mails: plain text, to one person, nothing in them that a court could call advertising (L-DOI-02,
//! LG Stendal 22 S 87/20). What one of them says besides is the business of its file.

use std::sync::Arc;

use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};
use minijinja::{Value, context};

use super::lint::lint;
use super::mails::Mails;
use super::{ComposeError, Words};
use crate::consent::{Catalogue, Controller, Language};
use crate::mail::Address;

/// Composes the gateway's own mails.
#[derive(Debug)]
pub struct Composer {
    mails: Mails,
}

/// What each of them has.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    /// Who writes.
    pub controller: &'a Controller,
    /// Who is written to.
    pub to: &'a Address,
    /// The one link in it.
    pub link: &'a str,
    /// With angle brackets.
    pub message_id: &'a str,
    /// What caused the mail; its Date.
    pub at: Timestamp,
    /// Language of the page or form; where there is no mail in it, that of the controller stands in.
    pub language: Language,
}

impl Composer {
    /// Checks that every controller of `catalogue` can send lawful mails in every language it offers.
    pub fn new(catalogue: &Catalogue, words: &Arc<Words>) -> Result<Self, ComposeError> {
        let composer = Self { mails: Mails::new(words)? };
        for controller in &catalogue.controllers {
            composer.check(controller)?;
        }
        Ok(composer)
    }

    fn check(&self, controller: &Controller) -> Result<(), ComposeError> {
        let from = Address::parse(&controller.from).map_err(|_| ComposeError::From { controller: controller.key.clone() })?;
        if !["https://", "http://"].iter().any(|scheme| controller.privacy_url.starts_with(scheme)) {
            return Err(ComposeError::Privacy { controller: controller.key.clone() });
        }
        for &language in self.mails.words().languages(Some(&controller.key)) {
            let letter = Letter {
                controller,
                to: &from,
                link: "https://check.example/c/token",
                message_id: "<check@check.example>",
                at: Timestamp::UNIX_EPOCH,
                language,
            };
            self.check_confirmation(letter)?;
            self.check_access(letter)?;
        }
        Ok(())
    }

    /// Fails when the mail `name` cannot be made or is no plain answer to what was asked.
    pub(super) fn check_letter(&self, letter: Letter<'_>, name: &str, values: Value) -> Result<(), ComposeError> {
        let controller = letter.controller;
        let (subject, text) = self.text(letter, name, values.clone())?;
        lint(&format!("{subject}\n{text}"), letter.link, controller).map_err(|fault| ComposeError::Lint {
            controller: controller.key.clone(),
            file: self.mails.path(controller, name, letter.language, "txt"),
            fault,
        })?;
        self.letter(letter, name, values).map(|_| ())
    }

    /// Subject and text of the mail `name`, filled with the letter's own and `values`.
    pub(super) fn text(&self, letter: Letter<'_>, name: &str, values: Value) -> Result<(String, String), ComposeError> {
        let controller = letter.controller;
        let language = self.mails.words().served(Some(&controller.key), [letter.language]);
        let values = context! {
            controller => context! {
                name => controller.name.as_str(),
                imprint => controller.imprint.trim(),
                privacy_url => controller.privacy_url.as_str(),
            },
            link => letter.link,
            at => letter.at.to_string(),
            ..values
        };
        let rendered = self.mails.render(controller, name, language, "txt", values)?;
        let subject = rendered.state().lookup("subject").map(|subject| subject.to_string()).unwrap_or_default();
        Ok((subject, rendered.into_output().trim_start().to_owned()))
    }

    /// The mail `name`, complete, lines ended by CRLF.
    pub(super) fn letter(&self, letter: Letter<'_>, name: &str, values: Value) -> Result<String, ComposeError> {
        let (subject, text) = self.text(letter, name, values)?;
        let controller = letter.controller;
        let from: lettre::Address = controller.from.parse().map_err(|_| ComposeError::From { controller: controller.key.clone() })?;
        // Our own grammar (RFC 5321, RFC 6531) has judged the recipient; lettre's is narrower.
        let to = lettre::Address::new_dangerous(letter.to.local(), letter.to.domain());
        let message = Message::builder()
            .from(Mailbox::new(Some(controller.name.clone()), from.clone()))
            .to(Mailbox::new(None, to.clone()))
            .envelope(lettre::address::Envelope::new(Some(from), vec![to])?)
            .date(letter.at.into())
            .message_id(Some(letter.message_id.to_owned()))
            .subject(subject)
            // RFC 3834 s.5.1, M-64
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .singlepart(SinglePart::plain(text))?;
        // U-20: no List-* field, this mail is no list mail.
        String::from_utf8(message.formatted()).map_err(|_| ComposeError::Mail(lettre::error::Error::NonAsciiChars))
    }
}
