//! What it costs to say why tasks wait, of 1,000,000 that do: `cargo bench -p offpeak-core --bench explain`. With
//! `--test` the same on small cells, once.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the core has no clock, but who measures it has"
)]

mod cell;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use cell::{DEPTH, Mix, NOW, plan, request, run, size, spec, submit};
use criterion::{Criterion, criterion_group, criterion_main};
use offpeak_core::{
    engine::Engine,
    model::{Job, JobId},
    scheduler::Reasons,
    state::State,
};

/// Shapes of the tasks that wait.
const SHAPES: u32 = 100;
/// Jobs of one batch.
const BATCH: usize = 1_000;

/// A cell that is nearly full and in which 1,000,000 tasks wait that are too large for every node.
fn waiting(nodes: u32) -> Engine {
    let mix = Mix::new();
    let mut engine = cell::cell(&mix, size(nodes), 1, false);
    plan(&mut engine, DEPTH);
    let load = mix.load(&engine, 950);
    run(&mut engine, load);
    let too_large = |number: u32| {
        let wish = request(1_000_000 + u64::from(number % SHAPES), 1, 0);
        submit(0, spec(&wish, 100))
    };
    run(&mut engine, (0..size(10_000)).map(too_large).collect());
    engine
}

/// One waiting job of each shape.
fn jobs(state: &State) -> Vec<&Job> {
    let waiting = state.jobs_from(JobId(0)).filter(|job| job.counts.pending == 100);
    waiting.take(SHAPES as usize).collect()
}

fn why(c: &mut Criterion) {
    let mut group = c.benchmark_group("explain");
    group.sample_size(10);
    for (label, nodes) in [("10k_nodes", 10_000), ("100k_nodes", 100_000)] {
        let mut engine = waiting(nodes);
        group.bench_function(format!("{label}/first_question"), |b| {
            let job = jobs(engine.state())[0];
            b.iter_with_large_drop(|| {
                let mut reasons = Reasons::default();
                (reasons.explain(engine.state(), black_box(job)), reasons)
            });
        });
        let mut reasons = Reasons::default();
        group.bench_function(format!("{label}/again"), |b| {
            let jobs = jobs(engine.state());
            for job in &jobs {
                reasons.explain(engine.state(), job);
            }
            let mut turns = jobs.iter().cycle();
            b.iter(|| reasons.explain(engine.state(), turns.next().expect("some wait")));
        });
        group.bench_function(format!("{label}/advise"), |b| {
            let mut fork = engine.fork(NOW);
            let job = jobs(engine.state())[0];
            b.iter(|| fork.advise(job.tenant, black_box(&job.spec)));
        });
        let (mix, mut seed) = (Mix::new(), 100);
        group.bench_function(format!("{label}/again_after_1000_jobs"), |b| {
            b.iter_custom(|questions| {
                let mut took = Duration::ZERO;
                for _ in 0..questions {
                    seed += 1;
                    run(&mut engine, mix.jobs(seed, BATCH));
                    let state = engine.state().clone();
                    let started = Instant::now();
                    black_box(reasons.explain(&state, jobs(&state)[0]));
                    took += started.elapsed();
                }
                took
            });
        });
    }
    group.finish();
}

criterion_group!(benches, why);
criterion_main!(benches);
