//! A server as a process of its own, for benchmarks that measure it from outside or kill it: this program, started again.

use std::{
    env,
    error::Error,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use offpeak_client::{Client, ConnectOptions, RetryPolicy};
use offpeak_server::{
    config::{Config, Optional},
    server::Server,
};

/// The folder and the address that a child serves; without them this is the parent.
const FOLDER: &str = "OFFPEAK_BENCH_FOLDER";
const LISTEN: &str = "OFFPEAK_BENCH_LISTEN";

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A server that does not outlive this program.
pub(crate) struct Process(Child);

/// Serves if this is a child, and measures otherwise.
pub(crate) fn run(measure: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let (Ok(folder), Ok(listen)) = (env::var(FOLDER), env::var(LISTEN)) {
        return runtime.block_on(serve(folder.as_ref(), listen.parse()?));
    }
    runtime.block_on(measure)
}

async fn serve(folder: &Path, listen: SocketAddr) -> Outcome<()> {
    let config = Config {
        listen,
        metrics_listen: Optional(None),
        data_dir: folder.to_owned(),
        ..Config::default()
    };
    let mut running = Server::start(config).await?;
    Err(running.failed().await.into())
}

/// A client that asks again at once while nobody listens.
pub(crate) fn client(address: SocketAddr) -> Outcome<Client> {
    let pause = Duration::from_millis(5);
    let retry = RetryPolicy { max_attempts: u32::MAX, first_pause: pause, longest_pause: pause };
    let options = ConnectOptions {
        retry,
        timeout: Duration::from_secs(300),
        ..ConnectOptions::to(format!("http://{address}"))
    };
    Ok(Client::connect_lazy(&options)?)
}

/// Outside the range from which systems take the ports of outgoing connections: one of them might be our own attempt
/// to reach this very address.
pub(crate) fn free_address() -> Option<SocketAddr> {
    (20_000..30_000)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
}

pub(crate) fn report(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

impl Process {
    pub(crate) fn start(folder: &Path, address: SocketAddr) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.env(FOLDER, folder).env(LISTEN, address.to_string()).stdin(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    #[allow(dead_code, reason = "not every benchmark looks at the process")]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

/// Kills without a warning.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
