//! The scenarios of kube-scheduler's own performance tests that have a counterpart here, under their names, on 5,000
//! nodes like theirs: from outside, through a server that is a process of its own and acknowledges nothing that is not
//! durable. One line a scenario: what was measured, how many tasks a second came to be placed and seen on a watch, and
//! the least that their CI lets pass.
//!
//! ```text
//! cargo bench --bench scenarios
//! cargo bench --bench scenarios -- Preemption    those whose names begin so
//! cargo bench --bench scenarios -- --test        small, to see that they work
//! ```

mod process;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use offpeak::v1::{
    Constraints, CreateTenantRequest, Job, JobSpec, Node, RegisterNodesRequest, Resources, Spread,
    SpreadTopology, SubmitJobRequest, Tenant, WatchFilter, event::Kind,
};
use offpeak_client::{Client, Watch, WatchMessage, WatchOptions, WatchStart};
use process::{Outcome, Process, client, free_address, report};
use tokio::task::JoinSet;

const NODES: u32 = 5_000;
/// What a small run divides everything by.
const SMALL: u32 = 50;
/// Connections, and calls under way on each.
const CONNECTIONS: usize = 8;
const CALLS: usize = 8;
/// Between two jobs that come beside those that are measured.
const CHURN: Duration = Duration::from_millis(200);
/// Names of what is measured begin so.
const MEASURED: &str = "measured-";

struct Scenario {
    name: &'static str,
    /// As their workload is named.
    workload: &'static str,
    /// Pods a second that their CI asks for, where it asks for any.
    floor: Option<u32>,
    /// What is placed before.
    first: JobSpec,
    /// What is measured: so many jobs.
    jobs: u32,
    each: JobSpec,
    /// What comes every [`CHURN`] meanwhile.
    churn: Option<JobSpec>,
}

fn main() -> Outcome<()> {
    process::run(measure())
}

async fn measure() -> Outcome<()> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let part = if arguments.iter().any(|argument| argument == "--test") { SMALL } else { 1 };
    arguments.retain(|argument| !argument.starts_with('-'));
    for scenario in scenarios() {
        if arguments.is_empty() || arguments.iter().any(|name| scenario.name.starts_with(name)) {
            run(&scenario, part).await?;
        }
    }
    Ok(())
}

/// Their files are under `test/integration/scheduler_perf` of Kubernetes: `misc`, `topology_spreading`, `affinity`,
/// `default_preemption` and `podgroup/gangscheduling`, each with a `performance-config.yaml`.
fn scenarios() -> Vec<Scenario> {
    let plain = task(100);
    let many = |count| JobSpec { count, ..plain.clone() };
    let of = |name, workload, floor, first, jobs| {
        let each = plain.clone();
        Scenario { name, workload, floor, first: many(first), jobs, each, churn: None }
    };
    let spread = |topology: SpreadTopology, max_per_place, max_skew, count| {
        let spreads = vec![Spread { topology: topology.into(), max_per_place, max_skew }];
        let constraints = Some(Constraints { spreads, ..Constraints::default() });
        JobSpec { constraints, ..many(count) }
    };
    let zones = vec!["zone-0".to_owned(), "zone-1".to_owned()];
    let in_zones = Some(Constraints { zones, ..Constraints::default() });
    let gang = |count| JobSpec { gang: true, ..many(count) };
    let low = JobSpec { count: 20_000, ..task(900) };
    let urgent = |cpu_millis| JobSpec { priority: 10, ..task(cpu_millis) };
    vec![
        of("SchedulingBasic", "5000Nodes_10000Pods", Some(680), 1_000, 10_000),
        of("SchedulingBasic", "5000Nodes_50000Pods", Some(810), 5_000, 50_000),
        Scenario {
            each: spread(SpreadTopology::Zone, 0, 5, 5_000),
            ..of("TopologySpreading", "5000Nodes_5000Pods", Some(460), 5_000, 1)
        },
        Scenario {
            each: JobSpec { constraints: in_zones, ..plain.clone() },
            ..of("SchedulingNodeAffinity", "5000Nodes_10000Pods", Some(220), 5_000, 10_000)
        },
        Scenario {
            first: spread(SpreadTopology::Node, 1, 0, 1_000),
            each: spread(SpreadTopology::Node, 1, 0, 2_000),
            ..of("SchedulingPodAntiAffinity", "5000Nodes_2000Pods", Some(60), 0, 1)
        },
        Scenario {
            first: low.clone(),
            each: urgent(3_000),
            ..of("PreemptionBasic", "5000Nodes", None, 0, 5_000)
        },
        Scenario {
            first: low,
            churn: Some(urgent(3_000)),
            ..of("PreemptionAsync", "5000Nodes", Some(570), 0, 5_000)
        },
        Scenario {
            churn: Some(urgent(9_000)),
            ..of("Unschedulable", "5kNodes/20kInit/10kPods", Some(600), 20_000, 10_000)
        },
        Scenario {
            each: gang(3),
            ..of("GangScheduling", "5000Nodes_3000Gangs_9000Pods", None, 0, 3_000)
        },
        Scenario {
            each: gang(5_000),
            ..of("GangScheduling", "5000Nodes_10Gangs_50000Pods_5000PerGroup", None, 0, 10)
        },
    ]
}

