//! Opens a connection to the outbound MTA: TCP, greeting, EHLO, STARTTLS and EHLO again (RFC 3207).
//! Where TLS is required, nothing but EHLO and STARTTLS goes out in clear (M-33).

use std::io;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::RelaySettings;
use super::connection::{Broken, Connection, How, Socket};
use super::extensions::Extensions;
use crate::mail::Outcome;
use crate::tls::Connector;

/// The outbound MTA as the configuration has it.
pub(super) struct Peer {
    pub(super) settings: RelaySettings,
    /// What we say in EHLO.
    pub(super) helo: String,
    pub(super) tls: Option<Connector>,
}

impl Peer {
    /// A connection that is ready for its first transaction.
    pub(super) async fn open(&self) -> Result<Connection, Outcome> {
        let limits = self.settings.timeouts;
        let mut connection = Connection::new(self.connect().await?, limits);
        let code = connection.reply("greeting", limits.greeting).await;
        self.expect(&connection, "greeting", code, 220)?; // RFC 5321 s.3.1
        self.greet(&mut connection).await?;
        if self.settings.tls_required() {
            connection = self.secure(connection).await?;
            self.greet(&mut connection).await?; // what was announced in clear is void (RFC 3207 s.4.2)
        }
        debug!(tls = self.settings.tls_required(), pipelining = connection.extensions.pipelining, "connected to the outbound MTA");
        Ok(connection)
    }

    async fn connect(&self) -> Result<Box<dyn Socket>, Outcome> {
        let RelaySettings { host, port, timeouts, .. } = &self.settings;
        let failed = |error: io::Error| Outcome::Unreachable { why: format!("connect: {error}") };
        let connected = timeout(timeouts.connect, TcpStream::connect((host.as_str(), *port))).await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        // Small writes would wait for the peer's delayed ACK: 44 ms a message.
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Box::new(stream))
    }

    async fn greet(&self, connection: &mut Connection) -> Result<(), Outcome> {
        let code = connection.command(&["EHLO ", &self.helo, "\r\n"], "EHLO", self.settings.timeouts.command).await;
        self.expect(connection, "EHLO", code, 250)?;
        connection.extensions = Extensions::parse(&connection.text());
        Ok(())
    }

    async fn secure(&self, mut connection: Connection) -> Result<Connection, Outcome> {
        let limits = self.settings.timeouts;
        let unreachable = |why: &str| Outcome::Unreachable { why: why.to_owned() };
        let Some(tls) = &self.tls else { return Err(unreachable("STARTTLS: required, but TLS is not set up")) };
        if !connection.extensions.starttls {
            return Err(unreachable("STARTTLS: required, but the outbound MTA does not offer it"));
        }
        let code = connection.command(&["STARTTLS\r\n"], "STARTTLS", limits.command).await;
        self.expect(&connection, "STARTTLS", code, 220)?;
        let stream = connection.into_stream().ok_or_else(|| Broken { stage: "STARTTLS", how: How::NotSmtp }.unreachable())?;
        match timeout(limits.connect, tls.connect(&self.settings.host, stream)).await {
            Ok(Ok(stream)) => Ok(Connection::new(Box::new(stream), limits)),
            // The library's text names the fault of the certificate, never who gets the mail.
            Ok(Err(error)) => Err(Outcome::Unreachable { why: format!("TLS: {error}") }),
            Err(_) => Err(Broken { stage: "TLS", how: How::Slow }.unreachable()),
        }
    }

    /// A 5yz here is about our host, not about this mail: it must not bounce (RFC 5321 s.4.2.4.2),
    /// so the peer counts as unreachable.
    fn expect(&self, connection: &Connection, stage: &str, code: Result<u16, Broken>, wanted: u16) -> Result<(), Outcome> {
        match code.map_err(Broken::unreachable)? {
            code if code == wanted => Ok(()),
            code @ 400..500 => Err(connection.outcome(code)),
            code => Err(Outcome::Unreachable { why: format!("{stage}: outbound MTA answers {code}") }),
        }
    }
}
