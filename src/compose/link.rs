//! The one place that knows the shape of the links people get: `/c/` confirms, `/u/` unsubscribes, `/p/` shows one's own data.
//! What a token means is known to `token` and `store`.

use super::ComposeError;

/// The address under which people reach the gateway, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Parses `https://host[:port][/path]` (`http` is for the demo and for tests). Characters that
    /// would need escaping in HTML or in a header are refused, so that a link may stand anywhere as it is.
    pub fn parse(text: &str) -> Result<Self, ComposeError> {
        let text = text.trim_end_matches('/');
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(ComposeError::PublicUrl("must begin with https:// (or http:// in a demo)"))?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b);
        if rest.is_empty() || rest.starts_with(['/', ':']) || !rest.bytes().all(plain) {
            return Err(ComposeError::PublicUrl("must be a host, optionally with port and path, e.g. https://mail.example.com"));
        }
        // U-21: the field List-Unsubscribe with its token stays below 998 octets
        if text.len() > 200 {
            return Err(ComposeError::PublicUrl("must not be longer than 200 characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True outside the demo; RFC 8058 s.3.1 wants it for one-click.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The path in front of every path of the gateway: empty, or like `/consent`.
    pub fn path(&self) -> &str {
        let host = self.0.find("://").map_or(0, |at| at + 3);
        self.0[host..].find('/').map_or("", |at| &self.0[host + at..])
    }

    /// The link of a confirmation mail.
    pub fn confirm(&self, token: &str) -> String {
        format!("{}/c/{token}", self.0)
    }

    /// The link of an access mail: one's own data.
    pub fn access(&self, token: &str) -> String {
        format!("{}/p/{token}", self.0)
    }

    /// The page of a hosted sign-up form.
    pub fn form(&self, name: &str) -> String {
        format!("{}/subscribe/{name}", self.0)
    }

    /// The link of List-Unsubscribe and of the footer (U-11: the same one).
    pub fn unsubscribe(&self, token: &str) -> String {
        format!("{}/u/{token}", self.0)
    }

    /// What all of those begin with.
    pub fn unsubscribe_links(&self) -> String {
        self.unsubscribe("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_urls_are_taken() {
        for text in [
            "",
            "mail.example.com",
            "ftp://x.example",
            "https://",
            "https:///u",
            "https://x.example/?a=b",
            "https://x.example/\"",
            "https://ü.example",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn links_stand_below_the_path() {
        for (text, path, confirm) in [
            ("https://x.example", "", "https://x.example/c/T"),
            ("https://x.example/", "", "https://x.example/c/T"),
            ("http://127.0.0.1:8080", "", "http://127.0.0.1:8080/c/T"),
            ("https://x.example/consent/", "/consent", "https://x.example/consent/c/T"),
        ] {
            let url = PublicUrl::parse(text).expect(text);
            assert_eq!((url.path(), url.confirm("T").as_str()), (path, confirm), "{text}");
        }
    }
}
