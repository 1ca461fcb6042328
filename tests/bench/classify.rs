//! What it costs to know what a message is, all steps and the content: CPU time of this process per message, beside the message's
//! mere indexing and one SHA-256 over it, which every message pays as well.
//!
//! Usage: bench_classify MESSAGE.eml ROUNDS

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says where")]

use consentry::classify::{Classifier, Path, content};
use consentry::mail::{AnswerProfile, Dispute, Message, Stream, StreamClass, StreamMode};
use sha2::{Digest, Sha256};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mail, rounds] = &arguments[..] else { panic!("MESSAGE.eml ROUNDS") };
    let raw = std::fs::read(mail).unwrap();
    let rounds: u32 = rounds.parse().unwrap();
    let stream = Stream {
        name: "shop".into(),
        controller: "shop".into(),
        class: StreamClass::Transactional,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: StreamMode::Enforce,
        disputed: Dispute::Pass,
        bulk: Default::default(),
    };
    let classifier = Classifier::default();
    let message = Message::parse(raw.clone(), true).unwrap();
    // the tables are made once
    let first = classifier.classify(&stream, Path::Named, &message);
    println!("octets\t{}", raw.len());
    println!("says\t{}", first.steps.last().unwrap().why);
    let each = |what: &str, work: &dyn Fn()| {
        let begin = cpu();
        (0..rounds).for_each(|_| work());
        println!("{what}\t{:.1}", (cpu() - begin) / f64::from(rounds) * 1e6);
    };
    each("index", &|| drop(std::hint::black_box(Message::parse(raw.clone(), true).unwrap())));
    each("sha256", &|| {
        std::hint::black_box(Sha256::digest(&raw));
    });
    each("extract", &|| drop(std::hint::black_box(content::extract(&raw))));
    each("classify", &|| drop(std::hint::black_box(classifier.classify(&stream, Path::Named, &message))));
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<f64> =
        stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap()).collect();
    (fields[0] + fields[1]) / 100.0
}
