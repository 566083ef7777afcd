//! Tasks under notice that move to another node before it ends, because their jobs say so.

use expect_test::expect;

use offpeak_core::{engine::Engine, event::Event, model::Early, state::State};

use crate::scenario::{START, parse, play};

/// Steps of an engine in which nothing else happens.
fn moved(engine: &mut Engine) -> usize {
    let events = engine.step(START, Vec::new()).batch.events;
    let is_move =
        |event: &&Event| matches!(event, Event::TaskEvicted { early: Some(Early::Moved(_)), .. });
    events.iter().filter(is_move).count()
}

#[test]
fn however_many_are_to_move_a_step_lets_a_bounded_number_go() {
    let mut engine = Engine::new(State::default(), START);
    let policy = engine.state().policy().clone();
    let mut ask = |line: &str| {
        let request = parse::request(line, START, START, &policy);
        engine.step(START, vec![request]);
    };
    for line in ["node a cpu=6000", "tenant acme", "job acme/moves count=5000 cpu=1 move"] {
        ask(line);
    }
    for line in ["node b cpu=6000", "drain a grace=5m"] {
        ask(line);
    }
    let left = engine.state().nodes().next().map_or(0, |node| node.allocations.len());
    assert_eq!(left, 5000 - 4096, "the first step lets as many go as it looks at");
    assert_eq!(engine.next_wakeup(), Some(START), "the next one goes on");
    assert_eq!((moved(&mut engine), moved(&mut engine)), (904, 0));
}

#[test]
fn a_mover_goes_with_the_notice_and_others_stay() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/stays cpu=2
          submitted acme/stays
          placed acme/stays/0 on a
        > job acme/moves cpu=2 move
          submitted acme/moves
          placed acme/moves/0 on a
        > node b cpu=8
          registered b
        > drain a grace=5m
          2 notices
          a drains until +5m
          notice acme/stays/0 on a at +5m NodeDrained
          notice acme/moves/0 on a at +5m NodeDrained
          evicted acme/moves/0 from a NodeDrained, moved to b
          placed acme/moves/0 on b
        > at +6m
          +5m evicted acme/stays/0 from a NodeDrained
          +5m placed acme/stays/0 on b
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/stays cpu=2
         job acme/moves cpu=2 move
         node b cpu=8
         drain a grace=5m
         at +6m",
    ));
}

#[test]
fn a_mover_goes_when_the_owner_is_expected() {
    expect![[r#"
        > node a cpu=4
          registered a
        > node b cpu=4
          registered b
        > tenant acme
          created acme
        > cordon b
          b is cordoned
        > job acme/moves cpu=2 move
          submitted acme/moves
          placed acme/moves/0 on a
        > uncordon b
          b is open
        > load a cpu=1.9
          load a cpu_millis=1900
          notice acme/moves/0 on a at +2m OwnerExpected
          evicted acme/moves/0 from a OwnerExpected, moved to b
          placed acme/moves/0 on b
        > status acme/moves
          Running TaskCounts { pending: 0, placed: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 1
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         node b cpu=4
         tenant acme
         cordon b
         job acme/moves cpu=2 move
         uncordon b
         load a cpu=1.9
         status acme/moves",
    ));
}

#[test]
fn a_mover_makes_way_at_once_for_work_of_higher_priority() {
    expect![[r#"
        > node a cpu=4 region=eu
          registered a
        > tenant acme
          created acme
        > job acme/moves cpu=4 move
          submitted acme/moves
          placed acme/moves/0 on a
        > node b cpu=4 region=us
          registered b
        > job acme/urgent cpu=4 priority=5 region=eu
          submitted acme/urgent
          notice acme/moves/0 on a at +2m Preempted
          evicted acme/moves/0 from a Preempted, moved to b
          placed acme/moves/0 on b
        > at +5m
          +0s placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4 region=eu
         tenant acme
         job acme/moves cpu=4 move
         node b cpu=4 region=us
         job acme/urgent cpu=4 priority=5 region=eu
         at +5m",
    ));
}

#[test]
fn what_a_mover_makes_room_for_is_placed_at_once() {
    expect![[r#"
        > node a cpu=4 region=eu
          registered a
        > tenant acme
          created acme
        > job acme/moves cpu=4 move
          submitted acme/moves
          placed acme/moves/0 on a
        > job acme/urgent cpu=4 priority=5 region=eu
          submitted acme/urgent
          notice acme/moves/0 on a at +2m Preempted
        > at +30s
        > node b cpu=4 region=us
          registered b
        > at +5m
          +31s evicted acme/moves/0 from a Preempted, moved to b
          +31s placed acme/moves/0 on b
          +31s placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4 region=eu
         tenant acme
         job acme/moves cpu=4 move
         job acme/urgent cpu=4 priority=5 region=eu
         at +30s
         node b cpu=4 region=us
         at +5m",
    ));
}

#[test]
fn a_mover_goes_when_its_node_changes() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/moves cpu=4 move
          submitted acme/moves
          placed acme/moves/0 on a
        > node b cpu=4
          registered b
        > update a cpu=2
          updated a
          notice acme/moves/0 on a at +2m NodeChanged
          evicted acme/moves/0 from a NodeChanged, moved to b
          placed acme/moves/0 on b
        > at +5m
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/moves cpu=4 move
         node b cpu=4
         update a cpu=2
         at +5m",
    ));
}

