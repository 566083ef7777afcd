//! What a copy of the engine costs that is kept to be asked what would be: taking it, and the pages that the engine has to
//! copy while it lives, as tasks end and others come: `cargo bench -p offpeak-core --bench fork`. With `--test` the same
//! on a small cell.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the core has no clock, but who measures it has"
)]

mod cell;

use std::time::{Duration, Instant};

use cell::{DEPTH, Dice, Mix, NOW, ask, plan, run, size};
use offpeak_core::{
    command::{Command, Request, TaskOutcome, TaskReport},
    engine::Engine,
    model::AllocationId,
};

/// Tasks that end, and as many that come, in a round.
const CHURN: usize = 2_000;
/// Rounds with a copy, each beside one without.
const ROUNDS: usize = 31;

/// Some of the tasks that run end, wherever they are, and as many come.
fn churn(engine: &Engine, mix: &Mix, seed: u64) -> Vec<Request> {
    let (mut dice, state) = (Dice::new(seed), engine.state());
    let ids: Vec<AllocationId> =
        state.allocations_from(AllocationId(0)).map(|allocation| allocation.at.id).collect();
    let picked = (0..CHURN).map(|_| {
        let at = usize::try_from(dice.below(ids.len() as u64)).expect("it is an index");
        let outcome = TaskOutcome::Succeeded;
        TaskReport { allocation: ids[at], outcome, message: "".into() }
    });
    let mut requests = vec![ask(Command::ReportTasks(picked.collect()))];
    requests.extend(mix.jobs(seed, CHURN));
    requests
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    let nodes = size(10_000);
    let mix = Mix::new();
    let mut engine = cell::cell(&mix, nodes, 1, false);
    plan(&mut engine, DEPTH);
    let load = mix.load(&engine, 900);
    run(&mut engine, load);
    println!("{nodes} nodes, {} tasks", engine.state().allocation_count());
    let (mut taking, mut alone, mut beside, mut pages) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS as u64 {
        let requests = churn(&engine, &mix, 2 * round);
        let begun = Instant::now();
        run(&mut engine, requests);
        alone.push(micros(begun.elapsed()));

        let requests = churn(&engine, &mix, 2 * round + 1);
        let begun = Instant::now();
        let fork = engine.fork(NOW);
        taking.push(micros(begun.elapsed()));
        let begun = Instant::now();
        run(&mut engine, requests);
        beside.push(micros(begun.elapsed()));
        pages.push(engine.pages_changed(&fork) as f64);
    }
    let (taking, alone, beside) = (median(taking), median(alone), median(beside));
    let pages = median(pages);
    println!("a copy takes {taking:.0} us");
    println!("{CHURN} ends and jobs take {alone:.0} us, beside a copy {beside:.0} us");
    println!("{pages:.0} pages are copied, each in {:.2} us", (beside - alone) / pages);
}
