//! The templates of mails: the embedded ones, and the operator's over them.

use std::sync::Arc;

use minijinja::{Captured, Environment, Value, context};

use super::embedded::{self, MAIL_NAMES, MAILS};
use super::overrides::Kind;
use super::{ComposeError, Words, template};
use crate::consent::{Controller, Language};

/// All templates of mails.
#[derive(Debug)]
pub(super) struct Mails {
    templates: Environment<'static>,
    words: Arc<Words>,
}

impl Mails {
    pub(super) fn new(words: &Arc<Words>) -> Result<Self, ComposeError> {
        let mut templates = template::environment(words)?;
        for (name, source) in MAILS {
            templates.add_template_owned(format!("mail/{name}"), *source)?;
        }
        let mut faults = Vec::new();
        for file in words.overrides().of(Kind::Mail) {
            let path = file.path(Kind::Mail);
            let tag = file.name.split('.').nth(1).unwrap_or_default();
            if !Language::parse(tag).is_some_and(|language| embedded::mails_of(language).contains(&file.name.to_owned())) {
                faults.push(format!("{path}: is no mail; there are {}", MAIL_NAMES.join(", ")));
            } else if let Err(error) = templates.add_template_owned(path.clone(), file.text.to_owned()) {
                faults.push(format!("{path}: {error}"));
            }
        }
        if faults.is_empty() { Ok(Self { templates, words: Arc::clone(words) }) } else { Err(ComposeError::Templates(faults)) }
    }

    /// The mail `<name>.<language>.<extension>` of that controller, filled with `values`. The language is one that is offered.
    pub(super) fn render(
        &self,
        controller: &Controller,
        name: &str,
        language: Language,
        extension: &str,
        values: Value,
    ) -> Result<Captured<'_>, minijinja::Error> {
        let path = self.path(controller, name, language, extension);
        self.templates.get_template(&path)?.render_captured(context! {
            language => language.as_str(),
            controller_key => controller.key.as_str(),
            ..values
        })
    }

    /// Which file that is, for the operator.
    pub(super) fn path(&self, controller: &Controller, name: &str, language: Language, extension: &str) -> String {
        self.words.overrides().path(Some(&controller.key), Kind::Mail, &format!("{name}.{language}.{extension}"))
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }
}
