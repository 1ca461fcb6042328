//! `/u/{token}`: one click, the buttons, and everything that must change nothing.

use consentry::consent::{DecisionId, EventKind, Evidence, Source, SubjectId, TopicStanding};

use super::{FORM, World, body};

#[test]
fn get_and_head_never_unsubscribe_and_the_button_does() {
    // U-11, I6
    let world = World::new();
    let path = world.subscribed();
    let before = world.events().len();
    for round in 0..50 {
        assert_eq!((world.get(&path).status, world.ask("HEAD", &path, &[], None).status), (200, 200), "round {round}");
    }
    assert_eq!(world.events().len(), before);
    let page = world.get(&path).body;
    assert!(page.contains("Wochenbrief") && page.contains("ACME GmbH") && !page.contains("olivia"), "{page}");
    assert_eq!(page.matches("<form method=\"post\"").count(), 2);
    let result = world.post(&path, FORM, "scope=topic");
    assert!(result.status == 200 && result.body.contains("abgemeldet"), "{}", result.body);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
    assert!(matches!(world.standing("offers"), TopicStanding::Given(_)));
}

#[test]
fn one_click_works_in_every_encoding_and_may_be_repeated() {
    // U-08, U-09, U-10, U-13
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    for (kind, body) in [
        (FORM, "List-Unsubscribe=One-Click"),
        ("application/x-www-form-urlencoded; charset=UTF-8", "List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=b", multipart),
        ("text/plain;charset=UTF-8", "List-Unsubscribe=One-Click\r\n"),
    ] {
        let world = World::new();
        let path = world.subscribed();
        let first = world.post(&path, kind, body);
        assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)), "{kind}");
        assert!(matches!(world.standing("offers"), TopicStanding::Given(_)), "only the list of the link, {kind}");
        let events = world.events().len();
        let second = world.post(&path, kind, body);
        assert_eq!((first.status, second.status, &first.body), (200, 200, &second.body), "{kind}");
        assert_eq!(world.events().len(), events, "nothing more to record, {kind}");
        for answer in [first, second] {
            assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None));
            assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
        }
        let last = world.events().pop().expect("one");
        assert_eq!((last.kind, last.source), (EventKind::Withdrawn, Source::OneClick));
    }
}

#[test]
fn an_unrelated_body_changes_nothing() {
    // U-12
    let world = World::new();
    let path = world.subscribed();
    let before = world.events().len();
    for (kind, body, status) in [
        (FORM, "a=b", 400),
        (FORM, "", 400),
        (FORM, "List-Unsubscribe=one-click", 400),
        (FORM, "List-Unsubscribe=One-Click-Not", 400),
        (FORM, "scope=everything", 400),
        ("multipart/form-data; boundary=b", "no boundary here", 400),
        ("multipart/form-data", "--b--", 400),
        ("application/json", "{\"List-Unsubscribe\":\"One-Click\"}", 400),
        (FORM, &"x".repeat(9_000), 413),
    ] {
        let answer = world.post(&path, kind, body);
        assert_eq!((answer.status, answer.header("location")), (status, None), "{kind} {body:.40}");
    }
    assert_eq!(world.ask("PUT", &path, &[], Some("scope=all")).status, 405);
    assert_eq!(world.ask("DELETE", &path, &[], None).status, 405);
    assert_eq!(world.events().len(), before);
}

#[test]
fn all_advertising_can_be_stopped_at_once() {
    // L-OBJ-04
    let world = World::new();
    let path = world.subscribed();
    for round in 0..2 {
        let answer = world.post(&path, FORM, "scope=all");
        assert!(answer.status == 200 && answer.body.contains("Widerspruch"), "round {round}: {}", answer.body);
    }
    for topic in ["news", "offers", "unheard.of"] {
        assert!(matches!(world.standing(topic), TopicStanding::Objected(_)), "{topic}");
    }
    let last = world.events().pop().expect("one");
    assert_eq!((last.kind, last.source), (EventKind::Objected, Source::Page));
    let Some(Evidence::Choice(evidence)) = last.evidence else { panic!("no evidence") };
    assert_eq!(evidence.decision, Some(DecisionId([7; 16]).to_string()));
    assert_eq!(world.links().len(), 1, "no mail about it, only the one that asked for the confirmation (L-OBJ-08)");
}

