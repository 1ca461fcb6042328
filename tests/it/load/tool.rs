//! One connection of a tool. It pipelines the envelope and takes every answer, also none.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consentry::wire::stuff;

use super::Answer;
use super::mail::{Dice, Job};
use crate::world::PASSWORD;

pub(crate) struct Tool {
    stream: BufReader<TcpStream>,
}

impl Tool {
    /// Connects and logs in; `None` when the gateway is not there, or goes.
    pub(super) fn login(server: SocketAddr, stream: &str) -> Option<Self> {
        let socket = TcpStream::connect(server).ok()?;
        socket.set_nodelay(true).ok()?;
        let mut tool = Self { stream: BufReader::new(socket) };
        let login = STANDARD.encode(format!("\0{stream}\0{PASSWORD}"));
        let greeted = tool.reply()?.0 == 220 && tool.say("EHLO tool.acme.example\r\n")?.0 == 250;
        (greeted && tool.say(&format!("AUTH PLAIN {login}\r\n"))?.0 == 235).then_some(tool)
    }

    /// Sends a mail and hears the answer.
    pub(super) fn send(&mut self, job: &Job) -> Answer {
        self.transaction(job).unwrap_or(Answer::None)
    }

    fn transaction(&mut self, job: &Job) -> Option<Answer> {
        self.write(&envelope(job))?;
        let mut replies = Vec::new();
        for _ in 0..job.to.len() + 2 {
            replies.push(self.reply()?);
            if replies.last()?.0 == 421 {
                return replies.pop().map(answer);
            }
        }
        let (code, text) = replies.pop()?;
        if code != 354 {
            // The first refusal is the reason: what follows it is only out of order.
            let reason = replies.into_iter().find(|(code, _)| *code >= 400);
            return Some(answer(reason.unwrap_or((code, text))));
        }
        self.write(&data(job))?;
        self.reply().map(answer)
    }

    /// Sends the envelope and some octets of the message.
    pub(super) fn send_part(&mut self, job: &Job, dice: &mut Dice) -> Option<()> {
        self.write(&envelope(job))?;
        for _ in 0..job.to.len() + 2 {
            self.reply()?;
        }
        let data = data(job);
        let some = dice.below(data.len() as u64 + 1) as usize;
        self.write(&data[..some])
    }

    fn say(&mut self, line: &str) -> Option<(u16, String)> {
        self.write(line.as_bytes())?;
        self.reply()
    }

    fn write(&mut self, octets: &[u8]) -> Option<()> {
        self.stream.get_mut().write_all(octets).ok()
    }

    fn reply(&mut self) -> Option<(u16, String)> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            if !line.ends_with("\r\n") {
                return None;
            }
            text.push_str(&line[4..]);
            if line.as_bytes()[3] == b' ' {
                return Some((line[..3].parse().expect("a code"), text.trim_end().to_owned()));
            }
        }
    }
}

fn envelope(job: &Job) -> Vec<u8> {
    let recipients: String = job.to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
    format!("MAIL FROM:<{}>\r\n{recipients}DATA\r\n", job.from).into_bytes()
}

fn data(job: &Job) -> Vec<u8> {
    let mut data = Vec::new();
    stuff(&job.message, &mut data);
    data
}

fn answer((code, text): (u16, String)) -> Answer {
    match code {
        200..300 => Answer::Taken(text),
        400..500 => Answer::Later(code, text),
        _ => Answer::Refused(code, text),
    }
}
