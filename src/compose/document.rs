//! The documents that a data-protection officer asks for (GDPR Art. 30, Art. 32; S0-25, L-TOM-04), as Markdown. What stands in them is
//! the caller's business: all of it comes from the configuration, so that what changes there changes here.

use minijinja::value::Serde;

use super::{ComposeError, template};
use crate::consent::Language;

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The record of processing activities (Art. 30(1)).
    Processing,
    /// Technical and organisational measures (Art. 32).
    Measures,
    /// What is stored where, and how long.
    Storage,
}

impl Document {
    /// All of them.
    pub const ALL: [Document; 3] = [Self::Processing, Self::Measures, Self::Storage];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Measures => "measures",
            Self::Storage => "storage",
        }
    }

    fn template(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Processing, Language::DE) => include_str!("../../templates/document/processing.de.md"),
            (Self::Processing, _) => include_str!("../../templates/document/processing.en.md"),
            (Self::Measures, Language::DE) => include_str!("../../templates/document/measures.de.md"),
            (Self::Measures, _) => include_str!("../../templates/document/measures.en.md"),
            (Self::Storage, Language::DE) => include_str!("../../templates/document/storage.de.md"),
            (Self::Storage, _) => include_str!("../../templates/document/storage.en.md"),
        }
    }

    /// The document in German, or in English for every other language.
    pub fn render(self, language: Language, values: &serde_json::Value) -> Result<String, ComposeError> {
        let mut env = template::strict()?;
        // a value must not end its cell of a table
        env.set_formatter(|out, state, value| match value.as_str() {
            Some(text) => out.write_str(&text.replace(['\n', '\r'], " ").replace('|', "\\|")).map_err(minijinja::Error::from),
            None => minijinja::escape_formatter(out, state, value),
        });
        Ok(env.render_str(self.template(language), Serde(values))?)
    }
}
