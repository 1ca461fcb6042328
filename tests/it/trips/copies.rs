//! What a copy is made of, through the real binary: measuring follows its own consent, fields follow the controller, refusals say why.

use serde_json::json;

use super::{count, receipt};
use crate::client::Client;
use crate::sink::Sink;
use crate::world::{PUBLIC_URL, World, link};

const FROM: &str = "newsletter@acme.example";
const PIXEL: &str = "https://pixel.pstmrk.it/o/1/abc";
const TRACKED: &str = "https://click.pstmrk.it/3s/acme.example%2Flamps/abc/def";

fn mail(number: u32, topic: &str, body: &str) -> Vec<u8> {
    format!(
        "From: Acme <{FROM}>\r\nSubject: Lamps\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <copies.{number}.{topic}@acme.example>\r\n\
         Consentry-Topic: {topic}\r\nMIME-Version: 1.0\r\n{body}"
    )
    .into_bytes()
}

fn measured(number: u32) -> Vec<u8> {
    let html = format!("<p><a href=\"{TRACKED}\">Lamps</a></p><img src=\"{PIXEL}\" width=\"1\" height=\"1\">");
    mail(number, "news", &format!("Content-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n"))
}

fn sign_up(world: &World, sink: &Sink, email: &str, tracking: bool) {
    let body = json!({
        "email": email, "form": "weekly", "form_url": "https://acme.example/newsletter", "tracking": tracking, "checkbox": true,
        "language": "de", "ip": "192.0.2.77", "user_agent": "TestBrowser/1.0",
    });
    let before = sink.arrivals().len();
    let answer = world.ask("POST", &format!("{PUBLIC_URL}/api/v1/opt-ins"), &body.to_string(), "application/json");
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(world.confirm(&link(&sink.wait_for(before + 1)[before].message, "/c/")).status, 200);
}

#[test]
fn only_who_agreed_is_measured_and_no_longer_than_they_agree() {
    // L-TRK-01, L-TRK-02, L-TRK-05, L-TRK-06, S0-21, S1-16
    let sink = Sink::start();
    let world = World::start(sink.address());
    let (with, without) = ("with@people.example", "without@people.example");
    sign_up(&world, &sink, with, true);
    sign_up(&world, &sink, without, false);
    let mut tool = Client::login(world.smtp, "news");
    let mut send = |to: &str, number: u32| {
        let before = sink.arrivals().len();
        let (code, text) = tool.send(FROM, to, &measured(number));
        assert_eq!(code, 250, "{text}");
        String::from_utf8(sink.wait_for(before + 1)[before].message.clone()).unwrap()
    };
    let is_measured = |copy: &str| (copy.contains(PIXEL), copy.contains(TRACKED));
    let copy = send(with, 1);
    assert_eq!(is_measured(&copy), (true, true), "{copy}");
    let clean = send(without, 2);
    assert_eq!(is_measured(&clean), (false, false), "{clean}");
    assert!(clean.contains("href=\"https://acme.example/lamps\""), "{clean}");
    // L-TRK-05: withdrawn by the link in the mail, the next one is clean; the consent to mail stays
    let unsubscribe = copy.split("List-Unsubscribe: <").nth(1).unwrap().split('>').next().unwrap().to_owned();
    assert_eq!(world.choose(&unsubscribe, "choice=no_tracking").status, 200);
    assert_eq!(is_measured(&send(with, 3)), (false, false));
}

