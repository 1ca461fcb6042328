//! Mail as it is in the wild: what the test suites of mail libraries have collected, our own cases, and what comes of all that when
//! its lines are shaken. Whatever a message is: as transactional it leaves as it came; as marketing nothing of it is lost, and other
//! programs read the copy as they read the message. None of these files is ours to keep; they are found where they are installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use consentry::mail::Message;
use consentry::rewrite::{Fields, Marketing, Plan, Reading, Trackers, rewrite};
use consentry::sign::{Algorithm, Signer, Signers};
use jiff::Timestamp;
use mail_parser::{MessageParser, PartType};

use crate::environment::{long_or, peer_file, python, repository, seed, tell};
use crate::peers::dkim::{Signature, Verifier};
use crate::peers::{run, run_with_input};

const RECEIVED: &[u8] = b"Received: from tool.example by gateway.example with ESMTPS id 1;\r\n Mon, 23 Nov 2026 08:00:00 +0000\r\n";
const LINK: &str = "https://consent.example/u/TOKEN";

/// Python's own, enmime's, and those of the crate that we read mail with; our cases; and the corpus beside the repository.
fn files() -> BTreeMap<&'static str, Vec<PathBuf>> {
    // Not offline: it wants the packages of every platform there, and a build fetches only its own.
    let metadata = run(Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--locked"]).current_dir(repository()));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let crates = metadata["packages"].as_array().unwrap();
    let parser = crates.iter().find(|package| package["name"] == "mail-parser").unwrap()["manifest_path"].as_str().unwrap();
    let of_python = run(Command::new("/usr/bin/python3").args(["-c", "import os, test; print(os.path.dirname(test.__file__))"]));
    let of_python = PathBuf::from(String::from_utf8(of_python.stdout).unwrap().trim()).join("test_email/data");
    BTreeMap::from([
        ("mail-parser", below(&Path::new(parser).parent().unwrap().join("resources/eml"), &["eml"])),
        ("Python", below(&of_python, &["txt"])),
        ("enmime", below(Path::new("/usr/share/gocode/src/github.com/jhillyerd/enmime"), &["raw", "eml"])),
        ("our cases", below(&repository().join("tests/messages"), &["eml"])),
        ("corpus", below(&repository().join("../shared/corpus"), &["eml"])),
    ])
}

/// All files below with one of these endings, in order.
fn below(directory: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path, endings));
        } else if path.file_name() != Some("out.eml".as_ref()) && path.extension().is_some_and(|e| endings.iter().any(|end| e == *end)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// As it would come through the front door, if it would.
fn message(octets: &[u8]) -> Option<Message> {
    let mut lines = Vec::with_capacity(octets.len() + 64);
    let mut before = 0;
    for &octet in octets {
        match octet {
            b'\n' if before != b'\r' => lines.extend_from_slice(b"\r\n"),
            octet => lines.push(octet),
        }
        before = octet;
    }
    // an mbox line is no field
    let start = if lines.starts_with(b"From ") { memchr::memchr(b'\n', &lines).map_or(0, |at| at + 1) } else { 0 };
    let lines = lines.split_off(start);
    let sound =
        lines.split(|octet| *octet == b'\n').all(|line| line.len() <= 999 && !line.strip_suffix(b"\r").unwrap_or(line).contains(&b'\r'));
    if !sound || lines.contains(&0) {
        return None;
    }
    Message::parse(lines, true).ok()
}

/// A few numbers from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap()
    }
}

/// The message with one to four of its lines dropped, doubled, exchanged, cut, or with an octet changed.
fn shaken(raw: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = raw.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..=dice.throw(4) {
        let (at, other) = (dice.throw(lines.len()), dice.throw(lines.len()));
        match dice.throw(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => lines.truncate(at.max(1)),
            4 => {
                let cut = dice.throw(lines[at].len());
                let line = &mut lines[at];
                line.truncate(cut);
                line.extend_from_slice(b"\r\n");
            }
            _ => {
                let column = dice.throw(lines[at].len());
                if !b"\r\n".contains(&lines[at][column]) {
                    lines[at][column] = b" =-;:\"<>/bx"[dice.throw(11)];
                }
            }
        }
        if lines.is_empty() {
            lines.push(b"\r\n".to_vec());
        }
    }
    lines.concat()
}

fn plan(trackers: &Trackers, may_measure: bool) -> Plan<'_> {
    let marketing = Marketing {
        unsubscribe_url: LINK,
        mailto: None,
        list_id_phrase: "News",
        list_id: "news.shop.example",
        footer_text: "Abmelden:\nhttps://consent.example/u/TOKEN\n",
        footer_html: "<div><a href=\"https://consent.example/u/TOKEN\">Abmelden für Sie</a></div>\n",
        notice_text: "Acme GmbH",
        notice_html: "<p>Acme GmbH</p>",
        must_say: &[],
        unsubscribe_words: "Abmelden",
        may_measure,
        refuse_blind: false,
        refuse_concealed: false,
        trackers,
    };
    Plan { on_top: RECEIVED, fields: Fields::default(), kept: &[], marketing: Some(marketing) }
}

