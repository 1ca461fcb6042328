//! The recipient's side in a real Chromium with scripts switched off: confirm, then unsubscribe (U-11, L-DOI-03).

use std::process::Command;

use serde_json::Value;

use super::newsletter;
use crate::client::Client;
use crate::environment;
use crate::peers::run_with_input;
use crate::sink::Sink;
use crate::world::{PUBLIC_URL, World, link};

const FROM: &str = "newsletter@acme.example";
const TO: &str = "olivia@people.example";

#[test]
fn a_person_confirms_and_unsubscribes_with_one_button_each_and_no_script() {
    let sink = Sink::start();
    let world = World::start(sink.address());
    let mut tool = Client::login(world.smtp, "news");
    world.sign_up(TO);

    let asked = press(&world, &link(&sink.wait_for(1)[0].message, "/c/"), "Ja, ich möchte sie");
    assert_eq!((asked["before"].as_str(), asked["after"].as_str()), (Some("Möchten Sie diese E-Mails?"), Some("Danke, das ist bestätigt")));
    assert_eq!(tool.send(FROM, TO, &newsletter(TO, 1)).0, 250);

    let left = press(&world, &link(&sink.wait_for(2)[1].message, "/u/"), "Unsubscribe from “Acme Neuigkeiten”");
    assert_eq!((left["before"].as_str(), left["after"].as_str()), (Some("Your e-mails from Acme GmbH"), Some("You are unsubscribed")));
    let (code, text) = tool.send(FROM, TO, &newsletter(TO, 2));
    assert!(code == 550 && text.contains("consent: withdrawn"), "{code} {text}");
    for page in [asked, left] {
        assert_eq!(page["hosts"], serde_json::json!([world.http.to_string()]), "nothing is fetched from elsewhere");
    }
}

/// What the person sees before and after pressing the button.
fn press(world: &World, page: &str, button: &str) -> Value {
    let url = page.replace(PUBLIC_URL, &format!("http://{}", world.http));
    let mut browser = Command::new("node");
    browser
        .arg(environment::peer_file("press.mjs"))
        .args([url.as_str(), button])
        .env("CONSENTRY_TEST_NODE_MODULES", environment::node_modules());
    serde_json::from_slice(&run_with_input(&mut browser, b"", true).stdout).unwrap()
}
