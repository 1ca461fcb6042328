//! A whole Consentry as its operator runs it: the real binary on a real configuration, in a directory
//! of its own. Where it listens is read from its log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::daemon::Daemon;
use crate::peers::run_with_input;
use crate::postgres;

/// Password of all streams.
pub(crate) const PASSWORD: &str = "world-password";

/// Asking again is the only way to see the spool from outside; one that never empties is found out.
const SPOOL_ASKED_AT_MOST: u32 = 2_000;

/// Base of the links in mails; requests go to the gateway's own address instead.
pub(crate) const PUBLIC_URL: &str = "https://consent.acme.example";

/// Streams: `news` (marketing), `shop` (transactional), `mixed` (declared), `corpus` (declared, any
/// `.example` sender); see `world.toml`.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) smtp: SocketAddr,
    pub(crate) http: SocketAddr,
    /// API token with all scopes.
    pub(crate) token: String,
    /// Name and value of the DKIM key's TXT record.
    pub(crate) dkim: (String, String),
    daemon: Daemon,
    /// What the ended processes before this one have written.
    earlier: String,
}

/// A world before it starts.
pub(crate) struct Setup {
    /// Its directory; the data directory will be `data` in it.
    pub(crate) dir: PathBuf,
    pub(crate) config: String,
    /// The server that has its ledger; else as the test command says.
    pub(crate) database: Option<String>,
    /// An API token that its ledger knows already.
    pub(crate) token: Option<String>,
}

