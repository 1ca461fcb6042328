//! The footer that every marketing mail gets (S1-15): who sends, why, how to stop, imprint.
//! Rendered once per topic, ground and language; a message only costs putting its link in.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::context;
use minijinja::value::Serde;

use super::mails::Mails;
use super::{ComposeError, Words};
use crate::consent::{Catalogue, Controller, Language, LegalBasis, TextVersion, Topic};

/// Stands where the link goes; cannot occur in a template or in the configuration.
const LINK: &str = "\u{1}";

/// All footers, ready but for the link.
#[derive(Debug)]
pub struct Footers {
    ready: HashMap<Topic, Vec<Footer>>,
    words: Arc<Words>,
}

/// Why the person gets the mail: what the footer says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// They asked for it.
    Consent,
    /// They are a customer. Each mail must say that they may object, for no more than the basic rate (UWG §7(3) no. 4).
    Customer,
    /// Neither.
    Other,
}

impl Ground {
    const ALL: [Ground; 3] = [Self::Consent, Self::Customer, Self::Other];

    fn of(basis: Option<LegalBasis>) -> Self {
        match basis {
            Some(LegalBasis::Consent) => Self::Consent,
            Some(LegalBasis::ExistingCustomer) => Self::Customer,
            _ => Self::Other,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Customer => "customer",
            Self::Other => "other",
        }
    }
}

#[derive(Debug)]
struct Footer {
    ground: Ground,
    language: Language,
    text: String,
    html: String,
    /// The same for a mail whose own words have the link.
    notice_text: String,
    notice_html: String,
    must_say: Vec<String>,
    unsubscribe_words: String,
    version: TextVersion,
}

impl Footer {
    /// All that a recipient may get of it, as one text.
    fn record(&self) -> String {
        let shown = |text: &str| text.replace(LINK, "{{ link }}");
        let texts = [&self.text, &self.html, &self.notice_text, &self.notice_html].map(|text| shown(text));
        ["text/plain", "text/html", "text/plain, where the mail has the link", "text/html, where the mail has the link"]
            .iter()
            .zip(texts)
            .map(|(name, text)| format!("--- {name}\n{}\n", text.trim_end()))
            .collect()
    }
}

/// A footer for one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled<'f> {
    /// As plain text, lines ended by LF.
    pub text: String,
    /// As one HTML element.
    pub html: String,
    /// Without a link, for a mail that has it in its own words.
    pub notice_text: String,
    /// The same as one HTML element.
    pub notice_html: String,
    /// A mail that says all of this in its own words, and has the link there, needs no footer.
    pub must_say: &'f [String],
    /// What a link to unsubscribe is called.
    pub unsubscribe_words: &'f str,
}

