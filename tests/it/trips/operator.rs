//! What an operator does beside a running gateway.

use std::process::Command;

use super::newsletter;
use crate::client::Client;
use crate::environment::{on_postgres, python};
use crate::postgres;
use crate::sink::Sink;
use crate::world::{PUBLIC_URL, World, consentry, link};

const FROM: &str = "newsletter@acme.example";
const OLIVIA: &str = "olivia@people.example";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_token_made_beside_the_running_gateway_works_at_once() {
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let file = world.dir.path().join("consentry.toml").display().to_string();
    let token = consentry(&["user", "add-token", "--config", &file, "--name", "auditor", "--scopes", "decisions"], "");
    world.token = token.trim().to_owned();
    let status = |method: &str, path: &str| world.ask(method, &format!("{PUBLIC_URL}{path}"), "{}", "application/json").status;
    assert_eq!(status("GET", "/api/v1/decisions"), 200);
    assert_eq!(status("POST", "/api/v1/opt-ins"), 403, "it has the scope it was given and no other");
}

#[test]
fn whoever_reads_the_ledger_beside_the_gateway_takes_nothing_away() {
    // I3: a backup, or an admin with a database tool, is a process of its own that opens the file, reads, and closes it
    let read = |world: &World| {
        if on_postgres() {
            return postgres::ask(world.dir.path(), "SELECT count(*) FROM consentry.event").parse::<u32>().unwrap();
        }
        let ledger = world.data_dir().join("ledger.sqlite");
        let ask = "import sqlite3, sys; ledger = sqlite3.connect(sys.argv[1]); print(*ledger.execute('SELECT count(*) FROM event').fetchone()); ledger.close()";
        let output = Command::new(python()).arg("-c").arg(ask).arg(ledger).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
    };
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    world.sign_up(OLIVIA);
    let confirm = link(&sink.wait_for(1)[0].message, "/c/");
    assert!(read(&world) >= 1, "the sign-up");
    assert_eq!(world.confirm(&confirm).status, 200);
    assert_eq!(Client::login(world.smtp, "news").send(FROM, OLIVIA, &newsletter(OLIVIA, 1)).0, 250);
    let unsubscribe = link(&sink.wait_for(2)[1].message, "/u/");
    read(&world);
    assert_eq!(world.ask("POST", &unsubscribe, "List-Unsubscribe=One-Click", FORM).status, 200);
    world.crash_and_restart();
    let (code, text) = Client::login(world.smtp, "news").send(FROM, OLIVIA, &newsletter(OLIVIA, 2));
    assert!(code == 550 && text.contains("withdrawn"), "{code} {text}");
    assert!(read(&world) >= 4, "nothing was lost");
}

#[test]
fn a_second_gateway_on_the_same_data_is_refused_with_the_mend() {
    let sink = Sink::start();
    let world = World::start(sink.address());
    let file = world.dir.path().join("consentry.toml").display().to_string();
    let second = Command::new(env!("CARGO_BIN_EXE_consentry")).args(["serve", "--config", &file]).output().unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && told.contains("another consentry runs on this data directory"), "{told}");
}

#[test]
fn accounts_are_managed_beside_the_running_gateway() {
    let sink = Sink::start();
    let world = World::start(sink.address());
    let file = world.dir.path().join("consentry.toml").display().to_string();
    let run = |command: &str, more: &[&str], input: &str| consentry(&[&["user", command, "--config", &file], more].concat(), input);
    let mia = ["--name", "mia"];
    let told = run("add-operator", &[&mia[..], &["--role", "compliance"]].concat(), "correct horse battery\n");
    assert!(told.starts_with("added mia as compliance"), "{told}");
    run("set-role", &[&mia[..], &["--role", "legal"]].concat(), "");
    run("set-password", &mia, "another horse battery\n");
    run("reset-totp", &mia, "");
    let list = run("list-operators", &[], "");
    assert!(list.starts_with("mia\tlegal\tno second factor\t"), "{list}");
    run("disable-operator", &mia, "");
    assert!(run("list-operators", &[], "").contains("disabled"));

    for (command, more, input, mend) in [
        ("add-operator", &["--name", "mia", "--role", "legal"][..], "correct horse battery", "taken"),
        ("add-operator", &["--name", "ida", "--role", "boss"], "correct horse battery", "viewer, operator, compliance or legal"),
        ("add-operator", &["--name", "ida", "--role", "legal"], "too short", "at least 12 characters"),
        ("set-role", &["--name", "ida", "--role", "legal"], "", "list-operators"),
    ] {
        let mut refused = Command::new(env!("CARGO_BIN_EXE_consentry"));
        refused.args(["user", command, "--config", &file]).args(more);
        let output = crate::peers::run_with_input(&mut refused, input.as_bytes(), false);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(mend), "{command} {more:?}: {told}");
    }
}

