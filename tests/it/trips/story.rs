//! The story of the README with real peers: swaks, smtplib and nodemailer in front, Postfix behind.

use consentry::sign::{Algorithm, Signer};

use super::{assert_nowhere, count, newsletter, receipt};
use crate::client::Client;
use crate::environment::tell;
use crate::peers::dkim::Verifier;
use crate::peers::ma_tools::{Answer, MaTool, Submission};
use crate::peers::postfix::Postfix;
use crate::sink::Sink;
use crate::world::{PASSWORD, World, link};

const FORM: &str = "application/x-www-form-urlencoded";

struct Tool<'a> {
    tool: MaTool,
    world: &'a World,
}

impl Tool<'_> {
    fn send(&self, stream: &str, to: &str, message: &[u8]) -> Answer {
        let eml = self.world.dir.path().join("mail.eml");
        std::fs::write(&eml, message).unwrap();
        let from = if stream == "shop" { "shop@acme.example" } else { "newsletter@acme.example" };
        let submission = Submission { eml: &eml, from, to, host: self.world.smtp, auth: Some((stream, PASSWORD)), starttls: false };
        self.tool.send(&submission)
    }

    fn expect_blocked(&self, to: &str, reason: &str) {
        let answer = self.send("news", to, &newsletter(to, 1));
        assert_eq!((answer.accepted, answer.code), (false, Some(550)), "{:?}: {}", self.tool, answer.text);
        // M-59
        assert!(answer.text.contains(&format!("5.7.1 consent: {reason} ref=")), "{:?}: {}", self.tool, answer.text);
    }
}

#[test]
fn a_newsletter_waits_for_consent_and_stops_at_its_withdrawal_through_postfix() {
    let sink = Sink::start();
    let postfix = Postfix::start(sink.address());
    let mut world = World::start(postfix.address());
    let mut arrived = 0;
    let mut addresses = Vec::new();
    for tool in MaTool::ALL {
        let to = format!("olivia.{tool:?}.carter@people.example");
        let front = Tool { tool, world: &world };
        // S0-01: nothing on record
        front.expect_blocked(&to, "no_consent");

        // L-DOI-02, L-DOI-03, U-20: a plain question; scanners' GET and HEAD answer nothing
        world.sign_up(&to);
        arrived += 1;
        let asked = sink.wait_for(arrived).pop().unwrap();
        assert_eq!(asked.to, std::slice::from_ref(&to));
        assert_eq!((count(&asked.message, "List-Unsubscribe"), count(&asked.message, "Auto-Submitted")), (0, 1));
        assert_signed(&world, &asked.message);
        let confirm = link(&asked.message, "/c/");
        for method in ["GET", "HEAD"].repeat(25) {
            assert_eq!(world.ask(method, &confirm, "", FORM).status, 200);
        }
        front.expect_blocked(&to, "opt_in_pending");
        assert_eq!(world.confirm(&confirm).status, 200);

        // U-01 … U-04, U-19, U-40: one of each, ours, signed after our changes
        let answer = front.send("news", &to, &newsletter(&to, 2));
        assert!(answer.accepted, "{tool:?}: {}", answer.text);
        arrived += 1;
        let passed = sink.wait_for(arrived).pop().unwrap();
        for name in ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "DKIM-Signature", "From", "Message-ID"] {
            assert_eq!(count(&passed.message, name), 1, "{name}");
        }
        let text = String::from_utf8_lossy(&passed.message);
        assert!(!text.contains("tool.example/u/4711") && text.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
        let signed = assert_signed(&world, &passed.message);
        for name in ["list-unsubscribe", "list-unsubscribe-post", "list-id", "from"] {
            assert!(signed.iter().any(|field| field == name), "{name} in h={signed:?}");
        }
        let parsed = mail_parser::MessageParser::new().parse(passed.message.as_slice()).unwrap();
        let unsubscribe = link(&passed.message, "/u/");
        assert!(parsed.body_html(0).unwrap().contains(&unsubscribe) && text.contains(&format!("<{unsubscribe}>")));
        assert!(parsed.body_text(0).unwrap().starts_with("Schöne Grüße aus der Redaktion.\r\n.\r\nEin Punkt allein.\r\n"));

        // S0-18, U-08, U-09, U-11, I3: GET shows a page, the bare POST acts at once
        assert_eq!(world.ask("GET", &unsubscribe, "", FORM).status, 200);
        let body = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
        let (body, kind) =
            if tool == MaTool::Swaks { ("List-Unsubscribe=One-Click", FORM) } else { (body, "multipart/form-data; boundary=x") };
        assert_eq!(world.ask("POST", &unsubscribe, body, kind).status, 200);
        front.expect_blocked(&to, "withdrawn");

        // S0-19: the receipt still arrives, without list headers (I9)
        let answer = front.send("shop", &to, &receipt(&to, 3));
        assert!(answer.accepted, "{tool:?}: {}", answer.text);
        arrived += 1;
        let receipt = sink.wait_for(arrived).pop().unwrap();
        assert_eq!((count(&receipt.message, "List-Unsubscribe"), count(&receipt.message, "List-Unsubscribe-Post")), (0, 0));
        assert_signed(&world, &receipt.message);
        addresses.push(to);
    }
    assert_eq!(sink.arrivals().len(), arrived);
    let decisions = world.decisions();
    let words: Vec<&str> = decisions.iter().rev().map(|decision| decision["reason"].as_str().unwrap()).collect();
    assert_eq!(words, ["no_consent", "opt_in_pending", "doi_consent", "withdrawn", "transactional"].repeat(3));
    assert!(world.stop(), "SIGTERM ends it with success");
    let mut words = vec!["192.0.2.77".to_owned(), "testbrowser".to_owned()];
    words.extend(addresses.iter().flat_map(|to| [to.to_lowercase(), to.split('@').next().unwrap().to_lowercase()]));
    // I8, S2-06, L-TOM-03
    assert_nowhere(&world.data_dir(), &world.log(), &words);
    tell(&format!("story: 3 MA tools x Postfix: {arrived} mails at the far end, {} decisions, no address in data or log", decisions.len()));
}

