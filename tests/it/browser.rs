//! The pages in a real Chromium: what people of two languages, two screens and two tastes see, what the keyboard reaches,
//! and what a mail scanner can do. The scripts are in `tests/browser`; the pictures are left in `target/pictures`.

mod admin;
mod footers;
mod public;

use std::process::Command;

use serde_json::{Value, json};

use crate::environment;
use crate::peers::certificate::Certificate;
use crate::peers::run_with_input;
use crate::world::World;

/// The public name, as in the links of mails.
const HOST: &str = "consent.acme.example";

/// A gateway behind a reverse proxy with TLS, as people reach it.
struct Front<'w> {
    world: &'w World,
    certificate: Certificate,
}

impl<'w> Front<'w> {
    fn of(world: &'w World) -> Self {
        Self { world, certificate: Certificate::for_host(HOST) }
    }

    /// Runs one of the scripts; its answer.
    fn browse(&self, script: &str, mut input: Value) -> Value {
        input["gateway"] = json!(self.world.http.to_string());
        input["host"] = json!(HOST);
        input["certificate"] = json!(self.certificate.certificate());
        input["key"] = json!(self.certificate.key());
        let mut node = Command::new("node");
        node.arg(environment::repository().join("tests/browser").join(script));
        node.env("CONSENTRY_TEST_NODE_MODULES", environment::node_modules());
        serde_json::from_slice(&run_with_input(&mut node, input.to_string().as_bytes(), true).stdout).unwrap()
    }

    /// Looks at the pages and fails with all that is wrong with them: an axe-core violation, a page wider than its screen,
    /// a control too small, something fetched from elsewhere, or more than `most` octets.
    fn look(&self, pages: &[Value], languages: &[&str], most: u64) {
        self.look_as(&Value::Null, pages, languages, most);
    }

    fn look_as(&self, operator: &Value, pages: &[Value], languages: &[&str], most: u64) {
        let pictures = environment::repository().join("target/pictures");
        let results = self.browse(
            "look.mjs",
            json!({ "pages": pages, "languages": languages, "pictures": pictures, "operator": operator, "thorough": environment::long_or(false, true) }),
        );
        let results = results.as_array().unwrap();
        assert!(results.len() >= pages.len() * languages.len() * 2, "each page on two screens, light and dark");
        let mut faults = Vec::new();
        for result in results {
            let name = ["page", "language", "screen", "scheme"].map(|key| result[key].as_str().unwrap()).join(" ");
            let mut fault = |text: String| faults.push(format!("{name}: {text}"));
            result["violations"].as_array().unwrap().iter().for_each(|violation| fault(violation.to_string()));
            result["small"].as_array().unwrap().iter().for_each(|control| fault(format!("too small: {control}")));
            // The page itself is an error answer on purpose, here and there, and Chromium says so on its console.
            let loud = |error: &&Value| !error.as_str().unwrap().contains("Failed to load resource");
            result["errors"].as_array().unwrap().iter().filter(loud).for_each(|error| fault(error.to_string()));
            if result["hosts"] != json!([HOST]) {
                fault(format!("fetched from {}", result["hosts"]));
            }
            if result["wider"] == json!(true) {
                fault("is wider than the screen".into());
            }
            if result["octets"].as_u64().unwrap() > most {
                fault(format!("{} octets", result["octets"]));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        let heaviest = results.iter().filter_map(|result| result["octets"].as_u64()).max();
        environment::tell(&format!("browser: {} looks at {} pages, the heaviest {} octets", results.len(), pages.len(), heaviest.unwrap()));
    }
}
