//! The first step of a double opt-in on a hosted form: what the form says, and what came back from it. Nothing that comes
//! back grants consent (I5), and the answer is the same for every address.

use jiff::Timestamp;

use super::request::{Asked, SignUpError};
use super::sign_up::FieldProblem;
use super::{Actor, Desk};
use crate::compose::FormWords;
use crate::consent::{Controller, Form, FormEvidence, Language, Source, TopicEntry};
use crate::mail::Address;

/// A form in one language, ready to show.
pub struct FormPage<'a> {
    /// What it asks for.
    pub form: &'a Form,
    /// Who asks.
    pub controller: &'a Controller,
    /// What it says.
    pub words: &'a FormWords,
    /// In which language.
    pub language: Language,
}

/// What a person filled in, and how. Holds personal data, hence no `Debug`.
pub struct Entry {
    /// The address as typed.
    pub email: String,
    /// True when the box was ticked.
    pub consent: bool,
    /// True when the second box was ticked.
    pub tracking: bool,
    /// The form as it was shown.
    pub page: String,
    /// Milliseconds between showing and sending it; `None` where it was embedded elsewhere.
    pub dwell_ms: Option<u64>,
    /// The page that the person came from, as the browser says.
    pub referrer: Option<String>,
    /// The origin that it was sent from, as the browser says.
    pub origin: Option<String>,
}

/// What is wrong with an entry; each is told at its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFault {
    /// No address, or not one.
    Email,
    /// The box is not ticked.
    Consent,
}

impl Desk {
    /// The form of that name in that language, or the nearest one that its controller speaks.
    pub fn form(&self, name: &str, wanted: impl IntoIterator<Item = Language>) -> Option<FormPage<'_>> {
        let form = self.inner.catalogue.form(name)?;
        let controller = self.inner.catalogue.controller(&form.controller)?;
        let language = self.inner.words.served(Some(&controller.key), wanted);
        let words = self.inner.forms.words(name, language)?;
        Some(FormPage { form, controller, words, language })
    }

    /// Takes what came back from a form. `Ok(Err(_))` names all faults; `Ok(Ok(()))` tells nothing about the address.
    pub async fn sign_up_by_form(
        &self,
        form: &FormPage<'_>,
        entry: Entry,
        actor: Actor,
        now: Timestamp,
    ) -> Result<Result<(), Vec<EntryFault>>, SignUpError> {
        let address = Address::parse(entry.email.trim());
        let faults = [(address.is_err(), EntryFault::Email), (!entry.consent, EntryFault::Consent)];
        let address = match address {
            Ok(address) if entry.consent => address,
            _ => return Ok(Err(faults.into_iter().filter_map(|(is_so, fault)| is_so.then_some(fault)).collect())),
        };
        let topics: Vec<&TopicEntry> = form.form.topics.iter().filter_map(|topic| self.inner.catalogue.topic(topic)).collect();
        let hosted = || self.inner.public_url.form(&form.form.name);
        let asked = Asked {
            source: Source::Form,
            form_url: form.form.url.clone().filter(|_| entry.dwell_ms.is_none()).unwrap_or_else(hosted),
            referrer: entry.referrer,
            consent_text: form.words.consent.clone(),
            tracking_text: form.words.tracking.clone().filter(|_| entry.tracking),
            checkbox: Some(true),
            form: Some(FormEvidence {
                name: form.form.name.clone(),
                version: String::new(), // set by the store, with the page
                page: entry.page,
                dwell_ms: entry.dwell_ms,
                origin: entry.origin,
            }),
            language: form.language,
            reported_by: format!("form {}", form.form.name),
        };
        self.request(form.controller, &topics, &address, actor, asked, now).await.map(Ok)
    }

    /// What a website's server reports by naming the form instead of repeating its text (`POST /api/v1/opt-ins`).
    pub(super) fn form_of_report(&self, name: &str, language: Option<Language>) -> Result<FormPage<'_>, FieldProblem> {
        self.form(name, language).ok_or_else(|| {
            let names: Vec<&str> = self.inner.catalogue.forms.iter().map(|form| form.name.as_str()).collect();
            FieldProblem {
                field: "form".into(),
                problem: "is not a configured form".into(),
                mend: format!("give one of: {}", names.join(", ")),
            }
        })
    }
}
