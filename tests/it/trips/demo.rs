//! The demo as a newcomer starts it: nothing prepared, free ports, the story to its end.

use std::process::{Command, Stdio};

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    // a log file on a full disk
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_consentry"))
        .args(["demo", "--once", "--smtp-port", "0", "--http-port", "0"])
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(full)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn the_demo_tells_its_story_and_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_consentry"))
        .args(["demo", "--once", "--smtp-port", "0", "--http-port", "0"])
        .env("TMPDIR", temp.path())
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<&str> = told.lines().filter_map(|line| line.trim().strip_prefix("-> ")).collect();
    let expected = [
        "550 5.7.1 consent: no_consent",
        "550 5.7.1 consent: opt_in_pending",
        "550 5.7.1 consent: opt_in_pending",
        "250 2.0.0",
        "550 5.7.1 consent: withdrawn",
        "250 2.0.0",
        "550 5.7.1 consent: no_consent",
    ];
    assert_eq!(answers.len(), expected.len(), "{told}");
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.starts_with(expected), "{answer} is not {expected}");
    }
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "the data is gone");
}
