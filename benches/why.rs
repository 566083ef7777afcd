//! How long it takes to be told why a job waits, what would let it start, and what submitting one would come to, in a cell
//! of 10,000 nodes where 1,000,000 tasks wait, from outside, while other jobs come and are placed.
//!
//! ```text
//! cargo bench --bench why
//! cargo bench --bench why -- --pace 10           what a question each 10 ms leaves of the pace at which jobs are taken
//! cargo bench --bench why -- --test              small, to see that it works
//! ```
//!
//! The pace is a ratio: jobs are submitted as fast as they are answered, in turns with nobody asking and with a question
//! every few milliseconds, and each turn is compared with the one before. Whoever asks and is answered takes some of the
//! machine too: on few cores the ratio tells of that as well as of what the engine loses.

mod process;

use std::{
    env,
    net::SocketAddr,
    time::{Duration, Instant},
};

use offpeak::v1::{
    CreateTenantRequest, ExplainJobRequest, GetJobRequest, Job, JobSpec, Node, PlanJobRequest,
    RegisterNodesRequest, Resources, SubmitJobRequest, SubmitJobsRequest, Tenant,
    job_service_client::JobServiceClient,
};
use offpeak_client::Client;
use process::{Outcome, Process, client, free_address, report};

/// Tasks of each job that waits, and shapes of all of them.
const TASKS: u32 = 100;
const SHAPES: usize = 100;
/// Between two jobs that are placed meanwhile.
const PAUSE: Duration = Duration::from_millis(1);
/// Questions that need a fork are so many times fewer.
const FEWER: usize = 5;

/// Who submit at the same time where the pace is measured.
const SUBMITTERS: usize = 16;
/// How long each turn takes, and how many pairs of turns there are.
const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 15;
/// Milliseconds between two questions, where nothing else is said.
const ASKED_EVERY: u64 = 10;

fn main() -> Outcome<()> {
    process::run(measure())
}

async fn measure() -> Outcome<()> {
    let small = env::args().any(|argument| argument == "--test");
    let (nodes, waiting, questions) = if small { (100, 100, 50) } else { (10_000, 10_000, 5_000) };
    let folder = tempfile::tempdir()?;
    let address = free_address().ok_or("no port is free")?;
    let _process = Process::start(folder.path(), address)?;
    let cell = client(address)?;
    let nodes = (0..nodes).map(node).collect();
    cell.call(RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() }).await?;
    let tenant = Some(Tenant { name: "bench".to_owned(), ..Tenant::default() });
    cell.call(CreateTenantRequest { tenant, ..CreateTenantRequest::default() }).await?;
    let jobs = (0..waiting).map(|number| {
        let request = Resources { cpu_millis: 1 << 20, ..task(number % SHAPES) };
        submission(&name(number), TASKS, request)
    });
    submit(address, jobs.collect()).await?;

    let mut arguments = env::args().skip_while(|argument| argument != "--pace");
    if arguments.next().is_some() {
        let every = arguments.find_map(|argument| argument.parse().ok()).unwrap_or(ASKED_EVERY);
        let (turn, turns) = if small { (TURN / 20, 3) } else { (TURN, TURNS) };
        return pace(&cell, waiting, Duration::from_millis(every), turn, turns).await;
    }
    let others = tokio::spawn(come(cell.clone()));
    let tenant = "bench".to_owned();
    let mut took = Vec::with_capacity(questions);
    for number in 0..questions {
        let ask = GetJobRequest {
            tenant: tenant.clone(),
            name: name(number * 7 % waiting),
            min_revision: 0,
        };
        let begun = Instant::now();
        let job = cell.call(ask).await?.job.unwrap_or_default();
        took.push(begun.elapsed());
        assert!(!job.pending_reasons.is_empty(), "it says why it waits");
    }
    tell("answered", &mut took)?;
    // Of any revision, and so of forks that serve several questions.
    for number in 0..questions / FEWER {
        let ask = explain(number * 7 % waiting);
        let begun = Instant::now();
        let answer = cell.call(ask).await?;
        took.push(begun.elapsed());
        assert!(answer.nearest.is_some(), "it says what is nearest");
    }
    tell("explained", &mut took)?;
    for number in 0..questions / FEWER {
        let job = submission("", 1, task(number % SHAPES)).job;
        let begun = Instant::now();
        let answer = cell.call(PlanJobRequest { job, min_revision: 1 }).await?;
        took.push(begun.elapsed());
        assert_eq!(answer.placements.len(), 1, "it would be placed");
    }
    others.abort();
    tell("planned", &mut took)
}

