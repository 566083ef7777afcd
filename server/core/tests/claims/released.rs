//! Tasks under notice that their executors release.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_released_task_is_placed_elsewhere_in_the_same_step() {
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
        > at +1m
        > release acme/train/0
          evicted acme/train/0 from a NodeDrained, released
          placed acme/train/0 on b
        > status acme/train
          Running TaskCounts { pending: 0, placed: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 1
        > at +10m
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=4
         node b cpu=4
         drain a grace=5m
         at +1m
         release acme/train/0
         status acme/train
         at +10m",
    ));
}

#[test]
fn a_released_task_waits_where_nothing_has_room_and_its_owner_has_it_at_once() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > load a cpu=1
          load a cpu_millis=1000
        > job acme/train cpu=2
          submitted acme/train
          placed acme/train/0 on a
        > at +1m
        > load a cpu=1.9
          load a cpu_millis=1900
          notice acme/train/0 on a at +3m OwnerExpected
        > at +90s
        > release acme/train/0
          evicted acme/train/0 from a OwnerExpected, released
        > show a
          Open held back cpu_millis=2090; lent nothing; headroom cpu_millis=1910
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         load a cpu=1
         job acme/train cpu=2
         at +1m
         load a cpu=1.9
         at +90s
         release acme/train/0
         show a",
    ));
}

#[test]
fn a_task_that_is_not_under_notice_is_not_released() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1 count=2
          submitted acme/train
          placed acme/train/0..1 on a
        > release acme/train/0
          refused: allocation 1 is not under notice: a task can be released only while one is announced
        > drain a grace=5m
          2 notices
          a drains until +5m
          notice acme/train/0 on a at +5m NodeDrained
          notice acme/train/1 on a at +5m NodeDrained
        > release acme/train/0
          evicted acme/train/0 from a NodeDrained, released
        > release acme/train/0
          ignored 1 reports
        > uncordon a
          a is open
          withdrawn acme/train/1
          placed acme/train/0 on a
        > release acme/train/1
          refused: allocation 2 is not under notice: a task can be released only while one is announced
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1 count=2
         release acme/train/0
         drain a grace=5m
         release acme/train/0
         release acme/train/0
         uncordon a
         release acme/train/1",
    ));
}

#[test]
fn who_is_cancelled_or_over_budget_may_be_released_too() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > cancel acme/train grace=1h
          notice acme/train/0 on a at +1h Cancelled
        > at +1m
        > release acme/train/0
          ended acme/train/0 Cancelled
          done acme/train Cancelled
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1
         cancel acme/train grace=1h
         at +1m
         release acme/train/0",
    ));
}

#[test]
fn what_is_left_of_a_gang_keeps_its_notice_when_another_task_is_released() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/ring count=2 cpu=2 gang notice=1m
          submitted acme/ring
          placed acme/ring/0..1 on a
        > job acme/slow cpu=4 notice=10m
          submitted acme/slow
          placed acme/slow/0 on b
        > job acme/high count=2 cpu=4 priority=1
          submitted acme/high
          notice acme/slow/0 on b at +10m Preempted
          notice acme/ring/0 on a at +10m Preempted
          notice acme/ring/1 on a at +10m Preempted
        > release acme/ring/0
          evicted acme/ring/0 from a Preempted, released
        > at +11m
          +10m evicted acme/ring/1 from a Preempted
          +10m evicted acme/slow/0 from b Preempted
          +10m placed acme/high/0 on a
          +10m placed acme/high/1 on b
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/ring count=2 cpu=2 gang notice=1m
         job acme/slow cpu=4 notice=10m
         job acme/high count=2 cpu=4 priority=1
         release acme/ring/0
         at +11m",
    ));
}
