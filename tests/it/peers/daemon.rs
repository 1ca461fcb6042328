//! A server process of a test: its output kept, its readiness waited for, its end certain.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The end of patience with a process; nothing is measured against it.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Output {
    lines: Vec<String>,
    open_pipes: usize,
}

type Shared = Arc<(Mutex<Output>, Condvar)>;

/// A running process; killed when dropped, unless it ended before.
pub(crate) struct Daemon {
    name: String,
    child: Child,
    output: Shared,
}

impl Daemon {
    /// Starts `command` with its standard output and error kept line by line.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let output = Shared::default();
        output.0.lock().unwrap().open_pipes = 2;
        keep(child.stdout.take().unwrap(), &output);
        keep(child.stderr.take().unwrap(), &output);
        Self { name: name.to_owned(), child, output }
    }

    /// Everything it has written so far, both streams mixed by line.
    pub(crate) fn output(&self) -> String {
        self.output.0.lock().unwrap().lines.join("\n")
    }

    /// Waits for the first line of output that `wanted` maps to something, and returns that.
    pub(crate) fn wait_for_line<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let (output, changed) = &*self.output;
        let search = |output: &Output| output.lines.iter().find_map(|line| wanted(line));
        let pending = |output: &mut Output| search(output).is_none() && output.open_pipes > 0;
        let (output, _) = changed.wait_timeout_while(output.lock().unwrap(), DEADLINE, pending).unwrap();
        search(&output).unwrap_or_else(|| panic!("{} did not say what was waited for:\n{}", self.name, output.lines.join("\n")))
    }

    /// Asks it to end (SIGTERM) and waits until it and all that hold its output have.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        self.wait_for_silence();
        status
    }

    /// Ends it at once (SIGKILL), as a crash does.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        // Already ended is as good.
        self.child.kill().ok();
        self.child.wait().unwrap()
    }

    /// Sends a signal by its name. A child not yet waited for keeps its id, so it meets nobody else.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own kill: a bare Debian has no other.
        let script = format!("kill -{name} {}", self.child.id());
        Command::new("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
    }

    /// KiB of memory that it has now, as the kernel counts.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    }

    /// The limits that the kernel holds it to.
    pub(crate) fn limits(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap()
    }

    /// Children of the process share its pipes: when both are closed, nobody is left.
    fn wait_for_silence(&self) {
        let (output, changed) = &*self.output;
        drop(changed.wait_timeout_while(output.lock().unwrap(), DEADLINE, |output| output.open_pipes > 0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
        }
    }
}

fn keep(pipe: impl Read + Send + 'static, output: &Shared) {
    let output = output.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            output.0.lock().unwrap().lines.push(String::from_utf8_lossy(&line).into_owned());
            output.1.notify_all();
        }
        output.0.lock().unwrap().open_pipes -= 1;
        output.1.notify_all();
    });
}
