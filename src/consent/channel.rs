//! What a consent allows: to be written to, called, or measured. One never stands for another (L-TRK-01, L-DOI-06, S0-09).

use serde::{Deserialize, Serialize};

/// What a consent, or its withdrawal, is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Advertising by e-mail about the event's topics.
    #[default]
    Email,
    /// Advertising by telephone (UWG §7(2) no. 1). No mail proves it (L-DOI-06).
    Phone,
    /// Advertising by letter.
    Post,
    /// Measuring whether this person opens mails and follows links (TDDDG §25(1), ePrivacy Directive Art. 5(3)).
    Tracking,
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 4] = [Self::Email, Self::Phone, Self::Post, Self::Tracking];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Post => "post",
            Self::Tracking => "tracking",
        }
    }

    /// The inverse of [`Channel::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }
}
