//! A throw-away PostgreSQL for the tests, from the binaries on PATH: one server per test process, one database per directory.
//! `CONSENTRY_TEST_DATABASE=postgres` makes it the store of the store and office suites.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use consentry::store::DatabaseSettings;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

use crate::environment::on_postgres;

/// A running server.
pub(crate) struct Server {
    dir: TempDir,
    user: String,
    databases: Mutex<HashSet<String>>,
}

/// The database of that directory, where tests are run on a server; `None` where they are run on files.
pub(crate) async fn database(dir: &Path) -> Option<DatabaseSettings> {
    if on_postgres() { Some(Server::shared().database(dir).await) } else { None }
}

/// A connection to the ledger of that directory, past the store.
pub(crate) async fn raw(dir: &Path) -> PgConnection {
    let url = Server::shared().database(dir).await.url;
    let options: PgConnectOptions = url.parse().unwrap();
    options.options([("search_path", "consentry")]).connect().await.unwrap()
}

impl Server {
    /// The one of this process.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        // The server refuses to run as root.
        let user = match output("id -un").as_str() {
            "root" => "nobody".to_owned(),
            own => own.to_owned(),
        };
        let home = dir.path().display();
        let as_user = if user == "nobody" { "runuser -u nobody --" } else { "" };
        // The server ends with this process, because then the pipe does.
        let script = format!(
            "chmod 755 {home} && mkdir {home}/pg && {{ [ -z '{as_user}' ] || chown nobody {home}/pg; }} && cd {home}/pg || exit 1
             {as_user} initdb -D {home}/pg/db -U test -A trust -N -E UTF8 --locale=C >&2 || exit 1
             {as_user} postgres -D {home}/pg/db -k {home}/pg -c listen_addresses= -c max_connections=400 -c fsync=off >{home}/pg.log 2>&1 &
             until psql -h {home}/pg -U test -d postgres -c 'SELECT 1' >/dev/null 2>&1; do kill -0 $! || exit 1; sleep 0.1; done
             echo ready
             read end
             kill -QUIT $(head -n 1 {home}/pg/db/postmaster.pid)"
        );
        let mut child =
            Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).expect("initdb and postgres are on PATH");
        std::mem::forget(child); // its end of the pipe stays open as long as this process lives
        Self { dir, user: "test".into(), databases: Mutex::default() }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{}@localhost/{database}?host={}/pg", self.user, self.dir.path().display())
    }

    /// The database of that directory, made where it is missing.
    pub(crate) async fn database(&self, dir: &Path) -> DatabaseSettings {
        let name = format!("t{}", &hex::encode(Sha256::digest(dir.as_os_str().as_encoded_bytes()))[..16]);
        if self.databases.lock().unwrap().insert(name.clone()) {
            let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        }
        DatabaseSettings { url: self.url(&name), keys_url: None, password_file: None }
    }
}

fn output(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
