//! A proxy in front of a PostgreSQL server that cuts connections at the worst moment.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::Server;

/// When a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server has not heard of the commit.
    Before,
    /// It has done it, and its answer is lost.
    After,
    /// The same, and nobody comes to the server any more until [`Proxy::let_in`].
    AfterAndStayAway,
}

/// What the proxy is told, and tells.
#[derive(Default)]
struct State {
    next: Option<Cut>,
    is_closed: bool,
    cuts: u32,
}

pub(crate) struct Proxy {
    dir: TempDir,
    state: Arc<Mutex<State>>,
    refusals: watch::Receiver<u32>,
}

/// A file name that every client of PostgreSQL knows.
const SOCKET: &str = ".s.PGSQL.5432";

impl Proxy {
    /// Listens, and forwards to that server.
    pub(crate) fn start(server: &Server) -> Self {
        let dir = TempDir::new().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let state = Arc::<Mutex<State>>::default();
        let (refused, refusals) = watch::channel(0);
        tokio::spawn(forward_all(listener, server.socket().join(SOCKET), Arc::clone(&state), refused));
        Self { dir, state, refusals }
    }

    /// A URL of the server as one through the proxy.
    pub(crate) fn url(&self, direct: &str) -> String {
        let (rest, _) = direct.split_once("?host=").unwrap();
        format!("{rest}?host={}", self.dir.path().display())
    }

    pub(crate) fn cut_next_commit(&self, cut: Cut) {
        self.state.lock().unwrap().next = Some(cut);
    }

    /// Connections that were cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.state.lock().unwrap().cuts
    }

    /// Waits until so many attempts at a connection found it closed.
    pub(crate) async fn wait_for_refusals(&self, count: u32) {
        self.refusals.clone().wait_for(|refused| *refused >= count).await.unwrap();
    }

    pub(crate) fn let_in(&self) {
        self.state.lock().unwrap().is_closed = false;
    }
}

async fn forward_all(listener: UnixListener, server: PathBuf, state: Arc<Mutex<State>>, refused: watch::Sender<u32>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.lock().unwrap().is_closed {
            refused.send_modify(|refused| *refused += 1);
            continue;
        }
        let server = UnixStream::connect(&server).await.unwrap();
        tokio::spawn(forward(client, server, Arc::clone(&state)));
    }
}

/// Until one of them ends, or the connection is cut.
async fn forward(mut client: UnixStream, mut server: UnixStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let octets = &asked[..read?];
                if octets.is_empty() {
                    return Ok(());
                }
                let is_commit = memchr::memmem::find(octets, b"COMMIT\0").is_some();
                let cut = if is_commit { state.lock().unwrap().next.take() } else { None };
                if cut != Some(Cut::Before) {
                    server.write_all(octets).await?;
                }
                if let Some(cut) = cut {
                    if cut != Cut::Before {
                        let _ = server.read(&mut answered).await?; // it is done
                    }
                    let mut state = state.lock().unwrap();
                    state.is_closed = cut == Cut::AfterAndStayAway;
                    state.cuts += 1;
                    return Ok(());
                }
            }
            read = server.read(&mut answered) => {
                let octets = &answered[..read?];
                if octets.is_empty() {
                    return Ok(());
                }
                client.write_all(octets).await?;
            }
        }
    }
}
