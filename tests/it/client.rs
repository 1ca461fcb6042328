//! A small blocking SMTP client for trips that need many mails or stop half-way.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consentry::wire::stuff;

use crate::world::PASSWORD;

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects and logs in as that stream.
    pub(crate) fn login(server: SocketAddr, stream: &str) -> Self {
        let mut client = Self::connect(server);
        let login = STANDARD.encode(format!("\0{stream}\0{PASSWORD}"));
        assert_eq!(client.command(&format!("AUTH PLAIN {login}")).0, 235);
        client
    }

    /// Connects, and says who it is no further than by EHLO.
    pub(crate) fn connect(server: SocketAddr) -> Self {
        let socket = TcpStream::connect(server).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut client = Self { stream: BufReader::new(socket) };
        assert_eq!(client.reply().0, 220);
        assert_eq!(client.command("EHLO tool.acme.example").0, 250);
        client
    }

    /// Sends one mail; code and text of the reply that decided it.
    pub(crate) fn send(&mut self, from: &str, to: &str, message: &[u8]) -> (u16, String) {
        for command in [format!("MAIL FROM:<{from}> BODY=8BITMIME"), format!("RCPT TO:<{to}>"), "DATA".to_owned()] {
            let reply = self.command(&command);
            if reply.0 >= 400 {
                assert_eq!(self.command("RSET").0, 250);
                return reply;
            }
        }
        self.data(message);
        self.reply()
    }

    /// Sends one mail to several; the replies to RCPT and the one that decided it.
    pub(crate) fn send_to(&mut self, from: &str, to: &[&str], message: &[u8]) -> (Vec<u16>, (u16, String)) {
        assert_eq!(self.command(&format!("MAIL FROM:<{from}> BODY=8BITMIME")).0, 250);
        let taken = to.iter().map(|to| self.command(&format!("RCPT TO:<{to}>")).0).collect();
        let answer = self.command("DATA");
        if answer.0 != 354 {
            return (taken, answer);
        }
        self.data(message);
        (taken, self.reply())
    }

    /// A transaction up to its message.
    pub(crate) fn open(&mut self, from: &str, to: &str) {
        assert_eq!(self.command(&format!("MAIL FROM:<{from}> BODY=8BITMIME")).0, 250);
        assert_eq!(self.command(&format!("RCPT TO:<{to}>")).0, 250);
    }

    /// Octets as they are.
    pub(crate) fn send_octets(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).unwrap();
    }

    /// Message and final dot, without waiting for the reply.
    pub(crate) fn data(&mut self, message: &[u8]) {
        let mut data = Vec::new();
        stuff(message, &mut data);
        self.stream.get_mut().write_all(&data).unwrap();
    }

    /// Sends a line and reads the reply.
    pub(crate) fn command(&mut self, line: &str) -> (u16, String) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.reply()
    }

    /// Reads a reply; code 0 when the connection is closed instead.
    pub(crate) fn reply(&mut self) -> (u16, String) {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).unwrap_or(0) == 0 {
                return (0, text);
            }
            text.push_str(line.get(4..).unwrap_or_default());
            if line.as_bytes().get(3) == Some(&b' ') {
                return (line[..3].parse().unwrap(), text);
            }
        }
    }
}
