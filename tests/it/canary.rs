//! `consentry check --canary`: what a real Postfix with OpenDKIM as its milter signs, found out before the first campaign (U-05).

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output};

use crate::peers::daemon::Daemon;
use crate::peers::postfix::{Postfix, free_address};
use crate::peers::run_with_input;
use crate::world::consentry;

/// What OpenDKIM has by itself, and what it takes for one-click.
const BY_ITSELF: &str = "";
const AS_IT_SHOULD: &str = "SignHeaders *,+list-unsubscribe,+list-unsubscribe-post\n";

/// A configuration whose mail somebody else signs.
fn config(directory: &Path, outbound: SocketAddr) -> String {
    let config = include_str!("world.toml")
        .replace("{dir}", &directory.display().to_string())
        .replace("{outbound_host}", &outbound.ip().to_string())
        .replace("{outbound_port}", &outbound.port().to_string())
        .replace("{password_hash}", consentry(&["user", "hash-password"], "correct horse battery").trim());
    let own_key = "[[dkim]]\ndomain = \"acme.example\"\nselector = \"test\"\nkey_file = ";
    let at = config.find(own_key).expect("a key");
    let end = at + own_key.len() + config[at + own_key.len()..].find('\n').expect("a line");
    let file = directory.join("consentry.toml");
    std::fs::write(&file, [&config[..at], &config[end..]].concat()).unwrap();
    file.display().to_string()
}

fn check(arguments: &[&str]) -> Output {
    run_with_input(Command::new(env!("CARGO_BIN_EXE_consentry")).arg("check").args(arguments), b"", false)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// OpenDKIM with a key of its own, in the foreground.
fn opendkim(directory: &Path, key: &str, more: &str) -> (Daemon, SocketAddr) {
    let address = free_address();
    let file = directory.join(format!("opendkim-{}.conf", address.port()));
    let settings = format!(
        "Socket inet:{}@127.0.0.1\nMode s\nCanonicalization relaxed/simple\nDomain acme.example\nSelector mta\nKeyFile {key}\n\
         InternalHosts 127.0.0.1\nRequireSafeKeys no\nBackground no\nSyslog no\n{more}",
        address.port()
    );
    std::fs::write(&file, settings).unwrap();
    let daemon = Daemon::spawn("opendkim", Command::new("/usr/sbin/opendkim").args(["-f", "-x"]).arg(&file));
    while TcpStream::connect(address).is_err() {
        std::thread::yield_now();
    }
    (daemon, address)
}

#[test]
fn a_real_postfix_with_opendkim_is_told_apart_by_what_it_signs() {
    // U-05, U-04
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("mta.pem").display().to_string();
    let record = consentry(&["keys", "dkim-generate", "--domain", "acme.example", "--selector", "mta", "--out", &key], "");
    let record = record.trim().split_once(" IN TXT ").unwrap().1;
    let back = free_address();
    for (settings, good) in [(BY_ITSELF, false), (AS_IT_SHOULD, true)] {
        let (_milter, milter) = opendkim(directory.path(), &key, settings);
        let milters = format!("smtpd_milters = inet:{milter}\nmilter_default_action = tempfail\n");
        let postfix = Postfix::start_with(back, &milters);
        let file = config(directory.path(), postfix.address());
        let at = back.to_string();
        let output = check(&["--config", &file, "--canary", "canary@people.example", "--at", &at, "--record", record]);
        let (said, error) = (text(&output.stdout), text(&output.stderr));
        let all = format!("{said}\n{error}\n{}", postfix.log());
        assert!(said.contains("warning     no [[dkim]] key signs mail of acme.example"), "{all}");
        assert_eq!(output.status.success(), good, "{all}");
        if good {
            let verified = "signature   d=acme.example s=mta a=rsa-sha256: covers From, List-Unsubscribe, List-Unsubscribe-Post; verified";
            assert!(said.contains(verified) && said.ends_with("canary      good\n"), "{all}");
        } else {
            assert!(said.contains("does not cover List-Unsubscribe-Post") || said.contains("does not cover List-Unsubscribe,"), "{all}");
            assert!(error.contains("no signature is good enough for one-click"), "{all}");
        }
    }
}

#[test]
fn mail_from_a_mailbox_is_judged_as_it_was_on_the_way() {
    // U-05
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), free_address());
    let own = |name: &str| directory.path().join(name).display().to_string();
    let key = own("key.pem");
    let record = consentry(&["keys", "dkim-generate", "--domain", "acme.example", "--selector", "own", "--out", &key], "");
    let record = record.trim().split_once(" IN TXT ").unwrap().1;
    let signer = consentry::sign::Signer::from_pem("acme.example", "own", &std::fs::read_to_string(&key).unwrap()).unwrap();
    let mail = "From: newsletter@acme.example\r\nList-Unsubscribe: <https://x.example/u/1>\r\n\
                List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nLamps\r\n";
    let signed = text(&signer.sign(mail.as_bytes(), jiff::Timestamp::now()).unwrap()) + mail;
    let (other, _) = consentry::sign::Signer::generate("other.example", "own", consentry::sign::Algorithm::Ed25519).unwrap();
    let by_other = text(&other.sign(mail.as_bytes(), jiff::Timestamp::now()).unwrap()) + mail;
    for (mail, record, expected) in [
        (signed.clone(), Some(record), "covers From, List-Unsubscribe, List-Unsubscribe-Post; verified"),
        (signed.replace("\r\n", "\n"), Some(record), "; verified"), // as mailboxes keep it
        (signed.clone(), None, "not verified with the key"),
        (signed.replace("Lamps", "Tents"), None, "the body was changed after it was signed"),
        (signed.replace("/u/1", "/u/2"), Some(record), "or a field was changed after it was signed"),
        (signed.clone(), Some("v=DKIM1; p="), "or a field was changed after it was signed"),
        (by_other, None, "is not of the domain acme.example of From"),
        (mail.to_owned(), None, "nobody signed the mail"),
        (mail.replace("List-Unsubscribe-Post", "X-Post"), None, "0 fields List-Unsubscribe-Post instead of one"),
    ] {
        let file = own("received.eml");
        std::fs::write(&file, mail).unwrap();
        let record = record.map_or(vec![], |record| vec!["--record", record]);
        let output = check(&[&["--config", &config, "--received", &file][..], &record].concat());
        let said = text(&output.stdout) + &text(&output.stderr);
        let good = expected.contains("covers") || expected.contains("verified");
        assert!(said.contains(expected) && output.status.success() == good, "{expected} in {said}");
    }
}
