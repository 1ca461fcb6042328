//! Whole trips of mails through the real binary: MA tools in front, an outbound MTA behind.

mod admin;
mod beside;
mod browser;
mod copies;
mod crash;
mod crowd;
mod demo;
mod faults;
mod full_disk;
mod gateways;
mod held;
mod inbound;
mod keys;
mod ledger_away;
mod operator;
mod outbound;
mod rules;
mod smuggling;
mod spool;
mod story;
mod subject;

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::environment::on_postgres;
use crate::postgres;

/// A newsletter as tools send it: text and html, with a List-Unsubscribe of the tool's own.
pub(crate) fn newsletter(to: &str, number: u32) -> Vec<u8> {
    format!(
        "From: Acme <newsletter@acme.example>\r\nTo: <{to}>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {number}\r\n\
         Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <news.{number}.{to}>\r\nMIME-Version: 1.0\r\n\
         List-Unsubscribe: <https://tool.example/u/4711>\r\nContent-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n\
         --b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         Sch=C3=B6ne Gr=C3=BC=C3=9Fe aus der Redaktion.\r\n.\r\nEin Punkt allein.\r\n\
         --b1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         PGh0bWw+PGJvZHk+PHA+U2Now7ZuZSBHcsO8w59lPC9wPjwvYm9keT48L2h0bWw+\r\n--b1--\r\n"
    )
    .into_bytes()
}

/// A receipt.
pub(crate) fn receipt(to: &str, number: u32) -> Vec<u8> {
    format!(
        "From: <shop@acme.example>\r\nTo: <{to}>\r\nSubject: Rechnung {number}\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n\
         Message-ID: <receipt.{number}.{to}>\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nVielen Dank.\r\n..\r\n"
    )
    .into_bytes()
}

/// How often a field of that name stands in the header.
pub(crate) fn count(message: &[u8], name: &str) -> usize {
    let text = String::from_utf8_lossy(message);
    let header = text.split("\r\n\r\n").next().unwrap();
    header.lines().filter(|line| line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase()))).count()
}

/// Fails when one of the words stands in a file below `dir` or in `log`: as such, in other case, in
/// base64 at any offset, in hexadecimal or as UTF-16 (I8).
pub(crate) fn assert_nowhere(dir: &Path, log: &str, words: &[String]) {
    let mut places: Vec<(PathBuf, Vec<u8>)> = files(dir).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    match on_postgres() {
        true => places.push((PathBuf::from("the database"), postgres::content(dir.parent().unwrap()))),
        false => assert!(places.iter().any(|(_, content)| content.starts_with(b"SQLite format 3")), "there is a ledger to look into"),
    }
    places.push((PathBuf::from("the log"), log.as_bytes().to_vec()));
    for (path, content) in &mut places {
        content.make_ascii_lowercase();
        for word in words {
            for needle in spellings(word) {
                let found = memchr::memmem::find(content, &needle).is_some();
                assert!(!found, "a spelling of {word} stands in {}", path.display());
            }
        }
    }
}

fn spellings(word: &str) -> Vec<Vec<u8>> {
    let hexadecimal = hex::encode(word);
    let utf16 = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let base64 = (0..3).map(|shift| {
        // Only the middle is the same whatever stands around the word.
        let text = STANDARD.encode(format!("{}{word}", "x".repeat(shift)));
        text.as_bytes()[4..text.len() - 4].to_ascii_lowercase()
    });
    base64.chain([word.as_bytes().to_vec(), hexadecimal.into_bytes(), utf16]).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
