//! Who acts on the command line: a login name, proven by the password of the account on standard input, and the reason that
//! goes on record. What the role may do is the office's table.

use jiff::Timestamp;

use super::user::password_from_standard_input;
use crate::office::{Office, Operator};

/// Somebody with an account.
#[derive(Debug, clap::Args)]
pub(super) struct Login {
    /// Your login name; the password is read from standard input.
    #[arg(long = "as")]
    name: String,
    /// The code of your second factor.
    #[arg(long, requires = "name")]
    code: Option<String>,
}

/// Somebody with an account, and why they do it.
#[derive(Debug, clap::Args)]
pub(super) struct Acting {
    #[command(flatten)]
    login: Login,
    /// Why, in your words; goes on record.
    #[arg(long)]
    pub(super) reason: String,
}

impl Login {
    /// Reads the password and lets the account in and out again.
    pub(super) async fn prove(&self, office: &Office, now: Timestamp) -> anyhow::Result<Operator> {
        Ok(office.prove_operator(&self.name, password_from_standard_input()?, self.code.as_deref(), now).await?)
    }
}

impl Acting {
    /// As [`Login::prove`].
    pub(super) async fn prove(&self, office: &Office, now: Timestamp) -> anyhow::Result<Operator> {
        self.login.prove(office, now).await
    }
}
