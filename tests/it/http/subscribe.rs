//! `/subscribe/{form}`: the hosted form, the same in a website's own page, and what robots meet.

use consentry::consent::{Channel, EventKind, Evidence, Source, TopicStanding};
use jiff::SignedDuration;

use super::{Answer, FORM, OLIVIA, READ, SCANNER, World, sha256, stamp};

const PATH: &str = "/subscribe/weekly";

/// Fills the form in as somebody does who saw it `ago`.
fn sign_up(world: &World, ago: SignedDuration, more: &str) -> Answer {
    world.post(PATH, FORM, &format!("lang=de&email=olivia%40example.org&website=&stamp={}{more}", stamp_of(world, ago)))
}

/// The stamp of the form as it would have been shown `ago`.
fn stamp_of(world: &World, ago: SignedDuration) -> String {
    let page = world.get(PATH).body;
    world.stamp_of(PATH, &format!("subscribe weekly de {}", sha256(&page.replace(stamp(&page), ""))), ago)
}

#[test]
fn the_form_asks_for_one_thing_with_an_unticked_box_and_names_what_the_law_wants() {
    // S1-08, S1-13, S1-14, S2-08, S2-09, S3-08, L-CON-02, L-CON-03, L-TRK-06
    let world = World::new();
    let page = world.get(PATH);
    assert_eq!((page.status, page.header("content-language")), (200, Some("de")));
    let html = page.body;
    assert_eq!(html.matches("<input").count(), 6, "address, two boxes, the trap, and two hidden ones: {html}");
    assert!(!html.contains("checked") && html.contains("type=\"email\""), "{html}");
    for needle in ["ACME GmbH darf mir per E-Mail Werbung senden zu: Wochenbrief", "jederzeit widerrufen", "https://acme.example/privacy"] {
        assert!(html.contains(needle), "{needle} in {html}");
    }
    let english = world.get(&format!("{PATH}?lang=en")).body;
    assert!(english.contains("<html lang=\"en\"") && english.contains("I can withdraw my consent"), "{english}");
    assert_eq!(world.get("/subscribe/nothing").status, 404);
}

#[test]
fn a_sign_up_starts_a_double_opt_in_with_the_form_as_evidence() {
    // S0-10, L-DOI-07
    let world = World::new();
    let bare = world.get(PATH).body;
    let bare = bare.replace(stamp(&bare), "");
    let answer = sign_up(&world, READ, "&consent=yes&tracking=yes");
    assert!(answer.status == 200 && answer.body.contains("sehen Sie in Ihr Postfach"), "{}", answer.body);
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)), "nothing is granted by the form");
    let events = world.events();
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.channel, event.source)).collect();
    use EventKind::Requested;
    assert_eq!(told, [(Requested, Channel::Email, Source::Form), (Requested, Channel::Tracking, Source::Form)]);
    let Some(Evidence::Request(evidence)) = &events[0].evidence else { panic!("no evidence") };
    assert_eq!((evidence.address.as_str(), evidence.checkbox, evidence.reported_by.as_str()), (OLIVIA, Some(true), "form weekly"));
    assert_eq!(evidence.form_url, format!("{}{PATH}", world.base));
    let form = evidence.form.as_ref().expect("the form");
    assert_eq!((form.name.as_str(), &form.page, &form.version), ("weekly", &bare, &sha256(&bare)));
    assert!(bare.contains(&evidence.consent_text) && bare.contains(evidence.tracking_text.as_deref().expect("ticked")));
    assert!(form.dwell_ms.is_some_and(|dwell| dwell >= 20_000));
    let (link, mail) = world.links().pop().expect("a mail");
    assert!(mail.contains("misst"), "the second consent is named: {mail}");
    assert_eq!(world.press(&link, "yes").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
}

#[test]
fn the_answer_is_the_same_for_every_address() {
    let world = World::new();
    let first = sign_up(&world, READ, "&consent=yes");
    let second = sign_up(&world, READ, "&consent=yes");
    assert_eq!((first.status, &first.body), (second.status, &second.body), "known or not, mailed or not");
    assert_eq!(world.links().len(), 1, "L-DOI-05");
}

#[test]
fn what_is_missing_is_told_at_its_field_and_nothing_typed_is_lost() {
    let world = World::new();
    let answer = sign_up(&world, READ, "");
    assert!(answer.status == 422 && answer.body.contains("id=\"consent-error\"") && answer.body.contains("value=\"olivia@example.org\""));
    assert!(!answer.body.contains("id=\"email-error\""), "{}", answer.body);
    let stamp = stamp_of(&world, READ);
    let answer = world.post(PATH, FORM, &format!("lang=de&consent=yes&email=%22%3E%3Cscript%3E&stamp={stamp}"));
    assert!(answer.status == 422 && answer.body.contains("id=\"email-error\"") && answer.body.contains(" checked"), "{}", answer.body);
    assert!(!answer.body.contains("<script"), "{}", answer.body);
    assert!(world.events().is_empty() && world.links().is_empty());
}

