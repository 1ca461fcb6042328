//! A table of labelled mails: which file is what. Tab-separated, with a head line; only `file` and `label` must be there.

use crate::mail::Class;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Path below the table's folder.
    pub file: String,
    /// What a person says it is.
    pub class: Class,
    /// Its language.
    pub language: String,
    /// With or without header fields of tools, or with something put into it.
    pub variant: String,
    /// Whose texts it is of: no family is trained on and tested with.
    pub family: String,
    /// What makes it hard, by commas.
    pub hard: String,
}

impl Label {
    /// True when people differ about it: it is not counted.
    pub fn is_ambiguous(&self) -> bool {
        self.hard.split(',').any(|tag| tag == "ambiguous")
    }
}

/// Reads the table.
///
/// # Errors
/// The line and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Label>, String> {
    let mut lines = text.lines().zip(1..);
    let names: Vec<&str> = lines.next().map(|(line, _)| line.split('\t').collect()).unwrap_or_default();
    let column = |name: &str| names.iter().position(|own| *own == name);
    for name in ["file", "label"] {
        column(name).ok_or_else(|| {
            format!("line 1: there is no column {name}: begin with file, label, language, variant, family, hard, by tabs")
        })?;
    }
    let read = |(line, number): (&str, usize)| {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |name: &str| column(name).and_then(|at| cells.get(at)).copied().unwrap_or_default().to_owned();
        let class = match cell("label").as_str() {
            "marketing" => Class::Marketing,
            "transactional" => Class::Transactional,
            other => return Err(format!("line {number}: {other:?} is no label: write marketing or transactional")),
        };
        let [language, variant, family, hard] = ["language", "variant", "family", "hard"].map(cell);
        Ok(Label { file: cell("file"), class, language, variant, family, hard })
    };
    lines.filter(|(line, _)| !line.is_empty()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_its_head_and_its_faults_have_a_line() {
        let labels = parse("label\tfile\thard\nmarketing\ta.eml\tsurvey,ambiguous\ntransactional\tb.eml\t\n\n").expect("good");
        assert_eq!((labels.len(), labels[0].class, labels[0].is_ambiguous()), (2, Class::Marketing, true));
        assert_eq!((labels[1].file.as_str(), labels[1].is_ambiguous()), ("b.eml", false));
        assert!(parse("label\nmarketing\n").expect_err("no file").contains("no column file"));
        assert!(parse("file\tlabel\na.eml\tspam\n").expect_err("no label").starts_with("line 2"));
    }
}
