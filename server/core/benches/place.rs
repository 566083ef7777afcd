//! What a step of the engine costs, its events made and applied: `cargo bench -p offpeak-core --bench place`. With `--test`
//! the same on small cells, once. The planner has worked before anything is measured, as it does beside a server.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the core has no clock, but who measures it has"
)]

mod cell;

use std::time::{Duration, Instant};

use cell::{DEPTH, Dice, Mix, NOW, ask, name, plan, request, run, size, spec, submit};
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use offpeak_core::{
    command::{Command, LoadReport, Request, TaskOutcome, TaskReport},
    engine::Engine,
    model::{AllocationId, JobSpec, Priority, Resources, Spread, Time, Topology},
};

/// Requests of one step, as a busy server takes them.
const STEP: usize = 1_000;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn ended(allocation: u64) -> TaskReport {
    let (allocation, outcome) = (AllocationId(allocation), TaskOutcome::Succeeded);
    TaskReport { allocation, outcome, message: "".into() }
}

/// Steps through requests, [`STEP`] at once.
fn feed(engine: &mut Engine, requests: Vec<Request>) {
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        run(engine, requests.by_ref().take(STEP).collect());
    }
}

/// The jobs under names that clients drew, as long as a UUID.
fn named(mut requests: Vec<Request>) -> Vec<Request> {
    let mut dice = Dice::new(5);
    for request in &mut requests {
        if let Command::SubmitJob { name: own, .. } = &mut request.command {
            let (front, back) = (dice.below(u64::MAX), dice.below(u64::MAX));
            *own = name(&format!("{front:016x}-{back:019x}"));
        }
    }
    requests
}

/// A tenth of the jobs, with ten tasks each.
fn in_tens(requests: &[Request]) -> Vec<Request> {
    let tenth = requests.iter().step_by(10).filter_map(|request| match &request.command {
        Command::SubmitJob { spec, .. } => Some(JobSpec { count: 10, ..spec.as_ref().clone() }),
        _ => None,
    });
    tenth.map(|spec| submit(0, spec)).collect()
}

/// How many tasks the requests submit.
fn tasks(requests: &[Request]) -> u64 {
    let count = |request: &Request| match &request.command {
        Command::SubmitJob { spec, .. } => u64::from(spec.count),
        _ => 0,
    };
    requests.iter().map(count).sum()
}

/// A cell with its rooms promised.
fn planned(mix: &Mix, nodes: u32, jitter: bool) -> Engine {
    let mut engine = cell::cell(mix, nodes, 1, jitter);
    plan(&mut engine, DEPTH);
    engine
}

/// Measures requests, [`STEP`] at once, each time in a cell of its own: a copy would pay for parting from the original.
fn bench_feed(
    group: &mut Group<'_>,
    id: &str,
    cell: impl Fn() -> Engine,
    requests: impl Fn(&Engine) -> Vec<Request>,
) {
    let requests = requests(&cell());
    group.throughput(Throughput::Elements(tasks(&requests)));
    group.bench_function(id, |b| {
        let ready = || (cell(), requests.clone());
        b.iter_batched(
            ready,
            |(mut engine, requests)| {
                feed(&mut engine, requests);
                engine
            },
            BatchSize::PerIteration,
        );
    });
}

/// Measures one command that leads to so many placements.
fn bench_job(group: &mut Group<'_>, id: &str, engine: &Engine, job: &JobSpec) {
    group.throughput(Throughput::Elements(u64::from(job.count)));
    group.bench_function(id, |b| {
        let ready = || (engine.clone(), vec![submit(0, job.clone())]);
        b.iter_batched(
            ready,
            |(mut engine, work)| {
                run(&mut engine, work);
                engine
            },
            BatchSize::PerIteration,
        );
    });
}

