//! The footer as people see it: newsletters in Chromium, before and after; and mails in four languages of three scripts. The pictures
//! are left in `target/pictures/mails`.

use std::sync::Arc;

use consentry::compose::{Footers, Overrides, Words};
use consentry::consent::{Catalogue, Language, LegalBasis, Topic, TopicEntry};
use consentry::gateway::marketing;
use consentry::mail::Message;
use consentry::rewrite::{Fields, Plan, Reading, Trackers, rewrite};
use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::json;

use super::Front;
use crate::environment::{repository, tell};
use crate::sink::Sink;
use crate::templates::samples;
use crate::world::World;

const LINK: &str = "https://consent.acme.example/u/AQEHBwcHBwcHBwcHBwcHBwcHCQkJCQkJCQkJCQkJCQkJCQRuZXdzYWNtZQ";

/// A mail in a language of its own, in one charset and transfer encoding each.
fn in_languages() -> Vec<(String, Message)> {
    let html = |language: &str, direction: &str, title: &str, text: &str| {
        format!("<html lang=\"{language}\" dir=\"{direction}\"><body><h1>{title}</h1><p>{text}</p></body></html>")
    };
    let mails = [
        ("de", "iso-8859-1", html("de", "ltr", "Neue Lampen", "Für dunkle Tage: Lampen aus Köln, schön und günstig.")),
        ("en", "utf-8", html("en", "ltr", "New lamps", "For dark days – lamps that last.")),
        ("ja", "iso-2022-jp", html("ja", "ltr", "新しいランプ", "暗い日のための、長持ちするランプです。")),
        ("ar", "utf-8", html("ar", "rtl", "مصابيح جديدة", "مصابيح تدوم طويلا للأيام المظلمة.")),
    ];
    let mail = |(language, charset, html): (&str, &str, String)| {
        let octets = encoding_rs::Encoding::for_label(charset.as_bytes()).unwrap().encode(&html).0.into_owned();
        let head = format!(
            "From: Shop <news@shop.example>\r\nContent-Type: text/html; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        );
        let raw = [head.as_bytes(), &octets, b"\r\n"].concat();
        (format!("language-{language}"), Message::parse(raw, true).unwrap())
    };
    mails.into_iter().map(mail).collect()
}

/// Newsletters with HTML of the corpus beside the repository.
fn newsletters() -> Vec<(String, Message)> {
    let corpus = repository().join("../shared/corpus");
    let labels = std::fs::read_to_string(corpus.join("labels.tsv")).unwrap_or_default();
    let marketing = labels.lines().filter(|line| line.split('\t').nth(1) == Some("marketing") && line.starts_with("headers/"));
    let read = |line: &str| {
        let file = line.split('\t').next()?;
        let text = String::from_utf8_lossy(&std::fs::read(corpus.join(file)).ok()?).replace("\r\n", "\n").replace('\n', "\r\n");
        let message = Message::parse(text.into_bytes(), true).ok()?;
        let parsed = MessageParser::default().parse(message.raw())?;
        let has_html = parsed.html_body.iter().any(|part| parsed.parts[*part as usize].is_text_html());
        has_html.then(|| (file.trim_start_matches("headers/").trim_end_matches(".eml").to_owned(), message))
    };
    marketing.filter_map(read).take(20).collect()
}

#[test]
fn the_footer_is_seen_in_newsletters_of_many_kinds() {
    // U-46, S1-15
    let catalogue = Catalogue {
        controllers: vec![samples::controller()],
        topics: vec![TopicEntry {
            name: Topic::parse("news").unwrap(),
            controller: samples::controller().key,
            title: "Wochenbrief".into(),
            list_id: "news.acme.example".into(),
        }],
        forms: Vec::new(),
    };
    let words = Arc::new(Words::new(&catalogue, Overrides::default()).unwrap());
    let footers = Footers::new(&catalogue, &words).unwrap();
    let trackers = Trackers::new(&[]).unwrap();
    let mut mails = in_languages();
    let found = newsletters();
    if found.is_empty() {
        tell("SKIPPED in part: the corpus is not beside the repository (shared/corpus)");
    }
    mails.extend(found);
    let mut looked_at = Vec::new();
    for (name, message) in &mails {
        let reading = Reading::default();
        let language = footers.language(&samples::controller().key, reading.language(message, &trackers));
        if name == "language-en" {
            assert_eq!(language, Language::EN, "the language of the mail");
        }
        let footer = footers.filled(&catalogue.topics[0].name, Some(LegalBasis::ExistingCustomer), language, LINK).unwrap();
        let entry = TopicEntry { title: "News".into(), list_id: "news.acme.example".into(), ..catalogue.topics[0].clone() };
        let marketing = marketing(&entry, &footer, LINK, &trackers);
        let plan = Plan { on_top: b"", fields: Fields::default(), kept: &[], marketing: Some(marketing) };
        let copy = rewrite(message, &reading, &plan).unwrap();
        let html = |raw: &[u8]| match name.strip_prefix("language-") {
            // the parser knows fewer charsets than browsers
            Some(_) => {
                let parsed = MessageParser::default().parse(raw).unwrap();
                let charset = parsed.content_type().unwrap().attribute("charset").unwrap();
                let body = memchr::memmem::find(raw, b"\r\n\r\n").unwrap() + 4;
                encoding_rs::Encoding::for_label(charset.as_bytes()).unwrap().decode(&raw[body..]).0.into_owned()
            }
            None => MessageParser::default().parse(raw).unwrap().body_html(0).unwrap().into_owned(),
        };
        looked_at.push(json!({ "name": name, "before": html(message.raw()), "after": html(&copy) }));
    }
    let sink = Sink::start();
    let world = World::start(sink.address());
    let pictures = repository().join("target/pictures/mails");
    let results = Front::of(&world).browse("footers.mjs", json!({ "mails": looked_at, "pictures": pictures }));
    for result in results.as_array().unwrap() {
        let link = &result["link"];
        assert_eq!((&link["count"], &link["visible"]), (&json!(1), &json!(true)), "{result}");
        // as large as words are, and not off the screen
        let side = |name: &str| link["box"][name].as_f64().unwrap();
        assert!(side("height") >= 10.0 && side("width") >= 30.0 && side("x") >= 0.0 && side("x") < 700.0, "{result}");
    }
    tell(&format!("browser: the footer seen in {} mails", looked_at.len()));
}
