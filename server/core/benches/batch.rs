//! What it costs to pack a batch: `cargo bench -p offpeak-core --bench batch`. With `--test` every batch once, with
//! next to no effort. The batches are drawn as the classes of instances are on which packers are compared: uniform
//! demands (Panigrahy et al., 2011), triplets that fill their bins exactly (Falkenauer, 1996), and a fleet.

#[allow(dead_code, unused_imports, reason = "the bench looks at no packing and runs no tests")]
#[path = "../src/scheduler/batch/mod.rs"]
mod batch;

use std::{hint::black_box, time::Duration};

use batch::{Class, Kind, Problem, default_effort, pack};
use criterion::{Criterion, criterion_group, criterion_main};

/// Under `cargo test` and with `--test` every bench runs once.
fn small() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--test") || !given("--bench")
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        low + (self.0 >> 33) % (high - low + 1)
    }
}

fn of_one_class(demands: Vec<Vec<u64>>, room: u64) -> Problem {
    let room = vec![room; demands[0].len()];
    let bins = u32::try_from(demands.len()).expect("few items");
    let kinds = demands.into_iter().map(|demand| Kind { demand, count: 1 }).collect();
    Problem { kinds, classes: vec![Class { room, bins, used: false }], allowed: Vec::new() }
}

fn uniform(items: usize, dimensions: usize, room: u64, low: u64, high: u64) -> Problem {
    let mut numbers = Numbers(1);
    let mut demand = || (0..dimensions).map(|_| numbers.between(low, high)).collect();
    of_one_class((0..items).map(|_| demand()).collect(), room)
}

fn triplets(triplets: usize, dimensions: usize) -> Problem {
    let mut numbers = Numbers(1);
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..triplets {
        let mut triplet = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..dimensions {
            let first = numbers.between(380, 489);
            let second = numbers.between(250, (1_000 - first) / 2);
            triplet[0].push(first);
            triplet[1].push(second);
            triplet[2].push(1_000 - first - second);
        }
        for (part, item) in parts.iter_mut().zip(triplet) {
            part.push(item);
        }
    }
    of_one_class(parts.concat(), 1_000)
}

/// Ten thousand tasks of 150 shapes for a fleet of 100,000 nodes of two classes, a few of which are in use.
fn fleet() -> Problem {
    let mut numbers = Numbers(1);
    let mut kinds = Vec::new();
    for _ in 0..150 {
        let demand = vec![1_000 * numbers.between(1, 16), numbers.between(1, 64) << 30];
        kinds.push(Kind { demand, count: 67 });
    }
    let class = |cores: u64, gib: u64, bins, used| Class {
        room: vec![1_000 * cores, gib << 30],
        bins,
        used,
    };
    let mut classes = vec![class(64, 256, 60_000, false), class(96, 384, 40_000, false)];
    for _ in 0..100 {
        classes.push(class(numbers.between(1, 32), numbers.between(1, 128), 3, true));
    }
    Problem { kinds, classes, allowed: Vec::new() }
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    let cases = [
        ("uniform_500x3", uniform(500, 3, 1_000, 100, 400)),
        ("uniform_500x10", uniform(500, 10, 150, 20, 100)),
        ("uniform_10000x4", uniform(10_000, 4, 1_000, 100, 400)),
        ("triplets_501x5", triplets(167, 5)),
        ("fleet_10050", fleet()),
    ];
    for (name, problem) in cases {
        let items = problem.kinds.iter().map(|kind| u64::from(kind.count)).sum();
        let effort = if small() { items } else { default_effort(items) };
        group.bench_function(name, |bencher| bencher.iter(|| pack(black_box(&problem), effort)));
    }
    group.finish();
}

criterion_group!(benches, batches);
criterion_main!(benches);
