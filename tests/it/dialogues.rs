//! Runs every `tests/dialogues/*.smtp` against a real server: what the client says, what the server
//! must answer, what the handler must have got. `tests/dialogues/README.md` explains the lines.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use consentry::smtp::{Door, Protocol, SmtpSettings, Tls};

use super::smtp_server::{Client, Keeper, Server, acceptor, certificate, stream, summary};

/// For a dialogue that waits for what never comes.
const HANGS: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_dialogue_goes_as_written() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut scripts: Vec<_> = std::fs::read_dir(&dir).expect("the directory").map(|entry| entry.expect("readable").path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "smtp"));
    scripts.sort();
    assert!(scripts.len() >= 20, "dialogues are missing");
    let mut faults = String::new();
    for script in &scripts {
        let outcome = tokio::time::timeout(HANGS, run(script)).await;
        if let Err(fault) = outcome.unwrap_or_else(|_| Err("hangs".into())) {
            let _ = writeln!(faults, "{}: {fault}", script.display());
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

async fn run(script: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(script).map_err(|error| error.to_string())?;
    let settings: String = text.lines().filter_map(|line| line.strip_prefix("set ")).fold(String::new(), |all, line| all + line + "\n");
    let settings: SmtpSettings = toml::from_str(&settings).map_err(|error| error.to_string())?;
    let says = |word: &str| text.lines().any(|line| line == word);
    let keeper = Keeper::new(!says("no network"), false);
    let door = Door {
        protocol: if says("listener lmtp") { Protocol::Lmtp } else { Protocol::Smtp },
        stream: ["listener", "slow"].into_iter().find(|name| says(&format!("listener stream {name}"))).map(stream),
        ..Door::submission(if says("no certificate") { Tls::Off } else { Tls::StartTls(acceptor()) })
    };
    let server = Server::start_behind(&keeper, settings, door).await;
    let mut client = Client::connect(server.address).await;
    let mut unsent = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let fault = |fault: String| format!("line {}: {fault}", number + 1);
        // Lines of the client that follow each other leave in one write, that is pipelined.
        if let Some(said) = line.strip_prefix("C: ") {
            unsent.extend_from_slice(said.as_bytes());
            unsent.extend_from_slice(b"\r\n");
            continue;
        }
        if let Some(raw) = line.strip_prefix("C-raw: ") {
            unsent.extend(unescape(raw).ok_or_else(|| fault("unknown escape".into()))?);
            continue;
        }
        if !unsent.is_empty() {
            client.send(&std::mem::take(&mut unsent)).await;
        }
        if let Some(expected) = line.strip_prefix("S: ") {
            expect(&mut client, expected).await.map_err(fault)?;
        } else if line == "tls" {
            client = client.start_tls(&certificate().0).await;
        } else if line == "close" {
            if let Some(more) = client.line().await {
                return Err(fault(format!("{more:?} instead of the end")));
            }
        } else if let Some(expected) = line.strip_prefix("got: ") {
            let last = keeper.kept.lock().expect("not poisoned").last().map(summary).unwrap_or_default();
            if last != expected {
                return Err(fault(format!("the handler got {last:?}")));
            }
        } else if !(line.is_empty() || ["#", "set ", "no ", "listener "].iter().any(|front| line.starts_with(front))) {
            return Err(fault("no such line in dialogues".into()));
        }
    }
    if !unsent.is_empty() {
        return Err("ends with unsent lines: expect an answer".into());
    }
    drop(client);
    server.shut_down().await;
    check_messages(script, &keeper)
}

/// A reply: `250-text` takes one line of several, `250` takes all up to the last one, which must begin so;
/// `~250 *ok` is a pattern for the last line, where `*` stands for anything.
async fn expect(client: &mut Client, expected: &str) -> Result<(), String> {
    loop {
        let line = client.line().await.ok_or("the server closed the connection")?;
        let continues = line.as_bytes().get(3) == Some(&b'-');
        if continues && expected.as_bytes().get(3) != Some(&b'-') {
            continue;
        }
        let matches = match expected.strip_prefix('~') {
            Some(pattern) => is_like(&line, pattern),
            None => line.starts_with(expected),
        };
        return if matches { Ok(()) } else { Err(format!("the server said {line:?}")) };
    }
}

fn is_like(line: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => line == pattern,
        Some((front, rest)) => line
            .strip_prefix(front)
            .is_some_and(|tail| tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| is_like(&tail[at..], rest))),
    }
}

/// `\r \n \t \0 \\ \xHH`, and `\{n}` repeats the octet before it n times in all.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = rest[at + 1..].chars().next()?;
        rest = &rest[at + 2..];
        match escape {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '0' => out.push(0),
            '\\' => out.push(b'\\'),
            'x' => {
                out.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                rest = &rest[2..];
            }
            '{' => {
                let (times, tail) = rest.split_once('}')?;
                let octet = *out.last()?;
                out.resize(out.len() + times.parse::<usize>().ok()? - 1, octet);
                rest = tail;
            }
            _ => return None,
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out)
}

/// `X.out.eml` holds what the handler got: line ends as in the repository, messages separated by a line.
fn check_messages(script: &Path, keeper: &Keeper) -> Result<(), String> {
    let expected = std::fs::read_to_string(script.with_extension("out.eml")).unwrap_or_default().replace('\n', "\r\n");
    let kept = keeper.kept.lock().expect("not poisoned");
    let messages: Vec<_> = kept.iter().map(|submission| String::from_utf8_lossy(&submission.data).into_owned()).collect();
    let got = messages.join("=== next message ===\r\n");
    if got == expected { Ok(()) } else { Err(format!("the handler got {got:?}")) }
}
