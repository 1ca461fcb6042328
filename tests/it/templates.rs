//! Every page in every language with every sample: it renders, its tags balance, and it holds no
//! script, no style of its own and nothing from elsewhere. (The mail templates are tested in `compose`.)

pub(crate) mod samples;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use consentry::compose::{Kind, Logo, Overrides, Words};
use consentry::consent::{Brand, Catalogue, Color, Controller, Language};
use consentry::http::{Page, Pages};

use self::samples::{controller, samples};
use crate::environment::repository;

fn pages(path: &str, overrides: Overrides) -> Result<Pages, String> {
    let catalogue = Catalogue { controllers: vec![controller()], ..Catalogue::default() };
    let words = Arc::new(Words::new(&catalogue, overrides).map_err(|error| error.to_string())?);
    Pages::new(path, &catalogue, &words).map_err(|error| error.to_string())
}

/// What the pages are rendered to, with their names.
fn rendered() -> Vec<(String, String)> {
    let pages = pages("/consent", Overrides::default()).expect("the templates parse");
    let mut all = Vec::new();
    for page in Page::ALL {
        for language in [Language::DE, Language::EN] {
            for controller in [Some(&controller()), None] {
                for (number, content) in samples(page).iter().enumerate() {
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
pub(crate) fn unbalanced(html: &str) -> Option<String> {
    const VOID: [&str; 7] = ["!doctype", "meta", "link", "br", "input", "img", "source"];
    let mut open: Vec<String> = Vec::new();
    for tag in html.split('<').skip(1) {
        let Some((inside, _)) = tag.split_once('>') else { return Some(tag.to_owned()) };
        let name: String = inside.trim_start_matches('/').split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        if inside.starts_with('/') {
            if open.pop().as_deref() != Some(name.as_str()) {
                return Some(inside.to_owned());
            }
        } else if !VOID.contains(&name.as_str()) && !inside.ends_with('/') {
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
            let own = reference.starts_with("/consent/assets/") || reference.starts_with("/consent/p/x/data\"");
            assert!(own || reference.starts_with("https://acme.example/privacy\""), "{name}: {reference}");
        }
        // A piece for a website's own page has no frame.
        let framed = !name.starts_with("embed.html");
        assert!(!framed || html.contains("name=\"viewport\"") && html.contains("<h1>") && !html.contains("<h1></h1>"), "{name}");
    }
}

#[test]
fn every_page_names_its_language_and_speaks_it() {
    for (name, html) in rendered().into_iter().filter(|(name, _)| !name.starts_with("embed.html")) {
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
    for (name, html) in rendered().iter().filter(|(name, _)| name.contains("true") && !name.starts_with("embed.html")) {
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
    let pages = pages("", Overrides::default()).expect("the templates parse");
    for page in Page::ALL {
        let [de, en] = [Language::DE, Language::EN].map(|language| pages.render(page, language, None, &samples(page)[0]).expect("renders"));
        assert_ne!(de.replace("lang=\"de\"", "lang=\"en\""), en, "{page:?}");
    }
}

#[test]
fn every_text_is_used() {
    fn collect(dir: &Path, into: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => collect(&path, into),
                Some("html" | "rs") => into.push_str(&std::fs::read_to_string(&path).unwrap()),
                _ => {}
            }
        }
    }
    let mut using = String::new();
    for dir in ["src", "templates"] {
        collect(&repository().join(dir), &mut using);
    }
    fn leaves(prefix: &str, table: &toml::Table, into: &mut BTreeSet<String>) {
        for (key, value) in table {
            match value.as_table() {
                Some(inner) => leaves(&format!("{prefix}{key}."), inner, into),
                None => drop(into.insert(format!("{prefix}{key}"))),
            }
        }
    }
    let mut keys = BTreeSet::new();
    for file in std::fs::read_dir(repository().join("templates/text")).unwrap().map(Result::unwrap) {
        leaves("", &std::fs::read_to_string(file.path()).unwrap().parse().unwrap(), &mut keys);
    }
    keys.remove("language.name"); // for the operator
    assert!(keys.len() > 30);
    // By its name, or by one that is put together: `t("chosen." ~ chosen)`, `format!("admin.reason.{reason}")`.
    let is_put_together = |page: &str| using.contains(&format!("\"{page}.\" ~ ")) || using.contains(&format!("\"{page}.{{"));
    let together = |key: &str| key.rsplit_once('.').is_some_and(|(page, _)| is_put_together(page));
    let is_used = |key: &String| using.contains(&format!("\"{key}\"")) || together(key);
    let unused: Vec<_> = keys.iter().filter(|key| !is_used(key)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn a_language_written_from_right_to_left_is_shown_so() {
    let mut overrides = Overrides::default();
    let english = std::fs::read_to_string(repository().join("templates/text/en.toml")).unwrap();
    overrides.add(None, Kind::Text, "ar.toml", english.replace("Do you want", "هل تريد"));
    for name in ["access.ar.txt", "confirm.ar.txt", "footer.ar.txt", "footer.ar.html"] {
        overrides.add(None, Kind::Mail, name, "x".into());
    }
    let html = pages("", overrides).unwrap().render(
        Page::Confirm,
        Language::parse("ar").unwrap(),
        Some(&controller()),
        &samples(Page::Confirm)[0],
    );
    let html = html.unwrap();
    assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">") && html.contains("هل تريد"), "{html}");
}

#[test]
fn an_operators_page_serves_and_a_broken_one_is_refused_before_it_does() {
    // S1-17, L-OBJ-04
    const CONFIRM: &str = "{% set title = \"Ours\" %}<form method=\"post\"><input type=\"hidden\" name=\"stamp\" value=\"{{ stamp }}\"><button name=\"answer\" value=\"yes\">{{ t(\"confirm.yes\") }}</button>\
                           <button name=\"answer\" value=\"no\">{{ t(\"confirm.no\") }}</button></form>";
    const STAMP: &str = "<input type=\"hidden\" name=\"stamp\" value=\"{{ stamp }}\">";
    let own = |name| std::fs::read_to_string(repository().join("templates/web").join(name)).unwrap();
    for (controller_key, name, text, fault) in [
        (Some("acme"), "confirm.html", CONFIRM.to_owned(), None),
        (None, "confirm.html", CONFIRM.to_owned(), None),
        (
            Some("acme"),
            "confirm.html",
            CONFIRM.replace("=\"no\"", "=\"\""),
            Some("acme/web/confirm.html: lacks name=\"answer\" value=\"no\""),
        ),
        (Some("acme"), "confirm.html", CONFIRM.replace("confirm.no", "confirm.none"), Some("there is no text confirm.none")),
        (Some("acme"), "expired.html", "{{ adress }}".into(), Some("acme/web/expired.html in de: undefined value")),
        (None, "expired.html", "{{ adress".into(), Some("web/expired.html: syntax error")),
        (None, "expired.html", "{% if topics | length > 1 %}{{ x }}{% endif %}".into(), Some("web/expired.html in de: undefined value")),
        // No page gets what belongs to another.
        (None, "expired.html", "{{ form.url }}".into(), Some("web/expired.html in de: undefined value")),
        (None, "confirmed.html", "{{ access.address }}".into(), Some("web/confirmed.html in de: undefined value")),
        (None, "not_found.html", "{{ at | date }}".into(), Some("web/not_found.html in de: ")),
        (None, "chosen.html", "{% if chosen == \"undo\" %}{{ x }}{% endif %}".into(), Some("web/chosen.html in de: undefined value")),
        (None, "chosen.html", "{{ topics[0] }}".into(), Some("web/chosen.html in de: undefined value")),
        (None, "expired.html", "<p style=\"x\">".into(), Some("web/expired.html: holds  style=")),
        (None, "unsubscribe.html", "nothing".into(), Some("web/unsubscribe.html: lacks method=\"post\"")),
        // Without its stamp no button works, and one form without it is enough for one button.
        (
            Some("acme"),
            "confirm.html",
            CONFIRM.replace("name=\"stamp\"", "name=\"seal\""),
            Some("acme/web/confirm.html: has a form that lacks"),
        ),
        (None, "unsubscribe.html", own("unsubscribe.html").replacen(STAMP, "", 1), Some("web/unsubscribe.html: has a form that lacks")),
        (None, "access.html", own("access.html").replacen(STAMP, "", 1), Some("web/access.html: has a form that lacks")),
        (None, "chosen.html", own("chosen.html").replace(STAMP, ""), Some("web/chosen.html: has a form that lacks")),
        (None, "subscribe.html", own("subscribe.html").replace("{{ stamp }}", ""), Some("web/subscribe.html: has a form that lacks")),
        (None, "access.html", own("access.html").replace("\"objection\"", "\"\""), Some("lacks name=\"choice\" value=\"objection\"")),
        (None, "access.html", own("access.html").replace("name=\"topic\"", ""), Some("web/access.html: lacks name=\"topic\"")),
        (None, "subscribe.html", own("subscribe.html").replace("name=\"lang\"", ""), Some("web/subscribe.html: lacks name=\"lang\"")),
        (None, "embed.html", own("embed.html").replace("name=\"text\"", ""), Some("web/embed.html: lacks name=\"text\"")),
        (None, "expire.html", String::new(), Some("web/expire.html: there is no such page")),
        (None, "layout.html", "{{ content }}{{ nothing }}".into(), Some("undefined value")),
    ] {
        let mut overrides = Overrides::default();
        overrides.add(controller_key, Kind::Web, name, text);
        let made = pages("", overrides);
        match fault {
            None => {
                let html = made.expect(name).render(Page::Confirm, Language::DE, Some(&controller()), &samples(Page::Confirm)[0]).unwrap();
                assert!(
                    html.contains("<h1>Ours</h1>") && html.contains("Ja, ich möchte sie") && html.contains("12345 Musterstadt"),
                    "{html}"
                );
            }
            Some(fault) => assert!(made.as_ref().is_err_and(|error| error.contains(fault)), "{fault} in {:?}", made.err()),
        }
    }
}

#[test]
fn a_copy_of_every_page_may_serve() {
    let mut overrides = Overrides::default();
    for page in Page::ALL {
        let text = std::fs::read_to_string(repository().join("templates/web").join(page.template())).unwrap();
        overrides.add(Some("acme"), Kind::Web, page.template(), text);
    }
    assert_eq!(pages("", overrides).err(), None);
}

#[test]
fn every_page_with_its_stylesheet_is_small() {
    for (name, html) in rendered() {
        let bytes = html.len() + std::fs::metadata(repository().join("templates/web/style.css")).unwrap().len() as usize;
        assert!(bytes < 20 * 1024, "{name}: {bytes}");
    }
}

#[test]
fn the_stylesheet_knows_no_left_and_right_and_loads_nothing() {
    let style = std::fs::read_to_string(repository().join("templates/web/style.css")).unwrap();
    for bad in
        ["-left:", "-right:", " left:", " right:", "text-align: left", "text-align: right", "float:", "url(", "@import", "@font-face"]
    {
        assert!(!style.contains(bad), "{bad}");
    }
}

#[test]
fn what_pages_are_made_of_renders_is_well_formed_and_names_its_errors() {
    let pages = "{% from \"web/parts.html\" import icon, banner, field, checkbox, radios, chip, facts, more %}\
        {{ banner(\"check\", \"stored\") }}{{ chip(\"o…@x.example\") }}\
        {{ field(\"email\", \"<Address>\", type=\"email\", value=\"\\\"><script>\", hint=\"only this\", wrong=\"no address\") }}\
        {{ field(\"plain\", \"Plain\") }}{{ checkbox(\"agree\", \"I agree\", wrong=\"please tick\") }}\
        {{ radios(\"pause\", \"How long?\", [{\"value\": 1, \"label\": \"a month\"}, {\"value\": 3, \"label\": \"three\"}]) }}\
        {{ facts([{\"name\": \"Basis\", \"value\": \"consent\"}]) }}{% call more(\"Why?\") %}<p>because</p>{% endcall %}";
    let words = Arc::new(Words::new(&Catalogue::default(), Overrides::default()).unwrap());
    let mut templates = consentry::compose::environment(&words).unwrap();
    let parts = std::fs::read_to_string(repository().join("templates/web/parts.html")).unwrap();
    templates.add_template("web/parts.html", &parts).unwrap();
    templates.add_template("web/page.html", pages).unwrap();
    let html = templates.get_template("web/page.html").unwrap().render(()).unwrap();
    assert_eq!(unbalanced(&html), None, "{html}");
    for expected in [
        "<label for=\"email\">&lt;Address&gt;</label>",
        "value=\"&quot;&gt;&lt;script&gt;\"",
        "aria-describedby=\"email-hint email-error\" aria-invalid=\"true\"",
        "id=\"email-error\"",
        "aria-describedby=\"agree-error\" aria-invalid=\"true\"",
        "<legend>How long?</legend>",
        "<summary>Why?</summary>\n<p>because</p>",
        "<dt>Basis</dt><dd>consent</dd>",
    ] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
    // S1-13: nothing is chosen before the person comes
    assert!(!html.contains("checked") && !html.contains("describedby=\"plain"), "{html}");
    assert!(templates.render_named_str("x.html", "{% from \"web/parts.html\" import icon %}{{ icon(\"chekc\") }}", ()).is_err());
}

#[test]
fn a_branded_page_names_its_stylesheet_and_shows_the_logo() {
    let brand = Brand { accent: Color::parse("#7c2d92").unwrap(), logo: Some("logo.png".into()), ..Brand::default() };
    let branded = Controller { brand, ..controller() };
    let catalogue = Catalogue { controllers: vec![branded.clone()], ..Catalogue::default() };
    let mut overrides = Overrides::default();
    overrides.add_logo("acme", Logo::new("logo.png", b"\x89PNG\r\n\x1a\n".to_vec()).unwrap());
    let words = Arc::new(Words::new(&catalogue, overrides).unwrap());
    let pages = Pages::new("/consent", &catalogue, &words).unwrap();
    let html = pages.render(Page::Confirm, Language::DE, Some(&branded), &samples(Page::Confirm)[0]).unwrap();
    assert!(html.contains("<link rel=\"stylesheet\" href=\"/consent/assets/brand/acme.css?"), "{html}");
    assert!(html.contains("<img class=\"logo\" src=\"/consent/assets/brand/acme/logo.png?"), "{html}");
    assert!(html.contains("alt=\"Müller &amp; &lt;Söhne&gt; GmbH\""), "{html}");
}
