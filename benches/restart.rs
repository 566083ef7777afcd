//! How long a restart takes: a cell with many nodes and allocations is killed, started again, and asked for its
//! status as soon as it answers.
//!
//! ```text
//! cargo bench --bench restart                                    100,000 nodes, 1,000,000 allocations
//! cargo bench --bench restart -- --nodes 10000 --allocations 50000
//! cargo bench --bench restart -- --test                          small, to see that it works
//! ```
//!
//! The server is this program, started again as a process of its own, so that it can be killed.

mod process;

use std::{
    env,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use offpeak::v1::{
    CheckpointRequest, CreateTenantRequest, GetStatusRequest, GetStatusResponse, Job, JobSpec,
    Node, RegisterNodesRequest, Resources, SubmitJobRequest, Tenant, WatchFilter,
};
use offpeak_client::{Client, WatchMessage, WatchOptions, WatchStart};
use process::{Outcome, Process, client, free_address, report};

/// Nodes of one request.
const BATCH: usize = 10_000;
/// Tasks of one job.
const TASKS: usize = 10_000;

struct Sizes {
    nodes: usize,
    allocations: usize,
}

fn main() -> Outcome<()> {
    process::run(async { measure(&Sizes::parse(env::args().skip(1))?).await })
}

impl Sizes {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut sizes = Self { nodes: 100_000, allocations: 1_000_000 };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--test" => sizes = Self { nodes: 1_000, allocations: 10_000 },
                "--nodes" => sizes.nodes = arguments.next().ok_or("--nodes N")?.parse()?,
                "--allocations" => {
                    sizes.allocations = arguments.next().ok_or("--allocations N")?.parse()?;
                }
                // What cargo passes to every benchmark, and its filter.
                _ => {}
            }
        }
        Ok(sizes)
    }
}

async fn measure(sizes: &Sizes) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let address = free_address().ok_or("no port is free")?;
    let process = Process::start(folder.path(), address)?;
    let cell = client(address)?;
    let started = Instant::now();
    fill(&cell, sizes).await?;
    let filled = started.elapsed().as_secs_f64();
    let before = cell.call(GetStatusRequest::default()).await?;
    report(&format!(
        "{} nodes, {} allocations, revision {}, {} MiB of log: filled in {filled:.1} s",
        before.nodes,
        before.allocations,
        before.revision,
        before.log_bytes >> 20,
    ))?;
    drop(process);

    let process = restart(folder.path(), address, &before).await?;
    let started = Instant::now();
    client(address)?.call(CheckpointRequest {}).await?;
    report(&format!("a checkpoint of it all: {:.2} s", started.elapsed().as_secs_f64()))?;
    drop(process);
    restart(folder.path(), address, &before).await?;
    Ok(())
}

/// Starts a killed server again and tells how long it takes to answer.
async fn restart(
    folder: &Path,
    address: SocketAddr,
    before: &GetStatusResponse,
) -> Outcome<Process> {
    let started = Instant::now();
    let process = Process::start(folder, address)?;
    let status = client(address)?.call(GetStatusRequest::default()).await?;
    let took = started.elapsed().as_secs_f64();
    assert_eq!(
        (status.nodes, status.allocations, status.revision),
        (before.nodes, before.allocations, before.revision),
        "a restart loses nothing"
    );
    report(&format!(
        "restart from the checkpoint at {} and the log after it: {took:.2} s to the first answer, {} MiB",
        status.checkpoint_revision,
        memory_mib(&process)
    ))?;
    Ok(process)
}

/// Registers the nodes and submits jobs that just fill them, and waits until all of it is placed.
async fn fill(client: &Client, sizes: &Sizes) -> Outcome<()> {
    let per_node = sizes.allocations.div_ceil(sizes.nodes) as u64;
    let names: Vec<usize> = (0..sizes.nodes).collect();
    for names in names.chunks(BATCH) {
        let nodes = names.iter().map(|name| node(*name, per_node)).collect();
        client.call(RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() }).await?;
    }
    let tenant = Some(Tenant { name: "bench".to_owned(), ..Tenant::default() });
    client.call(CreateTenantRequest { tenant, ..CreateTenantRequest::default() }).await?;
    let mut left = sizes.allocations;
    while left > 0 {
        let count = left.min(TASKS);
        left -= count;
        let job = Some(job(u32::try_from(count)?));
        client.call(SubmitJobRequest { job, ..SubmitJobRequest::default() }).await?;
    }
    let filter = WatchFilter { kinds: vec!["tasks_placed".to_owned()], ..WatchFilter::default() };
    let options = WatchOptions { filter, ..WatchOptions::new(WatchStart::Now) };
    let options = WatchOptions { progress_interval: Some(Duration::from_millis(100)), ..options };
    let mut watch = client.watch(options);
    loop {
        if let WatchMessage::Interrupted(error) = watch.next().await? {
            return Err(error.into());
        }
        let status = client.call(GetStatusRequest::default()).await?;
        if status.pending_tasks == 0 {
            return Ok(());
        }
    }
}

fn node(index: usize, tasks: u64) -> Node {
    Node {
        name: format!("node-{index:06}"),
        owner: "web".to_owned(),
        region: format!("region-{}", index % 4),
        zone: format!("zone-{}", index % 12),
        labels: [("disk".to_owned(), "ssd".to_owned())].into(),
        capacity: Some(request(tasks)),
        ..Node::default()
    }
}

fn job(count: u32) -> Job {
    let spec = JobSpec { count, request: Some(request(1)), ..JobSpec::default() };
    Job { tenant: "bench".to_owned(), spec: Some(spec), ..Job::default() }
}

/// What so many tasks ask for.
fn request(tasks: u64) -> Resources {
    Resources { cpu_millis: 1_000 * tasks, memory_bytes: (1 << 30) * tasks, ..Resources::default() }
}

/// Resident memory, where the system tells it.
fn memory_mib(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}
