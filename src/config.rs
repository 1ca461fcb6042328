//! The configuration: one TOML file, composed of the rooms' own settings. Unknown keys are refused
//! with their line; what the file says is checked as a whole, and all faults are told at once.
//! Only `main` and `cli` import this.

mod check;
mod listen;
mod templates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

pub use listen::{InboundEntry, Listen, ListenAddress, ListenerEntry, TlsFiles, TlsMode};

use crate::classify::{Rule, content};
use crate::consent::{Catalogue, Controller, Form, ProfileName, Topic, TopicEntry};
use crate::credentials::Binding;
use crate::http::HttpSettings;
use crate::mail::{AnswerProfile, Bulk, Dispute, DomainPattern, Stream, StreamClass, StreamMode};
use crate::office::OfficeSettings;
use crate::policy::{ClassRule, ClassRules, Policy, PolicySettings, ProfileChange, Rules, SimilarTopics, StreamRules, Window};
use crate::relay::{RelaySettings, duration};
use crate::residency::{PlaceKind, Residency, ResidencySettings};
use crate::rewrite::RewriteSettings;
use crate::smtp::{SmtpSettings, StreamRates};
use crate::spooler::SpoolSettings;
use crate::store::DatabaseSettings;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the ledger and its keys are; created with mode 0700.
    pub data_dir: PathBuf,
    /// A PostgreSQL server that has the ledger, the spool and the subjects' keys; files in `data_dir` where it is not given. The
    /// key file stays there: every gateway has the same.
    #[serde(default)]
    pub database: Option<DatabaseSettings>,
    /// Base of all links in mails, https, without a path, e.g. `https://consent.example.com`.
    pub public_url: String,
    /// The operator's own texts and templates (`templates/README.md`); the built-in ones where it is not given.
    #[serde(default)]
    pub templates_dir: Option<PathBuf>,
    /// Where mail comes in.
    #[serde(default)]
    pub listen: Listen,
    /// The same with more to say.
    #[serde(default, rename = "listener")]
    pub listeners: Vec<ListenerEntry>,
    /// The SMTP server.
    pub smtp: SmtpSettings,
    /// Pages and API.
    #[serde(default)]
    pub http: HttpSettings,
    /// The admin pages.
    #[serde(default)]
    pub admin: OfficeSettings,
    /// The way out.
    pub outbound: RelaySettings,
    /// Mail that waits.
    #[serde(default)]
    pub spool: SpoolSettings,
    /// The legal entities.
    #[serde(default, rename = "controller")]
    pub controllers: Vec<Controller>,
    /// What mails and consents are about.
    #[serde(default, rename = "topic")]
    pub topics: Vec<TopicEntry>,
    /// Hosted sign-up forms.
    #[serde(default, rename = "form")]
    pub forms: Vec<Form>,
    /// The sources of mail.
    #[serde(default, rename = "stream")]
    pub streams: Vec<StreamEntry>,
    /// Which rules apply by default, and the Austrian list.
    #[serde(default)]
    pub policy: PolicySettings,
    /// What is said differently of the built-in policy profiles.
    #[serde(default, rename = "profile")]
    pub profiles: BTreeMap<ProfileName, ProfileChange>,
    /// Which topics serve the same need (UWG §7(3) no. 2).
    #[serde(default, rename = "similar")]
    pub similar: Vec<SimilarTopics>,
    /// The operator's own rules of what is marketing.
    #[serde(default, rename = "rule")]
    pub class_rules: Vec<Rule>,
    /// Where data is, and who holds it there.
    #[serde(default)]
    pub residency: ResidencySettings,
    /// What is done to mails besides unsubscribe link and signature.
    #[serde(default)]
    pub rewrite: RewriteSettings,
    /// DKIM keys; none when the outbound MTA signs.
    #[serde(default, rename = "dkim")]
    pub dkim: Vec<DkimEntry>,
}

/// One source of mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEntry {
    /// Unique name.
    pub name: String,
    /// Key of its controller.
    pub controller: String,
    /// What its credential says of the class.
    pub class: StreamClass,
    /// Topic of marketing that names none.
    #[serde(default)]
    pub topic: Option<Topic>,
    /// Domains it may use in From, Sender and MAIL FROM: `example.com`, `*.example.com`.
    pub from_domains: Vec<String>,
    /// How its client learns that a mail is blocked.
    #[serde(default)]
    pub answer: AnswerProfile,
    /// Whether its mail is held to the decision.
    #[serde(default)]
    pub mode: StreamMode,
    /// What follows when the content alone speaks against its claim.
    #[serde(default)]
    pub disputed: Dispute,
    /// When the same text to many people speaks against its claim.
    #[serde(default)]
    pub bulk: BulkEntry,
    /// SMTP user name.
    #[serde(default)]
    pub username: Option<String>,
    /// Argon2 hash of the password, made by `consentry user hash-password`.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Networks that need no login, e.g. `10.1.0.0/16`.
    #[serde(default)]
    pub networks: Vec<IpNet>,
    /// Transactions it may begin in a minute; more get 451.
    #[serde(default)]
    pub messages_per_minute: Option<u32>,
    /// Recipients it may name in a minute; more get 451.
    #[serde(default)]
    pub recipients_per_minute: Option<u32>,
}

/// When the same text to many people is a sign of advertising.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BulkEntry {
    /// To so many; 0 counts nothing.
    pub recipients: u32,
    /// Within that time.
    #[serde(deserialize_with = "duration")]
    pub within: Duration,
}

impl Default for BulkEntry {
    fn default() -> Self {
        let Bulk { recipients, seconds } = Bulk::default();
        Self { recipients, within: Duration::from_secs(seconds.into()) }
    }
}

