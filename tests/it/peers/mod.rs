//! Real peers: programs other people wrote, started privately for one test and gone after it.

pub(crate) mod certificate;
pub(crate) mod daemon;
pub(crate) mod dkim;
pub(crate) mod ma_tools;
pub(crate) mod mailers;
pub(crate) mod postfix;
mod selftest;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs a helper program that must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    run_with_input(command, b"", true)
}

/// Runs a program to its end with `input` on its standard input; `must_succeed` or its failure is the answer.
pub(crate) fn run_with_input(command: &mut Command, input: &[u8], must_succeed: bool) -> Output {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    // A program that has no use for its input may be gone before it is written.
    child.stdin.take().unwrap().write_all(input).ok();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() || !must_succeed, "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
