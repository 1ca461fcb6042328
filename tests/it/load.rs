//! Load as a company's tools make it: many connections, several streams, and tools that behave: what got no answer, or 4yz,
//! is sent again. Nothing here judges; `account` is told what was asked, answered and lost.

pub(crate) mod account;
pub(crate) mod mail;
mod tool;

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use self::account::Account;
use self::mail::{Dice, Job};
use self::tool::Tool;

/// The end of patience with the gateway; nothing is measured against it.
const DEADLINE: Duration = Duration::from_secs(120);

/// What one attempt at a mail came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 250.
    Taken(String),
    /// 5yz.
    Refused(u16, String),
    /// 4yz.
    Later(u16, String),
    /// The connection ended without one.
    None,
}

/// What the tools and the test share.
struct State {
    /// Where the gateway listens; none while it is down.
    server: Option<SocketAddr>,
    /// How often it was started.
    start: u32,
    /// No new mails; what has no answer yet is sent until it has.
    ending: bool,
    heard: usize,
    later: usize,
    account: Account,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// Tools at work.
pub(crate) struct Load {
    shared: Shared,
    tools: Vec<JoinHandle<()>>,
}

impl Load {
    /// `connections` tools begin; the same seed makes the same mails.
    pub(crate) fn start(server: SocketAddr, connections: u64, seed: u64) -> Self {
        Self::start_paced(server, connections, seed, Duration::ZERO)
    }

    /// The same with a rest of each tool after each of its mails.
    pub(crate) fn start_paced(server: SocketAddr, connections: u64, seed: u64, rest: Duration) -> Self {
        let state = State { server: Some(server), start: 1, ending: false, heard: 0, later: 0, account: Account::default() };
        let shared: Shared = Arc::new((Mutex::new(state), Condvar::new()));
        let tool = |number| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || work(&shared, number, Dice::new(seed.wrapping_add(number)), rest))
        };
        let tools = (0..connections).map(tool).collect();
        Self { shared, tools }
    }

    /// Waits until so many more answers were heard.
    pub(crate) fn wait_for_answers(&self, more: usize) {
        let wanted = self.state().heard + more;
        self.wait("answers", |state| state.heard >= wanted);
    }

    /// Waits until so many more mails were put off with 4yz.
    pub(crate) fn wait_for_deferrals(&self, more: usize) {
        let wanted = self.state().later + more;
        self.wait("deferrals", |state| state.later >= wanted);
    }

    /// The gateway went down, whoever did it.
    pub(crate) fn down(&self) {
        self.change(|state| state.server = None);
    }

    /// It is up again.
    pub(crate) fn up(&self, server: SocketAddr) {
        self.change(|state| {
            state.server = Some(server);
            state.start += 1;
        });
    }

    /// Begins a mail, writes a part of it that `dice` choose, and never listens again: a tool whose line is cut.
    pub(crate) fn begin_and_fall_silent(&self, number: u64, dice: &mut Dice) -> (Tool, Job) {
        let job = Job::new(1_000 + number, number, dice);
        let server = self.state().server.expect("it is up");
        let mut tool = Tool::login(server, job.stream).expect("the gateway is up");
        tool.send_part(&job, dice).expect("the gateway is up");
        (tool, job)
    }

    /// The mail of such a tool, sent by its next connection.
    pub(crate) fn send_again(&self, job: &Job) {
        self.change(|state| state.account.lost(job, state.start - 1));
        insist(&self.shared, job, &mut None);
    }

    /// Ends when every mail has a final answer; the account of all.
    pub(crate) fn end(mut self) -> Account {
        self.change(|state| state.ending = true);
        self.tools.drain(..).for_each(|tool| tool.join().expect("a tool's thread"));
        std::mem::take(&mut self.state().account)
    }

    /// Looks at the account so far.
    pub(crate) fn account<T>(&self, look: impl FnOnce(&mut Account) -> T) -> T {
        look(&mut self.state().account)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().expect("no tool panicked")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.shared.1.notify_all();
    }

    fn wait(&self, what: &str, reached: impl Fn(&State) -> bool) {
        let (state, waited) = self.shared.1.wait_timeout_while(self.state(), DEADLINE, |state| !reached(state)).expect("no tool panicked");
        let (heard, later) = (state.heard, state.later);
        drop(state);
        assert!(!waited.timed_out(), "waited in vain for {what}: {heard} answers, {later} deferrals");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // A test that fails must not leave tools behind that wait for a gateway.
        if let Ok(mut state) = self.shared.0.lock() {
            state.ending = true;
            state.start = u32::MAX;
        }
        self.shared.1.notify_all();
    }
}

/// One tool's day: a mail of some stream after the other.
fn work(shared: &Shared, tool: u64, mut dice: Dice, rest: Duration) {
    let mut session: Option<(u32, &'static str, Tool)> = None;
    for number in 0.. {
        let state = shared.0.lock().expect("no tool panicked");
        let (state, _) = shared.1.wait_timeout_while(state, rest, |state| !state.ending).expect("no tool panicked");
        if state.ending {
            return;
        }
        drop(state);
        // Some mails over each connection, as tools do.
        if dice.one_in(12) {
            session = None;
        }
        let job = Job::new(tool, number, &mut dice);
        if !insist(shared, &job, &mut session) {
            return;
        }
    }
}

/// Sends a mail until there is a final answer; false when the test is over before.
fn insist(shared: &Shared, job: &Job, session: &mut Option<(u32, &'static str, Tool)>) -> bool {
    loop {
        let (start, server) = {
            let state = shared.0.lock().expect("no tool panicked");
            let (state, waited) = shared.1.wait_timeout_while(state, DEADLINE, |state| state.server.is_none()).expect("no tool panicked");
            assert!(!waited.timed_out(), "the gateway did not come back");
            if state.start == u32::MAX {
                return false;
            }
            (state.start, state.server.expect("it is up"))
        };
        if !matches!(session, Some((since, stream, _)) if *since == start && *stream == job.stream) {
            *session = Tool::login(server, job.stream).map(|tool| (start, job.stream, tool));
        }
        let Some((_, _, tool)) = session else {
            // Nothing was sent. The gateway is on its way down.
            wait_for_restart(shared, start);
            continue;
        };
        let answer = tool.send(job);
        let mut state = shared.0.lock().expect("no tool panicked");
        match &answer {
            Answer::None => {
                state.account.lost(job, start);
                drop(state);
                *session = None;
                wait_for_restart(shared, start);
                continue;
            }
            Answer::Later(421, _) => {
                state.account.put_off(&answer);
                drop(state);
                *session = None;
                continue;
            }
            Answer::Later(..) => {
                state.later += 1;
                state.account.put_off(&answer);
            }
            Answer::Taken(_) | Answer::Refused(..) => {
                state.heard += 1;
                state.account.answered(job, &answer);
            }
        }
        drop(state);
        shared.1.notify_all();
        if !matches!(answer, Answer::Later(..)) {
            return true;
        }
    }
}

fn wait_for_restart(shared: &Shared, start: u32) {
    let state = shared.0.lock().expect("no tool panicked");
    let (state, waited) = shared.1.wait_timeout_while(state, DEADLINE, |state| state.start == start).expect("no tool panicked");
    drop(state);
    assert!(!waited.timed_out(), "a connection was lost, and the gateway did not go down");
}
