//! `offpeak bench`: how fast a cell takes and places jobs.
//!
//! A run makes nodes in a region of their own behind a taint of their own, and a tenant, so that it neither uses nor
//! disturbs what else the cell has. It encodes all requests, starts the watchers, and only then the clock. The
//! acknowledgements give the rate of jobs, the watchers the rate of placements. Then everything is taken away again.

mod clock;
mod plan;
mod raw;
mod report;
mod submit;
mod watch;

use std::{
    num::NonZero,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use offpeak::v1::{
    CancelJobRequest, CreateTenantRequest, DeleteTenantRequest, RemoveNodeRequest, Tenant,
};
use offpeak_client::{Client, Unary};
use rustix::time::{ClockId, clock_gettime};
use tokio::{sync::watch as channel, task::JoinSet, time::timeout};

use self::{
    clock::Clock,
    plan::{Names, Size},
    report::{Percentiles, Report, Watched, per_second, whole_ms},
    submit::Acknowledged,
    watch::Seen,
};
use super::{
    failure::{Failure, exit},
    human,
    session::Session,
};

/// How many clean-up calls are under way at once.
const CLEAN_UP_AT_ONCE: usize = 64;

/// Measure how fast a cell takes and places jobs.
///
/// Registers nodes and a tenant of its own, submits jobs, counts placements by watching, prints rates, latencies and
/// the CPU that this side used, and cleans up. Every acknowledgement is durable.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak bench --jobs 200000
  offpeak bench --mode stream --jobs 1000000 --in-flight 8000
  offpeak bench --jobs 100000 --rate 10000
  offpeak bench --nodes 10000 --jobs 1 --tasks 100000 -o json")]
pub(crate) struct Bench {
    /// Nodes to register
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    nodes: usize,
    /// Jobs to submit
    #[arg(long, default_value_t = 100_000, value_parser = at_least_one)]
    jobs: usize,
    /// Tasks of each job
    #[arg(long, default_value_t = 1)]
    tasks: u32,
    /// Jobs not yet acknowledged, at most; a stream has at least one batch a connection under way
    #[arg(long, default_value_t = 256, value_parser = at_least_one)]
    in_flight: usize,
    /// Connections to submit on
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    connections: usize,
    /// How to submit
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Let so many jobs a second come due, whether or not the cell keeps up, and measure from when each was due; without
    /// it each is sent as soon as may be
    #[arg(long, value_name = "JOBS_PER_S")]
    rate: Option<NonZero<u32>>,
    /// A server on this machine, by its process id: tell the CPU that it used too
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Jobs in a message of a stream
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    batch: usize,
    /// Watchers, each on a connection of its own; placements are counted by the slowest
    #[arg(long, default_value_t = 1)]
    watchers: usize,
    /// Send no request ids; the server then need not remember the requests
    #[arg(long)]
    no_request_ids: bool,
    /// How long to wait for placements after the last one seen
    #[arg(long, default_value = "10s", value_parser = human::parse_duration, value_name = "DURATION")]
    settle: Duration,
    /// Leave nodes, tenant and jobs in place
    #[arg(long)]
    keep: bool,
}

/// How jobs are submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A call for each job
    #[default]
    Unary,
    /// Batches on one stream a connection
    Stream,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a whole number".to_owned()),
    }
}

pub(crate) async fn run(bench: &Bench, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let names = Names::new();
    let out = session.out;
    out.remark(&format!("registering {} nodes", human::count(bench.nodes as u64)));
    let measured = measure(bench, &names, &client, session).await;
    let mut cleaned = Ok(());
    if bench.keep {
        let run = &names.run;
        out.remark(&format!("kept tenant {run} and the nodes of region {run}"));
    } else {
        out.remark("cleaning up");
        cleaned = clean_up(bench, &names, &client).await;
    }
    let report = measured?;
    if out.is_for_people() {
        out.print(&report.render(out.color))?;
    } else {
        out.object(&report)?;
    }
    cleaned
}

