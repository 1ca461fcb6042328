//! The confirmation mail of a double opt-in: says who asks and what for, carries one link, and
//! nothing that a court could call advertising (L-DOI-02, LG Stendal 22 S 87/20).

use std::sync::Arc;

use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};
use minijinja::context;
use minijinja::value::Serde;

use super::mails::Mails;
use super::{ComposeError, Words};
use crate::consent::{Catalogue, Controller, Language, OptIn};
use crate::mail::Address;

/// Composes confirmation mails.
#[derive(Debug)]
pub struct Composer {
    pub(super) mails: Mails,
}

/// What one confirmation mail says.
#[derive(Clone, Copy)]
pub struct ConfirmationRequest<'a> {
    /// Who asks.
    pub controller: &'a Controller,
    /// Who is asked.
    pub to: &'a Address,
    /// Titles of the topics, as people read them.
    pub topics: &'a [&'a str],
    /// True when the person agreed to being measured, too: it is confirmed along (L-TRK-06).
    pub tracking: bool,
    /// The link to the page with the button.
    pub link: &'a str,
    /// With angle brackets.
    pub message_id: &'a str,
    /// When the sign-up came in; the mail's Date.
    pub at: Timestamp,
    /// Language of the sign-up form; where there is no mail in it, that of the controller stands in.
    pub language: Language,
}

impl Composer {
    /// Checks that every controller of `catalogue` can send a lawful confirmation mail in every language it offers.
    pub fn new(catalogue: &Catalogue, words: &Arc<Words>) -> Result<Self, ComposeError> {
        let composer = Self { mails: Mails::new(words)? };
        for controller in &catalogue.controllers {
            composer.check(controller)?;
        }
        Ok(composer)
    }

    /// The mail, complete, lines ended by CRLF.
    pub fn confirmation(&self, request: &ConfirmationRequest<'_>) -> Result<String, ComposeError> {
        let (subject, text) = self.text(request)?;
        plain_mail(request.controller, request.to, request.message_id, request.at, subject, text)
    }

    /// Subject and text.
    fn text(&self, request: &ConfirmationRequest<'_>) -> Result<(String, String), ComposeError> {
        let controller = request.controller;
        let language = self.mails.words().served(Some(&controller.key), [request.language]);
        let values = context! {
            controller => context! {
                name => controller.name.as_str(),
                imprint => controller.imprint.trim(),
                privacy_url => controller.privacy_url.as_str(),
            },
            topics => Serde(request.topics),
            tracking => request.tracking,
            link => request.link,
            at => request.at.to_string(),
            valid_days => OptIn::LIFETIME.as_hours() / 24,
        };
        let rendered = self.mails.render(controller, "confirm", language, "txt", values)?;
        let subject = rendered.state().lookup("subject").map(|subject| subject.to_string()).unwrap_or_default();
        Ok((subject, rendered.into_output().trim_start().to_owned()))
    }

    /// With a neutral topic: a title names what was asked for, so it may well say "discounts".
    fn check(&self, controller: &Controller) -> Result<(), ComposeError> {
        let from_fault = || ComposeError::From { controller: controller.key.clone() };
        let from = Address::parse(&controller.from).map_err(|_| from_fault())?;
        if !["https://", "http://"].iter().any(|scheme| controller.privacy_url.starts_with(scheme)) {
            return Err(ComposeError::Privacy { controller: controller.key.clone() });
        }
        for &language in self.mails.words().languages(Some(&controller.key)) {
            let request = ConfirmationRequest {
                controller,
                to: &from,
                topics: &["topic"],
                tracking: true,
                link: "https://confirm.example/c/token",
                message_id: "<check@confirm.example>",
                at: Timestamp::UNIX_EPOCH,
                language,
            };
            let (subject, text) = self.text(&request)?;
            lint_confirmation(&format!("{subject}\n{text}"), request.link, controller).map_err(|fault| ComposeError::Lint {
                controller: controller.key.clone(),
                file: self.mails.path(controller, "confirm", language, "txt"),
                fault,
            })?;
            self.confirmation(&request)?;
            self.check_access(controller, &from, language)?;
        }
        Ok(())
    }
}

