//! The demo's marketing-automation tool, website and mail program: small clients that speak SMTP and
//! HTTP to the gateway over real sockets, as the real ones do.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{Reply, stuff};

/// Sends one mail with a login; returns the reply that decided it.
pub(super) async fn send(gateway: SocketAddr, user: &str, password: &str, from: &str, to: &str, message: &str) -> anyhow::Result<Reply> {
    let mut connection = Connection { stream: TcpStream::connect(gateway).await.context("SMTP")?, buffer: Vec::new() };
    connection.reply().await?;
    let login = STANDARD.encode(format!("\0{user}\0{password}"));
    let commands = [
        "EHLO tool.example".to_owned(),
        format!("AUTH PLAIN {login}"),
        format!("MAIL FROM:<{from}>"),
        format!("RCPT TO:<{to}>"),
        "DATA".to_owned(),
    ];
    for command in commands {
        connection.stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let reply = connection.reply().await?;
        if !reply.is_positive() {
            return Ok(reply);
        }
    }
    let mut data = Vec::new();
    stuff(message.replace('\n', "\r\n").as_bytes(), &mut data);
    connection.stream.write_all(&data).await?;
    let reply = connection.reply().await?;
    connection.stream.write_all(b"QUIT\r\n").await?;
    Ok(reply)
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn reply(&mut self) -> anyhow::Result<Reply> {
        loop {
            if let Some((reply, length)) = Reply::read(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the gateway closed the connection");
            }
        }
    }
}

/// One HTTP/1.1 request on a connection of its own; returns status code and body.
pub(super) async fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(server).await.context("HTTP")?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer).context("the HTTP answer")?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP answer")?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    Ok((status, body.to_owned()))
}