impl Footers {
    /// Renders the footers of all topics in all languages.
    pub fn new(catalogue: &Catalogue, words: &Arc<Words>) -> Result<Self, ComposeError> {
        let mails = Mails::new(words)?;
        let mut ready = HashMap::new();
        for topic in &catalogue.topics {
            let controller =
                catalogue.controller(&topic.controller).ok_or_else(|| ComposeError::Topic { topic: topic.name.to_string() })?;
            let render = |ground: Ground, language, extension, linked: bool| -> Result<String, ComposeError> {
                let values = context! {
                    controller => context! {
                        name => controller.name.as_str(),
                        imprint => Serde(controller.imprint.trim().lines().collect::<Vec<_>>()),
                        privacy_url => controller.privacy_url.as_str(),
                    },
                    topic => topic.title.as_str(),
                    ground => ground.as_str(),
                    link => LINK,
                    linked,
                };
                let footer = mails.render(controller, "footer", language, extension, values)?.into_output();
                let fault = |fault| format!("{}: {fault}", mails.path(controller, "footer", language, extension));
                let clause = words.text(Some(&controller.key), language, "footer.basic_rates", &minijinja::Value::UNDEFINED)?;
                lint(&footer, controller, ground, &clause, linked).map_err(|lacks| ComposeError::Templates(vec![fault(lacks)]))?;
                Ok(footer)
            };
            let languages = words.languages(Some(&controller.key)).iter();
            let variants = languages.flat_map(|&language| Ground::ALL.map(|ground| (ground, language)));
            let footer = |(ground, language)| {
                let mut must_say = vec![controller.name.clone()];
                must_say.extend(controller.imprint.trim().lines().map(str::to_owned));
                let own = |key| words.text(Some(&controller.key), language, key, &minijinja::Value::UNDEFINED);
                // GDPR Art. 21(4), L-OBJ-09
                must_say.push(own("footer.object")?);
                // L-SOFT-02
                if ground == Ground::Customer {
                    must_say.push(own("footer.basic_rates")?);
                }
                let words = own("footer.unsubscribe")?;
                let footer = Footer {
                    ground,
                    language,
                    text: render(ground, language, "txt", true)?,
                    html: render(ground, language, "html", true)?,
                    notice_text: render(ground, language, "txt", false)?,
                    notice_html: render(ground, language, "html", false)?,
                    must_say,
                    unsubscribe_words: words,
                    version: TextVersion::of(""),
                };
                Ok(Footer { version: TextVersion::of(&footer.record()), ..footer })
            };
            ready.insert(topic.name.clone(), variants.map(footer).collect::<Result<_, ComposeError>>()?);
        }
        Ok(Self { ready, words: Arc::clone(words) })
    }

    /// The language of the footer for a mail of `controller`: the first of the mail's own (`Content-Language`)
    /// that there is, else the controller's.
    pub fn language(&self, controller: &str, declared: Option<&str>) -> Language {
        self.words.served(Some(controller), declared.map(Language::ranges).unwrap_or_default())
    }

    /// Every footer as one text, to be kept: [`Footers::version`] names it.
    pub fn records(&self) -> impl Iterator<Item = String> {
        self.ready.values().flatten().map(Footer::record)
    }

    /// Which one a mail gets; `None` as for [`Footers::filled`].
    pub fn version(&self, topic: &Topic, basis: Option<LegalBasis>, language: Language) -> Option<TextVersion> {
        self.find(topic, basis, language).map(|footer| footer.version)
    }

    fn find(&self, topic: &Topic, basis: Option<LegalBasis>, language: Language) -> Option<&Footer> {
        let ground = Ground::of(basis);
        self.ready.get(topic)?.iter().find(|footer| footer.ground == ground && footer.language == language)
    }

    /// The footer with its link, which is made by [`super::PublicUrl::unsubscribe`]; `None` for a topic or a language that there
    /// is not.
    pub fn filled(&self, topic: &Topic, basis: Option<LegalBasis>, language: Language, link: &str) -> Option<Filled<'_>> {
        let footer = self.find(topic, basis, language)?;
        Some(Filled {
            text: footer.text.replace(LINK, link),
            html: footer.html.replace(LINK, link),
            // an operator's own may know no notice, and then has the link
            notice_text: footer.notice_text.replace(LINK, link),
            notice_html: footer.notice_html.replace(LINK, link),
            must_say: &footer.must_say,
            unsubscribe_words: &footer.unsubscribe_words,
        })
    }
}

/// Refuses an operator's footer that does not do a footer's job, or does another.
/// `clause` says that objecting costs no more than the basic rates (L-SOFT-02): "free of charge" was held insufficient.
fn lint(footer: &str, controller: &Controller, ground: Ground, clause: &str, linked: bool) -> Result<(), &'static str> {
    let seen = footer.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    let lower = footer.to_lowercase();
    match () {
        () if linked && !footer.contains(LINK) => Err("lacks {{ link }}: every advertising mail has a link to withdraw (S1-15)"),
        () if ground == Ground::Customer && !squeezed(&lower).contains(&squeezed(&clause.to_lowercase())) => {
            Err("lacks, where ground is \"customer\", that objecting costs no more than the basic rates (UWG s.7(3) no. 4, L-SOFT-02)")
        }
        () if !seen.contains(&controller.name) => Err("lacks {{ controller.name }}: every advertising mail names its sender (L-ID-02)"),
        () if controller.imprint.trim().lines().any(|line| !seen.contains(line)) => {
            Err("lacks a line of {{ controller.imprint }}: every advertising mail has the imprint (L-ID-02)")
        }
        // a colour of its own keeps it readable whatever the mail's styles say
        () if ["<script", "<img", "background", "url("].iter().any(|bad| lower.replace("background-color:", "").contains(bad)) => {
            Err("holds a script or an image: it would tell who reads (S1-16)")
        }
        () => Ok(()),
    }
}

