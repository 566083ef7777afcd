//! What a step of the engine costs, its events made and applied: `cargo bench -p offpeak-core`. With `--test` the same
//! on small cells, once.

use std::{sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use offpeak_core::{
    command::{Command, Request, TaskOutcome, TaskReport},
    engine::Engine,
    model::{
        AllocationId, Constraints, JobSpec, Labels, Millis, Name, NodeSpec, Priority, Quota,
        Resources, TenantSpec, Time,
    },
    state::State,
};

const NOW: Time = Time(1_700_000_000_000);

/// Under `cargo test` and with `--test` every bench runs once.
fn small() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--test") || !given("--bench")
}

/// The full size, or with `--test` a small one.
fn size(full: u32) -> u32 {
    if small() { full.div_ceil(100) } else { full }
}

fn request(cpu_millis: u64, gib: u64, gpu_millis: u64) -> Resources {
    Resources { cpu_millis, memory_bytes: gib << 30, gpu_millis, ..Resources::default() }
}

fn ask(command: Command) -> Request {
    Request { command, request_id: None, validate_only: false }
}

fn submit(request: &Resources, count: u32, gang: bool) -> Request {
    let spec = JobSpec {
        count,
        request: request.clone(),
        constraints: Constraints::default(),
        priority: Priority(0),
        min_runtime: Millis(0),
        max_runtime: None,
        deadline: None,
        gang,
        labels: Labels::new(),
        notice: None,
    };
    let (tenant, name) = (Name::parse("acme").expect("a name"), Name::default());
    ask(Command::SubmitJob { tenant, name, spec: Arc::new(spec) })
}

/// Three kinds of machines: without GPUs, with two, with eight.
fn machine(number: u32) -> NodeSpec {
    let (capacity, model) = match number % 8 {
        0 => (request(128_000, 768, 8_000), "G3"),
        1..4 => (request(64_000, 256, 2_000), "T4"),
        _ => (request(96_000, 384, 0), ""),
    };
    NodeSpec {
        name: Name::parse(&format!("n{number}")).expect("a name"),
        owner: Name::parse("owner").expect("a name"),
        region: Name::default(),
        zone: Name::default(),
        labels: Labels::new(),
        taints: Vec::new(),
        capacity,
        gpu_model: Name::parse_optional(model).expect("a name"),
        reservation: Resources::default(),
        report_ttl: None,
    }
}

/// About 151 shapes: without GPUs, shares of one, whole ones.
fn shapes() -> Vec<Resources> {
    let plain = (0..60).map(|n| request(1_000 + 500 * (n % 20), 2 + n % 15, 0));
    let shares = (0..60).map(|n| request(2_000 + 1_000 * (n % 6), 4 + n % 10, 100 + 50 * (n % 16)));
    let whole = (0..31).map(|n| request(6_000 + 1_000 * (n % 4), 16 + n % 8, 1_000 << (n % 4)));
    plain.chain(shares).chain(whole).collect()
}

fn cell(nodes: u32) -> Engine {
    let mut engine = Engine::new(State::default(), NOW);
    let tenant = TenantSpec {
        name: Name::parse("acme").expect("a name"),
        quota: Quota::default(),
        weight: 1,
        priority_ceiling: Priority(100),
        labels: Labels::new(),
    };
    let nodes = (0..nodes).map(machine).collect();
    run(&mut engine, vec![ask(Command::CreateTenant(tenant)), ask(Command::RegisterNodes(nodes))]);
    engine
}

/// Steps until nothing is left to do.
fn run(engine: &mut Engine, requests: Vec<Request>) {
    let mut requests = Some(requests);
    while requests.is_some() || engine.next_wakeup().is_some_and(|due| due <= NOW) {
        engine.step(NOW, requests.take().unwrap_or_default());
    }
}

/// Single tasks of mixed shapes, in the order of a fixed stride.
fn mixed(tasks: u32) -> Vec<Request> {
    let shapes = shapes();
    let shape = |n: u32| &shapes[n as usize * 67 % shapes.len()];
    (0..tasks).map(|n| submit(shape(n), 1, false)).collect()
}

fn fill(engine: &mut Engine, requests: Vec<Request>) {
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        run(engine, requests.by_ref().take(1_000).collect());
    }
}

fn place(c: &mut Criterion) {
    let mut group = c.benchmark_group("place");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    let (nodes, tasks) = (size(10_000), size(90_000));
    let empty = cell(nodes).state().clone();
    group.throughput(Throughput::Elements(u64::from(tasks)));
    group.bench_function("mixed/10k_nodes", |b| {
        let ready = || (Engine::new(empty.clone(), NOW), mixed(tasks));
        b.iter_batched(ready, |(mut e, work)| fill(&mut e, work), BatchSize::LargeInput);
    });
    let tasks = size(100_000);
    group.throughput(Throughput::Elements(u64::from(tasks)));
    group.bench_function("identical_batch", |b| {
        let ready =
            || (Engine::new(empty.clone(), NOW), submit(&request(2_000, 4, 0), tasks, false));
        b.iter_batched(ready, |(mut e, work)| run(&mut e, vec![work]), BatchSize::LargeInput);
    });
    let tasks = size(5_000);
    group.throughput(Throughput::Elements(u64::from(tasks)));
    group.bench_function("gang/5000_tasks", |b| {
        let ready =
            || (Engine::new(empty.clone(), NOW), submit(&request(2_000, 4, 0), tasks, true));
        b.iter_batched(ready, |(mut e, work)| run(&mut e, vec![work]), BatchSize::LargeInput);
    });
    group.finish();
}

fn churn(c: &mut Criterion) {
    let mut group = c.benchmark_group("churn");
    let mut engine = cell(size(10_000));
    fill(&mut engine, mixed(size(90_000)));
    let shapes = shapes();
    let mut turn: usize = 0;
    group.throughput(Throughput::Elements(1));
    group.bench_function("92_percent", |b| {
        b.iter(|| {
            let oldest = engine.state().allocations_from(AllocationId(0)).next();
            let allocation = oldest.expect("the cell is full").at.id;
            let report =
                TaskReport { allocation, outcome: TaskOutcome::Succeeded, message: "".into() };
            turn += 1;
            let departure = ask(Command::ReportTasks(vec![report]));
            let arrival = submit(&shapes[turn * 67 % shapes.len()], 1, false);
            run(&mut engine, vec![departure, arrival]);
        });
    });
    group.finish();
}

fn parked(c: &mut Criterion) {
    let mut group = c.benchmark_group("parked");
    let mut engine = cell(size(10_000));
    let too_large = |n: u32| submit(&request(1_000_000 + u64::from(n % 100), 1, 0), 100, false);
    fill(&mut engine, (0..size(10_000)).map(too_large).collect());
    group.bench_function("1m_tasks_and_nothing_new", |b| {
        b.iter(|| engine.step(NOW, Vec::new()));
    });
    group.finish();
}

criterion_group!(benches, place, churn, parked);
criterion_main!(benches);
