//! A hosted sign-up form: what it asks for. Its words are made in `compose`, its page in `http`.

use std::collections::BTreeMap;

use super::Topic;

/// One configured form.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Unique name; stands in its address, `/subscribe/{name}`.
    pub name: String,
    /// Key of the controller that asks.
    pub controller: String,
    /// What it signs people up for; all of them, by one box.
    pub topics: Vec<Topic>,
    /// True when it has a second box: consent to being measured, apart from the first (L-TRK-06).
    #[serde(default)]
    pub tracking: bool,
    /// The website's page that embeds it, for the evidence; where there is none, it cannot be embedded.
    #[serde(default)]
    pub url: Option<String>,
    /// What it says of itself, by language tag; where it says nothing, the product's own words stand.
    #[serde(default)]
    pub text: BTreeMap<String, FormText>,
}

/// What a form says in one language. What is left out is made from controller and topics.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FormText {
    /// The heading.
    pub title: Option<String>,
    /// What the person gets from it (S4-09: the value is told here, not in the confirmation mail).
    pub intro: Option<String>,
    /// The consent text next to the box. Must name controller, channel, topics and withdrawal (L-CON-02).
    pub consent: Option<String>,
    /// The consent text next to the second box.
    pub tracking: Option<String>,
}
