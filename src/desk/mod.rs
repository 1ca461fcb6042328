//! Joiner: what recipients and tools ask for, over store, links, mails and catalogue. Asks the store
//! and never caches an answer; how a question comes in and how the answer looks is the business of `http`.

mod api_token;
mod opt_in;
mod sign_up;

use std::sync::Arc;

use jiff::Timestamp;

pub use crate::store::{ApiToken, DecisionRow, Scope, StoreError};
pub use opt_in::{AskedFor, OptInPage};
pub use sign_up::{FieldProblem, SignUp, SignUpError};

use crate::compose::{ComposeError, Composer, PublicUrl, Words};
use crate::consent::{Catalogue, Controller, DecisionId, Source, WithdrawalEvidence};
use crate::sign::Signers;
use crate::store::{NewWithdrawal, Store, WithdrawAnswer};
use crate::token::{Link, LinkRing};

/// The desk; cheap to clone.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    links: LinkRing,
    composer: Composer,
    words: Arc<Words>,
    catalogue: Arc<Catalogue>,
    signers: Arc<Signers>,
    public_url: PublicUrl,
}

/// Who acts, as far as the connection tells; goes into the evidence and nowhere else (I8).
#[derive(Clone, Default)]
pub struct Actor {
    /// The person's IP address, or that of the mail provider for one-click.
    pub ip: Option<String>,
    /// The browser or mail program.
    pub user_agent: Option<String>,
}

/// How much a person wants to stop (L-OBJ-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The topic of the mail that carried the link.
    Topic,
    /// All marketing of the controller (GDPR Art. 21(2)).
    All,
}

/// What the unsubscribe page shows: whose mail about what. Never the address: mails are forwarded.
pub struct Subscription {
    link: Link,
    /// The controller; `None` when the configuration no longer knows it, and the link works still (U-14).
    pub controller: Option<Controller>,
    /// Title of the topic, or its name when the configuration no longer knows it.
    pub topic: String,
}

impl Subscription {
    /// The controller's name as people know it.
    pub fn controller_name(&self) -> &str {
        self.controller.as_ref().map_or(&self.link.controller, |controller| &controller.name)
    }
}

impl Desk {
    /// A desk over `store` that speaks with `words`; `signers` sign the confirmation mails. Fails when a controller or
    /// `public_url` is configured so that no lawful mail can be composed.
    pub fn new(
        store: Store,
        catalogue: Arc<Catalogue>,
        words: Arc<Words>,
        signers: Arc<Signers>,
        public_url: PublicUrl,
    ) -> Result<Self, ComposeError> {
        let links = LinkRing::new(store.keyring().link_keys());
        let composer = Composer::new(&catalogue, &words)?;
        Ok(Self { inner: Arc::new(Inner { store, links, composer, words, catalogue, signers, public_url }) })
    }

    /// The words of mails and pages.
    pub fn words(&self) -> &Arc<Words> {
        &self.inner.words
    }

    /// Under which address people reach the gateway.
    pub fn public_url(&self) -> &PublicUrl {
        &self.inner.public_url
    }

    /// What is configured.
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// The subscription behind an unsubscribe link; `None` for a link that is not ours. Reads no
    /// database, so that the page shows even while the ledger is away.
    pub fn subscription(&self, token: &str) -> Option<Subscription> {
        let link = self.inner.links.verify(token)?;
        let controller = self.inner.catalogue.controller(&link.controller).cloned();
        let topic = self.inner.catalogue.topic(&link.topic).map_or_else(|| link.topic.to_string(), |entry| entry.title.clone());
        Some(Subscription { link, controller, topic })
    }

    /// Stops mail, durably before it returns (I3). The answer is the same when it was stopped before (U-13);
    /// false when the ledger does not know the subject of the link. No mail is sent about it (L-OBJ-08).
    pub async fn unsubscribe(
        &self,
        subscription: &Subscription,
        extent: Extent,
        source: Source,
        actor: Actor,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let link = &subscription.link;
        let topics = match extent {
            Extent::Topic => vec![link.topic.clone()],
            Extent::All => vec![],
        };
        let evidence = WithdrawalEvidence { ip: actor.ip, user_agent: actor.user_agent, decision: Some(link.decision.to_string()) };
        let controller = link.controller.clone();
        let answer =
            self.inner.store.withdraw(NewWithdrawal { subject: link.subject, controller, topics, source, at: now, evidence }).await?;
        Ok(match answer {
            WithdrawAnswer::Done | WithdrawAnswer::Repeated => true,
            WithdrawAnswer::Unknown => false,
        })
    }

    /// One decision; `None` for an unknown or malformed `reference`.
    pub async fn decision(&self, reference: &str) -> Result<Option<DecisionRow>, StoreError> {
        match DecisionId::parse(reference) {
            Some(id) => self.inner.store.decision(id).await,
            None => Ok(None),
        }
    }

    /// Decisions, newest first, older than `before`.
    pub async fn decisions(&self, before: Option<DecisionId>, limit: u32) -> Result<Vec<DecisionRow>, StoreError> {
        self.inner.store.decisions(before, limit).await
    }

    /// Fails while the store does not answer.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.inner.store.decisions(None, 1).await.map(|_| ())
    }
}

/// Lower-case hexadecimal.
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
