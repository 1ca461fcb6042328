//! Every mail of the labelled corpus, sent twice: to a person with consent and to one without. Nothing
//! may be lost, refused for a wrong reason, or pass without a record.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::client::Client;
use crate::environment::{repository, tell};
use crate::sink::{Arrival, Sink};
use crate::store::count as count_rows;
use crate::trips::{assert_nowhere, count};
use crate::world::{World, link};

const WITH: &str = "with.consent@people.example";
const WITHOUT: &str = "without.consent@people.example";

/// The corpus lies beside the repository and is not part of it.
fn corpus() -> Option<Vec<PathBuf>> {
    let folder = repository().parent()?.join("shared/corpus");
    let mut files = Vec::new();
    for part in ["bare", "headers"] {
        let entries = std::fs::read_dir(folder.join(part)).ok()?;
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "eml")));
    }
    files.sort();
    Some(files)
}

/// The subject begins like that of an answer, and the mail answers nothing.
fn is_marked(raw: &[u8]) -> bool {
    let text = String::from_utf8_lossy(raw).to_lowercase();
    let header = text.split("\r\n\r\n").next().unwrap_or_default();
    let subject = header.lines().find_map(|line| line.strip_prefix("subject: ")).unwrap_or_default();
    ["re: ", "aw: ", "fwd: ", "fw: "].iter().any(|mark| subject.starts_with(mark))
        && !header.contains("\nin-reply-to:")
        && !header.contains("\nreferences:")
}

#[test]
fn every_mail_of_the_corpus_is_relayed_or_blocked_and_recorded() {
    let Some(files) = corpus() else {
        tell("SKIPPED: the corpus is not beside the repository (shared/corpus)");
        return;
    };
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    world.sign_up(WITH);
    let confirm = link(&sink.wait_for(1)[0].message, "/c/");
    assert_eq!(world.confirm(&confirm).status, 200);

    let mut client = Client::login(world.smtp, "corpus");
    let mut counts: BTreeMap<(&str, u16, String), u32> = BTreeMap::new();
    let mut feigned = 0;
    for file in &files {
        let message = crlf(&std::fs::read(file).unwrap());
        for to in [WITH, WITHOUT] {
            let (code, text) = client.send("bounces@tool.example", to, &message);
            let reason = text.split(" ref=").next().unwrap().trim().to_owned();
            // L-ID-01: some of the newsletters feign an answer
            let feigns = to == WITH && reason.starts_with("5.7.1 advertising must look like it") && is_marked(&message);
            assert!(code == 250 || feigns || reason == "5.7.1 consent: no_consent", "{}: {code} {text}", file.display());
            feigned += usize::from(feigns);
            *counts.entry((to, code, reason)).or_default() += 1;
        }
    }
    let sent = files.len() * 2;
    let of = |to: &str, code: u16| counts.iter().filter(|((t, c, _), _)| *t == to && *c == code).map(|(_, n)| *n as usize).sum::<usize>();
    let (relayed, blocked): (usize, usize) = (of(WITH, 250) + of(WITHOUT, 250), of(WITH, 550) + of(WITHOUT, 550));
    for ((to, code, reason), number) in &counts {
        tell(&format!("corpus: {number:4} to {to}: {code} {reason}"));
    }
    tell(&format!("corpus: {sent} sent = {relayed} relayed + {blocked} blocked + {feigned} that feign an answer"));
    assert_eq!((of(WITH, 250) + feigned, sent), (files.len(), relayed + blocked + feigned));
    assert!(feigned * 50 < files.len(), "{feigned} are too many to feign an answer");

    // One decision each, and what passed is at the far end: once, to whom it was sent.
    let arrivals = sink.wait_for(1 + relayed);
    assert!(world.stop());
    assert_eq!(sink.arrivals().len(), 1 + relayed, "nothing comes twice");
    let [consent, undisputed, disputed, none] = recorded(&world);
    tell(&format!("corpus: decisions: {consent} doi_consent + {undisputed} transactional + {disputed} class_disputed + {none} no_consent"));
    let transactional = undisputed + disputed;
    assert_eq!((consent + transactional, none), (relayed + feigned, blocked));
    // Who declares transactional on a stream that may, passes without consent; nobody else does.
    assert_eq!(of(WITHOUT, 250) * 2, transactional);
    let to = |address: &str| arrivals[1..].iter().filter(|arrival| arrival.to == [address]).count();
    assert_eq!((to(WITH), to(WITHOUT)), (files.len() - feigned, of(WITHOUT, 250)));
    let one_click =
        |arrival: &&Arrival| count(&arrival.message, "List-Unsubscribe") == 1 && count(&arrival.message, "List-Unsubscribe-Post") == 1;
    assert_eq!(arrivals[1..].iter().filter(one_click).count(), consent - feigned);
    assert_nowhere(&world.data_dir(), &world.log(), &[WITH.into(), WITHOUT.into(), "with.consent".into(), "out.consent".into()]);
}

/// Decisions by reason, read from the ledger itself after the gateway has ended.
fn recorded(world: &World) -> [usize; 4] {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let counts = [
            count_rows(world.dir.path(), "SELECT count(*) FROM decision WHERE reason = 'doi_consent'").await,
            count_rows(world.dir.path(), "SELECT count(*) FROM decision WHERE reason = 'transactional'").await,
            count_rows(world.dir.path(), "SELECT count(*) FROM decision WHERE reason = 'class_disputed'").await,
            count_rows(world.dir.path(), "SELECT count(*) FROM decision WHERE reason = 'no_consent'").await,
        ];
        counts.map(|count| usize::try_from(count).unwrap())
    })
}

/// Line ends as the wire wants them.
fn crlf(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}
