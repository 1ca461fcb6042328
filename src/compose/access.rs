//! The mail that carries a link to one's own data: asked for by the person, and no more advertising than the confirmation mail.

use jiff::Timestamp;
use minijinja::context;

use super::confirmation::plain_mail;
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
    /// The mail, complete, lines ended by CRLF.
    pub fn access(&self, request: &AccessRequest<'_>) -> Result<String, ComposeError> {
        let rendered = self.templates.get_template(&format!("access.{}.txt", request.language.as_str()))?.render_captured(context! {
            controller => context! {
                name => request.controller.name.as_str(),
                imprint => request.controller.imprint.trim(),
                privacy_url => request.controller.privacy_url.as_str(),
            },
            topic => request.topic,
            link => request.link,
            valid_minutes => request.valid_minutes,
        })?;
        let subject = rendered.state().lookup("subject").map(|subject| subject.to_string()).unwrap_or_default();
        let text = rendered.into_output().trim_start().to_owned();
        plain_mail(request.controller, request.to, request.message_id, request.at, subject, text)
    }
}
