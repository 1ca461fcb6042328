//! The confirmation mail of a double opt-in: says who asks and what for, and carries the link to the page with the button.

use minijinja::value::Serde;
use minijinja::{Value, context};

use super::ComposeError;
use super::letter::{Composer, Letter};
use crate::consent::OptIn;

/// What one confirmation mail says.
#[derive(Clone, Copy)]
pub struct ConfirmationRequest<'a> {
    /// From whom, to whom, with which link; its time is that of the sign-up.
    pub letter: Letter<'a>,
    /// Titles of the topics, as people read them.
    pub topics: &'a [&'a str],
    /// True when the person agreed to being measured, too: it is confirmed along (L-TRK-06).
    pub tracking: bool,
}

impl ConfirmationRequest<'_> {
    fn values(&self) -> Value {
        context! { topics => Serde(self.topics), tracking => self.tracking, valid_days => OptIn::LIFETIME.as_hours() / 24 }
    }
}

impl Composer {
    /// With a neutral topic: a title names what was asked for, so it may well say "discounts".
    pub(super) fn check_confirmation(&self, letter: Letter<'_>) -> Result<(), ComposeError> {
        let request = ConfirmationRequest { letter, topics: &["topic"], tracking: true };
        self.check_letter(letter, "confirm", request.values())
    }

    /// The mail, complete, lines ended by CRLF.
    pub fn confirmation(&self, request: &ConfirmationRequest<'_>) -> Result<String, ComposeError> {
        self.letter(request.letter, "confirm", request.values())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::compose::lint::lint;
    use crate::compose::{Kind, Overrides, Words};
    use crate::consent::{Brand, Catalogue, Controller, Language};
    use crate::mail::Address;

    fn composer(controller: &Controller, overrides: Overrides) -> Result<Composer, ComposeError> {
        let catalogue = Catalogue { controllers: vec![controller.clone()], ..Catalogue::default() };
        Composer::new(&catalogue, &Arc::new(Words::new(&catalogue, overrides)?))
    }

    fn controller() -> Controller {
        Controller {
            key: "acme".into(),
            name: "Müller & Söhne GmbH".into(),
            imprint: "Hauptstraße 1, 12345 Musterstadt\nhttps://acme.example/imprint".into(),
            country: None,
            privacy_url: "https://acme.example/privacy".into(),
            language: Language::DE,
            from: "newsletter@acme.example".into(),
            brand: Brand::default(),
            headers: Default::default(),
        }
    }

    fn request<'a>(controller: &'a Controller, to: &'a Address, language: Language) -> ConfirmationRequest<'a> {
        let letter = Letter {
            controller,
            to,
            link: "https://mail.acme.example/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            message_id: "<0123456789abcdef@acme.example>",
            at: "2026-11-23T09:05:00Z".parse().expect("valid"),
            language,
        };
        ConfirmationRequest { letter, topics: &["Wochenbrief", "Angebote für Gärtner"], tracking: false }
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
            assert_eq!(lint(&text, link, &controller()), Ok(()));
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
            (None, "confirm.en.txt", "{{ link }}", Some("mail/confirm.en.txt holds its link 2 times")),
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
                    let own = controller();
                    let request = request(&own, &to, Language::DE);
                    let (subject, text) = composer.text(request.letter, "confirm", request.values()).expect("renders");
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