/// A mail of the gateway's own, plain text, complete, lines ended by CRLF.
pub(super) fn plain_mail(
    controller: &Controller,
    to: &Address,
    message_id: &str,
    at: Timestamp,
    subject: String,
    text: String,
) -> Result<String, ComposeError> {
    let from: lettre::Address = controller.from.parse().map_err(|_| ComposeError::From { controller: controller.key.clone() })?;
    // Our own grammar (RFC 5321, RFC 6531) has judged the recipient; lettre's is narrower.
    let to = lettre::Address::new_dangerous(to.local(), to.domain());
    let message = Message::builder()
        .from(Mailbox::new(Some(controller.name.clone()), from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .envelope(lettre::address::Envelope::new(Some(from), vec![to])?)
        .date(at.into())
        .message_id(Some(message_id.to_owned()))
        .subject(subject)
        // RFC 3834 s.5.1, M-64
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .singlepart(SinglePart::plain(text))?;
    // U-20: no List-* field, this mail is no list mail.
    String::from_utf8(message.formatted()).map_err(|_| ComposeError::Mail(lettre::error::Error::NonAsciiChars))
}

/// Refuses what courts took for advertising in a confirmation mail (L-DOI-02): markup, images,
/// greetings, slogans, invitations, and any link besides the one that confirms, the privacy policy
/// and what the imprint holds. `Err` names the fault.
pub fn lint_confirmation(text: &str, link: &str, controller: &Controller) -> Result<(), String> {
    const PHRASES: [&str; 14] = [
        "welcome",
        "willkommen",
        "herzlich",
        "schön, dass",
        "we are happy",
        "wir freuen",
        "discount",
        "rabatt",
        "gutschein",
        "voucher",
        "special offer",
        "follow us",
        "folgen sie uns",
        "questions?",
    ];
    let lower = text.to_lowercase();
    if let Some(phrase) = PHRASES.iter().find(|phrase| lower.contains(*phrase)) {
        return Err(format!("holds the phrase \"{phrase}\": no greeting and no advertising in it"));
    }
    for (mark, what) in [("<", "markup"), (">", "markup"), ("data:", "an image"), ("cid:", "an image"), ("utm_", "tracking")] {
        if lower.contains(mark) {
            return Err(format!("holds {what}: it must be plain text"));
        }
    }
    let allowed = |url: &str| url == link || url == controller.privacy_url || controller.imprint.contains(url);
    let urls: Vec<&str> = text
        .split_whitespace()
        .filter_map(|word| {
            word.find("://").map(|at| &word[word[..at].rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |end| end + 1)..])
        })
        .map(|url| url.trim_end_matches(['.', ',', ')', ';']))
        .collect();
    if urls.iter().any(|url| !allowed(url)) {
        return Err("holds a link that neither confirms nor leads to privacy policy or imprint".to_owned());
    }
    match urls.iter().filter(|url| **url == link).count() {
        1 => Ok(()),
        count => Err(format!("holds the confirmation link {count} times instead of once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::{Kind, Overrides};
    use crate::consent::Brand;

    fn composer(controller: &Controller, overrides: Overrides) -> Result<Composer, ComposeError> {
        let catalogue = Catalogue { controllers: vec![controller.clone()], ..Catalogue::default() };
        Composer::new(&catalogue, &Arc::new(Words::new(&catalogue, overrides)?))
    }

    fn controller() -> Controller {
        Controller {
            key: "acme".into(),
            name: "Müller & Söhne GmbH".into(),
            imprint: "Hauptstraße 1, 12345 Musterstadt\nhttps://acme.example/imprint".into(),
            privacy_url: "https://acme.example/privacy".into(),
            language: Language::DE,
            from: "newsletter@acme.example".into(),
            brand: Brand::default(),
        }
    }

    fn request<'a>(controller: &'a Controller, to: &'a Address, language: Language) -> ConfirmationRequest<'a> {
        ConfirmationRequest {
            controller,
            to,
            topics: &["Wochenbrief", "Angebote für Gärtner"],
            tracking: false,
            link: "https://mail.acme.example/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            message_id: "<0123456789abcdef@acme.example>",
            at: "2026-11-23T09:05:00Z".parse().expect("valid"),
            language,
        }
    }

    fn mail(to: &str, language: Language) -> String {
        let to = Address::parse(to).expect(to);
        composer(&controller(), Overrides::default())
            .expect("lawful")
            .confirmation(&request(&controller(), &to, language))
            .expect("composes")
    }

    #[test]
    fn the_mail_says_who_asks_what_for_when_and_how_long_and_nothing_else() {
        for (language, says) in [
            (Language::DE, ["Müller & Söhne GmbH", "Wochenbrief", "Angebote für Gärtner", "23.11.2026", "09:05", "7 Tage", "Impressum"]),
            (
                Language::EN,
                ["Müller & Söhne GmbH", "Wochenbrief", "Angebote für Gärtner", "23 November 2026", "09:05", "7 days", "Imprint"],
            ),
        ] {
            let mail = mail("olivia@example.org", language);
            let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).expect("parses");
            let text = parsed.body_text(0).expect("has text");
            for needle in says {
                assert!(text.contains(needle), "{needle} in {text}");
            }
            let link = "https://mail.acme.example/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
            assert_eq!(lint_confirmation(&text, link, &controller()), Ok(()));
        }
    }

    #[test]
    fn the_header_is_what_the_standards_want() {
        let mail = mail("olivia@example.org", Language::DE);
        let head = &mail[..mail.find("\r\n\r\n").expect("has a body")];
        for field in [
            "From: ",
            "To: olivia@example.org",
            "Date: Mon, 23 Nov 2026 09:05:00 +0000",
            "Message-ID: <0123456789abcdef@acme.example>",
            "Subject: ",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert_eq!(head.lines().filter(|line| line.starts_with(field)).count(), 1, "{field} in {head}");
        }
        assert!(!head.contains("List-") && !mail.to_lowercase().contains("<html"), "U-20, L-DOI-02");
        assert!(mail.is_ascii(), "no extension needed for an ASCII recipient");
        assert!(mail.lines().all(|line| line.len() <= 998) && !mail.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn every_address_we_take_can_be_written_to() {
        for to in ["\"a b\"@example.org", "grün@münchen.example", "a@[127.0.0.1]", "用户@例子.example", "a@localhost"] {
            let mail = mail(to, Language::EN);
            assert!(mail.contains(&format!("\r\nTo: {to}\r\n")), "{mail}");
        }
    }

    #[test]
    fn advertising_is_refused() {
        let link = "https://x.example/c/t";
        let text = |more: &str| format!("Please confirm:\n{link}\n{more}\n");
        for (more, fine) in [
            ("", true),
            ("Privacy policy: https://acme.example/privacy.", true),
            ("https://acme.example/imprint", true),
            ("Welcome to our family", false),
            ("Herzlich willkommen", false),
            ("<img src=x>", false),
            ("https://facebook.example/acme", false),
            ("https://acme.example/privacy?utm_source=doi", false),
            ("https://x.example/c/t", false),
            ("Questions? Call us", false),
        ] {
            assert_eq!(lint_confirmation(&text(more), link, &controller()).is_ok(), fine, "{more}");
        }
        assert!(lint_confirmation("nothing to click", link, &controller()).is_err());
    }

    #[test]
    fn a_controller_whose_own_texts_advertise_is_refused_at_start() {
        let refused = |change: fn(&mut Controller)| {
            let mut controller = controller();
            change(&mut controller);
            composer(&controller, Overrides::default()).is_err()
        };
        assert!(!refused(|_| {}));
        assert!(refused(|c| c.name = "ACME - 20 % Rabatt".into()));
        assert!(refused(|c| c.from = "nobody".into()));
        assert!(refused(|c| c.privacy_url = "javascript:alert(1)".into()));
    }
    #[test]
    fn an_operators_mail_is_sent_and_one_that_advertises_or_is_broken_is_refused_at_start() {
        let good = "{% set subject = \"Bestätigung\" %}\nBitte bestätigen ({{ at | date }}):\n{{ link }}\n{{ controller.imprint }}\n";
        for (controller_key, name, more, fault) in [
            (Some("acme"), "confirm.de.txt", "", None),
            (None, "confirm.de.txt", "", None),
            (Some("acme"), "confirm.de.txt", "Herzlich willkommen!", Some("acme/mail/confirm.de.txt holds the phrase")),
            (None, "confirm.de.txt", "<img src=x>", Some("mail/confirm.de.txt holds markup")),
            (None, "confirm.en.txt", "{{ link }}", Some("mail/confirm.en.txt holds the confirmation link 2 times")),
            (None, "confirm.de.txt", "{{ adress }}", Some("undefined value")),
            (None, "confirm.de.txt", "{{ adress", Some("mail/confirm.de.txt: syntax error")),
            (Some("acme"), "confirm.txt", "", Some("acme/mail/confirm.txt: is no mail")),
        ] {
            let mut overrides = Overrides::default();
            overrides.add(controller_key, Kind::Mail, name, format!("{good}{more}"));
            let made = composer(&controller(), overrides).map_err(|error| error.to_string());
            match fault {
                None => {
                    let composer = made.expect(name);
                    let to = Address::parse("a@x.example").expect("valid");
                    let (subject, text) = composer.text(&request(&controller(), &to, Language::DE)).expect("renders");
                    assert!(subject == "Bestätigung" && text.starts_with("Bitte bestätigen (23.11.2026):"), "{text}");
                }
                Some(fault) => assert!(made.as_ref().is_err_and(|error| error.contains(fault)), "{fault} in {made:?}"),
            }
        }
    }

    #[test]
    fn a_language_there_is_no_mail_in_gets_that_of_the_controller() {
        let welsh = mail("a@example.org", Language::parse("cy").expect("valid"));
        assert_eq!(welsh, mail("a@example.org", Language::DE));
        assert_ne!(welsh, mail("a@example.org", Language::EN));
    }
}