/// Like their pods: so much CPU and 500 MiB. What is evicted goes at once.
fn task(cpu_millis: u64) -> JobSpec {
    let request = Resources { cpu_millis, memory_bytes: 500 << 20, ..Resources::default() };
    let notice = Some(prost_types::Duration::default());
    JobSpec { count: 1, request: Some(request), notice, ..JobSpec::default() }
}

/// Like their nodes: 4 cores, 32 GiB, in three zones.
fn node(number: u32) -> Node {
    let memory_bytes = 32 << 30;
    Node {
        name: format!("node-{number}"),
        owner: "web".to_owned(),
        region: "moon".to_owned(),
        zone: format!("zone-{}", number % 3),
        capacity: Some(Resources { cpu_millis: 4_000, memory_bytes, ..Resources::default() }),
        ..Node::default()
    }
}

async fn run(scenario: &Scenario, part: u32) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let address = free_address().ok_or("no port is free")?;
    let process = Process::start(folder.path(), address)?;
    let cell = client(address)?;
    let nodes = (0..NODES / part).map(node).collect();
    cell.call(RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() }).await?;
    let tenant =
        Tenant { name: "bench".to_owned(), priority_ceiling: Some(10), ..Tenant::default() };
    let tenant = CreateTenantRequest { tenant: Some(tenant), ..CreateTenantRequest::default() };
    let created = cell.call(tenant).await?.revision;
    let filter = WatchFilter { kinds: vec!["tasks_placed".to_owned()], ..WatchFilter::default() };
    let options = WatchOptions { filter, ..WatchOptions::new(WatchStart::After(created)) };
    let mut watch = cell.watch(options);
    if scenario.first.count > 0 {
        let first = smaller(&scenario.first, part);
        let count = u64::from(first.count);
        cell.call(submission("first", first)).await?;
        placed(&mut watch, "first", count).await?;
    }

    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(client(address)?);
    }
    let churn = scenario.churn.clone().map(|each| tokio::spawn(churn(cell.clone(), each)));
    // A job of many tasks is made smaller itself, one of many jobs is one of fewer.
    let (jobs, each) = match scenario.each.count {
        1..100 => ((scenario.jobs / part).max(1), scenario.each.clone()),
        _ => (scenario.jobs, smaller(&scenario.each, part)),
    };
    let tasks = u64::from(jobs) * u64::from(each.count);
    let (begun, cpu_before) = (Instant::now(), cpu_millis(&process));
    let submitting = submit(&clients, jobs, &each);
    let (submitted, seen) = tokio::join!(submitting, placed(&mut watch, MEASURED, tasks));
    submitted?;
    seen?;
    let took = begun.elapsed();
    let cpu = cpu_millis(&process).saturating_sub(cpu_before);
    churn.into_iter().for_each(|churn| churn.abort());
    drop(process);
    let floor = scenario.floor.map_or("none".to_owned(), |floor| floor.to_string());
    report(&format!(
        "{}/{}: {tasks} tasks in {:.3} s, {:.0} a second, server CPU {cpu} ms; their floor: {floor}",
        scenario.name,
        scenario.workload,
        took.as_secs_f64(),
        f64::from(u32::try_from(tasks)?) / took.as_secs_f64(),
    ))
}

/// The CPU time of the server, where the system tells it, in a hundred ticks a second as usual.
fn cpu_millis(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

fn smaller(spec: &JobSpec, part: u32) -> JobSpec {
    JobSpec { count: (spec.count / part).max(1), ..spec.clone() }
}

fn submission(name: &str, spec: JobSpec) -> SubmitJobRequest {
    let (tenant, name) = ("bench".to_owned(), name.to_owned());
    let job = Some(Job { tenant, name, spec: Some(spec), ..Job::default() });
    SubmitJobRequest { job, ..SubmitJobRequest::default() }
}

/// Submits the jobs, one a call.
async fn submit(clients: &[Client], jobs: u32, each: &JobSpec) -> Outcome<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for client in clients.iter().cycle().take(CONNECTIONS * CALLS) {
        let (client, next, each) = (client.clone(), Arc::clone(&next), each.clone());
        callers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= jobs as usize {
                    return Ok(());
                }
                let job = submission(&format!("{MEASURED}{number}"), each.clone());
                client.call(job).await?;
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done?.map_err(|error: offpeak_client::Error| error)?;
    }
    Ok(())
}

/// Submits another job now and then until it is aborted.
async fn churn(client: Client, each: JobSpec) {
    let mut turns = tokio::time::interval(CHURN);
    loop {
        turns.tick().await;
        let job = submission("", each.clone());
        if client.call(job).await.is_err() {
            return;
        }
    }
}

/// Waits until so many tasks of jobs whose names begin so were placed. One that was preempted counts once more when it
/// is placed again, which none of what is measured is.
async fn placed(watch: &mut Watch, begin: &str, tasks: u64) -> Outcome<()> {
    let mut seen = 0;
    while seen < tasks {
        let batch = match watch.next().await? {
            WatchMessage::Events(batch) => batch,
            WatchMessage::Interrupted(error) => return Err(error.into()),
            _ => continue,
        };
        for event in batch.events {
            if let Some(Kind::TasksPlaced(placed)) = event.kind
                && placed.job.starts_with(begin)
            {
                seen += placed.placements.iter().map(|p| u64::from(p.count)).sum::<u64>();
            }
        }
    }
    Ok(())
}