#[test]
fn a_mover_goes_later_when_room_appears() {
    expect![[r#"
        > node a cpu=4
          registered a
        > node b cpu=4
          registered b
        > tenant acme
          created acme
        > job acme/other cpu=4
          submitted acme/other
          placed acme/other/0 on a
        > job acme/moves cpu=4 move
          submitted acme/moves
          placed acme/moves/0 on b
        > drain b grace=5m
          1 notices
          b drains until +5m
          notice acme/moves/0 on b at +5m NodeDrained
        > at +2m
        > succeed acme/other/0
          ended acme/other/0 Succeeded
          done acme/other Succeeded
        > at +10m
          +2m1s evicted acme/moves/0 from b NodeDrained, moved to a
          +2m1s placed acme/moves/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         node b cpu=4
         tenant acme
         job acme/other cpu=4
         job acme/moves cpu=4 move
         drain b grace=5m
         at +2m
         succeed acme/other/0
         at +10m",
    ));
}

#[test]
fn a_mover_with_a_newer_notice_does_not_overtake_one_that_stands_before_it() {
    expect![[r#"
        > node a cpu=4 zone=x
          registered a
        > node b cpu=4 zone=x
          registered b
        > tenant acme
          created acme
        > job acme/high cpu=4 priority=3 move
          submitted acme/high
          placed acme/high/0 on a
        > job acme/low cpu=4 move
          submitted acme/low
          placed acme/low/0 on b
        > drain a grace=5m
          1 notices
          a drains until +5m
          notice acme/high/0 on a at +5m NodeDrained
        > at +1m
        > node c cpu=4
          registered c
        > drain b grace=5m
          1 notices
          b drains until +6m
          notice acme/low/0 on b at +6m NodeDrained
        > at +2m
          +1m1s evicted acme/high/0 from a NodeDrained, moved to c
          +1m1s placed acme/high/0 on c
    "#]]
    .assert_eq(&play(
        "node a cpu=4 zone=x
         node b cpu=4 zone=x
         tenant acme
         job acme/high cpu=4 priority=3 move
         job acme/low cpu=4 move
         drain a grace=5m
         at +1m
         node c cpu=4
         drain b grace=5m
         at +2m",
    ));
}

#[test]
fn what_a_mover_leaves_behind_is_for_those_who_wait() {
    expect![[r#"
        > node a cpu=4 region=eu
          registered a
        > tenant acme
          created acme
        > job acme/one cpu=4 move region=eu,us
          submitted acme/one
          placed acme/one/0 on a
        > node b cpu=4 region=us
          registered b
        > node c cpu=4 region=eu
          registered c
        > job acme/two cpu=4 move region=eu
          submitted acme/two
          placed acme/two/0 on c
        > job acme/urgent cpu=4 priority=5 region=eu
          submitted acme/urgent
          notice acme/one/0 on a at +2m Preempted
          evicted acme/one/0 from a Preempted, moved to b
          placed acme/one/0 on b
        > drain c grace=5m
          1 notices
          c drains until +5m
          notice acme/two/0 on c at +5m NodeDrained
          placed acme/urgent/0 on a
        > at +6m
          +5m evicted acme/two/0 from c NodeDrained
    "#]]
    .assert_eq(&play(
        "node a cpu=4 region=eu
         tenant acme
         job acme/one cpu=4 move region=eu,us
         node b cpu=4 region=us
         node c cpu=4 region=eu
         job acme/two cpu=4 move region=eu
         job acme/urgent cpu=4 priority=5 region=eu
         drain c grace=5m
         at +6m",
    ));
}

#[test]
fn movers_keep_apart() {
    expect![[r#"
        > node a cpu=4
          registered a
        > node b cpu=4
          registered b
        > tenant acme
          created acme
        > job acme/moves cpu=1 count=2 per-node=1 move
          submitted acme/moves
          placed acme/moves/0 on a
          placed acme/moves/1 on b
        > drain a grace=5m
          1 notices
          a drains until +5m
          notice acme/moves/0 on a at +5m NodeDrained
        > at +1m
        > node c cpu=4
          registered c
        > at +2m
          +1m1s evicted acme/moves/0 from a NodeDrained, moved to c
          +1m1s placed acme/moves/0 on c
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         node b cpu=4
         tenant acme
         job acme/moves cpu=1 count=2 per-node=1 move
         drain a grace=5m
         at +1m
         node c cpu=4
         at +2m",
    ));
}

#[test]
fn movers_keep_zones_even() {
    expect![[r#"
        > node a cpu=4 zone=x
          registered a
        > node b cpu=4 zone=y
          registered b
        > tenant acme
          created acme
        > job acme/moves cpu=1 count=2 skew=1 move
          submitted acme/moves
          placed acme/moves/0 on a
          placed acme/moves/1 on b
        > drain a grace=5m
          1 notices
          a drains until +5m
          notice acme/moves/0 on a at +5m NodeDrained
          evicted acme/moves/0 from a NodeDrained, moved to b
          placed acme/moves/0 on b
        > at +1m
    "#]]
    .assert_eq(&play(
        "node a cpu=4 zone=x
         node b cpu=4 zone=y
         tenant acme
         job acme/moves cpu=1 count=2 skew=1 move
         drain a grace=5m
         at +1m",
    ));
}

#[test]
fn a_mover_takes_devices_elsewhere() {
    expect![[r#"
        > node a cpu=4 gpus=2:L4
          registered a
        > tenant acme
          created acme
        > job acme/moves gpu=1 move
          submitted acme/moves
          placed acme/moves/0 on a gpu 0
        > job acme/half gpu=0.5 move
          submitted acme/half
          placed acme/half/0 on a gpu 1
        > node b cpu=4 gpus=2:L4
          registered b
        > drain a grace=5m
          2 notices
          a drains until +5m
          notice acme/moves/0 on a at +5m NodeDrained
          notice acme/half/0 on a at +5m NodeDrained
          evicted acme/moves/0 from a NodeDrained, moved to b
          placed acme/moves/0 on b gpu 0
          evicted acme/half/0 from a NodeDrained, moved to b
          placed acme/half/0 on b gpu 1
    "#]]
    .assert_eq(&play(
        "node a cpu=4 gpus=2:L4
         tenant acme
         job acme/moves gpu=1 move
         job acme/half gpu=0.5 move
         node b cpu=4 gpus=2:L4
         drain a grace=5m",
    ));
}

#[test]
fn movers_still_move_after_a_restart() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/moves cpu=4 move
          submitted acme/moves
          placed acme/moves/0 on a
        > drain a grace=5m
          1 notices
          a drains until +5m
          notice acme/moves/0 on a at +5m NodeDrained
        > restart
        > node b cpu=4
          registered b
        > at +10s
          +1s evicted acme/moves/0 from a NodeDrained, moved to b
          +1s placed acme/moves/0 on b
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/moves cpu=4 move
         drain a grace=5m
         restart
         node b cpu=4
         at +10s",
    ));
}

#[test]
fn the_higher_priority_moves_first() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=4 move
          submitted acme/low
          placed acme/low/0 on a
        > job acme/high cpu=4 priority=3 move
          submitted acme/high
          placed acme/high/0 on a
        > node b cpu=4
          registered b
        > drain a grace=5m
          2 notices
          a drains until +5m
          notice acme/low/0 on a at +5m NodeDrained
          notice acme/high/0 on a at +5m NodeDrained
          evicted acme/high/0 from a NodeDrained, moved to b
          placed acme/high/0 on b
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         job acme/low cpu=4 move
         job acme/high cpu=4 priority=3 move
         node b cpu=4
         drain a grace=5m",
    ));
}

#[test]
fn what_is_to_happen_on_notice_can_be_changed() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=4
          submitted acme/train
          placed acme/train/0 on a
        > node b cpu=4
          registered b
        > drain a grace=5m
          1 notices
          a drains until +5m
          notice acme/train/0 on a at +5m NodeDrained
        > change acme/train move
          changed acme/train priority 0 max none
          evicted acme/train/0 from a NodeDrained, moved to b
          placed acme/train/0 on b
        > at +1m
        > drain b grace=5m
          1 notices
          b drains until +6m
          notice acme/train/0 on b at +6m NodeDrained
        > change acme/train stay
          changed acme/train priority 0 max none
        > uncordon a
          a is open
        > at +2m
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=4
         node b cpu=4
         drain a grace=5m
         change acme/train move
         at +1m
         drain b grace=5m
         change acme/train stay
         uncordon a
         at +2m",
    ));
}

#[test]
fn a_mover_counts_the_zone_that_it_leaves_as_one_with_room() {
    expect![[r#"
        > node a cpu=4 zone=x
          registered a
        > node b cpu=4 zone=y
          registered b
        > tenant acme
          created acme
        > job acme/moves cpu=2 count=2 skew=1 move
          submitted acme/moves
          placed acme/moves/0 on a
          placed acme/moves/1 on b
        > load a cpu=1.9
          load a cpu_millis=1900
          notice acme/moves/0 on a at +2m OwnerExpected
        > node c cpu=4 zone=x
          registered c
        > at +1m
          +1s evicted acme/moves/0 from a OwnerExpected, moved to c
          +1s placed acme/moves/0 on c
    "#]]
    .assert_eq(&play(
        "node a cpu=4 zone=x
         node b cpu=4 zone=y
         tenant acme
         job acme/moves cpu=2 count=2 skew=1 move
         load a cpu=1.9
         node c cpu=4 zone=x
         at +1m",
    ));
}
