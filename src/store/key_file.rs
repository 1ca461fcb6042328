//! The key file: made once, readable by its owner only; a rotation adds a key and takes none away. What is in it is
//! `crypto`'s business.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::StoreError;
use crate::crypto::Keyring;
use crate::entropy::random;

/// Reads `path`, or makes it where there is no ledger yet.
pub(super) fn load_or_make(path: &Path, has_ledger: bool) -> Result<Keyring, StoreError> {
    match load(path) {
        // New keys for an old ledger would make every address in it unknown, withdrawals included.
        Err(StoreError::KeyFileLost(_)) if !has_ledger => make(path).map_err(failed(path)),
        loaded => loaded,
    }
}

/// Reads `path`.
pub(super) fn load(path: &Path) -> Result<Keyring, StoreError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StoreError::KeyFileLost(path.to_owned())),
        metadata => metadata.map_err(failed(path))?,
    };
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyFileOpen { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed(path))?);
    Keyring::parse(&text).map_err(|source| StoreError::KeyFile { path: path.to_owned(), source })
}

/// Adds a link key to the file at `path`, beside whoever reads it: they see the one before or the whole new one.
pub(super) fn add_link(path: &Path, made: Timestamp, signs_from: Timestamp) -> Result<Keyring, StoreError> {
    // The file itself, not a link to it, is what is replaced.
    let path = &match fs::canonicalize(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StoreError::KeyFileLost(path.to_owned())),
        found => found.map_err(failed(path))?,
    };
    // Two rotations at once would each write a file without the other's key. A lock of the directory: the file is replaced,
    // and a lock file of its own would belong to whoever came first.
    let guard = path.parent().map(File::open).transpose().map_err(failed(path))?;
    guard.iter().try_for_each(File::lock).map_err(failed(path))?;
    let keyring = load(path)?.with_link(random(), made, signs_from).ok_or(StoreError::LinkKeysFull)?;
    // Who runs the rotation may be root; the gateway must be able to read the file all the same.
    let owner = fs::metadata(path).map_err(failed(path))?;
    write(path, &keyring, Some((owner.uid(), owner.gid()))).map_err(failed(path))?;
    Ok(keyring)
}

/// Tells one key file from the next: a rotation replaces the file and makes it longer. Inode and time alone come again when
/// rotations follow each other at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFileStamp {
    octets: u64,
    inode: u64,
    modified: SystemTime,
}

/// What the file at `path` is known by; `None` where there is none.
pub(super) fn stamp(path: &Path) -> Option<KeyFileStamp> {
    let file = fs::metadata(path).ok()?;
    Some(KeyFileStamp { octets: file.len(), inode: file.ino(), modified: file.modified().ok()? })
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::File { path: path.to_owned(), source: Arc::new(source) }
}

fn make(path: &Path) -> std::io::Result<Keyring> {
    let entropy = Zeroizing::new(random::<{ Keyring::ENTROPY }>());
    let keyring = Keyring::generate(&entropy);
    // Replaces nothing: the directory is locked, and there was no such file.
    write(path, &keyring, None)?;
    Ok(keyring)
}

/// Durable before it is used: what is sealed or signed under a key that a crash takes back is lost.
fn write(path: &Path, keyring: &Keyring, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    // Under another name first, so that a crash leaves no half key file behind.
    let draft = path.with_extension("new");
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(keyring.to_text().as_bytes())?;
    if let Some((user, group)) = owner {
        fchown(&file, Some(user), Some(group))?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)?;
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn rotations_at_once_each_add_their_key_and_a_crashed_one_is_no_obstacle() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys");
        load_or_make(&path, false).expect("made");
        fs::write(path.with_extension("new"), "consentry-keys 2\npepp").expect("left behind by a crash");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| add_link(&path, NOW, NOW).expect("added"));
            }
        });
        assert_eq!(load(&path).expect("whole").link_generations().len(), 9);
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert!(!path.with_extension("new").exists());
    }

    #[test]
    fn a_file_that_is_missing_or_open_or_damaged_is_not_rotated() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys");
        assert!(matches!(add_link(&path, NOW, NOW), Err(StoreError::KeyFileLost(_))));
        assert!(!path.exists());
        let text = load_or_make(&path, false).expect("made").to_text();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        assert!(matches!(add_link(&path, NOW, NOW), Err(StoreError::KeyFileOpen { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
        fs::write(&path, &text[..100]).expect("written");
        assert!(matches!(add_link(&path, NOW, NOW), Err(StoreError::KeyFile { .. })));
        assert_eq!(fs::read_to_string(&path).expect("there"), text[..100]);
    }
}
