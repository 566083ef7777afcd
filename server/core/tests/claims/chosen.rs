//! Why tasks are placed where they are.

use offpeak_core::{
    command::{Command, Request},
    engine::Engine,
    event::{Batch, Event, PlacementReason},
    model::{Millis, Time},
    state::State,
};

use crate::scenario::{START, parse};

fn cell(lines: &str) -> Engine {
    let mut engine = Engine::new(State::default(), START);
    ask(&mut engine, START, lines);
    engine
}

/// Gives the commands in one step, and tells why the tasks are where they are that it places.
fn ask(engine: &mut Engine, now: Time, lines: &str) -> Vec<PlacementReason> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let policy = engine.state().policy().clone();
    let requests = lines.map(|line| parse::request(line, START, now, &policy)).collect();
    why(&engine.step(now, requests).batch)
}

fn why(batch: &Batch) -> Vec<PlacementReason> {
    let placements = batch.events.iter().flat_map(|event| match event {
        Event::TasksPlaced { placements, .. } => placements.as_slice(),
        _ => &[],
    });
    placements.map(|placement| placement.reason).collect()
}

#[test]
fn the_tightest_node_or_one_that_keeps_it_apart() {
    let mut engine = cell(
        "node a cpu=4
         node b cpu=2
         tenant acme",
    );
    assert_eq!(ask(&mut engine, START, "job acme/one cpu=2"), [PlacementReason::Tightest]);
    let apart = ask(&mut engine, START, "job acme/apart cpu=1 per-node=1");
    assert_eq!(apart, [PlacementReason::Spread]);
}

#[test]
fn what_comes_at_once_is_packed_as_a_batch() {
    let mut engine = cell(
        "node a cpu=16
         node b cpu=16
         tenant acme",
    )
    .with_batch_budget(Millis::SECOND);
    let jobs: Vec<String> =
        (0..16).map(|job| format!("job acme/j{job} cpu={}", 1 + job % 2 * 2)).collect();
    let why = ask(&mut engine, START, &jobs.join("\n"));
    assert!(!why.is_empty() && why.iter().all(|why| *why == PlacementReason::Batch), "{why:?}");
}

#[test]
fn a_planned_start_is_told_as_such() {
    let mut engine = cell(
        "node a cpu=4
         tenant acme
         job acme/first cpu=4 max=1h
         job acme/second cpu=4 max=1h",
    );
    let end = START.after(Millis::HOUR);
    while let Some(due) = engine.next_wakeup().filter(|due| *due < end) {
        assert_eq!(why(&engine.step(due, Vec::new()).batch), []);
    }
    let mut placed = Vec::new();
    while let Some(due) = engine.next_wakeup().filter(|due| *due <= end) {
        placed.extend(why(&engine.step(due, Vec::new()).batch));
    }
    assert_eq!(placed, [PlacementReason::Planned]);
}

#[test]
fn room_that_is_kept_goes_to_its_like_and_to_others_last() {
    let mut engine = cell(
        "node a cpu=64
         node b cpu=64
         tenant acme",
    );
    for job in 0..1_000 {
        ask(&mut engine, START, &format!("job acme/j{job} cpu=4"));
        ask(&mut engine, START, &format!("cancel acme/j{job}"));
    }
    let promises = engine.problem().expect("enough has arrived").solve(20);
    let request = |command| Request { command, request_id: None, validate_only: false };
    let requests = promises.into_iter().map(Command::Promise).map(request).collect();
    engine.step(START, requests);
    assert_eq!(ask(&mut engine, START, "job acme/like cpu=4"), [PlacementReason::Kept]);
    assert_eq!(ask(&mut engine, START, "job acme/other cpu=33"), [PlacementReason::LastRoom]);
}
