//! The key file: made once, readable by its owner only, never replaced. What is in it is `crypto`'s business.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::StoreError;
use crate::crypto::Keyring;
use crate::entropy::random;

/// Reads `path`, or makes it where there is no ledger yet.
pub(super) fn load_or_make(path: &Path, has_ledger: bool) -> Result<Keyring, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source: Arc::new(source) };
    match fs::metadata(path) {
        Ok(metadata) => {
            let mode = metadata.mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(StoreError::KeyFileOpen { path: path.to_owned(), mode });
            }
            let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
            Keyring::parse(&text).map_err(|source| StoreError::KeyFile { path: path.to_owned(), source })
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        // New keys for an old ledger would make every address in it unknown, withdrawals included.
        Err(_) if has_ledger => Err(StoreError::KeyFileLost(path.to_owned())),
        Err(_) => make(path).map_err(failed),
    }
}

/// Durable before it is used: what is sealed under a key that a crash takes back is lost.
fn make(path: &Path) -> std::io::Result<Keyring> {
    let entropy = Zeroizing::new(random::<{ Keyring::ENTROPY }>());
    let keyring = Keyring::generate(&entropy);
    // Under another name first, so that a crash leaves no half key file behind.
    let draft = path.with_extension("new");
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(keyring.to_text().as_bytes())?;
    file.sync_all()?;
    // Replaces nothing: the directory is locked, and there was no such file.
    fs::rename(&draft, path)?;
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(keyring)
}
