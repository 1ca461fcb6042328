//! The table as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Level, Proofs, Requirement, Requirements};

pub(super) fn markdown(requirements: &Requirements, proofs: &Proofs) -> String {
    let mut text = String::from("| id | level | what | proved by |\n|---|---|---|---|\n");
    let (mut proved, mut partly, mut not_yet) = (0, 0, 0);
    for (id, requirement) in requirements {
        let proof = proofs.get(id);
        *match (proof, &requirement.partly) {
            (None, _) => &mut not_yet,
            (Some(_), Some(_)) => &mut partly,
            (Some(_), None) => &mut proved,
        } += 1;
        let _ = writeln!(text, "| {id} | {} | {} | {} |", word(requirement.level), requirement.what, answer(requirement, proof));
    }
    let _ = writeln!(text, "\n{} requirements: {proved} proved, {partly} partly, {not_yet} not yet.", requirements.len());
    text
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
        Level::Note => "NOTE",
    }
}

fn answer(requirement: &Requirement, proof: Option<&BTreeSet<String>>) -> String {
    let missing = requirement.partly.as_ref().map(|missing| format!("; partly: {missing}"));
    match proof {
        Some(tests) => tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", ") + &missing.unwrap_or_default(),
        None => format!("not yet: {}", requirement.not_yet.as_deref().unwrap_or("nobody says why")),
    }
}

#[test]
fn the_table_tells_who_proves_what_and_counts() {
    let requirements = toml::from_str(
        "[M-01]\nlevel = \"MUST\"\nwhat = \"one\"\n[M-02]\nlevel = \"SHOULD\"\nwhat = \"two\"\npartly = \"half\"\n\
         [M-03]\nlevel = \"MAY\"\nwhat = \"three\"\nnot_yet = \"all\"\n",
    )
    .unwrap();
    let tests: BTreeSet<String> = ["a::b", "dialogue c"].map(str::to_owned).into();
    let proofs = Proofs::from([("M-01".to_owned(), tests.clone()), ("M-02".to_owned(), tests)]);
    let expected = "\
| id | level | what | proved by |
|---|---|---|---|
| M-01 | MUST | one | `a::b`, `dialogue c` |
| M-02 | SHOULD | two | `a::b`, `dialogue c`; partly: half |
| M-03 | MAY | three | not yet: all |

3 requirements: 1 proved, 1 partly, 1 not yet.
";
    assert_eq!(markdown(&requirements, &proofs), expected);
}
