//! Tasks under notice that are to move, and stay or go with everybody else.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_mover_is_evicted_at_the_deadline_where_nothing_has_room() {
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
        > at +10m
          +5m evicted acme/moves/0 from a NodeDrained
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/moves cpu=4 move
         drain a grace=5m
         at +10m",
    ));
}

#[test]
fn a_mover_stays_that_will_have_ended_by_itself() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/short cpu=2 max=4m move
          submitted acme/short
          placed acme/short/0 on a
        > job acme/long cpu=2 max=6m move
          submitted acme/long
          placed acme/long/0 on a
        > node b cpu=8
          registered b
        > drain a grace=5m
          2 notices
          a drains until +5m
          notice acme/short/0 on a at +5m NodeDrained
          notice acme/long/0 on a at +5m NodeDrained
          evicted acme/long/0 from a NodeDrained, moved to b
          placed acme/long/0 on b
        > at +7m
          +4m ended acme/short/0 TimedOut
          +4m done acme/short Failed
          +6m ended acme/long/0 TimedOut
          +6m done acme/long Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/short cpu=2 max=4m move
         job acme/long cpu=2 max=6m move
         node b cpu=8
         drain a grace=5m
         at +7m",
    ));
}

#[test]
fn a_mover_stays_that_has_no_eviction_left() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/last cpu=2 evictions=0 move
          submitted acme/last
          placed acme/last/0 on a
        > job acme/once cpu=2 evictions=1 move
          submitted acme/once
          placed acme/once/0 on a
        > node b cpu=8
          registered b
        > drain a grace=5m
          2 notices
          a drains until +5m
          notice acme/last/0 on a at +5m NodeDrained
          notice acme/once/0 on a at +5m NodeDrained
          evicted acme/once/0 from a NodeDrained, moved to b
          placed acme/once/0 on b
        > drain b grace=5m
          1 notices
          b drains until +5m
          notice acme/once/0 on b at +5m NodeDrained
        > node c cpu=8
          registered c
        > at +7m
          +5m evicted acme/last/0 from a NodeDrained
          +5m evicted acme/once/0 from b NodeDrained
          +5m dropped acme/last/0 Evicted
          +5m dropped acme/once/0 Evicted
          +5m done acme/last Failed
          +5m done acme/once Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/last cpu=2 evictions=0 move
         job acme/once cpu=2 evictions=1 move
         node b cpu=8
         drain a grace=5m
         drain b grace=5m
         node c cpu=8
         at +7m",
    ));
}

#[test]
fn a_mover_stays_whose_deadline_has_passed() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/late cpu=2 deadline=1m move
          submitted acme/late
          placed acme/late/0 on a
        > node b cpu=8
          registered b
        > at +2m
        > drain a grace=5m
          1 notices
          a drains until +7m
          notice acme/late/0 on a at +7m NodeDrained
        > at +8m
          +7m evicted acme/late/0 from a NodeDrained
          +7m dropped acme/late/0 MissedDeadline
          +7m done acme/late Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/late cpu=2 deadline=1m move
         node b cpu=8
         at +2m
         drain a grace=5m
         at +8m",
    ));
}

#[test]
fn a_mover_stays_whose_tenant_may_start_nothing() {
    expect![[r#"
        > price core=360000000
          prices from 1 ms
        > at +1s
        > node a cpu=4
          registered a
        > tenant acme stop-new=2
          created acme
        > job acme/moves cpu=1 move
          submitted acme/moves
          placed acme/moves/0 on a
        > node b cpu=4
          registered b
        > at +1m
          +21s budget acme NewStopped at 2000000
        > drain a grace=10m
          1 notices
          a drains until +11m
          notice acme/moves/0 on a at +11m NodeDrained
        > at +2m
        > set acme stop-new=none
          changed acme
          budget acme Within at 0
        > at +3m
          +2m1s evicted acme/moves/0 from a NodeDrained, moved to b
          +2m1s placed acme/moves/0 on b
    "#]]
    .assert_eq(&play(
        "price core=360000000
         at +1s
         node a cpu=4
         tenant acme stop-new=2
         job acme/moves cpu=1 move
         node b cpu=4
         at +1m
         drain a grace=10m
         at +2m
         set acme stop-new=none
         at +3m",
    ));
}

#[test]
fn no_mover_takes_room_that_waiting_work_fits() {
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
        > job acme/waits cpu=3 priority=-5
          submitted acme/waits
        > drain b grace=5m
          1 notices
          b drains until +5m
          notice acme/moves/0 on b at +5m NodeDrained
        > succeed acme/other/0
          ended acme/other/0 Succeeded
          done acme/other Succeeded
          placed acme/waits/0 on a
        > at +2m
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         node b cpu=4
         tenant acme
         job acme/other cpu=4
         job acme/moves cpu=4 move
         job acme/waits cpu=3 priority=-5
         drain b grace=5m
         succeed acme/other/0
         at +2m",
    ));
}

#[test]
fn cancelled_tasks_do_not_move() {
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
        > cancel acme/moves grace=2m
          notice acme/moves/0 on a at +2m Cancelled
        > at +3m
          +2m ended acme/moves/0 Cancelled
          +2m done acme/moves Cancelled
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/moves cpu=4 move
         node b cpu=4
         cancel acme/moves grace=2m
         at +3m",
    ));
}

