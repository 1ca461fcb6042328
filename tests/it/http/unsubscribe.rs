//! `/u/{token}`: one click, the buttons, and everything that must change nothing.

use consentry::consent::{Channel, DecisionId, EventKind, Evidence, Language, Reason, Source, SubjectId, TopicStanding};
use consentry::store::Store;
use jiff::Timestamp;

use super::{BY_HAND, FORM, READ, SCANNER, World, body};

#[test]
fn get_and_head_never_unsubscribe_and_the_button_does() {
    // U-11, I6, S0-08: no cookie and no login, one press
    let world = World::new();
    let path = world.subscribed();
    let before = world.events().len();
    for round in 0..50 {
        assert_eq!((world.get(&path).status, world.ask("HEAD", &path, &[], None).status), (200, 200), "round {round}");
    }
    assert_eq!(world.events().len(), before);
    let page = world.get(&path).body;
    assert!(page.contains("Wochenbrief") && page.contains("ACME GmbH") && !page.contains("olivia"), "{page}");
    assert!(page.contains("o…@e….org"), "the owner knows the mailbox by its mask: {page}");
    let result = world.choose(&path, "choice=topic");
    assert!(result.status == 200 && result.body.contains("abgemeldet"), "{}", result.body);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
    assert!(matches!(world.standing("offers"), TopicStanding::Given(_)));
}

#[test]
fn one_click_works_in_every_encoding_and_may_be_repeated() {
    // U-06, U-08, U-09, U-10, U-13
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
        (FORM, "choice=everything", 400),
        ("multipart/form-data; boundary=b", "no boundary here", 400),
        ("multipart/form-data", "--b--", 400),
        ("application/json", "{\"List-Unsubscribe\":\"One-Click\"}", 400),
        (FORM, &"x".repeat(9_000), 413),
    ] {
        let answer = world.post(&path, kind, body);
        assert_eq!((answer.status, answer.header("location")), (status, None), "{kind} {body:.40}");
    }
    assert_eq!(world.ask("PUT", &path, &[], Some("choice=objection")).status, 405);
    assert_eq!(world.ask("DELETE", &path, &[], None).status, 405);
    assert_eq!(world.events().len(), before);
}

#[test]
fn all_advertising_can_be_stopped_at_once() {
    // L-OBJ-04, S1-06
    let world = World::new();
    let path = world.subscribed();
    for round in 0..2 {
        let answer = world.choose(&path, "choice=objection");
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
fn who_got_a_mail_as_a_customer_objects_by_one_click() {
    // L-OBJ-04, RFC 8058 s.3.1
    use Reason::{DoiConsent, ExistingCustomer, NoConsent, NotSimilar, OptOutRegime, Shadow};
    for (reason, shadowed, all) in [
        (ExistingCustomer, None, true),
        (Shadow, Some(NotSimilar), true),
        (Shadow, Some(NoConsent), false),
        (DoiConsent, None, false),
        (OptOutRegime, None, false),
    ] {
        let world = World::new();
        let path = world.subscribed_with(reason, shadowed);
        for round in 0..2 {
            let answer = world.post(&path, FORM, "List-Unsubscribe=One-Click");
            assert_eq!((answer.status, answer.body.as_str()), (200, "unsubscribed\n"), "{reason} round {round}");
        }
        let last = world.events().pop().expect("one");
        assert_eq!((last.kind, last.source), (if all { EventKind::Objected } else { EventKind::Withdrawn }, Source::OneClick), "{reason}");
        assert_eq!(matches!(world.standing("offers"), TopicStanding::Objected(_)), all, "{reason} {shadowed:?}");
    }
    // a decision that cannot be read leaves what the link says
    let world = World::new();
    let path = world.subscribed_with(ExistingCustomer, None);
    world.break_table("decision");
    assert_eq!(world.post(&path, FORM, "List-Unsubscribe=One-Click").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)) && matches!(world.standing("offers"), TopicStanding::Given(_)));
}

