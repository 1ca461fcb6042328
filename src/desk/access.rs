//! "Why did I get this?", and everything stored about oneself with one company: shown to whoever proves to read the
//! mailbox, by a fresh link that is mailed there. A link from a mail that may have been forwarded shows none of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::by_mail::return_path;
use super::opt_in::decode;
use super::preference::{Choice, Subscription};
use super::request::SignUpError;
use super::{Actor, Desk, StoreError};
use crate::compose::{AccessRequest, Letter};
use crate::consent::{
    Agreement, ChoiceEvidence, Controller, Event, Evidence, Language, ProfileName, Reason, Source, Standing, SubjectId, Topic,
    TopicStanding,
};
use crate::entropy::random;
use crate::store::{AccessLink, NewAccess, NewChoice};

/// What is behind a link of this kind.
pub enum AccessPage {
    /// The mailbox is proven.
    Open(Box<Access>),
    /// The link is older than an hour; the controller, for the page.
    Expired(Option<Controller>),
    /// No such link.
    Unknown,
}

/// What is stored about a person with one company. Holds personal data, hence no `Debug`.
pub struct Access {
    link: AccessLink,
    /// The company; `None` when the configuration no longer knows it.
    pub controller: Option<Controller>,
    /// The address.
    pub address: String,
    /// The mail whose link was used to ask.
    pub why: Option<Why>,
    /// Every topic that anything is on record about.
    pub topics: Vec<TopicRow>,
    /// What is on record about being measured.
    pub tracking: TopicStanding,
    /// The end of a rest that is in force.
    pub paused_until: Option<Timestamp>,
    /// When all advertising was objected to, if that stands.
    pub objected: Option<Timestamp>,
}

impl Access {
    /// Whose mailbox is proven, and to which controller.
    pub(super) fn whose(&self) -> (SubjectId, &str) {
        (self.link.subject, &self.link.controller)
    }

    /// The controller's name as people know it.
    pub fn controller_name(&self) -> &str {
        self.controller.as_ref().map_or(&self.link.controller, |controller| &controller.name)
    }
}

/// What is on record about one topic.
pub struct TopicRow {
    /// Its name.
    pub name: Topic,
    /// How people know it.
    pub title: String,
    /// What is on record.
    pub standing: TopicStanding,
}

/// Why a mail was sent: basis, date, source (GDPR Art. 15(1)).
pub struct Why {
    /// When the mail passed.
    pub at: Timestamp,
    /// What it was about.
    pub topic: String,
    /// Why it passed.
    pub reason: Reason,
    /// Under which policy profile.
    pub profile: Option<ProfileName>,
    /// The sign-up behind it.
    pub sign_up: Option<SignUpFacts>,
}

/// The sign-up behind a mail.
pub struct SignUpFacts {
    /// When.
    pub requested_at: Timestamp,
    /// On which page.
    pub form_url: String,
    /// The text that was agreed to.
    pub consent_text: String,
    /// When it was confirmed.
    pub confirmed_at: Timestamp,
}

impl Desk {
    /// Mails a link to the mailbox behind `subscription`. `Ok` says nothing about whether a mail was sent: the mailbox may
    /// have had its share, and we may have no address.
    pub async fn ask_access(&self, subscription: &Subscription, language: Language, now: Timestamp) -> Result<(), SignUpError> {
        let (link, store) = (&subscription.link, &self.inner.store);
        let Some(controller) = &subscription.controller else { return Ok(()) };
        let Some(to) = store.address(link.subject).await? else { return Ok(()) };
        let token = Zeroizing::new(random::<32>());
        let (from, message_id) = self.sender(controller)?;
        let mail = self.inner.composer.access(&AccessRequest {
            letter: Letter {
                controller,
                to: &to,
                link: &self.inner.public_url.access(&URL_SAFE_NO_PAD.encode(token.as_ref())),
                message_id: &message_id,
                at: now,
                language,
            },
            topic: &subscription.topic,
            valid_minutes: AccessLink::LIFETIME.as_mins(),
        })?;
        let access = NewAccess {
            subject: link.subject,
            controller: link.controller.clone(),
            topic: link.topic.clone(),
            decision: link.decision,
            token: store.keyring().secret_key(token.as_ref()),
            at: now,
            to,
            mail: self.signed(mail, &from, now)?,
            message_id,
            reverse_path: return_path(controller, &from, None),
        };
        let sent = store.request_access(access).await?;
        tracing::info!(sent, "access link asked for");
        Ok(())
    }

