//! Templates and assets of the admin pages, all of them embedded. What a page is given is the business of its handler.

use std::sync::Arc;

use minijinja::{Environment, Error, Value, context};

use super::super::brand::version;
use crate::compose::{self, Words};

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../templates/admin/", $name)))
    };
}

/// All templates; a page begins with `{% extends "layout.html" %}`.
const TEMPLATES: &[(&str, &str)] = &[
    file!("account.html"),
    file!("audit.html"),
    file!("decision.html"),
    file!("decision_rows.html"),
    file!("decisions.html"),
    file!("enrolment.html"),
    file!("erased.html"),
    file!("evidence.html"),
    file!("form_refused.html"),
    file!("held.html"),
    file!("held_one.html"),
    file!("layout.html"),
    file!("login.html"),
    file!("no_address.html"),
    file!("no_reason.html"),
    file!("not_for_role.html"),
    file!("nothing_here.html"),
    file!("once_more.html"),
    file!("overview.html"),
    file!("rectified.html"),
    file!("request.html"),
    file!("requests.html"),
    file!("rules.html"),
    file!("rules_one.html"),
    file!("said_before.html"),
    file!("search.html"),
    file!("second_factor.html"),
    file!("subject.html"),
    file!("subjects.html"),
    file!("unavailable.html"),
];

/// All assets; a template names one by `{{ asset("style.css") }}`.
const ASSETS: &[(&str, &str)] = &[file!("admin.js"), file!("decisions.js"), file!("icon.svg"), file!("style.css")];

/// The pages, parsed.
pub(super) struct AdminPages {
    templates: Environment<'static>,
}

impl AdminPages {
    /// The pages, for a gateway whose paths are reached below `base`.
    pub(super) fn new(words: &Arc<Words>, base: &str) -> Result<Self, Error> {
        let mut templates = compose::environment(words)?;
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        templates.add_template("figures.html", include_str!("../../../templates/report/figures.html"))?;
        let assets: Vec<(&str, String)> = ASSETS.iter().map(|(name, content)| (*name, versioned(base, name, content))).collect();
        templates.add_function("asset", move |name: &str| assets.iter().find(|(own, _)| *own == name).map(|(_, path)| path.clone()));
        Ok(Self { templates })
    }

    /// The whole page.
    pub(super) fn render(&self, name: &str, values: Value) -> Result<String, Error> {
        self.templates.get_template(name)?.render(context! { dir => "ltr", ..values })
    }

    /// Media type and content of the asset at that path.
    pub(super) fn asset(&self, path: &str) -> Option<(&'static str, &'static str)> {
        let (name, content) = ASSETS.iter().find(|(name, _)| path.rsplit('/').next() == Some(*name))?;
        let kind = match name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/css; charset=utf-8",
        };
        Some((kind, content))
    }
}

/// Its path changes with its content, so that browsers may keep it for ever.
fn versioned(base: &str, name: &str, content: &str) -> String {
    format!("{base}/admin/assets/{name}?{}", version(content.as_bytes()))
}