fn mixed(c: &mut Criterion) {
    let mix = Mix::new();
    let mut group = c.benchmark_group("place");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (label, nodes) in [("10k_nodes", 10_000), ("100k_nodes", 100_000)] {
        let cell = || planned(&mix, size(nodes), false);
        bench_feed(&mut group, &format!("mixed/{label}"), cell, |cell| mix.load(cell, 950));
        bench_feed(&mut group, &format!("saturated/{label}"), cell, |cell| mix.load(cell, 1_000));
    }
    let cell = || planned(&mix, size(10_000), false);
    bench_feed(&mut group, "named/10k_nodes", cell, |cell| named(mix.load(cell, 950)));
    bench_feed(&mut group, "in_tens/10k_nodes", cell, |cell| in_tens(&mix.load(cell, 950)));
    let cell = || planned(&mix, size(10_000), true);
    bench_feed(&mut group, "jittered/10k_nodes", cell, |cell| mix.load(cell, 950));
    group.finish();
}

fn alike(c: &mut Criterion) {
    let mix = Mix::new();
    let engine = cell::cell(&mix, size(10_000), 1, false);
    let mut group = c.benchmark_group("place");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    let plain = spec(&request(2_000, 4_096, 0), size(100_000));
    bench_job(&mut group, "identical_batch", &engine, &plain);
    let few = JobSpec { count: size(9_000), ..plain.clone() };
    bench_job(&mut group, "plain", &engine, &few);
    let apart = |topology, max_per_place, max_skew| {
        let mut job = few.clone();
        job.constraints.spreads = vec![Spread { topology, max_per_place, max_skew }];
        job
    };
    bench_job(&mut group, "spread", &engine, &apart(Topology::Zone, None, Some(1)));
    bench_job(&mut group, "anti_affinity", &engine, &apart(Topology::Node, Some(1), None));
    let gang = JobSpec { count: size(5_000), gang: true, ..plain };
    bench_job(&mut group, "gang/5000_tasks", &engine, &gang);
    group.finish();
}

/// Tasks that end and tasks that come, step by step, in a cell that holds a steady load.
struct Churn {
    engine: Engine,
    now: Time,
    live: Vec<u64>,
    dice: Dice,
}

impl Churn {
    fn new(mix: &Mix, nodes: u32) -> Self {
        let mut engine = planned(mix, nodes, false);
        let load = mix.load(&engine, 920);
        feed(&mut engine, load);
        let live = engine.state().allocations_from(Default::default());
        let live = live.map(|allocation| allocation.at.id.0).collect();
        let dice = Dice::new(5);
        Self { engine, now: NOW, live, dice }
    }

    /// Lets as many tasks end as arrive. How long the engine took.
    fn turn(&mut self, arrivals: Vec<Request>) -> Duration {
        let mut reports = Vec::with_capacity(arrivals.len());
        for _ in 0..arrivals.len().min(self.live.len()) {
            let at = self.dice.below(self.live.len() as u64);
            let gone = self.live.swap_remove(usize::try_from(at).expect("small"));
            reports.push(ended(gone));
        }
        let mut requests = vec![ask(Command::ReportTasks(reports))];
        requests.extend(arrivals);
        let next = self.engine.state().next_ids().3.0;
        let started = Instant::now();
        self.engine.step(self.now, requests);
        let took = started.elapsed();
        self.live.extend(next..self.engine.state().next_ids().3.0);
        took
    }

    /// One node of a hundred reports another load of its owner, a little above or below what it was.
    fn owners_move(&mut self, reports: Vec<LoadReport>) -> Duration {
        self.now = Time(self.now.0 + 1_000);
        let started = Instant::now();
        self.engine.step(self.now, vec![ask(Command::ReportLoad(reports))]);
        started.elapsed()
    }
}

