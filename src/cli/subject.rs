//! `consentry subject`: the rights of a person, performed on the command line. Works beside the running gateway; whoever does it
//! proves who they are with the password of their account on standard input, and the table of roles holds as at `/admin`.

use anyhow::{Context, bail};
use jiff::Timestamp;

use super::acting::Acting;
use super::serve::Parts;
use crate::compose::Words;
use crate::config::Config;
use crate::consent::{Language, SubjectId};
use crate::mail::Address;
use crate::office::Operator;
use crate::store::Store;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prints all that is stored, as JSON (GDPR Art. 15, 20); for the role `legal`.
    Access(Person),
    /// Corrects the address, and prints the answer for the person (GDPR Art. 16); for `compliance` and `legal`. Consent does not move.
    Rectify {
        #[command(flatten)]
        person: Person,
        /// The right address.
        #[arg(long)]
        new_email: String,
        /// Language of the answer: `de` or `en`.
        #[arg(long, default_value = "en")]
        lang: String,
    },
    /// Erases, and prints the answer for the person (GDPR Art. 17); for `compliance` and `legal`.
    Erase {
        #[command(flatten)]
        person: Person,
        /// Language of the answer: `de` or `en`.
        #[arg(long, default_value = "en")]
        lang: String,
    },
    /// Restricts processing: no advertising until it is lifted (GDPR Art. 18); from `operator`.
    Restrict(Person),
    /// Lifts a restriction; from `operator`.
    Unrestrict(Person),
}

/// Whom it concerns, and who does it.
#[derive(Debug, clap::Args)]
pub(super) struct Person {
    #[command(flatten)]
    config: super::Config,
    /// Whose address.
    #[arg(long)]
    email: String,
    /// Key of the controller it concerns.
    #[arg(long)]
    controller: String,
    #[command(flatten)]
    acting: Acting,
}

/// Ready to be done.
struct Case {
    parts: Parts,
    operator: Operator,
    subject: SubjectId,
    now: Timestamp,
}

impl Person {
    async fn open(&self) -> anyhow::Result<Case> {
        let config = Config::load(&self.config.config)?;
        let address = Address::parse(self.email.trim()).context("--email")?;
        let (parts, _) = Parts::over(&config, Store::open_beside_on(&config.data_dir, config.database.as_ref()).await?)?;
        if parts.desk.catalogue().controller(&self.controller).is_none() {
            bail!("--controller {:?}: there is none of that key in the configuration", self.controller);
        }
        let now = Timestamp::now();
        let operator = self.acting.prove(&parts.office, now).await?;
        let subject = parts.office.find_subject(&operator, &address, now).await?;
        let subject = subject.context("nothing is on record about this address")?;
        Ok(Case { parts, operator, subject, now })
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Access(person) => {
            let Case { parts, operator, subject, now } = person.open().await?;
            parts.office.begin_access(&operator, subject, &person.controller, &person.acting.reason, now).await?;
            let mut dossier = parts.desk.dossier(subject, &person.controller, now).await?.context("the person is gone")?;
            while let Some(piece) = dossier.piece().await? {
                print!("{piece}");
            }
            drop(dossier);
            parts.store.close().await;
        }
        Command::Rectify { person, new_email, lang } => {
            let language = staff_language(&lang)?;
            let new = Address::parse(new_email.trim()).context("--new-email")?;
            let Case { parts, operator, subject, now } = person.open().await?;
            let done = parts.office.rectify(&operator, subject, &person.controller, new, &person.acting.reason, now).await?;
            let done = done.context("the person is gone")?;
            println!("{}", parts.desk.rectification_answer(&done, &person.controller, language)?.join("\n\n"));
            parts.store.close().await;
        }
        Command::Erase { person, lang } => {
            let language = staff_language(&lang)?;
            let Case { parts, operator, subject, now } = person.open().await?;
            let done = parts.office.erase(&operator, subject, &person.controller, &person.acting.reason, now).await?;
            let done = done.context("the person is gone")?;
            println!("{}", parts.desk.erasure_answer(&done, &person.controller, language)?.join("\n\n"));
            parts.store.close().await;
        }
        Command::Restrict(person) => restrict(&person, true).await?,
        Command::Unrestrict(person) => restrict(&person, false).await?,
    }
    Ok(())
}

/// A language that staff is spoken to in.
pub(super) fn staff_language(tag: &str) -> anyhow::Result<Language> {
    let language = Language::parse(tag).filter(|language| Words::STAFF.contains(language));
    language.with_context(|| format!("--lang {tag:?}: write de or en"))
}

async fn restrict(person: &Person, restricted: bool) -> anyhow::Result<()> {
    let Case { parts, operator, subject, now } = person.open().await?;
    let changed = parts.office.restrict(&operator, subject, &person.controller, restricted, &person.acting.reason, now).await?;
    println!(
        "{}",
        match (changed, restricted) {
            (true, true) => "restricted",
            (true, false) => "the restriction is lifted",
            (false, _) => "it was so already",
        }
    );
    parts.store.close().await;
    Ok(())
}
