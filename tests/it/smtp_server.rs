//! A real SMTP server on a free port with a handler that only keeps what it gets, and a client that
//! speaks line by line; then what dialogues cannot say: shutdown, limits, clients that vanish.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use consentry::mail::{AnswerProfile, Dispute, Hop, Recipient, ReversePath, Stream, StreamClass, StreamMode};
use consentry::smtp::{Answers, Authentication, Door, Handler, SmtpSettings, Socket, StreamRates, Submission, Tls, serve};
use consentry::tls::Acceptor;
use consentry::wire::{Enhanced, Reply};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use zeroize::Zeroizing;

/// Keeps submissions; may be told to hold them until released.
pub(crate) struct Keeper {
    /// True: the loopback network belongs to stream `network`.
    pub(crate) network: bool,
    pub(crate) kept: Mutex<Vec<Submission>>,
    /// Waits for `release` before it keeps.
    hold: bool,
    pub(crate) entered: Notify,
    pub(crate) release: Notify,
    done: Notify,
}

impl Keeper {
    pub(crate) fn new(network: bool, hold: bool) -> Arc<Self> {
        let (entered, release, done) = (Notify::new(), Notify::new(), Notify::new());
        Arc::new(Self { network, kept: Mutex::default(), hold, entered, release, done })
    }
}

pub(crate) fn stream(name: &str) -> Arc<Stream> {
    let (name, controller) = (name.to_owned(), "controller".to_owned());
    Arc::new(Stream {
        name,
        controller,
        class: StreamClass::Marketing,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: StreamMode::Enforce,
        disputed: Dispute::Enforce,
        bulk: Default::default(),
    })
}

impl Handler for Keeper {
    fn stream_of_peer(&self, peer: IpAddr) -> Option<Arc<Stream>> {
        (self.network && peer.is_loopback()).then(|| stream("network"))
    }

    async fn authenticate(&self, username: &str, password: Zeroizing<String>) -> Authentication {
        match (username, password.as_str()) {
            ("shop", "secret") => Authentication::Granted(stream("shop")),
            ("busy", _) => Authentication::Unavailable,
            _ => Authentication::Refused,
        }
    }

    fn reverse_path(&self, _: &Stream, path: &ReversePath) -> Result<(), Reply> {
        match path {
            ReversePath::Mailbox(address) if address.domain() == "forbidden.example" => {
                Err(Reply::new(550, Enhanced(5, 7, 1), "sender domain is not this stream's"))
            }
            _ => Ok(()),
        }
    }

    async fn recipient(&self, _: &Stream, recipient: &Recipient) -> Result<(), Reply> {
        match recipient.address.domain() {
            "blocked.example" => Err(Reply::new(550, Enhanced(5, 7, 1), "consent: no_consent")),
            _ => Ok(()),
        }
    }

    async fn submit(&self, submission: Submission) -> Vec<Reply> {
        self.entered.notify_one();
        if self.hold {
            self.release.notified().await;
        }
        // What a careless handler might pass on from the outbound MTA must not become two replies.
        let injected = submission.recipients[0].address.local() == "inject";
        let verdicts = submission.recipients.iter().map(|recipient| verdict(recipient.address.domain(), injected));
        let replies: Vec<_> = match submission.answers {
            Answers::Each => verdicts.collect(),
            Answers::One => verdicts.max_by_key(Reply::is_positive).into_iter().collect(),
        };
        self.kept.lock().expect("not poisoned").push(submission);
        self.done.notify_one();
        replies
    }
}

fn verdict(domain: &str, injected: bool) -> Reply {
    match domain {
        "refused.example" => Reply::new(550, Enhanced(5, 7, 1), "consent: withdrawn"),
        "later.example" => Reply::new(451, Enhanced(4, 3, 0), "try again"),
        _ if injected => Reply::new(250, Enhanced(2, 0, 0), "ok\r\n250 2.1.0 forged"),
        _ => Reply::new(250, Enhanced(2, 0, 0), "taken"),
    }
}