fn churn(c: &mut Criterion) {
    let mix = Mix::new();
    let nodes = size(10_000);
    let mut group = c.benchmark_group("churn");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for (id, moving) in [("92_percent", false), ("92_percent_moving_headroom", true)] {
        let mut churn = Churn::new(&mix, nodes);
        let mut seed = 100;
        group.bench_function(id, |b| {
            b.iter_custom(|pairs| {
                let mut took = Duration::ZERO;
                let mut left = usize::try_from(pairs).expect("small");
                while left > 0 {
                    let count = left.min(STEP);
                    seed += 1;
                    took += churn.turn(mix.jobs(seed, count));
                    if moving {
                        let load = |dice: &mut Dice| LoadReport {
                            node: name(&format!("n{}", dice.below(u64::from(nodes)))),
                            time: None,
                            load: request(100 * dice.below(20), 256 * dice.below(8), 0),
                        };
                        let reports = (0..nodes / 100).map(|_| load(&mut churn.dice)).collect();
                        took += churn.owners_move(reports);
                    }
                    left -= count;
                }
                took
            });
        });
    }
    group.finish();
}

/// What is there already must not make the next task dearer.
fn crowded(c: &mut Criterion) {
    let mix = Mix::new();
    let mut group = c.benchmark_group("crowded");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let work = mix.jobs(9, size(20_000) as usize);
    for (id, tenants, held) in [("empty", 1, 0), ("1m_allocations_1000_tenants", 1_000, 1_000)] {
        let small = Resources { cpu_millis: 10, memory_bytes: 1 << 20, ..Resources::default() };
        let tasks = size(1_000);
        let cell = || {
            let mut engine = cell::cell(&mix, size(20_000), tenants, false);
            let jobs = (0..held).map(|number| submit(number % tenants, spec(&small, tasks)));
            feed(&mut engine, jobs.collect());
            plan(&mut engine, DEPTH);
            engine
        };
        bench_feed(&mut group, id, cell, |_| work.clone());
    }
    group.finish();
}

fn parked(c: &mut Criterion) {
    let mix = Mix::new();
    let mut group = c.benchmark_group("parked");
    let mut engine = cell::cell(&mix, size(10_000), 1, false);
    let too_large = |n: u32| submit(0, spec(&request(1_000_000 + u64::from(n % 100), 1, 0), 100));
    feed(&mut engine, (0..size(10_000)).map(too_large).collect());
    group.bench_function("1m_tasks_and_nothing_new", |b| {
        b.iter(|| engine.step(NOW, Vec::new()));
    });
    let urgent = JobSpec { priority: Priority(10), ..spec(&request(2_000, 4_096, 0), 1) };
    group.bench_function("1m_tasks_and_one_that_fits", |b| {
        b.iter(|| engine.step(NOW, vec![submit(0, urgent.clone())]));
    });
    group.finish();
}

/// What a plan costs: the engine to state what to plan, and all of it for work of which a node takes thousands, where
/// there is a plan already.
fn plans(c: &mut Criterion) {
    let mix = Mix::new();
    let mut group = c.benchmark_group("planned");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let small = Resources { cpu_millis: 10, memory_bytes: 1 << 20, ..Resources::default() };
    let come = |engine: &mut Engine| feed(engine, vec![submit(0, spec(&small, 1_000)); 100]);
    let cell = || {
        let mut engine = cell::cell(&mix, size(10_000), 1, false);
        come(&mut engine);
        plan(&mut engine, DEPTH);
        come(&mut engine);
        engine
    };
    for (label, nodes) in [("10k_nodes", 10_000), ("100k_nodes", 100_000)] {
        let mut engine = planned(&mix, size(nodes), false);
        let load = mix.load(&engine, 100);
        feed(&mut engine, load);
        let problem = |engine: &mut Engine| engine.problem().expect("enough has come");
        group.bench_function(format!("stated/{label}"), |b| {
            b.iter_batched_ref(|| engine.clone(), problem, BatchSize::PerIteration);
        });
    }
    group.bench_function("again_for_small_tasks", |b| {
        b.iter_batched_ref(cell, |engine| plan(engine, DEPTH), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, mixed, alike, churn, crowded, parked, plans);
criterion_main!(benches);
