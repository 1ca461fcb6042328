//! A private Postfix as outbound MTA: own configuration, queue, log and port; relays all to one sink.
//!
//! Postfix's master starts only as root; `tests/run` leaves tests with `postfix` in their name out
//! for others, visibly.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use super::daemon::Daemon;
use super::run;

/// The services that taking, queueing and relaying need; nothing local, no chroot.
const SERVICES: &str = "\
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
";

/// A running Postfix; stops when dropped, and its queue goes with it.
pub(crate) struct Postfix {
    address: SocketAddr,
    master: Daemon,
    _directory: TempDir,
}

impl Postfix {
    /// Takes mail for anybody from loopback and relays it to `sink`.
    pub(crate) fn start(sink: SocketAddr) -> Self {
        Self::start_with(sink, "")
    }

    /// The same with more lines for `main.cf`, which win.
    pub(crate) fn start_with(sink: SocketAddr, settings: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("consentry-postfix-").tempdir().unwrap();
        let root = directory.path();
        // Postfix drops its privileges and still has to find its queue.
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["etc", "queue", "data"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        run(Command::new("chown").arg("postfix").arg(root.join("data")));

        let address = free_address();
        let host = format!("mta-{}-{}.example", std::process::id(), address.port());
        std::fs::write(root.join("etc/main.cf"), main_cf(root, &host, sink) + settings).unwrap();
        std::fs::write(root.join("etc/master.cf"), format!("{address} inet n - n - - smtpd\n{SERVICES}")).unwrap();

        // Creates the queue's directories with their owners.
        run(Command::new("/usr/sbin/postfix").arg("-c").arg(root.join("etc")).arg("check"));
        let mut command = Command::new("/usr/lib/postfix/sbin/master");
        let master = Daemon::spawn("postfix", command.arg("-c").arg(root.join("etc")).arg("-s"));
        // Said when all sockets are bound.
        master.wait_for_line(|line| line.contains("daemon started").then_some(()));
        Self { address, master, _directory: directory }
    }

    /// Where it takes mail.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log so far; a line is written before the reply it reports reaches the other side, or soon after.
    pub(crate) fn log(&self) -> String {
        self.master.output()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // The master takes its children along.
        self.master.terminate();
    }
}

fn main_cf(root: &Path, host: &str, sink: SocketAddr) -> String {
    let (root, sink_port) = (root.display(), sink.port());
    format!(
        "\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = /dev/stdout
myhostname = {host}
mydestination =
alias_maps =
local_recipient_maps =
# a copy signed by the gateway is not touched, although it comes from loopback
local_header_rewrite_clients =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
relayhost = [127.0.0.1]:{sink_port}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
in_flow_delay = 0
"
    )
}

/// A free loopback port below those the kernel gives to outgoing connections, so that it stays free.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() as u16;
    (0..10_000)
        .map(|_| 20_000 + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("one of ten thousand ports is free")
}
