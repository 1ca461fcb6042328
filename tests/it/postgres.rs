//! A throw-away PostgreSQL for the tests, from the binaries on PATH: one server per test process, one database per directory.
//! `CONSENTRY_TEST_DATABASE=postgres` makes it the store of the suites `store`, `office` and of every `world`.

pub(crate) mod proxy;

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use consentry::store::DatabaseSettings;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tempfile::TempDir;

use crate::environment::on_postgres;

/// A running server.
pub(crate) struct Server {
    dir: TempDir,
    user: String,
    databases: Mutex<HashSet<String>>,
}

/// The database of that directory, where tests are run on a server; `None` where they are run on files.
pub(crate) fn database(dir: &Path) -> Option<DatabaseSettings> {
    on_postgres().then(|| Server::shared().database(dir))
}

/// A connection to the ledger of that directory, past the store.
pub(crate) async fn raw(dir: &Path) -> PgConnection {
    let url = Server::shared().database(dir).url;
    let options: PgConnectOptions = url.parse().unwrap();
    options.options([("search_path", "consentry")]).connect().await.unwrap()
}

/// A program that reads the database of that directory beside the gateway.
pub(crate) fn ask(dir: &Path, query: &str) -> String {
    ask_at(&Server::shared().database(dir).url, query)
}

/// The same of any database.
pub(crate) fn ask_at(url: &str, query: &str) -> String {
    let output = Command::new("psql").args(["-qtAd", url, "-c", query]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// All that is in the database of that directory, octets as such: what a thief of its files could read.
pub(crate) fn content(dir: &Path) -> Vec<u8> {
    let url = Server::shared().database(dir).url;
    let output = Command::new("pg_dump").args(["--inserts", "--dbname", &url]).output().expect("pg_dump is on PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("INSERT INTO consentry.meta"), "there is a ledger to look into");
    let mut all = text.clone().into_bytes();
    for value in text.split("'\\x").skip(1) {
        all.extend(hex::decode(value.split('\'').next().unwrap_or_default()).unwrap_or_default());
        all.push(0);
    }
    all
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

    /// One of its own, to be stopped and started.
    pub(crate) fn own() -> Self {
        Self::start()
    }

    /// Ends it as a crash does: no session is told, nothing is written that was not before.
    pub(crate) fn stop_at_once(&self) {
        self.control("stop -m immediate -w");
    }

    /// Starts it again on the same files.
    pub(crate) fn start_again(&self) {
        let home = self.dir.path().display();
        self.control(&format!("start -w -l {home}/pg/log -o '-k {home}/pg -c listen_addresses= -c max_connections=400 -c fsync=off'"));
    }

    fn control(&self, command: &str) {
        let home = self.dir.path().display();
        let as_user = if output("id -un") == "root" { "runuser -u nobody --" } else { "" };
        let script = format!("cd {home}/pg && {as_user} pg_ctl -D {home}/pg/db {command} >/dev/null 2>&1");
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success(), "pg_ctl {command}");
    }

    /// The directory of its socket.
    fn socket(&self) -> PathBuf {
        self.dir.path().join("pg")
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{}@localhost/{database}?host={}", self.user, self.socket().display())
    }

    /// The database of that directory, made where it is missing.
    pub(crate) fn database(&self, dir: &Path) -> DatabaseSettings {
        let name = format!("t{}", &hex::encode(Sha256::digest(dir.as_os_str().as_encoded_bytes()))[..16]);
        if self.databases.lock().unwrap().insert(name.clone()) {
            let make = format!("CREATE DATABASE {name}");
            assert!(Command::new("psql").args(["-qd", &self.url("postgres"), "-c", &make]).status().unwrap().success());
        }
        DatabaseSettings { url: self.url(&name), keys_url: None, password_file: None }
    }
}

fn output(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