#[test]
fn the_page_says_that_unsubscribing_as_a_customer_stops_all_advertising() {
    // L-OBJ-04
    for (language, before, after) in [
        (Language::DE, "als Kundin oder Kunde von", "gilt die Abmeldung als Widerspruch"),
        (Language::EN, "as a customer of", "counts as an objection"),
    ] {
        let world = World::new();
        world.subscribed_with(Reason::ExistingCustomer, None);
        let path = world.unsubscribe_path_in(world.subject().expect("known"), Some(language));
        assert!(world.get(&path).body.contains(before), "{}", world.get(&path).body);
        let page = world.choose(&path, "choice=topic").body;
        assert!(page.contains(after), "{page}");
        assert!(matches!(world.standing("offers"), TopicStanding::Objected(_)));
    }
    let world = World::new();
    let path = world.subscribed_with_decision();
    assert!(!world.get(&path).body.contains("als Kundin") && !world.choose(&path, "choice=topic").body.contains("als Kundin"));
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
    let neutral = world.post("/u/x", FORM, "choice=topic").body;
    for path in ["/u/x", "/u/%00", &flipped, &path[..path.len() - 1], &stranger] {
        for body in ["List-Unsubscribe=One-Click", "choice=objection"] {
            let answer = world.choose(path, body);
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
        (None, "de", "abbestellen"),
        (Some("en-GB,en;q=0.9,de;q=0.5"), "en", "Unsubscribe"),
        (Some("de-AT"), "de", "abbestellen"),
        (Some("fr"), "de", "abbestellen"),
    ] {
        let headers: Vec<(&str, &str)> = asked.map(|asked| ("accept-language", asked)).into_iter().collect();
        let page = world.ask("GET", &path, &headers, None);
        assert!(page.body.contains(&format!("<html lang=\"{lang}\"")) && page.body.contains(text), "{asked:?}");
        assert_eq!(page.header("content-language"), Some(lang));
    }
    let subject = world.subject().expect("known");
    let of_mail = |tag: &str| world.unsubscribe_path_in(subject, consentry::consent::Language::parse(tag));
    for (mail, lang) in [("en", "en"), ("de", "de"), ("fr", "de")] {
        let page = world.ask("GET", &of_mail(mail), &[("accept-language", "de")], None);
        assert_eq!(page.header("content-language"), Some(lang), "the mail's language, where there is one");
    }
}

#[test]
fn without_the_ledger_nothing_is_pretended() {
    let world = World::new();
    let path = world.subscribed();
    world.break_table("suppression");
    assert_eq!(world.get(&path).status, 200, "the page itself needs no ledger");
    for body in ["List-Unsubscribe=One-Click", "choice=objection"] {
        let answer = world.choose(&path, body);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("60")), "{body}");
    }
    world.break_table("opt_in");
    assert_eq!(world.get("/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").status, 503);
    let answer = world.api(&body(|_| {}));
    assert_eq!((answer.problem().0, answer.header("retry-after")), (503, Some("60")));
    // What decisions need: without it this gateway gets no work.
    for (table, ready) in [("opt_in", 200), ("suppression", 503), ("decision", 503)] {
        let world = World::new();
        assert_eq!(world.get("/readyz").status, 200);
        world.break_table(table);
        assert_eq!((world.get("/healthz").status, world.get("/readyz").status), (200, ready), "{table}");
    }
}

#[test]
fn all_topics_are_withdrawn_and_that_is_no_objection() {
    // L-OBJ-04
    let world = World::new();
    let path = world.subscribed();
    let answer = world.choose(&path, "choice=topics");
    assert!(answer.status == 200 && answer.body.contains("allen Themen abgemeldet"), "{}", answer.body);
    for topic in ["news", "offers"] {
        assert!(matches!(world.standing(topic), TopicStanding::Withdrawn(_)), "{topic}");
    }
    assert!(matches!(world.standing("unheard.of"), TopicStanding::Nothing));
}