#[test]
fn companies_and_private_people_meet_the_same_and_a_no_amid_the_message_counts() {
    let sink = Sink::start();
    let world = World::start(sink.address());
    let mut tool = Client::login(world.smtp, "news");
    let from = "newsletter@acme.example";
    // S0-02, S3-10
    let everybody = ["info@maschinenbau.example", "olivia.carter@konzern.example", "olivia@gmail.com", "olivia@web.de"];
    for (number, to) in (1..).zip(everybody) {
        let (code, text) = tool.send(from, to, &newsletter(to, number));
        assert!(code == 550 && text.contains("no_consent"), "{to}: {code} {text}");
    }
    let (company, private) = (everybody[1], everybody[2]);
    for (to, arrived) in [(company, 1), (private, 3)] {
        world.sign_up(to);
        let asked = sink.wait_for(arrived).pop().unwrap();
        assert_eq!(tool.send(from, to, &newsletter(to, 10)).0, 550);
        assert_eq!(world.confirm(&link(&asked.message, "/c/")).status, 200);
        assert_eq!(tool.send(from, to, &newsletter(to, 11)).0, 250);
        let unsubscribe = link(&sink.wait_for(arrived + 1).pop().unwrap().message, "/u/");

        // S0-16, I3: after RCPT and half of the message, before its end
        let message = newsletter(to, 12);
        let (first, rest) = message.split_at(message.len() / 2);
        let half = first.windows(2).rposition(|two| two == b"\r\n").unwrap() + 2;
        let (first, rest) = (&first[..half], [&first[half..], rest].concat());
        tool.open(from, to);
        assert_eq!(tool.command("DATA").0, 354);
        tool.send_octets(first);
        assert_eq!(world.ask("POST", &unsubscribe, "List-Unsubscribe=One-Click", FORM).status, 200);
        tool.data(&rest);
        let (code, text) = tool.reply();
        assert!(code == 550 && text.contains("withdrawn"), "{to}: {code} {text}");
        // L-PRV-01: the decision names the event behind it
        let said = &world.decisions()[0];
        assert!(said["reason"] == "withdrawn" && said["event"].is_u64(), "{said}");
    }
    assert_eq!(sink.arrivals().len(), 4);
}

/// All verifiers accept the only signature; its `h=`.
fn assert_signed(world: &World, message: &[u8]) -> Vec<String> {
    let (name, record) = &world.dkim;
    let [one, others @ ..] = Verifier::ALL.map(|verifier| {
        let signatures = verifier.verify(message, name, record);
        assert_eq!(signatures.len(), 1, "{verifier:?}");
        assert!(signatures[0].passed, "{verifier:?}: {}", signatures[0].result);
        signatures[0].signed_fields.clone()
    });
    assert!(others.iter().all(|other| *other == one), "{one:?} {others:?}");
    one
}

#[test]
fn the_printed_dns_record_is_that_of_the_key_in_use() {
    let (signer, pem) = Signer::generate("acme.example", "s1", Algorithm::Rsa).unwrap();
    assert_eq!(Signer::from_pem("acme.example", "s1", &pem).unwrap().dns_record(), signer.dns_record());
}
