//! The rules of the house that a compiler does not check: who imports whom, what the pure rooms must
//! not name, and that every file says what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use consentry::consent::Reason;

use crate::environment;

/// Rooms without clock, randomness, runtime and database: what they need is an argument.
const PURE: &[&str] =
    &["residency", "mail", "consent", "classify", "policy", "decide", "rewrite", "sign", "token", "compose", "crypto", "wire"];

/// What a pure room must not name.
const IMPURE_WORDS: &[&str] = &["tokio", "sqlx", "Timestamp::now", "Zoned::now", "SystemTime", "Instant", "rand::fill", "rand::generate"];

/// What the joiners may import.
const JOINER: &[&str] = &[
    "mail",
    "consent",
    "classify",
    "policy",
    "decide",
    "token",
    "compose",
    "crypto",
    "rewrite",
    "sign",
    "wire",
    "smtp",
    "relay",
    "store",
    "entropy",
    "credentials",
];

/// Room -> the rooms it may import. `config` and `cli` stand outside: they may import every room.
const IMPORTS: &[(&str, &[&str])] = &[
    ("mail", &[]),
    ("consent", &["mail"]),
    ("wire", &["mail"]),
    ("classify", &["mail", "consent"]),
    ("policy", &["mail", "consent"]),
    ("residency", &["consent"]),
    ("decide", &["mail", "consent", "policy"]),
    ("token", &["mail", "consent"]),
    ("compose", &["mail", "consent"]),
    ("crypto", &["mail", "consent"]),
    ("rewrite", &["mail", "consent"]),
    ("sign", &["mail"]),
    ("tls", &[]),
    ("smtp", &["mail", "wire", "tls"]),
    ("relay", &["mail", "wire", "tls"]),
    ("store", &["mail", "consent", "crypto", "entropy"]),
    ("entropy", &[]),
    ("credentials", &["mail"]),
    ("gateway", JOINER),
    ("desk", JOINER),
    ("office", JOINER),
    // what waits goes the gateway's way again
    ("spooler", &["gateway", "mail", "consent", "compose", "relay", "store", "wire", "entropy"]),
    ("retention", JOINER),
    ("simulate", JOINER),
    ("inbound", &["desk", "mail", "consent", "smtp", "wire"]),
    ("http", &["desk", "office", "mail", "consent", "compose"]),
];

/// Rooms that put the others together.
const OUTSIDE: &[&str] = &["lib", "main", "config", "cli"];

/// No file of `src` is longer.
const LONGEST_FILE: usize = 450;

/// One file of `src`.
struct Source {
    /// Below `src`, with slashes.
    path: String,
    /// The top-level name it belongs to.
    room: String,
    /// Everything before the test module at its foot, without comments.
    code: String,
    /// The test module at its foot, without comments.
    tests: String,
    lines: Vec<String>,
}

impl Source {
    fn read(path: &Path) -> Self {
        let below = path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned();
        let lines: Vec<String> = std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
        let foot = lines.iter().position(|line| line == "#[cfg(test)]").unwrap_or(lines.len());
        let room = below.split(['/', '.']).next().unwrap().to_owned();
        // A file `tests.rs` is a test module by its declaration.
        let foot = if below.ends_with("/tests.rs") { 0 } else { foot };
        let (code, tests) = (without_comments(&lines[..foot]), without_comments(&lines[foot..]));
        Self { path: below, room, code, tests, lines }
    }

    /// How many `super::` lead to the crate's root.
    fn depth(&self) -> usize {
        self.path.trim_end_matches("/mod.rs").split('/').count()
    }
}

#[test]
fn every_file_says_on_top_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|source| !source.lines.first().is_some_and(|line| line.starts_with("//! "))).collect();
    assert!(silent.is_empty(), "no `//!` line on top of: {:?}", silent.iter().map(|source| &source.path).collect::<Vec<_>>());
}

