//! The figures of the overview: which numbers stand in which chart, in which order. Drawing them is the business of
//! `chart`, saying them that of the templates.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::consent::{EventKind, Reason, Verdict};
use crate::mail::Class;
use crate::office::{Figures, Step, Volume};

/// Streams with a series of their own; the others share one.
const STREAMS: usize = 7;

/// The stretch of time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    Day,
    Week,
    Month,
    Quarter,
}

impl Range {
    pub(super) const ALL: [Range; 4] = [Self::Day, Self::Week, Self::Month, Self::Quarter];

    /// The word in links and texts.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    /// The inverse of [`Range::as_str`]; a week for anything else.
    pub(super) fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|range| range.as_str() == word).unwrap_or(Self::Week)
    }

    pub(super) fn step(self) -> Step {
        match self {
            Self::Day => Step::Hour,
            Self::Week => Step::SixHours,
            Self::Month | Self::Quarter => Step::Day,
        }
    }

    fn steps(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 28,
            Self::Month => 30,
            Self::Quarter => 90,
        }
    }

    /// When the steps begin, the one under way last; steps begin on the hours of the clock (UTC).
    pub(super) fn begins(self, now: Timestamp) -> Vec<Timestamp> {
        let step = self.step().hours();
        let last = now.as_second().div_euclid(3600 * step);
        let begin = |n: i64| Timestamp::from_second((last - n) * step * 3600).unwrap_or(now);
        (0..self.steps()).rev().map(begin).collect()
    }

    /// The end of the last step.
    pub(super) fn end(self, now: Timestamp) -> Timestamp {
        let last = self.begins(now).pop().unwrap_or(now);
        last.checked_add(SignedDuration::from_hours(self.step().hours())).unwrap_or(now)
    }
}

/// What a chart tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Decisions by class and verdict.
    Volume,
    /// Blocked ones by reason.
    Reasons,
    /// Blocked ones by stream.
    Streams,
    /// Sign-ups, confirmations, withdrawals.
    OptIns,
    /// Of the sign-ups of a step, how many people confirmed, in percent.
    Completion,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] = [Self::Volume, Self::Reasons, Self::Streams, Self::OptIns, Self::Completion];

    /// The word in paths and texts.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Reasons => "reasons",
            Self::Streams => "streams",
            Self::OptIns => "opt_ins",
            Self::Completion => "completion",
        }
    }

    /// The inverse of [`Kind::as_str`].
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// True where the series add up.
    pub(super) fn is_stacked(self) -> bool {
        matches!(self, Self::Volume | Self::Reasons | Self::Streams)
    }
}

/// What a series is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// Keys of texts, to be joined.
    Texts(Vec<String>),
    /// As somebody named it.
    Name(String),
}

/// One series; `None` where there is nothing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) label: Label,
    /// Number of its colour: the same thing has the same one in every range.
    pub(super) colour: usize,
    pub(super) values: Vec<Option<u64>>,
}

/// The totals above the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub(super) struct Totals {
    pub(super) pass: u64,
    pub(super) block: u64,
    pub(super) defer: u64,
    /// What was held at first.
    pub(super) held: u64,
    /// Of what passed: what its content disputes.
    pub(super) disputed: u64,
    pub(super) requested: u64,
    pub(super) answered: u64,
    /// Withdrawals and objections.
    pub(super) withdrawn: u64,
}

