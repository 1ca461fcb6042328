//! Asks a filled ledger what an admin asks it, through the doors of the admin's pages, and prints how long the answers take.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use consentry::consent::{DecisionId, Reason, Verdict};
use consentry::mail::Class;
use consentry::store::{DecisionFilter, Step, Store};
use jiff::{SignedDuration, Timestamp};

use crate::season::{self, CAMPAIGNS, Dice, STREAMS, Season, TOPICS};

/// Rows on a page of the decision log.
const PAGE: u32 = 50;

/// The reasons that a season has many of, and those that it has few of.
const COMMON: [Reason; 4] = [Reason::Transactional, Reason::DoiConsent, Reason::NoConsent, Reason::Withdrawn];
const RARE: [Reason; 3] = [Reason::OtherController, Reason::FromNotAllowed, Reason::LedgerUnavailable];

/// Those of marketing that are common.
const OF_MARKETING: [Reason; 3] = [Reason::DoiConsent, Reason::NoConsent, Reason::Withdrawn];

/// The overview's ranges, their steps, and how many hours they have.
const RANGES: [(&str, Step, i64); 4] =
    [("24 h", Step::Hour, 24), ("7 d", Step::SixHours, 7 * 24), ("30 d", Step::Day, 30 * 24), ("90 d", Step::Day, 90 * 24)];

/// Makes a filter up, another one each time.
type Filter = fn(&mut Dice, &Season) -> DecisionFilter;

/// What the log is searched for.
const SEARCHES: [(&str, Filter); 29] = [
    ("no filter", |_, _| DecisionFilter::default()),
    ("verdict pass or block", |dice, _| verdict([Verdict::Pass, Verdict::Block][place(dice, 2)])),
    ("verdict defer (rare)", |_, _| verdict(Verdict::Defer)),
    ("reason, common", |dice, _| reason(pick(dice, &COMMON))),
    ("reason, rare", |dice, _| reason(pick(dice, &RARE))),
    ("reason that never occurs", |_, _| reason(Reason::Paused)),
    ("class", |dice, _| class(dice)),
    ("stream", |dice, _| stream(dice)),
    ("topic", |dice, _| topic(dice)),
    ("campaign, common", |dice, _| campaign(dice.roll(CAMPAIGNS - 1))),
    ("campaign, rare", |_, _| campaign(CAMPAIGNS - 1)),
    ("campaign, unknown", |dice, _| campaign(CAMPAIGNS + dice.roll(1000))),
    ("time range", time),
    ("time range + reason, rare", |dice, season| DecisionFilter { reasons: vec![pick(dice, &RARE)], ..time(dice, season) }),
    ("subject with few", |dice, season| subject(1 + dice.roll(season.people - 1))),
    ("subject with many", |_, _| subject(0)),
    ("subject, unknown", |dice, season| subject(season.people + dice.roll(1000))),
    ("reason, common + stream", |dice, _| DecisionFilter { reasons: vec![pick(dice, &OF_MARKETING)], ..stream(dice) }),
    ("reason, rare + stream", |dice, _| DecisionFilter { reasons: vec![pick(dice, &RARE)], ..stream(dice) }),
    ("campaign + verdict pass", |dice, _| DecisionFilter {
        campaign: campaign(dice.roll(CAMPAIGNS - 1)).campaign,
        ..verdict(Verdict::Pass)
    }),
    ("campaign + verdict defer", |dice, _| DecisionFilter {
        campaign: campaign(dice.roll(CAMPAIGNS - 1)).campaign,
        ..verdict(Verdict::Defer)
    }),
    ("class + topic", |dice, _| DecisionFilter { class: class(dice).class, ..topic(dice) }),
    ("subject with few + reason", |dice, season| DecisionFilter {
        reasons: vec![pick(dice, &COMMON)],
        ..subject(1 + dice.roll(season.people - 1))
    }),
    ("subject with many + reason, common", |dice, _| DecisionFilter { reasons: vec![pick(dice, &COMMON)], ..subject(0) }),
    ("subject with many + reason, rare", |dice, _| DecisionFilter { reasons: vec![pick(dice, &RARE)], ..subject(0) }),
    ("subject with many + reason that never occurs", |_, _| DecisionFilter { reasons: vec![Reason::Paused], ..subject(0) }),
    // Of six streams one never sends marketing; every campaign is of one topic, and ended or began on some day.
    ("nothing: stream + class", |_, _| DecisionFilter {
        class: Some(Class::Marketing),
        stream: Some(STREAMS[5].0.into()),
        ..DecisionFilter::default()
    }),
    ("nothing: campaign + topic", |dice, _| {
        let n = dice.roll(CAMPAIGNS - 1);
        DecisionFilter { topic: Some(format!("topic{}", (n + 1) % TOPICS)), ..campaign(n) }
    }),
    ("nothing: campaign, rare + time before it + verdict", |_, season| DecisionFilter {
        campaign: campaign(CAMPAIGNS - 1).campaign,
        to: Some(season.end - season.length),
        ..verdict(Verdict::Block)
    }),
];

