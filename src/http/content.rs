//! What the public pages may speak of: values only, nothing of how they look.

use jiff::Timestamp;

use crate::compose::FormWords;

/// What a page may speak of.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Content<'a> {
    /// Name of the controller.
    pub controller: &'a str,
    /// Where its privacy policy is; empty when it is not known.
    pub privacy_url: &'a str,
    /// Titles of the topics.
    pub topics: Vec<&'a str>,
    /// When the sign-up came in; `None` on pages that speak of none.
    pub at: Option<Timestamp>,
    /// Days for which a confirmation link works.
    pub valid_days: i64,
    /// True when being measured was asked for, too (L-TRK-06).
    pub tracking: bool,
    /// Proof that we showed the form, and when.
    pub stamp: String,
    /// True when the form came back without a person having pressed its button.
    pub again: bool,
    /// The address, masked; empty when it is not known.
    pub address: String,
    /// When a rest ends, or by when there is an answer; `None` without one.
    pub until: Option<Timestamp>,
    /// What was just chosen: names the text that says so.
    pub chosen: &'a str,
    /// True when the mail went to a customer without a consent of theirs, so that to unsubscribe is to object (L-OBJ-04).
    pub as_customer: bool,
    /// What pressing "undo" declares; `None` where it cannot be undone by a mail.
    pub consent_text: Option<String>,
    /// On the pages of a sign-up form.
    pub form: Option<FormView<'a>>,
    /// On the page of one's own data.
    pub access: Option<AccessView>,
}

/// What [`Content::chosen`] may be.
pub const CHOSEN: [&str; 10] = ["topic", "topics", "objection", "paused", "resumed", "no_tracking", "tracking", "undo", "why", "asked"];

/// A sign-up form and what was filled in.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FormView<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says.
    pub words: &'a FormWords,
    /// Where it is.
    pub url: String,
    /// Names the texts next to the boxes.
    pub texts_version: String,
    /// The address as typed before.
    pub email: String,
    /// True when the person had ticked the box before.
    pub consent: bool,
    /// True when the person had ticked the second box before.
    pub tracking: bool,
    /// True when the address was none.
    pub email_fault: bool,
    /// True when the box was not ticked.
    pub consent_fault: bool,
}

/// What is stored about a person with one company.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AccessView {
    /// Where all of it is to be had as a file; empty for nowhere.
    pub data: String,
    /// The address.
    pub address: String,
    /// Why the mail came whose link was used; `None` when its record is gone.
    pub why: Option<WhyView>,
    /// What is on record about each topic.
    pub topics: Vec<StandingView>,
    /// What is on record about being measured.
    pub tracking: StandingView,
    /// What agreeing to measuring declares; `None` where nobody can agree.
    pub tracking_text: Option<String>,
    /// When all advertising was objected to.
    pub objected: Option<Timestamp>,
    /// When a rest ends.
    pub paused_until: Option<Timestamp>,
}

/// Why a mail came.
#[derive(Debug, Clone, serde::Serialize)]
pub struct WhyView {
    /// When it passed.
    pub at: Timestamp,
    /// Title of its topic.
    pub topic: String,
    /// Why it passed; names the text that says so, `access.basis.<reason>`.
    pub reason: &'static str,
    /// By which articles.
    pub articles: &'static str,
    /// The sign-up behind it.
    pub sign_up: Option<SignUpView>,
}

/// The sign-up behind a mail.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SignUpView {
    /// When.
    pub requested_at: Timestamp,
    /// On which page.
    pub form_url: String,
    /// The text that was agreed to.
    pub consent_text: String,
    /// When it was confirmed.
    pub confirmed_at: Timestamp,
}

/// What is on record about one thing.
#[derive(Debug, Clone, serde::Serialize)]
pub struct StandingView {
    /// The topic's name; empty for being measured.
    pub name: String,
    /// The topic's title.
    pub title: String,
    /// `given`, `requested`, `withdrawn`, `objected` or `none`: names the text that says so.
    pub state: &'static str,
    /// Since when.
    pub at: Option<Timestamp>,
}
