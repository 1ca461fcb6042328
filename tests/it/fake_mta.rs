//! An outbound MTA that does what a script says: takes mail and keeps it, or fails at the stage a
//! test wants. Speaks real SMTP on a real port, and waits without sleeping.

mod certificate;
mod script;
mod session;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub(crate) use self::certificate::TestCertificate;
pub(crate) use self::script::{Act, Script, Stage};
use self::session::Session;

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// Number of the connection, from 1.
    pub(crate) connection: usize,
    /// Between the brackets of MAIL FROM.
    pub(crate) reverse_path: String,
    /// What follows the brackets, e.g. `BODY=8BITMIME`.
    pub(crate) parameters: String,
    /// What follows the brackets of the last RCPT TO, e.g. `NOTIFY=NEVER`.
    pub(crate) recipient_parameters: String,
    /// Between the brackets of RCPT TO.
    pub(crate) recipients: Vec<String>,
    /// The message, without dot-stuffing.
    pub(crate) message: Vec<u8>,
    /// Arrived under TLS.
    pub(crate) tls: bool,
    /// DATA was there before MAIL was answered.
    pub(crate) pipelined: bool,
}

/// The running MTA. It stops when dropped; its connections end with the runtime.
pub(crate) struct FakeMta {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
    released: watch::Sender<bool>,
}

struct State {
    script: Script,
    reached: HashMap<Stage, usize>,
    connections: usize,
    closed: usize,
    commands: Vec<String>,
    received: Vec<Received>,
}

impl State {
    /// `stage` is reached once more: what happens there.
    fn next(&mut self, stage: Stage) -> Act {
        let times = self.reached.entry(stage).or_default();
        *times += 1;
        self.script.act(stage, *times)
    }
}

impl FakeMta {
    /// Starts on a free port of 127.0.0.1.
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = State { script, reached: HashMap::new(), connections: 0, closed: 0, commands: Vec::new(), received: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Notify::new(), released: watch::Sender::new(false) });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on acts so, on open connections too. Counting of stages begins anew.
    pub(crate) fn set(&self, script: Script) {
        self.shared.released.send_replace(false);
        self.shared.change(|state| {
            state.script = script;
            state.reached.clear();
        });
    }

    /// Lets all that hangs go on.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// Takes no further connections: who comes is refused by the host.
    pub(crate) async fn stop(mut self) -> SocketAddr {
        self.accepting.abort();
        let _ = (&mut self.accepting).await; // the listener is closed when the task is gone
        self.address
    }

    /// Connections taken so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state.lock().expect("no panic").connections
    }

    /// The command lines of all connections, in order of arrival.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.shared.state.lock().expect("no panic").commands.clone()
    }

    /// The mails taken so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.state.lock().expect("no panic").received.clone()
    }

    /// Waits until `count` mails were taken; gives all.
    pub(crate) async fn wait_received(&self, count: usize) -> Vec<Received> {
        self.wait("mails", |state| (state.received.len() >= count).then(|| state.received.clone())).await
    }

    /// Waits for the `number`th mail to `who`, from 1.
    pub(crate) async fn wait_to(&self, who: &str, number: usize) -> Received {
        let nth = |state: &State| state.received.iter().filter(|mail| mail.recipients == [who]).nth(number - 1).cloned();
        self.wait("a mail to somebody", nth).await
    }

    /// Waits until `count` connections have ended.
    pub(crate) async fn wait_closed(&self, count: usize) {
        self.wait("ends of connections", |state| (state.closed >= count).then_some(())).await;
    }

    /// Waits until `stage` was reached `count` times since the script was set.
    pub(crate) async fn wait_reached(&self, stage: Stage, count: usize) {
        self.wait("stage", |state| (state.reached.get(&stage).is_some_and(|times| *times >= count)).then_some(())).await;
    }

    async fn wait<T>(&self, what: &str, check: impl Fn(&State) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                if let Some(found) = check(&self.shared.state.lock().expect("no panic")) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }
}

impl Drop for FakeMta {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().expect("no panic"));
        self.changed.notify_waiters();
        result
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((tcp, _)) = listener.accept().await {
        tcp.set_nodelay(true).expect("a TCP socket");
        let number = shared.change(|state| {
            state.connections += 1;
            state.connections
        });
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut session = Session::new(tcp, number, Arc::clone(&shared));
            let _ended = session.run().await;
            drop(session); // closed before it is said so
            shared.change(|state| state.closed += 1);
        });
    }
}