async fn measure(
    bench: &Bench,
    names: &Names,
    client: &Client,
    session: &Session,
) -> Result<Report, Failure> {
    let size = Size { nodes: bench.nodes, jobs: bench.jobs, tasks: bench.tasks };
    let begin = Instant::now();
    for registration in plan::registrations(names, size) {
        client.call(registration).await?;
    }
    let registered = begin.elapsed();
    let request = CreateTenantRequest {
        tenant: Some(Tenant { name: names.run.clone(), ..Tenant::default() }),
        ..CreateTenantRequest::default()
    };
    let created = client.call(request).await?;
    let mut clients = Vec::new();
    for _ in 0..bench.connections {
        clients.push(session.connect().await?);
    }
    let mut watching = Vec::new();
    for _ in 0..bench.watchers {
        watching.push(session.connect().await?);
    }
    let load = Load::encode(bench, names, size);

    session.out.remark(&format!("submitting {} jobs", human::count(bench.jobs as u64)));
    let cpu_before = (cpu_time(), bench.server_cpu_time());
    let clock = Clock::start(bench.jobs, bench.rate)?;
    let mut watchers = Vec::new();
    for client in watching {
        let (tx, rx) = channel::channel(Seen::default());
        let run = names.run.clone();
        tokio::spawn(watch::count(client, run, created.revision, clock.clone(), tx));
        watchers.push(rx);
    }
    let acknowledged = load.submit(&clients, bench, &clock).await?;
    let submitted = clock.begin().elapsed();
    let expected = (acknowledged.accepted as u64).saturating_mul(u64::from(bench.tasks));
    let watched = settle(&mut watchers, expected, &clock, bench.settle).await;
    let cpu = cpu_time().saturating_sub(cpu_before.0);
    let server_cpu = bench.server_cpu_time().zip(cpu_before.1);

    let a_million = |cpu_ms: u64| cpu_ms.saturating_mul(1_000_000) / expected.max(1);
    let cpu_ms = whole_ms(cpu);
    let server_cpu_ms = server_cpu.map(|(after, before)| whole_ms(after.saturating_sub(before)));
    Ok(Report {
        mode: match bench.mode {
            Mode::Unary => "unary",
            Mode::Stream => "stream",
        },
        nodes: bench.nodes,
        jobs: bench.jobs,
        tasks_per_job: bench.tasks,
        in_flight: bench.most_in_flight(),
        connections: bench.connections,
        rate: bench.rate.map(NonZero::get),
        watchers: bench.watchers,
        accepted: acknowledged.accepted,
        refused: acknowledged.refused,
        first_refusal: acknowledged.first_refusal,
        register_ms: whole_ms(registered),
        submit_ms: whole_ms(submitted),
        jobs_per_second: per_second(acknowledged.accepted as u64, submitted),
        latency_us: Percentiles::from(&acknowledged.latency_us),
        watched,
        client_cpu_ms: cpu_ms,
        client_cpu_ms_per_million_tasks: a_million(cpu_ms),
        server_cpu_ms,
        server_cpu_ms_per_million_tasks: server_cpu_ms.map(a_million),
    })
}

impl Bench {
    /// The CPU time of the server named, user and system, where the system tells it.
    fn server_cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server_pid?)).ok()?;
        // The second field is the program's name in parentheses, which may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let ticks = ticks()? + ticks()?;
        let per_second = rustix::param::clock_ticks_per_second();
        Some(Duration::from_millis(ticks.saturating_mul(1_000) / per_second.max(1)))
    }

    /// Batches that each stream has under way.
    fn window(&self) -> usize {
        (self.in_flight / self.batch / self.connections).max(1)
    }

    /// How many jobs can really be unacknowledged: a stream cannot have less than a batch under way.
    fn most_in_flight(&self) -> usize {
        match self.mode {
            Mode::Unary => self.in_flight,
            Mode::Stream => self.window() * self.batch * self.connections,
        }
    }
}

