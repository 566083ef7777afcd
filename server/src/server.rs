//! A whole server in one process: the store, the cell and its endpoints.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Instant};

use offpeak_core::{
    command::{Command, Request},
    model::Policy,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    api::{self, ApiOptions},
    cell::{Cell, CellError},
    clock::{Clock, SystemClock},
    config::Config,
    driver::{Driver, OnFatal, Setup, exit_on_fatal},
    recover::{RecoverError, Recovered, recover},
    renewal::{keep_renewing, renew},
    store::{Log, SledLog, StoreError, StoreOptions},
    telemetry::{self, Metrics},
};

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// What tests and demonstrations put in the place of the real thing.
#[derive(Clone)]
pub struct Environment {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What to do when a thread cannot go on.
    pub on_fatal: OnFatal,
}

/// A running server. Dropped, it goes on until the runtime ends; [`Running::shutdown`] stops it in order.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    driver: Driver,
    stop: watch::Sender<bool>,
    api: JoinHandle<Result<(), tonic::transport::Error>>,
    endpoint: Option<JoinHandle<()>>,
    renewal: JoinHandle<()>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be opened.
    #[error("could not open the store")]
    Open(#[source] StoreError),
    /// What the store holds could not be read.
    #[error("could not recover the cell from the store")]
    Recover(#[source] RecoverError),
    /// An address cannot be used.
    #[error("could not listen on {address} for {purpose}")]
    Listen {
        /// What for.
        purpose: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The cell's threads could not be started.
    #[error("could not start a thread")]
    Thread(#[source] io::Error),
    /// The configured policy was not taken.
    #[error("could not set the cell's policy")]
    Policy(#[source] CellError),
    /// Opening the store panicked. The panic's own message has been printed.
    #[error("opening the store panicked")]
    Panicked,
}

/// Why a server stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The API's transport failed.
    #[error("the API cannot be served any longer")]
    Transport(#[from] tonic::transport::Error),
    /// The API's task panicked.
    #[error("the API's task panicked")]
    Panicked,
    /// The API's task ended though nobody asked for it.
    #[error("the API's task ended")]
    Ended,
}

impl Default for Environment {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock::default()), on_fatal: exit_on_fatal() }
    }
}

impl Server {
    /// Opens the store, recovers the cell and serves it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config) -> Result<Running, StartError> {
        Self::start_in(config, Environment::default()).await
    }

    /// As [`Server::start`], in another environment than the real one.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_in(config: Config, environment: Environment) -> Result<Running, StartError> {
        // A taken address is told before a long recovery; who connects meanwhile waits.
        let (listener, address) = bind(config.listen, "calls").await?;
        let metrics_listener = match config.metrics_listen.0 {
            Some(address) => Some(bind(address, "metrics").await?),
            None => None,
        };
        let metrics = Metrics::new();
        let options = ApiOptions { drain_limit: config.shutdown_grace.0, ..ApiOptions::default() };
        let policy = config.policy();
        let opening = metrics.clone();
        let clock = Arc::clone(&environment.clock);
        let opened = spawn_blocking(move || open(&config, opening, environment)).await;
        let driver = opened.map_err(|_| StartError::Panicked)??;
        if let Err(error) = set_policy(&driver.cell(), policy).await {
            driver.stop().await;
            return Err(StartError::Policy(error));
        }
        // Whoever asks first finds what calendars say as far ahead as it should be known.
        if let Err(error) = renew(&driver.cell()).await {
            tracing::warn!(%error, "calendars are not renewed yet");
        }
        let renewal = tokio::spawn(keep_renewing(driver.cell(), clock));

        let (stop, stopping) = watch::channel(false);
        let cell = driver.cell();
        let serving = api::serve(listener, cell.clone(), options, stopped(stopping.clone()));
        let api = tokio::spawn(serving);
        let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);
        let endpoint = metrics_listener.map(|(listener, _)| {
            tokio::spawn(telemetry::serve(listener, cell, metrics, stopped(stopping)))
        });
        tracing::info!("listening on http://{address}");
        if let Some(address) = metrics_address {
            tracing::info!("metrics on http://{address}/metrics");
        }
        Ok(Running { address, metrics_address, driver, stop, api, endpoint, renewal })
    }
}

impl Running {
    /// Where the API is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics are served, unless they are off.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The handle to the cell.
    #[must_use]
    pub fn cell(&self) -> Cell {
        self.driver.cell()
    }

    /// Resolves when the API ends by itself, which it should not.
    pub async fn failed(&mut self) -> ServeError {
        match (&mut self.api).await {
            Ok(Ok(())) => ServeError::Ended,
            Ok(Err(error)) => ServeError::Transport(error),
            Err(_) => ServeError::Panicked,
        }
    }

    /// Takes no more commands, answers those that were taken, ends watches, takes a last checkpoint and closes the
    /// store. Afterwards its folder and its addresses are free.
    pub async fn shutdown(self) {
        let Self { driver, stop, api, endpoint, renewal, .. } = self;
        renewal.abort();
        driver.close();
        stop.send_replace(true);
        if !api.is_finished()
            && let Ok(Err(error)) = api.await
        {
            tracing::warn!(
                error = &error as &(dyn std::error::Error + 'static),
                "the API broke off"
            );
        }
        if let Some(endpoint) = endpoint {
            let _ = endpoint.await;
        }
        driver.stop().await;
        tracing::info!("stopped");
    }
}

async fn bind(
    address: SocketAddr,
    purpose: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { purpose, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn open(config: &Config, metrics: Metrics, environment: Environment) -> Result<Driver, StartError> {
    let options = StoreOptions { cache_bytes: config.store_cache_bytes };
    let log = SledLog::open(&config.data_dir, options).map_err(StartError::Open)?;
    let log: Arc<dyn Log> = Arc::new(log);
    let started = Instant::now();
    let Recovered { state, forecaster } = recover(&*log).map_err(StartError::Recover)?;
    tracing::info!(
        revision = state.revision().0,
        took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "recovered the cell"
    );
    let Environment { clock, on_fatal } = environment;
    let setup = Setup { state, forecaster, log, clock, metrics, on_fatal };
    Driver::start(config, setup).map_err(StartError::Thread)
}

/// The configuration wins over what the cell remembers.
async fn set_policy(cell: &Cell, policy: Policy) -> Result<(), CellError> {
    if cell.read(|state| *state.policy() == policy) {
        return Ok(());
    }
    let command = Command::SetPolicy(policy);
    cell.submit(Request { command, request_id: None, validate_only: false }).await?;
    Ok(())
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the server was dropped; it goes on then.
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("clock", &self.clock).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
