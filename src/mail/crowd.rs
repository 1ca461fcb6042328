//! How many people get the same text, as one gateway tells another. Says of no word and of no person (I8).

/// One text of one span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrowdRow {
    /// Whose: the name of a stream.
    pub stream: String,
    /// The span of time: seconds since 1970 by `seconds`.
    pub span: i64,
    /// How long a span is.
    pub seconds: u32,
    /// A sketch of the text.
    pub sketch: Vec<u8>,
    /// Who got it, as a set of bits that many people share.
    pub people: Vec<u8>,
    /// How many mails.
    pub mails: u32,
    /// A hash of the numbers and codes that most of them have.
    pub own: u64,
    /// By how many more they have these than others, at least.
    pub alike: u32,
}

impl CrowdRow {
    /// When nobody asks for it any more: seconds since 1970. A span counts as long as it is this one or the last.
    pub fn ends(&self) -> i64 {
        (self.span + 2).saturating_mul(i64::from(self.seconds))
    }
}