#[test]
fn a_task_inside_its_min_runtime_is_not_preempted_and_so_does_not_move() {
    expect![[r#"
        > node a cpu=4 region=eu
          registered a
        > node b cpu=4 region=us
          registered b
        > tenant acme
          created acme
        > job acme/moves cpu=4 min=1h move region=eu,us
          submitted acme/moves
          placed acme/moves/0 on a
        > cordon b
          b is cordoned
        > job acme/urgent cpu=4 priority=5 region=eu
          submitted acme/urgent
        > uncordon b
          b is open
        > at +59m
        > at +2h
          +1h notice acme/moves/0 on a at +1h2m Preempted
          +1h evicted acme/moves/0 from a Preempted, moved to b
          +1h placed acme/moves/0 on b
          +1h placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4 region=eu
         node b cpu=4 region=us
         tenant acme
         job acme/moves cpu=4 min=1h move region=eu,us
         cordon b
         job acme/urgent cpu=4 priority=5 region=eu
         uncordon b
         at +59m
         at +2h",
    ));
}

#[test]
fn gangs_and_work_laid_out_over_time_do_not_move() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/gang cpu=1 count=2 gang move
          refused: on_notice cannot be MOVE for a gang, which goes as a whole: only STAY is accepted
        > job acme/timed cpu=1 max=1h complete=2h move
          refused: on_notice cannot be MOVE beside complete_by, as such work is laid out anew: only STAY is accepted
        > job acme/stays cpu=1 count=2 gang
          submitted acme/stays
          placed acme/stays/0..1 on a
        > change acme/stays move
          refused: on_notice cannot be MOVE for a gang, which goes as a whole: only STAY is accepted
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/gang cpu=1 count=2 gang move
         job acme/timed cpu=1 max=1h complete=2h move
         job acme/stays cpu=1 count=2 gang
         change acme/stays move",
    ));
}

#[test]
fn nothing_moves_to_a_node_that_is_kept_for_a_planned_start() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/short cpu=3 max=30m
          submitted acme/short
          placed acme/short/0 on a
        > cordon a
          a is cordoned
        > node b cpu=1
          registered b
        > job acme/moves cpu=1 move
          submitted acme/moves
          placed acme/moves/0 on b
        > uncordon a
          a is open
        > job acme/wide cpu=4 max=1h
          submitted acme/wide
        > at +5s
          +1s planned 1 of acme/wide on a at +30m
        > drain b grace=5m
          1 notices
          b drains until +5m5s
          notice acme/moves/0 on b at +5m5s NodeDrained
        > at +1m
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/short cpu=3 max=30m
         cordon a
         node b cpu=1
         job acme/moves cpu=1 move
         uncordon a
         job acme/wide cpu=4 max=1h
         at +5s
         drain b grace=5m
         at +1m",
    ));
}

#[test]
fn no_mover_takes_what_another_mover_leaves_before_those_who_wait() {
    expect![[r#"
        > node a cpu=4 region=eu
          registered a
        > tenant acme
          created acme
        > job acme/one cpu=4 min=1h move region=eu,us
          submitted acme/one
          placed acme/one/0 on a
        > node b cpu=4 region=us
          registered b
        > node c cpu=4 region=eu
          registered c
        > job acme/two cpu=4 min=2h move region=eu
          submitted acme/two
          placed acme/two/0 on c
        > job acme/urgent cpu=4 priority=5 region=eu
          submitted acme/urgent
        > at +1m
        > drain c grace=2h
          1 notices
          c drains until +2h1m
          notice acme/two/0 on c at +2h1m NodeDrained
        > at +59m59s
        > node d cpu=1
          registered d
        > at +1h
          +1h notice acme/one/0 on a at +1h2m Preempted
          +1h evicted acme/one/0 from a Preempted, moved to b
          +1h placed acme/one/0 on b
          +1h placed acme/urgent/0 on a
        > at +3h
          +2h1m evicted acme/two/0 from c NodeDrained
    "#]]
    .assert_eq(&play(
        "node a cpu=4 region=eu
         tenant acme
         job acme/one cpu=4 min=1h move region=eu,us
         node b cpu=4 region=us
         node c cpu=4 region=eu
         job acme/two cpu=4 min=2h move region=eu
         job acme/urgent cpu=4 priority=5 region=eu
         at +1m
         drain c grace=2h
         at +59m59s
         node d cpu=1
         at +1h
         at +3h",
    ));
}

#[test]
fn a_mover_does_not_move_to_its_own_node() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/moves cpu=2 move
          submitted acme/moves
          placed acme/moves/0 on a
        > update a cpu=1
          updated a
          notice acme/moves/0 on a at +2m NodeChanged
        > update a cpu=4
          updated a
        > at +1m
        > at +3m
          +2m evicted acme/moves/0 from a NodeChanged
          +2m placed acme/moves/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/moves cpu=2 move
         update a cpu=1
         update a cpu=4
         at +1m
         at +3m",
    ));
}
