//! Joiner: what recipients and tools ask for, over store, links, mails and catalogue. Asks the store
//! and never caches an answer; how a question comes in and how the answer looks is the business of `http`.

mod access;
mod api_token;
mod by_mail;
mod dossier;
mod erasure;
mod form;
mod limits;
mod opt_in;
mod preference;
mod rectification;
mod report;
mod request;
mod rights_request;
mod sign_up;
mod stamp;
mod tell;
mod telling;

use std::sync::{Arc, Mutex, PoisonError};

pub use crate::store::{ApiToken, DecisionRow, Rectification, RequestFilter, Scope, StoreError};
pub use access::{Access, AccessPage, SignUpFacts, TopicRow, Why};
pub use dossier::{Dossier, FORMAT, decision_value};
pub use erasure::PersonError;
pub use form::{Entry, EntryFault, FormPage};
pub use opt_in::{AskedFor, OptInPage, Press};
pub use preference::{Choice, Glimpse, Subscription};
pub use request::{Asked, SignUpError};
pub use rights_request::request_value;
pub use sign_up::{FieldProblem, SignUp};
pub use tell::{Informant, MAY_SAY, TellError};
pub use telling::FIELDS;

use jiff::Timestamp;

use self::limits::Limits;
use crate::compose::{ComposeError, Composer, Forms, PublicUrl, Words};
use crate::consent::{Catalogue, DecisionId, LookupKey};
use crate::policy::{EvidenceRule, Policy, RulesId};
use crate::sign::Signers;
use crate::store::{DecisionFilter, KeyFileStamp, Store};
use crate::token::LinkRing;

/// The desk; cheap to clone.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
    /// Hosts that mail is handed to.
    outbound: Arc<[String]>,
    /// How long evidence is kept.
    evidence: EvidenceRule,
    /// The rules that decide here.
    rules: Option<RulesId>,
}

/// Whether this gateway shall get work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It shall.
    Yes,
    /// Another gateway put other rules into force, and this one still decides by the old ones.
    OtherRules,
}

struct Inner {
    store: Store,
    links: LinkRing,
    /// The key file when the link keys were last taken from it.
    links_seen: Mutex<Option<KeyFileStamp>>,
    composer: Composer,
    words: Arc<Words>,
    forms: Forms,
    catalogue: Arc<Catalogue>,
    signers: Arc<Signers>,
    public_url: PublicUrl,
    limits: Limits,
}

/// Who acts, as far as the connection tells; goes into the evidence and nowhere else (I8).
#[derive(Clone, Default)]
pub struct Actor {
    /// The person's IP address, or that of the mail provider for one-click.
    pub ip: Option<String>,
    /// The browser or mail program.
    pub user_agent: Option<String>,
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
        let links = LinkRing::new(store.keyring().link_keys(Timestamp::now()));
        let composer = Composer::new(&catalogue, &words)?;
        let forms = Forms::new(&catalogue, &words)?;
        let limits = Limits::new();
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                links,
                links_seen: Mutex::default(),
                composer,
                words,
                forms,
                catalogue,
                signers,
                public_url,
                limits,
            }),
            outbound: Arc::default(),
            evidence: Policy::default().evidence(),
            rules: None,
        })
    }

    /// The same, for mail that is handed to these hosts: recipients of personal data (GDPR Art. 15(1)(c)).
    pub fn with_outbound(self, hosts: Vec<String>) -> Self {
        Self { outbound: hosts.into(), ..self }
    }

    /// The same, where evidence is kept so long.
    pub fn with_evidence_kept(self, evidence: EvidenceRule) -> Self {
        Self { evidence, ..self }
    }

    /// The same, where these rules decide.
    pub fn with_rules(self, rules: RulesId) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// The keys of the unsubscribe links.
    pub fn links(&self) -> &LinkRing {
        &self.inner.links
    }

    /// Takes the link keys from the key file anew: one may have been added, or one's time to sign have come.
    pub fn renew_links(&self, now: Timestamp) -> Result<(), StoreError> {
        let Inner { store, links_seen, .. } = &*self.inner;
        // Before it is read: what comes in between is looked at once more.
        *links_seen.lock().unwrap_or_else(PoisonError::into_inner) = store.key_file_stamp();
        if self.inner.links.replace(store.link_keys(now)?) { Ok(()) } else { Err(StoreError::LinkKeyLost(store.key_file())) }
    }

    /// True when the key file is another one than the link keys were last taken from.
    fn has_other_links(&self) -> bool {
        *self.inner.links_seen.lock().unwrap_or_else(PoisonError::into_inner) != self.inner.store.key_file_stamp()
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

    /// One decision; `None` for an unknown or malformed `reference`.
    pub async fn decision(&self, reference: &str) -> Result<Option<DecisionRow>, StoreError> {
        match DecisionId::parse(reference) {
            Some(id) => self.inner.store.decision(id).await,
            None => Ok(None),
        }
    }

    /// Decisions, newest first, older than `before`.
    pub async fn decisions(&self, before: Option<DecisionId>, limit: u32) -> Result<Vec<DecisionRow>, StoreError> {
        Ok(self.inner.store.search_decisions(&DecisionFilter::default(), before, limit).await?.rows)
    }

    /// Decisions that wait for the ledger; `None` while it takes what comes (M-60).
    pub fn journaled(&self) -> Option<u64> {
        self.inner.store.journaled()
    }

    /// Fails while the store does not answer as decisions need it: where people stand, and what was decided.
    pub async fn ready(&self) -> Result<Ready, StoreError> {
        self.inner.store.standing(LookupKey([0; 32])).await?;
        self.inner.store.decision(DecisionId([0; 16])).await?;
        let active = self.inner.store.active_rules().await?;
        let outdated = active.zip(self.rules).is_some_and(|(active, ours)| active.id != ours.0);
        Ok(if outdated { Ready::OtherRules } else { Ready::Yes })
    }
}
