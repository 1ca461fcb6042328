//! Settings of the SMTP server. Knows no files; `config` reads them.

use std::time::Duration;

use super::budget::COPIES;

/// Seconds; the longest time to wait for anything.
const DAY: u64 = 86_400;

/// What the SMTP server may take, all listeners together. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmtpSettings {
    /// The name in the greeting and in EHLO: a domain name or an address literal (RFC 5321 s.4.2).
    pub hostname: String,
    /// Largest message in octets, announced as `SIZE`. Where the outbound MTA takes less, less is announced: its limit minus
    /// what the gateway adds to a copy (M-10). That is known from the first connection to it on; the default
    /// fits Postfix's 10,240,000 before.
    pub max_message_size: usize,
    /// Open connections; more get 421.
    pub max_connections: usize,
    /// Open connections from one IPv4 address or one IPv6 /64; more get 421. A sending tool is often a single address.
    pub max_connections_per_address: usize,
    /// Recipients of one message; more get 452 (RFC 5321 s.4.5.3.1.8: at least 100).
    pub max_recipients: usize,
    /// Protocol errors without an accepted message in between; then 421.
    pub max_errors: u32,
    /// Commands that begin no transaction, without a message in between; then 421.
    pub max_idle_commands: u32,
    /// Seconds to wait for a complete command (RFC 5321 s.4.5.3.2.7: at least 300).
    pub command_timeout_seconds: u64,
    /// Seconds to wait for the next block of a message (RFC 5321 s.4.5.3.2.5: at least 180).
    pub data_timeout_seconds: u64,
    /// Seconds a session may last without a message that was answered, however busy it looks; then 421.
    pub session_timeout_seconds: u64,
    /// Seconds a whole message may take from 354 to the final dot, however steadily it drips.
    pub message_timeout_seconds: u64,
    /// Seconds after a shutdown in which messages that are on their way may still arrive; then 421. Below the
    /// service manager's patience, which must have room for the outbound MTA's answer, too.
    pub drain_timeout_seconds: u64,
    /// Octets of all messages that are being received or handled, each counted three times, because copies are made of it;
    /// beyond it 452. At least three times `max_message_size`.
    pub max_bytes_in_flight: usize,
    /// True: AUTH is offered without TLS to clients on the loopback interface.
    pub auth_without_tls_on_loopback: bool,
}

/// How fast a stream may send; a minute's worth may come at once. More gets 451.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamRates {
    /// Transactions begun; not zero.
    pub messages_per_minute: Option<u32>,
    /// Recipients named; not zero.
    pub recipients_per_minute: Option<u32>,
}

/// What is wrong with the settings, and the mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a domain name, not an address literal.
    #[error("hostname must be a domain name or an address literal such as [192.0.2.1]")]
    Hostname,
    /// No message of the announced size could ever pass.
    #[error("max_bytes_in_flight must be at least three times max_message_size, and max_message_size at least 65536")]
    Sizes,
    /// Every session would end before its first command, or hold its place for ever.
    #[error(
        "command_timeout_seconds, data_timeout_seconds, session_timeout_seconds and message_timeout_seconds must be 1 to 86400, drain_timeout_seconds at most that"
    )]
    Timeouts,
    /// RFC 5321 s.4.5.3.1.8.
    #[error("max_recipients must be at least 100")]
    Recipients,
    /// Nobody could connect, or the first error would end the session.
    #[error("max_connections, max_connections_per_address, max_errors and max_idle_commands must be at least 1")]
    Zero,
}

impl Default for SmtpSettings {
    fn default() -> Self {
        Self {
            hostname: "localhost".into(),
            max_message_size: 10_000_000,
            max_connections: 1_000,
            max_connections_per_address: 500,
            max_recipients: 1_000,
            max_errors: 20,
            max_idle_commands: 200,
            command_timeout_seconds: 300,
            data_timeout_seconds: 180,
            session_timeout_seconds: 3_600,
            message_timeout_seconds: 1_800,
            drain_timeout_seconds: 30,
            max_bytes_in_flight: 256 * 1024 * 1024,
            auth_without_tls_on_loopback: false,
        }
    }
}

impl SmtpSettings {
    /// Checks what the types cannot say; to be called at start.
    pub fn check(&self) -> Result<(), SettingsError> {
        // An address with that domain is valid exactly when the domain is.
        if !self.hostname.is_ascii() || crate::mail::Address::parse(&format!("x@{}", self.hostname)).is_err() {
            return Err(SettingsError::Hostname);
        }
        // RFC 5321 s.4.5.3.1.7: 64 K octets is the least a server may offer
        if self.max_message_size < 65_536 || self.max_bytes_in_flight / COPIES < self.max_message_size {
            return Err(SettingsError::Sizes);
        }
        if self.max_recipients < 100 {
            return Err(SettingsError::Recipients); // M-05
        }
        if self.max_connections == 0 || self.max_connections_per_address == 0 || self.max_errors == 0 || self.max_idle_commands == 0 {
            return Err(SettingsError::Zero);
        }
        let waits = [self.command_timeout_seconds, self.data_timeout_seconds, self.session_timeout_seconds, self.message_timeout_seconds];
        if waits.iter().any(|seconds| !(1..=DAY).contains(seconds)) || self.drain_timeout_seconds > DAY {
            return Err(SettingsError::Timeouts);
        }
        Ok(())
    }

    pub(super) fn command_timeout(&self) -> Duration {
        Duration::from_secs(self.command_timeout_seconds)
    }

    pub(super) fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_timeout_seconds)
    }

    pub(super) fn data_timeout(&self) -> Duration {
        Duration::from_secs(self.data_timeout_seconds)
    }

    pub(super) fn session_timeout(&self) -> Duration {
        Duration::from_secs(self.session_timeout_seconds)
    }

    pub(super) fn message_timeout(&self) -> Duration {
        Duration::from_secs(self.message_timeout_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let check = |text: &str| toml::from_str::<SmtpSettings>(text).expect(text).check();
        for (text, expected) in [
            ("", Ok(())),
            ("hostname = '[192.0.2.1]'", Ok(())),
            ("hostname = 'a b'", Err(SettingsError::Hostname)),
            ("hostname = \"a\\r\\n250 b\"", Err(SettingsError::Hostname)),
            ("max_message_size = 1000", Err(SettingsError::Sizes)),
            ("max_bytes_in_flight = 70000", Err(SettingsError::Sizes)),
            ("max_errors = 0", Err(SettingsError::Zero)),
            ("max_recipients = 99", Err(SettingsError::Recipients)),
            ("command_timeout_seconds = 0", Err(SettingsError::Timeouts)),
            ("message_timeout_seconds = 9223372036854775807", Err(SettingsError::Timeouts)), // the clock would overflow
            ("drain_timeout_seconds = 0", Ok(())),
            ("drain_timeout_seconds = 86401", Err(SettingsError::Timeouts)),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
        assert!(toml::from_str::<SmtpSettings>("max_eror = 1").is_err());
    }
}
