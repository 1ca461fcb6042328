//! The pages that operators work with.

use serde_json::{Value, json};

use super::Front;
use crate::client::Client;
use crate::sink::Sink;
use crate::trips::newsletter;
use crate::world::{PASSWORD, PUBLIC_URL, World, consentry, link};

const FROM: &str = "newsletter@acme.example";
const OLIVIA: &str = "olivia@people.example";
const SECRET: &str = "correct horse battery";

/// What somebody writes who wants to run a script in an operator's browser.
const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>alert(2)</script>";

/// A world with operators, a person with a history, and a blocked mail; its ref.
fn world(sink: &Sink) -> (World, String) {
    let world = World::start(sink.address());
    let config = world.dir.path().join("consentry.toml").display().to_string();
    for role in ["viewer", "compliance", "legal"] {
        consentry(&["user", "add-operator", "--config", &config, "--name", role, "--role", role], SECRET);
    }
    world.sign_up(OLIVIA);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    let mut tool = Client::login(world.smtp, "news");
    assert_eq!(tool.send(FROM, OLIVIA, &newsletter(OLIVIA, 1)).0, 250);
    let unsubscribe = link(&sink.wait_for(2)[1].message, "/u/");
    assert_eq!(world.choose(&unsubscribe, "choice=topic").status, 200);
    let (code, reply) = tool.send(FROM, OLIVIA, &hostile_newsletter());
    assert_eq!(code, 550, "{reply}");
    (world, reply)
}

/// Every field that may be shown somewhere says something hostile.
fn hostile_newsletter() -> Vec<u8> {
    let quoted = HOSTILE.replace('"', "\\\"");
    format!(
        "From: \"{quoted}\" <{FROM}>\r\nTo: <{OLIVIA}>\r\nSubject: {HOSTILE}\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n\
         Message-ID: <hostile.1@acme.example>\r\nList-Id: {HOSTILE} <x.acme.example>\r\nConsentry-Campaign: {HOSTILE}\r\n\
         X-Mailer: {HOSTILE}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{HOSTILE}\r\n"
    )
    .into_bytes()
}

fn reference(reply: &str) -> &str {
    reply.rsplit_once("ref=").unwrap().1.trim()
}

/// The id of rules that watch the newsletter only, which compliance had simulated.
fn proposed(world: &World) -> String {
    let (old, new) = (world.dir.path().join("consentry.toml"), world.dir.path().join("new.toml"));
    let text = std::fs::read_to_string(old).unwrap();
    std::fs::write(
        &new,
        text.replace("name = \"news\"\ncontroller = \"acme\"\nclass", "name = \"news\"\nmode = \"shadow\"\ncontroller = \"acme\"\nclass"),
    )
    .unwrap();
    let new = new.display().to_string();
    let told = consentry(&["simulate", "--config", &new, "--since", "30d", "--as", "compliance"], SECRET);
    told.lines().next().unwrap().strip_prefix("rules ").unwrap().to_owned()
}

fn subject(world: &World) -> String {
    world.decisions()[0]["subject"].as_str().unwrap().to_owned()
}

fn operator(name: &str) -> Value {
    json!({ "name": name, "password": SECRET })
}

