//! What a mail or a consent is about: a dotted name, where a parent covers its children.

use std::fmt;

/// A dotted topic name, e.g. `newsletter.weekly`: labels of `a-z 0-9 - _`, at most 64 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

/// The text is no topic name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a topic is dotted labels of a-z, 0-9, - and _, at most 64 characters, e.g. newsletter.weekly")]
pub struct TopicError;

impl Topic {
    /// Parses a name; upper case is taken as lower case, so that headers may be written either way.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        let text = text.trim().to_ascii_lowercase();
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        };
        if text.len() <= 64 && text.split('.').all(label) { Ok(Self(text)) } else { Err(TopicError) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when consent to `self` is consent to `other`: the same topic or one below it.
    pub fn covers(&self, other: &Topic) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Topic {
    type Error = TopicError;

    fn try_from(text: String) -> Result<Self, TopicError> {
        Self::parse(&text)
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Topic {
        Topic::parse(text).expect(text)
    }

    #[test]
    fn a_parent_covers_its_children_and_nobody_else() {
        // S3-06
        for (parent, child, expected) in [
            ("news", "news", true),
            ("news", "news.weekly", true),
            ("news", "news.weekly.sport", true),
            ("news.weekly", "news", false),
            ("news", "newsletter", false),
            ("news.weekly", "news.daily", false),
        ] {
            assert_eq!(topic(parent).covers(&topic(child)), expected, "{parent} {child}");
        }
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert_eq!(Topic::parse(text), Err(TopicError), "{text:?}");
        }
        assert_eq!(topic(" News.Weekly "), topic("news.weekly"));
    }
}
