//! What every sign-up comes to, by whatever door: the confirmation mail is composed and signed, and committed together
//! with the request and its evidence, or not at all. Checking what came in is the doors' business.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::by_mail::return_path;
use super::sign_up::FieldProblem;
use super::{Actor, Desk, StoreError};
use crate::compose::{ComposeError, ConfirmationRequest, Letter};
use crate::consent::{Controller, FormEvidence, Language, OptInId, RequestEvidence, Source, TopicEntry};
use crate::entropy::random;
use crate::mail::Address;
use crate::sign::SignerError;
use crate::store::{NewOptIn, RequestAnswer};

/// What is kept of a user agent, characters.
const USER_AGENT_LIMIT: usize = 512;

/// How a person asked, as it goes into the evidence. Holds personal data, hence no `Debug`.
pub struct Asked {
    /// Through which door.
    pub source: Source,
    /// The page that held the form.
    pub form_url: String,
    /// Where the person came from.
    pub referrer: Option<String>,
    /// The whole text the person agreed to.
    pub consent_text: String,
    /// The text of the second box, about being measured, if it was ticked (L-TRK-06).
    pub tracking_text: Option<String>,
    /// True when a box was ticked; `None` where there was none.
    pub checkbox: Option<bool>,
    /// The hosted form, as shown.
    pub form: Option<FormEvidence>,
    /// Language of the form.
    pub language: Language,
    /// Who reports it: the name of an API token, or of a form.
    pub reported_by: String,
}

/// Why a sign-up was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// The report is wrong; all that is wrong with it.
    #[error("the sign-up has {} problem(s)", .0.len())]
    Fields(Vec<FieldProblem>),
    /// One network made too many sign-ups.
    #[error("too many sign-ups from this network; try again in an hour")]
    TooMany,
    /// The ledger does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The confirmation mail could not be composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The confirmation mail could not be signed.
    #[error(transparent)]
    Sign(#[from] SignerError),
}

impl Desk {
    /// Records a sign-up and its confirmation mail. Refuses by where it comes from, never by whom it signs up; `Ok` tells nothing about the address.
    pub(super) async fn request(
        &self,
        controller: &Controller,
        topics: &[&TopicEntry],
        to: &Address,
        actor: Actor,
        asked: Asked,
        now: Timestamp,
    ) -> Result<(), SignUpError> {
        // A website's server that does not report its visitors' addresses is not one visitor.
        let is_told = actor.ip.is_some() || asked.source != Source::Api;
        if is_told && !self.inner.limits.admits(actor.ip.as_deref()) {
            return Err(SignUpError::TooMany);
        }
        let token = Zeroizing::new(random::<32>());
        let (from, message_id) = self.sender(controller)?;
        let titles: Vec<&str> = topics.iter().map(|entry| entry.title.as_str()).collect();
        let mail = self.inner.composer.confirmation(&ConfirmationRequest {
            letter: Letter {
                controller,
                to,
                link: &self.inner.public_url.confirm(&URL_SAFE_NO_PAD.encode(token.as_ref())),
                message_id: &message_id,
                at: now,
                language: asked.language,
            },
            topics: &titles,
            tracking: asked.tracking_text.is_some(),
        })?;
        // Signed before it is committed, so that the evidence holds the mail exactly as it leaves.
        let mail = self.signed(mail, &from, now)?;
        let (door, reported_by) = (asked.source, asked.reported_by.clone());
        let id = OptInId(random());
        let sign_up = NewOptIn {
            id,
            key: self.inner.store.keyring().lookup_key(to),
            address: to.clone(),
            controller: controller.key.clone(),
            topics: topics.iter().map(|entry| entry.name.clone()).collect(),
            tracking: asked.tracking_text.is_some(),
            source: asked.source,
            token: self.inner.store.keyring().secret_key(token.as_ref()),
            at: now,
            evidence: RequestEvidence {
                address: to.as_str().to_owned(),
                form_url: asked.form_url,
                referrer: asked.referrer,
                consent_text: asked.consent_text,
                text_version: String::new(), // set by the store, with the text
                form: asked.form,
                tracking_text: asked.tracking_text,
                checkbox: asked.checkbox,
                language: asked.language,
                ip: actor.ip,
                user_agent: actor.user_agent.map(|agent| agent.chars().take(USER_AGENT_LIMIT).collect()),
                reported_by: asked.reported_by,
                message_id,
                mail,
            },
            reverse_path: return_path(controller, &from, Some(id)), // M-66: bounces must reach someone
        };
        match self.inner.store.request(sign_up).await? {
            RequestAnswer::Committed => tracing::info!(reported_by, door = door.as_str(), "opt-in requested"),
            RequestAnswer::TooSoon => tracing::info!(reported_by, "opt-in not repeated: a confirmation mail was sent recently"),
        }
        Ok(())
    }

    /// The sender of a controller's own mails, and a fresh Message-ID at the domain that sends (RFC 5322 s.3.6.4).
    pub(super) fn sender(&self, controller: &Controller) -> Result<(Address, String), ComposeError> {
        // Composer::new has parsed `from`.
        let from = Address::parse(&controller.from).map_err(|_| ComposeError::From { controller: controller.key.clone() })?;
        let message_id = format!("<{}@{}>", hex::encode(random::<16>()), from.domain());
        Ok((from, message_id))
    }

    pub(super) fn signed(&self, mail: String, from: &Address, now: Timestamp) -> Result<String, SignerError> {
        let mail = self.inner.signers.signed(mail.into_bytes(), from, now)?;
        Ok(String::from_utf8_lossy(&mail).into_owned())
    }
}
