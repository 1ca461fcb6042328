//! Opens a connection to one outbound MTA: TCP, greeting, EHLO, STARTTLS and EHLO again (RFC 3207), AUTH
//! (RFC 4954). Where TLS is required, nothing but EHLO and STARTTLS goes out in clear (M-33).

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tracing::debug;

use super::RelayTimeouts;
use super::connection::{Broken, Connection, How};
use super::extensions::Extensions;
use super::login::Login;
use super::stream::Stream;
use crate::mail::Outcome;
use crate::tls::Connector;

/// One outbound MTA as the configuration has it.
pub(super) struct Peer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    pub(super) login: Option<Login>,
    /// What we say in EHLO.
    pub(super) helo: String,
    pub(super) timeouts: RelayTimeouts,
}

/// What keeps others from reading along.
pub(super) enum Protection {
    None,
    StartTls(Connector),
    Implicit(Connector),
}

impl Peer {
    /// A connection that is ready for its first transaction: to the first address that gives one.
    pub(super) async fn open(&self) -> Result<Connection, Outcome> {
        let mut failure = None;
        for address in self.addresses().await? {
            match self.open_at(address).await {
                Ok(connection) => return Ok(connection),
                Err(outcome) => failure = failure.or(Some(outcome)),
            }
        }
        Err(failure.unwrap_or_else(|| unreachable("connect: the host's name has no address".to_owned())))
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, Outcome> {
        let found = timeout(self.timeouts.connect, lookup_host((self.host.as_str(), self.port))).await;
        let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        Ok(found.map_err(|error| unreachable(format!("connect: {error}")))?.collect())
    }

    async fn open_at(&self, address: SocketAddr) -> Result<Connection, Outcome> {
        let tcp = self.connect(address).await?;
        let mut connection = match &self.protection {
            Protection::Implicit(tls) => self.secure(tcp, tls).await?,
            Protection::None | Protection::StartTls(_) => Connection::new(Stream::Plain(tcp), self.timeouts),
        };
        let code = connection.reply("greeting", self.timeouts.greeting).await;
        expect(&connection, "greeting", code, 220)?; // RFC 5321 s.3.1
        self.greet(&mut connection).await?;
        if let Protection::StartTls(tls) = &self.protection {
            let tcp = self.start_tls(connection).await?;
            connection = self.secure(tcp, tls).await?;
            self.greet(&mut connection).await?; // what was announced in clear is void (RFC 3207 s.4.2)
        }
        if let Some(login) = &self.login {
            self.authenticate(&mut connection, login).await?;
        }
        debug!(extensions = ?connection.extensions, "connected to the outbound MTA");
        Ok(connection)
    }

    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, Outcome> {
        let failed = |error: io::Error| unreachable(format!("connect: {error}"));
        let connected = timeout(self.timeouts.connect, TcpStream::connect(address)).await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        // Small writes would wait for the peer's delayed ACK: 44 ms a message.
        stream.set_nodelay(true).map_err(failed)?;
        Ok(stream)
    }

    async fn greet(&self, connection: &mut Connection) -> Result<(), Outcome> {
        let code = connection.command(&["EHLO ", &self.helo, "\r\n"], "EHLO", self.timeouts.command).await;
        expect(connection, "EHLO", code, 250)?;
        connection.extensions = Extensions::parse(&connection.text());
        Ok(())
    }

    async fn start_tls(&self, mut connection: Connection) -> Result<TcpStream, Outcome> {
        if !connection.extensions.starttls {
            return Err(unreachable("STARTTLS: required, but the outbound MTA does not offer it".to_owned()));
        }
        let code = connection.command(&["STARTTLS\r\n"], "STARTTLS", self.timeouts.command).await;
        expect(&connection, "STARTTLS", code, 220)?;
        connection.into_tcp().ok_or_else(|| Broken { stage: "STARTTLS", how: How::NotSmtp }.unreachable())
    }

    async fn secure(&self, tcp: TcpStream, tls: &Connector) -> Result<Connection, Outcome> {
        match timeout(self.timeouts.connect, tls.connect(&self.host, tcp)).await {
            Ok(Ok(stream)) => Ok(Connection::new(Stream::Tls(Box::new(stream)), self.timeouts)),
            // The library's text names the fault of the certificate, never who gets the mail.
            Ok(Err(error)) => Err(unreachable(format!("TLS: {error}"))),
            Err(_) => Err(Broken { stage: "TLS", how: How::Slow }.unreachable()),
        }
    }

    /// A refusal is about this gateway, not about a mail: no mail bounces for it.
    async fn authenticate(&self, connection: &mut Connection, login: &Login) -> Result<(), Outcome> {
        let Some(lines) = login.lines(connection.extensions) else {
            return Err(unreachable(
                "AUTH: the outbound MTA offers neither PLAIN nor LOGIN; take username out, or mend its AUTH".to_owned(),
            ));
        };
        let last = lines.len() - 1;
        for (number, line) in lines.iter().enumerate() {
            let code = connection.command(&[line, "\r\n"], "AUTH", self.timeouts.command).await;
            connection.forget_written();
            match code {
                Ok(500..600) => {
                    let code = code.unwrap_or_default();
                    let mend = "check username and password_file";
                    return Err(unreachable(format!("AUTH: outbound MTA answers {code}; {mend}")));
                }
                code => expect(connection, "AUTH", code, if number == last { 235 } else { 334 })?,
            }
        }
        Ok(())
    }
}

/// A 5yz here is about our host, not about this mail: it must not bounce (RFC 5321 s.4.2.4.2),
/// so the peer counts as unreachable.
fn expect(connection: &Connection, stage: &str, code: Result<u16, Broken>, wanted: u16) -> Result<(), Outcome> {
    match code.map_err(Broken::unreachable)? {
        code if code == wanted => Ok(()),
        code @ 400..500 => Err(connection.outcome(code)),
        code => Err(unreachable(format!("{stage}: outbound MTA answers {code}"))),
    }
}

fn unreachable(why: String) -> Outcome {
    Outcome::Unreachable { why }
}
