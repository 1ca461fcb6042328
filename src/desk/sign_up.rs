//! The first step of a double opt-in, as a website's server reports it: checked as a whole, so that every fault is told
//! at once. Nothing it is told grants consent (I5). What follows is `request`'s business.

use std::borrow::Cow;

use jiff::Timestamp;

use super::report::{Checked, check};
use super::request::{Asked, SignUpError};
use super::{Actor, Desk};
use crate::consent::{Language, Source};

/// A sign-up as a website reports it; the body of `POST /api/v1/opt-ins`. Holds personal data, hence no `Debug`.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignUp {
    /// The address as typed.
    pub email: String,
    /// Name of a configured form: controller, topics and texts are taken from it and must not be repeated.
    pub form: Option<String>,
    /// Key of the controller.
    pub controller: String,
    /// Names of the topics.
    pub topics: Vec<String>,
    /// The page that held the form.
    pub form_url: String,
    /// The whole text the person agreed to.
    pub consent_text: String,
    /// The whole text of a second box, about being measured, where it was ticked (L-TRK-06).
    pub tracking_text: Option<String>,
    /// True when the person ticked the second box of the form named in `form`.
    pub tracking: bool,
    /// True when the box was ticked before the person came; such a sign-up is refused (S1-13).
    pub prechecked: bool,
    /// True when the person ticked a box, `None` where the form has none.
    pub checkbox: Option<bool>,
    /// Language of the form; that of the controller if it is not given.
    pub language: Option<Language>,
    /// The person's IP address.
    pub ip: Option<String>,
    /// The person's browser.
    pub user_agent: Option<String>,
    /// Where the person came from.
    pub referrer: Option<String>,
}

/// What is wrong with one field, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldProblem {
    /// Name of the field.
    pub field: Cow<'static, str>,
    /// What is wrong; repeats no value that could be personal.
    pub problem: String,
    /// What to do.
    pub mend: String,
}

impl Desk {
    /// Takes a sign-up, reported by the API token `reported_by`. `Ok` tells nothing about the address: it is
    /// the same whether a mail is on its way, or one was sent just before (L-DOI-05), or consent exists.
    pub async fn sign_up(&self, sign_up: &SignUp, reported_by: &str, now: Timestamp) -> Result<(), SignUpError> {
        let spelled_out = self.spelled_out(sign_up).map_err(SignUpError::Fields)?;
        let sign_up = spelled_out.as_ref().unwrap_or(sign_up);
        let Checked { address, controller, topics, ip } = check(sign_up, &self.inner.catalogue).map_err(SignUpError::Fields)?;
        let asked = Asked {
            source: Source::Api,
            form_url: sign_up.form_url.clone(),
            referrer: sign_up.referrer.clone(),
            consent_text: sign_up.consent_text.clone(),
            tracking_text: sign_up.tracking_text.clone(),
            checkbox: sign_up.checkbox,
            form: None,
            language: sign_up.language.unwrap_or(controller.language),
            reported_by: reported_by.to_owned(),
        };
        let actor = Actor { ip: ip.map(|ip| ip.to_canonical().to_string()), user_agent: sign_up.user_agent.clone() };
        self.request(controller, &topics, &address, actor, asked, now).await
    }

    /// The report with what its form says; `None` where it names no form.
    fn spelled_out(&self, sign_up: &SignUp) -> Result<Option<SignUp>, Vec<FieldProblem>> {
        let Some(name) = &sign_up.form else { return Ok(None) };
        let page = self.form_of_report(name, sign_up.language).map_err(|problem| vec![problem])?;
        let given = [
            ("controller", !sign_up.controller.is_empty()),
            ("topics", !sign_up.topics.is_empty()),
            ("consent_text", !sign_up.consent_text.is_empty()),
            ("tracking_text", sign_up.tracking_text.is_some()),
        ];
        let repeated = |field: &'static str| FieldProblem {
            field: field.into(),
            problem: "is said by the form".into(),
            mend: "leave it out, or leave out \"form\"".into(),
        };
        let mut problems: Vec<FieldProblem> =
            given.into_iter().filter(|(_, is_given)| *is_given).map(|(field, _)| repeated(field)).collect();
        if sign_up.tracking && page.words.tracking.is_none() {
            let problem = "this form has no second box".into();
            problems.push(FieldProblem {
                field: "tracking".into(),
                problem,
                mend: "leave it out, or give the form tracking = true".into(),
            });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Some(SignUp {
            controller: page.controller.key.clone(),
            topics: page.form.topics.iter().map(|topic| topic.as_str().to_owned()).collect(),
            consent_text: page.words.consent.clone(),
            tracking_text: page.words.tracking.clone().filter(|_| sign_up.tracking),
            language: Some(page.language),
            ..sign_up.clone()
        }))
    }
}
