//! The rights of a person through the real program, beside the running gateway.

use crate::client::Client;
use crate::peers::run_with_input;
use crate::sink::Sink;
use crate::trips::{assert_nowhere, newsletter};
use crate::world::{World, consentry, link};

const FROM: &str = "newsletter@acme.example";
const OLIVIA: &str = "Olivia.Carter@people.example";
const SECRET: &str = "correct horse battery staple";

fn subject(world: &World, command: &str, name: &str, password: &str) -> (bool, String) {
    let file = world.dir.path().join("consentry.toml").display().to_string();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_consentry"));
    program.args(["subject", command, "--config", &file, "--email", OLIVIA, "--controller", "acme", "--as", name]);
    let output = run_with_input(program.args(["--reason", "wrote a letter"]), password.as_bytes(), false);
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_person_is_copied_restricted_and_erased_on_the_command_line_and_no_mail_follows() {
    // L-DSR-01, L-DSR-02, L-DSR-03, S1-06, S3-03, L-OBJ-07
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let file = world.dir.path().join("consentry.toml").display().to_string();
    for role in ["operator", "compliance", "legal"] {
        consentry(&["user", "add-operator", "--config", &file, "--name", role, "--role", role], SECRET);
    }
    world.sign_up(OLIVIA);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    let send = |world: &World, n| Client::login(world.smtp, "news").send(FROM, OLIVIA, &newsletter(OLIVIA, n));
    assert_eq!(send(&world, 1).0, 250);

    for (command, name, password, needle) in [
        ("access", "legal", "wrong password of some length", ""),
        ("access", "compliance", SECRET, "not for your role"),
        ("erase", "operator", SECRET, "not for your role"),
    ] {
        let (done, told) = subject(&world, command, name, password);
        assert!(!done && told.contains(needle), "{command} {name}: {told}");
    }
    let (done, copy) = subject(&world, "access", "legal", SECRET);
    let json: serde_json::Value = serde_json::from_str(&copy).unwrap_or_else(|error| panic!("{error}: {copy}"));
    assert!(done && json["person"]["address"] == OLIVIA && json["decisions"][0]["reason"] == "doi_consent", "{copy}");

    assert_eq!(subject(&world, "restrict", "operator", SECRET), (true, "restricted\n".to_owned()));
    let (code, text) = send(&world, 2);
    assert!(code == 550 && text.contains("restricted"), "{code} {text}");
    assert_eq!(subject(&world, "unrestrict", "operator", SECRET), (true, "the restriction is lifted\n".to_owned()));
    assert_eq!(send(&world, 3).0, 250);

    let (done, answer) = subject(&world, "erase", "compliance", SECRET);
    assert!(done && answer.contains("31 December") && answer.contains("suppression list"), "{answer}");
    let (code, text) = send(&world, 4);
    assert!(code == 550 && text.contains("objected"), "{code} {text}");
    let (done, copy) = subject(&world, "access", "legal", SECRET);
    let json: serde_json::Value = serde_json::from_str(&copy).unwrap();
    assert!(done && json["person"]["address"].is_null(), "{copy}");
    assert!(world.stop());
    let words = [OLIVIA.to_lowercase(), OLIVIA.to_owned(), "olivia.carter".to_owned(), "Olivia.Carter".to_owned()];
    assert_nowhere(&world.data_dir(), &world.log(), &words);
}