#[test]
fn robots_get_nowhere_and_learn_nothing() {
    let world = World::new();
    let told = sign_up(&world, READ, "&consent=yes").body;
    let quiet = World::new();
    let trapped = quiet.post(PATH, FORM, "lang=de&email=a%40b.example&consent=yes&website=http%3A%2F%2Fspam.example&stamp=x");
    assert_eq!((trapped.status, trapped.body), (200, told), "as if it had worked");
    for (name, answer) in [
        ("no stamp", quiet.post(PATH, FORM, "lang=de&email=a%40b.example&consent=yes")),
        ("a forged one", quiet.post(PATH, FORM, "lang=de&email=a%40b.example&consent=yes&stamp=AAAA")),
        ("too fast", sign_up(&quiet, SignedDuration::from_millis(100), "&consent=yes")),
        ("too old", sign_up(&quiet, SignedDuration::from_hours(25), "&consent=yes")),
    ] {
        assert!(
            answer.status == 200 && answer.body.contains("noch einmal") && answer.body.contains("type=\"email\""),
            "{name}: {}",
            answer.body
        );
        assert!(quiet.links().is_empty(), "{name}");
    }
    let waited = stamp_of(&quiet, READ);
    let body = format!("lang=de&email=olivia%40example.org&consent=yes&stamp={waited}");
    assert!(quiet.ask("POST", PATH, &SCANNER, Some(&body)).body.contains("noch einmal"));
    assert!(quiet.links().is_empty());
    // A person who was too fast presses once more and is taken.
    let again = quiet.choose(PATH, "lang=de&email=olivia%40example.org&consent=yes");
    assert!(again.body.contains("Postfach") && quiet.links().len() == 1, "{}", again.body);
}

#[test]
fn one_network_signs_up_only_so_many() {
    let world = World::new();
    let body = |n: usize| format!("lang=de&email=person{n}%40example.org&consent=yes&stamp={}", stamp_of(&world, READ));
    let from = |ip: &'static str| [("content-type", FORM), ("x-forwarded-for", ip)];
    let answers: Vec<u16> = (0..21).map(|n| world.ask("POST", PATH, &from("203.0.113.9"), Some(&body(n))).status).collect();
    assert_eq!((answers[..20].iter().all(|status| *status == 200), answers[20]), (true, 429));
    assert_eq!(world.ask("POST", PATH, &from("203.0.113.10"), Some(&body(30))).status, 200, "others are not stopped");
    assert_eq!(world.links().len(), 21);
}

#[test]
fn the_form_works_as_plain_html_in_a_websites_own_page() {
    let world = World::new();
    let embed = world.get(&format!("{PATH}/embed?lang=de"));
    assert_eq!(embed.header("content-type"), Some("text/plain; charset=utf-8"));
    let html = embed.body;
    assert!(html.contains(&format!("action=\"{}{PATH}\"", world.base)) && !html.contains("checked") && !html.contains("<html"), "{html}");
    let text = html.split("name=\"text\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("names its texts");
    let headers = [("content-type", FORM), ("referer", "https://acme.example/news"), ("origin", "https://acme.example")];
    let answer = world.ask("POST", PATH, &headers, Some(&format!("lang=de&text={text}&email=olivia%40example.org&consent=yes&website=")));
    assert!(answer.status == 200 && answer.body.contains("Postfach"), "{}", answer.body);
    let Some(Evidence::Request(evidence)) = world.events().remove(0).evidence else { panic!("no evidence") };
    assert_eq!(
        (evidence.form_url.as_str(), evidence.referrer.as_deref()),
        ("https://acme.example/newsletter", Some("https://acme.example/news"))
    );
    let form = evidence.form.expect("the form");
    assert_eq!((form.page.as_str(), form.dwell_ms), (html.as_str(), None));
    assert_eq!(form.origin.as_deref(), Some("https://acme.example"));
    let events = world.events().len();
    for path in [PATH, "/subscribe/hosted"] {
        let elsewhere = [("content-type", FORM), ("origin", "https://evil.example")];
        let body = format!("lang=de&text={text}&email=paul%40example.org&consent=yes&website=");
        let refused = world.ask("POST", path, &elsewhere, Some(&body));
        assert!(refused.status == 403 && !refused.body.contains("paul"), "{path}: {}", refused.body);
    }
    assert_eq!((world.events().len(), world.links().len()), (events, 1), "another site's form is not ours");
    let older = world.post(PATH, FORM, "lang=de&text=00&email=paul%40example.org&consent=yes");
    assert!(older.body.contains("noch einmal"), "a page with older texts is not taken for the present form");
    // What is mended on our page after a fault of the embedded form is sent from our page.
    let faulty = world.post(PATH, FORM, &format!("lang=de&text={text}&email=paul&consent=yes"));
    assert!(faulty.status == 422 && !stamp(&faulty.body).is_empty(), "{}", faulty.body);
    // A form that no page is named for is not embedded: its evidence would name the wrong page.
    assert_eq!(world.get("/subscribe/hosted/embed?lang=de").status, 404);
    let unnamed = world.post("/subscribe/hosted", FORM, &format!("lang=de&text={text}&email=paul%40example.org&consent=yes"));
    assert!(unnamed.body.contains("noch einmal"), "{}", unnamed.body);
}

#[test]
fn a_websites_server_may_name_the_form_instead_of_repeating_it() {
    let world = World::new();
    let body = |more: &str| {
        format!(
            "{{\"email\":\"{OLIVIA}\",\"form\":\"weekly\",\"form_url\":\"https://acme.example/app\",\"checkbox\":true,\"language\":\"en\"{more}}}"
        )
    };
    assert_eq!(world.api(&body(",\"tracking\":true")).status, 202);
    let events = world.events();
    assert_eq!((events.len(), events[0].source), (2, Source::Api));
    let Some(Evidence::Request(evidence)) = &events[0].evidence else { panic!("no evidence") };
    assert!(evidence.consent_text.starts_with("Yes, ACME GmbH may send me advertising by e-mail"), "{}", evidence.consent_text);
    assert_eq!(world.api(&body(",\"topics\":[\"news\"]")).problem(), (422, vec!["topics".to_owned()]));
    assert_eq!(world.api(&body("").replace("weekly", "daily")).problem(), (422, vec!["form".to_owned()]));
}
