//! A folder of labelled mails, as `consentry classify --evaluate` reads it.

use std::path::Path;

use consentry::classify::labels::{Label, parse};

/// One mail of the folder.
pub(crate) struct Sample {
    pub label: Label,
    pub raw: Vec<u8>,
}

/// Reads it.
pub(crate) fn read(folder: &Path) -> Vec<Sample> {
    let text = std::fs::read_to_string(folder.join("labels.tsv")).expect("the folder has labels.tsv");
    let labels = parse(&text).expect("the table is good");
    let sample = |label: Label| Sample { raw: std::fs::read(folder.join(&label.file)).expect("its files are there"), label };
    labels.into_iter().map(sample).collect()
}