#[test]
fn facts_are_told_beside_the_running_gateway_and_act_on_the_next_mail() {
    // S0-07, S0-11, S0-12
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let dir = world.dir.path().to_owned();
    let file = dir.join("consentry.toml").display().to_string();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consentry"));
        let output = crate::peers::run_with_input(command.args(["event", "--config", &file]).args(more), b"", false);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let send = |world: &World, n: u32| Client::login(world.smtp, "news").send(FROM, OLIVIA, &newsletter(OLIVIA, n));
    assert!(send(&world, 1).1.contains("no_consent"));

    let notice = dir.join("notice.txt").display().to_string();
    std::fs::write(&notice, "Sie können der Werbung jederzeit widersprechen.").unwrap();
    let about = ["--controller", "acme", "--email", OLIVIA];
    let bought = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24)).to_string();
    let purchase = ["--kind", "purchase", "--topics", "news", "--trigger", "sale", "--own-address", "--notice-file", &notice];
    let purchase = [&purchase[..], &about, &["--occurred", &bought, "--country", "DE", "--id", "order-1"]].concat();
    let (done, _, told) = run(&purchase);
    assert!(!done && told.contains("staff may not say purchase") && told.contains("erp, crm"), "{told}");
    let (done, said, told) = run(&[&["--as", "erp"], &purchase[..]].concat());
    assert!(done && said == "recorded\n", "{said}{told}");
    assert_eq!(send(&world, 2).0, 250, "an existing customer");

    let rows = format!(
        "{}\n{}\n\nno json\n{}\n",
        serde_json::json!({ "kind": "given", "email": OLIVIA, "controller": "acme", "topics": ["news"] }),
        serde_json::json!({ "kind": "objected", "email": OLIVIA, "controller": "acme", "actor": "mia", "reason": "called" }),
        serde_json::json!({ "kind": "withdrawn", "email": OLIVIA, "controller": "acme" }),
    );
    let path = dir.join("rows.ndjson").display().to_string();
    std::fs::write(&path, rows).unwrap();
    let (done, said, told) = run(&["--from", &path]);
    assert!(!done && told.contains("3 lines were refused"), "{told}");
    for line in ["line 1: refused: nobody can say", "line 2: recorded", "line 4: refused: no JSON", "line 5: refused: topics names nothing"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("olivia") && !told.contains("olivia"), "I8: {said}{told}");
    assert!(send(&world, 3).1.contains("objected"));

    // by the API, with a token of the command line
    let token = consentry(&["user", "add-token", "--config", &file, "--name", "crm", "--scopes", "events:crm"], "");
    world.token = token.trim().to_owned();
    let body = serde_json::json!({ "kind": "given", "email": OLIVIA, "controller": "acme", "topics": ["news"] }).to_string();
    assert_eq!(world.ask("POST", &format!("{PUBLIC_URL}/api/v1/events"), &body, "application/json").status, 403);
    let mut refused = Command::new(env!("CARGO_BIN_EXE_consentry"));
    refused.args(["user", "add-token", "--config", &file, "--name", "both", "--scopes", "events:crm,events:erp"]);
    let output = crate::peers::run_with_input(&mut refused, b"", false);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("one system"));
}
