//! What the hosted sign-up forms say: each form's own words, or the product's, and whether its consent text is one
//! (L-CON-02). Texts are plain; escaping is the page's business.

use std::collections::HashMap;

use minijinja::value::Value;
use minijinja::{Error, context};

use super::{ComposeError, Words};
use crate::consent::{Catalogue, Controller, Form, FormText, Language};

/// The words of one form in one language. Plain text.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct FormWords {
    /// The heading.
    pub title: String,
    /// What the person gets from it; may be empty.
    pub intro: String,
    /// The text next to the box.
    pub consent: String,
    /// The text next to the second box, where there is one.
    pub tracking: Option<String>,
}

/// The words of all forms.
#[derive(Debug, Default)]
pub struct Forms {
    words: HashMap<(String, Language), FormWords>,
}

impl Forms {
    /// Makes and checks the words of all forms in every language that their controllers speak. Fails with all faults.
    pub fn new(catalogue: &Catalogue, words: &Words) -> Result<Self, ComposeError> {
        let mut made = HashMap::new();
        let mut faults = Vec::new();
        for form in &catalogue.forms {
            let Some(controller) = catalogue.controller(&form.controller) else { continue };
            for tag in form.text.keys() {
                if !words.languages(Some(&controller.key)).iter().any(|language| language.as_str() == tag) {
                    faults.push(format!("form {:?}: text.{tag}: there is no such language; see templates/README.md", form.name));
                }
            }
            for language in words.languages(Some(&controller.key)) {
                let place = format!("form {:?}, {language}", form.name);
                let of_form = words_of(form, controller, *language, catalogue, words)?;
                let titles = form.topics.iter().filter_map(|topic| Some(catalogue.topic(topic)?.title.as_str()));
                let lint = Lint::of(controller, *language, words)?;
                faults.extend(lint.consent(&of_form.consent, titles).into_iter().map(|fault| format!("{place}: the consent text {fault}")));
                if let Some(text) = &of_form.tracking {
                    faults.extend(lint.tracking(text).into_iter().map(|fault| format!("{place}: the text about measuring {fault}")));
                }
                made.insert((form.name.clone(), *language), of_form);
            }
        }
        if faults.is_empty() { Ok(Self { words: made }) } else { Err(ComposeError::Templates(faults)) }
    }

    /// The words of a form; `None` for one that is not configured, or a language that its controller does not speak.
    pub fn words(&self, form: &str, language: Language) -> Option<&FormWords> {
        self.words.get(&(form.to_owned(), language))
    }
}

fn words_of(
    form: &Form,
    controller: &Controller,
    language: Language,
    catalogue: &Catalogue,
    words: &Words,
) -> Result<FormWords, ComposeError> {
    let none = FormText::default();
    let own = form.text.get(language.as_str()).unwrap_or(&none);
    let titles: Vec<&str> = form.topics.iter().filter_map(|topic| Some(catalogue.topic(topic)?.title.as_str())).collect();
    let text = |own: &Option<String>, key: &str| match own {
        Some(text) => Ok(text.trim().to_owned()),
        None => words.plain(controller, language, key, &titles),
    };
    Ok(FormWords {
        title: text(&own.title, "subscribe.title")?,
        intro: own.intro.as_deref().unwrap_or_default().trim().to_owned(),
        consent: text(&own.consent, "subscribe.consent")?,
        tracking: form.tracking.then(|| text(&own.tracking, "subscribe.tracking")).transpose()?,
    })
}

impl Words {
    /// The product's own consent text: plain text.
    pub fn consent(&self, controller: &Controller, language: Language, titles: &[&str]) -> Result<String, Error> {
        self.plain(controller, language, "subscribe.consent", titles)
    }

    /// The product's own text for agreeing to be measured, apart from a sign-up: plain text.
    pub fn measuring(&self, controller: &Controller, language: Language) -> Result<String, Error> {
        self.plain(controller, language, "access.tracking_text", &[])
    }

    fn plain(&self, controller: &Controller, language: Language, key: &str, titles: &[&str]) -> Result<String, Error> {
        // Safe strings are not escaped: the text is plain.
        let values = context! {
            controller => Value::from_safe_string(controller.name.clone()),
            topics => Value::from_safe_string(titles.join(", ")),
        };
        self.text(Some(&controller.key), language, key, &values)
    }
}

/// What a consent text of a controller must hold in a language.
struct Lint<'a> {
    controller: &'a Controller,
    mail: Vec<String>,
    withdrawal: Vec<String>,
    measuring: Vec<String>,
}

impl<'a> Lint<'a> {
    fn of(controller: &'a Controller, language: Language, words: &Words) -> Result<Self, ComposeError> {
        let list = |key: &str| -> Result<Vec<String>, ComposeError> {
            let text = words.text(Some(&controller.key), language, key, &Value::UNDEFINED)?;
            Ok(text.split(',').map(|word| word.trim().to_lowercase()).collect())
        };
        let (mail, withdrawal, measuring) = (list("lint.mail")?, list("lint.withdrawal")?, list("lint.measuring")?);
        Ok(Self { controller, mail, withdrawal, measuring })
    }

    /// L-CON-02, L-CON-03, S1-08: the text names who writes, by what channel, about what, and that it can be withdrawn.
    fn consent<'t>(&self, text: &str, titles: impl Iterator<Item = &'t str>) -> Vec<String> {
        let text = squeezed(text);
        let mut faults = self.common(&text);
        if !names(&text, &self.mail) {
            faults.push(format!("does not say that mail comes by e-mail; write one of: {}", self.mail.join(", ")));
        }
        for title in titles.filter(|title| !text.contains(&squeezed(title))) {
            faults.push(format!("does not name the topic {title:?}"));
        }
        faults
    }

    /// L-TRK-06: consent to being measured has a text of its own.
    fn tracking(&self, text: &str) -> Vec<String> {
        let text = squeezed(text);
        let mut faults = self.common(&text);
        if !names(&text, &self.measuring) {
            faults.push(format!("does not say what is measured; write one of: {}", self.measuring.join(", ")));
        }
        faults
    }

    fn common(&self, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if !text.contains(&squeezed(&self.controller.name)) {
            faults.push(format!("does not name {:?}", self.controller.name));
        }
        if !names(text, &self.withdrawal) {
            faults.push(format!("does not say that it can be withdrawn; write one of: {}", self.withdrawal.join(", ")));
        }
        faults
    }
}

fn names(text: &str, words: &[String]) -> bool {
    words.iter().any(|word| !word.is_empty() && text.contains(word))
}

/// Lower case, with one space between words, so that a line break does not matter.
pub fn squeezed(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}