/// Line ends may stand anywhere.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::{Kind, Overrides};
    use crate::consent::{Brand, TopicEntry};

    fn made(catalogue: &Catalogue, overrides: Overrides) -> Result<Footers, ComposeError> {
        Footers::new(catalogue, &Arc::new(Words::new(catalogue, overrides)?))
    }

    fn topic() -> Topic {
        Topic::parse("news.weekly").expect("valid")
    }

    fn catalogue() -> Catalogue {
        Catalogue {
            controllers: vec![Controller {
                key: "acme".into(),
                name: "Müller & Söhne".into(),
                imprint: "Hauptstraße 1\n12345 Musterstadt".into(),
                country: None,
                privacy_url: "https://acme.example/privacy".into(),
                language: Language::DE,
                from: "news@acme.example".into(),
                brand: Brand::default(),
                headers: Default::default(),
            }],
            topics: vec![TopicEntry {
                name: topic(),
                controller: "acme".into(),
                title: "Wochenbrief <neu>".into(),
                list_id: "w.acme.example".into(),
            }],
            forms: vec![],
        }
    }

    #[test]
    fn the_footer_names_sender_reason_link_and_imprint() {
        // L-ID-02, L-OBJ-03
        let (topic, catalogue) = (topic(), catalogue());
        let footers = made(&catalogue, Overrides::default()).expect("renders");
        let link = "https://mail.acme.example/u/TOKEN";
        for language in [Language::DE, Language::EN] {
            let consent = Some(LegalBasis::Consent);
            let text = footers.filled(&topic, consent, language, link).expect("configured").text;
            for needle in ["Müller & Söhne", "Wochenbrief <neu>", link, "Hauptstraße 1", "12345 Musterstadt"] {
                assert!(text.contains(needle), "{needle} in {text}");
            }
            let html = footers.filled(&topic, consent, language, link).expect("configured").html;
            for needle in
                ["Müller &amp; Söhne", "Wochenbrief &lt;neu&gt;", &format!("href=\"{link}\""), "Hauptstraße 1", "12345 Musterstadt"]
            {
                assert!(html.contains(needle), "{needle} in {html}");
            }
            assert!(!html.contains(LINK) && !html.contains("<script") && !html.contains("<img") && !html.contains("url("));
        }
        assert_eq!(footers.filled(&Topic::parse("other").expect("valid"), Some(LegalBasis::Consent), Language::DE, link), None);
        assert!(made(&Catalogue { controllers: vec![], ..catalogue }, Overrides::default()).is_err());
    }

    #[test]
    fn a_customer_is_told_what_objecting_costs_and_nobody_that_they_confirmed_who_did_not() {
        // L-SOFT-02
        let footers = made(&catalogue(), Overrides::default()).expect("renders");
        for (language, clause, confirmed) in [
            (Language::DE, "keine anderen als die Übermittlungskosten nach den Basistarifen", "bestätigt"),
            (Language::EN, "basic rates", "confirmed"),
        ] {
            for (basis, told, asked) in [
                (LegalBasis::Consent, false, true),
                (LegalBasis::ExistingCustomer, true, false),
                (LegalBasis::OptOut, false, false),
                (LegalBasis::None, false, false),
            ] {
                let filled = footers.filled(&topic(), Some(basis), language, "https://x.example").expect("configured");
                let text = filled.text.replace('\n', " ");
                // also where the mail has the link in its own words
                let notice = filled.notice_text.replace('\n', " ");
                assert!(!notice.contains("https://x.example") && !filled.notice_html.contains("https://x.example"), "{notice}");
                for footer in [text, filled.html, notice, filled.notice_html] {
                    assert_eq!((footer.contains(clause), footer.contains(confirmed)), (told, asked), "{basis:?}: {footer}");
                }
            }
        }
    }

    #[test]
    fn every_mail_from_the_first_says_apart_from_the_rest_that_one_may_object() {
        // L-OBJ-09, GDPR Art. 21(4)
        let footers = made(&catalogue(), Overrides::default()).expect("renders");
        let link = "https://mail.acme.example/u/TOKEN";
        for (language, right) in [(Language::DE, "jeder Werbung widersprechen"), (Language::EN, "object to all advertising")] {
            for basis in [LegalBasis::Consent, LegalBasis::ExistingCustomer, LegalBasis::OptOut, LegalBasis::None] {
                let filled = footers.filled(&topic(), Some(basis), language, link).expect("configured");
                let text = filled.text;
                let html = filled.html;
                for (footer, between) in [(text.replace("\r\n", "\n"), "\n\n"), (html, "<p")] {
                    let own: Vec<&str> = footer.split(between).filter(|part| part.contains(right)).collect();
                    let [own] = own[..] else { panic!("{basis:?}: {footer}") };
                    assert!(own.contains(link) && own.lines().count() <= 3, "a short paragraph with the link: {own}");
                    assert!(!own.contains("Hauptstraße") && !own.contains("Wochenbrief"), "and nothing else: {own}");
                }
            }
        }
    }

    #[test]
    fn a_mail_gets_the_footer_of_its_language_or_of_its_sender() {
        let footers = made(&catalogue(), Overrides::default()).expect("renders");
        for (declared, expected) in [
            (None, Language::DE),
            (Some("en-GB"), Language::EN),
            (Some("fr, en"), Language::EN),
            (Some("fr"), Language::DE),
            (Some("nonsense, of a header"), Language::DE),
        ] {
            assert_eq!(footers.language("acme", declared), expected, "{declared:?}");
        }
    }

    #[test]
    fn an_operators_footer_without_link_sender_or_imprint_is_refused() {
        // S1-15, L-ID-02
        const GOOD: &str =
            "{{ controller.name }}{% for line in controller.imprint %} {{ line }}{% endfor %} {{ link }} Basistarif basic rates";
        for (name, from, to, fault) in [
            ("footer.de.txt", "", "", None),
            ("footer.en.html", "", "", None),
            ("footer.de.txt", "{{ link }}", "", Some("acme/mail/footer.de.txt: lacks {{ link }}")),
            ("footer.de.html", "{{ controller.name }}", "", Some("acme/mail/footer.de.html: lacks {{ controller.name }}")),
            ("footer.en.txt", "{{ line }}", "", Some("acme/mail/footer.en.txt: lacks a line")),
            ("footer.de.html", "{{ link }}", "<img src=x>{{ link }}", Some("acme/mail/footer.de.html: holds a script or an image")),
            ("footer.de.html", "Basistarif", "kostenlos", Some("acme/mail/footer.de.html: lacks, where ground is")),
            ("footer.de.html", "{{ link }}", "{{ lnk }}", Some("undefined value")),
        ] {
            let mut overrides = Overrides::default();
            overrides.add(Some("acme"), Kind::Mail, name, if from.is_empty() { GOOD.to_owned() } else { GOOD.replace(from, to) });
            let made = made(&catalogue(), overrides).map_err(|error| error.to_string());
            match fault {
                None => assert!(made.is_ok(), "{made:?}"),
                Some(fault) => assert!(made.as_ref().is_err_and(|error| error.contains(fault)), "{fault} in {made:?}"),
            }
        }
    }
}
