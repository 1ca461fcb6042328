//! The relay and a real Postfix: login, TLS from the first octet, and who sends the reports.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use consentry::mail::{Lane, Notify};
use consentry::relay::{RelaySettings, RelayTls};

use super::{envelope, over, send, told};
use crate::peers::certificate::Certificate;
use crate::peers::postfix::Postfix;
use crate::sink::Sink;

const MESSAGE: &[u8] = b"From: news@shop.example\r\nTo: olivia@mail.example.org\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\n\
    Message-ID: <1@shop.example>\r\nSubject: x\r\n\r\n.one\r\n..two\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postfix_takes_mail_under_tls_after_a_login_and_sends_the_reports() {
    let sink = Sink::start();
    let tls = Certificate::for_host("localhost");
    let (accounts, key, certificate) = (accounts(), tls.key(), tls.certificate());
    let auth = format!(
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:127.0.0.1:{}\n\
         smtpd_tls_chain_files = {} {}\nsmtpd_relay_restrictions = permit_sasl_authenticated, reject\n",
        accounts.port(),
        key.display(),
        certificate.display()
    );
    let implicit = format!("{auth}smtpd_tls_wrappermode = yes\nsmtpd_tls_security_level = encrypt\n");
    let starttls = format!("{auth}smtpd_tls_security_level = encrypt\nsmtpd_tls_auth_only = yes\n");
    let directory = tempfile::tempdir().unwrap();
    let password_file = directory.path().join("password");
    for (number, (main_cf, mode)) in [(implicit, RelayTls::Implicit), (starttls, RelayTls::Required)].into_iter().enumerate() {
        let postfix = Postfix::start_with(sink.address(), &main_cf);
        let settings = RelaySettings {
            host: Some("localhost".to_owned()),
            tls: Some(mode),
            ca_file: Some(tls.certificate()),
            username: Some("gate".to_owned()),
            password_file: Some(password_file.clone()),
            ..RelaySettings::at(postfix.address())
        };
        std::fs::write(&password_file, "wrong\n").unwrap();
        let refused = told(&send(&over(&settings), &envelope(), MESSAGE).await);
        assert_eq!(refused, "unreachable AUTH: outbound MTA answers 535; check username and password_file");

        std::fs::write(&password_file, "secret\n").unwrap();
        let mut envelope = envelope();
        envelope.recipient.notify = Notify::parse("SUCCESS");
        envelope.sender.envid = Some("QQ+2B1".to_owned());
        let transaction = over(&settings).begin(&envelope, Lane::Transactional).await.expect("begun");
        let answered = transaction.deliver(MESSAGE.to_vec()).await.expect("sent with its dot").answer().await;
        assert!(told(&answered.outcome).starts_with("accepted 2.0.0 Ok: queued as"), "{answered:?}\n{}", postfix.log());
        assert!(answered.reports);
        // The sink knows no DSN: Postfix says "relayed" in our place.
        let arrivals = sink.wait_for(2 * (number + 1)).split_off(2 * number);
        assert!(arrivals.iter().any(|arrival| arrival.message.ends_with(MESSAGE)));
        let report = arrivals.iter().find(|arrival| arrival.from.is_empty() && arrival.to == ["bounce@shop.example"]);
        let report = String::from_utf8_lossy(&report.expect("a report").message);
        assert!(report.contains("Original-Envelope-Id: QQ+1") && report.contains("Action: relayed"), "{report}");
    }
}

/// Dovecot's side of Postfix's logins (`auth-client` protocol, PLAIN): who is `gate` with `secret`.
fn accounts() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(client));
        }
    });
    address
}

fn serve(mut client: TcpStream) -> std::io::Result<()> {
    client.write_all(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n")?;
    for line in BufReader::new(client.try_clone()?).lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        if let ["AUTH", id, ..] = words[..] {
            let good = words.contains(&"resp=AGdhdGUAc2VjcmV0");
            client.write_all(if good { format!("OK\t{id}\tuser=gate\n") } else { format!("FAIL\t{id}\tuser=gate\n") }.as_bytes())?;
        }
    }
    Ok(())
}
