//! Mail libraries and programs that compose the mail themselves, set up as their documentation says: a host, a login, and
//! STARTTLS with a certificate that verifies.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::run_with_input;
use crate::environment;

/// A program or a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mailer {
    /// swaks, with its own mail.
    Swaks,
    /// msmtp, the sendmail of many servers.
    Msmtp,
    /// Python's email and smtplib.
    Smtplib,
    /// nodemailer.
    Nodemailer,
    /// PHPMailer.
    Phpmailer,
}

/// Where a mail goes in, and as whom.
pub(crate) struct Account<'a> {
    pub(crate) port: u16,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// The authority to trust.
    pub(crate) ca: &'a Path,
}

/// What somebody writes.
pub(crate) struct Letter<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a [&'a str],
    pub(crate) subject: &'a str,
}

const TEXT: &str = "Guten Tag,\n\n.\nein Punkt allein, und Grüße.\n";

impl Mailer {
    /// All of them.
    pub(crate) const ALL: [Mailer; 5] = [Self::Swaks, Self::Msmtp, Self::Smtplib, Self::Nodemailer, Self::Phpmailer];

    /// Sends to `localhost`; the error is what the user of the tool gets to read.
    pub(crate) fn send(self, account: &Account<'_>, letter: &Letter<'_>) -> Result<(), String> {
        match self {
            Self::Swaks => swaks(account, letter),
            Self::Msmtp => msmtp(account, letter),
            Self::Smtplib => {
                scripted(Command::new(environment::python()).arg(environment::peer_file("compose_smtplib.py")), account, letter)
            }
            Self::Nodemailer => scripted(
                Command::new("node")
                    .arg(environment::peer_file("compose_nodemailer.mjs"))
                    .env("CONSENTRY_TEST_NODE_MODULES", environment::node_modules()),
                account,
                letter,
            ),
            Self::Phpmailer => scripted(Command::new("php").arg(environment::peer_file("compose_phpmailer.php")), account, letter),
        }
    }
}

fn scripted(command: &mut Command, account: &Account<'_>, letter: &Letter<'_>) -> Result<(), String> {
    let job = json!({
        "host": "localhost", "port": account.port, "user": account.user, "password": account.password, "ca": account.ca,
        "from": letter.from, "to": letter.to, "subject": letter.subject, "text": TEXT,
    });
    let output = run_with_input(command, job.to_string().as_bytes(), true);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)));
    if answer["accepted"] == true { Ok(()) } else { Err(answer["text"].to_string()) }
}

fn swaks(account: &Account<'_>, letter: &Letter<'_>) -> Result<(), String> {
    let mut command = Command::new("swaks");
    command.args(["--server", "localhost", "--port", &account.port.to_string(), "--tls", "--tls-verify", "--tls-ca-path"]);
    command.arg(account.ca).args(["--auth", "PLAIN", "--auth-user", account.user, "--auth-password", account.password]);
    command.args(["--from", letter.from, "--to", &letter.to.join(","), "--header", &format!("Subject: {}", letter.subject)]);
    command.args(["--header", "Content-Type: text/plain; charset=utf-8", "--body", TEXT]);
    ended(&run_with_input(&mut command, b"", false))
}

fn msmtp(account: &Account<'_>, letter: &Letter<'_>) -> Result<(), String> {
    let Account { port, user, password, ca } = account;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // It reads no configuration that others may read.
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!(
        "account default\nhost localhost\nport {port}\nfrom {}\ntls on\ntls_starttls on\ntls_trust_file {}\nauth plain\nuser {user}\n\
         password {password}\n",
        letter.from,
        ca.display()
    );
    file.write_all(config.as_bytes()).unwrap();
    let mail = format!(
        "From: {}\nTo: {}\nSubject: {}\nContent-Type: text/plain; charset=utf-8\n\n{TEXT}",
        letter.from,
        letter.to.join(", "),
        letter.subject
    );
    let mut command = Command::new("msmtp");
    command.arg("-C").arg(file.path()).arg("--").args(letter.to);
    ended(&run_with_input(&mut command, mail.as_bytes(), false))
}

fn ended(output: &Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(told(output)) }
}

fn told(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).join("\n")
}