#[test]
fn a_mail_that_went_through_before_gets_the_link_of_its_recipient_and_no_second_footer() {
    // M-51, U-01
    let sink = Sink::start();
    let world = World::start(sink.address());
    let (first, second) = ("first@people.example", "second@people.example");
    sign_up(&world, &sink, first, false);
    sign_up(&world, &sink, second, false);
    let mut tool = Client::login(world.smtp, "news");
    let mut send = |to: &str, raw: &[u8]| {
        let before = sink.arrivals().len();
        let (code, text) = tool.send(FROM, to, raw);
        assert_eq!(code, 250, "{text}");
        sink.wait_for(before + 1)[before].message.clone()
    };
    let one_click = |copy: &[u8]| {
        let copy = String::from_utf8_lossy(copy);
        copy.split("List-Unsubscribe: <").nth(1).unwrap().split('>').next().unwrap().to_owned()
    };
    // soft breaks within the link, base64, and as it is
    for (number, encoding) in [(1, "quoted-printable"), (2, "base64"), (3, "8bit")] {
        let text = "<html lang=3D\"de\"><body><p>Lampen f=C3=BCr den Herbst</p></body></html>\r\n";
        let text = match encoding {
            "quoted-printable" => text.to_owned(),
            "base64" => "PGh0bWwgbGFuZz0iZGUiPjxib2R5PjxwPkxhbXBlbjwvcD48L2JvZHk+PC9odG1sPg==\r\n".to_owned(),
            _ => text.replace("=3D", "=").replace("=C3=BC", "ü"),
        };
        let body = format!("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{text}");
        let once = send(first, &mail(number, "news", &body));
        let again = String::from_utf8(once.clone()).unwrap().replace("Consentry-Topic", "X-Old").replacen(
            "Subject: ",
            "Consentry-Topic: news\r\nSubject: ",
            1,
        );
        let twice = send(second, again.as_bytes());
        let (theirs, ours) = (one_click(&once), one_click(&twice));
        assert_ne!(theirs, ours);
        assert_eq!(count(&twice, "List-Unsubscribe"), 1);
        assert_eq!(count(&twice, "Received"), 2);
        let seen = |raw: &[u8]| mail_parser::MessageParser::default().parse(raw).unwrap().body_html(0).unwrap().into_owned();
        assert_eq!(seen(&once).replace(&theirs, &ours), seen(&twice), "{encoding}");
        assert_eq!(seen(&twice).matches(&ours).count(), 1, "{encoding}");
    }
}

#[test]
fn each_decision_names_its_rules_and_the_footer_that_its_copy_got() {
    // R-03, L-AD-07
    let sink = Sink::start();
    let world = World::start(sink.address());
    let to = "olivia@people.example";
    sign_up(&world, &sink, to, false);
    let mut tool = Client::login(world.smtp, "news");
    for (number, field) in [(1, ""), (2, "Content-Language: en\r\n"), (3, "")] {
        assert_eq!(tool.send(FROM, to, &mail(number, "news", &format!("{field}Content-Type: text/plain\r\n\r\nLamps\r\n"))).0, 250);
    }
    assert_eq!(tool.send(FROM, "nobody@people.example", &mail(4, "news", "Content-Type: text/plain\r\n\r\nLamps\r\n")).0, 550);
    let mut shop = Client::login(world.smtp, "shop");
    assert_eq!(shop.send("shop@acme.example", to, &receipt(to, 1)).0, 250);
    let signed = "List-Unsubscribe: <https://tool.example/leave/1>\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\
                  Content-Type: text/plain\r\n\r\nLamps https://tool.example/leave/1\r\n--s\r\n\
                  Content-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n";
    let (code, text) = tool.send(FROM, to, &mail(5, "news", signed));
    assert_eq!(code, 250, "{text}");
    let decisions = world.decisions();
    let of = |name: &str| decisions.iter().map(|decision| decision[name].as_str()).collect::<Vec<_>>();
    let [signed, receipt, blocked, third, english, first] = of("footer")[..] else { panic!("{decisions:?}") };
    assert_eq!((signed, receipt, blocked), (None, None, None), "no footer");
    assert!(first.is_some_and(|version| version.len() == 16) && english.is_some());
    assert!(first == third && first != english, "{decisions:?}");
    let rules = of("rules");
    assert!(rules[0].is_some_and(|version| version.len() == 16) && rules.iter().all(|version| *version == rules[0]), "{rules:?}");
}

#[test]
fn a_copy_that_cannot_be_made_is_refused_with_the_reason() {
    // U-45, L-TRK-02, L-ID-01
    let sink = Sink::start();
    let world = World::start(sink.address());
    let to = "olivia@people.example";
    sign_up(&world, &sink, to, false);
    let mut tool = Client::login(world.smtp, "news");
    let signed = "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain\r\n\r\nLamps\r\n--s\r\n\
                  Content-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n";
    let blind = "Content-Type: text/plain\r\n\r\nhttps://shop.us1.list-manage.com/track/click?u=1&id=2&e=3\r\n";
    for (number, body, expected) in [(1, signed, "5.6.3 signed marketing mail"), (2, blind, "5.7.1 tracking: links measure a person")] {
        let (code, text) = tool.send(FROM, to, &mail(number, "news", body));
        assert!(code == 554 && text.contains(expected) && text.contains(" ref="), "{code} {text}");
    }
    // L-ID-01
    for (number, subject, expected) in [(3, "Re: our talk", 554), (4, "Ihre Rechnung Nr. 117", 250)] {
        let feigned = String::from_utf8(mail(number, "news", "Content-Type: text/plain\r\n\r\nLamps\r\n")).unwrap();
        let feigned = feigned.replace("Subject: Lamps", &format!("Subject: {subject}"));
        let (code, text) = tool.send(FROM, to, feigned.as_bytes());
        assert!(
            code == expected && text.contains("5.7.1 advertising must look like it: the subject says") == (code == 554),
            "{code} {text}"
        );
    }
    assert!(world.log().contains("the subject says that it is an invoice"), "{}", world.log());
    // S0-19: none of this concerns a receipt
    let mut shop = Client::login(world.smtp, "shop");
    assert_eq!(shop.send("shop@acme.example", to, &receipt(to, 1)).0, 250);
    assert_eq!(sink.wait_for(3).len(), 3);
}