/// Tells what is left of the pace at which jobs are taken while somebody asks.
async fn pace(
    cell: &Client,
    waiting: usize,
    every: Duration,
    turn: Duration,
    turns: usize,
) -> Outcome<()> {
    let (mut ratios, mut alone, mut asked) = (Vec::new(), 0, 0);
    for number in 0..turns {
        let before = submitted(cell, turn).await?;
        let questions = tokio::spawn(questions(cell.clone(), waiting, number, every, turn));
        let beside = submitted(cell, turn).await?;
        asked += questions.await?;
        alone += before;
        ratios.push(beside as f64 / before as f64);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let part = |permille: usize| ratios[(ratios.len() - 1) * permille / 1000];
    let seconds = turn.as_secs_f64() * turns as f64;
    let (jobs, questions) = (f64::from(alone) / seconds, f64::from(asked) / seconds);
    report(&format!("{jobs:.0} jobs a second alone; {questions:.0} questions a second leave"))?;
    let (least, median, most) = (part(0), part(500), part(1_000));
    report(&format!("{median:.3} of that pace (from {least:.3} to {most:.3})"))
}

/// How many jobs were taken while all submitters submitted for so long.
async fn submitted(cell: &Client, turn: Duration) -> Outcome<u32> {
    let until = Instant::now() + turn;
    let submitters = (0..SUBMITTERS).map(|_| {
        let cell = cell.clone();
        tokio::spawn(async move {
            let mut taken = 0;
            while Instant::now() < until {
                cell.call(submission("", 1, task(0))).await?;
                taken += 1;
            }
            Ok::<u32, offpeak_client::Error>(taken)
        })
    });
    let submitters: Vec<_> = submitters.collect();
    let mut taken = 0;
    for submitter in submitters {
        taken += submitter.await??;
    }
    Ok(taken)
}

/// Asks why jobs wait and what others would come to, in turns. How many answers came.
async fn questions(
    cell: Client,
    waiting: usize,
    seed: usize,
    every: Duration,
    turn: Duration,
) -> u32 {
    let until = Instant::now() + turn;
    let mut turns = tokio::time::interval(every);
    let mut answers = 0;
    for number in seed * 1_000.. {
        turns.tick().await;
        if Instant::now() >= until {
            break;
        }
        let answered = if number % 2 == 0 {
            cell.call(explain(number * 7 % waiting)).await.is_ok()
        } else {
            let job = submission("", 1, task(number % SHAPES)).job;
            cell.call(PlanJobRequest { job, min_revision: 1 }).await.is_ok()
        };
        answers += u32::from(answered);
    }
    answers
}

/// Why a job waits, as of any revision.
fn explain(number: usize) -> ExplainJobRequest {
    let (tenant, name) = ("bench".to_owned(), name(number));
    ExplainJobRequest { tenant, name, node: String::new(), min_revision: 1 }
}

/// Tells how long answers took and forgets it.
fn tell(what: &str, took: &mut Vec<Duration>) -> Outcome<()> {
    took.sort_unstable();
    let part = |permille: usize| took[(took.len() - 1) * permille / 1000].as_secs_f64() * 1e3;
    let (median, most, worst) = (part(500), part(990), part(1_000));
    report(&format!("{what}: p50 {median:.2} ms, p99 {most:.2} ms, longest {worst:.2} ms"))?;
    took.clear();
    Ok(())
}

/// Submits all in one stream.
async fn submit(address: SocketAddr, jobs: Vec<SubmitJobRequest>) -> Outcome<()> {
    let batches: Vec<SubmitJobsRequest> =
        jobs.chunks(1_000).map(|jobs| SubmitJobsRequest { jobs: jobs.to_vec() }).collect();
    let mut service = JobServiceClient::connect(format!("http://{address}")).await?;
    let mut answers = service.submit_jobs(tokio_stream::iter(batches)).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

/// Lets small jobs come until it is aborted.
async fn come(client: Client) {
    let mut turns = tokio::time::interval(PAUSE);
    loop {
        turns.tick().await;
        if client.call(submission("", 1, task(0))).await.is_err() {
            return;
        }
    }
}

fn name(number: usize) -> String {
    format!("waits-{number}")
}

/// What a task asks for: a little more memory for each shape.
fn task(shape: usize) -> Resources {
    let memory_bytes = (1 << 20) + shape as u64;
    Resources { cpu_millis: 100, memory_bytes, ..Resources::default() }
}

fn submission(name: &str, count: u32, request: Resources) -> SubmitJobRequest {
    let (tenant, name) = ("bench".to_owned(), name.to_owned());
    let spec = Some(JobSpec { count, request: Some(request), ..JobSpec::default() });
    let job = Some(Job { tenant, name, spec, ..Job::default() });
    SubmitJobRequest { job, ..SubmitJobRequest::default() }
}

fn node(number: u32) -> Node {
    let (cpu_millis, memory_bytes) = (32_000 + u64::from(number), 128 << 30);
    Node {
        name: format!("node-{number}"),
        owner: "web".to_owned(),
        region: format!("region-{}", number % 4),
        capacity: Some(Resources { cpu_millis, memory_bytes, ..Resources::default() }),
        ..Node::default()
    }
}
