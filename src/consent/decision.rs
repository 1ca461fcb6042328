//! The answer to the one question, for one message and one recipient; recorded before anything leaves.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{LookupKey, ProfileName, Reason, SubjectId, Topic, subject};
use crate::mail::Classification;

/// Id of a decision: 48 bits of milliseconds, then 80 random bits, so that ids sort by time and the
/// `ref` in an SMTP reply cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecisionId(pub [u8; 16]);

impl DecisionId {
    /// An id of that time; `random` is fresh randomness.
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        Self(subject::ordered(at, random))
    }

    /// When it was made, to the millisecond.
    pub fn at(self) -> Timestamp {
        subject::time(self.0)
    }

    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        subject::octets(text).map(Self)
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Keyed hash of what makes two submissions one mail to one person: stream, reverse-path, recipient, Message-ID, content
/// (M-08). Made by `crypto::Keyring::copy_key`; tells nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CopyKey(pub [u8; 16]);

/// Names one version of a text: the first octets of its SHA-256. Whoever has the text can prove that it is the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextVersion(pub [u8; 8]);

impl TextVersion {
    /// Of that text.
    pub fn of(text: &str) -> Self {
        Self::of_hash(Sha256::digest(text.as_bytes()).into())
    }

    /// Of a text with that SHA-256.
    pub fn of_hash(hash: [u8; 32]) -> Self {
        let mut own = [0; 8];
        own.copy_from_slice(&hash[..8]);
        Self(own)
    }
}

impl fmt::Display for TextVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// One decision. Holds no personal data in clear: the recipient is a keyed hash (I8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Stands in the SMTP reply as `ref=`.
    pub id: DecisionId,
    /// When it was taken.
    pub at: Timestamp,
    /// Name of the stream.
    pub stream: String,
    /// Key of the controller.
    pub controller: String,
    /// The recipient's look-up key.
    pub recipient: LookupKey,
    /// The recipient's subject; the store keeps the one already there if two meet.
    pub subject: SubjectId,
    /// Class, topic, campaign, and why.
    pub classification: Classification,
    /// The topic that was decided on, when it is a valid one.
    pub topic: Option<Topic>,
    /// Verdict and reason in one.
    pub reason: Reason,
    /// `seq` of the subject's standing that was read (0: no event).
    pub folded_from: u64,
    /// `seq` of the event that the reason rests on.
    pub event: Option<u64>,
    /// The policy profile that had the last word; `None` where none was asked.
    pub profile: Option<ProfileName>,
    /// For [`Reason::Shadow`]: what would have been said.
    pub shadowed: Option<Reason>,
    /// The rules that it followed, the operator's and the model's for the class included (L-AD-07).
    pub rules: Option<TextVersion>,
    /// The footer of the copy, where it gets one (R-03, L-SOFT-02).
    pub footer: Option<TextVersion>,
    /// The first advertising of a month to this person: the standing keeps when it was ([`Standing::contacted`](super::Standing)).
    pub is_contact: bool,
    /// Keyed hash of the Message-ID, to find the decision of a given mail (L-PRV-01).
    pub message: Option<LookupKey>,
    /// Knows the mail again when its client sends it again; `None` for one without Message-ID.
    pub copy: Option<CopyKey>,
    /// Octets as received.
    pub size: u64,
}

impl Decision {
    /// True for a mail that could only have left on the exemption for existing customers: it did, or would have been blocked by a
    /// condition of it if the stream were more than watched.
    pub fn is_of_customers(&self) -> bool {
        self.shadowed.unwrap_or(self.reason).is_of_customers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let at = |ms| Timestamp::from_millisecond(ms).expect("valid");
        let (early, late) = (DecisionId::new(at(1_000), [255; 10]), DecisionId::new(at(1_001), [0; 10]));
        assert_eq!(late.at(), at(1_001));
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(DecisionId::parse(&late.to_string()), Some(late));
        for text in ["", "zz", &"é".repeat(16), &"+1".repeat(16)] {
            assert_eq!(DecisionId::parse(text), None, "{text}");
        }
    }
}
