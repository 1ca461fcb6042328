//! MA tools in front: three mail clients of different makers, each sending a file as it is.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::run_with_input;
use crate::environment;

/// A client program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaTool {
    /// swaks (Perl): one command after the other.
    Swaks,
    /// Python's smtplib, in nearly every in-house script.
    Smtplib,
    /// nodemailer (Node.js), in most JavaScript shops.
    Nodemailer,
}

/// One transaction to try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Submission<'a> {
    /// A message, with CRLF line ends; no tool mends or completes it.
    pub(crate) eml: &'a Path,
    /// The reverse-path; empty for `<>`.
    pub(crate) from: &'a str,
    /// The recipient.
    pub(crate) to: &'a str,
    /// The server.
    pub(crate) host: SocketAddr,
    /// User name and password.
    pub(crate) auth: Option<(&'a str, &'a str)>,
    /// Whether STARTTLS must be used; the certificate is not checked.
    pub(crate) starttls: bool,
}

/// What the tool got to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether the tool takes the mail for sent.
    pub(crate) accepted: bool,
    /// The code of the reply that decided; none where the connection was lost before one came.
    pub(crate) code: Option<u16>,
    /// That reply's text after the code, or the tool's own words where there is none.
    pub(crate) text: String,
}

impl MaTool {
    /// All of them.
    pub(crate) const ALL: [MaTool; 3] = [Self::Swaks, Self::Smtplib, Self::Nodemailer];

    /// Submits one message and quits.
    pub(crate) fn send(self, submission: &Submission<'_>) -> Answer {
        match self {
            Self::Swaks => swaks(submission),
            Self::Smtplib => scripted(Command::new(environment::python()).arg(environment::peer_file("send_smtplib.py")), submission),
            Self::Nodemailer => scripted(
                Command::new("node")
                    .arg(environment::peer_file("send_nodemailer.mjs"))
                    .env("CONSENTRY_TEST_NODE_MODULES", environment::node_modules()),
                submission,
            ),
        }
    }
}

/// Our own scripts take the submission as JSON and answer in JSON.
fn scripted(command: &mut Command, submission: &Submission<'_>) -> Answer {
    let (user, password) = submission.auth.unzip();
    let job = json!({
        "eml": submission.eml, "from": submission.from, "to": submission.to,
        "host": submission.host.ip().to_string(), "port": submission.host.port(),
        "user": user, "password": password, "starttls": submission.starttls,
    });
    let output = run_with_input(command, job.to_string().as_bytes(), true);
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)));
    Answer {
        accepted: answer["accepted"] == true,
        code: answer["code"].as_u64().and_then(|code| u16::try_from(code).ok()),
        text: answer["text"].as_str().unwrap_or_default().to_owned(),
    }
}

fn swaks(submission: &Submission<'_>) -> Answer {
    let mut command = Command::new("swaks");
    command.args(["--server", &submission.host.ip().to_string(), "--port", &submission.host.port().to_string()]);
    // An empty argument would make it fall back to the user it runs as.
    let from = if submission.from.is_empty() { "<>" } else { submission.from };
    command.args(["--from", from, "--to", submission.to, "--helo", "ma.example", "--timeout", "60s"]);
    if submission.starttls {
        command.arg("--tls");
    }
    if let Some((user, password)) = submission.auth {
        command.args(["--auth", "PLAIN,LOGIN", "--auth-user", user, "--auth-password", password]);
    }
    // Without --no-data-fixup it would fill in %TOKENS% and line ends; with it, stuffing is the caller's.
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stuffed(&std::fs::read(submission.eml).unwrap())).unwrap();
    command.args(["--no-data-fixup", "--data"]).arg(format!("@{}", file.path().display()));
    let output = run_with_input(&mut command, b"", false);
    last_reply(output.status.success(), &String::from_utf8_lossy(&output.stdout), &String::from_utf8_lossy(&output.stderr))
}

/// The message with dot-stuffing and the final dot, whose CRLF swaks sends (RFC 5321 s.4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") && (out.is_empty() || out.ends_with(b"\r\n")) {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.push(b'.');
    out
}

/// Finds the reply that decided in swaks' transcript: the last one before it quits.
fn last_reply(accepted: bool, transcript: &str, complaints: &str) -> Answer {
    let mut answer = Answer { accepted, code: None, text: complaints.trim().to_owned() };
    for line in transcript.lines() {
        // `<-` is a reply, `<~` one under TLS, `<**` and `<~*` one that swaks did not like.
        if let Some(reply) = ["<-  ", "<~  ", "<** ", "<~* "].iter().find_map(|mark| line.strip_prefix(mark)) {
            let (code, text) = reply.split_at_checked(3).unwrap_or((reply, ""));
            answer.code = code.parse().ok();
            answer.text = text.get(1..).unwrap_or_default().to_owned();
        } else if line.ends_with("> QUIT") {
            break;
        } else if line.starts_with(" ->") || line.starts_with(" ~>") {
            // A command nobody answered yet: a lost connection leaves it so.
            answer.code = None;
            answer.text = complaints.trim().to_owned();
        }
    }
    answer
}
