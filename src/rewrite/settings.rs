//! What the operator says of rewriting.

use serde::Deserialize;

use super::Tracker;

/// `[rewrite]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewriteSettings {
    /// Links that measure somebody who has not agreed to it, where nobody can tell where they lead.
    #[serde(default)]
    pub tracked_links: TrackedLinks,
    /// A subject that conceals what the mail is.
    #[serde(default)]
    pub concealed: Concealing,
    /// Control fields of tools that stay, because the outbound MTA knows them, e.g. `X-SES-CONFIGURATION-SET`.
    #[serde(default)]
    pub keep_fields: Vec<String>,
    /// Tools, or tracking domains, besides the built-in ones.
    #[serde(default, rename = "tracker")]
    pub trackers: Vec<Tracker>,
}

/// What becomes of a marketing mail with such links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackedLinks {
    /// It is refused: measuring needs a consent of its own (L-TRK-01).
    #[default]
    Refuse,
    /// It goes as it is; the operator answers for it.
    Keep,
}

/// What becomes of a marketing mail whose subject says that it is an answer (L-ID-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Concealing {
    /// It is refused.
    #[default]
    Refuse,
    /// It goes; the log says so.
    Warn,
}

impl TrackedLinks {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Keep => "keep",
        }
    }
}
