//! A folder of labelled mails: `labels.tsv` says of each file what it is.

use std::path::Path;

/// One mail of the folder.
pub struct Sample {
    pub file: String,
    pub is_marketing: bool,
    pub language: String,
    pub variant: String,
    pub family: String,
    pub kind: String,
    pub hard: String,
    pub raw: Vec<u8>,
}

/// Reads it.
pub fn read(folder: &Path) -> std::io::Result<Vec<Sample>> {
    let labels = std::fs::read_to_string(folder.join("labels.tsv"))?;
    let mut lines = labels.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let column = |name: &str| names.iter().position(|own| *own == name);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let cell = |name: &str| column(name).and_then(|at| cells.get(at)).copied().unwrap_or_default().to_owned();
            let file = cell("file");
            let raw = std::fs::read(folder.join(&file))?;
            Ok(Sample { is_marketing: cell("label") == "marketing", language: cell("language"), variant: cell("variant"), family: cell("family"), kind: cell("kind"), hard: cell("hard"), file, raw })
        })
        .collect()
}
