//! The client side of TLS: proves that the outbound MTA is the host of the configuration. Whether
//! TLS is wanted is not decided here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes TLS connections to servers whose certificate a known authority signed.
#[derive(Clone)]
pub struct Connector(TlsConnector);

/// Why no [`Connector`] could be made. The texts name the mend.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The file of further authorities cannot be read, or is no PEM.
    #[error("ca_file {path}: {source}; give a file of PEM certificates")]
    CaFile {
        /// The file of the configuration.
        path: PathBuf,
        /// What went wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate in the file of further authorities cannot be used.
    #[error("ca_file {path} has no certificate that can be used; give the one of the authority that signed the outbound MTA's")]
    NoCertificate {
        /// The file of the configuration.
        path: PathBuf,
    },
    /// Neither the system nor the configuration knows an authority.
    #[error("no certificate authority is known; install the system's ca-certificates or set ca_file")]
    NoAuthority,
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Connector {
    /// Trusts the system's authorities and those in `ca_file` (PEM).
    pub fn new(ca_file: Option<&Path>) -> Result<Self, ConnectorError> {
        let mut roots = RootCertStore::empty();
        // What cannot be read there is missing here; an empty result is told below.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            let error = |source| ConnectorError::CaFile { path: path.to_owned(), source };
            let certificates: Vec<_> = CertificateDer::pem_file_iter(path).map_err(error)?.collect::<Result<_, _>>().map_err(error)?;
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err(ConnectorError::NoCertificate { path: path.to_owned() });
            }
        }
        if roots.is_empty() {
            return Err(ConnectorError::NoAuthority);
        }
        // The provider by name: which one is the process's default must not matter.
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()? // 1.2 and 1.3 (M-33)
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands on `stream`; the certificate must be for `host` (a name or an IP address).
    pub async fn connect<S>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.0.connect(name, stream).await
    }
}
