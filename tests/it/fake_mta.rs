//! An outbound MTA that does what a script says: takes mail and keeps it, or fails at the stage a
//! test wants. Speaks real SMTP on a real port, and waits without sleeping.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A point in the dialogue where a script can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Instead of the greeting.
    Greeting,
    Ehlo,
    StartTls,
    Rset,
    Mail,
    Rcpt,
    /// Instead of the reply to DATA.
    Data,
    /// At the first octets of the message; what is said there ends the connection.
    Body,
    /// Instead of the reply to the final dot.
    Dot,
    /// After the reply to a final dot was sent, unasked.
    Kept,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// What an MTA in good health does.
    Normal,
    /// Says this line instead; with 421 it closes the connection after it.
    Say(&'static str),
    /// Goes on as `Normal` after [`FakeMta::release`].
    Hang,
    /// Closes the connection.
    Drop,
    /// Says something that is no SMTP reply.
    Garbage,
}

/// How the MTA behaves.
#[derive(Clone)]
pub(crate) struct Script {
    extensions: Vec<&'static str>,
    acts: Vec<(Stage, Option<usize>, Act)>,
    tls: Option<Arc<ServerConfig>>,
}

impl Script {
    /// Takes everything; announces PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES and SIZE 30000000.
    pub(crate) fn new() -> Self {
        let extensions = vec!["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 30000000"];
        Self { extensions, acts: Vec::new(), tls: None }
    }

    /// Announces exactly these (and STARTTLS, where it has a certificate).
    pub(crate) fn extensions(mut self, extensions: &[&'static str]) -> Self {
        self.extensions = extensions.to_vec();
        self
    }

    /// Acts so each time.
    pub(crate) fn on(mut self, stage: Stage, act: Act) -> Self {
        self.acts.push((stage, None, act));
        self
    }

    /// Acts so at the `nth` time (from 1, over all connections since the script was set).
    pub(crate) fn on_nth(mut self, stage: Stage, nth: usize, act: Act) -> Self {
        self.acts.push((stage, Some(nth), act));
        self
    }

    /// Offers STARTTLS.
    pub(crate) fn tls(mut self, certificate: &TestCertificate) -> Self {
        self.tls = Some(Arc::clone(&certificate.server));
        self
    }

    fn act(&self, stage: Stage, time: usize) -> Act {
        let fits = |entry: &&(Stage, Option<usize>, Act)| entry.0 == stage && entry.1.is_none_or(|nth| nth == time);
        self.acts.iter().rev().find(fits).map_or(Act::Normal, |entry| entry.2)
    }
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// Number of the connection, from 1.
    pub(crate) connection: usize,
    /// Between the brackets of MAIL FROM.
    pub(crate) reverse_path: String,
    /// What follows the brackets, e.g. `BODY=8BITMIME`.
    pub(crate) parameters: String,
    /// Between the brackets of RCPT TO.
    pub(crate) recipients: Vec<String>,
    /// The message, without dot-stuffing.
    pub(crate) message: Vec<u8>,
    /// Arrived under TLS.
    pub(crate) tls: bool,
    /// DATA was there before MAIL was answered.
    pub(crate) pipelined: bool,
}

/// The running MTA. It stops when dropped; its connections end with the runtime.
pub(crate) struct FakeMta {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
    released: watch::Sender<bool>,
}

struct State {
    script: Script,
    reached: HashMap<Stage, usize>,
    connections: usize,
    closed: usize,
    commands: Vec<String>,
    received: Vec<Received>,
}

impl FakeMta {
    /// Starts on a free port of 127.0.0.1.
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = State { script, reached: HashMap::new(), connections: 0, closed: 0, commands: Vec::new(), received: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Notify::new(), released: watch::Sender::new(false) });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on acts so, on open connections too. Counting of stages begins anew.
    pub(crate) fn set(&self, script: Script) {
        self.shared.released.send_replace(false);
        self.shared.change(|state| {
            state.script = script;
            state.reached.clear();
        });
    }

    /// Lets all that hangs go on.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// Takes no further connections: who comes is refused by the host.
    pub(crate) async fn stop(mut self) -> SocketAddr {
        self.accepting.abort();
        let _ = (&mut self.accepting).await; // the listener is closed when the task is gone
        self.address
    }

