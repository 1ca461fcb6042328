//! A whole Consentry as its operator runs it: the real binary on a real configuration, in a directory
//! of its own. Readiness is read from its log; it is ended by SIGTERM (or SIGKILL) and its pid.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// Host of the links in mails; requests go to the gateway's own address instead.
pub const PUBLIC_URL: &str = "https://consent.acme.example";
/// Password of all streams.
pub const PASSWORD: &str = "world-password";

/// Generous: only a hanging program reaches it.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub dir: TempDir,
    pub smtp: SocketAddr,
    pub http: SocketAddr,
    pub token: String,
    pub dkim_record: (String, String),
    child: Child,
}

/// The configuration, with the outbound MTA filled in. Streams: news (marketing), shop (transactional), mixed (declared);
/// `open` takes mail of any `*.example` sender from 127.0.0.2 without a login.
pub fn config(dir: &Path, outbound: SocketAddr, password_hash: &str) -> String {
    include_str!("world.toml")
        .replace("{dir}", &dir.display().to_string())
        .replace("{outbound_host}", &outbound.ip().to_string())
        .replace("{outbound_port}", &outbound.port().to_string())
        .replace("{password_hash}", password_hash)
}

impl World {
    /// Sets up and starts it with mail going to `outbound`.
    pub fn start(outbound: SocketAddr) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config_file = dir.path().join("consentry.toml");
        let hash = consentry(&["user", "hash-password"], Some(PASSWORD));
        std::fs::write(&config_file, config(dir.path(), outbound, hash.trim())).expect("config");
        let key = dir.path().join("dkim.pem");
        let record = consentry(
            &["keys", "dkim-generate", "--domain", "acme.example", "--selector", "test", "--out", &key.display().to_string()],
            None,
        );
        let (name, value) = record.trim().split_once(" IN TXT ").expect("a DNS record");
        let dkim_record = (name.trim_end_matches('.').to_owned(), value.trim_matches('"').to_owned());
        let path = config_file.display().to_string();
        let token = consentry(&["user", "add-token", "--config", &path, "--name", "website", "--scopes", "opt_in,decisions"], None);
        let (child, smtp, http) = serve(&config_file, dir.path());
        Self { dir, smtp, http, token: token.trim().to_owned(), dkim_record, child }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).expect("the log")
    }

    /// Ends it at once, as a crash would, and starts it again on the same data.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("its end");
        let (child, smtp, http) = serve(&self.dir.path().join("consentry.toml"), self.dir.path());
        (self.child, self.smtp, self.http) = (child, smtp, http);
    }

    /// Ends it as a service manager would; true when it exits with 0.
    pub fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        self.child.wait().expect("its end").success()
    }

    /// The gateway's address for a link in a mail.
    pub fn local(&self, link: &str) -> String {
        link.replace(PUBLIC_URL, &format!("http://{}", self.http))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of the binary that ends by itself; its standard output.
pub fn consentry(arguments: &[&str], input: Option<&str>) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_consentry"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("consentry starts");
    child.stdin.take().expect("stdin").write_all(input.unwrap_or_default().as_bytes()).expect("stdin");
    let output = child.wait_with_output().expect("consentry ends");
    assert!(output.status.success(), "consentry {arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Starts `serve` and reads from its log where it listens.
fn serve(config: &Path, dir: &Path) -> (Child, SocketAddr, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_consentry"))
        .args(["serve", "--config", &config.display().to_string()])
        .env("RUST_LOG", "debug,sqlx=info")
        .stderr(Stdio::piped())
        .spawn()
        .expect("consentry starts");
    let stderr = BufReader::new(child.stderr.take().expect("stderr"));
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("log");
    let (lines, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            writeln!(log, "{line}").expect("log");
            let _ = lines.send(line);
        }
    });
    let address = |what: &str| -> SocketAddr {
        loop {
            let line = told.recv_timeout(PATIENCE).expect("consentry says where it listens");
            if line.contains(what) {
                let (_, address) = line.rsplit_once("address=").expect("an address");
                return address.trim().parse().expect("an address");
            }
        }
    };
    let (smtp, http) = (address("smtp listens"), address("http listens"));
    (child, smtp, http)
}
