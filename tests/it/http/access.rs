//! `/p/{token}`: one's own data, for whoever proves to read the mailbox.

use consentry::consent::{Channel, EventKind, Evidence, RequestDoor, Right, TopicStanding};
use jiff::{SignedDuration, Timestamp};

use super::{BY_HAND, READ, SCANNER, World};

/// Olivia, subscribed; the unsubscribe link, and the link that was mailed on her "why did I get this?".
fn asked(world: &World) -> (String, String) {
    let path = world.subscribed();
    let answer = world.choose(&path, "choice=why");
    assert!(answer.status == 200 && answer.body.contains("Postfach"), "{}", answer.body);
    (path, mailed(world).pop().expect("a mail"))
}

pub(super) fn mailed(world: &World) -> Vec<String> {
    let mails = world.runtime.block_on(world.store.due_letters(Timestamp::now(), 100)).expect("read");
    let texts = mails.iter().map(|mail| {
        let parsed = mail_parser::MessageParser::default().parse(&mail.message).expect("a mail");
        assert_eq!(parsed.to().and_then(|to| to.first()).and_then(|to| to.address()), Some("olivia@example.org"));
        assert!(parsed.header("List-Unsubscribe").is_none() && parsed.header("Auto-Submitted").is_some());
        parsed.body_text(0).expect("text").into_owned()
    });
    texts.filter_map(|text| text.split_whitespace().find(|word| word.contains("/p/")).map(str::to_owned)).collect()
}

#[test]
fn the_mailbox_is_asked_before_anything_is_shown() {
    // PEERS.md section 3, number 17; GDPR Art. 15
    let world = World::new();
    let (path, link) = asked(&world);
    for page in [world.get(&path).body, world.choose(&path, "choice=why").body] {
        for secret in ["olivia", "198.51.100.7", "acme.example/newsletter", "Angebote per E-Mail"] {
            assert!(!page.contains(secret), "{secret} in {page}");
        }
    }
    assert_eq!(mailed(&world).len(), 1, "one mail in five minutes, however often it is asked");
    let page = world.get(&link);
    assert_eq!(page.status, 200);
    for needle in ["olivia@example.org", "Wochenbrief", "Angebote", "Angemeldet seit"] {
        assert!(page.body.contains(needle), "{needle} in {}", page.body);
    }
    assert_eq!(world.events().len(), 2, "looking is no event");
}

#[test]
fn why_names_basis_date_and_source() {
    // L-GDPR-01
    let world = World::new();
    let path = world.subscribed_with_decision();
    world.choose(&path, "choice=why");
    let page = world.get(&mailed(&world).pop().expect("a mail")).body;
    for needle in [
        "Sie haben sich für dieses Thema angemeldet",
        "§ 7 Abs. 2 Nr. 2 UWG; Art. 6 Abs. 1 lit. a, Art. 7 DSGVO",
        "https://acme.example/newsletter",
        "Neuigkeiten und Angebote per E-Mail senden",
    ] {
        assert!(page.contains(needle), "{needle} in {page}");
    }
    assert!(!page.contains("Die Person"), "it speaks to the reader: {page}");
}

#[test]
fn the_owner_of_the_mailbox_chooses_for_each_topic_and_agrees_to_measuring() {
    // L-TRK-06, I5
    let world = World::new();
    let (_, link) = asked(&world);
    let answer = world.choose(&link, "topic=offers&choice=topic");
    assert!(answer.status == 200 && answer.body.contains("Angebote"), "{}", answer.body);
    assert!(matches!(world.standing("offers"), TopicStanding::Withdrawn(_)) && matches!(world.standing("news"), TopicStanding::Given(_)));
    assert_eq!(world.choose(&link, "choice=tracking").status, 200);
    let last = world.events().pop().expect("one");
    assert_eq!((last.kind, last.channel, last.answers), (EventKind::Given, Channel::Tracking, Some(last.seq - 1)));
    // Art. 7(1): what exactly was agreed to, and how
    let Some(Evidence::Choice(choice)) = &last.evidence else { panic!("no evidence") };
    let agreed = choice.agreed.as_ref().expect("says what was agreed to");
    assert!(agreed.text.starts_with("Ich bin einverstanden, dass ACME GmbH misst, "), "{}", agreed.text);
    assert!(choice.decision.is_some());
    assert!(world.get(&link).body.contains("value=\"no_tracking\""));
    assert_eq!(world.choose(&link, "choice=pause&days=30").status, 200);
    assert_eq!(world.choose(&link, "choice=objection").status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Objected(_)));
    assert!(world.get(&link).body.contains("Widersprochen am"));
    let events = world.events().len();
    for body in ["choice=topic", "topic=elsewhere&choice=topic", "choice=undo", "choice=why", "choice=x", "", "topic=news"] {
        assert_eq!(world.choose(&link, body).status, 400, "{body}");
    }
    assert_eq!(world.events().len(), events);
}

