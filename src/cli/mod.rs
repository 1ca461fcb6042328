//! The command line: one file per command. Parses arguments, nothing else.

mod acting;
mod canary;
mod check;
mod classify;
mod demo;
mod document;
mod event;
mod keys;
mod operator;
mod renew;
mod request;
mod rules;
mod serve;
mod simulate;
mod sink;
mod spool;
mod subject;
mod user;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use rules::RulesRefused;

/// SMTP gateway that enforces consent: no recorded legal basis, no marketing mail.
#[derive(Debug, Parser)]
#[command(name = "consentry", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the whole product at work on this machine; needs no configuration.
    Demo(demo::Arguments),
    /// Runs the gateway.
    Serve(Config),
    /// Reads the configuration and says what is wrong with it, or what it means; proves what is signed on the way out.
    Check(check::Arguments),
    /// Says what mails in files are, and why; tries rules on them; measures on labelled ones.
    Classify(classify::Arguments),
    /// Decides recorded decisions anew under other rules, and says what that changes.
    Simulate(simulate::Arguments),
    /// Which rules are in force, and their approval.
    Rules {
        #[command(subcommand)]
        command: rules::Command,
    },
    /// The keys of the installation, and DKIM keys.
    Keys {
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Tells the ledger what another system knows: a purchase, a withdrawal, a complaint. Cannot give consent.
    Event(Box<event::Arguments>),
    /// The record of processing, the measures, and what is stored how long, for data-protection officers.
    Document(document::Arguments),
    /// Mail that waits.
    Spool {
        #[command(subcommand)]
        command: spool::Command,
    },
    /// Requests of persons, and their terms.
    Request {
        #[command(subcommand)]
        command: request::Command,
    },
    /// The rights of a person: access, rectification, erasure, restriction.
    Subject {
        #[command(subcommand)]
        command: subject::Command,
    },
    /// Passwords of streams, tokens of the API, accounts of the admin pages.
    User {
        #[command(subcommand)]
        command: user::Command,
    },
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct Config {
    /// The configuration file.
    #[arg(long, default_value = "/etc/consentry/consentry.toml")]
    config: PathBuf,
}

/// Runs the command. Errors are told by `main`.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Serve(Config { config }) => serve::run(&config).await,
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Classify(arguments) => classify::run(&arguments).await,
        Command::Simulate(arguments) => simulate::run(arguments).await,
        Command::Rules { command } => rules::run(command).await,
        Command::Keys { command } => keys::run(command),
        Command::Event(arguments) => event::run(*arguments).await,
        Command::Document(arguments) => document::run(&arguments),
        Command::Spool { command } => spool::run(command).await,
        Command::Request { command } => request::run(command).await,
        Command::Subject { command } => subject::run(command).await,
        Command::User { command } => user::run(command).await,
    }
}