/// How long the answers took.
struct Answers {
    question: String,
    milliseconds: Vec<f64>,
    rows: usize,
    /// Answers that ended before they were whole, because the search ran out of time.
    cut_short: usize,
}

impl Answers {
    fn to(question: impl Into<String>) -> Self {
        Self { question: question.into(), milliseconds: Vec::new(), rows: 0, cut_short: 0 }
    }

    fn add(&mut self, began: Instant, rows: usize) {
        self.milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        self.rows += rows;
    }

    /// Prints a line of the table; returns the 95th percentile.
    fn print(mut self) -> Result<(f64, String)> {
        self.milliseconds.sort_by(f64::total_cmp);
        let number = self.milliseconds.len();
        let at = |percent: usize| self.milliseconds.get((number * percent).div_ceil(100).saturating_sub(1)).copied().context("an answer");
        let (p50, p95, max) = (at(50)?, at(95)?, at(100)?);
        let cut_short = if self.cut_short > 0 { format!(" ({} cut short)", self.cut_short) } else { String::new() };
        let rows = self.rows as f64 / number as f64;
        println!("| {:<62} | {:>7} | {:>8.1} | {:>8.1} | {:>8.1} |{cut_short}", self.question, format!("{rows:.1}"), p50, p95, max);
        Ok((p95, self.question))
    }
}

