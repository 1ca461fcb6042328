//! Private keys of signatures: RSA as everybody can verify (RFC 6376), Ed25519 as a second one (RFC 8463). Reads and writes them as PEM.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{SignerError, lines};

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// rsa-sha256, with 2048 bits where we make the key.
    Rsa,
    /// ed25519-sha256 (RFC 8463): short and fast, but not every receiver knows it, so never alone.
    Ed25519,
}

impl Algorithm {
    /// Both, the one that everybody knows first.
    pub const ALL: [Self; 2] = [Self::Rsa, Self::Ed25519];

    /// The `a=` of a signature.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }
}

/// A private key.
pub(super) enum Key {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// RFC 8301 s.3.2 asks signers for at least 1024 bits of RSA and recommends 2048, below which the library does not sign.
    pub(super) fn from_pem(pem: &str) -> Result<Self, SignerError> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| SignerError::Key)?;
        let rsa = match &der {
            PrivateKeyDer::Pkcs8(der) => match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()) {
                Ok(key) => return Ok(Self::Ed25519(key)),
                Err(_) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            },
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(SignerError::Key),
        };
        let too_short = |refusal: aws_lc_rs::error::KeyRejected| refusal.to_string() == "TooSmall";
        rsa.map(Self::Rsa).map_err(|refusal| if too_short(refusal) { SignerError::TooShort } else { SignerError::Key })
    }

    /// A new key. The randomness is the cryptographic library's own: it cannot be handed in.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, SignerError> {
        match algorithm {
            Algorithm::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rsa).map_err(|_| SignerError::Crypto),
            Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Self::Ed25519).map_err(|_| SignerError::Crypto),
        }
    }

    /// As PKCS#8 PEM.
    pub(super) fn pem(&self) -> Result<Zeroizing<String>, SignerError> {
        let der: Result<Pkcs8V1Der<'_>, _> = match self {
            Self::Rsa(key) => key.as_der(),
            Self::Ed25519(key) => key.as_der(),
        };
        let body = Zeroizing::new(STANDARD.encode(der.map_err(|_| SignerError::Crypto)?.as_ref()));
        let mut pem = Zeroizing::new(String::with_capacity(2_048));
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        for line in lines(&body, 64) {
            pem.push_str(line);
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rsa,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    pub(super) fn sign(&self, signed: &[u8]) -> Result<Vec<u8>, SignerError> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                // RSASSA-PKCS1-v1_5 uses no randomness; the library ignores the generator
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).map_err(|_| SignerError::Crypto)?;
                Ok(signature)
            }
            // RFC 8463 s.3: what is signed is the hash
            Self::Ed25519(key) => {
                let signature = key.try_sign(&Sha256::digest(signed)).map_err(|_| SignerError::Crypto)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }

    /// The value of the TXT record (RFC 6376 s.3.6.1, RFC 8463 s.4).
    pub(super) fn record(&self) -> String {
        match self {
            Self::Rsa(key) => {
                let public: Result<PublicKeyX509Der<'_>, _> = key.public_key().as_der();
                let public = public.expect("the public half of a key that was loaded can be written");
                format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public.as_ref()))
            }
            Self::Ed25519(key) => format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(key.public_key().as_ref())),
        }
    }
}