    /// What is behind the link; changes nothing (I6).
    pub async fn access(&self, token: &str, now: Timestamp) -> Result<AccessPage, StoreError> {
        let store = &self.inner.store;
        let Some(octets) = decode(token) else { return Ok(AccessPage::Unknown) };
        let Some(link) = store.access_link(&store.keyring().secret_key(&octets)).await? else { return Ok(AccessPage::Unknown) };
        let controller = self.inner.catalogue.controller(&link.controller).cloned();
        if now.duration_since(link.created) > AccessLink::LIFETIME {
            return Ok(AccessPage::Expired(controller));
        }
        let events = store.events(link.subject).await?;
        let standing = Standing::fold(&events);
        let rows = standing.topics(&link.controller);
        Ok(AccessPage::Open(Box::new(Access {
            address: store.address(link.subject).await?.map(|address| address.as_str().to_owned()).unwrap_or_default(),
            why: self.why(&link, &events).await?,
            topics: rows.map(|(name, standing)| TopicRow { name: name.clone(), title: self.title(name), standing }).collect(),
            tracking: standing.tracking(&link.controller),
            paused_until: standing.pause(&link.controller, now).map(|pause| pause.until),
            objected: standing.objection(&link.controller).map(|mark| mark.at),
            controller,
            link,
        })))
    }

    /// Does what the owner of the mailbox chooses; `topic` is the one that [`Choice::Topic`] means, for the others that of
    /// the link will do.
    pub async fn choose_proven(
        &self,
        access: &Access,
        choice: Choice,
        topic: Option<&Topic>,
        actor: Actor,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let evidence = ChoiceEvidence { decision: Some(access.link.decision.to_string()), ..actor.evidence() };
        let topic = topic.unwrap_or(&access.link.topic);
        self.do_choose(access.link.subject, &access.link.controller, topic, choice, Source::Page, evidence, now).await
    }

    /// What the owner of the mailbox agrees to who agrees to being measured; `None` where nobody can: the company is no
    /// longer configured.
    pub fn tracking_text(&self, access: &Access, language: Language) -> Option<String> {
        let text = self.inner.words.measuring(access.controller.as_ref()?, language);
        text.inspect_err(|error| tracing::error!(%error, "the text about measuring")).ok()
    }

    /// The owner of the mailbox agrees to being measured (L-TRK-06).
    pub async fn agree_to_tracking(&self, access: &Access, agreed: Agreement, actor: Actor, now: Timestamp) -> Result<bool, StoreError> {
        let decision = Some(access.link.decision.to_string());
        let evidence = ChoiceEvidence { decision, agreed: Some(agreed), ..actor.evidence() };
        let (subject, controller) = (access.link.subject, access.link.controller.clone());
        self.inner.store.agree_to_tracking(NewChoice { subject, controller, source: Source::Page, at: now, evidence }).await
    }

    async fn why(&self, link: &AccessLink, events: &[Event]) -> Result<Option<Why>, StoreError> {
        let Some(row) = self.inner.store.decision(link.decision).await? else { return Ok(None) };
        let of_seq = |seq: Option<u64>| events.iter().find(|event| Some(event.seq) == seq);
        let given = of_seq(row.decision.event);
        let request = of_seq(given.and_then(|given| given.answers));
        let sign_up = match (given, request.map(|request| (request.at, &request.evidence))) {
            (Some(given), Some((requested_at, Some(Evidence::Request(request))))) => Some(SignUpFacts {
                requested_at,
                form_url: request.form_url.clone(),
                consent_text: request.consent_text.clone(),
                confirmed_at: given.at,
            }),
            _ => None,
        };
        let topic = row.decision.topic.as_ref().unwrap_or(&link.topic);
        Ok(Some(Why { at: row.decision.at, topic: self.title(topic), reason: row.decision.reason, profile: row.decision.profile, sign_up }))
    }
}
