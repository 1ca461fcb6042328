//! The proof behind an event: what a court wants to see (R-02, BGH I ZR 164/09). All of it is
//! personal and stored sealed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Language, PressGrade};

/// The proof of one event.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Evidence {
    /// Of [`super::EventKind::Requested`].
    Request(Box<RequestEvidence>),
    /// Of [`super::EventKind::DoiMailSent`] and [`super::EventKind::DoiBounced`].
    Mail(MailEvidence),
    /// Of [`super::EventKind::Given`].
    Confirmation(ConfirmationEvidence),
    /// Of everything else that a person chose, or staff on the person's behalf.
    Choice(ChoiceEvidence),
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evidence(***)")
    }
}

/// The declaration as it was made, and the mail that asked for its confirmation.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestEvidence {
    /// The address as typed.
    pub address: String,
    /// Page that held the form.
    pub form_url: String,
    /// Where the person came from, if known.
    pub referrer: Option<String>,
    /// The full consent text as shown.
    pub consent_text: String,
    /// Its content address: lower-case hexadecimal SHA-256 of the text.
    pub text_version: String,
    /// The hosted form, as it was shown; `None` where a website had a form of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<FormEvidence>,
    /// What the person agreed to beside it: being measured (L-TRK-06). Its own text, its own box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_text: Option<String>,
    /// True when the person ticked an unticked box; `None` where the form had none.
    pub checkbox: Option<bool>,
    /// Language of the form.
    pub language: Language,
    /// The person's IP address.
    pub ip: Option<String>,
    /// The person's browser.
    pub user_agent: Option<String>,
    /// Name of the API token that reported the sign-up.
    pub reported_by: String,
    /// Message-ID of the confirmation mail.
    pub message_id: String,
    /// The confirmation mail, complete, as handed to the outbound MTA.
    pub mail: String,
}

/// A hosted form as it was shown.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FormEvidence {
    /// Its name.
    pub name: String,
    /// Content address of the page: lower-case hexadecimal SHA-256 of the HTML.
    pub version: String,
    /// The page's HTML, as everybody sees it before filling it in.
    pub page: String,
    /// Milliseconds between showing and sending it; `None` where the form was embedded elsewhere.
    pub dwell_ms: Option<u64>,
    /// The origin that the browser says the form was sent from (RFC 6454); `null` where it keeps that to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// What the outbound MTA said to the confirmation mail.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct MailEvidence {
    /// Message-ID of the confirmation mail.
    pub message_id: String,
    /// When the reply came.
    pub at: Timestamp,
    /// The reply, e.g. `250 2.0.0 Ok: queued as 4X…`.
    pub reply: String,
}

/// The second step.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfirmationEvidence {
    /// The person's IP address.
    pub ip: Option<String>,
    /// The person's browser.
    pub user_agent: Option<String>,
    /// HTTP method; only POST confirms (L-DOI-03).
    pub method: String,
    /// Identifies the token without being it: lower-case hexadecimal SHA-256.
    pub token_id: String,
    /// Content address of the page that held the button: lower-case hexadecimal SHA-256.
    pub page_version: String,
    /// The page's HTML.
    pub page: String,
    /// What speaks for a person having pressed the button.
    pub grade: PressGrade,
    /// Milliseconds between showing the page and pressing the button.
    pub dwell_ms: u64,
}

/// What a person chose: to withdraw, object, pause and so on.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChoiceEvidence {
    /// The person's IP address, where a person acted; a mail provider's for one-click.
    pub ip: Option<String>,
    /// The browser or mail program.
    pub user_agent: Option<String>,
    /// The decision whose mail carried the link, as in its `ref`.
    pub decision: Option<String>,
    /// What the person agreed to, where the choice is to be measured (L-TRK-06).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreement>,
    /// Login of the member of staff who acted for the person (S0-12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<String>,
    /// What the member of staff wrote about it, e.g. how the person's wish came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Name of the API token by which another system told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_by: Option<String>,
}

impl ChoiceEvidence {
    /// Who acted for the person: a login name, or the name of an API token.
    pub fn handler(&self) -> Option<&str> {
        self.staff.as_deref().or(self.told_by.as_deref())
    }
}

/// What a person who has proven to read the mailbox agreed to, and what speaks for a person having done it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The full text next to the button, as shown.
    pub text: String,
    /// What speaks for a person having pressed the button.
    pub grade: PressGrade,
    /// Milliseconds between showing the page and pressing the button.
    pub dwell_ms: u64,
}
