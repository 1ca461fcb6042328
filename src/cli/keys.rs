//! `consentry keys`: makes DKIM keys and prints the DNS records that belong to them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::Config;
use crate::sign::Signer;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes an RSA-2048 key and prints its DNS record.
    DkimGenerate {
        /// The signing domain.
        #[arg(long)]
        domain: String,
        /// The selector, e.g. `2026a`.
        #[arg(long)]
        selector: String,
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
        Command::DkimGenerate { domain, selector, out } => {
            let (signer, pem) = Signer::generate(&domain, &selector)?;
            write_secret(&out, pem.as_bytes())?;
            print_record(&signer);
        }
        Command::Dkim { config } => super::serve::signers(&Config::load(&config)?)?.iter().for_each(print_record),
    }
    Ok(())
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
