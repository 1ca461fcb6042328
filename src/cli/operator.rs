//! `consentry user …-operator`: the accounts of the admin pages. Works beside the running gateway; a password is read from
//! standard input.

use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;

use super::user::password_from_standard_input;
use crate::config::Config;
use crate::office::{Office, Role};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(super) struct Account {
    /// The configuration file.
    #[arg(long, default_value = "/etc/consentry/consentry.toml")]
    config: PathBuf,
    /// The login name.
    #[arg(long)]
    name: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct AccountWithRole {
    #[command(flatten)]
    account: Account,
    /// What they may do: `viewer`, `operator`, `compliance` or `legal`.
    #[arg(long)]
    role: String,
}

pub(super) async fn add(arguments: AccountWithRole) -> anyhow::Result<()> {
    let role = role(&arguments.role)?;
    let (office, store) = open(&arguments.account.config).await?;
    let password = password_from_standard_input()?;
    let id = office.add_operator(&arguments.account.name, role, password, Timestamp::now()).await?;
    println!("added {} as {} ({id})", arguments.account.name, role.as_str());
    store.close().await;
    Ok(())
}

pub(super) async fn list(config: PathBuf) -> anyhow::Result<()> {
    let (office, store) = open(&config).await?;
    for operator in office.operators().await? {
        let second_factor = if operator.has_second_factor { "second factor" } else { "no second factor" };
        let state = if operator.disabled { ", disabled" } else { "" };
        println!("{}\t{}\t{second_factor}{state}\t{}", operator.name, operator.role.as_str(), operator.id);
    }
    store.close().await;
    Ok(())
}

pub(super) async fn set_password(account: Account) -> anyhow::Result<()> {
    let (office, store) = open(&account.config).await?;
    office.set_password(&account.name, password_from_standard_input()?, Timestamp::now()).await?;
    println!("{} has another password; all sessions have ended", account.name);
    store.close().await;
    Ok(())
}

pub(super) async fn set_role(arguments: AccountWithRole) -> anyhow::Result<()> {
    let role = role(&arguments.role)?;
    let (office, store) = open(&arguments.account.config).await?;
    office.set_role(&arguments.account.name, role, Timestamp::now()).await?;
    println!("{} is {} now; all sessions have ended", arguments.account.name, role.as_str());
    store.close().await;
    Ok(())
}

pub(super) async fn disable(account: Account) -> anyhow::Result<()> {
    let (office, store) = open(&account.config).await?;
    office.disable_operator(&account.name, Timestamp::now()).await?;
    println!("{} is disabled; all sessions have ended", account.name);
    store.close().await;
    Ok(())
}

pub(super) async fn reset_totp(account: Account) -> anyhow::Result<()> {
    let (office, store) = open(&account.config).await?;
    office.reset_second_factor(&account.name, Timestamp::now()).await?;
    println!("{} sets up a new second factor at the next login; all sessions have ended", account.name);
    store.close().await;
    Ok(())
}

async fn open(path: &std::path::Path) -> anyhow::Result<(Office, Store)> {
    let config = Config::load(path)?;
    let store = Store::open_beside_on(&config.data_dir, config.database.as_ref()).await?;
    Ok((Office::new(store.clone(), config.admin), store))
}

fn role(word: &str) -> anyhow::Result<Role> {
    Role::parse(word).with_context(|| format!("--role {word:?}: write viewer, operator, compliance or legal"))
}
