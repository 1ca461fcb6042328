//! The far end: a plain SMTP server on loopback that takes everything and keeps it.
//!
//! It judges nothing and breaks nothing: replies on demand, delays and dropped connections belong to
//! the fake outbound MTA.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The end of patience with a peer; nothing is measured against it.
const DEADLINE: Duration = Duration::from_secs(60);

/// One message as it arrived.
#[derive(Clone)]
pub(crate) struct Arrival {
    /// The reverse-path without angle brackets; empty for `<>`.
    pub(crate) from: String,
    /// The recipients of the envelope, without angle brackets.
    pub(crate) to: Vec<String>,
    /// The message, dot-stuffing undone, every other octet as it came.
    pub(crate) message: Vec<u8>,
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> to {:?}: {}", self.from, self.to, String::from_utf8_lossy(&self.message))
    }
}

#[derive(Default)]
struct Kept {
    arrivals: Vec<Arrival>,
    connections: Vec<TcpStream>,
    closing: bool,
}

type Shared = Arc<(Mutex<Kept>, Condvar)>;

/// A running sink; stops when dropped.
pub(crate) struct Sink {
    address: SocketAddr,
    shared: Shared,
    acceptor: Option<JoinHandle<()>>,
}

impl Sink {
    /// Listens on a free loopback port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::default();
        let acceptor = std::thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until `count` messages have arrived since the start; returns all that are there.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Arrival> {
        let (kept, changed) = &*self.shared;
        let (kept, _) = changed.wait_timeout_while(kept.lock().unwrap(), DEADLINE, |kept| kept.arrivals.len() < count).unwrap();
        assert!(kept.arrivals.len() >= count, "{count} messages expected, {} arrived", kept.arrivals.len());
        kept.arrivals.clone()
    }

    /// What has arrived so far.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.wait_for(0)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.0.lock().unwrap().closing = true;
        // One last connection wakes the acceptor.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().ok();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Shared) {
    let mut sessions = Vec::new();
    for stream in listener.incoming().map_while(Result::ok) {
        let mut kept = shared.0.lock().unwrap();
        if kept.closing {
            kept.connections.drain(..).for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
            break;
        }
        kept.connections.push(stream.try_clone().unwrap());
        let shared = shared.clone();
        // A connection lost half-way leaves no arrival; that is all a sink has to say about it.
        sessions.push(std::thread::spawn(move || drop(converse(&stream, &shared))));
    }
    sessions.into_iter().for_each(|session| drop(session.join()));
}

fn converse(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut lines, mut out) = (BufReader::new(stream), stream);
    let mut arrival = Arrival { from: String::new(), to: Vec::new(), message: Vec::new() };
    out.write_all(b"220 sink.example ESMTP\r\n")?;
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" => "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n",
            "MAIL" => {
                arrival = Arrival { from: path(&command), to: Vec::new(), message: Vec::new() };
                "250 2.1.0 Ok\r\n"
            }
            "RCPT" => {
                arrival.to.push(path(&command));
                "250 2.1.5 Ok\r\n"
            }
            "DATA" => {
                out.write_all(b"354 Go ahead\r\n")?;
                arrival.message = message(&mut lines)?;
                let mut kept = shared.0.lock().unwrap();
                kept.arrivals.push(arrival.clone());
                shared.1.notify_all();
                "250 2.0.0 Ok: kept\r\n"
            }
            "HELO" | "RSET" | "NOOP" => "250 2.0.0 Ok\r\n",
            "QUIT" => return out.write_all(b"221 2.0.0 Bye\r\n"),
            _ => "500 5.5.2 Unknown command\r\n",
        };
        out.write_all(reply.as_bytes())?;
    }
}

/// What stands between the angle brackets of a command.
fn path(command: &str) -> String {
    let inner = command.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(path, _)| path.to_owned())
}

/// Reads to the final dot and undoes dot-stuffing (RFC 5321 s.4.5.2).
fn message(lines: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        // A dot counts only at the start of a line that CRLF began: a bare LF ends no line in SMTP.
        let begins_line = message.is_empty() || message.ends_with(b"\r\n");
        match line.as_slice() {
            b".\r\n" if begins_line => return Ok(message),
            [b'.', rest @ ..] if begins_line => message.extend_from_slice(rest),
            line => message.extend_from_slice(line),
        }
    }
}
