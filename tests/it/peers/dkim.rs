//! Judges of a DKIM signature at the far end: dkimpy and Mail::DKIM, offline, against one DNS record.

use std::path::PathBuf;
use std::process::Command;

use super::run_with_input;
use crate::environment;

/// Who verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verifier {
    /// dkimpy (Python).
    Dkimpy,
    /// Mail::DKIM (Perl, libmail-dkim-perl).
    MailDkim,
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
    /// Both of them.
    pub(crate) const ALL: [Verifier; 2] = [Self::Dkimpy, Self::MailDkim];

    /// Verifies every signature of `message`, topmost first. Only `dns_name` exists in its DNS.
    pub(crate) fn verify(self, message: &[u8], dns_name: &str, record: &str) -> Vec<Signature> {
        let (program, script) = match self {
            Self::Dkimpy => (environment::python(), "verify_dkim.py"),
            Self::MailDkim => (PathBuf::from("perl"), "verify_dkim.pl"),
        };
        let mut command = Command::new(program);
        command.arg(environment::peer_file(script)).args([dns_name, record]);
        let output = run_with_input(&mut command, message, true);
        String::from_utf8(output.stdout).unwrap().lines().map(signature).collect()
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
