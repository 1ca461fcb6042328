//! The legal entity on whose behalf mail is sent.

use super::{Brand, Country, Language};
use crate::mail::Address;

/// A controller (GDPR Art. 4(7)): whoever must prove the consent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Unique key; stands in events, decisions and links.
    pub key: String,
    /// Name of the legal entity as people know it.
    pub name: String,
    /// Imprint: postal address, contact, register entry (DDG s.5); one line or more.
    pub imprint: String,
    /// Where the privacy policy is (GDPR Art. 13).
    pub privacy_url: String,
    /// Language of its pages and mails where the person's is not known.
    #[serde(default)]
    pub language: Language,
    /// Where its seat is, e.g. `DE`: that country's policy profile applies to all its mail (J-01).
    #[serde(default)]
    pub country: Option<Country>,
    /// Sender of confirmation mails, e.g. `newsletter@example.com`; its bounces must reach someone (M-66).
    pub from: String,
    /// How its pages look.
    #[serde(default)]
    pub brand: Brand,
    /// Header fields of its mails that not everybody wants.
    #[serde(default)]
    pub headers: Box<HeaderFields>,
}

/// Header fields that a controller may have on its mails.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderFields {
    /// `List-Help` on all its mails: where people find out about them, https or mailto (RFC 2369 s.3.1, U-32).
    #[serde(default)]
    pub list_help: Option<String>,
    /// `List-Owner` on marketing: a person to write to, `mailto:` or `https:` (RFC 2369 s.3.5, U-32).
    #[serde(default)]
    pub list_owner: Option<String>,
    /// The mailbox that people may unsubscribe by, beside the link (RFC 2369 s.3.2, U-18): an inbound listener reads it, or
    /// somebody who tells `consentry event`.
    #[serde(default)]
    pub unsubscribe_mailbox: Option<String>,
    /// The last field of `Feedback-ID`, for figures per topic at Gmail (U-33).
    #[serde(default)]
    pub feedback_sender: Option<String>,
    /// Where mailbox providers send complaints (RFC 9477, U-34): an inbound listener reads them.
    #[serde(default)]
    pub complaints: Option<String>,
    /// The return path of the gateway's own mails, read by an inbound listener; if not given, `from`. A confirmation mail has
    /// `+` and an id of 32 characters behind the local-part, so that a bounce names its sign-up (M-66).
    #[serde(default)]
    pub bounces: Option<String>,
    /// `X-CSA-Complaints`, for members of the CSA (C-05).
    #[serde(default)]
    pub csa_complaints: Option<String>,
}

impl HeaderFields {
    /// What is wrong with them; empty when nothing is.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\",;".contains(&byte));
        let address = |uri: &String| plain(uri) && (uri.starts_with("https://") || uri.starts_with("mailto:"));
        for (name, uri) in [("list_help", &self.list_help), ("list_owner", &self.list_owner)] {
            if !uri.as_ref().is_none_or(address) {
                faults.push(format!("headers.{name} must begin with https:// or mailto:"));
            }
        }
        for (name, mailbox) in
            [("unsubscribe_mailbox", &self.unsubscribe_mailbox), ("complaints", &self.complaints), ("csa_complaints", &self.csa_complaints)]
        {
            if mailbox
                .as_ref()
                .is_some_and(|mailbox| !plain(mailbox) || mailbox.contains(['?', '%', '&']) || Address::parse(mailbox).is_err())
            {
                faults.push(format!("headers.{name} must be an address such as name@example.com"));
            }
        }
        // RFC 5321 s.4.5.3.1.1: 64 octets with the id
        let short = |bounces: &String| Address::parse(bounces).is_ok_and(|bounces| bounces.local().len() <= 31) && plain(bounces);
        if !self.bounces.as_ref().is_none_or(short) {
            faults.push("headers.bounces must be an address such as bounces@example.com, of at most 31 characters before the @".to_owned());
        }
        // Google wants 5 to 15 characters that never change
        let sender =
            |name: &String| (5..=15).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if self.feedback_sender.as_ref().is_some_and(|name| !sender(name)) {
            faults.push("headers.feedback_sender must have 5 to 15 letters, digits and hyphens".to_owned());
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_that_would_break_a_header_are_refused() {
        let good = HeaderFields {
            list_help: Some("https://x.example/help".into()),
            list_owner: Some("mailto:team@x.example".into()),
            unsubscribe_mailbox: Some("leave@x.example".into()),
            feedback_sender: Some("acmemail".into()),
            complaints: Some("fbl@x.example".into()),
            bounces: Some("bounces@x.example".into()),
            csa_complaints: Some("csa-complaints@eco.de".into()),
        };
        assert_eq!(good.faults(), Vec::<String>::new());
        for broken in [
            HeaderFields { list_help: Some("http://x.example".into()), ..good.clone() },
            HeaderFields { list_help: Some("https://x.example>\r\nBcc: x".into()), ..good.clone() },
            HeaderFields { list_owner: Some("team@x.example".into()), ..good.clone() },
            HeaderFields { unsubscribe_mailbox: Some("leave@x.example?cc=evil@y.example".into()), ..good.clone() },
            HeaderFields { feedback_sender: Some("a:b".into()), ..good.clone() },
            HeaderFields { complaints: Some("nobody".into()), ..good.clone() },
            HeaderFields { bounces: Some(format!("{}@x.example", "b".repeat(32))), ..good.clone() },
        ] {
            assert_eq!(broken.faults().len(), 1, "{broken:?}");
        }
    }
}