#[test]
fn a_rest_and_no_measuring_are_one_button_each_and_the_link_says_only_no() {
    let world = World::new();
    let path = world.subscribed();
    let kinds = |world: &World| world.events().into_iter().skip(2).map(|event| (event.kind, event.channel)).collect::<Vec<_>>();
    assert_eq!(world.choose(&path, "choice=pause").status, 400, "for how long?");
    assert_eq!(world.choose(&path, "choice=pause&days=36500").status, 400, "not for ever");
    let paused = world.choose(&path, "days=90&choice=pause");
    assert!(paused.status == 200 && paused.body.contains("pausiert"), "{}", paused.body);
    let page = world.get(&path).body;
    // The link alone lets nothing flow again: the mail may have been forwarded.
    assert!(!page.contains("value=\"resume\"") && page.contains("pausiert bis"), "{page}");
    assert_eq!(world.choose(&path, "choice=resume").status, 400);
    assert_eq!(world.choose(&path, "days=90&choice=pause").status, 200, "pressing twice is one rest");
    assert_eq!(world.choose(&path, "choice=no_tracking").status, 200);
    assert_eq!(world.choose(&path, "choice=tracking").status, 400, "a link that may have been forwarded agrees to nothing (I5)");
    use EventKind::{Paused, Withdrawn};
    assert_eq!(kinds(&world), [(Paused, Channel::Email), (Withdrawn, Channel::Tracking)]);
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)), "consent to mail was never touched");
}

#[test]
fn nobody_grows_the_ledger_by_changing_their_mind_for_ever_and_a_no_is_never_too_much() {
    let world = World::new();
    let path = world.subscribed();
    let last =
        (0..40).map(|n| world.choose(&path, if n % 2 == 0 { "choice=pause&days=30" } else { "choice=pause&days=180" }).status).last();
    assert_eq!(last, Some(429));
    assert!(world.events().len() <= 2 + 20, "{}", world.events().len());
    assert_eq!(world.choose(&path, "choice=objection").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Objected(_)));
}

#[test]
fn a_scanner_that_runs_the_pages_forms_chooses_nothing_and_one_click_is_not_in_its_way() {
    // PEERS.md section 3, number 1
    let world = World::new();
    let path = world.subscribed();
    let waited = world.stamp_of(&path, &format!("unsubscribe {}", &path["/u/".len()..]), READ);
    let before = world.events().len();
    for body in
        ["choice=topic", "choice=topics", "choice=objection", "choice=pause&days=30", "choice=no_tracking", "choice=undo", "choice=why"]
    {
        let answer = world.ask("POST", &path, &SCANNER, Some(&format!("{body}&stamp={waited}")));
        assert!(answer.status == 200 && answer.body.contains("role=\"alert\"") && answer.body.contains("value=\"topic\""), "{body}");
    }
    assert_eq!((world.events().len(), world.links().len()), (before, 1), "no event and no mail");
    let fetched = [("content-type", FORM), ("sec-fetch-mode", "cors"), ("origin", "https://webmail.example")];
    assert_eq!(world.ask("POST", &path, &fetched, Some("List-Unsubscribe=One-Click")).status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)));
    let hand = [&SCANNER[..], &[BY_HAND]].concat();
    assert_eq!(world.ask("POST", &path, &hand, Some(&format!("choice=objection&stamp={waited}"))).status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Objected(_)), "the stamp was good all the time");
}

