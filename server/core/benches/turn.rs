//! What it takes when a window of an owner with a whole fleet comes near, begins and ends: `cargo bench -p offpeak-core
//! --bench turn`. With `--test` the same on small cells, once.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]

#[expect(dead_code, reason = "other benches use the rest of it")]
mod cell;

use cell::{Mix, NOW, ask, name, request, run, size, spec, submit};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use offpeak_core::{
    command::{Command, OwnerPatch, Target},
    engine::Engine,
    event::Event,
    model::{CalendarEntry, HeldShare, Labels, Millis, Time, WallTime, When, Window, Windows},
};

/// Tasks on each node.
const TASKS: u32 = 4;

/// Half of every node, for an hour, thirty hours from now.
fn calendar() -> OwnerPatch {
    let start = NOW.after(Millis(30 * Millis::HOUR.0));
    let window = Window { start, end: start.after(Millis::HOUR), entry: 0 };
    let entry = CalendarEntry {
        name: name("sale"),
        when: When::Once { start: WallTime(0), end: WallTime(1) },
        time_zone: "UTC".into(),
        share: HeldShare::of_all(500),
        regions: Vec::new(),
        labels: Labels::new(),
    };
    let windows = Windows { through: window.end, list: vec![window] };
    OwnerPatch { calendar: Some((vec![entry], windows)), ..OwnerPatch::default() }
}

/// Machines of one owner that are full of tasks of one tenant.
fn full(nodes: u32) -> Engine {
    let mut engine = cell::cell(&Mix::new(), nodes, 1, false);
    let quarter = |node: u32| {
        let own = cell::machine(node, false).capacity.cpu_millis;
        submit(0, spec(&request(own / u64::from(TASKS), 1_024, 0), TASKS))
    };
    for node in 0..nodes {
        run(&mut engine, vec![quarter(node)]);
    }
    let owner = cell::machine(0, false).owner;
    let target = Target { name: owner, expected: None };
    run(&mut engine, vec![ask(Command::UpdateOwner { target, patch: Box::new(calendar()) })]);
    engine
}

/// Lets the cell live until the next turn, which is left to come.
fn until_turn(mut engine: Engine, turn: usize) -> (Engine, Time) {
    let mut turns = 0;
    loop {
        let due = engine.next_wakeup().expect("turns are to come");
        let mut next = engine.clone();
        let events = next.step(due, Vec::new()).batch.events;
        if events.iter().any(|event| matches!(event, Event::OwnerTurned { .. })) {
            if turns == turn {
                return (engine, due);
            }
            turns += 1;
        }
        engine = next;
    }
}

fn turn(c: &mut Criterion) {
    let nodes = size(10_000);
    let full = full(nodes);
    let mut group = c.benchmark_group("turn");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(nodes)));
    for (turn, id) in ["day", "six_hours", "hour", "notices", "end"].into_iter().enumerate() {
        let (engine, due) = until_turn(full.clone(), turn);
        let events = engine.clone().step(due, Vec::new()).batch.events;
        let notices = events.iter().filter(|event| matches!(event, Event::NoticeGiven { .. }));
        println!("{id}: {} notices", notices.count());
        group.bench_function(id, |b| {
            b.iter_batched(
                || engine.clone(),
                |mut engine| (engine.step(due, Vec::new()), engine),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, turn);
criterion_main!(benches);
