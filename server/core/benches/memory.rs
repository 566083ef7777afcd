//! What a node and an allocation take of memory, in one State with the scheduler's indexes: bytes that are allocated and
//! not freed, counted by the allocator. `cargo bench -p offpeak-core --bench memory`; with `--test` on small cells.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]

mod cell;

use cell::{DEPTH, Dice, Mix, NOW, ask, machine, name, plan, request, run, size, spec, submit};
use offpeak_core::{
    command::{Command, LoadReport},
    engine::Engine,
    model::{Millis, NodeSpec, Resources, Time},
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Allocations in all.
const ALLOCATIONS: u32 = 1_000_000;
/// Jobs of one step.
const STEP: usize = 1_000;
/// Between two reports of a node's owner.
const REPORTS: Millis = Millis(Millis::HOUR.0 / 4);
/// Reports of a day.
const DAY: u64 = 96;

fn main() {
    let mix = Mix::new();
    for nodes in [10_000, 100_000] {
        measure(&mix, size(nodes), ALLOCATIONS / 100);
        measure(&mix, size(nodes), 1);
        report(&mix, size(nodes));
    }
}

/// A cell with so many nodes, then allocations that are tasks of jobs of so many.
fn measure(mix: &Mix, nodes: u32, tasks: u32) {
    let mut engine = cell::cell(mix, 0, 1, false);
    let bare = grown(&mut engine, |engine| {
        let nodes = (0..nodes).map(|number| machine(number, false)).collect();
        run(engine, vec![ask(Command::RegisterNodes(nodes))]);
    });
    let planned = bare + grown(&mut engine, |engine| plan(engine, DEPTH));
    let jobs = (size(ALLOCATIONS) / tasks).max(1);
    let held = grown(&mut engine, |engine| {
        let job = || submit(0, spec(&request(10, 1, 0), tasks));
        let all: Vec<u32> = (0..jobs).collect();
        for step in all.chunks(STEP) {
            run(engine, step.iter().map(|_| job()).collect());
        }
    });
    let placed = engine.state().allocation_count();
    println!(
        "{nodes} nodes: {} bytes each, {} with a plan; {placed} allocations of {jobs} jobs: {} bytes each",
        bare / nodes as usize,
        planned / nodes as usize,
        held / placed.max(1),
    );
}

/// A cell with so many nodes, whose owners report for a day.
fn report(mix: &Mix, nodes: u32) {
    let mut engine = cell::cell(mix, 0, 1, false);
    let mut dice = Dice::new(3);
    let mut reported = |engine: &mut Engine, rounds: std::ops::Range<u64>| {
        for round in rounds {
            let report = |number| LoadReport {
                node: name(&format!("n{number}")),
                time: None,
                load: load(&machine(number, false), round + u64::from(number), &mut dice),
            };
            let reports = (0..nodes).map(report).collect();
            let now = Time(NOW.0 + round * REPORTS.0);
            engine.step(now, vec![ask(Command::ReportLoad(reports))]);
        }
    };
    let first = grown(&mut engine, |engine| {
        let nodes = (0..nodes).map(|number| machine(number, false)).collect();
        run(engine, vec![ask(Command::RegisterNodes(nodes))]);
        reported(engine, 0..1);
    });
    let day = first + grown(&mut engine, |engine| reported(engine, 1..DAY));
    let each = |bytes: usize| bytes / nodes as usize;
    println!("{nodes} nodes that report: {} bytes each, {} after a day", each(first), each(day));
}

/// What an owner uses: cores that rise and fall once a day, and memory that hardly changes.
fn load(node: &NodeSpec, round: u64, dice: &mut Dice) -> Resources {
    let peak = round % DAY;
    let permille = 100 + 8 * peak.min(DAY - peak) + dice.below(100);
    Resources {
        cpu_millis: node.capacity.cpu_millis * permille / 1000,
        memory_bytes: node.capacity.memory_bytes * (400 + dice.below(20)) / 1000,
        ..Resources::default()
    }
}

/// How many bytes more are in use after a change.
fn grown(engine: &mut Engine, change: impl FnOnce(&mut Engine)) -> usize {
    let before = ALLOCATOR.current_usage();
    change(engine);
    ALLOCATOR.current_usage().saturating_sub(before)
}