#[test]
fn each_list_has_a_name_of_its_own_and_fields_that_its_controller_wants() {
    // U-01, U-18, U-31, U-32, U-33, U-34
    let sink = Sink::start();
    let world = World::start_with(sink.address(), |setup| {
        let fields = "from = \"newsletter@acme.example\"\n[controller.headers]\nlist_help = \"https://acme.example/help\"\nlist_owner = \"mailto:team@acme.example\"\n\
                      unsubscribe_mailbox = \"leave@acme.example\"\nfeedback_sender = \"acmemail\"\n\
                      complaints = \"fbl@acme.example\"\ncsa_complaints = \"csa-complaints@eco.de\"\n";
        setup.config = setup.config.replacen("from = \"newsletter@acme.example\"\n", fields, 1);
    });
    let people = ["olivia@people.example", "paul@people.example"];
    for to in people {
        sign_up(&world, &sink, to, false);
    }
    let mut tool = Client::login(world.smtp, "news");
    let plain = "Feedback-ID: a:b:c:toolmail\r\nList-Post: <mailto:list@tool.example>\r\nList-Help: <https://tool.example>\r\nContent-Type: text/plain\r\n\r\nLamps\r\n";
    let mut send = |to: &str, number: u32, topic: &str| {
        let before = sink.arrivals().len();
        let (code, text) = tool.send(FROM, to, &mail(number, topic, plain));
        assert_eq!(code, 250, "{text}");
        let copy = String::from_utf8(sink.wait_for(before + 1)[before].message.clone()).unwrap();
        for field in [
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "List-Id",
            "List-Help",
            "List-Owner",
            "List-Post",
            "Feedback-ID",
            "CFBL-Address",
            "CFBL-Feedback-ID",
            "X-CSA-Complaints",
        ] {
            assert_eq!(count(copy.as_bytes(), field), 1, "{field} in {copy}");
        }
        copy
    };
    let field = |copy: &str, name: &str| copy.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap().to_owned();
    let (one, two, events) = (send(people[0], 1, "news"), send(people[1], 2, "news"), send(people[0], 3, "news.events"));
    // U-33: the same for all recipients
    assert_eq!(field(&one, "Feedback-ID"), "news:acme:marketing:acmemail");
    assert_eq!(field(&one, "Feedback-ID"), field(&two, "Feedback-ID"));
    // U-31: two lists, two names that people can read
    assert_eq!(field(&one, "List-Id"), "Acme Neuigkeiten <news.acme.example>");
    assert_eq!(field(&events, "List-Id"), "Acme Veranstaltungen <events.acme.example>");
    // U-34: knows the copy, and nobody else can make one
    assert_ne!(field(&one, "CFBL-Feedback-ID"), field(&two, "CFBL-Feedback-ID"));
    // U-18: by mail as well, for who knows no other way
    assert!(field(&one, "List-Unsubscribe").contains(">, <mailto:leave@acme.example?subject="), "{one}");
    // U-32: on a receipt List-Help alone
    let mut shop = Client::login(world.smtp, "shop");
    let before = sink.arrivals().len();
    assert_eq!(shop.send("shop@acme.example", people[0], &receipt(people[0], 1)).0, 250);
    let copy = sink.wait_for(before + 1)[before].message.clone();
    for (name, expected) in [("List-Help", 1), ("List-Unsubscribe", 0), ("List-Owner", 0), ("List-Post", 0), ("Feedback-ID", 0)] {
        assert_eq!(count(&copy, name), expected, "{name}");
    }
}
