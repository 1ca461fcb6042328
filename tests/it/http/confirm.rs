//! `/c/{token}`: the life of a confirmation link.

use consentry::consent::{Evidence, PressGrade, TopicStanding};
use jiff::SignedDuration;

use super::{BY_HAND, FORM, NAVIGATE, READ, SCANNER, World, sha256, stamp};

#[test]
fn looking_at_the_confirmation_page_confirms_nothing_and_the_button_does() {
    // L-DOI-03
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    for _ in 0..50 {
        assert_eq!((world.get(&link).status, world.ask("HEAD", &link, &[], None).status), (200, 200));
    }
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)));
    let page = world.get(&link).body;
    let shown = page.replace("&#x2f;", "/");
    for needle in
        ["ACME GmbH", "Wochenbrief", "Angebote", "E-Mail", "acme.example/privacy", "Hauptstraße 1", "value=\"yes\"", "value=\"no\""]
    {
        assert!(shown.contains(needle), "{needle} in {shown}");
    }
    let headers = [("content-type", FORM), NAVIGATE, BY_HAND, ("user-agent", "Firefox"), ("x-forwarded-for", "198.51.100.1, 203.0.113.9")];
    let once = world.ask("POST", &link, &headers, Some(&format!("answer=yes&stamp={}", stamp(&page)))).body;
    assert!(once.contains("role=\"alert\"") && matches!(world.standing("news"), TopicStanding::Requested(_)), "nobody reads that fast");
    let first = world.ask("POST", &link, &headers, Some(&format!("answer=yes&stamp={}", stamp(&once))));
    let second = world.press(&link, "yes");
    assert_eq!((first.status, second.status, &first.body), (200, 200, &second.body));
    assert!(first.body.contains("bestätigt"), "{}", first.body);
    assert_eq!(world.get(&link).body, first.body, "a later look shows the success");
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)) && matches!(world.standing("offers"), TopicStanding::Given(_)));

    //
    let given = world.events().pop().expect("one");
    let Some(Evidence::Confirmation(evidence)) = given.evidence else { panic!("no evidence") };
    assert_eq!((evidence.ip.as_deref(), evidence.user_agent.as_deref()), (Some("203.0.113.9"), Some("Firefox")));
    assert_eq!((evidence.method.as_str(), evidence.page_version.len(), evidence.token_id.len()), ("POST", 64, 64));
    assert!(!link.contains(&evidence.token_id));
    assert_eq!(evidence.page, page.replace(stamp(&page), ""), "the page that was shown");
    assert_eq!((evidence.page_version, evidence.grade), (sha256(&evidence.page), PressGrade::Hasty));
}

#[test]
fn a_browser_that_says_nothing_confirms_after_a_time_and_not_by_pressing_twice() {
    // GDPR Art. 7(1): the evidence says no more than is known
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    let page = world.get(&link).body;
    let mut last = stamp(&page).to_owned();
    for n in 0..4 {
        let again = world.post(&link, FORM, &format!("answer=yes&stamp={last}")).body;
        assert!(again.contains("role=\"alert\"") && matches!(world.standing("news"), TopicStanding::Requested(_)), "{n}");
        last = stamp(&again).to_owned();
    }
    let (_, token) = link.split_once("/c/").expect("a link");
    let read = world.stamp_of(&link, &format!("confirm {token} {}", sha256(&page.replace(stamp(&page), ""))), READ);
    assert_eq!(world.post(&link, FORM, &format!("answer=yes&stamp={read}")).status, 200);
    let Some(Evidence::Confirmation(evidence)) = world.events().pop().expect("one").evidence else { panic!("no evidence") };
    assert!(evidence.grade == PressGrade::Unclear && evidence.dwell_ms >= 1_000);
}

#[test]
fn no_is_as_easy_as_yes_and_voids_the_link() {
    // S1-17
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    let answer = world.press(&link, "no");
    assert!(answer.status == 200 && answer.body.contains("Sie erhalten nichts"), "{}", answer.body);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
    let late = world.press(&link, "yes");
    assert!(late.status == 410 && late.body.contains("melden Sie sich bitte neu an"), "{}", late.body);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
}

