//! One connection to the MTA: commands in, replies as the script has them.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Act, Received, Shared, Stage};

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

pub(super) struct Session {
    shared: Arc<Shared>,
    /// `None` only while TLS shakes hands.
    stream: Option<BufReader<Box<dyn Socket>>>,
    /// Replies not written yet: they go together while commands are waiting (RFC 2920 s.3.2).
    out: Vec<u8>,
    mail: Received,
    mail_open: bool,
    logged_in: bool,
}

impl Session {
    pub(super) fn new(tcp: TcpStream, connection: usize, shared: Arc<Shared>) -> Self {
        let mail = Received {
            connection,
            reverse_path: String::new(),
            parameters: String::new(),
            recipient_parameters: String::new(),
            recipients: Vec::new(),
            message: Vec::new(),
            tls: false,
            pipelined: false,
        };
        Self {
            shared,
            stream: Some(BufReader::with_capacity(64 * 1024, Box::new(tcp))),
            out: Vec::new(),
            mail,
            mail_open: false,
            logged_in: false,
        }
    }

    /// Ends with an error whatever ends the connection.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        if self.shared.change(|state| state.script.implicit) {
            self.shake_hands().await?;
        }
        self.perform(Stage::Greeting, "220 fake.example ESMTP").await?;
        loop {
            let line = self.line().await?;
            let command = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.shared.change(|state| state.commands.push(command.clone()));
            let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.ehlo().await?,
                "AUTH" => self.auth(&command).await?,
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
        if self.shared.change(|state| state.script.tls.is_none()) {
            self.say("502 5.5.1 no TLS here");
            return Ok(());
        }
        if !self.perform(Stage::StartTls, "220 2.0.0 go ahead").await?.starts_with("220") {
            return Ok(());
        }
        self.flush().await?;
        self.shake_hands().await
    }

    async fn shake_hands(&mut self) -> io::Result<()> {
        let config = self.shared.change(|state| state.script.tls.clone()).expect("a certificate");
        let stream = self.stream.take().expect("there between commands").into_inner();
        let stream = tokio_rustls::TlsAcceptor::from(config).accept(stream).await?;
        self.stream = Some(BufReader::with_capacity(64 * 1024, Box::new(stream)));
        self.mail.tls = true;
        Ok(())
    }

    async fn auth(&mut self, command: &str) -> io::Result<()> {
        let wanted = self.shared.change(|state| state.script.login).unwrap_or_default();
        let mut good = wanted.first() == Some(&command);
        for line in wanted.iter().skip(1) {
            self.say("334 ");
            let said = self.line().await?;
            good &= said.strip_suffix(b"\r\n") == Some(line.as_bytes());
        }
        let normal = if good { "235 2.7.0 welcome" } else { "535 5.7.8 who are you" };
        self.logged_in = self.perform(Stage::Auth, normal).await?.starts_with("235");
        Ok(())
    }

    async fn mail(&mut self, command: &str) -> io::Result<()> {
        let (path, parameters) = command.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("MAIL FROM:<path>");
        let waiting = self.stream.as_ref().expect("there between commands").buffer();
        let pipelined = waiting.ends_with(b"DATA\r\n");
        if !self.logged_in && self.shared.change(|state| state.script.login.is_some()) {
            self.say("530 5.7.0 log in first");
            return Ok(());
        }
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
        let (path, parameters) = command.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("RCPT TO:<path>");
        if !self.mail_open {
            self.say("503 5.5.1 MAIL first");
            return Ok(());
        }
        let act = self.shared.change(|state| {
            let act = state.next(Stage::Rcpt);
            state.script.act_for(path).unwrap_or(act)
        });
        if self.act(act, "250 2.1.5 recipient ok").await?.starts_with('2') {
            self.mail.recipients.push(path.to_owned());
            self.mail.recipient_parameters = parameters.trim().to_owned();
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
        let mail = said.starts_with('2').then(|| self.mail.clone());
        // Who sees the mail and sets another script does not change what follows it.
        let kept = self.shared.change(|state| {
            state.received.extend(mail);
            state.next(Stage::Kept)
        });
        self.reset();
        self.act(kept, "").await?;
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
            assert!(line.ends_with(b"\r\n"), "bare LF in the message"); // RFC 5321 s.2.3.8
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
        let act = self.shared.change(|state| state.next(stage));
        self.act(act, normal).await
    }

    async fn act(&mut self, act: Act, normal: &str) -> io::Result<String> {
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