/// What the transactional copy must be, octet by octet.
fn untouched(message: &Message) -> Vec<u8> {
    let mut expected = RECEIVED.to_vec();
    let raw = message.raw();
    let gone =
        ["bcc", "resent-bcc", "x-smtpapi", "x-msys-api", "x-ses-configuration-set", "x-ses-message-tags", "x-ses-list-management-options"];
    let prefixes =
        ["consentry-", "x-pm-", "x-mailgun-", "x-mc-", "x-mailin-", "x-mj-", "x-mailjet-", "x-postal-tag", "x-greenarrow-mailclass"];
    let mut from = 0;
    for header in message.headers() {
        let name = header.name.to_ascii_lowercase();
        if gone.contains(&name.as_str()) || prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            expected.extend_from_slice(&raw[from..header.start]);
            from = header.end;
        }
    }
    expected.extend_from_slice(&raw[from..]);
    expected
}

/// Parts that differ, as mail-parser reads them; each must be a text with the link once more than before.
fn differences(raw: &[u8], copy: &[u8]) -> Result<usize, String> {
    let parse = |octets| MessageParser::default().parse(octets);
    let (Some(before), Some(after)) = (parse(raw), parse(copy)) else { return Err("not readable".into()) };
    // cut off in the header of a part, which others see when it has a body
    let last = memchr::memmem::rfind(raw, b"\r\n--").unwrap_or(0);
    let cut_off = memchr::memmem::find(&raw[last..], b"\r\n\r\n").is_none();
    if before.parts.len() != after.parts.len() && !cut_off {
        return Err(format!("{} parts became {}", before.parts.len(), after.parts.len()));
    }
    let mut linked = 0;
    for (number, (one, other)) in before.parts.iter().zip(&after.parts).enumerate() {
        // what cannot be decoded each program reads in its own way; an empty part has no kind
        if one.is_encoding_problem || one.contents().is_empty() {
            continue;
        }
        match (&one.body, &other.body) {
            (PartType::Text(a), PartType::Text(b)) | (PartType::Html(a), PartType::Html(b)) if a != b => {
                let more = b.matches(LINK).count().abs_diff(a.matches(LINK).count());
                if more != 1 {
                    return Err(format!("part {number} has the link {more} times more"));
                }
                linked += 1;
            }
            (PartType::Multipart(_), PartType::Multipart(_)) | (PartType::Message(_), PartType::Message(_)) => {}
            _ if one.contents() == other.contents() => {}
            _ => return Err(format!("part {number} changed")),
        }
        if other.is_encoding_problem && !one.is_encoding_problem {
            return Err(format!("part {number} cannot be decoded any more"));
        }
    }
    Ok(linked)
}

/// True where a header of a part has a field twice, or ends in a delimiter instead of an empty line: then programs differ on what the
/// message says, whatever we do.
fn is_ambiguous(raw: &[u8]) -> bool {
    let text = String::from_utf8_lossy(raw);
    let mut names: Option<Vec<String>> = Some(Vec::new());
    for line in text.split("\r\n") {
        match &mut names {
            Some(_) if line.starts_with("--") => return true,
            Some(_) if line.is_empty() => names = None,
            Some(names) => {
                let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
                if name.starts_with("content-") && names.contains(&name) {
                    return true;
                }
                names.push(name);
            }
            None if line.starts_with("--") => names = Some(Vec::new()),
            None => {}
        }
    }
    false
}

/// All messages that the front door takes: as they are, and shaken.
fn messages() -> (Vec<(String, Message)>, usize) {
    let mut found = Vec::new();
    let mut count = 0;
    for (source, files) in files() {
        let taken = files.iter().filter_map(|path| Some((format!("{source} {}", path.display()), message(&std::fs::read(path).unwrap())?)));
        let before = found.len();
        found.extend(taken);
        tell(&format!("wild: {source}: {} files, {} as the front door takes them", files.len(), found.len() - before));
        count += files.len();
    }
    // the same every time, so that nobody else's change fails by bad luck; --long looks further
    let seed = long_or(4_711, seed());
    tell(&format!("wild: CONSENTRY_TEST_SEED={seed}"));
    let mut dice = Dice(seed | 1);
    let originals = found.len();
    let wanted = originals + long_or(1_000, 10_000);
    while found.len() < wanted {
        let (name, original) = &found[dice.throw(originals)];
        let name = format!("{name}, shaken {}", found.len());
        if let Some(message) = message(&shaken(original.raw(), &mut dice)) {
            found.push((name, message));
        }
    }
    (found, count)
}

