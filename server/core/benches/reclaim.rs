//! What it takes to give a whole fleet back: `cargo bench -p offpeak-core --bench reclaim`. With `--test` the same on small
//! cells, once.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]

#[expect(dead_code, reason = "other benches use the rest of it")]
mod cell;

use cell::{Mix, NOW, ask, name, request, run, size, spec, submit};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use offpeak_core::{
    command::{Command, LoadReport, Request},
    engine::Engine,
    event::Event,
    model::{Millis, Policy, Time},
};

/// Tasks on each node.
const TASKS: u32 = 4;
/// Nodes whose load one request reports.
const REPORTED: usize = 1_000;

/// Machines that are full of tasks of one tenant, where the forecast is five times the load.
fn full(nodes: u32) -> Engine {
    let mut engine = cell::cell(&Mix::new(), nodes, 1, false);
    let policy = Policy { forecast_margin_permille: 4_000, ..engine.state().policy().clone() };
    run(&mut engine, vec![ask(Command::SetPolicy(policy))]);
    let quarter = |node: u32| {
        let own = cell::machine(node, false).capacity.cpu_millis;
        submit(0, spec(&request(own / u64::from(TASKS), 1_024, 0), TASKS))
    };
    for node in 0..nodes {
        run(&mut engine, vec![quarter(node)]);
    }
    engine
}

/// The owners use so many thousandths of their nodes.
fn loads(nodes: u32, permille: u64) -> Vec<Request> {
    let report = |node: u32| {
        let load = cell::machine(node, false).capacity.cpu_millis * permille / 1_000;
        LoadReport { node: name(&format!("n{node}")), time: None, load: request(load, 0, 0) }
    };
    let reports: Vec<LoadReport> = (0..nodes).map(report).collect();
    reports.chunks(REPORTED).map(|part| ask(Command::ReportLoad(part.to_vec()))).collect()
}

fn count(engine: &mut Engine, now: Time, requests: Vec<Request>) -> (usize, usize) {
    let events = engine.step(now, requests).batch.events;
    let of = |kind: fn(&Event) -> bool| events.iter().filter(|event| kind(event)).count();
    let notices = of(|event| matches!(event, Event::NoticeGiven { .. }));
    (notices, of(|event| matches!(event, Event::TaskEvicted { .. })))
}

/// A bench, its cell, and how many notices or evictions the requests lead to at that time.
type Case<'a> = (&'static str, &'a dyn Fn() -> Engine, Time, Vec<Request>, usize);

fn reclaim(c: &mut Criterion) {
    let nodes = size(10_000);
    let (before, now) = (Time(NOW.0 + 30_000), Time(NOW.0 + 60_000));
    let end = now.after(Millis(120_000));
    let idle = || {
        let mut engine = full(nodes);
        count(&mut engine, before, loads(nodes, 0));
        engine
    };
    let expected = || {
        let mut engine = idle();
        count(&mut engine, now, loads(nodes, 200));
        engine
    };
    let (notices, _) = count(&mut idle(), now, loads(nodes, 200));
    let (_, due) = count(&mut expected(), end, Vec::new());
    let (_, evicted) = count(&mut idle(), now, loads(nodes, 1_000));
    println!("{notices} notices, {due} evicted when due, {evicted} evicted at once");
    let mut group = c.benchmark_group("reclaim");
    group.sample_size(10);
    let cases: [Case<'_>; 4] = [
        ("nothing", &idle, now, loads(nodes, 0), nodes as usize),
        ("notices", &idle, now, loads(nodes, 200), notices),
        ("due", &expected, end, Vec::new(), due),
        ("at_once", &idle, now, loads(nodes, 1_000), evicted),
    ];
    for (id, cell, now, requests, of) in cases {
        group.throughput(Throughput::Elements(of as u64));
        group.bench_function(id, |b| {
            b.iter_batched(
                || (cell(), requests.clone()),
                |(mut engine, requests)| (count(&mut engine, now, requests), engine),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, reclaim);
criterion_main!(benches);
