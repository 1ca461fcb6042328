//! A throw-away certificate for STARTTLS in tests, made by OpenSSL.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A self-signed end-entity certificate and its key, as PEM files that go when this is dropped.
pub(crate) struct Certificate {
    directory: TempDir,
}

impl Certificate {
    /// For `host`, valid for a day. The certificate may serve as its own trust anchor.
    pub(crate) fn for_host(host: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]);
        command.args(["-subj", &format!("/CN={host}"), "-addext", &format!("subjectAltName=DNS:{host}")]);
        command.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "certificate.pem"]);
        super::run(command.current_dir(directory.path()));
        Self { directory }
    }

    /// The certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// Its private key (PKCS#8).
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }
}

/// An authority of a company's own, and what it certified for `localhost`.
pub(crate) struct Authority {
    directory: TempDir,
}

impl Authority {
    /// Makes both; valid for a day.
    pub(crate) fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Servers that drop their privileges read it, too.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let openssl = |more: &[&str]| {
            let mut command = Command::new("openssl");
            command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]).args(more);
            super::run(command.current_dir(directory.path()));
        };
        openssl(&["-subj", "/CN=Acme test authority", "-keyout", "ca-key.pem", "-out", "ca.pem"]);
        openssl(&[
            "-subj",
            "/CN=localhost",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca-key.pem",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "certificate.pem",
        ]);
        Self { directory }
    }

    /// Whom to trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// What the server shows.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// Its private key.
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }
}