/// The series of a chart over these steps; those without any number are left out.
pub(super) fn series(kind: Kind, figures: &Figures, steps: &[Timestamp]) -> Vec<Series> {
    match kind {
        Kind::Volume => {
            let place = |row: &Volume| {
                let (class, verdict) = (row.class, row.reason.verdict());
                let order = [Class::Marketing, Class::Transactional, Class::Doi, Class::System];
                let order = order.iter().position(|own| *own == class).unwrap_or_default();
                let colour = match verdict {
                    Verdict::Pass => 2 * order,
                    Verdict::Block => 2 * order + 1,
                    Verdict::Defer | Verdict::Hold => 9,
                };
                (colour, Label::Texts(vec![format!("admin.class.{class}"), format!("admin.verdict.{}", verdict.as_str())]))
            };
            gathered(steps, figures.volume.iter().map(|row| (row.from, place(row), row.number)))
        }
        Kind::Reasons => {
            let blocked = figures.volume.iter().filter(|row| row.reason.verdict() == Verdict::Block);
            let colour = |reason| Reason::ALL.iter().position(|own| *own == reason).unwrap_or_default();
            let place = |reason| (colour(reason), Label::Texts(vec![format!("admin.reason.{reason}")]));
            gathered(steps, blocked.map(|row| (row.from, place(row.reason), row.number)))
        }
        Kind::Streams => streams(figures, steps),
        Kind::OptIns => {
            let colour = |kind| match kind {
                EventKind::Requested => Some(2),
                EventKind::Given => Some(0),
                EventKind::Withdrawn => Some(1),
                EventKind::Objected => Some(3),
                _ => None,
            };
            let place =
                |kind: EventKind| colour(kind).map(|colour| (colour, Label::Texts(vec![format!("admin.series.{}", kind.as_str())])));
            gathered(steps, figures.events.iter().filter_map(|row| Some((row.from, place(row.kind)?, row.number))))
        }
        Kind::Completion => completion(figures, steps),
    }
}

pub(super) fn totals(figures: &Figures) -> Totals {
    let mut totals = Totals::default();
    for row in &figures.volume {
        *match row.reason.verdict() {
            Verdict::Pass => &mut totals.pass,
            Verdict::Block => &mut totals.block,
            Verdict::Defer => &mut totals.defer,
            Verdict::Hold => &mut totals.held,
        } += row.number;
        totals.disputed += if row.reason == Reason::ClassDisputed { row.number } else { 0 };
    }
    for row in &figures.events {
        match row.kind {
            EventKind::Requested => {
                totals.requested += row.number;
                totals.answered += row.answered;
            }
            EventKind::Withdrawn | EventKind::Objected => totals.withdrawn += row.number,
            _ => {}
        }
    }
    totals
}

/// How many of a whole, in percent; nothing of nothing.
pub(super) fn percent(part: u64, whole: u64) -> Option<u64> {
    (part * 100 + whole / 2).checked_div(whole)
}

/// Adds up what belongs to one place and step.
fn gathered(steps: &[Timestamp], rows: impl Iterator<Item = (Timestamp, (usize, Label), u64)>) -> Vec<Series> {
    let mut gathered: BTreeMap<(usize, Label), Vec<Option<u64>>> = BTreeMap::new();
    for (from, place, number) in rows {
        let Ok(step) = steps.binary_search(&from) else { continue };
        let values = gathered.entry(place).or_insert_with(|| vec![Some(0); steps.len()]);
        values[step] = values[step].map(|sum| sum + number);
    }
    gathered.into_iter().map(|((colour, label), values)| Series { label, colour, values }).collect()
}

/// The streams with the most blocked mails by name, the others together.
fn streams(figures: &Figures, steps: &[Timestamp]) -> Vec<Series> {
    let blocked = || figures.volume.iter().filter(|row| row.reason.verdict() == Verdict::Block);
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    blocked().for_each(|row| *sums.entry(&row.stream).or_default() += row.number);
    let mut most: Vec<(&str, u64)> = sums.into_iter().collect();
    most.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    most.truncate(STREAMS);
    let place = |stream: &str| match most.iter().position(|(own, _)| *own == stream) {
        Some(colour) => (colour, Label::Name(stream.to_owned())),
        None => (STREAMS, Label::Texts(vec!["admin.series.other_streams".into()])),
    };
    gathered(steps, blocked().map(|row| (row.from, place(&row.stream), row.number)))
}

