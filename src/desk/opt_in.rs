//! The second step of a double opt-in: the page behind the link, yes and no.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Actor, Desk, StoreError};
use crate::consent::{ChoiceEvidence, ConfirmationEvidence, Controller, Language, OptIn, PressGrade, Source, Stage};
use crate::store::{Confirmation, NewWithdrawal, Stop};

/// What the page behind a confirmation link has to say.
pub enum OptInPage {
    /// Can be confirmed.
    Open(AskedFor),
    /// Was confirmed (now or before: the page is the same).
    Confirmed(AskedFor),
    /// The person said no.
    Declined(AskedFor),
    /// Too old (L-DOI-04).
    Expired(AskedFor),
    /// The person withdrew or objected after signing up.
    Voided(AskedFor),
    /// No such link.
    Unknown,
}

/// What was asked for.
pub struct AskedFor {
    /// Who asks; `None` when the configuration no longer knows the controller.
    pub controller: Option<Controller>,
    /// Titles of the topics.
    pub topics: Vec<String>,
    /// Language of the sign-up form.
    pub language: Language,
    /// When.
    pub requested_at: Timestamp,
    /// True when being measured was asked for, too.
    pub tracking: bool,
    opt_in: OptIn,
}

/// The press of the button, as it goes into the evidence.
pub struct Press {
    /// The page that held the button.
    pub page: String,
    /// What speaks for a person having pressed it.
    pub grade: PressGrade,
    /// Milliseconds between showing the page and pressing.
    pub dwell_ms: u64,
}

impl AskedFor {
    /// The controller's name as people know it.
    pub fn controller_name(&self) -> &str {
        self.controller.as_ref().map_or(&self.opt_in.controller, |controller| &controller.name)
    }
}

impl Desk {
    /// The page behind the link; changes nothing (I6).
    pub async fn opt_in(&self, token: &str, now: Timestamp) -> Result<OptInPage, StoreError> {
        let Some(token) = decode(token) else { return Ok(OptInPage::Unknown) };
        Ok(match self.asked_for(&token).await? {
            None => OptInPage::Unknown,
            Some(asked) if self.inner.store.is_refused(&asked.opt_in).await? => OptInPage::Voided(asked),
            Some(asked) if asked.opt_in.stage == Stage::Confirmed => OptInPage::Confirmed(asked),
            Some(asked) if now.duration_since(asked.requested_at) > OptIn::LIFETIME => OptInPage::Expired(asked),
            Some(asked) => OptInPage::Open(asked),
        })
    }

    /// Yes.
    pub async fn confirm(&self, token: &str, actor: Actor, press: Press, now: Timestamp) -> Result<OptInPage, StoreError> {
        let Some(octets) = decode(token) else { return Ok(OptInPage::Unknown) };
        let Some(asked) = self.asked_for(&octets).await? else { return Ok(OptInPage::Unknown) };
        let evidence = ConfirmationEvidence {
            ip: actor.ip,
            user_agent: actor.user_agent,
            method: "POST".to_owned(),
            token_id: hex::encode(Sha256::digest(octets)),
            page_version: String::new(), // set by the store, with the page
            page: press.page,
            grade: press.grade,
            dwell_ms: press.dwell_ms,
        };
        let key = self.inner.store.keyring().secret_key(&octets);
        Ok(match self.inner.store.confirm(&key, now, evidence).await? {
            Confirmation::Repeated if self.is_withdrawn(&octets).await? => OptInPage::Voided(asked),
            Confirmation::Done | Confirmation::Repeated => OptInPage::Confirmed(asked),
            Confirmation::Expired => OptInPage::Expired(asked),
            Confirmation::Voided => OptInPage::Voided(asked),
            Confirmation::Unknown => OptInPage::Unknown,
        })
    }

    /// No: what was asked for is refused, which voids the opt-in for good (S1-17), and nothing else.
    pub async fn decline(&self, token: &str, actor: Actor, now: Timestamp) -> Result<OptInPage, StoreError> {
        let Some(octets) = decode(token) else { return Ok(OptInPage::Unknown) };
        let Some(asked) = self.asked_for(&octets).await? else { return Ok(OptInPage::Unknown) };
        let withdrawal = NewWithdrawal {
            subject: asked.opt_in.subject,
            controller: asked.opt_in.controller.clone(),
            stop: Stop::Request { topics: asked.opt_in.topics.clone(), requested: asked.opt_in.requested, tracking: asked.opt_in.tracking },
            source: Source::Page,
            at: now,
            evidence: ChoiceEvidence { ip: actor.ip, user_agent: actor.user_agent, ..ChoiceEvidence::default() },
        };
        self.inner.store.withdraw(withdrawal).await?;
        Ok(OptInPage::Declined(asked))
    }

    /// A page must not say that mails will come where they will not.
    async fn is_withdrawn(&self, token: &[u8; 32]) -> Result<bool, StoreError> {
        match self.asked_for(token).await? {
            Some(asked) => self.inner.store.is_refused(&asked.opt_in).await,
            None => Ok(false),
        }
    }

    async fn asked_for(&self, token: &[u8; 32]) -> Result<Option<AskedFor>, StoreError> {
        let found = self.inner.store.opt_in(&self.inner.store.keyring().secret_key(token)).await?;
        Ok(found.map(|(opt_in, language)| {
            let catalogue = &self.inner.catalogue;
            let title = |topic| catalogue.topic(topic).map_or_else(|| topic.to_string(), |entry| entry.title.clone());
            AskedFor {
                controller: catalogue.controller(&opt_in.controller).cloned(),
                topics: opt_in.topics.iter().map(title).collect(),
                language,
                requested_at: opt_in.requested_at,
                tracking: opt_in.tracking.is_some(),
                opt_in,
            }
        }))
    }
}

/// The octets of a link's token.
pub(super) fn decode(token: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()
}
