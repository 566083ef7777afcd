//! Starts that lie ahead of tasks that start together: gangs, and tasks that keep apart.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_gang_starts_as_soon_as_all_of_it_has_room() {
    expect![[r#"
        > node a b c cpu=4
          registered a
          registered b
          registered c
        > tenant acme
          created acme
        > job acme/one cpu=3 max=1h
          submitted acme/one
          placed acme/one/0 on a
        > job acme/two cpu=3 max=2h
          submitted acme/two
          placed acme/two/0 on c
        > job acme/ring count=5 cpu=2 gang max=1h
          submitted acme/ring
        > at +2s
          +1s planned 5 of acme/ring on a (2), b (2), c (1) at +2h
        > why acme/ring
          Gang
          Headroom cpu_millis by 1000: 2 nodes
          PlannedStart
        > at +2h
          +1h ended acme/one/0 TimedOut
          +1h done acme/one Failed
          +2h ended acme/two/0 TimedOut
          +2h forgot acme/one
          +2h done acme/two Failed
          +2h placed acme/ring/0..1 on a
          +2h placed acme/ring/2..3 on b
          +2h placed acme/ring/4 on c
    "#]]
    .assert_eq(&play(
        "node a b c cpu=4
         tenant acme
         job acme/one cpu=3 max=1h
         job acme/two cpu=3 max=2h
         job acme/ring count=5 cpu=2 gang max=1h
         at +2s
         why acme/ring
         at +2h",
    ));
}

#[test]
fn what_is_gone_before_a_gang_starts_goes_first_and_longer_work_does_not() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/first cpu=4 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/ring count=2 cpu=4 gang max=1h
          submitted acme/ring
        > at +2s
          +1s planned 2 of acme/ring on a (1), b (1) at +1h
        > job acme/long cpu=1 max=3h
          submitted acme/long
        > job acme/short cpu=1 max=30m
          submitted acme/short
        > at +10s
          +3s placed acme/short/0 on b
          +3s planned 1 of acme/long on a at +2h
        > at +2h
          +30m3s ended acme/short/0 TimedOut
          +30m3s done acme/short Failed
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h placed acme/ring/0 on a
          +1h placed acme/ring/1 on b
          +1h30m3s forgot acme/short
          +2h ended acme/ring/0 TimedOut
          +2h ended acme/ring/1 TimedOut
          +2h forgot acme/first
          +2h done acme/ring Failed
          +2h placed acme/long/0 on b
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/first cpu=4 max=1h
         job acme/ring count=2 cpu=4 gang max=1h
         at +2s
         job acme/long cpu=1 max=3h
         job acme/short cpu=1 max=30m
         at +10s
         at +2h",
    ));
}

#[test]
fn a_gang_that_starts_on_few_nodes_keeps_few() {
    expect![[r#"
        > node a b c d cpu=4
          registered a
          registered b
          registered c
          registered d
        > tenant acme
          created acme
        > job acme/full count=4 cpu=3.5 max=1h
          submitted acme/full
          placed acme/full/0 on a
          placed acme/full/1 on d
          placed acme/full/2 on c
          placed acme/full/3 on b
        > job acme/ring count=4 cpu=1 gang
          submitted acme/ring
        > at +2s
          +1s planned 4 of acme/ring on a at +1h
    "#]]
    .assert_eq(&play(
        "node a b c d cpu=4
         tenant acme
         job acme/full count=4 cpu=3.5 max=1h
         job acme/ring count=4 cpu=1 gang
         at +2s",
    ));
}

#[test]
fn tasks_that_keep_apart_are_planned_on_nodes_of_their_own() {
    expect![[r#"
        > node a b c cpu=4
          registered a
          registered b
          registered c
        > tenant acme
          created acme
        > job acme/full count=3 cpu=3 max=1h
          submitted acme/full
          placed acme/full/0 on a
          placed acme/full/1 on c
          placed acme/full/2 on b
        > job acme/apart count=3 cpu=2 per-node=1 max=1h
          submitted acme/apart
        > at +2s
          +1s planned 3 of acme/apart on a (1), b (1), c (1) at +1h
        > at +1h
          +1h ended acme/full/0 TimedOut
          +1h ended acme/full/1 TimedOut
          +1h ended acme/full/2 TimedOut
          +1h done acme/full Failed
          +1h placed acme/apart/0 on a
          +1h placed acme/apart/1 on b
          +1h placed acme/apart/2 on c
    "#]]
    .assert_eq(&play(
        "node a b c cpu=4
         tenant acme
         job acme/full count=3 cpu=3 max=1h
         job acme/apart count=3 cpu=2 per-node=1 max=1h
         at +2s
         at +1h",
    ));
}

#[test]
fn tasks_that_lie_evenly_over_zones_are_planned_so() {
    expect![[r#"
        > node a cpu=8 zone=one
          registered a
        > node b cpu=4 zone=two
          registered b
        > tenant acme
          created acme
        > job acme/first cpu=8 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/second cpu=4 max=1h
          submitted acme/second
          placed acme/second/0 on b
        > job acme/even count=6 cpu=1 skew=1 gang
          submitted acme/even
        > at +2s
          +1s planned 6 of acme/even on a (3), b (3) at +1h
        > at +1h
          +1h ended acme/first/0 TimedOut
          +1h ended acme/second/0 TimedOut
          +1h done acme/first Failed
          +1h done acme/second Failed
          +1h placed acme/even/0..2 on a
          +1h placed acme/even/3..5 on b
    "#]]
    .assert_eq(&play(
        "node a cpu=8 zone=one
         node b cpu=4 zone=two
         tenant acme
         job acme/first cpu=8 max=1h
         job acme/second cpu=4 max=1h
         job acme/even count=6 cpu=1 skew=1 gang
         at +2s
         at +1h",
    ));
}

#[test]
fn a_gang_for_which_room_is_made_needs_no_plan() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/low count=2 cpu=4 max=1h
          submitted acme/low
          placed acme/low/0 on a
          placed acme/low/1 on b
        > job acme/high count=2 cpu=4 gang priority=10
          submitted acme/high
          notice acme/low/0 on a at +2m Preempted
          notice acme/low/1 on b at +2m Preempted
        > at +2s
        > at +2m
          +2m evicted acme/low/0 from a Preempted
          +2m evicted acme/low/1 from b Preempted
          +2m placed acme/high/0 on a
          +2m placed acme/high/1 on b
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/low count=2 cpu=4 max=1h
         job acme/high count=2 cpu=4 gang priority=10
         at +2s
         at +2m",
    ));
}

#[test]
fn a_gang_that_planned_takes_room_back_when_it_may() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/low count=2 cpu=4 max=3h min=1h
          submitted acme/low
          placed acme/low/0 on a
          placed acme/low/1 on b
        > job acme/high count=2 cpu=4 gang priority=10
          submitted acme/high
        > at +2s
          +1s planned 2 of acme/high on a (1), b (1) at +3h
        > at +1h
          +1h unplanned acme/high
          +1h notice acme/low/0 on a at +1h2m Preempted
          +1h notice acme/low/1 on b at +1h2m Preempted
        > at +1h3m
          +1h2m evicted acme/low/0 from a Preempted
          +1h2m evicted acme/low/1 from b Preempted
          +1h2m placed acme/high/0 on a
          +1h2m placed acme/high/1 on b
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/low count=2 cpu=4 max=3h min=1h
         job acme/high count=2 cpu=4 gang priority=10
         at +2s
         at +1h
         at +1h3m",
    ));
}

