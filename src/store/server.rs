//! A PostgreSQL server instead of files: where it is, and the schemas in it. Runs no statements but those that make them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection as _};
use zeroize::Zeroizing;

use super::StoreError;
use super::db::Connection;

/// Where the ledger is, when it is not in the data directory.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgres://user@host/database?sslmode=verify-full`. Every gateway names the same one, and has the same key file.
    pub url: String,
    /// The same for the subjects' keys, whose backups rotate out (E-10); a schema of its own in the ledger's database when it is
    /// not given.
    #[serde(default)]
    pub keys_url: Option<String>,
    /// A file with the password; else it is taken from the environment variable `PGPASSWORD`.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

impl DatabaseSettings {
    /// The machines that it names, or the directories of their sockets.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self.options().flat_map(|(_, options)| options.ok()).map(|options| host(&options)).collect();
        hosts.dedup();
        hosts
    }

    /// What is wrong with it, each with the mend.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, options) in self.options() {
            match options {
                Err(_) => faults.push(format!("{name} is no URL of a database; write postgres://user@host/database?sslmode=verify-full")),
                Ok(options) => {
                    let host = host(&options);
                    let is_near = host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
                    // S2-06: personal data does not cross a network in the clear, nor to whoever answers there
                    if !is_near && !matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
                        faults.push(format!(
                            "{name}: {host:?} is another machine, so its certificate must be checked; write ?sslmode=verify-full"
                        ));
                    }
                }
            }
        }
        faults
    }

    fn options(&self) -> impl Iterator<Item = (&'static str, Result<PgConnectOptions, sqlx::Error>)> {
        let urls = std::iter::once(("url", &self.url)).chain(self.keys_url.iter().map(|url| ("keys_url", url)));
        urls.map(|(name, url)| {
            let is_ours = url.starts_with("postgres://") || url.starts_with("postgresql://");
            (name, PgConnectOptions::from_str(if is_ours { url } else { "" }))
        })
    }
}

/// Where a server is: a name, an address, or the directory of its socket.
fn host(options: &PgConnectOptions) -> String {
    options.get_socket().map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string())
}

impl std::fmt::Debug for DatabaseSettings {
    /// A URL may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSettings").finish_non_exhaustive()
    }
}

/// The server's three schemas.
pub(super) struct Server {
    ledger: PgConnectOptions,
    spool: PgConnectOptions,
    keys: PgConnectOptions,
}

impl Server {
    pub(super) fn of(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let password = match &settings.password_file {
            Some(path) => {
                let failed = |source| StoreError::File { path: path.clone(), source: Arc::new(source) };
                Some(Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?))
            }
            None => None,
        };
        let of = |url: &str, schema| -> Result<PgConnectOptions, StoreError> {
            let mut options = PgConnectOptions::from_str(url)?.application_name("consentry").disable_statement_logging().options([
                ("search_path", schema),
                // What is there already is no news.
                ("client_min_messages", "warning"),
                // A decision is on disk before its message leaves (I1).
                ("synchronous_commit", "on"),
                ("lock_timeout", "5s"),
                // A gateway that died amid a transaction keeps no person's row.
                ("idle_in_transaction_session_timeout", "15s"),
            ]);
            if let Some(password) = &password {
                options = options.password(password.trim_end_matches(['\r', '\n']));
            }
            Ok(options)
        };
        Ok(Self {
            ledger: of(&settings.url, "consentry")?,
            spool: of(&settings.url, "consentry_spool")?,
            keys: of(settings.keys_url.as_ref().unwrap_or(&settings.url), "consentry_keys")?,
        })
    }

    /// A connection to the ledger that changes nothing, not even brings it up to date.
    pub(super) async fn reading(&self) -> Result<Connection, StoreError> {
        Connection::postgres(&self.ledger.clone().options([("default_transaction_read_only", "on")])).await
    }

    /// A connection to each schema, made and brought up to date where that is to be done: ledger, spool, keys.
    pub(super) async fn open(&self) -> Result<[Connection; 3], StoreError> {
        make(&self.ledger, "CREATE SCHEMA IF NOT EXISTS consentry", sqlx::migrate!("migrations/postgres")).await?;
        make(&self.spool, "CREATE SCHEMA IF NOT EXISTS consentry_spool", sqlx::migrate!("migrations/postgres/spool")).await?;
        make(&self.keys, "CREATE SCHEMA IF NOT EXISTS consentry_keys", sqlx::migrate!("migrations/postgres/keys")).await?;
        Ok([Connection::postgres(&self.ledger).await?, Connection::postgres(&self.spool).await?, Connection::postgres(&self.keys).await?])
    }
}

async fn make(options: &PgConnectOptions, schema: &'static str, migrations: sqlx::migrate::Migrator) -> Result<(), StoreError> {
    let mut connection = options.connect().await?;
    let mut tx = connection.begin().await?;
    // Gateways may start at the same time.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('consentry schema'))").execute(&mut *tx).await?;
    sqlx::query(schema).execute(&mut *tx).await?;
    tx.commit().await?;
    migrations.run(&mut connection).await?;
    Ok(connection.close().await?)
}
