//! `consentry rules`: which rules are in force, what others would have changed, and who approved them. And what `serve` says
//! when it may not serve.

use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;

use super::acting::Acting;
use crate::config::Config;
use crate::office::{Activation, Office, RulesError};
use crate::policy::{Policy, Rules, RulesId};
use crate::store::{How, Store};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the rules that were simulated, approved or in force, newest first.
    List(super::Config),
    /// Shows rules with their simulations and approvals.
    Show {
        #[command(flatten)]
        config: super::Config,
        /// As in the list; its first digits are enough.
        id: String,
    },
    /// Approves rules that somebody else simulated; a risk decision, for `compliance` and `legal`.
    Approve(Approve),
    /// Puts the rules of a configuration into force that are tighter in everything than those in force.
    Tighten {
        #[command(flatten)]
        config: super::Config,
        /// Why; goes into the audit log.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    #[command(flatten)]
    config: super::Config,
    /// As in the list; its first digits are enough.
    id: String,
    #[command(flatten)]
    acting: Acting,
}

/// The rules of a configuration may not serve; with the mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RulesRefused(String);

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List(config) => {
            let (_, _, store) = open(&config.config).await?;
            list(&store).await?;
            store.close().await;
        }
        Command::Show { config, id } => {
            let (_, _, store) = open(&config.config).await?;
            show(&store, find(&store, &id).await?).await?;
            store.close().await;
        }
        Command::Approve(Approve { config, id, acting }) => {
            let (_, office, store) = open(&config.config).await?;
            let id = find(&store, &id).await?;
            let now = Timestamp::now();
            let operator = acting.prove(&office, now).await?;
            office.approve_rules(&operator, id, &acting.reason, now).await?;
            println!("{} ({}) approved the rules {id}; they come into force at the next start", operator.name, operator.role.as_str());
            store.close().await;
        }
        Command::Tighten { config, reason } => {
            let (rules, office, store) = open(&config.config).await?;
            enter_into_force(&config.config, &office, &rules.rules(), Some(&reason)).await?;
            println!("the rules {} are in force; a gateway that runs follows them after a restart", rules.rules().id());
            store.close().await;
        }
    }
    Ok(())
}

