//! AUTH at the outbound MTA: who the gateway is, and that its password goes where it may only.

use std::path::PathBuf;

use consentry::relay::{Relay, RelaySettings, RelayTls};

use super::{MESSAGE, envelope, over, send, settings, told};
use crate::fake_mta::{Act, FakeMta, Script, Stage, TestCertificate};

const PLAIN: &[&str] = &["AUTH PLAIN AGdhdGUAc2VjcmV0"];
const LOGIN: &[&str] = &["AUTH LOGIN", "Z2F0ZQ==", "c2VjcmV0"];

fn with_login(mta: &FakeMta, password: &str) -> (tempfile::TempDir, RelaySettings) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, password).unwrap();
    (directory, RelaySettings { username: Some("gate".to_owned()), password_file: Some(file), ..settings(mta) })
}

#[tokio::test]
async fn the_gateway_logs_in_or_no_mail_bounces_for_it() {
    use Act::{Drop, Garbage, Say};
    let offers = |mechanisms: &'static str| Script::new().extensions(&[mechanisms, "PIPELINING"]);
    for (script, expected) in [
        (offers("AUTH LOGIN PLAIN").login(PLAIN), "accepted 2.0.0 queued as 4XyZ"),
        (offers("AUTH CRAM-MD5 LOGIN").login(LOGIN), "accepted 2.0.0 queued as 4XyZ"),
        (offers("AUTH LOGIN"), "unreachable AUTH: outbound MTA answers 535; check username and password_file"),
        (offers("AUTH PLAIN"), "unreachable AUTH: outbound MTA answers 535; check username and password_file"),
        (offers("AUTH CRAM-MD5"), "unreachable AUTH: the outbound MTA offers neither PLAIN nor LOGIN; take username out, or mend its AUTH"),
        (offers("AUTH PLAIN").on(Stage::Auth, Say("454 4.7.0 later")), "deferred 454 4.7.0 later"),
        (offers("AUTH PLAIN").on(Stage::Auth, Say("421 4.7.0 too many")), "deferred 421 4.7.0 too many"),
        (offers("AUTH PLAIN").on(Stage::Auth, Say("334 ")), "unreachable AUTH: outbound MTA answers 334"),
        (offers("AUTH PLAIN").on(Stage::Auth, Drop), "unreachable AUTH: connection closed by the outbound MTA"),
        (offers("AUTH PLAIN").on(Stage::Auth, Garbage), "unreachable AUTH: answer of the outbound MTA is not SMTP"),
    ] {
        let mta = FakeMta::start(script).await;
        let (_directory, settings) = with_login(&mta, "secret\n");
        let outcome = send(&over(&settings), &envelope(), MESSAGE).await;
        assert_eq!(told(&outcome), expected);
        assert_eq!(mta.received().len(), usize::from(expected.starts_with("accepted")));
    }
}

#[tokio::test]
async fn the_password_goes_out_under_tls_only() {
    let certificate = TestCertificate::make();
    let mta = FakeMta::start(Script::new().extensions(&["AUTH PLAIN"]).tls(&certificate).login(PLAIN)).await;
    let (_directory, settings) = with_login(&mta, "secret");
    let settings = RelaySettings { tls: Some(RelayTls::Required), ca_file: Some(certificate.ca_file()), ..settings };
    assert_eq!(send(&over(&settings), &envelope(), MESSAGE).await.as_str(), "accepted");
    let commands = mta.commands();
    let place = |wanted: &str| commands.iter().position(|line| line == wanted);
    assert!(place("STARTTLS").unwrap() < place(PLAIN[0]).unwrap(), "{commands:?}");
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_told_with_the_mend() {
    let mta = FakeMta::start(Script::new()).await;
    let (_directory, settings) = with_login(&mta, "\n");
    let told = |settings: &RelaySettings| Relay::new(settings, "gate.example").err().expect("no password").to_string();
    let empty = told(&settings);
    assert!(empty.contains("write the password as its only line"), "{empty}");
    let missing = told(&RelaySettings { password_file: Some(PathBuf::from("/nowhere/password")), ..settings });
    assert!(missing.contains("127.0.0.1: password_file /nowhere/password: "), "{missing}");
}
