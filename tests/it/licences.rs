//! Which licences and which crates may be in the tree, checked from the dependencies' own metadata.
//!
//! `cargo tree` and not `cargo metadata`: the latter lists optional packages that no feature turns on.

use std::collections::BTreeSet;
use std::process::Command;

use crate::environment;

/// Licences that let the product be used, changed and shipped with no duty but to name authors.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages under MPL-2.0, which asks to publish changes of their own files only. None so far.
const MPL: &[&str] = &[];

/// One TLS stack, one provider of cryptography; `rsa` has an unpatched advisory (RUSTSEC-2023-0071).
const BANNED: &[&str] = &["native-tls", "openssl", "openssl-sys", "ring", "rsa"];

#[test]
fn every_dependency_has_an_allowed_licence_and_none_is_banned() {
    let packages = packages();
    assert!(packages.len() > 50, "cargo tree lists the dependencies");
    let faults: Vec<String> = packages.iter().filter_map(|(name, licence)| fault(name, licence)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_licence_expression_is_allowed_when_one_of_its_choices_is() {
    for (expression, allowed) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("(GPL-3.0-only OR MIT) AND Unicode-3.0", true),
        ("ISC AND (GPL-2.0-only OR LGPL-2.1-only)", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
        ("GPL-2.0-only WITH Classpath-exception-2.0", false),
        ("MIT OR GPL-3.0-only AND GPL-2.0-only", true),
        ("MPL-2.0", false),
        ("(MIT", false),
        ("MIT MIT", false),
        ("", false),
    ] {
        assert_eq!(permits(expression, &|licence| ALLOWED.contains(&licence)), allowed, "{expression}");
    }
}

/// Name and licence expression of everything that is compiled here, for the product and for its tests.
fn packages() -> BTreeSet<(String, String)> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--offline", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}\t{l}"]);
    let output = command.current_dir(environment::repository()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let packages = lines.lines().filter_map(|line| line.split_once('\t'));
    // `name v1.2.3 (proc-macro)`, and ` (*)` after the licence where the package was listed before.
    packages
        .map(|(package, licence)| (package.split(' ').next().unwrap_or_default(), licence.trim_end_matches(" (*)")))
        .map(|(name, licence)| (name.to_owned(), licence.to_owned()))
        .collect()
}

fn fault(name: &str, licence: &str) -> Option<String> {
    let allowed = |one: &str| ALLOWED.contains(&one) || one == "MPL-2.0" && MPL.contains(&name);
    if BANNED.contains(&name) {
        Some(format!("{name} is banned"))
    } else if !permits(licence, &allowed) {
        Some(format!("{name}: no allowed licence in {licence:?}"))
    } else {
        None
    }
}

/// Evaluates an SPDX expression: `AND` binds tighter than `OR`, an exception only adds freedom.
fn permits(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = any_of(&mut words, allowed);
    verdict == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut verdict = all_of(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        verdict |= all_of(words, allowed)?;
    }
    Some(verdict)
}

fn all_of(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut verdict = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words, allowed)?;
    }
    Some(verdict)
}

fn one(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let verdict = match words.next()? {
        "(" => {
            let inner = any_of(words, allowed)?;
            words.next_if_eq(&")")?;
            inner
        }
        licence => allowed(licence),
    };
    if words.next_if_eq(&"WITH").is_some() {
        words.next()?;
    }
    Some(verdict)
}
