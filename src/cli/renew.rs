//! The listeners' certificate and the link keys while the service runs: read again on SIGHUP and when a file has changed.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::desk::Desk;
use crate::tls::Acceptor;

/// How often the files are looked at: what renews certificates need not tell us.
const LOOK: Duration = Duration::from_secs(60);

/// SIGHUP from here on is no reason to end.
pub(super) fn hang_ups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Renews until `stopped` ends. A pair that cannot be used is told, and the one before stays; running sessions keep theirs.
pub(super) async fn renew(acceptor: Option<Acceptor>, desk: Desk, mut hang_ups: Signal, stopped: impl Future<Output = ()>) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopped = pin!(stopped);
    loop {
        let told = tokio::select! {
            () = &mut stopped => return,
            _ = hang_ups.recv() => true,
            _ = look.tick() => false,
        };
        // By the minute, since a key's time to sign may have come without a change of the file.
        let keys = desk.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || keys.renew_links(jiff::Timestamp::now())).await {
            tracing::error!("{error}; the link keys from before stay in use");
        }
        let Some(acceptor) = acceptor.clone() else { continue };
        let read = move || (told || acceptor.is_stale()).then(|| acceptor.reload());
        match tokio::task::spawn_blocking(read).await {
            Ok(Some(Ok(()))) => tracing::info!("the certificate of the listeners was read again"),
            Ok(Some(Err(error))) => tracing::error!("listen.tls: {error}; the certificate from before stays in use"),
            Ok(None) | Err(_) => {}
        }
    }
}
