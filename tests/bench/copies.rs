//! What a marketing copy costs: one reading of the message for all recipients, then a splice and the signatures for each. Prints CPU
//! time of this process per copy; `copies.py` puts OpenDKIM and Python's email package beside it.
//!
//! Usage: bench_copies MESSAGE.eml KEY.pem ROUNDS [ED25519-KEY.pem]

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says where")]

use consentry::mail::{Address, Message};
use consentry::rewrite::{Fields, Marketing, Plan, Reading, Trackers, rewrite};
use consentry::sign::{Signer, Signers};
use jiff::Timestamp;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mail, key, rounds, more @ ..] = &arguments[..] else { panic!("MESSAGE.eml KEY.pem ROUNDS [ED25519-KEY.pem]") };
    let raw = std::fs::read(mail).unwrap();
    let rounds: u32 = rounds.parse().unwrap();
    let read = |path: &String| Signer::from_pem("shop.example", "s1", &std::fs::read_to_string(path).unwrap()).unwrap();
    let signers = Signers::new(std::iter::once(key).chain(more).map(read).collect());
    let from = Address::parse("news@shop.example").unwrap();
    let trackers = Trackers::new(&[]).unwrap();
    let at = Timestamp::UNIX_EPOCH;
    for recipients in [1_u32, 100] {
        for (what, signs) in [("rewrite", false), ("rewrite+sign", true)] {
            let begin = cpu();
            for _ in 0..rounds.div_ceil(recipients) {
                let message = Message::parse(raw.clone(), false).unwrap();
                let reading = Reading::default();
                for recipient in 0..recipients {
                    let url = format!("https://consent.example/u/{recipient:0>86}");
                    let footer = format!("--\nUnsubscribe:\n{url}\nShop GmbH, Berlin\n");
                    let footer_html = format!("<div><a href=\"{url}\">Unsubscribe</a><br>Shop GmbH, Berlin</div>\n");
                    let marketing = Marketing {
                        unsubscribe_url: &url,
                        mailto: None,
                        list_id_phrase: "News",
                        list_id: "news.shop.example",
                        footer_text: &footer,
                        footer_html: &footer_html,
                        notice_text: "",
                        notice_html: "",
                        must_say: &[],
                        unsubscribe_words: "",
                        may_measure: false,
                        refuse_blind: false,
                        refuse_concealed: false,
                        trackers: &trackers,
                    };
                    let plan = Plan { on_top: b"Received: x\r\n", fields: Fields::default(), kept: &[], marketing: Some(marketing) };
                    let copy = rewrite(&message, &reading, &plan).unwrap();
                    let copy = if signs { signers.signed(copy, &from, at).unwrap() } else { copy };
                    std::hint::black_box(copy);
                }
            }
            let copies = rounds.div_ceil(recipients) * recipients;
            println!("{what}\t{recipients}\t{:.1}", (cpu() - begin) / f64::from(copies) * 1e6);
        }
    }
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<f64> =
        stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap()).collect();
    (fields[0] + fields[1]) / 100.0
}