/// A running server; stops and drains when told.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(keeper: &Arc<Keeper>, settings: SmtpSettings, tls: Tls) -> Self {
        Self::start_behind(keeper, settings, Door::submission(tls)).await
    }

    pub(crate) async fn start_behind(keeper: &Arc<Keeper>, settings: SmtpSettings, door: Door) -> Self {
        let rates = [("slow".to_owned(), StreamRates { messages_per_minute: Some(3), recipients_per_minute: Some(4) })];
        Self::over(&consentry::smtp::Server::new(keeper.clone(), settings, rates), door).await
    }

    /// Two listeners of one server.
    pub(crate) async fn start_twice(keeper: &Arc<Keeper>, settings: SmtpSettings) -> (Self, Self) {
        let server = consentry::smtp::Server::new(keeper.clone(), settings, []);
        (Self::over(&server, Door::submission(Tls::Off)).await, Self::over(&server, Door::submission(Tls::Off)).await)
    }

    async fn over(server: &Arc<consentry::smtp::Server<Keeper>>, door: Door) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(serve(Socket::Tcp(listener), door, server.clone(), shutdown));
        Self { address, stop, served }
    }

    fn begin_shutdown(self) -> tokio::task::JoinHandle<()> {
        self.stop.send(()).expect("still serving");
        self.served
    }

    /// Returns when all connections are closed.
    pub(crate) async fn shut_down(self) {
        self.begin_shutdown().await.expect("no panic");
    }
}

/// A server that says nothing for that long never will: fail instead of hanging.
const HANGS: Duration = Duration::from_secs(30);

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A client that sends octets and reads lines.
pub(crate) struct Client {
    transport: Box<dyn Transport>,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn over(transport: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { transport: Box::new(transport), buffer: Vec::new() }
    }

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("connected");
        socket.set_nodelay(true).expect("open");
        Self { transport: Box::new(socket), buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.transport.write_all(octets).await.expect("sent");
    }

    /// The next line without CRLF; `None` at the end of the connection.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + 2);
                return Some(line);
            }
            let read = tokio::time::timeout(HANGS, self.transport.read_buf(&mut self.buffer)).await;
            if read.expect("the server answers").unwrap_or(0) == 0 {
                assert!(self.buffer.is_empty(), "half a line: {:?}", String::from_utf8_lossy(&self.buffer));
                return None;
            }
        }
    }

    /// Sends each line and expects one reply line with that code.
    pub(crate) async fn talk(&mut self, lines: &[(&str, &str)]) {
        for (line, code) in lines {
            if !line.is_empty() {
                self.send(format!("{line}\r\n").as_bytes()).await;
            }
            let reply = self.line().await.unwrap_or_default();
            assert!(reply.starts_with(code), "{line}: {reply} instead of {code}");
        }
    }

    pub(crate) async fn start_tls(self, certificate: &Path) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).expect("a certificate")).expect("a root");
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let transport = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, self.transport).await.expect("handshake");
        Self { transport: Box::new(transport), buffer: Vec::new() }
    }
}

/// A key pair for `localhost`, made once per test run; never committed.
pub(crate) fn certificate() -> &'static (PathBuf, PathBuf) {
    static MADE: OnceLock<(tempfile::TempDir, (PathBuf, PathBuf))> = OnceLock::new();
    let (_, pair) = MADE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        let pair = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        make_pair(&pair);
        (dir, pair)
    });
    pair
}

pub(crate) fn make_pair((certificate, key): &(PathBuf, PathBuf)) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

pub(crate) fn acceptor() -> Acceptor {
    let (certificate, key) = certificate();
    Acceptor::from_pem_files(certificate, key).expect("usable")
}

pub(crate) const GREETED: (&str, &str) = ("", "220 ");
pub(crate) const TO_DATA: [(&str, &str); 4] =
    [("HELO x.example", "250"), ("MAIL FROM:<a@x.example>", "250"), ("RCPT TO:<b@y.example>", "250"), ("DATA", "354")];

#[tokio::test]
async fn a_client_that_vanishes_does_not_cancel_its_message() {
    // I2: the handler may have passed the mail on already
    let keeper = Keeper::new(true, true);
    let server = Server::start(&keeper, SmtpSettings::default(), Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED]).await;
    client.talk(&TO_DATA).await;
    client.send(b"x\r\n.\r\n").await;
    keeper.entered.notified().await;
    drop(client);
    keeper.release.notify_one();
    keeper.done.notified().await;
    assert_eq!(keeper.kept.lock().expect("not poisoned").len(), 1);
    server.shut_down().await;
}

