//! The pages that recipients meet.

use serde_json::{Value, json};

use super::Front;
use crate::client::Client;
use crate::sink::Sink;
use crate::trips::newsletter;
use crate::world::{PUBLIC_URL, World, consentry, link};

const FROM: &str = "newsletter@acme.example";
const OLIVIA: &str = "olivia@people.example";

/// Links of each kind, as they come in mails.
struct Links {
    confirm: String,
    unsubscribe: String,
    access: String,
}

/// A world where Olivia is subscribed, somebody else is asked, and Olivia asked for her data.
fn world(sink: &Sink) -> (World, Links) {
    let world = World::start(sink.address());
    world.sign_up(OLIVIA);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    let mut tool = Client::login(world.smtp, "news");
    assert_eq!(tool.send(FROM, OLIVIA, &newsletter(OLIVIA, 1)).0, 250);
    let unsubscribe = link(&sink.wait_for(2)[1].message, "/u/");
    world.sign_up("paul@people.example");
    let confirm = link(&sink.wait_for(3)[2].message, "/c/");
    assert_eq!(world.choose(&unsubscribe, "choice=why").status, 200);
    let access = link(&sink.wait_for(4)[3].message, "/p/");
    (world, Links { confirm, unsubscribe, access })
}

/// The unsubscribe link of a mail that somebody got as a customer.
fn link_of_customer(world: &World, sink: &Sink) -> String {
    const CARL: &str = "carl@people.example";
    let path = |name: &str| world.dir.path().join(name).display().to_string();
    std::fs::write(path("notice.txt"), "Sie können der Werbung jederzeit widersprechen.").unwrap();
    let bought = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24)).to_string();
    let sale = ["--as", "erp", "--kind", "purchase", "--topics", "news", "--trigger", "sale", "--own-address", "--country", "DE"];
    let who = ["event", "--config", &path("consentry.toml"), "--controller", "acme", "--email", CARL];
    consentry(&[&who[..], &sale, &["--occurred", &bought, "--notice-file", &path("notice.txt")]].concat(), "");
    let before = sink.wait_for(0).len();
    assert_eq!(Client::login(world.smtp, "news").send(FROM, CARL, &newsletter(CARL, 7)).0, 250);
    link(&sink.wait_for(before + 1)[before].message, "/u/")
}