#[test]
fn a_scanner_that_runs_the_forms_of_ones_own_page_chooses_nothing() {
    // I5; PEERS.md section 3, number 1
    let world = World::new();
    let (_, link) = asked(&world);
    let (_, token) = link.split_once("/p/").expect("a link");
    let waited = world.stamp_of(&link, &format!("access de {token}"), READ);
    let before = world.events().len();
    for body in ["topic=news&choice=topic", "choice=objection", "choice=pause&days=30", "choice=no_tracking", "choice=tracking"] {
        let answer = world.ask("POST", &link, &SCANNER, Some(&format!("{body}&stamp={waited}")));
        assert!(answer.status == 200 && answer.body.contains("role=\"alert\""), "{body}: {}", answer.body);
    }
    assert_eq!(world.events().len(), before);
    let hand = [&SCANNER[..], &[BY_HAND]].concat();
    assert_eq!(world.ask("POST", &link, &hand, Some(&format!("choice=objection&stamp={waited}"))).status, 200);
    assert!(matches!(world.standing("news"), TopicStanding::Objected(_)), "the stamp was good all the time");
}

#[test]
fn a_link_works_for_an_hour_and_a_foreign_one_not_at_all() {
    let world = World::new();
    let path = world.subscribed();
    let token = path.strip_prefix("/u/").expect("a link");
    let subscription = world.desk.subscription(token).expect("ours");
    let ago = Timestamp::now() - SignedDuration::from_mins(61);
    let language = consentry::consent::Language::DE;
    world.runtime.block_on(world.desk.ask_access(&subscription, language, ago)).expect("mailed");
    let link = mailed(&world).pop().expect("a mail");
    for answer in [world.get(&link), world.choose(&link, "choice=objection")] {
        assert!(answer.status == 410 && answer.body.contains("abgelaufen") && !answer.body.contains("olivia"), "{}", answer.body);
    }
    for path in ["/p/x", "/p/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        for answer in [world.get(path), world.choose(path, "choice=objection")] {
            assert!(answer.status == 404 && answer.body.contains("kennen wir nicht"), "{}", answer.body);
        }
    }
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));
}

#[test]
fn whoever_reads_the_mailbox_may_ask_for_what_a_person_has_to_do_and_is_told_by_when() {
    // L-DSR-01, GDPR Art. 12(3)
    let world = World::new();
    let (path, link) = asked(&world);
    let subject = world.subject().expect("known");
    let requests = || world.runtime.block_on(world.store.requests_of(subject, "acme")).expect("read");
    let kinds = || requests().iter().map(|request| (request.right, request.closed().is_some())).collect::<Vec<_>>();
    assert_eq!(kinds(), [(Right::Access, true)], "the link to the own data is an answer to a request");
    for _ in 0..2 {
        let answer = world.choose(&link, "choice=ask&right=erasure");
        assert!(answer.status == 200 && answer.body.contains("Ihre Anfrage ist eingetragen"), "{}", answer.body);
    }
    assert_eq!(kinds(), [(Right::Access, true), (Right::Erasure, false)], "asked twice, entered once");
    assert_eq!((requests()[1].door, requests()[1].steps[0].by.as_deref()), (RequestDoor::Page, None));
    for body in ["choice=ask", "choice=ask&right=access", "choice=ask&right=everything"] {
        assert_eq!(world.choose(&link, body).status, 400, "{body}");
    }
    assert_eq!(world.choose(&path, "choice=ask&right=erasure").status, 400, "a link that may have been forwarded asks for nothing");
    assert_eq!(world.choose(&link, "choice=objection").status, 200);
    assert_eq!(kinds().last(), Some(&(Right::Objection, true)));
}