#[test]
fn links_that_are_not_ours_all_get_the_same_answer() {
    // U-07, U-13
    let world = World::new();
    let path = world.subscribed();
    let mut flipped = path.clone().into_bytes();
    let last = flipped.len() - 3;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).expect("ASCII");
    let stranger = world.unsubscribe_path(SubjectId([9; 16]));
    let neutral = world.post("/u/x", FORM, "scope=topic").body;
    for path in ["/u/x", "/u/%00", &flipped, &path[..path.len() - 1], &stranger] {
        for body in ["List-Unsubscribe=One-Click", "scope=all"] {
            let answer = world.post(path, FORM, body);
            assert_eq!((answer.status, &answer.body), (404, &neutral), "{path}");
        }
    }
    for path in ["/u/x", &flipped] {
        assert_eq!((world.get(path).status, &world.get(path).body), (404, &neutral), "{path}");
    }
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
}

#[test]
fn webmail_may_post_from_the_browser() {
    // U-16
    let world = World::new();
    let path = world.subscribed();
    let ask = [("origin", "https://webmail.example"), ("access-control-request-method", "POST")];
    let preflight = world.ask("OPTIONS", &path, &ask, None);
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
    assert!(preflight.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
    let headers = [("origin", "https://webmail.example"), ("content-type", FORM)];
    let answer = world.ask("POST", &path, &headers, Some("List-Unsubscribe=One-Click"));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(world.get(&path).header("access-control-allow-origin"), None);
}

#[test]
fn a_trailing_slash_is_no_reason_to_redirect() {
    // U-10
    let world = World::new();
    let path = format!("{}/", world.subscribed());
    assert_eq!(world.get(&path).status, 200);
    assert_eq!(world.post(&path, FORM, "List-Unsubscribe=One-Click").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
}

#[test]
fn a_thousand_one_clicks_from_one_address_are_all_taken() {
    // U-15
    let world = World::new();
    let path = world.subscribed();
    for round in 0..1000 {
        assert_eq!(world.post(&path, FORM, "List-Unsubscribe=One-Click").status, 200, "round {round}");
    }
}

#[test]
fn pages_speak_the_visitors_language_or_that_of_the_controller() {
    let world = World::new();
    let path = world.subscribed();
    for (asked, lang, text) in [
        (None, "de", "Abmelden"),
        (Some("en-GB,en;q=0.9,de;q=0.5"), "en", "Unsubscribe"),
        (Some("de-AT"), "de", "Abmelden"),
        (Some("fr"), "de", "Abmelden"),
    ] {
        let headers: Vec<(&str, &str)> = asked.map(|asked| ("accept-language", asked)).into_iter().collect();
        let page = world.ask("GET", &path, &headers, None);
        assert!(page.body.contains(&format!("<html lang=\"{lang}\"")) && page.body.contains(text), "{asked:?}");
        assert_eq!(page.header("content-language"), Some(lang));
    }
}

#[test]
fn without_the_ledger_nothing_is_pretended() {
    let world = World::new();
    let path = world.subscribed();
    world.break_table("suppression");
    assert_eq!(world.get(&path).status, 200, "the page itself needs no ledger");
    for body in ["List-Unsubscribe=One-Click", "scope=all"] {
        let answer = world.post(&path, FORM, body);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("60")), "{body}");
    }
    world.break_table("opt_in");
    assert_eq!(world.get("/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").status, 503);
    let answer = world.api(&body(|_| {}));
    assert_eq!((answer.problem().0, answer.header("retry-after")), (503, Some("60")));
    assert_eq!((world.get("/healthz").status, world.get("/readyz").status), (200, 200));
    world.break_table("decision");
    assert_eq!((world.get("/healthz").status, world.get("/readyz").status), (200, 503));
}
