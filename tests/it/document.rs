//! `consentry document`: what a data-protection officer gets is what the configuration says, in both languages.

use std::path::Path;

use crate::environment::repository;
use crate::world::consentry;

/// The document of that configuration.
fn document(kind: &str, language: &str, directory: &Path, config: &str) -> String {
    let file = directory.join("consentry.toml");
    std::fs::write(&file, config).unwrap();
    consentry(&["document", kind, "--language", language, "--config", &file.display().to_string()], "")
}

/// Each table has as many cells in every row as in its head.
fn tables_are_whole(text: &str) -> bool {
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let lines: Vec<&str> = text.lines().collect();
    lines.windows(2).all(|pair| !(pair[0].starts_with('|') && pair[1].starts_with('|')) || cells(pair[0]) == cells(pair[1]))
}

#[test]
fn the_documents_say_what_the_configuration_says_and_change_with_it() {
    // S0-25, L-TOM-04, S2-04
    let directory = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(repository().join("deploy/consentry.toml")).unwrap();
    let made = |kind: &str, config: &str| ["de", "en"].map(|language| document(kind, language, directory.path(), config));
    for kind in ["processing", "measures", "storage"] {
        for text in made(kind, &config) {
            assert!(text.starts_with("# ") && text.ends_with('\n') && tables_are_whole(&text), "{text}");
            assert!(!text.contains("{{") && !text.contains("{%") && !text.contains("\n\n\n\n"), "{text}");
        }
    }
    let hop = "host = \"127.0.0.1\"\nport = 10025\n";
    let abroad = "\n[[residency.place]]\nwhat = \"outbound\"\nhost = \"mx.mailer.example\"\ncountry = \"JP\"\nsite = \"Tokyo\"\nprocessor = \"mailer\"\nbasis = \"scc\"\n\
                  measures = [\"TLS\"]\nassessment = \"TIA-7\"\n\
                  [[residency.place]]\nwhat = \"backup\"\ncountry = \"FR\"\n\
                  [[residency.processor]]\nkey = \"mailer\"\nname = \"Mailer | KK\"\ncontact = \"x@mailer.example\"\npurpose = \"relays mail\"\n\
                  contract = \"AVV 12\"\ncontrolled_from = \"JP\"\ncertificates = [\"ISO/IEC 27001:2022\"]\n";
    let other = config.replacen(hop, "host = \"mx.mailer.example\"\nport = 587\n", 1).replace("totp = \"required\"", "totp = \"optional\"")
        + abroad;
    for (kind, before, after) in [
        (
            "processing",
            [["`127.0.0.1`", "[Ort der Sicherung des Registers]"], ["`127.0.0.1`", "[place of the backup of the ledger]"]],
            [
                [
                    "`mx.mailer.example` | JP, Tokyo | Mailer \\| KK | Standardvertragsklauseln (Art. 46 Abs. 2 lit. c), Bewertung TIA-7",
                    "AVV 12",
                ],
                ["| Mailer \\| KK | standard contractual clauses (Art. 46(2)(c)), assessment TIA-7", "ISO/IEC 27001:2022"],
            ],
        ),
        (
            "measures",
            [["`127.0.0.1:10025` ohne TLS", "zweiter Faktor verlangt"], ["`127.0.0.1:10025` without TLS", "second factor required"]],
            [["`mx.mailer.example:587` nur mit STARTTLS", "freigestellt"], ["Backups: FR. Backups of keys", "second factor optional"]],
        ),
    ] {
        for ((was, is), (old, new)) in made(kind, &config).iter().zip(made(kind, &other)).zip(before.into_iter().zip(after)) {
            for (gone, comes) in old.into_iter().zip(new) {
                assert!(was.contains(gone) && !was.contains(comes), "{gone}; {comes} in {was}");
                assert!(is.contains(comes) && !is.contains(gone), "{comes}; {gone} in {is}");
            }
            assert!(tables_are_whole(&is), "{is}");
        }
    }
}
