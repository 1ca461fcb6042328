//! Where the outbound MTA is, how it is spoken to and how long its answers may take.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// The `[relay]` table of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelaySettings {
    /// Name or IP address of the outbound MTA; with TLS, the name its certificate must bear. Default: `127.0.0.1`.
    pub host: String,
    /// Its port. Default: 25.
    pub port: u16,
    /// Default: `required`, but `off` where `host` is loopback (M-33).
    pub tls: Option<RelayTls>,
    /// PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long each stage may take.
    pub timeouts: RelayTimeouts,
    /// Connections open at the same time, at most; who needs one more waits. Default: 50, which is
    /// what Postfix allows one client.
    pub max_connections: NonZeroU16,
    /// Of these, how many campaigns never use, so that transactional mail finds one free. Fewer than
    /// `max_connections`. Default: a fifth, at least 1 where there are two.
    pub reserved_for_transactional: Option<u16>,
    /// Of these, kept open while nobody uses them. Default: 50.
    pub max_idle: u16,
    /// An unused connection is not used again after this time. Shorter than the idle timeout of
    /// the outbound MTA, so that both do not meet (Postfix: 300 s). Default: 60 s.
    #[serde(deserialize_with = "duration")]
    pub idle_lifetime: Duration,
    /// A connection that carried so many messages is closed, so that load spreads again where
    /// several hosts share the name. Default: 1000.
    pub messages_per_connection: NonZeroU32,
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
}

/// How long the outbound MTA may take for each stage. The defaults are the minima that RFC 5321
/// s.4.5.3.2 asks of a client (M-07); shorter ones make mail arrive twice. In the configuration a
/// text such as `"5m"` or `"30s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayTimeouts {
    /// For a free connection, when `max_connections` are in use. Default: 30 s.
    #[serde(deserialize_with = "duration")]
    pub queue: Duration,
    /// To look up the host and connect; and, again, for the TLS handshake. Default: 30 s.
    #[serde(deserialize_with = "duration")]
    pub connect: Duration,
    /// For the greeting. Default: 5 min.
    #[serde(deserialize_with = "duration")]
    pub greeting: Duration,
    /// For the reply to EHLO, STARTTLS, RSET, MAIL or RCPT. Default: 5 min.
    #[serde(deserialize_with = "duration")]
    pub command: Duration,
    /// For the reply to DATA. Default: 2 min.
    #[serde(deserialize_with = "duration")]
    pub data: Duration,
    /// To take one more piece of what we write. Default: 3 min.
    #[serde(deserialize_with = "duration")]
    pub block: Duration,
    /// For the reply to the final dot. Default: 10 min.
    #[serde(deserialize_with = "duration")]
    pub final_reply: Duration,
}

impl RelaySettings {
    /// All that is wrong, each with the mend; empty when nothing is.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (most, reserved) = (self.max_connections.get(), self.reserved_for_transactional);
        if let Some(reserved) = reserved.filter(|reserved| *reserved >= most) {
            faults.push(format!(
                "reserved_for_transactional = {reserved}: must be less than max_connections = {most}, or no campaign could leave"
            ));
        }
        faults
    }

    /// Connections that campaigns never use; one at least is left to them.
    pub(super) fn reserved(&self) -> u16 {
        let most = self.max_connections.get();
        self.reserved_for_transactional.unwrap_or((most / 5).max(1)).min(most - 1)
    }

    /// True when nothing may be sent in clear; the relay then needs a [`Connector`](crate::tls::Connector).
    pub fn tls_required(&self) -> bool {
        match self.tls {
            Some(tls) => tls == RelayTls::Required,
            None => !is_loopback(&self.host),
        }
    }
}

/// A name that only resolves to a loopback address does not count: the resolver may lie.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Default for RelaySettings {
    fn default() -> Self {
        const MAX_CONNECTIONS: NonZeroU16 = NonZeroU16::new(50).expect("50 is not 0");
        const MESSAGES: NonZeroU32 = NonZeroU32::new(1000).expect("1000 is not 0");
        Self {
            host: "127.0.0.1".to_owned(),
            port: 25,
            tls: None,
            ca_file: None,
            timeouts: RelayTimeouts::default(),
            max_connections: MAX_CONNECTIONS,
            reserved_for_transactional: None,
            max_idle: 50,
            idle_lifetime: Duration::from_secs(60),
            messages_per_connection: MESSAGES,
        }
    }
}

impl Default for RelayTimeouts {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            queue: Duration::from_secs(30),
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            command: minutes(5),
            data: minutes(2),
            block: minutes(3),
            final_reply: minutes(10),
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let signed = jiff::SignedDuration::deserialize(deserializer)?;
    Duration::try_from(signed).map_err(|_| serde::de::Error::custom("a time span cannot be negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_required_unless_the_host_is_this_one() {
        for (host, tls, required) in [
            ("127.0.0.1", None, false),
            ("::1", None, false),
            ("LOCALHOST", None, false),
            ("mx.example.org", None, true),
            ("192.0.2.1", None, true),
            ("localhost.example.org", None, true),
            ("mx.example.org", Some(RelayTls::Off), false),
            ("127.0.0.1", Some(RelayTls::Required), true),
        ] {
            let settings = RelaySettings { host: host.to_owned(), tls, ..RelaySettings::default() };
            assert_eq!(settings.tls_required(), required, "{host} {tls:?}");
        }
    }

    #[test]
    fn some_connections_are_reserved_and_some_are_not() {
        for (most, set, reserved, faults) in [
            (1, None, 0, 0),
            (2, None, 1, 0),
            (50, None, 10, 0),
            (50, Some(0), 0, 0),
            (50, Some(49), 49, 0),
            (50, Some(50), 49, 1),
            (1, Some(0), 0, 0),
        ] {
            let max_connections = NonZeroU16::new(most).expect("not 0");
            let settings = RelaySettings { max_connections, reserved_for_transactional: set, ..RelaySettings::default() };
            assert_eq!((settings.reserved(), settings.faults().len()), (reserved, faults), "{most} {set:?}");
        }
    }

    #[test]
    fn settings_are_read_with_defaults_and_unknown_ones_refused() {
        let read = toml::from_str::<RelaySettings>;
        assert_eq!(read("").expect("all have defaults"), RelaySettings::default());
        let settings = read("host = 'mx'\ntls = 'required'\n[timeouts]\nfinal_reply = '12m'").expect("valid");
        assert_eq!((settings.timeouts.final_reply, settings.timeouts.data), (Duration::from_secs(720), Duration::from_secs(120)));
        for text in ["hots = 'mx'", "tls = 'opportunistic'", "max_connections = 0", "idle_lifetime = '-1s'", "[timeouts]\ndot = '1m'"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
