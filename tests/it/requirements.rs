//! Which requirement is proved by which tests. `tests/requirements.toml` says what is asked for, the tests say which ids
//! they prove; here the two are held together, and made one table (`tests/requirements` prints it).

mod citations;
mod ids;
mod table;
mod test_code;

use std::collections::{BTreeMap, BTreeSet};

use self::citations::Citation;
use crate::environment;

/// One entry of `tests/requirements.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    level: Level,
    /// In a few words of our own.
    what: String,
    /// What is missing, where nothing is proved.
    not_yet: Option<String>,
    /// What is missing, where the tests prove a part.
    partly: Option<String>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Level {
    Must,
    Should,
    May,
    /// Asks nothing of the program.
    Note,
}

/// By id.
type Requirements = BTreeMap<String, Requirement>;

/// Names of tests, by the id they cite.
type Proofs = BTreeMap<String, BTreeSet<String>>;

#[test]
fn each_is_proved_by_tests_or_says_what_is_missing() {
    let requirements = read();
    let citations = citations::all();
    let proofs = proofs(&citations);
    // First, so that the table is there to look at when something is wrong with it.
    if let Some(path) = environment::requirements_table() {
        std::fs::write(path, table::markdown(&requirements, &proofs)).unwrap();
    }
    let faults = faults(&requirements, &citations, &proofs);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_does_not_fit_is_told() {
    let entry = |more: &str| format!("level = \"MUST\"\nwhat = \"this\"\n{more}\n");
    for (entry, cited, told) in [
        (entry(""), true, None),
        (entry(""), false, Some("M-01: no test cites it")),
        (entry("not_yet = \"all\""), false, None),
        (entry("not_yet = \"all\""), true, Some("M-01: not_yet, but there::it cites it")),
        (entry("partly = \"some\""), true, None),
        (entry("partly = \"some\""), false, Some("M-01: partly, but no test cites it")),
        (entry("partly = \"some\"\nnot_yet = \"all\""), true, Some("M-01: partly and not_yet")),
    ] {
        let requirements = toml::from_str(&format!("[M-01]\n{entry}")).unwrap();
        let citations = if cited { vec![Citation::sample("M-01", &["there::it"])] } else { vec![] };
        let faults = faults(&requirements, &citations, &proofs(&citations));
        assert_eq!(faults.len(), usize::from(told.is_some()), "{entry}: {faults:?}");
        assert!(told.is_none_or(|told| faults[0].contains(told)), "{entry}: {faults:?}");
    }
    let strange = [Citation::sample("M-99", &["there::it"]), Citation::sample("M-01", &[])];
    let requirements = toml::from_str(&format!("[M-01]\n{}", entry("not_yet = \"all\""))).unwrap();
    let faults = faults(&requirements, &strange, &proofs(&strange));
    assert!(faults.len() == 2 && faults[0].contains("M-99 is not in") && faults[1].contains("no test"), "{faults:?}");
}

fn read() -> Requirements {
    let path = environment::repository().join("tests/requirements.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("tests/requirements.toml: {error}"))
}

fn proofs(citations: &[Citation]) -> Proofs {
    let mut proofs = Proofs::new();
    for citation in citations.iter().filter(|citation| !citation.tests.is_empty()) {
        proofs.entry(citation.id.clone()).or_default().extend(citation.tests.iter().cloned());
    }
    proofs
}

fn faults(requirements: &Requirements, citations: &[Citation], proofs: &Proofs) -> Vec<String> {
    let mut faults = Vec::new();
    for Citation { id, place, tests } in citations {
        if !requirements.contains_key(id) {
            faults.push(format!("{place}: {id} is not in tests/requirements.toml"));
        } else if tests.is_empty() {
            faults.push(format!("{place}: {id} is cited where no test is; cite it in the test that proves it"));
        }
    }
    faults.extend(requirements.iter().filter_map(|(id, requirement)| fault(id, requirement, proofs.get(id))));
    faults
}

fn fault(id: &str, requirement: &Requirement, proof: Option<&BTreeSet<String>>) -> Option<String> {
    match (&requirement.not_yet, &requirement.partly, proof.and_then(BTreeSet::first)) {
        (Some(_), Some(_), _) => Some(format!("{id}: partly and not_yet; only one can be true")),
        (Some(_), None, Some(test)) => {
            Some(format!("{id}: not_yet, but {test} cites it; take the reason away, or say what is missing in partly"))
        }
        (None, Some(_), None) => Some(format!("{id}: partly, but no test cites it; cite it there, or say not_yet")),
        (None, None, None) => Some(format!("{id}: no test cites it; cite it in the test that proves it, or say why in not_yet")),
        _ => None,
    }
}