impl BulkEntry {
    fn bulk(self) -> Bulk {
        Bulk { recipients: self.recipients, seconds: u32::try_from(self.within.as_secs()).unwrap_or(u32::MAX) }
    }
}

/// One DKIM key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimEntry {
    /// The signing domain, `d=`.
    pub domain: String,
    /// The selector, `s=`.
    pub selector: String,
    /// The key, RSA or Ed25519, PEM; made by `consentry keys dkim-generate`.
    pub key_file: PathBuf,
    /// When it begins to sign, in place of the one before it; at once where nothing is said.
    #[serde(default)]
    pub sign_from: Option<jiff::Timestamp>,
}

/// Why the file cannot be used. Each fault names its place and the mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// Not TOML, an unknown key or a value of the wrong type; the text shows line and column.
    #[error("{0}: {1}")]
    Syntax(PathBuf, Box<toml::de::Error>),
    /// It reads, but does not hold together.
    #[error("{0}: {faults}", faults = .1.join("\n  "))]
    Faults(PathBuf, Vec<String>),
}

impl Config {
    /// Reads and checks the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.into(), error))?;
        let config = Self::parse(&text).map_err(|error| ConfigError::Syntax(path.into(), Box::new(error)))?;
        match config.faults() {
            faults if faults.is_empty() => Ok(config),
            faults => Err(ConfigError::Faults(path.into(), faults)),
        }
    }

    /// Reads the text without checking that it holds together.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The controllers and topics.
    pub fn catalogue(&self) -> Catalogue {
        Catalogue { controllers: self.controllers.clone(), topics: self.topics.clone(), forms: self.forms.clone() }
    }

    /// The rules that decisions follow.
    pub fn policy(&self) -> Policy {
        let seats = self.controllers.iter().map(|controller| (controller.key.clone(), controller.country)).collect();
        Policy::new(&self.policy, self.profiles.clone(), self.similar.clone(), seats)
    }

    /// All that a decision depends on: what is simulated, approved and activated.
    pub fn rules(&self) -> Rules {
        let topics = self.topics.iter().map(|entry| (entry.name.clone(), entry.controller.clone()));
        let streams = self.streams.iter().map(|entry| (entry.name.clone(), entry.rules(&self.listeners)));
        let written = self.class_rules.iter().map(class_rule).collect();
        let classes = ClassRules { model: content::model_version(), rules: written };
        Rules::new(self.policy(), Window::of_ecg_list(self.policy.ecg_max_age), topics, streams, classes)
    }

    /// Where data is, under the law of the controllers' seats.
    pub fn residency(&self) -> Residency {
        let seats: Vec<_> = self.controllers.iter().map(|controller| controller.country).collect();
        let databases = self.database.iter().flat_map(DatabaseSettings::hosts).map(|host| (PlaceKind::Database, host));
        let hosts = self.outbound.hops().into_iter().map(|hop| (PlaceKind::Outbound, hop.host)).chain(databases).collect();
        Residency::new(&self.residency, &seats, self.policy.default.unwrap_or(ProfileName::De), hosts)
    }

    /// The streams and how they are recognised. Patterns that are none were refused by the check.
    pub fn bindings(&self) -> Vec<Binding> {
        self.streams.iter().map(StreamEntry::binding).collect()
    }
}

impl Config {
    /// How fast each stream may send.
    pub fn rates(&self) -> Vec<(String, StreamRates)> {
        let rates = |stream: &StreamEntry| StreamRates {
            messages_per_minute: stream.messages_per_minute,
            recipients_per_minute: stream.recipients_per_minute,
        };
        self.streams.iter().map(|stream| (stream.name.clone(), rates(stream))).collect()
    }
}

fn class_rule(rule: &Rule) -> ClassRule {
    ClassRule { name: rule.name.clone(), when: rule.when.text().to_owned(), raises: rule.class.is_some(), topic: rule.topic.clone() }
}

impl StreamEntry {
    fn rules(&self, listeners: &[ListenerEntry]) -> StreamRules {
        let listeners = listeners.iter().filter(|listener| listener.stream.as_ref() == Some(&self.name)).flat_map(|listener| {
            let own = format!("listener {}", listener.address);
            let from = listener.networks.iter().map(|network| format!("listener {} from {}", listener.address, network.trunc()));
            std::iter::once(own).chain(from).collect::<Vec<_>>()
        });
        let networks = self.networks.iter().map(|network| format!("network {}", network.trunc()));
        let logins = self.username.iter().map(|name| format!("login {name}"));
        StreamRules {
            controller: self.controller.clone(),
            class: self.class,
            topic: self.topic.clone(),
            mode: self.mode,
            disputed: self.disputed,
            bulk: self.bulk.bulk(),
            from_domains: self.from_domains.iter().filter_map(|text| DomainPattern::parse(text)).map(|domain| domain.canonical()).collect(),
            sources: logins.chain(networks).chain(listeners).collect(),
        }
    }

    /// The stream, and how it is recognised.
    pub fn binding(&self) -> Binding {
        Binding {
            stream: std::sync::Arc::new(Stream {
                name: self.name.clone(),
                controller: self.controller.clone(),
                class: self.class,
                topic: self.topic.as_ref().map(|topic| topic.as_str().to_owned()),
                from_domains: self.from_domains.iter().filter_map(|text| DomainPattern::parse(text)).collect(),
                answer: self.answer,
                mode: self.mode,
                disputed: self.disputed,
                bulk: self.bulk.bulk(),
            }),
            login: self.username.clone().zip(self.password_hash.clone()),
            networks: self.networks.clone(),
        }
    }
}
