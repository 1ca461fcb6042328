//! AUTH at the outbound MTA (RFC 4954): which lines a mechanism sends. Decides nothing about when the
//! password may travel: the settings and `open` do.

use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::extensions::Extensions;
use super::settings::HopSettings;

/// Who the gateway is at one outbound MTA. Without Debug: nothing prints it.
pub(super) struct Login {
    username: String,
    password: Zeroizing<String>,
}

/// Why the password cannot be had. The texts name the mend.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read, or is no UTF-8.
    #[error("password_file {path}: {source}; write the password into this file, readable for the gateway only")]
    Read {
        /// The file of the configuration.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Nothing that could be a password stands in it.
    #[error("password_file {0}: is empty or has control characters; write the password as its only line")]
    Unfit(PathBuf),
}

/// RFC 5321 s.4.5.3.1.4: a command line has 512 octets with its CRLF.
const MAX_COMMAND: usize = 510;

impl Login {
    /// Reads the password; `None` where no login is configured.
    pub(super) fn read(settings: &HopSettings) -> Result<Option<Self>, PasswordError> {
        let (Some(username), Some(path)) = (&settings.username, &settings.password_file) else { return Ok(None) };
        let read = std::fs::read_to_string(path).map_err(|source| PasswordError::Read { path: path.clone(), source })?;
        let read = Zeroizing::new(read);
        let password = read.strip_suffix('\n').map_or(read.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if password.is_empty() || password.contains(char::is_control) {
            return Err(PasswordError::Unfit(path.clone()));
        }
        Ok(Some(Self { username: username.clone(), password: Zeroizing::new(password.to_owned()) }))
    }

    /// The lines of the dialogue, without CRLF: 334 answers all but the last, 235 the last. `None`: the peer offers no
    /// mechanism that is known here.
    pub(super) fn lines(&self, announced: Extensions) -> Option<Vec<Zeroizing<String>>> {
        let line = |text: &str| Zeroizing::new(text.to_owned());
        let base64 = |text: &str| Zeroizing::new(STANDARD.encode(text));
        if announced.auth_plain {
            // RFC 4616 s.2; an initial response that makes the command too long waits for 334 (RFC 4954 s.4)
            let secret = base64(&Zeroizing::new(format!("\0{}\0{}", self.username, self.password.as_str())));
            let whole = Zeroizing::new(format!("AUTH PLAIN {}", secret.as_str()));
            return Some(if whole.len() <= MAX_COMMAND { vec![whole] } else { vec![line("AUTH PLAIN"), secret] });
        }
        announced.auth_login.then(|| vec![line("AUTH LOGIN"), base64(&self.username), base64(&self.password)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mechanism_has_its_lines() {
        let login = |password: &str| Login { username: "gate".to_owned(), password: Zeroizing::new(password.to_owned()) };
        let lines = |login: &Login, auth_plain, auth_login| {
            let lines = login.lines(Extensions { auth_plain, auth_login, ..Extensions::default() });
            lines.map(|lines| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>())
        };
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let short = login("secret");
        assert_eq!(lines(&short, true, true), words(&["AUTH PLAIN AGdhdGUAc2VjcmV0"]));
        assert_eq!(lines(&short, false, true), words(&["AUTH LOGIN", "Z2F0ZQ==", "c2VjcmV0"]));
        assert_eq!(lines(&short, false, false), None);
        let long = lines(&login(&"x".repeat(400)), true, false).expect("PLAIN");
        assert_eq!((long.len(), long[0].as_str()), (2, "AUTH PLAIN"));
    }

    #[test]
    fn passwords_come_from_files_without_their_line_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("password");
        let settings = HopSettings {
            host: "mx".to_owned(),
            port: None,
            priority: 10,
            tls: None,
            ca_file: None,
            username: Some("gate".to_owned()),
            password_file: Some(path.clone()),
        };
        assert!(matches!(Login::read(&settings), Err(PasswordError::Read { .. })));
        for (text, password) in
            [("secret", Some("secret")), ("secret\n", Some("secret")), (" ü \r\n", Some(" ü ")), ("", None), ("\n", None), ("a\nb\n", None)]
        {
            std::fs::write(&path, text).expect("writable");
            let read = Login::read(&settings).ok().flatten();
            assert_eq!(read.map(|login| login.password.to_string()).as_deref(), password, "{text:?}");
        }
    }
}
