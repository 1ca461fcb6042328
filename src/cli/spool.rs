//! `consentry spool …`: what waits, and a person's word on it. Works beside the running gateway, which sees a change within a
//! second; what is under way at that moment goes its way.

use std::path::PathBuf;

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};

use crate::config;
use crate::mail::Class;
use crate::office::{RuleAnswer, rule_on_copy};
use crate::store::{CopyId, CopyState, Deed, Ground, Hand, Judgement, NewAuditLine, Object, SpoolId, SpooledCopy, Store};

/// Lines of a list.
const LISTED: u32 = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists what waits, the oldest first; without addresses.
    List {
        #[command(flatten)]
        config: super::Config,
    },
    /// Shows a copy, or all copies of a message: with addresses, and with the last words of the outbound MTA.
    Show {
        #[command(flatten)]
        config: super::Config,
        /// As in the list: a copy, or its message (the part before the dash).
        id: String,
    },
    /// Has a copy, or everything that waits, tried now.
    Retry {
        #[command(flatten)]
        config: super::Config,
        /// As in the list.
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Everything but what is held.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Keeps a copy until somebody releases it, or `spool.hold_for` has passed.
    Hold(Word),
    /// Lets a held copy go its way; whether the person may get it is decided anew.
    Release {
        #[command(flatten)]
        word: Word,
        /// What it is: for a copy that is held because its class is disputed. The answer is a label for the model, too.
        #[arg(long = "as", value_parser = ["transactional", "marketing"])]
        class: Option<String>,
    },
    /// Gives a copy up. Its sender gets a report.
    Drop {
        #[command(flatten)]
        word: Word,
        /// No report.
        #[arg(long)]
        silent: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Word {
    #[command(flatten)]
    config: super::Config,
    /// As in the list: a copy, or its message (the part before the dash).
    id: String,
    /// Why; goes into the audit log.
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let now = Timestamp::now();
    match command {
        Command::List { config } => {
            let (_, store) = open(config.config).await?;
            list(&store, now).await?;
            close(store).await
        }
        Command::Show { config, id } => {
            let (_, store) = open(config.config).await?;
            for copy in find(&store, &id).await? {
                let reason = "consentry spool show";
                audit(&store, Deed::AddressRevealed, &copy, reason, now).await?;
                show(&copy);
            }
            close(store).await
        }
        Command::Retry { config, id, all: _ } => {
            let (_, store) = open(config.config).await?;
            let copies = match id {
                Some(id) => find(&store, &id).await?,
                None => store.spool_copies(u32::MAX).await?,
            };
            let waiting: Vec<CopyId> = copies.iter().filter(|copy| copy.state != CopyState::Held).map(|copy| copy.id).collect();
            store.spool_judge(&waiting, Judgement::Retry(now)).await?;
            println!("{} due now", waiting.len());
            close(store).await
        }
        Command::Hold(word) => {
            let (config, store) = open(word.config.config.clone()).await?;
            let until = now + SignedDuration::try_from(config.spool.hold_for).context("spool.hold_for")?;
            for copy in find(&store, &word.id).await? {
                store.spool_judge(&[copy.id], Judgement::Hold(until)).await?;
                audit(&store, Deed::MailHeld, &copy, &word.reason, now).await?;
                println!("{} is held until {until}", copy.id);
            }
            close(store).await
        }
        Command::Release { word, class } => {
            let (_, store) = open(word.config.config.clone()).await?;
            for copy in find(&store, &word.id).await? {
                if copy.state != CopyState::Held {
                    println!("{} is not held", copy.id);
                    continue;
                }
                let is_disputed = copy.ground.as_ref().is_some_and(Ground::is_disputed);
                match class.as_deref().and_then(Class::parse) {
                    Some(class) if is_disputed => {
                        rule(&store, copy, class, &word.reason, now).await?;
                        continue;
                    }
                    None if is_disputed => {
                        bail!("{} is held because its class is disputed: say what it is, --as transactional or --as marketing", copy.id)
                    }
                    _ => {}
                }
                audit(&store, Deed::MailReleased, &copy, &word.reason, now).await?;
                store.spool_judge(&[copy.id], Judgement::Release(now)).await?;
                println!("{} is released", copy.id);
            }
            close(store).await
        }
        Command::Drop { word, silent } => {
            let (_, store) = open(word.config.config.clone()).await?;
            for copy in find(&store, &word.id).await? {
                audit(&store, Deed::MailDropped, &copy, &word.reason, now).await?;
                if silent {
                    store.spool_settled(copy.id, &[], Hand::Operator).await?;
                } else {
                    // The gateway writes the report, as for any mail that is given up.
                    let last = Some("dropped by the operator".to_owned());
                    let dropped = SpooledCopy { state: CopyState::Held, next_at: now, last, ..copy.clone() };
                    store.spool_changed(&dropped, copy.state, Hand::Operator).await?;
                }
                println!("{} is dropped", copy.id);
            }
            close(store).await
        }
    }
}

async fn rule(store: &Store, copy: SpooledCopy, class: Class, why: &str, now: Timestamp) -> anyhow::Result<()> {
    let id = copy.id;
    match rule_on_copy(store, None, copy, class, why, now).await? {
        RuleAnswer::Done => println!("{id} is released as {class}"),
        RuleAnswer::SaidBefore(said) => bail!("{id}: somebody said before that it is {said}, and that stays"),
        RuleAnswer::Gone => bail!("{id} does not wait here any more"),
    }
    Ok(())
}

async fn list(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    let copies = store.spool_copies(LISTED).await?;
    for copy in &copies {
        let decision = copy.ground.as_ref().map_or_else(|| "-".to_owned(), |ground| ground.decision.to_string());
        let stream = if copy.stream.is_empty() { "(report)" } else { &copy.stream };
        let held = if copy.state == CopyState::Held && copy.ground.as_ref().is_some_and(Ground::is_disputed) { " (class)" } else { "" };
        let age = now.duration_since(copy.queued_at).as_secs();
        let next = copy.next_at.duration_since(now).as_secs().max(0);
        println!(
            "{}\t{}{held}\t{stream}\t{} octets\t{age} s old\t{} attempts\tnext in {next} s\tref={decision}",
            copy.id,
            copy.state.as_str(),
            copy.size,
            copy.attempts
        );
    }
    let size = store.spool_size();
    let more = if copies.len() == LISTED as usize { ", the oldest of them" } else { "" };
    println!("{} copies{more}; {} messages with {} octets wait", copies.len(), size.messages, size.octets);
    Ok(())
}

fn show(copy: &SpooledCopy) {
    println!("copy       {}", copy.id);
    println!("stream     {}", if copy.stream.is_empty() { "(report of the gateway's own)" } else { &copy.stream });
    println!("recipient  {}", copy.recipient.address.as_str());
    println!("state      {}", copy.state.as_str());
    println!("taken      {}", copy.queued_at);
    println!("attempts   {}", copy.attempts);
    println!("next       {}", copy.next_at);
    println!("decision   {}", copy.ground.as_ref().map_or_else(|| "none".to_owned(), |ground| ground.decision.to_string()));
    println!("last words {}\n", copy.last.as_deref().unwrap_or("none").escape_debug());
}

async fn find(store: &Store, id: &str) -> anyhow::Result<Vec<SpooledCopy>> {
    let found = if let Some(copy) = CopyId::parse(id) {
        store.spool_copy(copy).await?.into_iter().collect()
    } else if let Some(message) = SpoolId::parse(id) {
        store.spool_copies_of(message).await?
    } else {
        bail!("{id:?} is no id: `consentry spool list` shows them")
    };
    if found.is_empty() {
        bail!("{id} does not wait here any more");
    }
    Ok(found)
}

async fn audit(store: &Store, deed: Deed, copy: &SpooledCopy, reason: &str, at: Timestamp) -> anyhow::Result<()> {
    let object = copy.ground.as_ref().map(|ground| Object::Decision(ground.decision));
    Ok(store.audit(NewAuditLine { at, operator: None, deed, object, reason: Some(reason.to_owned()) }).await?)
}

async fn open(path: PathBuf) -> anyhow::Result<(config::Config, Store)> {
    let config = config::Config::load(&path)?;
    let store = Store::open_beside_on(&config.data_dir, config.database.as_ref()).await?;
    Ok((config, store))
}

async fn close(store: Store) -> anyhow::Result<()> {
    store.close().await;
    Ok(())
}
