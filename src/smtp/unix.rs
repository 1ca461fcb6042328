//! A listening unix socket: its file, with its mode, from bind to drop. A file that a dead process left is replaced;
//! one that somebody listens on, or that is no socket, is not.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A listener and its file, which is removed on drop.
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Of the file: another one that has taken its place is not ours to remove.
    inode: u64,
}

/// Why there is no socket; each text names the mend.
#[derive(Debug, thiserror::Error)]
pub enum UnixSocketError {
    /// Another process answers there.
    #[error("{path}: another process listens there; stop it, or choose another path", path = .0.display())]
    Busy(PathBuf),
    /// Something else has that name.
    #[error("{path}: there is a file that is no socket; move it away, or choose another path", path = .0.display())]
    NoSocket(PathBuf),
    /// The system says no.
    #[error("{path}: {source}; its directory must exist and the service's user may write there", path = .0.display(), source = .1)]
    System(PathBuf, io::Error),
}

impl UnixSocket {
    /// Listens at `path`. The file gets its name only when it has its mode: nobody connects before.
    pub fn bind(path: &Path, mode: u32) -> Result<Self, UnixSocketError> {
        let system = |error| UnixSocketError::System(path.to_owned(), error);
        match std::fs::symlink_metadata(path) {
            Ok(file) if !file.file_type().is_socket() => return Err(UnixSocketError::NoSocket(path.to_owned())),
            // Only a dead socket refuses connections.
            Ok(_) if !is_dead(path) => return Err(UnixSocketError::Busy(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(system(error)),
        }
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        match std::fs::symlink_metadata(&fresh) {
            Ok(file) if file.file_type().is_socket() && is_dead(&fresh) => std::fs::remove_file(&fresh).map_err(system)?,
            Ok(_) => return Err(UnixSocketError::Busy(fresh)),
            Err(_) => {} // binding tells
        }
        let listener = UnixListener::bind(&fresh).map_err(system)?;
        let named = std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(mode))
            .and_then(|()| std::fs::symlink_metadata(&fresh))
            .and_then(|file| std::fs::rename(&fresh, path).map(|()| file.ino()));
        match named {
            Ok(inode) => Ok(Self { listener, path: path.to_owned(), inode }),
            Err(error) => {
                let _ = std::fs::remove_file(&fresh); // the first error is the one to tell
                Err(system(error))
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

fn is_dead(path: &Path) -> bool {
    let refused = std::os::unix::net::UnixStream::connect(path).err();
    refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path); // else the next start replaces it
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("lmtp");
        let first = UnixSocket::bind(&path, 0o600).expect("bound");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert!(matches!(UnixSocket::bind(&path, 0o600), Err(UnixSocketError::Busy(_))), "somebody listens");
        // what a killed process leaves
        drop(std::os::unix::net::UnixListener::bind(dir.path().join("dead")).expect("bound"));
        let second = UnixSocket::bind(&dir.path().join("dead"), 0o666).expect("the dead one is replaced");
        assert_eq!(std::fs::metadata(second.path()).expect("there").permissions().mode() & 0o777, 0o666);
        drop(second);
        assert!(!dir.path().join("dead").exists());
        // another one in its place stays
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "mine").expect("written");
        drop(first);
        assert!(path.exists());
        assert!(matches!(UnixSocket::bind(&path, 0o600), Err(UnixSocketError::NoSocket(_))));
        assert!(matches!(UnixSocket::bind(&dir.path().join("no/where"), 0o600), Err(UnixSocketError::System(..))));
    }
}
