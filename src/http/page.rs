//! The public pages: templates and what they are given. Plain HTML that works on a phone, without
//! scripts, cookies or anything from elsewhere.

use std::fmt::Write;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, UndefinedBehavior, context};
use sha2::{Digest, Sha256};

use crate::consent::{Controller, Language};

/// The one stylesheet.
pub(super) const STYLE: &str = include_str!("../../templates/web/style.css");

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
    /// Asks what to stop.
    Unsubscribe,
    /// The topic is stopped.
    Unsubscribed,
    /// All advertising is stopped.
    Objected,
    /// No such unsubscribe link.
    UnsubscribeUnknown,
    /// A request that makes no sense.
    Invalid,
    /// Nothing under this path.
    NotFound,
    /// The ledger is away.
    Unavailable,
}

impl Page {
    /// All pages.
    pub const ALL: [Page; 13] = [
        Self::Confirm,
        Self::Confirmed,
        Self::Declined,
        Self::Expired,
        Self::Voided,
        Self::ConfirmUnknown,
        Self::Unsubscribe,
        Self::Unsubscribed,
        Self::Objected,
        Self::UnsubscribeUnknown,
        Self::Invalid,
        Self::NotFound,
        Self::Unavailable,
    ];

    /// Name of its template.
    pub fn template(self) -> &'static str {
        self.file().0
    }

    fn file(self) -> (&'static str, &'static str) {
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
            Self::Unsubscribed => file!("unsubscribed.html"),
            Self::Objected => file!("objected.html"),
            Self::UnsubscribeUnknown => file!("unsubscribe_unknown.html"),
            Self::Invalid => file!("invalid.html"),
            Self::NotFound => file!("not_found.html"),
            Self::Unavailable => file!("unavailable.html"),
        }
    }
}

/// What a page may speak of.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Content<'a> {
    /// Name of the controller.
    pub controller: &'a str,
    /// Where its privacy policy is; empty when it is not known.
    pub privacy_url: &'a str,
    /// Titles of the topics.
    pub topics: Vec<&'a str>,
    /// The day of the sign-up, as people of the page's language write it.
    pub day: String,
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
    /// The day on which a rest ends; empty without one.
    pub paused_until: String,
    /// What was just chosen: names the text that says so.
    pub chosen: &'a str,
}

/// A day as people of that language write it (UTC).
pub(super) fn day(at: Timestamp, language: Language) -> String {
    at.strftime(match language {
        Language::De => "%d.%m.%Y",
        Language::En => "%-d %B %Y",
    })
    .to_string()
}

/// All pages, parsed.
#[derive(Debug)]
pub struct Pages {
    templates: Environment<'static>,
    /// Path of the stylesheet; changes with its content, so that browsers may keep it for ever.
    style: String,
}

impl Pages {
    /// The pages, for a gateway whose paths are reached below `path`: empty, or like `/consent`.
    pub fn new(path: &str) -> Result<Self, Error> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        templates.add_template("layout.html", include_str!("../../templates/web/layout.html"))?;
        for page in Page::ALL {
            let (name, source) = page.file();
            templates.add_template(name, source)?;
        }
        let mut style = format!("{path}/assets/style.css?");
        for octet in &Sha256::digest(STYLE)[..4] {
            write!(style, "{octet:02x}").expect("a String takes any text");
        }
        Ok(Self { templates, style })
    }

    /// The whole page. `controller` gives imprint and privacy policy, where the page belongs to one.
    pub fn render(&self, page: Page, language: Language, controller: Option<&Controller>, content: &Content<'_>) -> Result<String, Error> {
        let given = context! { language => language.as_str(), .. Value::from(Serde(content)) };
        let inner = self.templates.get_template(page.template())?.render_captured(given)?;
        let title = inner.state().lookup("title");
        let imprint: Vec<&str> = controller.map(|controller| controller.imprint.trim().lines().collect()).unwrap_or_default();
        self.templates.get_template("layout.html")?.render(context! {
            language => language.as_str(),
            title => title,
            style => self.style.as_str(),
            controller => controller.map(|controller| controller.name.as_str()),
            privacy_url => controller.map(|controller| controller.privacy_url.as_str()),
            imprint => Serde(imprint),
            content => Value::from_safe_string(inner.into_output()),
        })
    }
}
