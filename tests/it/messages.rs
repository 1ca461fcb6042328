//! Messages in, copies out: each directory of `tests/messages` is one case, named as a sentence.
//!
//! `in.eml` is the message, `case.toml` says what is asked for and expected, `out.eml` is the copy.
//! `UPDATE=1` writes the copies anew; read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use consentry::mail::Message;
use consentry::rewrite::{Fields, Marketing, Plan, Reading, RewriteError, Trackers, rewrite, tool_unsubscribe};
use mail_parser::{MessageParser, PartType};

const RECEIVED: &[u8] = b"Received: from tool.example by gateway.example with ESMTPS id 1;\r\n Mon, 23 Nov 2026 08:00:00 +0000\r\n";
const URL: &str = "https://consent.example/u/AQEHBwcHBwcHBwcHBwcHBwcHCQkJCQkJCQkJCQkJCQkJCQRuZXdzYWNtZQ";
const TEXT: &str =
    "Sie möchten keine Post mehr? Hier abmelden:\nhttps://consent.example/u/AQEHBwcHBwcHBwcHBwcHBwcHCQkJCQkJCQkJCQkJCQkJCQRuZXdzYWNtZQ\n";
const HTML: &str = "<div style=\"font-size:12px\">Sie möchten keine Post mehr? <a href=\"https://consent.example/u/AQEHBwcHBwcHBwcHBwcHBwcHCQkJCQkJCQkJCQkJCQkJCQRuZXdzYWNtZQ\">Hier abmelden</a></div>\n";

const NOTICE: &str = "Acme GmbH, Berlin\n";
const NOTICE_HTML: &str = "<p>Acme GmbH, Berlin</p>\n";

/// `case.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Whether the copy is a marketing one.
    marketing: bool,
    /// In how many parts the link must stand, as mail-parser reads the copy.
    #[serde(default)]
    links: usize,
    /// Why there is no copy, instead of `out.eml`.
    error: Option<String>,
    /// Of the List-Id, if it matters here.
    phrase: Option<String>,
    /// What `tool_unsubscribe` finds.
    tool_unsubscribe: Option<String>,
    /// The person agreed to being measured.
    #[serde(default)]
    may_measure: bool,
    /// In how many parts the footer must not stand, because a placeholder has the link.
    #[serde(default)]
    without_footer: usize,
    /// What a mail must say by itself to need no footer besides its link.
    #[serde(default)]
    must_say: Vec<String>,
}

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let entries = fs::read_dir(directory).expect("the cases are there");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

fn update() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    std::env::var("UPDATE").is_ok()
}

/// The texts of all parts, nested messages left out, decoded and as a reader sees them.
fn texts(message: &mail_parser::Message<'_>) -> Vec<String> {
    let text = |part: &mail_parser::MessagePart<'_>| match &part.body {
        PartType::Text(text) | PartType::Html(text) => Some(text.to_string()),
        _ => None,
    };
    message.parts.iter().filter_map(text).collect()
}

#[test]
fn copies_are_as_expected() {
    // U-46, S1-15, S3-09: a corpus of structures, each with the link in every text that is read, once
    let trackers = Trackers::new(&[]).expect("the built-in ones");
    let mut wrong = Vec::new();
    for path in cases() {
        let name = path.file_name().expect("a directory").to_string_lossy().into_owned();
        let raw = fs::read(path.join("in.eml")).expect("in.eml");
        let case: Case = toml::from_str(&fs::read_to_string(path.join("case.toml")).expect("case.toml")).expect("a case");
        let message = Message::parse(raw, true).expect("a message that the gateway takes");
        assert_eq!(tool_unsubscribe(&message), case.tool_unsubscribe, "{name}");
        let marketing = Marketing {
            unsubscribe_url: URL,
            list_id_phrase: case.phrase.as_deref().unwrap_or("News"),
            list_id: "news.shop.example",
            footer_text: TEXT,
            footer_html: HTML,
            notice_text: NOTICE,
            notice_html: NOTICE_HTML,
            must_say: &case.must_say,
            mailto: None,
            unsubscribe_words: "Abmelden",
            may_measure: case.may_measure,
            refuse_blind: true,
            refuse_concealed: false,
            trackers: &trackers,
        };
        let marketing = case.marketing.then_some(marketing);
        let plan = Plan { on_top: RECEIVED, fields: Fields::default(), kept: &[], marketing };
        let reading = Reading::default();
        let copy = rewrite(&message, &reading, &plan);
        assert_eq!(rewrite(&message, &reading, &plan), copy, "{name}: the second copy");
        let expected = path.join("out.eml");
        match (copy, case.error.as_deref()) {
            (Ok(copy), None) => {
                check(&name, &message, &copy, &case);
                if update() {
                    fs::write(&expected, &copy).expect("writable");
                } else if fs::read(&expected).ok() != Some(copy) {
                    wrong.push(name);
                }
            }
            (Err(error), Some(word)) => {
                let expected = match word {
                    "sealed" => RewriteError::Sealed,
                    "encrypted" => RewriteError::Encrypted,
                    "tracked" => RewriteError::Tracked,
                    "no room" => RewriteError::NoRoom,
                    "no text part" => RewriteError::NoTextPart,
                    "undecodable" => RewriteError::Undecodable,
                    _ => panic!("{name}: no such error: {word}"),
                };
                assert_eq!(error, expected, "{name}");
            }
            (copy, error) => panic!("{name}: {:?} instead of {error:?}", copy.map(|_| "a copy")),
        }
    }
    assert!(wrong.is_empty(), "out.eml differs (UPDATE=1 rewrites): {wrong:#?}");
}

/// What holds of every copy, whatever `out.eml` says.
fn check(name: &str, message: &Message, copy: &[u8], case: &Case) {
    let Case { marketing, links, .. } = *case;
    assert!(copy.starts_with(RECEIVED), "{name}: M-50");
    let again = Message::parse(copy.to_vec(), true).expect("still a message");
    assert_eq!(again.all("Message-ID").count(), message.all("Message-ID").count(), "{name}: M-68");
    assert_eq!(again.all("Bcc").count(), 0, "{name}: M-67");
    if marketing {
        for field in ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"] {
            assert_eq!(again.all(field).count(), 1, "{name}: U-01 {field}");
        }
        assert_eq!(again.value("List-Unsubscribe"), Some(format!("<{URL}>")), "{name}: U-02");
        // U-03, byte for byte
        assert!(memchr::memmem::find(copy, b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n").is_some(), "{name}");
    }
    let (before, after) = (MessageParser::default().parse(message.raw()), MessageParser::default().parse(copy));
    let (before, after) = (before.expect("readable"), after.expect("readable"));
    assert_eq!(before.parts.len(), after.parts.len(), "{name}: structure");
    let after = texts(&after);
    let linked = after.iter().filter(|text| text.matches(URL).count() == 1).count();
    assert_eq!(linked, links, "{name}: parts with the link once\n{after:#?}");
    assert!(after.iter().all(|text| text.matches(URL).count() <= 1), "{name}: the link twice");
    let words = ["Sie möchten keine Post mehr?", "Sie m&#246;chten keine Post mehr?", "Sie moechten keine Post mehr?"];
    let readable = after.iter().filter(|text| words.iter().any(|words| text.contains(words))).count();
    assert_eq!(readable, links - case.without_footer, "{name}: charset\n{after:#?}");
}
