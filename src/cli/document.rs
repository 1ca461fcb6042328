//! `consentry document`: the record of processing, the measures, and what is stored where and how long, from the configuration that
//! runs (GDPR Art. 30, Art. 32).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::compose::Document;
use crate::config::{Config, TlsMode};
use crate::consent::{Language, OptIn};
use crate::mail::StreamMode;
use crate::office::TotpPolicy;
use crate::residency::{Basis, PlaceKind};
use crate::retention;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `processing` (Art. 30), `measures` (Art. 32), or `storage`: what is where, and how long.
    #[arg(value_parser = kind)]
    kind: Document,
    /// `de` or `en`.
    #[arg(long, default_value = "de", value_parser = language)]
    language: Language,
    #[command(flatten)]
    config: super::Config,
}

fn kind(text: &str) -> Result<Document, String> {
    Document::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| "must be processing, measures or storage".to_owned())
}

fn language(text: &str) -> Result<Language, String> {
    Language::parse(text).filter(|language| [Language::DE, Language::EN].contains(language)).ok_or_else(|| "must be de or en".to_owned())
}

/// Prints it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config.config)?;
    println!("{}", arguments.kind.render(arguments.language, &values(&config, Timestamp::now()))?);
    Ok(())
}

/// All that the documents speak of.
fn values(config: &Config, now: Timestamp) -> Value {
    let residency = config.residency();
    let place = |place: &crate::residency::Place| {
        json!({
            "what": place.what.as_str(),
            "host": place.host,
            "country": place.country.as_str(),
            "site": place.site,
            "holder": residency.processor(place).map(|processor| processor.name.as_str()),
            // what is allowed without one is no transfer
            "basis": place.basis.unwrap_or(Basis::Eu),
            "decision": place.decision,
            "assessment": place.assessment,
        })
    };
    let places = residency.places();
    let processor = |processor: &crate::residency::Processor| {
        json!({
            "name": processor.name,
            "contact": processor.contact,
            "purpose": processor.purpose,
            "contract": processor.contract,
            "controlled_from": processor.controlled_from.as_str(),
            "certificates": processor.certificates,
        })
    };
    let listener = |listener: &crate::config::ListenerEntry| {
        let tls = match config.tls_mode(listener) {
            TlsMode::Off => "off",
            TlsMode::StartTls => "starttls",
            TlsMode::Implicit => "implicit",
        };
        let networks: Vec<String> = listener.networks.iter().map(ToString::to_string).collect();
        json!({ "address": listener.address.to_string(), "tls": tls, "networks": networks })
    };
    let evidence = config.policy().evidence();
    let dkim: std::collections::BTreeSet<&str> = config.dkim.iter().map(|entry| entry.domain.as_str()).collect();
    let networks: Vec<String> = config.admin.networks.iter().map(ToString::to_string).collect();
    json!({
        "made": now.strftime("%Y-%m-%d").to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "rules": config.rules().id().to_string(),
        "controllers": config.controllers.iter().map(|own| controller(config, own)).collect::<Vec<_>>(),
        "places": places.iter().map(place).collect::<Vec<_>>(),
        "backups": places.iter().filter(|place| place.what == PlaceKind::Backup).map(place).collect::<Vec<_>>(),
        "key_backups": places.iter().filter(|place| place.what == PlaceKind::KeyBackup).map(place).collect::<Vec<_>>(),
        "processors": residency.processors().iter().map(processor).collect::<Vec<_>>(),
        "listeners": config.listeners().iter().map(listener).collect::<Vec<_>>(),
        "hops": config.outbound.hops().iter().map(|hop| json!({ "host": hop.host, "port": hop.port(), "tls": hop.tls().as_str() })).collect::<Vec<_>>(),
        "public_url": config.public_url,
        "https": config.public_url.starts_with("https://"),
        "admin": json!({ "enabled": config.admin.enabled, "totp": config.admin.totp == TotpPolicy::Required, "networks": networks }),
        "dkim": dkim,
        "database": config.database.as_ref().map(|database| database.hosts()),
        "spool_mib": config.spool.max_octets >> 20,
        "give_up_hours": config.spool.give_up_after.as_secs() / 3_600,
        "hold_hours": config.spool.hold_for.as_secs() / 3_600,
        "unconfirmed_days": OptIn::KEPT.as_hours() / 24,
        "access_hours": retention::ACCESS_LINKS.as_hours(),
        "request_years": retention::REQUEST_YEARS,
        "evidence": json!({ "email": evidence.email, "phone": evidence.phone, "post": evidence.post, "tracking": evidence.tracking }),
    })
}

fn controller(config: &Config, own: &crate::consent::Controller) -> Value {
    let topics = config.topics.iter().filter(|topic| topic.controller == own.key);
    let streams = config.streams.iter().filter(|stream| stream.controller == own.key).map(|stream| {
        json!({ "name": stream.name, "class": stream.class, "shadow": stream.mode == StreamMode::Shadow, "from": stream.from_domains })
    });
    let imprint = own.imprint.trim().lines().collect::<Vec<_>>().join(", ");
    let policy = config.policy();
    let customers = policy.applicable(&own.key, own.country).into_iter().any(|name| !policy.profile(name).customer.triggers.is_empty());
    json!({
        "name": own.name,
        "identity": if imprint.contains(&own.name) { imprint } else { format!("{}, {imprint}", own.name) },
        "country": own.country.map(|country| country.as_str().to_owned()),
        "privacy_url": own.privacy_url,
        "customers": customers,
        "topics": topics.map(|topic| json!({ "name": topic.name.as_str(), "title": topic.title })).collect::<Vec<_>>(),
        "streams": streams.collect::<Vec<_>>(),
    })
}
