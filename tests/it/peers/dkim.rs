//! Judges of a DKIM signature at the far end: dkimpy, Mail::DKIM and mailauth, offline, against one DNS record.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::run;
use crate::environment;

/// Who verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verifier {
    /// dkimpy (Python).
    Dkimpy,
    /// Mail::DKIM (Perl, libmail-dkim-perl); Debian's knows no ed25519.
    MailDkim,
    /// mailauth (JavaScript).
    Mailauth,
}

/// What became of one DKIM-Signature field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Whether it verified.
    pub(crate) passed: bool,
    /// `pass`, or `fail: ` and the verifier's words.
    pub(crate) result: String,
    /// `d=`.
    pub(crate) domain: String,
    /// `s=`.
    pub(crate) selector: String,
    /// `h=`, lower-case, in its order, with repetitions.
    pub(crate) signed_fields: Vec<String>,
}

impl Verifier {
    /// All of them.
    pub(crate) const ALL: [Verifier; 3] = [Self::Dkimpy, Self::MailDkim, Self::Mailauth];

    /// Verifies every signature of `message`, topmost first. Only `dns_name` exists in its DNS.
    pub(crate) fn verify(self, message: &[u8], dns_name: &str, record: &str) -> Vec<Signature> {
        self.verify_all(&[message], dns_name, record).remove(0)
    }

    /// The same for many messages in one process: the signatures of each message, in the order of `messages`.
    pub(crate) fn verify_all(self, messages: &[impl AsRef<[u8]>], dns_name: &str, record: &str) -> Vec<Vec<Signature>> {
        let (program, script) = match self {
            Self::Dkimpy => (environment::python(), "verify_dkim.py"),
            Self::MailDkim => (PathBuf::from("perl"), "verify_dkim.pl"),
            Self::Mailauth => (PathBuf::from("node"), "verify_dkim.mjs"),
        };
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.env("CONSENTRY_TEST_NODE_MODULES", environment::node_modules());
        command.arg(environment::peer_file(script)).args([dns_name, record]);
        for (index, message) in messages.iter().enumerate() {
            let path = directory.path().join(format!("{index}.eml"));
            fs::write(&path, message).unwrap();
            command.arg(path);
        }
        let output = String::from_utf8(run(&mut command).stdout).unwrap();
        // an empty line ends the signatures of a message, of which there may be none
        let mut lines = output.lines();
        let found = messages.iter().map(|_| lines.by_ref().take_while(|line| !line.is_empty()).map(signature).collect()).collect();
        let messages_answered = output.lines().filter(|line| line.is_empty()).count();
        assert_eq!(messages_answered, messages.len(), "{self:?} answers each message once: {output}");
        found
    }
}

fn signature(line: &str) -> Signature {
    let columns: Vec<&str> = line.split('\t').collect();
    let [result, domain, selector, fields] = columns[..] else { panic!("four columns expected: {line}") };
    Signature {
        passed: result == "pass",
        result: result.to_owned(),
        domain: domain.to_owned(),
        selector: selector.to_owned(),
        signed_fields: fields.split(':').map(str::to_owned).collect(),
    }
}
