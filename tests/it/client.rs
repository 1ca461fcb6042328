//! A small blocking SMTP client for trips that send many mails: one connection, one login, plain steps.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consentry::wire::stuff;

pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects and logs in; panics when that is refused.
    pub fn login(server: SocketAddr, user: &str, password: &str) -> Self {
        let stream = TcpStream::connect(server).expect("the gateway listens");
        stream.set_nodelay(true).expect("nodelay");
        let mut client = Self { stream: BufReader::new(stream) };
        assert_eq!(client.reply().0, 220);
        assert_eq!(client.command("EHLO tool.acme.example").0, 250);
        let login = STANDARD.encode(format!("\0{user}\0{password}"));
        assert_eq!(client.command(&format!("AUTH PLAIN {login}")).0, 235);
        client
    }

    /// Sends one mail; the code and text of the reply that decided it.
    pub fn send(&mut self, from: &str, to: &str, message: &[u8]) -> (u16, String) {
        self.begin(from, to).unwrap_or_else(|| {
            self.finish(message);
            self.reply()
        })
    }

    /// MAIL, RCPT, DATA; `Some` when one was refused.
    pub fn begin(&mut self, from: &str, to: &str) -> Option<(u16, String)> {
        for command in [format!("MAIL FROM:<{from}> BODY=8BITMIME"), format!("RCPT TO:<{to}>"), "DATA".to_owned()] {
            let reply = self.command(&command);
            if reply.0 >= 400 {
                self.command("RSET");
                return Some(reply);
            }
        }
        None
    }

    /// Message and final dot, without waiting for the reply.
    pub fn finish(&mut self, message: &[u8]) {
        let mut data = Vec::new();
        stuff(message, &mut data);
        self.stream.get_mut().write_all(&data).expect("the connection stands");
    }

    /// Sends a line and reads the reply.
    pub fn command(&mut self, line: &str) -> (u16, String) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("the connection stands");
        self.reply()
    }

    /// Reads a reply; 0 when the connection is closed.
    pub fn reply(&mut self) -> (u16, String) {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).unwrap_or(0) == 0 {
                return (0, text);
            }
            text.push_str(line.get(4..).unwrap_or_default());
            if line.as_bytes().get(3) == Some(&b' ') {
                return (line[..3].parse().expect("a code"), text);
            }
        }
    }
}

/// A text mail of ours, complete, with CRLF.
pub fn mail(from: &str, to: &str, subject: &str, extra: &str) -> Vec<u8> {
    let id = u128::from_be_bytes(random());
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{id:x}@acme.example>\r\n\
         {extra}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGuten Tag,\r\n.\r\nein Text.\r\n"
    )
    .into_bytes()
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    bytes
}