#[test]
fn a_link_that_cannot_be_confirmed_says_what_to_do() {
    // L-DOI-04
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_hours(8 * 24));
    for answer in [world.get(&link), world.press(&link, "yes")] {
        assert!(answer.status == 410 && answer.body.contains("abgelaufen") && answer.body.contains("neu an"), "{}", answer.body);
    }
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)));
    for path in ["/c/x", "/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        for answer in [world.get(path), world.post(path, FORM, "answer=yes"), world.post(path, FORM, "answer=no")] {
            assert!(answer.status == 404 && answer.body.contains("ganzen Link"), "{path}: {}", answer.body);
        }
    }
}

#[test]
fn the_link_asks_once_and_the_first_answer_stands() {
    // S1-17: whoever wants to stop what was confirmed has the link of every mail for it (L-CON-03)
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    assert_eq!(world.press(&link, "yes").status, 200);
    let late = world.press(&link, "no");
    assert!(late.status == 200 && late.body.contains("bestätigt"), "{}", late.body);
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));

    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    assert_eq!(world.press(&link, "no").status, 200);
    let events = world.events().len();
    for answer in [world.press(&link, "no"), world.press(&link, "yes"), world.get(&link)] {
        assert!(answer.status == 410 && answer.body.contains("Das letzte Wort"), "{}", answer.body);
    }
    assert_eq!(world.events().len(), events);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
}

#[test]
fn a_no_to_a_strangers_sign_up_leaves_the_own_consent_alone() {
    // S1-17
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_hours(48));
    assert_eq!(world.press(&link, "yes").status, 200);
    let again = world.signed_up(SignedDuration::from_mins(2));
    assert_ne!(again, link);
    assert_eq!(world.press(&again, "no").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
    assert_eq!(world.get(&link).status, 200, "what was confirmed is in force");
}

#[test]
fn a_browser_with_a_name_beyond_ascii_is_evidence_too() {
    //
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    assert_eq!(world.choose_as(&[("user-agent", "Füchslein/1.0")], &link, "answer=yes").status, 200);
    let Some(Evidence::Confirmation(evidence)) = world.events().pop().expect("one").evidence else { panic!("no evidence") };
    assert_eq!(evidence.user_agent.as_deref(), Some("Füchslein/1.0"));
}

#[test]
fn only_the_buttons_confirm() {
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    for (kind, body) in [(FORM, "answer=maybe"), ("application/json", "{}"), ("text/plain", "answer=yes")] {
        assert_eq!(world.post(&link, kind, body).status, 400, "{kind} {body}");
    }
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)));
}

#[test]
fn what_scripts_and_blind_posts_send_confirms_and_refuses_nothing() {
    // L-DOI-03; PEERS.md section 3, number 3: a scanner that submits the page's form
    let [_, chromium, navigate] = SCANNER;
    let world = World::new();
    let link = world.signed_up(SignedDuration::from_mins(5));
    let other = world.get("/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").body;
    assert_eq!(stamp(&other), "");
    let page = world.get(&link).body;
    let (_, token) = link.split_once("/c/").expect("a link");
    let stamp = world.stamp_of(&link, &format!("confirm {token} {}", sha256(&page.replace(stamp(&page), ""))), READ);
    let forged = if stamp.starts_with('A') { stamp.replacen('A', "B", 1) } else { format!("A{}", &stamp[1..]) };
    for (name, headers, body) in [
        ("no stamp", vec![chromium, navigate, BY_HAND], "answer=yes".to_owned()),
        ("a forged stamp", vec![], format!("answer=yes&stamp={forged}")),
        ("form.submit() names no button", vec![chromium, navigate], format!("stamp={stamp}")),
        ("button.click() by a script", vec![chromium, navigate], format!("answer=yes&stamp={stamp}")),
        ("no by a script", vec![chromium, navigate], format!("answer=no&stamp={stamp}")),
        ("fetch()", vec![chromium, ("sec-fetch-mode", "cors")], format!("answer=yes&stamp={stamp}")),
        ("nothing at all", vec![], String::new()),
    ] {
        let headers: Vec<(&str, &str)> = headers.into_iter().chain([("content-type", FORM)]).collect();
        let answer = world.ask("POST", &link, &headers, Some(&body));
        assert!(answer.status == 200 && answer.body.contains("value=\"yes\""), "{name}: {} {}", answer.status, answer.body);
        assert!(matches!(world.standing("news"), TopicStanding::Requested(_)), "{name}");
    }
    let hand = [&SCANNER[..], &[BY_HAND]].concat();
    assert_eq!(world.ask("POST", &link, &hand, Some(&format!("answer=yes&stamp={stamp}"))).status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
}
