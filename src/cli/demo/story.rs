//! The story the demo tells on the terminal: every line is something that really happened.

use std::net::SocketAddr;

use anyhow::{Context, ensure};

use super::tool;
use crate::cli::sink::{Left, Sink};
use crate::wire::Reply;

/// Password of all demo streams.
pub(super) const PASSWORD: &str = "demo-password";

const SENDER: &str = "newsletter@nordlicht.example";
const LUKAS: &str = "lukas@people.example";
const OLIVIA: &str = "olivia@people.example";

/// Where the story takes place.
pub(super) struct Stage<'a> {
    pub(super) smtp: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) public_url: &'a str,
    pub(super) token: &'a str,
    pub(super) sink: &'a Sink,
}

impl Stage<'_> {
    /// Tells it; fails when anything happens otherwise than told.
    pub(super) async fn tell(&self) -> anyhow::Result<()> {
        step("The marketing tool sends its newsletter to Lukas, who never asked for it.");
        self.expect(&self.newsletter(LUKAS, "October: fresh from the roaster").await?, 550, "no_consent")?;

        step("Olivia signs up on the website. The website tells Consentry, Consentry asks Olivia by mail.");
        let before = self.sink.total();
        self.sign_up().await?;
        let asked = self.sink.after(before).await.context("the confirmation mail")?;
        say(&format!("mail to Olivia: {:?}", asked.subject));

        step("She has not confirmed yet. The newsletter does not wait for that.");
        self.expect(&self.newsletter(OLIVIA, "October: fresh from the roaster").await?, 550, "opt_in_pending")?;

        step("A virus scanner opens the link in her mail and submits what it finds; that is no consent. Then she presses the button.");
        let link = self.link(&asked, "/c/")?;
        let page = self.http("GET", &link, "", 200).await?;
        self.http("POST", &link, "", 200).await?;
        self.expect(&self.newsletter(OLIVIA, "October: fresh from the roaster").await?, 550, "opt_in_pending")?;
        // The demo is faster than anybody reads; the page asks it to press once more.
        let once_more = self.http("POST", &link, &format!("answer=yes&stamp={}", stamp(&page)?), 200).await?;
        self.http("POST", &link, &format!("answer=yes&stamp={}", stamp(&once_more)?), 200).await?;

        step("Now the newsletter may leave, with a signed one-click link and a DKIM signature.");
        let before = self.sink.total();
        self.expect(&self.newsletter(OLIVIA, "November: the winter blend").await?, 250, "")?;
        let passed = self.sink.after(before).await.context("the newsletter")?;
        for name in ["List-Unsubscribe:", "List-Unsubscribe-Post:", "List-Id:", "DKIM-Signature:"] {
            let line = passed.raw.lines().find(|line| line.starts_with(name)).with_context(|| format!("{name} in the newsletter"))?;
            say(&line.chars().take(96).collect::<String>());
        }

        step("Olivia has enough. Her mail program sends the one-click POST of RFC 8058; nothing else is asked.");
        let link = self.link(&passed, "/u/")?;
        self.http("POST", &link, "List-Unsubscribe=One-Click", 200).await?;

        step("The next newsletter, a moment later.");
        self.expect(&self.newsletter(OLIVIA, "December: gifts").await?, 550, "withdrawn")?;

        step("But she has ordered coffee, and her receipt must arrive.");
        self.expect(&self.send("shop", OLIVIA, "Your order 4711", "Thank you for your order 4711. Total: 18.90 EUR.\n").await?, 250, "")?;

        step("A forgotten script sends something unmarked. What is not known to be transactional counts as advertising.");
        self.expect(&self.send("unmarked", LUKAS, "Hello", "Have you seen our new beans?\n").await?, 550, "no_consent")?;
        Ok(())
    }

    async fn newsletter(&self, to: &str, subject: &str) -> anyhow::Result<Reply> {
        self.send("newsletter", to, subject, "Dear coffee lovers,\n\nthis month we roasted something special.\n").await
    }

    async fn send(&self, stream: &str, to: &str, subject: &str, text: &str) -> anyhow::Result<Reply> {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000");
        let message = format!(
            "From: Nordlicht Kaffee <{SENDER}>\nTo: <{to}>\nSubject: {subject}\nDate: {date}\nMessage-ID: <{:032x}@nordlicht.example>\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{text}",
            u128::from_be_bytes(crate::entropy::random())
        );
        say(&format!("{stream}: MAIL FROM:<{SENDER}> RCPT TO:<{to}> Subject: {subject}"));
        tool::send(self.smtp, stream, PASSWORD, SENDER, to, &message).await
    }

    async fn sign_up(&self) -> anyhow::Result<()> {
        let body = serde_json::json!({
            "email": OLIVIA,
            "controller": "nordlicht",
            "topics": ["newsletter"],
            "form_url": "https://nordlicht.example/newsletter",
            "consent_text": "Yes, Nordlicht Kaffee GmbH may send me its coffee newsletter by e-mail. I can withdraw at any time.",
            "checkbox": true,
            "language": "en",
            "ip": "192.0.2.7",
            "user_agent": "Demo Browser 1.0",
        });
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let (status, _) = tool::request(self.http, "POST", "/api/v1/opt-ins", &headers, &body.to_string()).await?;
        ensure!(status == 202, "POST /api/v1/opt-ins answered {status}");
        say("POST /api/v1/opt-ins -> 202");
        Ok(())
    }

    async fn http(&self, method: &str, link: &str, body: &str, expected: u16) -> anyhow::Result<String> {
        let path = link.strip_prefix(self.public_url).context("the link is ours")?;
        // A browser says that a person's hand did it; a scanner's request has no stamp of a page, and says nothing.
        let hand = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-User", "?1")];
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let headers = if body.contains("stamp=") { [&form[..], &hand].concat() } else { form.to_vec() };
        let (status, answer) = tool::request(self.http, method, path, &headers, body).await?;
        ensure!(status == expected, "{method} answered {status}, not {expected}");
        say(&format!("{method} {}… -> {status}", &link.chars().take(self.public_url.len() + 10).collect::<String>()));
        Ok(answer)
    }

    /// The first link of that kind in a mail, whatever its transfer encoding.
    fn link(&self, mail: &Left, kind: &str) -> anyhow::Result<String> {
        let parsed = mail_parser::MessageParser::new().parse(mail.raw.as_bytes()).context("the mail")?;
        let text = parsed.body_text(0).context("its text")?;
        let start = text.find(&format!("{}{kind}", self.public_url)).context("its link")?;
        Ok(text[start..].split_whitespace().next().unwrap_or_default().to_owned())
    }

    fn expect(&self, reply: &Reply, code: u16, reason: &str) -> anyhow::Result<()> {
        say(&format!("-> {} {}", reply.code, reply.text));
        ensure!(reply.code == code && reply.text.contains(reason), "expected {code} {reason}");
        Ok(())
    }
}

/// The stamp of a page's form.
fn stamp(page: &str) -> anyhow::Result<&str> {
    page.split("name=\"stamp\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).context("the page's form")
}

fn step(text: &str) {
    println!("\n{text}");
}

fn say(text: &str) {
    println!("    {text}");
}
