//! The controllers and topics that exist, as configured. Consent to anything else cannot be asked for.

use std::collections::BTreeSet;

use super::{Controller, Form, Topic};

/// One configured topic.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicEntry {
    /// Unique dotted name.
    pub name: Topic,
    /// Key of the controller it belongs to.
    pub controller: String,
    /// What people read on pages, in mails and in the phrase of List-Id.
    pub title: String,
    /// Domain-like identifier for List-Id (RFC 2919 s.3), e.g. `weekly.news.example.com`; stable for ever.
    pub list_id: String,
}

/// All configured controllers and topics; small, searched linearly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The controllers.
    pub controllers: Vec<Controller>,
    /// The topics.
    pub topics: Vec<TopicEntry>,
    /// The hosted sign-up forms.
    pub forms: Vec<Form>,
}

impl Catalogue {
    /// Every topic of a controller: those that are configured, and those `named` elsewhere; in order, each once.
    pub fn topics_of<'a>(&'a self, controller: &str, named: impl IntoIterator<Item = &'a Topic>) -> Vec<Topic> {
        let configured = self.topics.iter().filter(|entry| entry.controller == controller).map(|entry| &entry.name);
        let topics: BTreeSet<&Topic> = configured.chain(named).collect();
        topics.into_iter().cloned().collect()
    }

    /// The controller of that key.
    pub fn controller(&self, key: &str) -> Option<&Controller> {
        self.controllers.iter().find(|controller| controller.key == key)
    }

    /// The form of that name.
    pub fn form(&self, name: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.name == name)
    }

    /// The entry of that topic.
    pub fn topic(&self, name: &Topic) -> Option<&TopicEntry> {
        self.topics.iter().find(|entry| entry.name == *name)
    }
}