/// What a page or the API answered.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl World {
    /// Sets it up and starts it; what may leave goes to `outbound`.
    pub(crate) fn start(outbound: SocketAddr) -> Self {
        Self::start_with(outbound, |_| {})
    }

    /// The same after `prepare` had its way with the directory and the configuration that is not written yet.
    pub(crate) fn start_with(outbound: SocketAddr, prepare: impl FnOnce(&mut Setup)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("consentry.toml").display().to_string();
        let hash = consentry(&["user", "hash-password"], PASSWORD);
        let config = include_str!("world.toml")
            .replace("{dir}", &dir.path().display().to_string())
            .replace("{outbound_host}", &outbound.ip().to_string())
            .replace("{outbound_port}", &outbound.port().to_string())
            .replace("{password_hash}", hash.trim());
        let mut setup = Setup { dir: dir.path().to_owned(), config, database: None, token: None };
        prepare(&mut setup);
        if let Some(url) = setup.database.or_else(|| postgres::database(dir.path()).map(|database| database.url)) {
            setup.config.push_str(&format!("\n[database]\nurl = {url:?}\n"));
        }
        std::fs::write(&file, setup.config).unwrap();
        let key = dir.path().join("dkim.pem").display().to_string();
        let record = consentry(&["keys", "dkim-generate", "--domain", "acme.example", "--selector", "test", "--out", &key], "");
        let (name, value) = record.trim().split_once(". IN TXT ").unwrap();
        // As a resolver joins the strings of a record (RFC 6376 s.3.6.2.2).
        let dkim = (name.to_owned(), value.split('"').skip(1).step_by(2).collect());
        let add = ["user", "add-token", "--config", &file, "--name", "website", "--scopes", "opt_in,decisions"];
        let token = setup.token.unwrap_or_else(|| consentry(&add, ""));
        let (daemon, smtp, http) = serve(&file);
        Self { dir, smtp, http, token: token.trim().to_owned(), dkim, daemon, earlier: String::new() }
    }

    /// Another gateway on the ledger of the first one.
    pub(crate) fn beside(first: &Self, outbound: SocketAddr, database: &str) -> Self {
        Self::beside_with(first, outbound, database, |_| {})
    }

    /// The same after `prepare` had its way.
    pub(crate) fn beside_with(first: &Self, outbound: SocketAddr, database: &str, prepare: impl FnOnce(&mut Setup)) -> Self {
        Self::start_with(outbound, |setup| {
            prepare(setup);
            setup.database = Some(database.to_owned());
            setup.token = Some(first.token.clone());
            std::fs::create_dir(setup.dir.join("data")).unwrap();
            std::fs::copy(first.data_dir().join("keys"), setup.dir.join("data/keys")).unwrap();
        })
    }

    /// What it says of itself.
    pub(crate) fn readiness(&self) -> Page {
        self.ask("GET", &format!("{PUBLIC_URL}/readyz"), "", "text/plain")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// All that it has written to its log so far.
    pub(crate) fn log(&self) -> String {
        format!("{}\n{}", self.earlier, self.daemon.output())
    }

    /// Ends it as a crash does and starts it again on the same data.
    pub(crate) fn crash_and_restart(&mut self) {
        self.crash();
        self.restart();
    }

    /// Ends it as a crash does.
    pub(crate) fn crash(&mut self) {
        self.daemon.kill();
    }

    /// Starts it again on the same data, after it ended.
    pub(crate) fn restart(&mut self) {
        self.earlier = self.log();
        let file = self.dir.path().join("consentry.toml").display().to_string();
        (self.daemon, self.smtp, self.http) = serve(&file);
    }

    /// Starts it where it will not start; what it says.
    pub(crate) fn refused_start(&self) -> String {
        let file = self.dir.path().join("consentry.toml").display().to_string();
        let mut serve = Command::new(env!("CARGO_BIN_EXE_consentry"));
        let output = run_with_input(serve.args(["serve", "--config", &file]), b"", false);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Makes all that waits due now, again and again, until nothing waits.
    pub(crate) fn empty_spool(&self) {
        let empty = (0..SPOOL_ASKED_AT_MOST).any(|_| {
            self.spool("retry", &["--all"]);
            self.spool("list", &[]).starts_with("0 copies")
        });
        assert!(empty, "{}", self.spool("list", &[]));
    }

    /// Ends it as a service manager does; true when it says that all is well.
    pub(crate) fn stop(&mut self) -> bool {
        self.daemon.terminate().success()
    }

    /// An HTTP request, as a browser makes it for a person; links in mails are taken to the gateway's own address.
    pub(crate) fn ask(&self, method: &str, link: &str, body: &str, content_type: &str) -> Page {
        let url = link.replace(PUBLIC_URL, &format!("http://{}", self.http));
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", content_type)
            .header("Sec-Fetch-Mode", "navigate")
            .header("Sec-Fetch-User", "?1")
            .body(body.to_owned())
            .unwrap();
        let mut response = ureq::Agent::new_with_config(config).run(request).unwrap();
        Page { status: response.status().as_u16(), body: response.body_mut().read_to_string().unwrap() }
    }

    /// Runs `consentry spool …` beside it.
    pub(crate) fn spool(&self, command: &str, more: &[&str]) -> String {
        let file = self.dir.path().join("consentry.toml").display().to_string();
        consentry(&[&["spool", command, "--config", &file], more].concat(), "")
    }

    /// The same where the command may have come too late; what it says then is the error.
    pub(crate) fn try_spool(&self, command: &str, more: &[&str]) -> Result<String, String> {
        let file = self.dir.path().join("consentry.toml").display().to_string();
        let mut run = Command::new(env!("CARGO_BIN_EXE_consentry"));
        let output = run_with_input(run.args(["spool", command, "--config", &file]).args(more), b"", false);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The limits that the kernel holds it to.
    pub(crate) fn limits(&self) -> String {
        self.daemon.limits()
    }

    /// Tells it to read again what may have changed.
    pub(crate) fn hang_up(&self) {
        self.daemon.signal("HUP");
    }

    /// KiB of memory that it has now.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.daemon.resident_kib()
    }

    /// Waits until nothing waits in the spool.
    pub(crate) fn wait_for_empty_spool(&self) {
        let empty = (0..SPOOL_ASKED_AT_MOST).any(|_| self.spool("list", &[]).starts_with("0 copies"));
        assert!(empty, "{}", self.spool("list", &[]));
    }

    /// Reports a sign-up for `news` as a website does.
    pub(crate) fn sign_up(&self, email: &str) {
        let body = json!({
            "email": email, "controller": "acme", "topics": ["news"], "form_url": "https://acme.example/newsletter",
            "consent_text": "Ja, die Acme GmbH darf mir ihren Newsletter per E-Mail senden. Ich kann jederzeit widerrufen.",
            "checkbox": true, "language": "de", "ip": "192.0.2.77", "user_agent": "TestBrowser/1.0",
        });
        let answer = self.ask("POST", &format!("{PUBLIC_URL}/api/v1/opt-ins"), &body.to_string(), "application/json");
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    /// Presses yes on the page of a confirmation link.
    pub(crate) fn confirm(&self, link: &str) -> Page {
        self.choose(link, "answer=yes")
    }

    /// Presses a button of the page behind a link. No time passes between looking and pressing, so the page asks to press
    /// once more.
    pub(crate) fn choose(&self, link: &str, body: &str) -> Page {
        let press =
            |page: &Page| self.ask("POST", link, &format!("{body}&stamp={}", stamp(&page.body)), "application/x-www-form-urlencoded");
        let first = press(&self.ask("GET", link, "", ""));
        if first.body.contains("role=\"alert\"") { press(&first) } else { first }
    }

    /// All decisions, newest first.
    pub(crate) fn decisions(&self) -> Vec<Value> {
        let mut next = format!("{PUBLIC_URL}/api/v1/decisions?limit=500");
        let mut all = Vec::new();
        loop {
            let answer = self.ask("GET", &next, "", "application/json");
            assert_eq!(answer.status, 200, "{}", answer.body);
            let page: Value = serde_json::from_str(&answer.body).unwrap();
            all.extend(page["decisions"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(path) => next = format!("{PUBLIC_URL}{path}"),
                None => return all,
            }
        }
    }
}

/// Runs a command that ends by itself; its standard output.
pub(crate) fn consentry(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consentry"));
    command.args(arguments).stderr(Stdio::inherit());
    let output = run_with_input(&mut command, input.as_bytes(), true);
    String::from_utf8(output.stdout).unwrap()
}

fn serve(config: &str) -> (Daemon, SocketAddr, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consentry"));
    command.args(["serve", "--config", config]).env("RUST_LOG", "debug");
    let daemon = Daemon::spawn("consentry", &mut command);
    let address = |what: &'static str| {
        daemon.wait_for_line(move |line| line.contains(what).then(|| line.rsplit_once("address=").unwrap().1.trim().parse().unwrap()))
    };
    let (smtp, http) = (address("smtp listens"), address("http listens"));
    (daemon, smtp, http)
}

/// The stamp of a page with a form.
pub(crate) fn stamp(page: &str) -> &str {
    page.split("name=\"stamp\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no stamp in {page}"))
}

/// The first link of a mail that contains `kind`, from its decoded text.
pub(crate) fn link(mail: &[u8], kind: &str) -> String {
    let parsed = mail_parser::MessageParser::new().parse(mail).unwrap();
    let text = parsed.body_text(0).unwrap();
    text.split_whitespace().find(|word| word.contains(kind)).unwrap_or_else(|| panic!("no {kind} link in {text}")).to_owned()
}
