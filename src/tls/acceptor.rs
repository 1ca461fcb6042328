//! The server's side of TLS: certificate and key from PEM files, TLS 1.2 or later, read again when told. Does not decide
//! when TLS begins, nor when to read again; that is the listener's and `cli`'s business.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Turns accepted TCP connections into TLS ones. Clones share certificate and session cache.
#[derive(Clone)]
pub struct Acceptor(Arc<Shared>);

struct Shared {
    certificate: PathBuf,
    key: PathBuf,
    /// For the next handshake; connections keep what they have begun with. Nothing is awaited under the lock.
    current: RwLock<TlsAcceptor>,
    /// When the files had last changed when they were last read.
    seen: Mutex<Times>,
}

type Times = [Option<SystemTime>; 2];

/// Why there is no [`Acceptor`]; each text names the file and the mend.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; check the path, and that the service's user may read it", path = .path.display())]
    Read {
        /// As configured.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no certificate chain.
    #[error("{path} holds no certificate: it needs the PEM chain, the server's certificate first", path = .path.display())]
    Certificate {
        /// As configured.
        path: PathBuf,
    },
    /// The file holds no usable private key.
    #[error("{path} holds no private key: it needs one unencrypted PEM key (PKCS#8, PKCS#1 or SEC1)", path = .path.display())]
    Key {
        /// As configured.
        path: PathBuf,
    },
    /// Certificate and key do not go together, or rustls does not take them.
    #[error("{certificate} and {key} cannot be used together: {source}; give the key that the first certificate was issued for",
        certificate = .certificate.display(), key = .key.display())]
    Pair {
        /// As configured.
        certificate: PathBuf,
        /// As configured.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
}

impl Acceptor {
    /// Reads a PEM certificate chain (server's certificate first) and its unencrypted PEM key.
    /// Blocks on the file system: call it at start.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let seen = Mutex::new(times(certificate, key));
        let current = RwLock::new(load(certificate, key)?);
        Ok(Self(Arc::new(Shared { certificate: certificate.to_owned(), key: key.to_owned(), current, seen })))
    }

    /// Reads the files again, for all clones. When they are not usable, what was there before stays. Blocks on the file system.
    pub fn reload(&self) -> Result<(), TlsError> {
        let Shared { certificate, key, current, seen } = &*self.0;
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = times(certificate, key);
        let fresh = load(certificate, key)?;
        *current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// True when a file has another time than when it was last read. Blocks on the file system.
    pub fn is_stale(&self) -> bool {
        let Shared { certificate, key, seen, .. } = &*self.0;
        *seen.lock().unwrap_or_else(PoisonError::into_inner) != times(certificate, key)
    }

    /// Shakes hands. Sets no deadline: the caller does.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        current.accept(socket).await
    }
}

fn times(certificate: &Path, key: &Path) -> Times {
    [certificate, key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}

fn load(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Certificate { path: certificate.to_owned() })?;
    if chain.is_empty() {
        return Err(TlsError::Certificate { path: certificate.to_owned() });
    }
    let secret = PrivateKeyDer::from_pem_slice(&zeroize::Zeroizing::new(read(key)?)).map_err(|_| TlsError::Key { path: key.to_owned() })?;
    let pair = |source| TlsError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12]) // RFC 8997: nothing older
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(pair)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_useless_file_is_named_with_the_mend() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (gone, empty) = (dir.path().join("gone.pem"), dir.path().join("empty.pem"));
        std::fs::write(&empty, "no pem\n").expect("written");
        for (certificate, key, start, mend) in
            [(&gone, &gone, "cannot read", "check the path"), (&empty, &gone, "", "holds no certificate: it needs the PEM chain")]
        {
            let text = Acceptor::from_pem_files(certificate, key).err().expect("refused").to_string();
            assert!(text.starts_with(start) && text.contains(mend) && text.contains(&*certificate.to_string_lossy()), "{text}");
        }
    }
}
