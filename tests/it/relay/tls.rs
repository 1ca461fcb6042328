//! TLS to the outbound MTA: nothing in clear where it is required, and whom the gateway trusts.

use consentry::relay::{RelaySettings, RelayTls};
use consentry::tls::{Connector, ConnectorError};

use super::{MESSAGE, envelope, over, send, settings, told};
use crate::fake_mta::{Act, FakeMta, Script, Stage, TestCertificate};

fn trusting(mta: &FakeMta, certificate: &TestCertificate, tls: RelayTls) -> RelaySettings {
    RelaySettings { tls: Some(tls), ca_file: Some(certificate.ca_file()), ..settings(mta) }
}

#[tokio::test]
async fn nothing_goes_out_in_clear_where_tls_is_required() {
    // M-33, S3-05
    let certificate = TestCertificate::make();
    let other = TestCertificate::make();
    for (script, host, trusted, expected) in [
        (Script::new(), "127.0.0.1", &certificate, "unreachable STARTTLS: required, but the outbound MTA does not offer it"),
        (
            Script::new().tls(&certificate).on(Stage::StartTls, Act::Say("454 4.7.0 not now")),
            "127.0.0.1",
            &certificate,
            "deferred 454 4.7.0 not now",
        ),
        (
            Script::new().tls(&certificate).on(Stage::StartTls, Act::Say("220 go\r\n250 injected")),
            "127.0.0.1",
            &certificate,
            "unreachable STARTTLS: answer of the outbound MTA is not SMTP",
        ),
        (Script::new().tls(&certificate), "127.0.0.1", &other, "unreachable TLS: "),
        (Script::new().tls(&certificate), "127.0.0.2", &certificate, "unreachable connect: "),
        (Script::new().tls(&certificate), "127.0.0.1", &certificate, "accepted 2.0.0 queued"),
        (Script::new().tls(&certificate), "localhost", &certificate, "accepted 2.0.0 queued"),
    ] {
        let mta = FakeMta::start(script).await;
        let settings = RelaySettings { host: Some(host.to_owned()), ..trusting(&mta, trusted, RelayTls::Required) };
        let outcome = send(&over(&settings), &envelope(), MESSAGE).await;
        assert!(told(&outcome).starts_with(expected), "{} instead of {expected}", told(&outcome));
        let received = mta.received();
        assert!(received.iter().all(|mail| mail.tls && mail.message == MESSAGE));
        assert_eq!(received.len(), usize::from(expected.starts_with("accepted")));
        assert!(received.len() == 1 || mta.commands().iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"));
    }
}

#[tokio::test]
async fn tls_from_the_first_octet_says_nothing_in_clear() {
    // RFC 8314 s.3.3
    let certificate = TestCertificate::make();
    let mta = FakeMta::start(Script::new().implicit_tls(&certificate)).await;
    let other = TestCertificate::make();
    let outcome = send(&over(&trusting(&mta, &other, RelayTls::Implicit)), &envelope(), MESSAGE).await;
    assert!(told(&outcome).starts_with("unreachable TLS: "), "{outcome:?}");
    assert_eq!(mta.commands(), [] as [String; 0]);
    let relay = over(&trusting(&mta, &certificate, RelayTls::Implicit));
    for _ in 0..2 {
        assert_eq!(send(&relay, &envelope(), MESSAGE).await.as_str(), "accepted");
    }
    assert!(mta.received().iter().all(|mail| mail.tls && mail.connection == 2));
    assert!(!mta.commands().contains(&"STARTTLS".to_owned()));
}

#[tokio::test]
async fn large_messages_and_kept_connections_work_under_tls() {
    let certificate = TestCertificate::make();
    let mta = FakeMta::start(Script::new().tls(&certificate)).await;
    let relay = over(&trusting(&mta, &certificate, RelayTls::Required));
    let large = [b"A: b\r\n\r\n".as_slice(), &b".123456789\r\n".repeat(300_000)].concat();
    let plain = [b"A: b\r\n\r\n".as_slice(), &b"0123456789\r\n".repeat(300_000)].concat();
    for message in [MESSAGE, &large, &plain, MESSAGE] {
        assert_eq!(send(&relay, &envelope(), message).await.as_str(), "accepted");
    }
    let received = mta.received();
    assert!(received[1].message == large && received[2].message == plain && received[3].message == MESSAGE);
    assert_eq!(mta.connections(), 1);
}

#[test]
fn a_ca_file_that_cannot_be_used_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here").expect("writable");
    assert!(matches!(Connector::new(Some(&empty)), Err(ConnectorError::NoCertificate { .. })));
    assert!(matches!(Connector::new(Some(&directory.path().join("none.pem"))), Err(ConnectorError::CaFile { .. })));
}