#[test]
fn imports_point_one_way() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| !OUTSIDE.contains(&source.room.as_str())) {
        let Some((_, allowed)) = IMPORTS.iter().find(|(room, _)| *room == source.room) else {
            faults.push(format!("{}: the room {} is not in the table", source.path, source.room));
            continue;
        };
        let known = |room: &&String| **room != source.room && !allowed.contains(&room.as_str());
        // Tests may build their samples with the help of any pure room.
        let strange = rooms_named(&source.tests, source.depth() + 1).into_iter().filter(|room| !PURE.contains(&room.as_str()));
        let named = rooms_named(&source.code, source.depth()).into_iter().chain(strange).collect::<BTreeSet<_>>();
        faults.extend(named.iter().filter(known).map(|room| format!("{}: may not import {room}", source.path)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pure_rooms_name_no_clock_randomness_runtime_or_database() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.room.as_str())) {
        let named = IMPURE_WORDS.iter().filter(|word| names(&source.code, word));
        faults.extend(named.map(|word| format!("{}: names {word}", source.path)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut lengths: Vec<(usize, String)> = sources().into_iter().map(|source| (source.lines.len(), source.path)).collect();
    lengths.sort();
    let (median, longest) = (lengths[lengths.len() / 2].0, lengths.last());
    environment::tell(&format!("src: {} files, median {median} lines, longest {longest:?}", lengths.len()));
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LONGEST_FILE).collect();
    assert!(long.is_empty(), "more than {LONGEST_FILE} lines: {long:?}");
}

#[test]
fn no_file_names_places_of_one_machine_or_hosts_of_package_registries() {
    let needles: Vec<String> = [
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["/tmp/", "wt-"],
        ["registry", ".npmjs"],
        ["registry", ".yarnpkg"],
        ["pypi", ".org"],
        ["python", "hosted.org"],
        ["index.crates", ".io"],
        ["static.crates", ".io"],
        ["crates", ".io-index"],
    ]
    .map(|halves| halves.concat())
    .into();
    let mut faults = Vec::new();
    for path in repository_files() {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        faults.extend(needles.iter().filter(|needle| text.contains(*needle)).map(|needle| format!("{}: names {needle}", path.display())));
        let lock = path.file_name().is_some_and(|name| name == "package-lock.json");
        if lock && text.contains("\"resolved\"") {
            faults.push(format!("{}: names download addresses (npm: omit-lockfile-registry-resolved)", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_readme_explains_every_reason() {
    // Absent only until the first README is written.
    let Ok(readme) = std::fs::read_to_string(environment::repository().join("README.md")) else { return };
    let missing: Vec<_> = Reason::ALL.into_iter().filter(|reason| !readme.contains(&format!("`{reason}`"))).collect();
    assert!(missing.is_empty(), "README.md lacks {missing:?}");
}

#[test]
fn the_scan_finds_every_way_to_name_a_room() {
    for (code, depth, rooms) in [
        ("use crate::mail::Address;", 1, vec!["mail"]),
        ("use crate::{mail::{Address, Message}, consent::Topic, wire};", 1, vec!["consent", "mail", "wire"]),
        ("use crate::{\n    mail::Address,\n    store::Store,\n};", 1, vec!["mail", "store"]),
        ("let x = crate::relay::Relay::new();", 1, vec!["relay"]),
        ("pub(crate) use super::store::Store;", 1, vec!["store"]),
        ("use super::store::Store;", 2, vec![]),
        ("use super::super::store::Store;", 2, vec!["store"]),
        ("use super::{store, mail::Address};", 1, vec!["mail", "store"]),
        ("pub(crate) fn other() {} use mycrate::store;", 1, vec![]),
    ] {
        assert_eq!(rooms_named(code, depth).into_iter().collect::<Vec<_>>(), rooms, "{code}");
    }
    assert!(names("tokio::spawn", "tokio") && names("x = Instant::now()", "Instant"));
    assert!(!names("instantiate(Instantly)", "Instant") && !names("operand::fill", "rand::fill"));
}

fn src() -> PathBuf {
    environment::repository().join("src")
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&src(), &mut paths);
    paths.sort();
    paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).map(|path| Source::read(path)).collect()
}

/// Every file a clone has, and none that a build or a package manager made.
fn repository_files() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    walk(environment::repository(), &mut paths);
    // The lock file names the registry's public index by definition; there is one.
    let lock = environment::repository().join("Cargo.lock");
    paths.retain(|path| *path != lock);
    paths
}

/// Every file below `directory` that no build or package manager made.
pub(crate) fn walk(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let generated = [".git", "target", "node_modules", "__pycache__"].iter().any(|name| entry.file_name() == *name);
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && !generated => walk(&entry.path(), paths),
            kind if kind.is_file() && !generated => paths.push(entry.path()),
            _ => {}
        }
    }
}

fn without_comments(lines: &[String]) -> String {
    lines.iter().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |code, line| code + line + "\n")
}

/// The rooms that `code` reaches from the crate's root, by `crate::` or by enough `super::`.
fn rooms_named(code: &str, depth: usize) -> BTreeSet<String> {
    let rooms: BTreeMap<&str, ()> = IMPORTS.iter().map(|(room, _)| *room).chain(OUTSIDE.iter().copied()).map(|room| (room, ())).collect();
    let ways = ["crate::".to_owned(), "super::".repeat(depth)];
    let found = ways.iter().flat_map(|way| code.match_indices(way.as_str()).map(move |(at, _)| (at, way.len())));
    found
        .filter(|(at, _)| !continues_a_path(&code[..*at]))
        .flat_map(|(at, length)| heads(&code[at + length..]))
        .filter(|head| rooms.contains_key(head.as_str()))
        .collect()
}

/// The first name of a path, or of each path in the braces that follow.
fn heads(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else { return vec![identifier(rest)] };
    let mut level = 0_usize;
    let mut heads = vec![identifier(group)];
    for (at, character) in group.char_indices() {
        match character {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => heads.push(identifier(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|&character| is_name(character)).collect()
}

fn names(code: &str, word: &str) -> bool {
    let ends = |at: usize| word.ends_with(':') || !code[at + word.len()..].starts_with(is_name);
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(is_name) && ends(at))
}

fn continues_a_path(before: &str) -> bool {
    before.ends_with(is_name) || before.ends_with("::")
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
