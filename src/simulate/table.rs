//! The report as plain text for a terminal, and as a CSV file (RFC 4180).

use std::fmt::{self, Write as _};

use super::report::{By, Report, Tally};
use crate::compose::harmless;

/// Campaigns shown; all of them stand in the CSV file.
pub(super) const SHOWN: usize = 20;

const HEADINGS: [&str; 7] = ["stream", "campaign", "topic", "before", "after", "effect", "decisions"];

impl Report {
    /// The whole table as CSV.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADINGS)?;
        for line in self.lines() {
            let number = line.number.to_string();
            let cells = [&line.stream, &line.campaign, &line.topic, line.before, line.after, line.effect, &number];
            writer.write_record(cells.map(harmless))?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { number, newly_blocked, newly_passed, unchanged, gone, not_known } = self.total;
        writeln!(f, "{number} decisions from {} to {}", self.since, self.until)?;
        writeln!(f, "{newly_blocked} newly blocked, {newly_passed} newly passed, {unchanged} unchanged")?;
        if gone > 0 {
            writeln!(f, "{gone} of streams that are not there any more")?;
        }
        if not_known > 0 {
            writeln!(f, "{not_known} not known: from_domains have changed, and the sender's domain is not on record")?;
        }
        for stream in &self.domains_lost {
            writeln!(f, "stream {stream} loses from_domains: which of its mails that hits is not on record")?;
        }
        for (name, by) in [("stream", self.streams()), ("topic", self.topics()), ("campaign", self.campaigns())] {
            f.write_str(&table(name, &by))?;
        }
        writeln!(f, "\n{:>12}  what was said -> what would be", "decisions")?;
        for change in self.changes() {
            writeln!(f, "{:>12}  {} -> {}", change.number, change.before, change.after)?;
        }
        Ok(())
    }
}

fn table(name: &str, by: &By) -> String {
    let mut table = format!("\n{:>12} {:>12} {:>12} {:>12}  {name}\n", "decisions", "blocked", "passed", "unchanged");
    for (text, tally) in by.iter().take(SHOWN) {
        let text = if text.is_empty() { "(none)".to_owned() } else { text.escape_debug().to_string() };
        let figures = [tally.number, tally.newly_blocked, tally.newly_passed, tally.unchanged];
        let _ = figures.iter().try_for_each(|figure| write!(table, "{figure:>12} "));
        let _ = writeln!(table, " {text}");
    }
    if by.len() > SHOWN {
        let _ = writeln!(table, "{:>51}  and {} more", "", by.len() - SHOWN);
    }
    table
}
