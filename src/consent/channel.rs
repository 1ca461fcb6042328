//! What a consent allows: to be written to, or to be measured. One never stands for the other (L-TRK-01, S0-09).

/// What a consent, or its withdrawal, is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Channel {
    /// Advertising by e-mail about the event's topics.
    #[default]
    Email,
    /// Measuring whether this person opens mails and follows links (TDDDG §25(1), ePrivacy Directive Art. 5(3)).
    Tracking,
}

impl Channel {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Tracking => "tracking",
        }
    }

    /// The inverse of [`Channel::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Email, Self::Tracking].into_iter().find(|channel| channel.as_str() == word)
    }
}
