//! A message and its copy: what can be read can be rewritten, the copy can be read again, its lines are lines, and the
//! bytes that were not ours to change are there, in order.
#![no_main]

use consentry::mail::Message;
use std::sync::LazyLock;

use consentry::rewrite::{Fields, Marketing, Plan, Reading, Trackers, rewrite};

const RECEIVED: &[u8] = b"Received: from x.example\r\n\tby y.example (Consentry) with ESMTP id 1;\r\n\tThu, 01 Jan 2026 00:00:00 +0000\r\n";
const URL: &str = "https://consent.example/u/abcdefghijklmnopqrstuvwxyz";
static TRACKERS: LazyLock<Trackers> = LazyLock::new(|| Trackers::new(&[]).expect("the built-in ones"));

fn marketing() -> Marketing<'static> {
    Marketing {
        unsubscribe_url: URL,
        mailto: None,
        list_id_phrase: "Schöne Neuigkeiten",
        list_id: "news.x.example",
        footer_text: "Schluß: https://consent.example/u/abcdefghijklmnopqrstuvwxyz",
        footer_html: "<div><a href=\"https://consent.example/u/abcdefghijklmnopqrstuvwxyz\">Schluß</a></div>",
        notice_text: "Schluß",
        notice_html: "<p>Schluß</p>",
        must_say: &[],
        unsubscribe_words: "Schluß",
        may_measure: false,
        refuse_blind: false,
        refuse_concealed: false,
        trackers: &TRACKERS,
    }
}

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Some((utf8, raw)) = octets.split_first() else { return };
    let utf8 = utf8 % 2 == 1;
    // the front door lets no other lines in
    if !lines_are_sound(raw) {
        return;
    }
    let Ok(message) = Message::parse(raw.to_vec(), utf8) else { return };
    let reading = Reading::default();
    for marketing in [None, Some(marketing())] {
        let plan = Plan { on_top: RECEIVED, fields: Fields::default(), kept: &[], marketing };
        let Ok(copy) = rewrite(&message, &reading, &plan) else { continue };
        assert!(copy.starts_with(RECEIVED));
        // a part without a body may end the copy without CRLF; `wire::stuff` and the signature complete it alike
        assert!(lines_are_sound(&copy) || lines_are_sound(&[&copy[..], b"\r\n"].concat()), "the copy has a bare line end");
        let again = Message::parse(copy.clone(), utf8).expect("the copy can be read");
        if plan.marketing.is_some() {
            assert_eq!(again.all("List-Unsubscribe").count(), 1);
            assert_eq!(again.all("List-Unsubscribe-Post").count(), 1);
        } else {
            assert_eq!(again.raw()[again.body_offset()..], message.raw()[message.body_offset()..]);
        }
        for name in ["From", "To", "Subject", "Date", "Message-ID"] {
            let of = |message: &Message| message.all(name).map(|header| header.value()).collect::<Vec<_>>();
            assert_eq!(of(&again), of(&message), "{name}");
        }
    }
});

fn lines_are_sound(raw: &[u8]) -> bool {
    let mut before = 0;
    let sound = raw.iter().all(|octet| {
        let pair = (before == b'\r') == (*octet == b'\n');
        before = *octet;
        pair && *octet != 0
    });
    sound && before == b'\n' && raw.split(|octet| *octet == b'\n').all(|line| line.len() <= 999)
}
