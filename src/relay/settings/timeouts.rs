//! How long the outbound MTA may take.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

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

/// A text such as `"5m"` or `"7d"`, a day being 24 hours; months and negative ones are refused.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let signed = jiff::Span::deserialize(deserializer)?
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_| serde::de::Error::custom("a time span of days or less, such as \"36h\" or \"7d\""))?;
    Duration::try_from(signed).map_err(|_| serde::de::Error::custom("a time span cannot be negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbound_mta_gets_at_least_the_time_that_smtp_grants_it() {
        // M-07: RFC 5321 s.4.5.3.2.1 to s.4.5.3.2.6; EHLO and the like have no time of their own there and get that of MAIL
        let given = RelayTimeouts::default();
        for (what, given, minutes) in [
            ("greeting", given.greeting, 5),
            ("MAIL and RCPT", given.command, 5),
            ("DATA", given.data, 2),
            ("a block of the message", given.block, 3),
            ("the final dot", given.final_reply, 10),
        ] {
            assert!(given >= Duration::from_secs(60 * minutes), "{what}");
        }
    }
}
