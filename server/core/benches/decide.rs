//! How long single decisions take, and what the planner's depth buys: `cargo bench -p offpeak-core --bench decide`. With
//! `--test` the same on small cells.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the core has no clock, but who measures it has"
)]

mod cell;

use std::time::{Duration, Instant};

use cell::{DEPTH, Mix, NOW, ask, plan, size};
use offpeak_core::{
    command::{Command, Request},
    engine::Engine,
};

/// One job a step. How long each took, and what part of the GPUs is held then, in hundredths of a percent.
fn single(mut engine: Engine, requests: Vec<Request>) -> (Vec<Duration>, u64) {
    let mut took = Vec::with_capacity(requests.len());
    for request in requests {
        let started = Instant::now();
        engine.step(NOW, vec![request]);
        while engine.next_wakeup().is_some_and(|due| due <= NOW) {
            engine.step(NOW, Vec::new());
        }
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let nodes = || engine.state().nodes();
    let held: u64 = nodes().map(|node| node.lent.gpu_millis).sum();
    let all: u64 = nodes().map(|node| node.spec.capacity.gpu_millis).sum();
    (took, held * 10_000 / all.max(1))
}

fn percentile(sorted: &[Duration], permille: usize) -> Duration {
    sorted[(sorted.len() * permille / 1000).min(sorted.len() - 1)]
}

#[expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
fn main() {
    let mix = Mix::new();
    println!("one job a step, to 100 % load; GPUs held in hundredths of a percent");
    for nodes in [10_000, 100_000] {
        let mut engine = cell::cell(&mix, size(nodes), 1, false);
        plan(&mut engine, DEPTH);
        let load = mix.load(&engine, 1_000);
        let (took, held) = single(engine, load);
        let [median, p99, p999] = [500, 990, 999].map(|permille| percentile(&took, permille));
        let nodes = size(nodes);
        println!("{nodes:>7} nodes: p50 {median:?}, p99 {p99:?}, p99.9 {p999:?}, held {held}");
    }
    println!("planner's depth, 1,200 nodes, to 100 % load");
    let fresh = cell::cell(&mix, size(120_000) / 100, 1, false);
    let load = mix.load(&fresh, 1_000);
    for depth in [0, 1, 3, 10, 30, 100, 300] {
        let mut engine = fresh.clone();
        let problem = engine.problem().expect("the cell has learned enough");
        let started = Instant::now();
        let solved = problem.solve(depth);
        let took = started.elapsed();
        if depth > 0 {
            for promises in solved {
                engine.step(NOW, vec![ask(Command::Promise(promises))]);
            }
        }
        let (_, held) = single(engine, load.clone());
        println!("  depth {depth:>3}: held {held}, planner {took:?}");
    }
}
