//! What a court wants to see (R-02, S2-10): a double opt-in through the running program, read back from its ledger.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry::consent::{EventKind, Evidence, Language, Source, Topic};
use consentry::mail::Address;
use consentry::store::Store;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use crate::postgres;
use crate::sink::Sink;
use crate::store::assert_refused;
use crate::trips::newsletter;
use crate::world::{PASSWORD, PUBLIC_URL, World, link, stamp};

const WHO: &str = "Olivia.Carter@people.example";
const TEXT: &str = "Ja, die Acme GmbH darf mir ihren Newsletter per E-Mail senden.\n  Ich kann jederzeit widerrufen. – 🌱";

fn sha256(octets: impl AsRef<[u8]>) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn the_evidence_of_both_steps_is_complete_and_cannot_be_altered() {
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let began = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap();
    let body = json!({
        "email": WHO, "controller": "acme", "topics": ["news"], "form_url": "https://acme.example/newsletter?form=7",
        "referrer": "https://search.example/?q=acme", "consent_text": TEXT, "checkbox": true, "language": "de",
        "ip": "2001:db8::77", "user_agent": "TestBrowser/1.0 (\"quoted\"; Ü)",
    });
    let answer = world.ask("POST", &format!("{PUBLIC_URL}/api/v1/opt-ins"), &body.to_string(), "application/json");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let sent = sink.wait_for(1).remove(0).message;
    let confirm = link(&sent, "/c/");
    let page = world.ask("GET", &confirm, "", "").body;
    let stamp = stamp(&page);
    assert_eq!(world.confirm(&confirm).status, 200);
    let mut tool = crate::client::Client::login(world.smtp, "news");
    assert_eq!(tool.send("newsletter@acme.example", WHO, &newsletter(WHO, 1)).0, 250, "{PASSWORD}");
    drop(tool);
    assert!(world.stop());
    let ended = Timestamp::now();

    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open_on(&world.data_dir(), postgres::database(world.dir.path()).as_ref()).await.unwrap();
        let key = store.keyring().lookup_key(&Address::parse(WHO).unwrap());
        let (subject, _) = store.standing(key).await.unwrap().unwrap();
        let events = store.events(subject).await.unwrap();
        let told: Vec<(u64, EventKind, Source)> = events.iter().map(|event| (event.seq, event.kind, event.source)).collect();
        let expected =
            [(1, EventKind::Requested, Source::Api), (2, EventKind::DoiMailSent, Source::Gateway), (3, EventKind::Given, Source::Page)];
        assert_eq!(told, expected);
        for event in &events {
            assert!((began..=ended).contains(&event.at), "{:?}", event.kind);
            assert_eq!((event.controller.as_str(), event.topics.as_slice()), ("acme", &[Topic::parse("news").unwrap()][..]));
            assert!(event.opt_in.is_some() && event.opt_in == events[0].opt_in);
        }
        assert_eq!(events[2].answers, Some(1));

        let Some(Evidence::Request(asked)) = &events[0].evidence else { panic!("the declaration") };
        assert_eq!((asked.address.as_str(), asked.form_url.as_str()), (WHO, "https://acme.example/newsletter?form=7"));
        assert_eq!((asked.consent_text.as_str(), &asked.text_version), (TEXT, &sha256(TEXT)));
        assert_eq!((asked.checkbox, asked.language, asked.reported_by.as_str()), (Some(true), Language::DE, "website"));
        assert_eq!((asked.ip.as_deref(), asked.user_agent.as_deref()), (Some("2001:db8::77"), Some("TestBrowser/1.0 (\"quoted\"; Ü)")));
        assert_eq!(asked.referrer.as_deref(), Some("https://search.example/?q=acme"));
        assert_eq!(asked.mail.as_bytes(), sent, "the mail as it left");
        assert!(asked.mail.contains(&format!("\r\nMessage-ID: {}\r\n", asked.message_id)));

        let Some(Evidence::Mail(mail)) = &events[1].evidence else { panic!("the mail") };
        assert_eq!((mail.message_id.as_str(), mail.reply.as_str()), (asked.message_id.as_str(), "250 2.0.0 Ok: kept"));
        assert!((began..=ended).contains(&mail.at));

        let Some(Evidence::Confirmation(yes)) = &events[2].evidence else { panic!("the confirmation") };
        let token = URL_SAFE_NO_PAD.decode(confirm.rsplit('/').next().unwrap()).unwrap();
        assert_eq!((yes.method.as_str(), &yes.token_id, &yes.page_version), ("POST", &sha256(token), &sha256(page.replace(stamp, ""))));
        assert_eq!(yes.page, page.replace(stamp, ""), "the page as it was shown");
        assert_eq!(yes.ip.as_deref(), Some("127.0.0.1"));
        assert!(yes.user_agent.as_deref().is_some_and(|agent| agent.starts_with("ureq/")));
        store.close().await;

        let statements = [
            "UPDATE event SET at = at + 1",
            "UPDATE event SET topics = 'news.events' WHERE seq = 3",
            "DELETE FROM event WHERE seq = 3",
            "UPDATE decision SET reason = 'doi_consent'",
            "DELETE FROM decision",
        ];
        assert_refused(world.dir.path(), &statements).await;
    });
}
