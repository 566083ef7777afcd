//! The whole of Offpeak in one process: a server on a real socket and a real store, a fleet whose owners' load is
//! replayed from real traces, and tenants whose jobs arrive as real ones did, six hours in half a minute.
//!
//!     cargo run --release --example demo            ends by itself
//!     cargo run --release --example demo -- --keep  goes on serving, to be tried with the command line tool

#![expect(clippy::print_stdout, reason = "a demonstration talks to people")]

mod executor;
mod fleet;
mod jobs;
mod report;
mod tally;

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use offpeak::v1::{GetCapacityRequest, GetStatusRequest};
use offpeak_client::{Client, ConnectOptions, Watch, WatchOptions, WatchStart};
use offpeak_server::{
    clock::{Clock, FastClock},
    config::Config,
    server::{Environment, Running, Server},
};
use tokio::time::{Instant, interval};

use crate::{executor::Executor, fleet::Fleet, jobs::Arrivals, report::Report, tally::Tally};

/// How much faster than life.
const FACTOR: u32 = 720;
/// Between two samples of the owners' load, and between two arrivals.
const STEP: Duration = Duration::from_secs(300);
/// Steps replayed: six hours.
const STEPS: usize = 72;
/// Steps of load reported before, so that the forecast knows a day.
const HISTORY: usize = 288;
/// Between two looks of the executor at what has to start and end.
const TICK: Duration = Duration::from_secs(60);
/// Tasks of the job that shows how fast the cell decides.
const BURST: u32 = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let keep = std::env::args().skip(1).any(|argument| argument == "--keep");
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(FastClock::new(FACTOR));
    let server = start(folder.path(), keep, &clock).await?;
    let endpoint = format!("http://{}", server.address());
    println!("offpeakd serves on {endpoint}, its store is {}", folder.path().display());

    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let client = Client::connect(ConnectOptions::to(endpoint.clone())).await?;
    replay(&client, &data, clock.as_ref()).await?;
    if keep {
        println!("\nStill serving; time goes {FACTOR} times as fast. Try, in another terminal:");
        println!("    cargo run --release -p offpeak-client -- cell");
        println!("Ctrl-C ends it.");
        tokio::signal::ctrl_c().await?;
    }
    drop(client);
    server.shutdown().await;
    Ok(())
}

async fn start(
    folder: &Path,
    keep: bool,
    clock: &Arc<FastClock>,
) -> Result<Running, Box<dyn Error>> {
    let mut config = Config { data_dir: folder.join("cell"), ..Config::default() };
    config.metrics_listen = "off".parse()?;
    if !keep {
        config.listen = ([127, 0, 0, 1], 0).into();
    }
    let clock: Arc<dyn Clock> = Arc::<FastClock>::clone(clock);
    Ok(Server::start_in(config, Environment { clock, ..Environment::default() }).await?)
}

async fn replay(client: &Client, data: &Path, clock: &FastClock) -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::read(data)?;
    let arrivals = Arrivals::read(&data.join("arrivals.csv"))?;
    let now_ms = || clock.now().0;
    fleet.register(client).await?;
    jobs::create_tenants(client).await?;
    fleet.report_history(client, HISTORY, STEP, now_ms()).await?;
    println!("{}", fleet.describe());
    let burst = burst(client, &fleet).await?;
    println!("a job of {BURST} tasks on the watch after {} ms\n", burst.as_millis());

    let mut watch = watch(client).await?;
    let mut tally = Tally::new(&fleet);
    let mut executor = Executor::new(&arrivals);
    let mut report = Report::default();
    let mut steps = interval(STEP / FACTOR);
    let mut ticks = interval(TICK / FACTOR);
    let mut step = 0;
    let began = Instant::now();
    while step < STEPS {
        tokio::select! {
            message = watch.next() => tally.take(message?, &mut executor),
            _ = ticks.tick() => executor.report(client, now_ms()).await?,
            _ = steps.tick() => {
                fleet.report_load(client, HISTORY + step, now_ms()).await?;
                jobs::submit(client, arrivals.at(step), &mut tally).await?;
                let forecast = held_back(client).await?;
                report.step(&mut tally, &fleet, (HISTORY + step, step * 5), forecast);
                step += 1;
            }
        }
    }
    let replayed = began.elapsed();
    tally.settle(now_ms());
    report.summary(&tally, replayed, f64::from(BURST) / burst.as_secs_f64());
    Ok(())
}

/// Submits a large job to the empty fleet: how long it takes until every task is placed, durable and on the watch.
async fn burst(client: &Client, fleet: &Fleet) -> Result<Duration, Box<dyn Error>> {
    let mut watch = watch(client).await?;
    let mut tally = Tally::new(fleet);
    let mut executor = Executor::default();
    let began = Instant::now();
    jobs::submit_burst(client, BURST, &mut tally).await?;
    while tally.counts.placements < u64::from(BURST) {
        tally.take(watch.next().await?, &mut executor);
    }
    let took = began.elapsed();
    jobs::cancel_burst(client).await?;
    Ok(took)
}

/// What the cell holds back for owners, in thousandths of a core: what they are expected to use at most.
async fn held_back(client: &Client) -> Result<u64, offpeak_client::Error> {
    let capacity = client.call(GetCapacityRequest::default()).await?;
    let held_back = capacity.total.and_then(|total| total.held_back);
    Ok(held_back.map_or(0, |amounts| amounts.cpu_millis))
}

/// What happens from here on. A watch from now would begin when it is first polled, which is too late.
async fn watch(client: &Client) -> Result<Watch, offpeak_client::Error> {
    let revision = client.call(GetStatusRequest::default()).await?.revision;
    Ok(client.watch(WatchOptions::new(WatchStart::After(revision))))
}
