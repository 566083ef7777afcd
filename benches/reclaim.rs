//! How soon tenants are told, in a cell of 10,000 nodes with four tasks each: from an owner's sample to the notice on a
//! watcher's socket, one node at a time; and when all owners come back at once, until every eviction is durable and there.
//!
//! ```text
//! cargo bench --bench reclaim
//! cargo bench --bench reclaim -- --test          small, to see that it works
//! ```

mod process;

use std::{
    env,
    time::{Duration, Instant},
};

use offpeak::v1::{
    CreateTenantRequest, Job, JobSpec, LoadSample, Node, RegisterNodesRequest, ReportLoadRequest,
    Resources, SubmitJobRequest, Tenant, WatchFilter, event::Kind,
    node_service_client::NodeServiceClient,
};
use offpeak_client::{Client, Watch, WatchMessage, WatchOptions, WatchStart};
use process::{Outcome, Process, client, free_address, report};
use tokio::sync::mpsc;

const TASKS: u32 = 4;
const CAPACITY: u64 = 40_000;
/// Of each task: a fifth one does not fit.
const ASKED: u64 = 9_000;
/// What fits beside four tasks, but not with the margin that the forecast adds.
const TIGHT: u64 = 3_900;
/// Owners' samples, one after the other, so many.
const SAMPLES: u32 = 1_000;

fn main() -> Outcome<()> {
    process::run(measure())
}

async fn measure() -> Outcome<()> {
    let small = env::args().any(|argument| argument == "--test");
    let (nodes, samples) = if small { (100, 20) } else { (10_000, SAMPLES) };
    let folder = tempfile::tempdir()?;
    let address = free_address().ok_or("no port is free")?;
    let _process = Process::start(folder.path(), address)?;
    let cell = client(address)?;
    fill(&cell, nodes).await?;
    let mut service = NodeServiceClient::connect(format!("http://{address}")).await?;
    let (tx, rx) = mpsc::channel(4);
    let answers = tokio::spawn(async move {
        service.report_load(tokio_stream::wrappers::ReceiverStream::new(rx)).await
    });

    let mut watch = watch(&cell, "notice_given").await?;
    let mut took = Vec::new();
    for number in 0..samples {
        let begun = Instant::now();
        tx.send(load([number].into_iter(), TIGHT)).await?;
        events(&mut watch, 1).await?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let part = |permille: usize| took[(took.len() - 1) * permille / 1000].as_secs_f64() * 1e3;
    let (median, most, worst) = (part(500), part(990), part(1_000));
    report(&format!("a notice: p50 {median:.2} ms, p99 {most:.2} ms, longest {worst:.2} ms"))?;

    let mut watch = self::watch(&cell, "task_evicted").await?;
    let begun = Instant::now();
    tx.send(load(0..nodes, CAPACITY)).await?;
    let all = nodes * TASKS;
    events(&mut watch, all).await?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    report(&format!("{all} evictions: all durable and announced after {took:.0} ms"))?;
    drop(tx);
    answers.await??;
    Ok(())
}

async fn fill(cell: &Client, nodes: u32) -> Outcome<()> {
    let registered = (0..nodes).map(|number| Node {
        name: name(number),
        owner: "web".to_owned(),
        capacity: Some(cpu(CAPACITY)),
        ..Node::default()
    });
    let nodes_request =
        RegisterNodesRequest { nodes: registered.collect(), ..RegisterNodesRequest::default() };
    cell.call(nodes_request).await?;
    let tenant = Some(Tenant { name: "bench".to_owned(), ..Tenant::default() });
    cell.call(CreateTenantRequest { tenant, ..CreateTenantRequest::default() }).await?;
    let mut watch = watch(cell, "tasks_placed").await?;
    let request = Some(cpu(ASKED));
    let spec = JobSpec { count: nodes * TASKS, request, ..JobSpec::default() };
    let job = Job { tenant: "bench".to_owned(), spec: Some(spec), ..Job::default() };
    cell.call(SubmitJobRequest { job: Some(job), ..SubmitJobRequest::default() }).await?;
    events(&mut watch, nodes * TASKS).await
}

/// A watch that has begun.
async fn watch(cell: &Client, kind: &str) -> Outcome<Watch> {
    let mut options = WatchOptions::new(WatchStart::Now);
    options.filter = WatchFilter { kinds: vec![kind.to_owned()], ..WatchFilter::default() };
    options.progress_interval = Some(Duration::from_millis(100));
    let mut watch = cell.watch(options);
    while !matches!(watch.next().await?, WatchMessage::Progress(_)) {}
    Ok(watch)
}

/// Waits until so many tasks were told of.
async fn events(watch: &mut Watch, wanted: u32) -> Outcome<()> {
    let mut seen = 0;
    while seen < wanted {
        let WatchMessage::Events(batch) = watch.next().await? else { continue };
        for event in &batch.events {
            seen += match &event.kind {
                Some(Kind::TasksPlaced(placed)) => placed.placements.iter().map(|p| p.count).sum(),
                Some(_) => 1,
                None => 0,
            };
        }
    }
    Ok(())
}

fn load(nodes: impl Iterator<Item = u32>, cpu_millis: u64) -> ReportLoadRequest {
    let sample =
        |number| LoadSample { node: name(number), time: None, load: Some(cpu(cpu_millis)) };
    ReportLoadRequest { samples: nodes.map(sample).collect() }
}

fn cpu(cpu_millis: u64) -> Resources {
    Resources { cpu_millis, ..Resources::default() }
}

fn name(number: u32) -> String {
    format!("n{number}")
}