/// Requests of either mode, encoded.
enum Load {
    Unary(Vec<bytes::Bytes>),
    Stream(Vec<(bytes::Bytes, std::ops::Range<usize>)>),
}

impl Load {
    fn encode(bench: &Bench, names: &Names, size: Size) -> Self {
        let ids = !bench.no_request_ids;
        match bench.mode {
            Mode::Unary => Self::Unary(plan::unary_requests(names, size, ids)),
            Mode::Stream => Self::Stream(plan::stream_requests(names, size, ids, bench.batch)),
        }
    }

    async fn submit(
        self,
        clients: &[Client],
        bench: &Bench,
        clock: &Clock,
    ) -> Result<Acknowledged, Failure> {
        match self {
            Self::Unary(requests) => submit::unary(clients, requests, bench.in_flight, clock).await,
            Self::Stream(requests) => {
                submit::stream(clients, requests, bench.window(), clock).await
            }
        }
    }
}

/// Waits until every watcher has seen all placements, or nothing new for a while.
async fn settle(
    watchers: &mut [channel::Receiver<Seen>],
    expected: u64,
    clock: &Clock,
    patience: Duration,
) -> Option<Watched> {
    let mut slowest: Option<Seen> = None;
    for watcher in watchers {
        while watcher.borrow_and_update().placements < expected {
            // Also ends when the watcher has failed and dropped its end.
            let Ok(Ok(())) = timeout(patience, watcher.changed()).await else {
                break;
            };
        }
        let seen = *watcher.borrow();
        let is_slower = slowest.is_none_or(|slowest| {
            (seen.placements, slowest.last) < (slowest.placements, seen.last)
        });
        if is_slower {
            slowest = Some(seen);
        }
    }
    let seen = slowest?;
    let placed =
        seen.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(clock.begin()));
    Some(Watched {
        placements: seen.placements,
        missing: expected.saturating_sub(seen.placements),
        placed_ms: whole_ms(placed),
        placements_per_second: per_second(seen.placements, placed),
        until_placed_us: Percentiles::from(&clock.until_placed_us()),
    })
}

/// The CPU time of this process, all threads, user and system.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// Cancels the run's jobs and removes its nodes and its tenant, also after a run that failed half-way.
async fn clean_up(bench: &Bench, names: &Names, client: &Client) -> Result<(), Failure> {
    let cancels = (0..bench.jobs).map(|index| CancelJobRequest {
        tenant: names.run.clone(),
        name: Names::job(index),
        ..CancelJobRequest::default()
    });
    all(client, cancels).await?;
    let removals = (0..bench.nodes).map(|index| RemoveNodeRequest {
        name: names.node(index),
        force: true,
        ..RemoveNodeRequest::default()
    });
    all(client, removals).await?;
    let request = DeleteTenantRequest { name: names.run.clone(), ..DeleteTenantRequest::default() };
    all(client, [request]).await
}

/// Sends all requests, several at once. What is already gone is as good as removed.
async fn all<R: Unary>(
    client: &Client,
    requests: impl IntoIterator<Item = R>,
) -> Result<(), Failure> {
    let mut under_way = JoinSet::new();
    for request in requests {
        if under_way.len() >= CLEAN_UP_AT_ONCE {
            finish(under_way.join_next().await)?;
        }
        let client = client.clone();
        under_way.spawn(async move { client.call(request).await.map(|_| ()) });
    }
    while !under_way.is_empty() {
        finish(under_way.join_next().await)?;
    }
    Ok(())
}

type Finished = Result<Result<(), offpeak_client::Error>, tokio::task::JoinError>;

fn finish(finished: Option<Finished>) -> Result<(), Failure> {
    match finished {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) if error.code() == tonic::Code::NotFound => Ok(()),
        Some(Ok(Err(error))) => Err(Failure::from(error).while_doing("cannot clean up")),
        Some(Err(error)) => Err(Failure::new(exit::FAILURE, error.to_string())),
    }
}
