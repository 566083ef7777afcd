//! All or nothing, coming and going.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_gang_is_placed_whole_or_not_at_all() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/ring count=3 cpu=2 gang
          submitted acme/ring
        > why acme/ring
          Gang
        > job acme/small cpu=2
          submitted acme/small
          placed acme/small/0 on a
        > node b cpu=4
          registered b
          placed acme/ring/0 on a
          placed acme/ring/1..2 on b
        > at +1s
        > node c cpu=1
          registered c
        > succeed acme/small/0
          ended acme/small/0 Succeeded
          done acme/small Succeeded
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/ring count=3 cpu=2 gang
         why acme/ring
         job acme/small cpu=2
         node b cpu=4
         at +1s
         node c cpu=1
         succeed acme/small/0",
    ));
}

#[test]
fn a_gang_is_evicted_whole() {
    expect![[r#"
        > node a b cpu=2
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/ring count=2 cpu=1.9 gang
          submitted acme/ring
          placed acme/ring/0 on a
          placed acme/ring/1 on b
        > load a cpu=0.1
          load a cpu_millis=100
          notice acme/ring/0 on a at +2m OwnerExpected
          notice acme/ring/1 on b at +2m OwnerExpected
        > at +1m
        > node c cpu=2
          registered c
        > at +2m
          +2m evicted acme/ring/0 from a OwnerExpected
          +2m evicted acme/ring/1 from b OwnerExpected
          +2m placed acme/ring/0 on c
          +2m placed acme/ring/1 on b
    "#]]
    .assert_eq(&play(
        "node a b cpu=2
         tenant acme
         job acme/ring count=2 cpu=1.9 gang
         load a cpu=0.1
         at +1m
         node c cpu=2
         at +2m",
    ));
}

#[test]
fn a_gang_that_loses_a_node_leaves_the_others_with_notice() {
    expect![[r#"
        > node a cpu=2 ttl=60s
          registered a
        > node b c cpu=2
          registered b
          registered c
        > tenant acme
          created acme
        > job acme/ring count=3 cpu=2 gang
          submitted acme/ring
          placed acme/ring/0 on a
          placed acme/ring/1 on c
          placed acme/ring/2 on b
        > at +1m
          +1m lost a
          +1m evicted acme/ring/0 from a NodeLost
          +1m notice acme/ring/1 on c at +3m NodeLost
          +1m notice acme/ring/2 on b at +3m NodeLost
        > node d cpu=2
          registered d
        > at +5m
          +3m evicted acme/ring/1 from c NodeLost
          +3m evicted acme/ring/2 from b NodeLost
          +3m placed acme/ring/0 on d
          +3m placed acme/ring/1 on b
          +3m placed acme/ring/2 on c
    "#]]
    .assert_eq(&play(
        "node a cpu=2 ttl=60s
         node b c cpu=2
         tenant acme
         job acme/ring count=3 cpu=2 gang
         at +1m
         node d cpu=2
         at +5m",
    ));
}

#[test]
fn two_gangs_that_do_not_fit_leave_room_for_small_work() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/ring count=3 cpu=2 gang
          submitted acme/ring
        > job acme/star count=5 cpu=1 gang
          submitted acme/star
        > job acme/small count=4 cpu=1
          submitted acme/small
          placed acme/small/0..3 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/ring count=3 cpu=2 gang
         job acme/star count=5 cpu=1 gang
         job acme/small count=4 cpu=1",
    ));
}

#[test]
fn an_attempt_that_failed_leaves_no_trace_on_zones() {
    expect![[r#"
        > node a b cpu=2 zone=1
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/ring count=3 cpu=2 gang per-zone=2
          submitted acme/ring
        > node c cpu=2 zone=2
          registered c
          placed acme/ring/0 on b
          placed acme/ring/1 on a
          placed acme/ring/2 on c
    "#]]
    .assert_eq(&play(
        "node a b cpu=2 zone=1
         tenant acme
         job acme/ring count=3 cpu=2 gang per-zone=2
         node c cpu=2 zone=2",
    ));
}

#[test]
fn a_gang_of_two_drained_nodes_keeps_the_earlier_deadline() {
    expect![[r#"
        > node a b cpu=2
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/ring count=2 cpu=2 gang
          submitted acme/ring
          placed acme/ring/0 on a
          placed acme/ring/1 on b
        > drain a grace=1m
          2 notices
          a drains until +1m
          notice acme/ring/0 on a at +1m NodeDrained
          notice acme/ring/1 on b at +1m NodeDrained
        > drain b grace=5m
          b drains until +5m
        > at +10m
          +1m evicted acme/ring/0 from a NodeDrained
          +1m evicted acme/ring/1 from b NodeDrained
    "#]]
    .assert_eq(&play(
        "node a b cpu=2
         tenant acme
         job acme/ring count=2 cpu=2 gang
         drain a grace=1m
         drain b grace=5m
         at +10m",
    ));
}

#[test]
fn a_gang_stays_under_notice_while_one_of_its_nodes_drains() {
    expect![[r#"
        > node a b c cpu=2
          registered a
          registered b
          registered c
        > tenant acme
          created acme
        > job acme/ring count=3 cpu=2 gang
          submitted acme/ring
          placed acme/ring/0 on a
          placed acme/ring/1 on c
          placed acme/ring/2 on b
        > drain a grace=1m
          3 notices
          a drains until +1m
          notice acme/ring/0 on a at +1m NodeDrained
          notice acme/ring/1 on c at +1m NodeDrained
          notice acme/ring/2 on b at +1m NodeDrained
        > drain b grace=5m
          b drains until +5m
        > uncordon a
          a is open
          notice acme/ring/0 on a at +5m NodeDrained
          notice acme/ring/1 on c at +5m NodeDrained
          notice acme/ring/2 on b at +5m NodeDrained
        > at +10m
          +5m evicted acme/ring/0 from a NodeDrained
          +5m evicted acme/ring/1 from c NodeDrained
          +5m evicted acme/ring/2 from b NodeDrained
    "#]]
    .assert_eq(&play(
        "node a b c cpu=2
         tenant acme
         job acme/ring count=3 cpu=2 gang
         drain a grace=1m
         drain b grace=5m
         uncordon a
         at +10m",
    ));
}

#[test]
fn a_gang_is_resized_and_cancelled() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/ring count=2 cpu=1 gang
          submitted acme/ring
          placed acme/ring/0..1 on a
        > resize acme/ring 5
          resized acme/ring to 5
        > why acme/ring
          Gang
        > resize acme/ring 4
          dropped acme/ring/4 Cancelled
          resized acme/ring to 4
          placed acme/ring/2..3 on a
        > cancel acme/ring
          ended acme/ring/0 Cancelled
          ended acme/ring/1 Cancelled
          ended acme/ring/2 Cancelled
          ended acme/ring/3 Cancelled
          done acme/ring Cancelled
        > at +1h
          +1h forgot acme/ring
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/ring count=2 cpu=1 gang
         resize acme/ring 5
         why acme/ring
         resize acme/ring 4
         cancel acme/ring
         at +1h",
    ));
}

#[test]
fn a_gang_counts_on_room_that_is_free_until_the_rest_is() {
    expect![[r#"
        > node a cpu=2 zone=1
          registered a
        > tenant acme
          created acme
        > job acme/ring count=3 cpu=1 gang priority=1 per-zone=2
          submitted acme/ring
        > job acme/low count=2 cpu=1 gang notice=10s
          submitted acme/low
          placed acme/low/0..1 on a
        > node b cpu=1 zone=2
          registered b
          notice acme/low/1 on a at +10s Preempted
          notice acme/low/0 on a at +10s Preempted
        > job acme/filler cpu=1
          submitted acme/filler
        > at +5m
          +10s evicted acme/low/0 from a Preempted
          +10s evicted acme/low/1 from a Preempted
          +10s placed acme/ring/0 on b
          +10s placed acme/ring/1..2 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=2 zone=1
         tenant acme
         job acme/ring count=3 cpu=1 gang priority=1 per-zone=2
         job acme/low count=2 cpu=1 gang notice=10s
         node b cpu=1 zone=2
         job acme/filler cpu=1
         at +5m",
    ));
}
