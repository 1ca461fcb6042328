//! `consentry keys`: makes DKIM keys and prints the DNS records that belong to them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::Config;
use crate::sign::{Algorithm, Signer};

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
    /// Prints the DNS records of the configured keys.
    Dkim {
        /// The configuration file.
        #[arg(long, default_value = "/etc/consentry/consentry.toml")]
        config: PathBuf,
    },
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::DkimGenerate { domain, selector, algorithm, out } => {
            let (signer, pem) = Signer::generate(&domain, &selector, algorithm)?;
            write_secret(&out, pem.as_bytes())?;
            print_record(&signer);
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
