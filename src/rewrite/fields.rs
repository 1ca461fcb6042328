//! Which header fields come and go: fields that a controller has on all its mails, and what tools write for the next hop alone.

use super::RewriteError;

/// Fields of a controller, each as it is configured; a tool's own of the same name give way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'a> {
    /// `List-Help`: a URL, https or mailto (RFC 2369 s.3.1, U-32).
    pub help: Option<&'a str>,
    /// `List-Owner` (RFC 2369 s.3.5), and that nobody can post (s.3.4), on marketing.
    pub owner: Option<&'a str>,
    /// `Feedback-ID`: the same for all recipients (U-33).
    pub feedback_id: Option<&'a str>,
    /// `CFBL-Address` and `CFBL-Feedback-ID` (RFC 9477, U-34).
    pub complaints: Option<(&'a str, &'a str)>,
    /// `X-CSA-Complaints` (C-05).
    pub csa_complaints: Option<&'a str>,
}

/// Fields that tell an ESP what to do, and nobody else anything (PEERS.md section 4.1). Some hold other recipients (M-67).
const CONTROL: [&str; 14] = [
    "X-SMTPAPI",
    "X-MSYS-API",
    "X-SES-CONFIGURATION-SET",
    "X-SES-MESSAGE-TAGS",
    "X-SES-LIST-MANAGEMENT-OPTIONS",
    "X-Mailin-custom",
    "X-Mailin-Tag",
    "X-Mailjet-Campaign",
    "X-Mailjet-DeduplicateCampaign",
    "X-Mailjet-Prio",
    "X-MJ-CustomID",
    "X-MJ-EventPayload",
    "X-Postal-Tag",
    "X-GreenArrow-MailClass",
];

/// The same by how their names begin.
const CONTROL_PREFIXES: [&str; 4] = ["Consentry-", "X-PM-", "X-Mailgun-", "X-MC-"];

/// True for a field that is taken off before the mail goes on.
pub(super) fn is_control(name: &str, kept: &[String]) -> bool {
    let same = |other: &&str| name.eq_ignore_ascii_case(other);
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let known = CONTROL.iter().any(same) || CONTROL_PREFIXES.iter().any(begins);
    known && !kept.iter().any(|other| same(&other.as_str()))
}

impl Fields<'_> {
    /// True for a tool's own field that one of these replaces.
    pub(super) fn replace(&self, name: &str) -> bool {
        [
            ("List-Help", self.help.is_some()),
            ("List-Owner", self.owner.is_some()),
            ("List-Post", self.owner.is_some()),
            ("Feedback-ID", self.feedback_id.is_some()),
            ("CFBL-Address", self.complaints.is_some()),
            ("CFBL-Feedback-ID", self.complaints.is_some()),
            ("X-CSA-Complaints", self.csa_complaints.is_some()),
        ]
        .iter()
        .any(|(own, set)| *set && name.eq_ignore_ascii_case(own))
    }

    pub(super) fn write(&self, top: &mut Vec<u8>) -> Result<(), RewriteError> {
        let mut line = |name: &'static str, value: &str| {
            let good = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            if !good || value.is_empty() || name.len() + value.len() > 990 {
                return Err(RewriteError::Setting(name));
            }
            top.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            Ok(())
        };
        if let Some(help) = self.help {
            line("List-Help", &format!("<{help}>"))?;
        }
        if let Some(owner) = self.owner {
            line("List-Owner", &format!("<{owner}>"))?;
            line("List-Post", "NO")?;
        }
        if let Some(id) = self.feedback_id {
            line("Feedback-ID", id)?;
        }
        if let Some((address, id)) = self.complaints {
            // RFC 9477 s.3.1: reports as ARF
            line("CFBL-Address", &format!("{address}; report=arf"))?;
            line("CFBL-Feedback-ID", id)?;
        }
        if let Some(address) = self.csa_complaints {
            line("X-CSA-Complaints", address)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_tell_their_esp_is_taken_off_unless_the_next_hop_knows_it() {
        let kept = ["x-ses-configuration-set".to_owned()];
        for (name, expected) in [
            ("Consentry-Class", true),
            ("x-smtpapi", true),
            ("X-PM-Metadata-color", true),
            ("X-Mailgun-Recipient-Variables", true),
            ("X-MC-Tags", true),
            ("X-SES-MESSAGE-TAGS", true),
            ("X-SES-CONFIGURATION-SET", false),
            ("X-Tag", false),
            ("X-Mailer", false),
            ("X-PM", false),
        ] {
            assert_eq!(is_control(name, &kept), expected, "{name}");
        }
    }

    #[test]
    fn the_fields_of_a_controller_are_written_once_and_cannot_break_the_header() {
        // U-32, U-33, U-34
        let fields = Fields {
            help: Some("https://x.example/help"),
            owner: Some("mailto:team@x.example"),
            feedback_id: Some("news:acme:marketing:acmemail"),
            complaints: Some(("fbl@x.example", "TOKEN")),
            csa_complaints: Some("csa-complaints@eco.de"),
        };
        let mut top = Vec::new();
        assert_eq!(fields.write(&mut top), Ok(()));
        assert_eq!(
            String::from_utf8_lossy(&top),
            "List-Help: <https://x.example/help>\r\nList-Owner: <mailto:team@x.example>\r\nList-Post: NO\r\n\
             Feedback-ID: news:acme:marketing:acmemail\r\n\
             CFBL-Address: fbl@x.example; report=arf\r\nCFBL-Feedback-ID: TOKEN\r\nX-CSA-Complaints: csa-complaints@eco.de\r\n"
        );
        for name in ["list-help", "List-Owner", "List-Post", "Feedback-ID", "CFBL-Address", "CFBL-FEEDBACK-ID", "X-CSA-Complaints"] {
            assert!(fields.replace(name) && !Fields::default().replace(name), "{name}");
        }
        let broken = Fields { feedback_id: Some("a\r\nBcc: b"), ..Fields::default() };
        assert_eq!(broken.write(&mut Vec::new()), Err(RewriteError::Setting("Feedback-ID")));
    }
}
