//! How often the answer is right on labelled mails: by language, family, hard case and variant; by content alone, and with the
//! header fields.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use super::{plain_stream, read};
use crate::classify::labels::{Label, parse};
use crate::classify::{Classifier, Path as ReversePath, content};
use crate::mail::{Class, Dispute, Message, StreamClass};

/// Above the figures.
pub(super) const HEAD: &str = "found missd raisd passd  right  recall precis raised";

/// How often which answer was given.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Matrix {
    /// Advertising that was found.
    found: u32,
    /// Advertising that was not.
    missed: u32,
    /// Transactional mail that was raised.
    raised: u32,
    /// Transactional mail that was not.
    passed: u32,
}

impl Matrix {
    pub(super) fn count(&mut self, label: Class, says_marketing: bool) {
        let slot = match (label == Class::Marketing, says_marketing) {
            (true, true) => &mut self.found,
            (true, false) => &mut self.missed,
            (false, true) => &mut self.raised,
            (false, false) => &mut self.passed,
        };
        *slot += 1;
    }

    pub(super) fn line(&self) -> String {
        let Self { found, missed, raised, passed } = self;
        let share = |part: u32, whole: u32| {
            if whole == 0 { "     -".to_owned() } else { format!("{:5.1}%", 100.0 * f64::from(part) / f64::from(whole)) }
        };
        let right = share(found + passed, found + missed + raised + passed);
        format!(
            "{found:5} {missed:5} {raised:5} {passed:5}  {right} {} {} {}",
            share(*found, found + missed),
            share(*found, found + raised),
            share(*raised, raised + passed)
        )
    }
}

/// Measures and prints.
pub(super) fn run(classifier: &Classifier, folder: &Path) -> anyhow::Result<()> {
    let table = folder.join("labels.tsv");
    let text =
        std::fs::read_to_string(&table).with_context(|| format!("{} cannot be read: it says which file is what", table.display()))?;
    let labels = parse(&text).map_err(|fault| anyhow::anyhow!("{}: {fault}", table.display()))?;
    // what the content says counts here, whatever a stream would make of it
    let mut stream = plain_stream(StreamClass::Transactional);
    stream.disputed = Dispute::Enforce;
    let mut groups: BTreeMap<(u8, String), [Matrix; 2]> = BTreeMap::new();
    let (mut ambiguous, mut refused) = (0, 0);
    for label in &labels {
        if label.is_ambiguous() {
            ambiguous += 1;
            continue;
        }
        let Ok(message) = Message::parse(read(&folder.join(&label.file))?, true) else {
            refused += 1;
            continue;
        };
        let alone = content::judge(message.raw()).raises();
        let whole = classifier.classify(&stream, ReversePath::Named, &message).class == Class::Marketing;
        for group in groups_of(label) {
            let matrices = groups.entry(group).or_default();
            matrices[0].count(label.class, alone);
            matrices[1].count(label.class, whole);
        }
    }
    println!(
        "model {:08x}; {} mails, {ambiguous} ambiguous left out, {refused} refused as malformed",
        content::model_version(),
        labels.len()
    );
    for (at, title) in ["by content alone", "with header fields and rules"].iter().enumerate() {
        println!("\n{title}\n{:34} {HEAD}", "");
        for ((_, name), matrices) in &groups {
            println!("{name:34} {}", matrices[at].line());
        }
    }
    Ok(())
}

/// Where a mail counts: the variant, with it the language, the family, and each hard case.
fn groups_of(label: &Label) -> Vec<(u8, String)> {
    let variant = if label.variant.is_empty() { "all" } else { &label.variant };
    let mut groups = vec![(0, format!("all {variant}"))];
    let named = |what: &str, name: &str| format!("{what} {name} {variant}");
    groups.extend((!label.language.is_empty()).then(|| (1, named("language", &label.language))));
    groups.extend((!label.family.is_empty()).then(|| (2, named("family", &label.family))));
    groups.extend(label.hard.split(',').filter(|tag| !tag.is_empty()).map(|tag| (3, named("hard", tag))));
    groups
}
