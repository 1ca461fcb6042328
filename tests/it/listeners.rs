//! What listeners do apart from the dialogue: unix sockets, proxies, certificates.

use std::process::Command;

use consentry::smtp::{Door, Protocol, SmtpSettings, Socket, Tls, serve};
use consentry::tls::{Acceptor, TlsError};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::smtp_server::{Client, GREETED, Keeper, Server, TO_DATA, certificate, make_pair, stream};

#[tokio::test]
async fn a_local_process_speaks_lmtp_on_a_unix_socket() {
    // M-57; no address, so the stream is the listener's, or a login's
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("lmtp.sock");
    let keeper = Keeper::new(true, false);
    let socket = Socket::Unix(consentry::smtp::UnixSocket::bind(&path, 0o600).expect("bound"));
    let door = Door { protocol: Protocol::Lmtp, stream: Some(stream("listener")), ..Door::submission(Tls::Off) };
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(socket, door, consentry::smtp::Server::new(keeper.clone(), SmtpSettings::default(), []), async {
        let _ = stopped.await;
    }));
    let mut client = Client::over(UnixStream::connect(&path).await.expect("connected"));
    client.talk(&[GREETED]).await;
    client.send(b"LHLO x.example\r\n").await;
    while !client.line().await.expect("a reply").starts_with("250 AUTH") {}
    client.talk(&[("MAIL FROM:<a@x.example>", "250"), ("RCPT TO:<b@y.example>", "250"), ("RCPT TO:<c@refused.example>", "250")]).await;
    client.talk(&[("DATA", "354"), ("x\r\n.", "250 2.0.0"), ("", "550 5.7.1")]).await;
    client.talk(&[("AUTH PLAIN AHNob3AAc2VjcmV0", "235"), ("QUIT", "221")]).await;
    drop(client);
    stop.send(()).expect("still serving");
    served.await.expect("no panic");
    assert!(!path.exists(), "the file is gone with its listener");
    let kept = keeper.kept.lock().expect("not poisoned");
    assert!(kept.len() == 1 && kept[0].stream.name == "listener" && kept[0].peer.is_none());
}

#[tokio::test]
async fn a_proxy_announces_whose_connection_it_is() {
    let keeper = Keeper::new(true, false);
    let door = Door { proxies: vec!["127.0.0.0/8".parse().expect("a network")], ..Door::submission(Tls::Off) };
    let settings = SmtpSettings { max_connections_per_address: 1, ..SmtpSettings::default() };
    let server = Server::start_behind(&keeper, settings, door).await;
    // The announced address has no stream, and neither has a connection of the proxy's own; the network's is for others.
    let mut held = Vec::new();
    for (header, reply) in [
        (&b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 25\r\n"[..], Some("220")),
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 5001 25\r\n", Some("421 4.3.2")), // one for each address
        (b"PROXY TCP4 192.0.2.2 10.0.0.1 5001 25\r\n", Some("220")),
        (b"PROXY UNKNOWN\r\n", Some("220")),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\x0a\0\0\x01\x13\x88\0\x19", Some("220")),
        (b"EHLO x.example\r\nNOOP\r\n", None),
        (b"PROXY TCP4 nobody\r\n", None),
    ] {
        let mut client = Client::connect(server.address).await;
        client.send(header).await;
        let said = client.line().await;
        assert!(said.as_deref().map(|line| &line[..line.len().min(9)]).unwrap_or_default().starts_with(reply.unwrap_or("")), "{said:?}");
        assert_eq!(said.is_none(), reply.is_none());
        if reply == Some("220") {
            client.talk(&[("HELO x", "250"), ("MAIL FROM:<>", "530")]).await;
            held.push(client);
        }
    }
    drop(held);
    let mut client = Client::connect(server.address).await;
    client.send(b"PROXY TCP6 ::1 ::1 5000 25\r\nHELO x.example\r\n").await; // in one packet
    client.talk(&[GREETED, ("", "250"), TO_DATA[1], TO_DATA[2], TO_DATA[3], ("x\r\n.", "250"), ("QUIT", "221")]).await;
    drop(client);
    server.shut_down().await;
    assert_eq!(keeper.kept.lock().expect("not poisoned")[0].peer, Some("[::1]:5000".parse().expect("an address")));
}

#[tokio::test]
async fn a_new_certificate_is_used_from_the_next_handshake_on() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let pair = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    make_pair(&pair);
    let acceptor = Acceptor::from_pem_files(&pair.0, &pair.1).expect("usable");
    let keeper = Keeper::new(true, false);
    let server = Server::start(&keeper, SmtpSettings::default(), Tls::Implicit(acceptor.clone())).await;
    let mut before = Client::connect(server.address).await.start_tls(&pair.0).await;
    before.talk(&[GREETED]).await;
    make_pair(&pair); // the client trusts nothing but the file's certificate
    acceptor.reload().expect("usable");
    let mut after = Client::connect(server.address).await.start_tls(&pair.0).await;
    after.talk(&[GREETED, ("NOOP", "250")]).await;
    let key = std::fs::read(&pair.1).expect("readable");
    std::fs::write(&pair.1, "no key").expect("written");
    assert!(acceptor.is_stale() && acceptor.reload().is_err() && !acceptor.is_stale());
    std::fs::write(&pair.1, key).expect("written");
    let mut kept = Client::connect(server.address).await.start_tls(&pair.0).await;
    kept.talk(&[GREETED]).await;
    before.talk(&[("NOOP", "250"), ("QUIT", "221")]).await;
    drop((before, after, kept));
    server.shut_down().await;
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let key = dir.path().join("other.pem");
    let made = Command::new("openssl").args(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]).arg(&key).output();
    assert!(made.expect("openssl is installed").status.success());
    let (certificate, own) = certificate();
    assert!(matches!(Acceptor::from_pem_files(certificate, &key), Err(TlsError::Pair { .. })));
    assert!(matches!(Acceptor::from_pem_files(certificate, certificate), Err(TlsError::Key { .. })));
    assert!(matches!(Acceptor::from_pem_files(own, own), Err(TlsError::Certificate { .. })));
}