#[test]
fn every_admin_page_is_accessible_and_runs_nothing_that_tools_wrote() {
    let sink = Sink::start();
    let (world, reply) = world(&sink);
    let front = Front::of(&world);
    let page = |name: &str, path: &str| json!({ "name": format!("admin-{name}"), "url": format!("{PUBLIC_URL}/admin{path}") });
    let passed = world.decisions()[1]["ref"].as_str().unwrap().to_owned();
    let person = format!("/subjects/{}", subject(&world));
    let mut evidence = page("evidence", &person);
    evidence["click"] = json!("form[action$='/evidence'] button");
    let mut rights = page("subject-rights", &person);
    rights["open"] = json!("details:has(form[action$='/erasure'])");
    let mut erased = page("erased", &person);
    erased["open"] = rights["open"].clone();
    erased["fill"] = json!("form[action$='/erasure'] input[name=reason]");
    erased["click"] = json!("form[action$='/erasure'] button");
    let watched = proposed(&world);
    let pages = [
        page("rules", "/rules"),
        page("rules-proposed", &format!("/rules/{watched}")),
        page("overview", "?range=24h"),
        page("decisions", "/decisions"),
        page("decisions-filtered", "/decisions?verdict=block&stream=news"),
        page("decisions-fault", "/decisions?from=yesterday"),
        page("decision-blocked", &format!("/decisions/{}", reference(&reply))),
        page("decision-passed", &format!("/decisions/{passed}")),
        page("subjects", "/subjects"),
        page("subject", &person),
        evidence,
        rights,
        page("audit", "/audit"),
        page("account", "/account"),
        page("search", "/search?q=nothing"),
        page("nothing-here", "/nothing"),
        erased,
    ];
    front.look_as(&operator("legal"), &pages, &["de", "en"], 200 * 1024);
    front.look_as(
        &operator("viewer"),
        &[page("not-for-role", "/audit"), page("decision-masked", &format!("/decisions/{passed}"))],
        &["en"],
        200 * 1024,
    );
    front.look(&[page("login", "/login")], &["de", "en"], 100 * 1024);
}

#[test]
fn printed_evidence_holds_the_mail_and_the_pages_in_full() {
    // R-02, L-DOI-07
    let sink = Sink::start();
    let (world, _) = world(&sink);
    let url = format!("{PUBLIC_URL}/admin/subjects/{}", subject(&world));
    let input = json!({ "url": url, "click": "form[action$='/evidence'] button", "operator": operator("legal") });
    let texts = Front::of(&world).browse("print.mjs", input);
    for (name, part) in [
        ("Confirmation mail, complete", "Auto-Submitted: auto-generated"),
        ("Page with the button as shown (HTML)", "<button name=\"answer\" value=\"yes\">"),
    ] {
        let text = texts.as_array().unwrap().iter().find(|text| text["name"] == name).unwrap_or_else(|| panic!("{name}: {texts}"));
        assert!(text["text"].as_str().unwrap().contains(part), "{text}");
        assert_eq!((&text["seen"], &text["whole"]), (&json!(true), &json!(true)), "{text}");
    }
}

#[test]
fn from_an_smtp_reply_to_the_evidence_by_one_search_and_two_clicks_on_the_keyboard() {
    // L-PRV-01
    let sink = Sink::start();
    let (world, reply) = world(&sink);
    let front = Front::of(&world);
    let go = |scripts: bool| {
        let steps = json!([
            { "tabTo": "Search", "type": reply.trim(), "press": "Enter" },
            { "tabTo": "To the person", "press": "Enter" },
            { "tabTo": "Evidence in full", "press": "Enter" },
        ]);
        let url = format!("{PUBLIC_URL}/admin");
        front.browse(
            "keyboard.mjs",
            json!({ "url": url, "steps": steps, "scripts": scripts, "language": "en", "operator": operator("legal") }),
        )
    };
    for scripts in [true, false] {
        let answer = go(scripts);
        assert_eq!(answer["visited"], json!(["Blocked: withdrawn", "Person", "Evidence"]), "scripts: {scripts}");
        assert_eq!(answer["unseen"], json!([]), "the focus can be seen everywhere");
    }
}

#[test]
fn the_log_shows_a_decision_as_it_is_taken() {
    let sink = Sink::start();
    let (world, _) = world(&sink);
    let smtp = json!({ "host": world.smtp.ip().to_string(), "port": world.smtp.port(), "user": "news", "pass": PASSWORD });
    let mail = json!({ "from": FROM, "to": "stranger@people.example", "subject": "News" });
    let seen = Front::of(&world).browse("live.mjs", json!({ "operator": operator("viewer"), "smtp": smtp, "mail": mail }));
    let reply = seen["reply"].as_str().unwrap();
    assert!(reply.starts_with("550 5.7.1 consent: no_consent ref="), "{reply}");
    assert!(seen["row"].as_str().unwrap().contains(&reference(reply)[..8]), "{seen}");
}
