//! The public pages by name: the template of each, and what a page of the operator's must hold.

use super::content::Content;

/// A public page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Asks for the confirmation of an opt-in: yes or no.
    Confirm,
    /// The opt-in is confirmed.
    Confirmed,
    /// The person said no.
    Declined,
    /// The confirmation link is too old.
    Expired,
    /// The person withdrew after signing up.
    Voided,
    /// No such confirmation link.
    ConfirmUnknown,
    /// A sign-up form.
    Subscribe,
    /// The same as plain HTML for a website's own page, without a frame.
    Embed,
    /// The sign-up was taken, or not: the answer is the same.
    CheckMailbox,
    /// Too many sign-ups from one network.
    TooMany,
    /// Asks what to stop.
    Unsubscribe,
    /// Says what was done.
    Chosen,
    /// No such unsubscribe link.
    UnsubscribeUnknown,
    /// What is stored about oneself.
    Access,
    /// The link to it is too old.
    AccessExpired,
    /// No such link.
    AccessUnknown,
    /// A request that makes no sense.
    Invalid,
    /// Nothing under this path.
    NotFound,
    /// The ledger is away.
    Unavailable,
}

impl Page {
    /// All pages.
    pub const ALL: [Page; 19] = [
        Self::Confirm,
        Self::Confirmed,
        Self::Declined,
        Self::Expired,
        Self::Voided,
        Self::ConfirmUnknown,
        Self::Subscribe,
        Self::Embed,
        Self::CheckMailbox,
        Self::TooMany,
        Self::Unsubscribe,
        Self::Chosen,
        Self::UnsubscribeUnknown,
        Self::Access,
        Self::AccessExpired,
        Self::AccessUnknown,
        Self::Invalid,
        Self::NotFound,
        Self::Unavailable,
    ];

    /// Name of its template.
    pub fn template(self) -> &'static str {
        self.file().0
    }

    /// Refuses a page of the operator's that, given `content`, does not do its job, or that a browser would not show as
    /// meant.
    pub(super) fn lint(self, content: &Content<'_>, html: &str) -> Result<(), String> {
        if let Some(lacks) = self.needed(content).into_iter().find(|needed| !html.contains(needed)) {
            return Err(format!("lacks {lacks}"));
        }
        // What is pressed in a form without it counts as a script's, for ever. Only a website's own page has none.
        let stamp = format!("name=\"stamp\" value=\"{}\"", content.stamp);
        let mut forms = html.split("<form").skip(1).map(|rest| rest.split("</form").next().unwrap_or_default());
        if self != Self::Embed && forms.any(|form| !form.contains(&stamp)) {
            return Err("has a form that lacks name=\"stamp\" value=\"{{ stamp }}\"".to_owned());
        }
        match ["<script", "<style", " style=", "<iframe", "javascript:"].iter().find(|bad| html.to_ascii_lowercase().contains(*bad)) {
            Some(bad) => Err(format!("holds {bad}, which browsers are told to ignore")),
            None => Ok(()),
        }
    }

    fn needed(self, content: &Content<'_>) -> Vec<&'static str> {
        match self {
            // S1-17
            Self::Confirm => vec!["method=\"post\"", "name=\"answer\" value=\"yes\"", "name=\"answer\" value=\"no\""],
            // L-OBJ-04
            Self::Unsubscribe => vec!["method=\"post\"", "name=\"choice\" value=\"topic\"", "name=\"choice\" value=\"objection\""],
            Self::Access => {
                let on_record = content.access.as_ref();
                let can_stop = on_record.is_some_and(|access| access.topics.iter().any(|topic| topic.state == "given"));
                let can_object = on_record.is_some_and(|access| access.objected.is_none());
                let stop = ["method=\"post\"", "name=\"topic\"", "name=\"choice\" value=\"topic\""].into_iter().filter(|_| can_stop);
                stop.chain(["name=\"choice\" value=\"objection\""].into_iter().filter(|_| can_object)).collect()
            }
            // S1-14, S2-09
            Self::Subscribe => {
                vec!["method=\"post\"", "name=\"lang\"", "name=\"email\"", "name=\"consent\"", "name=\"website\""]
            }
            Self::Embed => {
                vec![
                    "action=",
                    "method=\"post\"",
                    "name=\"lang\"",
                    "name=\"text\"",
                    "name=\"email\"",
                    "name=\"consent\"",
                    "name=\"website\"",
                ]
            }
            _ => vec![],
        }
    }

    /// Name and text of its template, as built in.
    pub(super) fn file(self) -> (&'static str, &'static str) {
        macro_rules! file {
            ($name:literal) => {
                ($name, include_str!(concat!("../../templates/web/", $name)))
            };
        }
        match self {
            Self::Confirm => file!("confirm.html"),
            Self::Confirmed => file!("confirmed.html"),
            Self::Declined => file!("declined.html"),
            Self::Expired => file!("expired.html"),
            Self::Voided => file!("voided.html"),
            Self::ConfirmUnknown => file!("confirm_unknown.html"),
            Self::Unsubscribe => file!("unsubscribe.html"),
            Self::Chosen => file!("chosen.html"),
            Self::UnsubscribeUnknown => file!("unsubscribe_unknown.html"),
            Self::Subscribe => file!("subscribe.html"),
            Self::Embed => file!("embed.html"),
            Self::CheckMailbox => file!("check_mailbox.html"),
            Self::TooMany => file!("too_many.html"),
            Self::Access => file!("access.html"),
            Self::AccessExpired => file!("access_expired.html"),
            Self::AccessUnknown => file!("access_unknown.html"),
            Self::Invalid => file!("invalid.html"),
            Self::NotFound => file!("not_found.html"),
            Self::Unavailable => file!("unavailable.html"),
        }
    }
}
