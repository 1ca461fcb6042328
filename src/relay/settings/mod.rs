//! Where the outbound MTAs are, how they are spoken to and how long their answers may take.

mod hop;
mod timeouts;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use hop::{HopSettings, RelayTls};
pub use timeouts::{RelayTimeouts, duration};

/// The `[outbound]` table of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelaySettings {
    /// The one outbound MTA, where there are not several; as [`HopSettings::host`]. Default: `127.0.0.1`.
    pub host: Option<String>,
    /// Its port; as [`HopSettings::port`].
    pub port: Option<u16>,
    /// As [`HopSettings::tls`].
    pub tls: Option<RelayTls>,
    /// As [`HopSettings::ca_file`].
    pub ca_file: Option<PathBuf>,
    /// As [`HopSettings::username`].
    pub username: Option<String>,
    /// As [`HopSettings::password_file`].
    pub password_file: Option<PathBuf>,
    /// Several outbound MTAs, each with what is said above of one.
    #[serde(rename = "hop")]
    pub hops: Vec<HopSettings>,
    /// How long each stage may take.
    pub timeouts: RelayTimeouts,
    /// An outbound MTA that cannot be reached is asked again after a second, then after two, and so on; at most after
    /// this time. Meanwhile mail goes to the next one, or is told at once that there is none. Default: 60 s.
    #[serde(deserialize_with = "duration")]
    pub longest_pause: Duration,
    /// Connections open to one outbound MTA at the same time, at most; who needs one more waits. Default: 50, which is
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
        let stray = self.beside_hops();
        if !stray.is_empty() {
            faults.push(format!("{} beside [[outbound.hop]]: write it into a hop", stray.join(", ")));
        }
        let mut seen = HashSet::new();
        for hop in self.hops() {
            let place = if self.hops.is_empty() { String::new() } else { format!("hop {:?}: ", hop.host) };
            faults.extend(hop.faults().into_iter().map(|fault| format!("{place}{fault}")));
            if !seen.insert((hop.host.to_ascii_lowercase(), hop.port())) {
                faults.push(format!("{place}listed twice; max_connections is how to have more connections"));
            }
        }
        faults
    }

    /// Connections that campaigns never use; one at least is left to them.
    pub(super) fn reserved(&self) -> u16 {
        let most = self.max_connections.get();
        self.reserved_for_transactional.unwrap_or((most / 5).max(1)).min(most - 1)
    }

    /// One outbound MTA at an address.
    pub fn at(address: SocketAddr) -> Self {
        Self { host: Some(address.ip().to_string()), port: Some(address.port()), ..Self::default() }
    }

    /// The outbound MTAs in the order of the file.
    pub fn hops(&self) -> Vec<HopSettings> {
        if !self.hops.is_empty() {
            return self.hops.clone();
        }
        vec![HopSettings {
            host: self.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: self.port,
            priority: HopSettings::PRIORITY,
            tls: self.tls,
            ca_file: self.ca_file.clone(),
            username: self.username.clone(),
            password_file: self.password_file.clone(),
        }]
    }

    /// What is said of one outbound MTA, although several are listed.
    fn beside_hops(&self) -> Vec<&'static str> {
        let given = [
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("tls", self.tls.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("username", self.username.is_some()),
            ("password_file", self.password_file.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given && !self.hops.is_empty()).map(|(name, _)| name).collect()
    }
}

impl Default for RelaySettings {
    fn default() -> Self {
        const MAX_CONNECTIONS: NonZeroU16 = NonZeroU16::new(50).expect("50 is not 0");
        const MESSAGES: NonZeroU32 = NonZeroU32::new(1000).expect("1000 is not 0");
        Self {
            host: None,
            port: None,
            tls: None,
            ca_file: None,
            username: None,
            password_file: None,
            hops: Vec::new(),
            timeouts: RelayTimeouts::default(),
            longest_pause: Duration::from_secs(60),
            max_connections: MAX_CONNECTIONS,
            reserved_for_transactional: None,
            max_idle: 50,
            idle_lifetime: Duration::from_secs(60),
            messages_per_connection: MESSAGES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for text in [
            "hots = 'mx'",
            "[[hop]]\npriority = 1",
            "tls = 'opportunistic'",
            "max_connections = 0",
            "idle_lifetime = '-1s'",
            "[timeouts]\ndot = '1m'",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_outbound_mta_or_several_but_not_both() {
        let read = |text: &str| toml::from_str::<RelaySettings>(text).expect(text);
        let hosts =
            |text: &str| read(text).hops().iter().map(|hop| format!("{}:{} {}", hop.host, hop.port(), hop.priority)).collect::<Vec<_>>();
        assert_eq!(hosts(""), ["127.0.0.1:25 10"]);
        assert_eq!(hosts("host = 'mx'\nport = 587"), ["mx:587 10"]);
        assert_eq!(hosts("[[hop]]\nhost = 'a'\n[[hop]]\nhost = 'b'\npriority = 20\ntls = 'implicit'"), ["a:25 10", "b:465 20"]);
        for (text, expected) in [
            ("host = 'a'\n[[hop]]\nhost = 'b'", "host beside [[outbound.hop]]: write it into a hop"),
            ("tls = 'off'\nport = 1\n[[hop]]\nhost = 'b'", "port, tls beside [[outbound.hop]]: write it into a hop"),
            (
                "[[hop]]\nhost = 'a'\n[[hop]]\nhost = 'A'\nport = 25",
                "hop \"A\": listed twice; max_connections is how to have more connections",
            ),
            ("[[hop]]\nhost = 'a b'", "hop \"a b\": host = \"a b\": must be a name or an IP address, without port"),
        ] {
            assert_eq!(read(text).faults(), [expected], "{text}");
        }
    }
}