    /// Connections taken so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state.lock().expect("no panic").connections
    }

    /// The command lines of all connections, in order of arrival.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.shared.state.lock().expect("no panic").commands.clone()
    }

    /// The mails taken so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.state.lock().expect("no panic").received.clone()
    }

    /// Waits until `count` mails were taken; gives all.
    pub(crate) async fn wait_received(&self, count: usize) -> Vec<Received> {
        self.wait("mails", |state| (state.received.len() >= count).then(|| state.received.clone())).await
    }

    /// Waits until `count` connections have ended.
    pub(crate) async fn wait_closed(&self, count: usize) {
        self.wait("ends of connections", |state| (state.closed >= count).then_some(())).await;
    }

    /// Waits until `stage` was reached `count` times since the script was set.
    pub(crate) async fn wait_reached(&self, stage: Stage, count: usize) {
        self.wait("stage", |state| (state.reached.get(&stage).is_some_and(|times| *times >= count)).then_some(())).await;
    }

    async fn wait<T>(&self, what: &str, check: impl Fn(&State) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                if let Some(found) = check(&self.shared.state.lock().expect("no panic")) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }
}

impl Drop for FakeMta {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().expect("no panic"));
        self.changed.notify_waiters();
        result
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((tcp, _)) = listener.accept().await {
        tcp.set_nodelay(true).expect("a TCP socket");
        let number = shared.change(|state| {
            state.connections += 1;
            state.connections
        });
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut session = Session::new(tcp, number, Arc::clone(&shared));
            let _ended = session.run().await;
            drop(session); // closed before it is said so
            shared.change(|state| state.closed += 1);
        });
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

struct Session {
    shared: Arc<Shared>,
    /// `None` only while TLS shakes hands.
    stream: Option<BufReader<Box<dyn Socket>>>,
    /// Replies not written yet: they go together while commands are waiting (RFC 2920 s.3.2).
    out: Vec<u8>,
    mail: Received,
    mail_open: bool,
}

impl Session {
    fn new(tcp: TcpStream, connection: usize, shared: Arc<Shared>) -> Self {
        let mail = Received {
            connection,
            reverse_path: String::new(),
            parameters: String::new(),
            recipients: Vec::new(),
            message: Vec::new(),
            tls: false,
            pipelined: false,
        };
        Self { shared, stream: Some(BufReader::with_capacity(64 * 1024, Box::new(tcp))), out: Vec::new(), mail, mail_open: false }
    }

