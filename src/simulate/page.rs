//! The report as one page that needs nothing else: no script, nothing from elsewhere, readable without colour.

use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{Error, context};

use super::report::{By, Report};
use super::table::SHOWN;
use crate::compose::{Words, environment};
use crate::consent::Language;

/// Whose report it is.
pub struct Heading<'a> {
    /// The id of the rules.
    pub rules: &'a str,
    /// Who proposes them, if somebody does.
    pub ran_by: Option<&'a str>,
    /// When.
    pub at: jiff::Timestamp,
}

impl Report {
    /// The page, in that language.
    pub fn html(&self, heading: &Heading<'_>, words: &Arc<Words>, language: Language) -> Result<String, Error> {
        let mut templates = environment(words)?;
        templates.add_template("simulation.html", include_str!("../../templates/report/simulation.html"))?;
        templates.add_template("figures.html", include_str!("../../templates/report/figures.html"))?;
        let table =
            |name: &str, by: By| context! { name, rows => Serde(&by[..by.len().min(SHOWN)]), more => by.len().saturating_sub(SHOWN) };
        templates.get_template("simulation.html")?.render(context! {
            language => language.as_str(),
            style => include_str!("../../templates/report/style.css"),
            rules => heading.rules,
            ran_by => heading.ran_by,
            at => heading.at.to_string(),
            since => self.since.to_string(),
            until => self.until.to_string(),
            total => Serde(self.total),
            tables => [table("stream", self.streams()), table("topic", self.topics()), table("campaign", self.campaigns())],
            changes => Serde(self.changes()),
            domains_lost => Serde(&self.domains_lost),
        })
    }
}
