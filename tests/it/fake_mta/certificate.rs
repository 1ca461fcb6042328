//! The certificate of an MTA that offers TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate for `localhost` and 127.0.0.1 that signed itself, made by the openssl command.
pub(crate) struct TestCertificate {
    directory: tempfile::TempDir,
    pub(super) server: Arc<ServerConfig>,
}

impl TestCertificate {
    pub(crate) fn make() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (key, certificate) = (directory.path().join("key.pem"), directory.path().join("cert.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .args([&key, Path::new("-out"), &certificate])
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let chain = vec![CertificateDer::from_pem_file(&certificate).expect("openssl wrote it")];
        let key = PrivateKeyDer::from_pem_file(&key).expect("openssl wrote it");
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .expect("key and certificate fit");
        Self { directory, server: Arc::new(server) }
    }

    /// The certificate, as a `ca_file` for the client.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }
}
