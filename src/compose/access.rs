//! The mail that carries a link to one's own data: asked for by the person, and no more advertising than the confirmation mail.

use jiff::Timestamp;
use minijinja::context;

use super::confirmation::{lint_confirmation, plain_mail};
use super::{ComposeError, Composer};
use crate::consent::{Controller, Language};
use crate::mail::Address;

/// What one such mail says.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Whose mail it is about.
    pub controller: &'a Controller,
    /// Who asked.
    pub to: &'a Address,
    /// Title of the topic of that mail.
    pub topic: &'a str,
    /// The link.
    pub link: &'a str,
    /// For how long it works.
    pub valid_minutes: i64,
    /// With angle brackets.
    pub message_id: &'a str,
    /// The mail's Date.
    pub at: Timestamp,
    /// Language of the page where it was asked for.
    pub language: Language,
}

impl Composer {
    /// Checks that a controller can send this mail in that language, and no advertising with it.
    pub(super) fn check_access(&self, controller: &Controller, to: &Address, language: Language) -> Result<(), ComposeError> {
        let request = AccessRequest {
            controller,
            to,
            topic: "topic",
            link: "https://access.example/p/token",
            valid_minutes: 60,
            message_id: "<check@access.example>",
            at: Timestamp::UNIX_EPOCH,
            language,
        };
        let (subject, text) = self.access_text(&request)?;
        lint_confirmation(&format!("{subject}\n{text}"), request.link, controller).map_err(|fault| ComposeError::Lint {
            controller: controller.key.clone(),
            file: self.mails.path(controller, "access", language, "txt"),
            fault,
        })?;
        self.access(&request).map(|_| ())
    }

    /// The mail, complete, lines ended by CRLF.
    pub fn access(&self, request: &AccessRequest<'_>) -> Result<String, ComposeError> {
        let (subject, text) = self.access_text(request)?;
        plain_mail(request.controller, request.to, request.message_id, request.at, subject, text)
    }

    /// Subject and text.
    fn access_text(&self, request: &AccessRequest<'_>) -> Result<(String, String), ComposeError> {
        let controller = request.controller;
        let language = self.mails.words().served(Some(&controller.key), [request.language]);
        let values = context! {
            controller => context! {
                name => controller.name.as_str(),
                imprint => controller.imprint.trim(),
                privacy_url => controller.privacy_url.as_str(),
            },
            topic => request.topic,
            link => request.link,
            valid_minutes => request.valid_minutes,
        };
        let rendered = self.mails.render(controller, "access", language, "txt", values)?;
        let subject = rendered.state().lookup("subject").map(|subject| subject.to_string()).unwrap_or_default();
        Ok((subject, rendered.into_output().trim_start().to_owned()))
    }
}
