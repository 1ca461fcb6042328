//! One outbound MTA: its address, what protects the way to it, and who the gateway is there.

use std::net::IpAddr;
use std::path::PathBuf;

use rustls::pki_types::ServerName;
use serde::Deserialize;

/// One `[[outbound.hop]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopSettings {
    /// Name or IP address; with TLS, the name its certificate must bear. Of a name with several addresses all are tried.
    pub host: String,
    /// Default: 25, with `tls = "implicit"` 465.
    #[serde(default)]
    pub port: Option<u16>,
    /// The lowest is taken first, the next one when all of the lowest are away; equal ones share the load. Default: 10.
    #[serde(default = "HopSettings::default_priority")]
    pub priority: u16,
    /// Default: `required`, but `off` where `host` is loopback (M-33).
    #[serde(default)]
    pub tls: Option<RelayTls>,
    /// PEM file of certificate authorities to trust besides the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Who the gateway is there (RFC 4954); without it there is no AUTH.
    #[serde(default)]
    pub username: Option<String>,
    /// File with the password, e.g. a systemd credential; a line end at its end does not count.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// TLS towards the outbound MTA. "If offered" does not exist on purpose: who can take STARTTLS out
/// of a reply could read the mail (M-33, GDPR Art. 32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayTls {
    /// In clear; for the same host or a network that is trusted.
    Off,
    /// STARTTLS with a certificate that verifies, or no mail at all.
    Required,
    /// TLS from the first octet (RFC 8314 s.3.3).
    Implicit,
}

impl RelayTls {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Required => "required",
            Self::Implicit => "implicit",
        }
    }
}

impl HopSettings {
    pub(super) const PRIORITY: u16 = 10;

    fn default_priority() -> u16 {
        Self::PRIORITY
    }

    /// The port in effect.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls() == RelayTls::Implicit { 465 } else { 25 })
    }

    /// The protection in effect.
    pub fn tls(&self) -> RelayTls {
        self.tls.unwrap_or(if is_loopback(&self.host) { RelayTls::Off } else { RelayTls::Required })
    }

    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if ServerName::try_from(self.host.as_str()).is_err() {
            faults.push(format!("host = {:?}: must be a name or an IP address, without port", self.host));
        }
        match (&self.username, &self.password_file) {
            (Some(_), None) => faults.push("username without password_file".to_owned()),
            (None, Some(_)) => faults.push("password_file without username".to_owned()),
            // RFC 4616 s.2: the words stand between NULs
            (Some(name), Some(_)) if name.is_empty() || name.contains(char::is_control) => {
                faults.push("username: must have characters, and no control characters".to_owned());
            }
            _ => {}
        }
        if self.username.is_some() && self.tls() == RelayTls::Off && !is_loopback(&self.host) {
            // RFC 4954 s.4: passwords do not travel in clear
            faults.push("username with tls = \"off\": the password would go out in clear; write tls = \"required\"".to_owned());
        }
        faults
    }
}

/// A name that only resolves to a loopback address does not count: the resolver may lie.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(host: &str, tls: Option<RelayTls>) -> HopSettings {
        HopSettings { host: host.to_owned(), port: None, priority: 10, tls, ca_file: None, username: None, password_file: None }
    }

    #[test]
    fn tls_is_required_unless_the_host_is_this_one() {
        for (host, tls, effective) in [
            ("127.0.0.1", None, RelayTls::Off),
            ("::1", None, RelayTls::Off),
            ("LOCALHOST", None, RelayTls::Off),
            ("mx.example.org", None, RelayTls::Required),
            ("192.0.2.1", None, RelayTls::Required),
            ("localhost.example.org", None, RelayTls::Required),
            ("mx.example.org", Some(RelayTls::Off), RelayTls::Off),
            ("127.0.0.1", Some(RelayTls::Required), RelayTls::Required),
        ] {
            assert_eq!(hop(host, tls).tls(), effective, "{host} {tls:?}");
        }
        assert_eq!((hop("mx", None).port(), hop("mx", Some(RelayTls::Implicit)).port()), (25, 465));
    }

    #[test]
    fn a_login_is_whole_and_never_in_clear() {
        let file = || Some(PathBuf::from("password"));
        for (host, tls, username, password_file, expected) in [
            ("mx.example.org", None, None, None, None),
            ("mx.example.org", None, Some("gate"), file(), None),
            ("mx.example.org", Some(RelayTls::Implicit), Some("gate"), file(), None),
            ("127.0.0.1", None, Some("gate"), file(), None),
            ("mx.example.org", Some(RelayTls::Off), Some("gate"), file(), Some("username with tls = \"off\"")),
            ("mx.example.org", None, Some("gate"), None, Some("username without password_file")),
            ("mx.example.org", None, None, file(), Some("password_file without username")),
            ("mx.example.org", None, Some("a\0b"), file(), Some("username: must have")),
        ] {
            let faults = HopSettings { username: username.map(str::to_owned), password_file, ..hop(host, tls) }.faults();
            assert_eq!(faults.len(), usize::from(expected.is_some()), "{faults:?}");
            assert!(expected.is_none_or(|expected| faults[0].starts_with(expected)), "{faults:?}");
        }
    }
}