/// Prints the table: every question so many times, with other values and from other places each time.
pub(crate) async fn ask(dir: &Path, questions: u64, hours: u64) -> Result<()> {
    let store = Store::open(dir).await?;
    let newest = store.search_decisions(&DecisionFilter::default(), None, 1).await?.rows.pop().context("a filled ledger")?;
    let season = crate::season(newest.decision.at, store.count_decisions().await?.total, hours)?;
    println!("{} decisions, every question {questions} times, pages of {PAGE}; answers are rows on average", season.total);
    println!("| {:<62} | {:>7} | {:>8} | {:>8} | {:>8} |", "question", "answers", "p50 ms", "p95 ms", "max ms");
    println!("|{}|{}|{}|{}|{}|", "-".repeat(64), "-".repeat(9), "-".repeat(10), "-".repeat(10), "-".repeat(10));
    let mut dice = Dice(1);
    let mut worst = (0.0, String::new());
    let mut keep = |line: (f64, String)| worst = if line.0 > worst.0 { line } else { std::mem::take(&mut worst) };
    for (question, filter) in SEARCHES {
        for (place, is_far_back) in [("first page", false), ("far back", true)] {
            let mut answers = Answers::to(format!("{question}, {place}"));
            for _ in 0..questions {
                let filter = filter(&mut dice, &season);
                let before = is_far_back.then(|| DecisionId::new(moment(&mut dice, &season), [0; 10]));
                let began = Instant::now();
                let page = store.search_decisions(&filter, before, PAGE).await?;
                answers.add(began, page.rows.len());
                answers.cut_short += usize::from(page.searched_back_to.is_some());
            }
            keep(answers.print()?);
        }
    }
    let since = newest.decision.at - SignedDuration::from_secs(10);
    for (question, filter) in [SEARCHES[0], SEARCHES[4], SEARCHES[9], SEARCHES[15]] {
        let mut answers = Answers::to(format!("newest of the last 10 s: {question}"));
        for _ in 0..questions {
            let filter = filter(&mut dice, &season);
            let began = Instant::now();
            answers.add(began, store.newer_decisions(&filter, DecisionId::new(since, [0; 10]), PAGE).await?.len());
        }
        keep(answers.print()?);
    }
    let (mut one, mut names) = (Answers::to("one decision"), Answers::to("names offered for choice"));
    for _ in 0..questions {
        let before = DecisionId::new(moment(&mut dice, &season), [0; 10]);
        let page = store.search_decisions(&DecisionFilter::default(), Some(before), PAGE).await?;
        // The far end of the search's pages: what it has just read says little of where this one lies.
        let id = page.rows.last().map_or(newest.decision.id, |row| row.decision.id);
        let began = Instant::now();
        one.add(began, usize::from(store.decision(id).await?.is_some()));
        let began = Instant::now();
        let found = store.decision_names().await?;
        names.add(began, found.streams.len() + found.topics.len() + found.campaigns.len());
    }
    keep(one.print()?);
    keep(names.print()?);
    for (range, step, length) in RANGES {
        let mut volume = Answers::to(format!("overview {range}: decisions"));
        let mut events = Answers::to(format!("overview {range}: sign-ups"));
        for _ in 0..questions {
            let to = season.end + SignedDuration::from_hours(1) - SignedDuration::from_mins(i64::try_from(dice.roll(24 * 60))?);
            let from = to - SignedDuration::from_hours(length);
            let began = Instant::now();
            volume.add(began, store.volume(from, to, step).await?.len());
            let began = Instant::now();
            events.add(began, store.event_counts(from, to, step).await?.len());
        }
        keep(volume.print()?);
        keep(events.print()?);
    }
    store.close().await;
    println!("worst p95: {:.1} ms, {}", worst.0, worst.1);
    Ok(())
}

/// Some moment of the season, not of its last day.
fn moment(dice: &mut Dice, season: &Season) -> Timestamp {
    let minutes = u64::try_from(season.length.as_mins()).expect("positive");
    let day = (24 * 60).min(minutes / 2);
    season.end - SignedDuration::from_mins(i64::try_from(day + dice.roll(minutes - day)).expect("small"))
}

fn place(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.roll(length as u64)).expect("small")
}

fn pick(dice: &mut Dice, reasons: &[Reason]) -> Reason {
    reasons[place(dice, reasons.len())]
}

fn verdict(verdict: Verdict) -> DecisionFilter {
    DecisionFilter { reasons: Reason::ALL.into_iter().filter(|reason| reason.verdict() == verdict).collect(), ..DecisionFilter::default() }
}

fn reason(reason: Reason) -> DecisionFilter {
    DecisionFilter { reasons: vec![reason], ..DecisionFilter::default() }
}

fn class(dice: &mut Dice) -> DecisionFilter {
    DecisionFilter { class: Some([Class::Marketing, Class::Transactional][place(dice, 2)]), ..DecisionFilter::default() }
}

fn stream(dice: &mut Dice) -> DecisionFilter {
    DecisionFilter { stream: Some(STREAMS[place(dice, STREAMS.len())].0.into()), ..DecisionFilter::default() }
}

fn topic(dice: &mut Dice) -> DecisionFilter {
    DecisionFilter { topic: Some(format!("topic{}", dice.roll(TOPICS))), ..DecisionFilter::default() }
}

fn campaign(n: u64) -> DecisionFilter {
    DecisionFilter { campaign: Some(format!("campaign-{n}")), ..DecisionFilter::default() }
}

fn subject(person: u64) -> DecisionFilter {
    DecisionFilter { subject: Some(season::subject(person)), ..DecisionFilter::default() }
}

/// From an hour to a month.
fn time(dice: &mut Dice, season: &Season) -> DecisionFilter {
    let from = moment(dice, season);
    let to = from + SignedDuration::from_hours(i64::try_from(1 + dice.roll(30 * 24)).expect("small"));
    DecisionFilter { from: Some(from), to: Some(to), ..DecisionFilter::default() }
}