fn completion(figures: &Figures, steps: &[Timestamp]) -> Vec<Series> {
    let requests = || figures.events.iter().filter(|row| row.kind == EventKind::Requested);
    let of = |step: &Timestamp| {
        let rows = || requests().filter(move |row| row.from == *step);
        percent(rows().map(|row| row.answered).sum(), rows().map(|row| row.number).sum())
    };
    let values: Vec<Option<u64>> = steps.iter().map(of).collect();
    let label = Label::Texts(vec!["admin.series.completion".into()]);
    if values.iter().all(Option::is_none) { vec![] } else { vec![Series { label, colour: 0, values }] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::office::EventCount;

    const NOW: &str = "2026-03-01T09:30:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn sums(kind: Kind, figures: &Figures) -> Vec<(Label, u64)> {
        let series = series(kind, figures, &Range::Day.begins(at(NOW)));
        series.into_iter().map(|series| (series.label, series.values.iter().flatten().sum())).collect()
    }

    #[test]
    fn steps_begin_on_the_clock_and_the_last_holds_now() {
        for (range, first, last, end) in [
            (Range::Day, "2026-02-28T10:00:00Z", "2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z"),
            (Range::Week, "2026-02-22T12:00:00Z", "2026-03-01T06:00:00Z", "2026-03-01T12:00:00Z"),
            (Range::Month, "2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
            (Range::Quarter, "2025-12-02T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
        ] {
            let begins = range.begins(at(NOW));
            assert_eq!((begins.first(), begins.last(), range.end(at(NOW))), (Some(&at(first)), Some(&at(last)), at(end)), "{range:?}");
            assert_eq!(Range::parse(range.as_str()), range);
        }
    }

    #[test]
    fn every_number_is_in_its_series_and_its_total() {
        let volume =
            |stream: &str, class, reason, number| Volume { from: at("2026-03-01T09:00:00Z"), stream: stream.into(), class, reason, number };
        let decided = vec![
            volume("shop", Class::Marketing, Reason::DoiConsent, 10),
            volume("shop", Class::Marketing, Reason::NoConsent, 3),
            volume("shop", Class::Transactional, Reason::Transactional, 5),
            volume("crm", Class::Marketing, Reason::LedgerUnavailable, 1),
        ];
        let withdrawn = (0..9).map(|n| volume(&format!("s{n}"), Class::Marketing, Reason::Withdrawn, 1));
        let event =
            |kind, number, answered| EventCount { from: at("2026-03-01T08:00:00Z"), controller: "acme".into(), kind, number, answered };
        let events = vec![event(EventKind::Requested, 8, 6), event(EventKind::Given, 6, 0), event(EventKind::Objected, 2, 0)];
        let figures = Figures { volume: decided.into_iter().chain(withdrawn).collect(), events };
        let text = |keys: &[&str]| Label::Texts(keys.iter().map(|key| format!("admin.{key}")).collect());
        assert_eq!(
            sums(Kind::Volume, &figures),
            [
                (text(&["class.marketing", "verdict.pass"]), 10),
                (text(&["class.marketing", "verdict.block"]), 12),
                (text(&["class.transactional", "verdict.pass"]), 5),
                (text(&["class.marketing", "verdict.defer"]), 1),
            ]
        );
        assert_eq!(sums(Kind::Reasons, &figures), [(text(&["reason.no_consent"]), 3), (text(&["reason.withdrawn"]), 9)]);
        let streams = sums(Kind::Streams, &figures);
        assert_eq!(
            (streams.len(), streams.first(), streams.last()),
            (8, Some(&(Label::Name("shop".into()), 3)), Some(&(text(&["series.other_streams"]), 3)))
        );
        assert_eq!(sums(Kind::Completion, &figures), [(text(&["series.completion"]), 75)]);
        assert_eq!(
            sums(Kind::OptIns, &figures),
            [(text(&["series.given"]), 6), (text(&["series.requested"]), 8), (text(&["series.objected"]), 2)]
        );
        assert_eq!(
            totals(&figures),
            Totals { pass: 15, block: 12, defer: 1, requested: 8, answered: 6, withdrawn: 2, ..Totals::default() }
        );
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert_eq!(series(kind, &Figures::default(), &Range::Day.begins(at(NOW))), []);
        }
    }
}