#[tokio::test]
async fn a_message_cut_off_before_its_dot_is_not_handled() {
    let keeper = Keeper::new(true, false);
    let server = Server::start(&keeper, SmtpSettings::default(), Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED]).await;
    client.talk(&TO_DATA).await;
    client.send(b"x\r\n.\r").await;
    drop(client);
    server.shut_down().await;
    assert!(keeper.kept.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn a_message_cut_off_in_its_last_chunk_is_not_handled() {
    let keeper = Keeper::new(true, false);
    let server = Server::start(&keeper, SmtpSettings::default(), Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED]).await;
    client.talk(&TO_DATA[..3]).await;
    client.send(b"BDAT 5\r\nab\r\nc").await;
    client.talk(&[("", "250")]).await;
    client.send(b"BDAT 4 LAST\r\nd\r\n").await;
    drop(client);
    server.shut_down().await;
    assert!(keeper.kept.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn a_shutdown_ends_idle_sessions_and_waits_for_transactions() {
    let keeper = Keeper::new(true, false);
    let server = Server::start(&keeper, SmtpSettings::default(), Tls::Off).await;
    let (mut idle, mut busy) = (Client::connect(server.address).await, Client::connect(server.address).await);
    idle.talk(&[GREETED, ("NOOP", "250")]).await;
    busy.talk(&[GREETED]).await;
    busy.talk(&TO_DATA[..3]).await;
    let address = server.address;
    let served = server.begin_shutdown();
    idle.talk(&[("", "421 4.3.2")]).await;
    assert_eq!(idle.line().await, None);
    drop(idle);
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
    busy.talk(&[("DATA", "354"), ("x\r\n.", "250 2.0.0"), ("", "421 4.3.2")]).await;
    drop(busy);
    served.await.expect("no panic");
    assert_eq!(keeper.kept.lock().expect("not poisoned").len(), 1);
}

#[tokio::test]
async fn a_shutdown_waits_for_no_peer_longer_than_its_deadline() {
    let keeper = Keeper::new(true, false);
    let settings = SmtpSettings { drain_timeout_seconds: 0, ..SmtpSettings::default() };
    let server = Server::start(&keeper, settings, Tls::Off).await;
    let mut dripping = Client::connect(server.address).await;
    dripping.talk(&[GREETED]).await;
    dripping.talk(&TO_DATA).await;
    dripping.send(b"x").await;
    let served = server.begin_shutdown();
    dripping.talk(&[("", "421 4.3.2")]).await;
    drop(dripping);
    served.await.expect("no panic");
    assert!(keeper.kept.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn large_messages_arrive_whole_over_plaintext_and_tls() {
    // M-31
    let message: Vec<u8> = (0..20_000).flat_map(|line| format!("..line {line}\r\n").into_bytes()).collect();
    let mut wire = Vec::new();
    consentry::wire::stuff(&message, &mut wire);
    for (implicit, tls) in [(false, Tls::StartTls(acceptor())), (true, Tls::Implicit(acceptor()))] {
        let keeper = Keeper::new(true, false);
        let server = Server::start(&keeper, SmtpSettings::default(), tls).await;
        let mut client = Client::connect(server.address).await;
        if implicit {
            client = client.start_tls(&certificate().0).await;
        }
        client.talk(&[GREETED]).await;
        client.talk(&TO_DATA).await;
        client.send(&wire).await;
        client.talk(&[("", "250"), ("QUIT", "221")]).await;
        drop(client);
        server.shut_down().await;
        let kept = keeper.kept.lock().expect("not poisoned");
        assert!(kept.len() == 1 && kept[0].data == message && kept[0].hop.tls == implicit);
    }
}

#[tokio::test]
async fn octets_that_come_one_by_one_mean_the_same() {
    let keeper = Keeper::new(true, false);
    let server = Server::start(&keeper, SmtpSettings::default(), Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED]).await;
    for (said, code) in TO_DATA.iter().chain(&[("..\r\n.x\r\n.", "250"), ("QUIT", "221")]) {
        for octet in said.bytes().chain(*b"\r\n") {
            client.send(&[octet]).await;
        }
        client.talk(&[("", code)]).await;
    }
    drop(client);
    server.shut_down().await;
    assert_eq!(keeper.kept.lock().expect("not poisoned")[0].data, b".\r\nx\r\n");
}

/// One line per submission, for the dialogues' `got:`.
pub(crate) fn summary(submission: &Submission) -> String {
    let Submission { stream, sender, recipients, hop: Hop { helo, tls, authenticated, .. }, .. } = submission;
    let flags: HashMap<bool, &str> = HashMap::from([(true, "yes"), (false, "no")]);
    format!(
        "<{}> {} body={:?} smtputf8={} stream={} helo={helo} tls={} auth={}",
        sender.reverse_path.as_str(),
        recipients.iter().map(|recipient| format!("<{}>", recipient.address.as_str())).collect::<Vec<_>>().join(","),
        sender.body,
        flags[&sender.smtputf8],
        stream.name,
        flags[tls],
        flags[authenticated],
    )
}
