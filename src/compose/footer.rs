//! The footer that every marketing mail gets (S1-15): who sends, why, how to stop, imprint.
//! Rendered once per topic and language; a message only costs putting its link in.

use std::collections::HashMap;

use minijinja::context;
use minijinja::value::Serde;

use super::{ComposeError, templates};
use crate::consent::{Catalogue, Language, Topic};

/// Stands where the link goes; cannot occur in a template or in the configuration.
const LINK: &str = "\u{1}";

/// All footers, ready but for the link.
#[derive(Debug)]
pub struct Footers {
    ready: HashMap<Topic, [Footer; 2]>,
}

#[derive(Debug)]
struct Footer {
    text: String,
    html: String,
}

impl Footers {
    /// Renders the footers of all topics.
    pub fn new(catalogue: &Catalogue) -> Result<Self, ComposeError> {
        let templates = templates()?;
        let mut ready = HashMap::new();
        for topic in &catalogue.topics {
            let controller =
                catalogue.controller(&topic.controller).ok_or_else(|| ComposeError::Topic { topic: topic.name.to_string() })?;
            let context = context! {
                controller => context! {
                    name => controller.name.as_str(),
                    imprint => Serde(controller.imprint.trim().lines().collect::<Vec<_>>()),
                    privacy_url => controller.privacy_url.as_str(),
                },
                topic => topic.title.as_str(),
                link => LINK,
            };
            let render = |name| templates.get_template(name)?.render(&context);
            let de = Footer { text: render("footer.de.txt")?, html: render("footer.de.html")? };
            let en = Footer { text: render("footer.en.txt")?, html: render("footer.en.html")? };
            ready.insert(topic.name.clone(), [de, en]);
        }
        Ok(Self { ready })
    }

    /// The footer as plain text, lines ended by LF; `None` for a topic that is not configured.
    /// `link` is made by [`super::PublicUrl::unsubscribe`].
    pub fn text(&self, topic: &Topic, language: Language, link: &str) -> Option<String> {
        Some(self.footer(topic, language)?.text.replace(LINK, link))
    }

    /// The footer as one HTML element.
    pub fn html(&self, topic: &Topic, language: Language, link: &str) -> Option<String> {
        Some(self.footer(topic, language)?.html.replace(LINK, link))
    }

    fn footer(&self, topic: &Topic, language: Language) -> Option<&Footer> {
        let [de, en] = self.ready.get(topic)?;
        Some(match language {
            Language::De => de,
            Language::En => en,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Controller, TopicEntry};

    #[test]
    fn the_footer_names_sender_reason_link_and_imprint() {
        let topic = Topic::parse("news.weekly").expect("valid");
        let catalogue = Catalogue {
            controllers: vec![Controller {
                key: "acme".into(),
                name: "Müller & Söhne".into(),
                imprint: "Hauptstraße 1\n12345 Musterstadt".into(),
                privacy_url: "https://acme.example/privacy".into(),
                language: Language::De,
                from: "news@acme.example".into(),
            }],
            topics: vec![TopicEntry {
                name: topic.clone(),
                controller: "acme".into(),
                title: "Wochenbrief <neu>".into(),
                list_id: "w.acme.example".into(),
            }],
            forms: vec![],
        };
        let footers = Footers::new(&catalogue).expect("renders");
        let link = "https://mail.acme.example/u/TOKEN";
        for language in [Language::De, Language::En] {
            let text = footers.text(&topic, language, link).expect("configured");
            for needle in ["Müller & Söhne", "Wochenbrief <neu>", link, "Hauptstraße 1", "12345 Musterstadt"] {
                assert!(text.contains(needle), "{needle} in {text}");
            }
            let html = footers.html(&topic, language, link).expect("configured");
            for needle in
                ["Müller &amp; Söhne", "Wochenbrief &lt;neu&gt;", &format!("href=\"{link}\""), "Hauptstraße 1", "12345 Musterstadt"]
            {
                assert!(html.contains(needle), "{needle} in {html}");
            }
            assert!(!html.contains(LINK) && !html.contains("<script") && !html.contains("<img") && !html.contains("background"));
        }
        assert_eq!(footers.text(&Topic::parse("other").expect("valid"), Language::De, link), None);
        assert!(Footers::new(&Catalogue { controllers: vec![], ..catalogue }).is_err());
    }
}
