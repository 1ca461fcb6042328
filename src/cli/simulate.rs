//! `consentry simulate`: decides recorded decisions anew under the rules of a configuration, tells what that changes, and keeps
//! the figures in the ledger if somebody stands for them. Works beside the running gateway.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use jiff::{Timestamp, ToSpan};

use super::acting::Login;
use crate::compose::Words;
use crate::config::Config;
use crate::office::{Action, Office};
use crate::policy::Rules;
use crate::simulate::{Heading, Trial, simulate};
use crate::store::{Simulation, Store};

// A simulation alone needs nobody to stand for it.
#[derive(Debug, clap::Args)]
#[command(mut_arg("name", |name| name.required(false)))]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::Config,
    /// The configuration whose ledger is read; the same one where not given.
    #[arg(long)]
    ledger_config: Option<PathBuf>,
    /// How far back, e.g. `30d`.
    #[arg(long)]
    since: String,
    /// Whoever proposes the rules: keeps the figures in the ledger. Whoever approves must be somebody else.
    #[command(flatten)]
    login: Option<Login>,
    /// Writes the whole table here.
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Writes the report here, as one page.
    #[arg(long)]
    html: Option<PathBuf>,
    /// The page's language, `de` or `en`.
    #[arg(long, default_value = "en")]
    lang: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let since = since(&arguments.since, now)?;
    let language = super::subject::staff_language(&arguments.lang)?;
    let config = Config::load(&arguments.config.config)?;
    let in_force = arguments.ledger_config.as_deref().map(Config::load).transpose()?;
    let place = in_force.as_ref().unwrap_or(&config);
    let store = Store::open_beside_on(&place.data_dir, place.database.as_ref()).await?;
    let office = Office::new(store.clone(), config.admin.clone());
    let operator = match &arguments.login {
        Some(login) => {
            let operator = login.prove(&office, now).await?;
            office.authorise(&operator, Action::SimulateRules)?;
            Some(operator)
        }
        None => None,
    };
    let active = store.active_rules().await?;
    let follows = active.as_ref().map_or(0, |active| active.seq);
    let before = active.and_then(|active| Rules::parse(&active.text)).or_else(|| in_force.map(|config| config.rules()));
    let trial = Trial {
        rules: config.rules(),
        before,
        catalogue: config.catalogue(),
        policy: config.policy(),
        streams: config.bindings().into_iter().map(|binding| binding.stream).collect(),
    };
    let (id, text) = (trial.rules.id(), trial.rules.text());

    let began = Instant::now();
    let report = simulate(&store, &trial, since, now).await?;
    let took = began.elapsed().as_secs_f64();
    let total = report.total;
    if let Some(operator) = &operator {
        let (number, newly_passed, newly_blocked) = (total.number, total.newly_passed, total.newly_blocked);
        let (summary, ran_by, ran_by_name) = (report.summary(), operator.id, operator.name.clone());
        let kept = Simulation {
            rules: id.0,
            text,
            follows,
            since,
            until: now,
            number,
            newly_passed,
            newly_blocked,
            summary,
            ran_by,
            ran_by_name,
            at: now,
        };
        office.propose_rules(operator, kept).await?;
    }
    store.close().await;

    if let Some(path) = &arguments.csv {
        std::fs::write(path, report.csv()?).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &arguments.html {
        let words: Arc<Words> = super::serve::words(&config, &trial.catalogue)?;
        let heading = Heading { rules: &id.to_string(), ran_by: operator.as_ref().map(|operator| operator.name.as_str()), at: now };
        std::fs::write(path, report.html(&heading, &words, language)?).with_context(|| path.display().to_string())?;
    }
    println!("rules {id}\n{report}");
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = total.number as f64 / took.max(0.001);
    let kept = if operator.is_some() { "kept in the ledger: a second person may approve these rules" } else { "not kept; --as keeps it" };
    println!("{took:.1} s, {rate:.0} decisions a second; {kept}");
    Ok(())
}

/// `30d` before now, by the calendar.
fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let span: jiff::Span = text.parse().map_err(|_| anyhow::anyhow!("--since {text:?}: write a time span such as 30d or 12h"))?;
    if span.is_negative() || span.fieldwise() == 0.seconds().fieldwise() {
        bail!("--since {text:?}: write how far back, such as 30d");
    }
    let zoned = now.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(span).context("--since: before all times")?;
    Ok(zoned.timestamp())
}
