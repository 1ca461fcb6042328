//! `consentry check`: reads the configuration, says what is wrong with it, or what it means. What it finds on the way out is `canary`'s
//! business.

use std::collections::BTreeSet;

use crate::compose::{Composer, Footers, Forms, PublicUrl};
use crate::config::{Config, TlsMode};
use crate::consent::Language;
use crate::http::Pages;
use crate::mail::{Address, StreamClass};
use crate::office::TotpPolicy;
use crate::relay::RelaySettings;
use crate::sign::Signers;
use crate::smtp::Protocol;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::Config,
    #[command(flatten)]
    canary: super::canary::Arguments,
}

/// Prints the effective values without secrets; fails with all faults found.
pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let path = &arguments.config.config;
    let config = Config::load(path)?;
    // What `serve` would stumble over, too: files and what only their room can judge.
    let signers = super::serve::signers(&config)?;
    super::serve::acceptor(&config)?;
    super::serve::relay(&config)?;
    PublicUrl::parse(&config.public_url)?;
    let catalogue = config.catalogue();
    let words = super::serve::words(&config, &catalogue)?;
    Composer::new(&catalogue, &words)?;
    Forms::new(&catalogue, &words)?;
    Footers::new(&catalogue, &words)?;
    Pages::new("", &catalogue, &words)?;
    println!("{}: good", path.display());
    println!("data        {}", config.data_dir.display());
    println!("links       {}", config.public_url);
    for listener in config.listeners() {
        let tls = match config.tls_mode(&listener) {
            TlsMode::Off => "no TLS",
            TlsMode::StartTls => "STARTTLS",
            TlsMode::Implicit => "TLS",
        };
        let protocol = if listener.protocol == Protocol::Lmtp { "lmtp" } else { "smtp" };
        let networks: Vec<String> = listener.networks.iter().map(ToString::to_string).collect();
        let networks = if networks.is_empty() { String::new() } else { format!(" for {}", networks.join(" ")) };
        let stream = listener.stream.as_ref().map(|stream| format!(", stream {stream}{networks}")).unwrap_or_default();
        let stream = if listener.inbound.is_some() { format!(", inbound{networks}") } else { stream };
        let proxies: Vec<String> = listener.proxy_from.iter().map(ToString::to_string).collect();
        let proxies = if proxies.is_empty() { String::new() } else { format!(", clients announced by {}", proxies.join(" ")) };
        let mode = listener.mode.map(|mode| format!(", mode {mode:03o}")).unwrap_or_default();
        println!("{protocol}        {}, {tls}{stream}{proxies}{mode}", listener.address);
    }
    let proxies: Vec<String> = config.http.trusted_proxies.iter().map(ToString::to_string).collect();
    match &proxies[..] {
        [] => println!("http        {}, no proxy trusted: whoever connects is the visitor", config.http.listen),
        proxies => println!("http        {}, visitors by {} of {}", config.http.listen, config.http.forwarded_header, proxies.join(" ")),
    }
    let admin = &config.admin;
    let second_factor = if admin.totp == TotpPolicy::Required { "required" } else { "optional" };
    match (admin.enabled, admin.networks.is_empty()) {
        (false, _) => println!("admin       off"),
        (true, true) => println!("admin       {}/admin, second factor {second_factor}", config.public_url),
        (true, false) => println!(
            "admin       {}/admin, second factor {second_factor}, from {}",
            config.public_url,
            admin.networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        ),
    }
    outbound(&config.outbound);
    places(&config);
    println!(
        "spool       up to {} octets, given up after {:#}",
        config.spool.max_octets,
        jiff::SignedDuration::try_from(config.spool.give_up_after)?
    );
    for controller in &config.controllers {
        let languages: Vec<&str> = words.languages(Some(&controller.key)).iter().map(Language::as_str).collect();
        println!("controller  {} ({}), speaks {}", controller.key, controller.name, languages.join(" "));
    }
    for topic in &config.topics {
        println!("topic       {} of {}: {} <{}>", topic.name, topic.controller, topic.title, topic.list_id);
    }
    for stream in &config.streams {
        let login = stream.username.as_deref().map_or_else(String::new, |user| format!(", login {user}"));
        let networks: Vec<String> = stream.networks.iter().map(ToString::to_string).collect();
        let networks = if networks.is_empty() { String::new() } else { format!(", networks {}", networks.join(" ")) };
        println!(
            "stream      {} of {}: {:?}, blocks: {:?}, disputed: {:?}{login}{networks}, From {}",
            stream.name,
            stream.controller,
            stream.class,
            stream.answer,
            stream.disputed,
            stream.from_domains.join(" ")
        );
    }
    super::rules::tell_state(&config).await;
    for warning in super::rules::past_review(&config.policy(), jiff::Timestamp::now()) {
        println!("warning     {warning}");
    }
    for signer in signers.iter() {
        let (name, _) = signer.dns_record();
        println!("dkim        {name}");
    }
    for domain in unsigned(&config, &signers) {
        println!("warning     no [[dkim]] key signs mail of {domain}: the outbound MTA must; --canary proves that it does");
    }
    arguments.canary.run(&config).await
}

/// From domains of marketing that nobody signs here (U-05).
fn unsigned<'c>(config: &'c Config, signers: &Signers) -> BTreeSet<&'c str> {
    let streams = config.streams.iter().filter(|stream| stream.class != StreamClass::Transactional);
    let domains = streams.flat_map(|stream| &stream.from_domains).map(String::as_str);
    let is_signed = |domain: &&str| {
        let address = Address::parse(&format!("dkim@{}", domain.trim_start_matches("*.")));
        address.is_ok_and(|address| signers.iter().any(|signer| signer.aligned_with(&address)))
    };
    domains.filter(|domain| !is_signed(domain)).collect()
}

/// One line for each outbound MTA.
fn outbound(settings: &RelaySettings) {
    let hops = settings.hops();
    for hop in &hops {
        let priority = if hops.len() > 1 { format!(", priority {}", hop.priority) } else { String::new() };
        let login = hop.username.as_deref().map_or_else(String::new, |user| format!(", login {user}"));
        println!("outbound    {}:{}{priority}, TLS {}{login}", hop.host, hop.port(), hop.tls().as_str());
    }
}

/// One line for each place where data is.
fn places(config: &Config) {
    let residency = config.residency();
    for place in residency.places() {
        let host = place.host.as_deref().map(|host| format!(" {host}")).unwrap_or_default();
        let holder = residency.processor(&place).map_or("the controller itself", |processor| processor.name.as_str());
        println!("place       {}{host} in {}, held by {holder}", place.what.as_str(), place.country.as_str());
    }
    for gap in residency.gaps() {
        println!("warning     {gap}");
    }
}
