//! Every place that names a requirement as proved: test code, dialogues, truth tables, golden mails. Names in other code say why it is
//! there, and prove nothing.

use std::path::{Path, PathBuf};

use super::ids::ids;
use super::test_code::TestCode;
use crate::architecture::walk;
use crate::environment::repository;

/// One id at one place.
pub(super) struct Citation {
    pub(super) id: String,
    /// File and line.
    pub(super) place: String,
    /// Who proves it; nobody where it is cited beside every test.
    pub(super) tests: Vec<String>,
}

impl Citation {
    pub(super) fn sample(id: &str, tests: &[&str]) -> Self {
        Self { id: id.to_owned(), place: "there.rs:1".to_owned(), tests: tests.iter().map(|test| (*test).to_owned()).collect() }
    }
}

pub(super) fn all() -> Vec<Citation> {
    let mut paths = Vec::new();
    walk(&repository().join("src"), &mut paths);
    walk(&repository().join("tests"), &mut paths);
    paths.sort();
    paths.iter().flat_map(of_file).collect()
}

fn of_file(path: &PathBuf) -> Vec<Citation> {
    let below = path.strip_prefix(repository()).unwrap().to_str().unwrap();
    let read = || std::fs::read_to_string(path).unwrap();
    if let Some(case) = case(Path::new(below)) {
        // Only comments, and what a table says that it proves: what stands in the other lines is said by somebody.
        let says = |line: &str| line.starts_with('#') || line.starts_with("proves = ");
        return of_lines(below, read().lines().map(|line| if says(line) { line } else { "" }), |_| vec![case.clone()]);
    }
    if path.extension().is_none_or(|extension| extension != "rs") {
        return Vec::new();
    }
    let Some(code) = TestCode::read(below, &read()) else { return Vec::new() };
    of_lines(below, code.lines(), |number| code.tests_behind(number))
}

/// A dialogue, a truth table or a golden mail, by its name.
fn case(path: &Path) -> Option<String> {
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    match path.extension()?.to_str()? {
        "smtp" if path.starts_with("tests/dialogues") => Some(format!("dialogue {}", name(path))),
        "toml" if path.starts_with("tests/decisions") => Some(format!("table {}", name(path))),
        "toml" if path.starts_with("tests/messages") => Some(format!("mail {}", name(path.parent()?))),
        _ => None,
    }
}

fn of_lines<'a>(path: &str, lines: impl Iterator<Item = &'a str>, tests: impl Fn(usize) -> Vec<String>) -> Vec<Citation> {
    let of_line = |(number, line)| {
        let tests = &tests;
        ids(line).into_iter().map(move |id| Citation { id, place: format!("{path}:{}", number + 1), tests: tests(number) })
    };
    lines.enumerate().flat_map(of_line).collect()
}

#[test]
fn cases_are_known_by_their_place() {
    assert_eq!(case(Path::new("tests/dialogues/it_goes.smtp")).unwrap(), "dialogue it_goes");
    assert_eq!(case(Path::new("tests/messages/it_goes/case.toml")).unwrap(), "mail it_goes");
    assert_eq!(case(Path::new("tests/decisions/it_goes.toml")).unwrap(), "table it_goes");
    assert_eq!(case(Path::new("tests/requirements.toml")), None);
    assert_eq!(case(Path::new("tests/dialogues/it_goes.out.eml")), None);
}