#[test]
fn undo_asks_the_owner_of_the_mailbox_and_nobody_else() {
    // I5, L-DOI-01
    let world = World::new();
    let path = world.subscribed_before(jiff::SignedDuration::from_hours(48));
    let done = world.choose(&path, "choice=topic").body;
    assert!(done.contains("value=\"undo\"") && done.contains("ACME GmbH darf mir per E-Mail Werbung senden zu: Wochenbrief"), "{done}");
    let answer = world.choose(&path, "choice=undo");
    assert!(answer.status == 200 && answer.body.contains("Fast rückgängig"), "{}", answer.body);
    assert!(answer.body.contains("höchstens eine solche E-Mail am Tag"), "L-DOI-05 may hold it back: {}", answer.body);
    assert!(matches!(world.standing("news"), TopicStanding::Requested(_)), "nothing is granted by the link");
    let (link, mail) = world.links().pop().expect("a confirmation mail");
    assert!(mail.contains("To: olivia@example.org"));
    assert_eq!(world.press(&link, "yes").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
    let asked = world.events().into_iter().rev().find(|event| event.kind == EventKind::Requested).expect("one");
    let Some(Evidence::Request(evidence)) = asked.evidence else { panic!("no evidence") };
    assert_eq!((asked.source, evidence.reported_by.as_str(), evidence.checkbox), (Source::Page, "unsubscribe page", None));
    assert!(done.contains(&evidence.consent_text), "what was next to the button");
}

#[test]
fn links_of_every_key_work_after_three_rotations() {
    // U-14; the gateway runs all the while and is told nothing: it meets the newer keys in the links
    let years = ["2021-11-01T00:00:00Z", "2023-05-01T00:00:00Z", "2026-10-01T00:00:00Z"].map(|at| at.parse::<Timestamp>().expect("a time"));
    for used in 0..=years.len() {
        let world = World::new();
        let first = world.subscribed();
        let subject = world.subject().expect("known");
        let later = years.map(|at| {
            Store::rotate_link_key(world.dir.path(), at, at).expect("rotated");
            world.unsubscribe_path(subject)
        });
        let links = [vec![first], later.to_vec()].concat();
        assert_eq!(links.iter().collect::<std::collections::HashSet<_>>().len(), 4, "each key signed one");
        assert_eq!(world.post(&links[used], FORM, "List-Unsubscribe=One-Click").status, 200, "key {}", used + 1);
        assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)), "key {}", used + 1);
    }
}

#[test]
fn a_key_that_waits_signs_nothing_yet_and_its_links_are_known() {
    let world = World::new();
    let subject = {
        world.subscribed();
        world.subject().expect("known")
    };
    let before = world.unsubscribe_path(subject);
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    Store::rotate_link_key(world.dir.path(), Timestamp::now(), ahead).expect("rotated");
    assert_eq!(world.unsubscribe_path(subject), before);
    world.desk.renew_links(ahead).expect("read");
    assert_eq!(world.get(&before).status, 200);
    // A file from the backup of before the rotation takes no key away, and another installation's is none of ours.
    let keys = world.dir.path().join("keys");
    let (whole, other) = (std::fs::read_to_string(&keys).expect("read"), World::new());
    let before_it: String = whole.lines().take(6).map(|line| format!("{}\n", line.replace("keys 2", "keys 1"))).collect();
    for (file, told) in [
        (before_it, "lacks a link key"),
        (std::fs::read_to_string(other.dir.path().join("keys")).expect("read"), "belongs to another ledger"),
    ] {
        std::fs::write(&keys, file).expect("written");
        let error = world.desk.renew_links(ahead).expect_err("refused").to_string();
        assert!(error.contains(told), "{error}");
        assert_eq!(world.get(&before).status, 200);
    }
    std::fs::write(&keys, whole).expect("written");
    // The file is lost: the keys that the gateway has stay in use, and no new ones are made.
    std::fs::rename(world.dir.path().join("keys"), world.dir.path().join("away")).expect("moved");
    assert!(world.desk.renew_links(ahead).is_err());
    assert_eq!(world.get(&before).status, 200);
    assert!(Store::rotate_link_key(world.dir.path(), ahead, ahead).is_err());
    assert!(!world.dir.path().join("keys").exists());
}