    /// Ends with an error whatever ends the connection.
    async fn run(&mut self) -> io::Result<()> {
        self.perform(Stage::Greeting, "220 fake.example ESMTP").await?;
        loop {
            let line = self.line().await?;
            let command = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.shared.change(|state| state.commands.push(command.clone()));
            let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.ehlo().await?,
                "STARTTLS" => self.starttls().await?,
                "MAIL" => self.mail(&command).await?,
                "RCPT" => self.rcpt(&command).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.reset();
                    self.perform(Stage::Rset, "250 2.0.0 reset").await?;
                }
                "NOOP" => self.say("250 2.0.0 ok"),
                "QUIT" => {
                    self.say("221 2.0.0 bye");
                    self.flush().await?;
                    return Ok(());
                }
                _ => self.say("500 5.5.2 unknown command"),
            }
        }
    }

    async fn ehlo(&mut self) -> io::Result<()> {
        self.reset();
        let script = self.shared.change(|state| state.script.clone());
        let mut lines = vec!["fake.example"];
        lines.extend(&script.extensions);
        if script.tls.is_some() && !self.mail.tls {
            lines.push("STARTTLS");
        }
        let last = lines.pop().expect("the name at least");
        let mut reply: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        reply.push_str(&format!("250 {last}"));
        self.perform(Stage::Ehlo, &reply).await?;
        Ok(())
    }

    async fn starttls(&mut self) -> io::Result<()> {
        let Some(config) = self.shared.change(|state| state.script.tls.clone()) else {
            self.say("502 5.5.1 no TLS here");
            return Ok(());
        };
        if !self.perform(Stage::StartTls, "220 2.0.0 go ahead").await?.starts_with("220") {
            return Ok(());
        }
        self.flush().await?;
        let stream = self.stream.take().expect("there between commands").into_inner();
        let stream = tokio_rustls::TlsAcceptor::from(config).accept(stream).await?;
        self.stream = Some(BufReader::with_capacity(64 * 1024, Box::new(stream)));
        self.mail.tls = true;
        Ok(())
    }

    async fn mail(&mut self, command: &str) -> io::Result<()> {
        let (path, parameters) = command.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("MAIL FROM:<path>");
        let waiting = self.stream.as_ref().expect("there between commands").buffer();
        let pipelined = waiting.ends_with(b"DATA\r\n");
        if self.mail_open {
            self.say("503 5.5.1 nested MAIL"); // RFC 5321 s.4.1.4
            return Ok(());
        }
        if self.perform(Stage::Mail, "250 2.1.0 sender ok").await?.starts_with('2') {
            self.mail_open = true;
            self.mail.reverse_path = path.to_owned();
            self.mail.parameters = parameters.trim().to_owned();
            self.mail.pipelined = pipelined;
        }
        Ok(())
    }

    async fn rcpt(&mut self, command: &str) -> io::Result<()> {
        let (path, _) = command.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("RCPT TO:<path>");
        if !self.mail_open {
            self.say("503 5.5.1 MAIL first");
        } else if self.perform(Stage::Rcpt, "250 2.1.5 recipient ok").await?.starts_with('2') {
            self.mail.recipients.push(path.to_owned());
        }
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        let normal = if self.mail.recipients.is_empty() { "503 5.5.1 no valid recipients" } else { "354 end with a dot" };
        if !self.perform(Stage::Data, normal).await?.starts_with("354") {
            return Ok(());
        }
        self.body().await?;
        let said = self.perform(Stage::Dot, "250 2.0.0 queued as 4XyZ").await?;
        if said.starts_with('2') {
            let mail = self.mail.clone();
            self.shared.change(|state| state.received.push(mail));
        }
        self.reset();
        self.perform(Stage::Kept, "").await?;
        Ok(())
    }

    /// Reads the message up to its dot.
    async fn body(&mut self) -> io::Result<()> {
        self.flush().await?;
        if self.stream.as_mut().expect("there between commands").fill_buf().await?.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !self.perform(Stage::Body, "").await?.is_empty() {
            self.flush().await?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.mail.message.clear();
        loop {
            let line = self.line().await?;
            assert!(line.ends_with(b"\r\n"), "bare LF in the message"); // M-42
            match line.as_slice() {
                b".\r\n" => return Ok(()),
                [b'.', rest @ ..] => self.mail.message.extend_from_slice(rest),
                rest => self.mail.message.extend_from_slice(rest),
            }
        }
    }

    fn reset(&mut self) {
        self.mail_open = false;
        self.mail.recipients.clear();
    }

    /// Acts as the script says; gives the reply that was said.
    async fn perform(&mut self, stage: Stage, normal: &str) -> io::Result<String> {
        let act = self.shared.change(|state| {
            let times = state.reached.entry(stage).or_default();
            *times += 1;
            state.script.act(stage, *times)
        });
        let said = match act {
            Act::Normal => normal,
            Act::Say(line) => line,
            Act::Garbage => "this is no SMTP",
            Act::Drop => {
                self.flush().await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Act::Hang => {
                self.flush().await?;
                let mut released = self.shared.released.subscribe();
                let _ = released.wait_for(|released| *released).await;
                normal
            }
        };
        self.say(said);
        if said.starts_with("421") {
            self.flush().await?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(said.to_owned())
    }

    fn say(&mut self, line: &str) {
        if !line.is_empty() {
            self.out.extend_from_slice(line.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().expect("there between commands");
        stream.write_all(&self.out).await?;
        self.out.clear();
        stream.flush().await
    }

    /// The next line; what was said goes out before we wait for it.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        if !self.stream.as_ref().expect("there between commands").buffer().contains(&b'\n') {
            self.flush().await?;
        }
        let mut line = Vec::new();
        self.stream.as_mut().expect("there between commands").read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\n") { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// A certificate for `localhost` and 127.0.0.1 that signed itself, made by the openssl command.
pub(crate) struct TestCertificate {
    directory: tempfile::TempDir,
    server: Arc<ServerConfig>,
}

impl TestCertificate {
    pub(crate) fn make() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (key, certificate) = (directory.path().join("key.pem"), directory.path().join("cert.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .args([&key, Path::new("-out"), &certificate])
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let chain = vec![CertificateDer::from_pem_file(&certificate).expect("openssl wrote it")];
        let key = PrivateKeyDer::from_pem_file(&key).expect("openssl wrote it");
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .expect("key and certificate fit");
        Self { directory, server: Arc::new(server) }
    }

    /// The certificate, as a `ca_file` for the client.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }
}
