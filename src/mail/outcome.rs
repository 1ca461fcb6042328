//! What became of a copy at the outbound MTA.

/// The outbound MTA's last word on one copy. Reply texts are the MTA's own and may hold an
/// address: they are stored sealed and never logged (I8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 2yz after the final dot: the outbound MTA has it.
    Accept {
        /// The reply's text without code, lines joined by a space; often holds the queue id.
        text: String,
    },
    /// 4yz at any stage: the client shall try again.
    Defer {
        /// Three-digit code, 400 to 499.
        code: u16,
        /// The reply's text without code, with its enhanced status code if there was one.
        text: String,
    },
    /// 5yz at any stage: the outbound MTA will not take it.
    Reject {
        /// Three-digit code, 500 to 599.
        code: u16,
        /// The reply's text without code, with its enhanced status code if there was one.
        text: String,
    },
    /// No connection, no TLS, no sensible reply, or the connection broke before the final dot was sent:
    /// the outbound MTA does not have it.
    Unreachable {
        /// For the log; names the stage, holds no personal data.
        why: String,
    },
    /// The connection broke, or no reply came in time, after the final dot was sent: the outbound MTA may have it.
    Uncertain {
        /// For the log; holds no personal data.
        why: String,
    },
}

impl Outcome {
    /// The reply behind it in one line, for reports; what was no reply in our own words.
    pub fn reply(&self) -> String {
        match self {
            Self::Accept { text } => format!("250 {text}"),
            Self::Defer { code, text } | Self::Reject { code, text } => format!("{code} {text}"),
            Self::Unreachable { why } | Self::Uncertain { why } => format!("451 4.4.1 {why}"),
        }
    }

    /// One word for records and pages.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "accepted",
            Self::Defer { .. } => "deferred",
            Self::Reject { .. } => "rejected",
            Self::Unreachable { .. } => "unreachable",
            Self::Uncertain { .. } => "uncertain",
        }
    }
}
