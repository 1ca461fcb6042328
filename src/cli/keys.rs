//! `consentry keys`: the keys of the installation, and DKIM keys with the DNS records that belong to them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::Config;
use crate::crypto::Keyring;
use crate::sign::{Algorithm, Signer};
use crate::store::Store;

/// How long a new link key waits until it signs, where nothing else is said.
const SPREAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a key and prints its DNS record.
    DkimGenerate {
        /// The signing domain.
        #[arg(long)]
        domain: String,
        /// The selector, e.g. `2026a`.
        #[arg(long)]
        selector: String,
        /// `rsa`, of 2048 bits, which every receiver knows; or `ed25519`, as a second signature beside it.
        #[arg(long, default_value = "rsa", value_parser = algorithm)]
        algorithm: Algorithm,
        /// Where to write the key; must not exist.
        #[arg(long)]
        out: PathBuf,
    },
    /// Which keys the key file has, and which of them are in use. Prints no key.
    List(super::Config),
    /// Adds a key and lets it take over at its time; the ones before stay for what they signed.
    Rotate {
        #[command(subcommand)]
        kind: Kind,
    },
    /// Prints the DNS records of the configured keys.
    Dkim {
        /// The configuration file.
        #[arg(long, default_value = "/etc/consentry/consentry.toml")]
        config: PathBuf,
    },
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Kind {
    /// The key that signs unsubscribe links.
    Token {
        #[command(flatten)]
        config: super::Config,
        /// From when on it signs, as `2026-12-01T00:00:00Z`; without it in an hour, so that every gateway has the file by then.
        #[arg(long)]
        signs_from: Option<jiff::Timestamp>,
    },
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::DkimGenerate { domain, selector, algorithm, out } => {
            let (signer, pem) = Signer::generate(&domain, &selector, algorithm)?;
            write_secret(&out, pem.as_bytes())?;
            print_record(&signer);
        }
        Command::List(place) => {
            let config = Config::load(&place.config)?;
            print!("{}", list(&Store::read_keyring(&config.data_dir)?, jiff::Timestamp::now()));
        }
        Command::Rotate { kind: Kind::Token { config: place, signs_from } } => {
            let config = Config::load(&place.config)?;
            let now = jiff::Timestamp::now();
            let signs_from = signs_from.unwrap_or(now + SPREAD);
            print!("{}", list(&Store::rotate_link_key(&config.data_dir, now, signs_from)?, now));
            println!("Back up {} and give it to every gateway of this ledger before that time.", config.data_dir.join("keys").display());
        }
        Command::Dkim { config } => {
            let signers = super::serve::signers(&Config::load(&config)?)?;
            let now = jiff::Timestamp::now();
            for signer in signers.iter() {
                // a comment of zone files
                println!("; {}", if signer.begins(now) { "may sign now" } else { "signs later: publish it now" });
                print_record(signer);
            }
        }
    }
    Ok(())
}

/// One line for each key.
fn list(keyring: &Keyring, now: jiff::Timestamp) -> String {
    // They have one generation each.
    let mut text: String = ["pepper", "master", "ledger", "secret"].map(|kind| format!("{kind} 1: in use\n")).concat();
    text.push_str("spool 1: in use, derived from ledger 1\n");
    let signing = keyring.link_keys(now)[0].0;
    for key in keyring.link_generations() {
        let made = key.made.map_or_else(|| "with the installation".to_owned(), |made| format!("{made:.0}"));
        let state = match key.signs_from {
            _ if key.number == signing => "signs; links in sent mail need it".to_owned(),
            Some(from) if from > now => format!("signs from {from:.0}"),
            _ => "verifies; links in sent mail need it".to_owned(),
        };
        text.push_str(&format!("token {}: made {made}, {state}\n", key.number));
    }
    text
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    match text {
        "rsa" => Ok(Algorithm::Rsa),
        "ed25519" => Ok(Algorithm::Ed25519),
        _ => Err("write rsa or ed25519".into()),
    }
}

/// Writes a new file that only its owner can read.
fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{}: a key is never overwritten; choose a new path", path.display()))?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(())
}

fn print_record(signer: &Signer) {
    let (name, value) = signer.dns_record();
    // RFC 6376 s.3.6.2.2, RFC 1035 s.3.3: one string of a TXT record has at most 255 octets
    let strings: Vec<String> = value.as_bytes().chunks(255).map(|part| format!("\"{}\"", String::from_utf8_lossy(part))).collect();
    println!("{name}. IN TXT ( {} )", strings.join(" "));
}
