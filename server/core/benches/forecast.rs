//! What a load sample costs the forecast, all horizons together, and what it costs to look at a node's coming day:
//! `cargo bench -p offpeak-core --bench forecast`. With `--test` a small fleet once.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use offpeak_core::{
    forecast::{Fleet, HOURS, NodeForecast, Part, Risks, Share, Together},
    model::{Horizon, Time},
};

const STEP_MS: u64 = 300_000;
const DAY_STEPS: u64 = 288;

/// Under `cargo test` and with `--test` every bench runs once.
fn small() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--test") || !given("--bench")
}

/// Busy by day, restless always, each node in its own way.
fn load(node: u64, step: u64) -> Share {
    let noise = (node * 7_919 + step).wrapping_mul(6_364_136_223_846_793_005) >> 40;
    let by_day = if (96..216).contains(&(step % DAY_STEPS)) { 300 } else { 80 };
    let rise = if (step / 12 + node * 31).is_multiple_of(61) { 350 } else { 0 };
    Share::permille(by_day + noise % 60 + rise)
}

/// A step of the whole fleet: every owner reports, every bound is asked for.
fn step(fleet: &mut Fleet, nodes: &mut [NodeForecast], step: u64) {
    let now = Time(step * STEP_MS);
    for (number, node) in (0..).zip(nodes) {
        fleet.observe(node, now, load(number, step));
        for horizon in Horizon::ALL {
            black_box(node.bound(horizon, now));
        }
    }
}

fn sample(criterion: &mut Criterion) {
    let (count, days) = if small() { (10, 1) } else { (1_000, 9) };
    let mut fleet = Fleet::new(Risks::default());
    let mut nodes = vec![NodeForecast::default(); count];
    for at in 0..days * DAY_STEPS {
        step(&mut fleet, &mut nodes, at);
    }
    // Two hours, in which every horizon comes to look back and ahead as often as it does in the long run.
    let mut group = criterion.benchmark_group("forecast");
    group.throughput(Throughput::Elements(24 * count as u64)).sample_size(10);
    group.bench_function("sample", |bencher| {
        bencher.iter_batched_ref(
            || (fleet.clone(), nodes.clone()),
            |(fleet, nodes)| {
                for at in days * DAY_STEPS..days * DAY_STEPS + 24 {
                    step(fleet, nodes, at);
                }
            },
            BatchSize::PerIteration,
        );
    });
    let (kin, now) = (fleet.kin(), Time(days * DAY_STEPS * STEP_MS));
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("day_ahead", |bencher| {
        bencher.iter(|| {
            let mut together = Together::default();
            for node in &nodes {
                let day = node.day_ahead(&kin, now);
                let part = Part {
                    day: day.as_ref(),
                    capacity: 96_000,
                    floors: [0; HOURS],
                    otherwise: 96_000,
                    divisible: true,
                };
                together.add(&part, |share| u64::from(share) * 96);
            }
            together.held_back()
        });
    });
    group.finish();
}

criterion_group!(benches, sample);
criterion_main!(benches);
