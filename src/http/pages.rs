//! All public pages, ready to serve: plain HTML that works on a phone, without scripts, cookies or anything from elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, context};

use super::brand::{Looks, version};
use super::content::Content;
use super::page::Page;
use super::samples::samples;
use crate::compose::{self, ComposeError, Kind, Words};
use crate::consent::{Catalogue, Controller, Language};

/// The one stylesheet.
pub(super) const STYLE: &str = include_str!("../../templates/web/style.css");

/// The frame around every page.
const LAYOUT: (&str, &str) = ("layout.html", include_str!("../../templates/web/layout.html"));

/// What pages are made of; imported by them.
const PARTS: (&str, &str) = ("parts.html", include_str!("../../templates/web/parts.html"));

/// All pages, parsed.
#[derive(Debug)]
pub struct Pages {
    templates: Environment<'static>,
    words: Arc<Words>,
    looks: Looks,
    /// Path of the stylesheet; changes with its content, so that browsers may keep it for ever.
    style: String,
}

impl Pages {
    /// The pages, for a gateway whose paths are reached below `path`: empty, or like `/consent`. Each of the
    /// operator's pages is rendered before one of them serves; fails with all that is wrong.
    pub fn new(path: &str, catalogue: &Catalogue, words: &Arc<Words>) -> Result<Self, ComposeError> {
        let mut templates = compose::environment(words)?;
        let files: Vec<(&str, &str)> = Page::ALL.into_iter().map(Page::file).chain([LAYOUT]).collect();
        for (name, source) in files.iter().chain([&PARTS]) {
            templates.add_template_owned(format!("web/{name}"), *source)?;
        }
        let mut faults = Vec::new();
        for file in words.overrides().of(Kind::Web) {
            let path = file.path(Kind::Web);
            if !files.iter().any(|(name, _)| *name == file.name) {
                faults.push(format!("{path}: there is no such page"));
            } else if let Err(error) = templates.add_template_owned(path.clone(), file.text.to_owned()) {
                faults.push(format!("{path}: {error}"));
            }
        }
        let style = format!("{path}/assets/style.css?{}", version(STYLE.as_bytes()));
        let pages = Self { templates, words: Arc::clone(words), looks: Looks::new(path, catalogue, words), style };
        if faults.is_empty() && !words.overrides().is_empty() {
            pages.try_all(catalogue, &mut faults);
        }
        if faults.is_empty() { Ok(pages) } else { Err(ComposeError::Templates(faults)) }
    }

    /// The words that the pages speak with.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// The looks of the controllers.
    pub(super) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// The whole page, in `language` or, where the controller does not offer it, in the controller's own.
    /// `controller` gives imprint and privacy policy, where the page belongs to one.
    pub fn render(&self, page: Page, language: Language, controller: Option<&Controller>, content: &Content<'_>) -> Result<String, Error> {
        let key = controller.map(|controller| controller.key.as_str());
        let language = self.words.served(key, [language]);
        let speaker = context! { language => language.as_str(), controller_key => key };
        let inner = self.template(key, page.template())?.render_captured(context! { ..speaker.clone(), ..Value::from(Serde(content)) })?;
        if page == Page::Embed {
            return Ok(inner.into_output()); // a piece of somebody else's page
        }
        let (title, mark) = (inner.state().lookup("title"), inner.state().lookup("mark"));
        let look = key.and_then(|key| self.looks.of(key));
        let imprint: Vec<&str> = controller.map(|controller| controller.imprint.trim().lines().collect()).unwrap_or_default();
        self.template(key, LAYOUT.0)?.render(context! {
            dir => language.dir(),
            title => title,
            mark => mark.filter(|mark| !mark.is_undefined()),
            style => self.style.as_str(),
            brand_style => look.map(|look| look.style_url.as_str()),
            logo => look.and_then(|look| look.logo_url.as_deref()),
            controller => controller.map(|controller| controller.name.as_str()),
            privacy_url => controller.map(|controller| controller.privacy_url.as_str()),
            imprint => Serde(imprint),
            content => Value::from_safe_string(inner.into_output()),
            ..speaker
        })
    }

    fn template(&self, controller: Option<&str>, name: &str) -> Result<minijinja::Template<'_, '_>, Error> {
        self.templates.get_template(&self.words.overrides().path(controller, Kind::Web, name))
    }

    /// Renders every page for everyone the operator's files may concern.
    fn try_all(&self, catalogue: &Catalogue, faults: &mut Vec<String>) {
        let mut told = BTreeSet::new();
        for controller in catalogue.controllers.iter().map(Some).chain([None]) {
            let key = controller.map(|controller| controller.key.as_str());
            for (&language, page) in self.words.languages(key).iter().flat_map(|language| Page::ALL.map(|page| (language, page))) {
                for content in samples(page, controller) {
                    let path = self.words.overrides().path(key, Kind::Web, page.template());
                    match self.render(page, language, controller, &content) {
                        Err(error) => told.insert(format!("{path} in {language}: {error:#}")),
                        Ok(html) => page.lint(&content, &html).is_err_and(|fault| told.insert(format!("{path}: {fault}"))),
                    };
                }
            }
        }
        faults.extend(told);
    }
}