#[test]
fn mail_of_the_wild_leaves_as_it_came_and_loses_nothing_as_marketing() {
    // U-45, U-46, M-67, M-68
    let trackers = Trackers::new(&[]).expect("the built-in ones");
    let (messages, files) = messages();
    assert!(files >= 200, "{files} files: tests/run installs what is missing");
    let directory = tempfile::tempdir().unwrap();
    let (mut faults, mut names, mut refused) = (Vec::new(), Vec::new(), BTreeMap::<String, usize>::new());
    for (number, (name, message)) in messages.iter().enumerate() {
        let plain = Plan { marketing: None, ..plan(&trackers, true) };
        match rewrite(message, &Reading::default(), &plain) {
            Ok(copy) if copy == untouched(message) => {}
            Ok(_) => faults.push(format!("{name}: changed as transactional")),
            Err(error) => *refused.entry(error.to_string()).or_default() += 1,
        }
        let reading = Reading::default();
        match rewrite(message, &reading, &plan(&trackers, true)) {
            Err(error) => *refused.entry(error.to_string()).or_default() += 1,
            Ok(copy) => {
                if name.contains(", shaken ") && is_ambiguous(message.raw()) {
                    continue;
                }
                if let Err(fault) = differences(message.raw(), &copy) {
                    faults.push(format!("{name}: {fault}"));
                    let kept = repository().join("target/wild");
                    std::fs::create_dir_all(&kept).unwrap();
                    std::fs::write(kept.join(format!("{number}.before")), message.raw()).unwrap();
                    std::fs::write(kept.join(format!("{number}.after")), &copy).unwrap();
                }
                std::fs::write(directory.path().join(format!("{number}.before")), message.raw()).unwrap();
                std::fs::write(directory.path().join(format!("{number}.after")), &copy).unwrap();
                // of a placeholder nothing is kept
                if !name.contains("placeholder") {
                    names.push(number.to_string());
                }
                let unmeasured = rewrite(message, &reading, &plan(&trackers, false)).expect("as the other");
                assert!(Message::parse(unmeasured, true).is_ok(), "{name}");
            }
        }
    }
    let mut compare = Command::new(python());
    compare.arg(peer_file("compare_copies.py")).arg(directory.path()).arg(LINK);
    let output = run_with_input(&mut compare, names.join("\n").as_bytes(), true);
    let said = String::from_utf8_lossy(&output.stdout);
    faults.extend(said.lines().map(|line| {
        let (number, fault) = line.split_once(": ").unwrap();
        format!("{}: Python: {fault}", messages[number.parse::<usize>().unwrap()].0)
    }));
    tell(&format!("wild: {} messages of {files} files, {} marketing copies, refused: {refused:?}", messages.len(), names.len()));
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert!(names.len() * 2 > messages.len());
}

#[test]
fn two_thousand_signatures_over_mail_of_the_wild_are_verified_by_others() {
    // U-04, U-40, U-41
    const EACH: usize = 1_000;
    let trackers = Trackers::new(&[]).expect("the built-in ones");
    let (messages, _) = messages();
    let copies: Vec<Vec<u8>> = messages
        .iter()
        .flat_map(|(_, message)| {
            let reading = Reading::default();
            let marketing = rewrite(message, &reading, &plan(&trackers, false)).ok();
            let plain = rewrite(message, &reading, &Plan { marketing: None, ..plan(&trackers, false) }).ok();
            marketing.into_iter().chain(plain)
        })
        // SMTP ends the last line where the message does not
        .map(|copy| if copy.ends_with(b"\r\n") { copy } else { [&copy[..], b"\r\n"].concat() })
        .collect();
    let from = consentry::mail::Address::parse("a@shop.example").expect("valid");
    let signer = |selector: &str, algorithm| Signer::generate("shop.example", selector, algorithm).expect("valid names").0;
    let (rsa, ed25519) = (signer("r1", Algorithm::Rsa), signer("e1", Algorithm::Ed25519));
    let records = [("r1", rsa.dns_record()), ("e1", ed25519.dns_record())];
    let signers = Signers::new(vec![rsa, ed25519]);
    let every = (copies.len() / EACH).max(1);
    let signed: Vec<Vec<u8>> = copies
        .iter()
        .step_by(every)
        .take(EACH)
        .map(|copy| signers.signed(copy.clone(), &from, Timestamp::UNIX_EPOCH).expect("a message with From"))
        .collect();
    assert_eq!(signed.len(), EACH);
    for (selector, (name, record)) in records {
        for verifier in Verifier::ALL {
            // Debian's Mail::DKIM knows no ed25519 (RFC 8463): there the RSA signature must verify beside it
            if (verifier, selector) == (Verifier::MailDkim, "e1") {
                continue;
            }
            let found = verifier.verify_all(&signed, &name, &record);
            let bad = |(message, signatures): (&Vec<u8>, &Vec<Signature>)| {
                let ours = signatures.iter().take(2).find(|ours| ours.selector == selector);
                let start = String::from_utf8_lossy(&message[..message.len().min(1_500)]).into_owned();
                (!ours.is_some_and(|ours| ours.passed)).then(|| format!("{ours:?}\n{start}"))
            };
            let wrong: Vec<String> = signed.iter().zip(&found).filter_map(bad).collect();
            tell(&format!("wild: {verifier:?} verifies {} of {} signatures {selector}", signed.len() - wrong.len(), signed.len()));
            assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), signed.len(), wrong[..wrong.len().min(3)].join("\n---\n"));
        }
    }
}
