//! `consentry user`: passwords of streams, tokens of the API, accounts of the admin pages. Secrets are read from
//! standard input or printed once; they never stand in arguments.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::operator::{self, Account, AccountWithRole};
use super::serve::Parts;
use crate::config::Config;
use crate::credentials::hash_password;
use crate::entropy::random;
use crate::store::{Scope, Store};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Reads a password from standard input and prints the argon2 hash for `password_hash`.
    HashPassword,
    /// Makes an API token and prints it once.
    AddToken {
        /// The configuration file.
        #[arg(long, default_value = "/etc/consentry/consentry.toml")]
        config: PathBuf,
        /// Who will use it; stands in the evidence of sign-ups.
        #[arg(long)]
        name: String,
        /// What it may do: `opt_in`, `decisions`, and one of `events:crm`, `events:erp`, `events:ma`, `events:staff`; several with
        /// commas.
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
    },
    /// Makes an account of the admin pages; reads its password from standard input.
    AddOperator(AccountWithRole),
    /// Lists the accounts of the admin pages.
    ListOperators {
        /// The configuration file.
        #[arg(long, default_value = "/etc/consentry/consentry.toml")]
        config: PathBuf,
    },
    /// Gives an account another password, read from standard input, and unlocks it.
    SetPassword(Account),
    /// Gives an account another role.
    SetRole(AccountWithRole),
    /// Closes an account for good.
    DisableOperator(Account),
    /// Takes an account's second factor away, so that the next login sets up a new one.
    ResetTotp(Account),
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::HashPassword => {
            let password = password_from_standard_input()?;
            if password.len() < 8 {
                bail!("the password on standard input has fewer than 8 characters");
            }
            println!("{}", hash_password(password.as_bytes(), &random::<16>()));
            Ok(())
        }
        Command::AddToken { config, name, scopes } => {
            let scopes = scopes
                .iter()
                .map(|word| {
                    Scope::parse(word)
                        .with_context(|| format!("--scopes {word:?}: write any of {}", Scope::ALL.map(Scope::as_str).join(", ")))
                })
                .collect::<Result<Vec<_>, _>>()?;
            if scopes.iter().filter(|scope| matches!(scope, Scope::Events(_))).count() > 1 {
                bail!("--scopes: one token speaks for one system; make one token for each");
            }
            let config = Config::load(&config)?;
            let (parts, _) = Parts::over(&config, Store::open_beside_on(&config.data_dir, config.database.as_ref()).await?)?;
            println!("{}", parts.desk.add_api_token(&name, &scopes, Timestamp::now()).await?.as_str());
            parts.store.close().await;
            Ok(())
        }
        Command::AddOperator(arguments) => operator::add(arguments).await,
        Command::ListOperators { config } => operator::list(config).await,
        Command::SetPassword(account) => operator::set_password(account).await,
        Command::SetRole(arguments) => operator::set_role(arguments).await,
        Command::DisableOperator(account) => operator::disable(account).await,
        Command::ResetTotp(account) => operator::reset_totp(account).await,
    }
}

/// What stands there, without the line's end.
pub(super) fn password_from_standard_input() -> anyhow::Result<Zeroizing<String>> {
    let mut password = Zeroizing::new(String::with_capacity(1_100));
    std::io::stdin().take(1_100).read_to_string(&mut password).context("the password on standard input")?;
    let length = password.trim_end_matches(['\r', '\n']).len();
    password.truncate(length);
    Ok(password)
}
