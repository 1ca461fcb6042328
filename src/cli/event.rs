//! `consentry event`: tells the ledger what another system knows, one event or a file of them. Works beside the running gateway.
//! Cannot grant (I5); whatever is told is on record in the audit log.

use std::path::PathBuf;

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::serve::Parts;
use crate::config::Config;
use crate::consent::Teller;
use crate::desk::{Desk, Informant, TellError};
use crate::store::Store;

/// Stands in the evidence and the audit log.
const NAME: &str = "command line";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::Config,
    /// Which system talks: `crm`, `erp`, `ma` or `staff`.
    #[arg(long = "as", default_value = "staff")]
    teller: String,
    /// A file with one event a line, as the API takes them; `-` for standard input.
    #[arg(long, conflicts_with = "kind")]
    from: Option<PathBuf>,
    #[command(flatten)]
    event: Event,
}

/// As the API's fields of the same names.
#[derive(Debug, clap::Args)]
struct Event {
    /// What happened, e.g. `withdrawn`, `objected`, `purchase`.
    #[arg(long, required_unless_present = "from")]
    kind: Option<String>,
    /// Whose address.
    #[arg(long)]
    email: Option<String>,
    /// Key of the controller.
    #[arg(long)]
    controller: Option<String>,
    /// What it is about; several with commas.
    #[arg(long, value_delimiter = ',')]
    topics: Vec<String>,
    /// `email`, `phone`, `post` or `tracking`.
    #[arg(long)]
    channel: Option<String>,
    /// When, as in RFC 3339.
    #[arg(long)]
    occurred: Option<String>,
    /// How they became a customer, e.g. `sale`.
    #[arg(long)]
    trigger: Option<String>,
    /// The customer gave the address in that dealing.
    #[arg(long)]
    own_address: bool,
    /// A file with the text that was shown where the address was collected.
    #[arg(long)]
    notice_file: Option<PathBuf>,
    /// Where the person lives, by two letters.
    #[arg(long)]
    country: Option<String>,
    /// How the person's wish came in.
    #[arg(long)]
    reason: Option<String>,
    /// Who took it.
    #[arg(long)]
    actor: Option<String>,
    /// By this it is recorded once, however often it is told.
    #[arg(long)]
    id: Option<String>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let words = || Teller::ALL.map(Teller::as_str).join(", ");
    let teller = Teller::parse(&arguments.teller).with_context(|| format!("--as {:?}: write one of {}", arguments.teller, words()))?;
    let informant = Informant { teller, name: NAME, audited: true };
    let config = Config::load(&arguments.config.config)?;
    let lines = arguments.from.as_deref().map(lines).transpose()?;
    let event = if lines.is_none() { arguments.event.value()? } else { Value::Null };
    let (parts, _) = Parts::over(&config, Store::open_beside_on(&config.data_dir, config.database.as_ref()).await?)?;
    let done = match lines {
        Some(lines) => tell_each(&parts.desk, &lines, informant).await,
        None => match parts.desk.tell(&event, informant, Timestamp::now()).await {
            Ok(()) => {
                println!("recorded");
                Ok(())
            }
            Err(error) => Err(anyhow::Error::msg(words_of(&error))),
        },
    };
    parts.store.close().await;
    done
}

/// Each line is taken or refused by itself, and told by its number: addresses stay out of what is printed (I8).
async fn tell_each(desk: &Desk, lines: &str, informant: Informant<'_>) -> anyhow::Result<()> {
    let (mut recorded, mut refused) = (0, 0);
    for (number, line) in (1..).zip(lines.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let told = match serde_json::from_str(line) {
            Ok(event) => desk.tell(&event, informant, Timestamp::now()).await.map_err(|error| words_of(&error)),
            Err(error) => Err(format!("no JSON at column {}", error.column())),
        };
        match told {
            Ok(()) => {
                recorded += 1;
                println!("line {number}: recorded");
            }
            Err(why) => {
                refused += 1;
                println!("line {number}: refused: {why}");
            }
        }
    }
    println!("{recorded} recorded, {refused} refused");
    if refused > 0 {
        bail!("{refused} lines were refused: mend them and tell them again; what has an id is recorded once");
    }
    Ok(())
}

fn lines(path: &std::path::Path) -> anyhow::Result<String> {
    let read = if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    read.with_context(|| format!("--from {}", path.display()))
}

/// In one line.
fn words_of(error: &TellError) -> String {
    match error {
        TellError::Fields(problems) => {
            let told = problems.iter().map(|problem| format!("{} {}: {}", problem.field, problem.problem, problem.mend));
            told.collect::<Vec<_>>().join("; ")
        }
        error => error.to_string(),
    }
}

impl Event {
    /// As the API takes it.
    fn value(self) -> anyhow::Result<Value> {
        let read = |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("--notice-file {}", path.display()));
        let notice = self.notice_file.as_ref().map(read).transpose()?;
        let texts = [
            ("kind", self.kind),
            ("email", self.email),
            ("controller", self.controller),
            ("channel", self.channel),
            ("occurred", self.occurred),
            ("trigger", self.trigger),
            ("notice", notice),
            ("country", self.country),
            ("reason", self.reason),
            ("actor", self.actor),
            ("id", self.id),
        ];
        let given = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::String(text?))));
        let mut event: Map<String, Value> = given.collect();
        if !self.topics.is_empty() {
            event.insert("topics".to_owned(), self.topics.into());
        }
        if self.own_address {
            event.insert("own_address".to_owned(), true.into());
        }
        Ok(Value::Object(event))
    }
}