#[test]
fn what_is_planned_for_a_gang_ends_with_any_of_its_nodes_and_outlives_a_restart() {
    expect![[r#"
        > node a b c cpu=4
          registered a
          registered b
          registered c
        > tenant acme
          created acme
        > job acme/full count=3 cpu=4 max=1h
          submitted acme/full
          placed acme/full/0 on a
          placed acme/full/1 on c
          placed acme/full/2 on b
        > job acme/ring count=2 cpu=4 gang
          submitted acme/ring
        > at +2s
          +1s planned 2 of acme/ring on a (1), b (1) at +1h
        > restart
        > at +4s
        > drain b
          1 notices
          b drains until +2m4s
          notice acme/full/2 on b at +2m4s NodeDrained
        > at +6s
          +5s planned 2 of acme/ring on a (1), c (1) at +1h
        > remove a force
          evicted acme/full/0 from a NodeRemoved
          removed a
        > at +8s
          +7s planned 1 of acme/full on c at +1h
    "#]]
    .assert_eq(&play(
        "node a b c cpu=4
         tenant acme
         job acme/full count=3 cpu=4 max=1h
         job acme/ring count=2 cpu=4 gang
         at +2s
         restart
         at +4s
         drain b
         at +6s
         remove a force
         at +8s",
    ));
}

#[test]
fn nodes_on_which_fewer_tasks_start_no_more_are_let_go() {
    expect![[r#"
        > node a b c cpu=4
          registered a
          registered b
          registered c
        > tenant acme
          created acme
        > job acme/full count=3 cpu=3 max=1h
          submitted acme/full
          placed acme/full/0 on a
          placed acme/full/1 on c
          placed acme/full/2 on b
        > job acme/apart count=3 cpu=2 per-node=1
          submitted acme/apart
        > at +2s
          +1s planned 3 of acme/apart on a (1), b (1), c (1) at +1h
        > resize acme/apart 1
          dropped acme/apart/1..2 Cancelled
          resized acme/apart to 1
        > job acme/small count=2 cpu=1
          submitted acme/small
          placed acme/small/0 on b
          placed acme/small/1 on c
    "#]]
    .assert_eq(&play(
        "node a b c cpu=4
         tenant acme
         job acme/full count=3 cpu=3 max=1h
         job acme/apart count=3 cpu=2 per-node=1
         at +2s
         resize acme/apart 1
         job acme/small count=2 cpu=1",
    ));
}

#[test]
fn planned_starts_give_way_to_a_gang_for_which_room_is_made() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/low count=2 cpu=4 max=1h notice=0s
          submitted acme/low
          placed acme/low/0 on a
          placed acme/low/1 on b
        > job acme/next cpu=4
          submitted acme/next
        > at +2s
          +1s planned 1 of acme/next on a at +1h
        > job acme/high count=2 cpu=4 gang priority=10 max=10m
          submitted acme/high
          unplanned acme/next
          notice acme/low/0 on a at +2s Preempted
          notice acme/low/1 on b at +2s Preempted
        > at +4s
          +2s evicted acme/low/0 from a Preempted
          +2s evicted acme/low/1 from b Preempted
          +2s placed acme/high/0 on a
          +2s placed acme/high/1 on b
          +3s planned 1 of acme/low on a at +10m2s
          +3s planned 1 of acme/next on b at +10m2s
        > at +11m
          +10m2s ended acme/high/0 TimedOut
          +10m2s ended acme/high/1 TimedOut
          +10m2s done acme/high Failed
          +10m2s placed acme/low/0 on a
          +10m2s placed acme/low/1 on b
          +10m2s planned 1 of acme/next on a at +1h10m2s
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/low count=2 cpu=4 max=1h notice=0s
         job acme/next cpu=4
         at +2s
         job acme/high count=2 cpu=4 gang priority=10 max=10m
         at +4s
         at +11m",
    ));
}