#[test]
fn every_page_is_accessible_small_and_fetches_nothing_from_elsewhere() {
    // WCAG 2.2 AA by axe-core; S1-17; public pages under 50 KB
    let sink = Sink::start();
    let (world, links) = world(&sink);
    let front = Front::of(&world);
    let page = |name: &str, url: &str| json!({ "name": name, "url": url });
    let mut pages = vec![
        page("subscribe", &format!("{PUBLIC_URL}/subscribe/weekly")),
        page("confirm", &links.confirm),
        page("confirm-unknown", &format!("{PUBLIC_URL}/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        page("unsubscribe", &links.unsubscribe),
        page("unsubscribe-unknown", &format!("{PUBLIC_URL}/u/x")),
        page("access", &links.access),
        page("access-unknown", &format!("{PUBLIC_URL}/p/x")),
        page("not-found", &format!("{PUBLIC_URL}/nothing")),
    ];
    front.look(&pages, &["de", "en"], 50 * 1024);

    // What a button answers. One after the other, on one person.
    let answer = |name: &str, url: &str, post: &str| json!({ "name": name, "url": url, "post": post });
    pages = [
        ("chosen-pause", "days=90&choice=pause"),
        ("chosen-no-tracking", "choice=no_tracking"),
        ("chosen-topic", "choice=topic"),
        ("chosen-topics", "choice=topics"),
        ("chosen-objection", "choice=objection"),
        ("chosen-undo", "choice=undo"),
        ("chosen-why", "choice=why"),
        ("invalid", "choice=x"),
    ]
    .map(|(name, post)| answer(name, &links.unsubscribe, post))
    .into();
    pages.push(answer("subscribe-faults", &format!("{PUBLIC_URL}/subscribe/weekly"), "email=x&consent=no"));
    pages.push(answer("check-mailbox", &format!("{PUBLIC_URL}/subscribe/weekly"), "website=robot"));
    pages.push(page("unsubscribe-paused", &links.unsubscribe));
    pages.push(page("access-objected", &links.access));
    pages.push(json!({ "name": "confirm-again", "url": links.confirm, "post": "answer=yes", "blind": true }));
    front.look(&pages, &["de", "en"], 50 * 1024);
    assert_eq!(world.confirm(&links.confirm).status, 200);
    front.look(&[page("confirmed", &links.confirm)], &["de"], 50 * 1024);
    let customer = link_of_customer(&world, &sink);
    front.look(&[page("unsubscribe-customer", &customer)], &["de", "en"], 50 * 1024);
    front.look(&[answer("chosen-customer", &customer, "choice=topic")], &["de", "en"], 50 * 1024);
    assert_eq!(world.ask("POST", &links.confirm, "answer=no", "application/x-www-form-urlencoded").status, 200);
    front.look(&[answer("declined", &links.confirm, "answer=no"), page("voided", &links.confirm)], &["de"], 50 * 1024);
}

#[test]
fn the_whole_way_works_with_the_keyboard_alone_and_without_scripts() {
    let sink = Sink::start();
    let (world, links) = world(&sink);
    let front = Front::of(&world);
    let go = |url: &str, steps: Value| front.browse("keyboard.mjs", json!({ "url": url, "steps": steps }));
    let mut seen = Vec::new();

    let form = format!("{PUBLIC_URL}/subscribe/weekly");
    let filled = go(
        &form,
        json!([
            { "tabTo": "Ihre E-Mail-Adresse", "type": "karl@people.example" },
            { "tabTo": "Ja, Acme GmbH darf", "press": " " },
            { "tabTo": "Anmelden", "press": "Enter" },
        ]),
    );
    assert_eq!(filled["headings"], json!(["E-Mails von Acme GmbH", "Bitte sehen Sie in Ihr Postfach"]));
    assert!(String::from_utf8_lossy(&sink.wait_for(5)[4].message).contains("To: karl@people.example"));
    seen.push(filled);
    let refused = go(&links.confirm, json!([{ "tabTo": "Nein, nichts senden", "press": "Enter" }]));
    assert_eq!(refused["headings"], json!(["Möchten Sie diese E-Mails?", "In Ordnung, Sie erhalten nichts"]));
    seen.push(refused);
    let paused = go(
        &links.unsubscribe,
        json!([{ "tabTo": "Pause machen", "press": " " }, { "tabTo": "1 Monat", "press": " " }, { "tabTo": "Pausieren", "press": "Enter" }]),
    );
    assert_eq!(paused["headings"][1], "Die Werbung pausiert");
    seen.push(paused);
    let left = go(&links.unsubscribe, json!([{ "tabTo": "„Acme Neuigkeiten“ abbestellen", "press": "Enter" }]));
    assert_eq!(left["headings"][1], "Sie sind abgemeldet");
    seen.push(left);
    for answer in seen {
        assert_eq!(answer["unseen"], json!([]), "the focus can be seen everywhere: {answer}");
        assert_eq!(answer["hosts"], json!(["consent.acme.example"]), "{answer}");
    }
    let mut tool = Client::login(world.smtp, "news");
    for (to, reason) in [(OLIVIA, "withdrawn"), ("paul@people.example", "withdrawn")] {
        let (code, text) = tool.send(FROM, to, &newsletter(to, 9));
        assert!(code == 550 && text.contains(reason), "{to}: {code} {text}");
    }
}

#[test]
fn a_scanners_day_changes_nothing() {
    // I6, L-DOI-03; PEERS.md section 3, numbers 1 to 3
    let sink = Sink::start();
    let (world, links) = world(&sink);
    let urls = [links.confirm, links.unsubscribe, links.access, format!("{PUBLIC_URL}/subscribe/weekly")];
    for round in 0..250 {
        let url = &urls[round % urls.len()];
        for method in ["GET", "HEAD", "OPTIONS", "GET"] {
            assert!(world.ask(method, url, "", "").status < 500, "{method} {url}");
        }
    }
    let day = Front::of(&world).browse("scanner.mjs", json!({ "urls": urls }));
    assert!(day["submitted"].as_u64().unwrap() > 80, "{day}");

    let mut tool = Client::login(world.smtp, "news");
    assert_eq!(tool.send(FROM, OLIVIA, &newsletter(OLIVIA, 2)).0, 250, "Olivia is still subscribed");
    let (code, text) = tool.send(FROM, "paul@people.example", &newsletter("paul@people.example", 1));
    assert!(code == 550 && text.contains("opt_in_pending"), "Paul has said neither yes nor no: {code} {text}");
    let (code, text) = tool.send(FROM, "scanner@people.example", &newsletter("scanner@people.example", 1));
    assert!(code == 550 && text.contains("no_consent"), "{code} {text}");
    assert_eq!(sink.wait_for(5).len(), 5, "no mail was sent but Olivia's newsletter");
}