/// Lets the rules of that configuration serve, or says what to do.
pub(super) async fn enter_into_force(path: &Path, office: &Office, rules: &Rules, tighten: Option<&str>) -> anyhow::Result<()> {
    let id = rules.id();
    match office.activate_rules(rules, tighten, Timestamp::now()).await {
        Ok(Activation::InForce) => {}
        Ok(Activation::New(how)) => tracing::info!(rules = %id, how = how.as_str(), "rule_activated"),
        Err(RulesError::NotApproved { rules, active, looser }) => return Err(RulesRefused(mend(path, rules, active, &looser)).into()),
        Err(error @ (RulesError::Looser(_) | RulesError::Overtaken)) => return Err(RulesRefused(error.to_string()).into()),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn mend(path: &Path, rules: RulesId, active: RulesId, looser: &[String]) -> String {
    let path = path.display();
    let haste = match looser {
        [] => format!("They only tighten what is in force. If it cannot wait:\n  consentry rules tighten --config {path} --reason \"...\""),
        looser => format!("They do not only tighten what is in force:\n  {}", looser.join("\n  ")),
    };
    format!(
        "{path}: its rules ({rules}) are not those in force ({active}), and nobody approved them. Run:\n  \
         consentry simulate --config {path} --since 30d --as YOUR-NAME\n\
         (with your password on standard input) and let a second person, of the role compliance or legal, approve it at\n\
         /admin/rules, or by (with theirs):\n  \
         consentry rules approve {rules} --config {path} --as THEIR-NAME --reason \"...\"\n{haste}"
    )
}

/// Profiles that nobody has checked for a year (J-02).
pub(super) fn past_review(policy: &Policy, now: Timestamp) -> Vec<String> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let tell = |(name, reviewed)| {
        format!("policy profile {name} was last checked against the law on {reviewed}: check it, and write so in [profile.{name}]")
    };
    policy.past_review(today).map(tell).collect()
}

/// What `check` says of the rules; it changes nothing.
pub(super) async fn tell_state(config: &Config) {
    let id = config.rules().id();
    match Store::peek_rules(&config.data_dir, config.database.as_ref(), id.0).await {
        Ok(None) | Ok(Some((None, _))) => println!("rules       {id}, will be the first in force"),
        Ok(Some((Some(active), _))) if active.id == id.0 => println!("rules       {id}, in force since {}", active.at),
        Ok(Some((_, true))) => println!("rules       {id}, approved: in force from the next start"),
        Ok(Some((_, false))) => println!("rules       {id}, NOT approved: `serve` will not start with them and says what to do"),
        Err(error) => println!("rules       {id}; whether they are in force cannot be told: {error}"),
    }
}

async fn list(store: &Store) -> anyhow::Result<()> {
    for (n, rules) in store.rules_history().await?.iter().enumerate() {
        let state = if n == 0 { "in force" } else { "was in force" };
        println!("{}\t{state}\tsince {}\t{}", RulesId(rules.id), rules.at, how(rules.how));
    }
    for approval in store.approvals().await? {
        println!("{}\tapproved\t{}\tby {} ({})", RulesId(approval.rules), approval.at, approval.operator, approval.role);
    }
    for simulation in store.simulations().await? {
        println!(
            "{}\tsimulated\t{}\tby {}: {} decisions, {} newly blocked, {} newly passed",
            RulesId(simulation.rules),
            simulation.at,
            simulation.ran_by_name,
            simulation.number,
            simulation.newly_blocked,
            simulation.newly_passed
        );
    }
    Ok(())
}

async fn show(store: &Store, id: RulesId) -> anyhow::Result<()> {
    let mut text = None;
    for rules in store.rules_history().await?.into_iter().filter(|rules| rules.id == id.0) {
        println!("in force    since {}, {}", rules.at, how(rules.how));
        text = Some(rules.text);
    }
    for approval in store.approvals().await?.into_iter().filter(|approval| approval.rules == id.0) {
        println!("approved    {} by {} ({}): {}", approval.at, approval.operator, approval.role, approval.reason.escape_debug());
    }
    for simulation in store.simulations().await?.into_iter().filter(|simulation| simulation.rules == id.0) {
        println!("simulated   {} by {}, from {} to {}", simulation.at, simulation.ran_by_name, simulation.since, simulation.until);
        println!("{}", pretty(&simulation.summary)?);
        text = Some(simulation.text);
    }
    let text = text.context("the rules are gone from the ledger")?;
    if !Rules::is_text_of(&text, id) {
        bail!("ledger: the text of the rules {id} was changed: restore the database from a backup");
    }
    println!("rules       {id}\n{}", pretty(&text)?);
    Ok(())
}

fn pretty(json: &str) -> anyhow::Result<String> {
    let value: serde_json::Value = serde_json::from_str(json).context("ledger: the rules cannot be read")?;
    Ok(serde_json::to_string_pretty(&value)?)
}

fn how(how: How) -> String {
    match how {
        How::FirstStart => "at the first start".to_owned(),
        How::Approved(approval) => format!("by approval {approval}"),
        How::Tightened => "without approval, because they only tighten".to_owned(),
    }
}

/// The rules whose id begins so.
async fn find(store: &Store, prefix: &str) -> anyhow::Result<RulesId> {
    let known = store.rules_history().await?.into_iter().map(|rules| rules.id);
    let simulated = store.simulations().await?.into_iter().map(|simulation| simulation.rules);
    let mut found: Vec<RulesId> =
        known.chain(simulated).map(RulesId).filter(|id| id.to_string().starts_with(&prefix.to_lowercase())).collect();
    found.sort();
    found.dedup();
    match found[..] {
        [id] if prefix.len() >= 8 => Ok(id),
        [] => bail!(
            "there is no simulation of rules {prefix:?}: run `consentry simulate` with their configuration; `consentry rules list` shows those that there are"
        ),
        _ => bail!("{prefix:?}: write more digits of the id"),
    }
}

/// The office of a configuration, beside the running gateway.
pub(super) async fn open(path: &Path) -> anyhow::Result<(Config, Office, Store)> {
    let config = Config::load(path)?;
    let store = Store::open_beside_on(&config.data_dir, config.database.as_ref()).await?;
    let office = Office::new(store.clone(), config.admin.clone());
    Ok((config, office, store))
}
