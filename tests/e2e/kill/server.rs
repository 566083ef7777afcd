//! The process that is killed.

use std::{
    env,
    io::{Read as _, stdin},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio, exit, id},
    thread,
    time::Duration,
};

use offpeak_server::{
    config::{Config, Optional, Span},
    server::Server,
};

/// The folder that the child serves; without it the child is no child.
const FOLDER: &str = "OFFPEAK_TEST_FOLDER";
/// Where it listens.
const LISTEN: &str = "OFFPEAK_TEST_LISTEN";

/// Not a claim: the process that is killed.
#[test]
fn child_serves_until_killed() {
    let Ok(folder) = env::var(FOLDER) else {
        return;
    };
    let config = Config {
        listen: env::var(LISTEN).expect("an address").parse().expect("an address"),
        metrics_listen: Optional(None),
        data_dir: folder.into(),
        // Short, so that much happens by itself.
        notice: Span(Duration::from_millis(20)),
        job_retention: Span(Duration::from_secs(1)),
        request_limit: 1_000,
        // Small, so that checkpoints, trims and reads of the log happen all the time.
        checkpoint_every_bytes: 32 << 10,
        retention_bytes: 256 << 10,
        feed_limit_records: 16,
        ..Config::default()
    };
    // Nobody is left to kill it when the test has gone.
    thread::spawn(|| {
        let _ = stdin().read(&mut [0]);
        exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let _running = Server::start(config).await.expect("a server");
        std::future::pending::<()>().await;
    });
}

/// A running child.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    pub(super) fn start(folder: &Path, address: SocketAddr) -> Self {
        let child = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "kill::server::child_serves_until_killed"])
            .args(["--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(LISTEN, address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("the child starts"))
    }

    /// Kills it without a warning. It must have been running until now.
    pub(super) fn kill(mut self, context: &str) {
        let ended = self.0.try_wait().expect("asked");
        assert_eq!(ended, None, "{context}: the server ended by itself");
        self.0.kill().expect("killed");
        self.0.wait().expect("waited");
    }
}

/// An address that stays free: outside the range from which systems take the ports of outgoing connections, among
/// which there are the clients' attempts to reach this very address while nobody listens there.
pub(super) fn free_address() -> SocketAddr {
    let ports = 20_000..30_000_u16;
    let begin = u16::try_from(id() % 10_000).expect("it fits");
    for offset in 0..10_000 {
        let port = ports.start + (begin + offset) % 10_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}
