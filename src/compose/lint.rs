//! What must not stand in a mail that is sent without consent. Judges a text; which texts those are is `letter`'s business.

use crate::consent::Controller;

/// Refuses what courts took for advertising in a confirmation mail (L-DOI-02): markup, images,
/// greetings, slogans, invitations, and any link besides its own, the privacy policy
/// and what the imprint holds. `Err` names the fault.
pub(super) fn lint(text: &str, link: &str, controller: &Controller) -> Result<(), String> {
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
        return Err("holds a link that is neither its own nor leads to privacy policy or imprint".to_owned());
    }
    match urls.iter().filter(|url| **url == link).count() {
        1 => Ok(()),
        count => Err(format!("holds its link {count} times instead of once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Brand, Language};

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

    #[test]
    fn advertising_is_refused() {
        // L-DOI-02, S4-09
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
            assert_eq!(lint(&text(more), link, &controller()).is_ok(), fine, "{more}");
        }
        assert!(lint("nothing to click", link, &controller()).is_err());
    }
}
