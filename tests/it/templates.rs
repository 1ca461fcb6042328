//! Every page in every language with every sample: it renders, its tags balance, and it holds no
//! script, no style of its own and nothing from elsewhere. (The mail templates are tested in `compose`.)

use consentry::consent::{Controller, Language};
use consentry::http::{Content, Page, Pages};

fn controller() -> Controller {
    Controller {
        key: "acme".into(),
        name: "Müller & <Söhne> GmbH".into(),
        imprint: "Hauptstraße 1\n12345 Musterstadt\nHRB 1 \"x\"".into(),
        privacy_url: "https://acme.example/privacy".into(),
        language: Language::De,
        from: "news@acme.example".into(),
    }
}

fn samples() -> Vec<Content<'static>> {
    let topics = ["Wochenbrief", "<b>Angebote</b> & \"mehr\"", "ديك"];
    let of = |number: usize| Content {
        controller: "Müller & <Söhne> GmbH",
        privacy_url: if number == 1 { "" } else { "https://acme.example/privacy" },
        topics: topics[..number].to_vec(),
        day: "23 November 2026".into(),
        valid_days: 7,
        tracking: number == 3,
        stamp: "c3RhbXA".into(),
        again: number == 1,
        address: if number == 1 { String::new() } else { "o…@e….org".into() },
        paused_until: if number == 1 { String::new() } else { "23 December 2026".into() },
        chosen: "topic",
    };
    vec![of(1), of(3)]
}

/// What the pages are rendered to, with their names.
fn rendered() -> Vec<(String, String)> {
    let pages = Pages::new("/consent").expect("the templates parse");
    let mut all = Vec::new();
    for page in Page::ALL {
        for language in [Language::De, Language::En] {
            for controller in [Some(&controller()), None] {
                for (number, content) in samples().iter().enumerate() {
                    let name = format!("{} {} {} {number}", page.template(), language.as_str(), controller.is_some());
                    let html = pages.render(page, language, controller, content).unwrap_or_else(|error| panic!("{name}: {error:#}"));
                    all.push((name, html));
                }
            }
        }
    }
    all
}

/// The first tag that is not closed where it should be.
fn unbalanced(html: &str) -> Option<String> {
    const VOID: [&str; 5] = ["!doctype", "meta", "link", "br", "input"];
    let mut open: Vec<String> = Vec::new();
    for tag in html.split('<').skip(1) {
        let Some((inside, _)) = tag.split_once('>') else { return Some(tag.to_owned()) };
        let name: String = inside.trim_start_matches('/').split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        if inside.starts_with('/') {
            if open.pop().as_deref() != Some(name.as_str()) {
                return Some(inside.to_owned());
            }
        } else if !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    open.pop()
}

#[test]
fn every_page_renders_and_is_well_formed_with_every_sample() {
    for (name, html) in rendered() {
        assert_eq!(unbalanced(&html), None, "{name}: {html}");
    }
}

#[test]
fn no_page_has_script_or_style_or_anything_from_elsewhere() {
    for (name, html) in rendered() {
        for bad in ["<script", "style=", "<style", "<img", "onclick", "onload", "javascript:", " src=", "checked", "<b>", "<Söhne>"] {
            assert!(!html.contains(bad), "{name} has {bad}");
        }
        for reference in html.replace("&#x2f;", "/").split("href=\"").skip(1) {
            let own = reference.starts_with("/consent/assets/style.css?");
            assert!(own || reference.starts_with("https://acme.example/privacy\""), "{name}: {reference}");
        }
        assert!(html.contains("name=\"viewport\"") && html.contains("<h1>") && !html.contains("<h1></h1>"), "{name}");
    }
}

#[test]
fn every_page_names_its_language_and_speaks_it() {
    for (name, html) in rendered() {
        let german = html.contains("<html lang=\"de\"");
        assert_eq!(german, name.contains(" de "), "{name}");
        assert!(german || html.contains("<html lang=\"en\""), "{name}");
        let title = &html[html.find("<h1>").expect("has a heading")..];
        assert!(!title.contains("{%") && !title.contains("{{"), "{name}");
    }
}

#[test]
fn pages_of_a_controller_show_imprint_and_privacy_policy() {
    // DDG s.5, S1-14
    for (name, html) in rendered().iter().filter(|(name, _)| name.contains("true")) {
        assert!(html.contains("12345 Musterstadt") && html.contains("acme.example"), "{name}");
    }
}

#[test]
fn the_confirmation_page_offers_yes_and_no_alike() {
    // S1-17
    for (name, html) in rendered().iter().filter(|(name, _)| name.starts_with("confirm.html")) {
        assert_eq!(html.matches("<button name=\"answer\" value=").count(), 2, "{name}");
        assert_eq!(html.matches("<form").count(), 1, "{name}");
    }
}

#[test]
fn no_text_is_for_one_language_only() {
    let pages = Pages::new("").expect("the templates parse");
    for page in Page::ALL {
        let [de, en] = [Language::De, Language::En].map(|language| pages.render(page, language, None, &samples()[0]).expect("renders"));
        assert_ne!(de.replace("lang=\"de\"", "lang=\"en\""), en, "{page:?}");
    }
}
