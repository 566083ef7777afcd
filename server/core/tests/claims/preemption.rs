//! Work of higher priority takes room from work of lower.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn higher_priority_evicts_youngest() {
    expect![[r#"
        > node a cpu=4 mem=8
          registered a
        > tenant acme
          created acme
        > job acme/old cpu=2 mem=1 priority=1
          submitted acme/old
          placed acme/old/0 on a
        > at +1m
        > job acme/young cpu=2 mem=1 priority=1
          submitted acme/young
          placed acme/young/0 on a
        > at +2m
        > job acme/urgent cpu=2 mem=1 priority=5
          submitted acme/urgent
          notice acme/young/0 on a at +4m Preempted
        > why acme/urgent
          Preemption
          Headroom cpu_millis by 2000: 1 nodes
        > at +10m
          +4m evicted acme/young/0 from a Preempted
          +4m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4 mem=8
         tenant acme
         job acme/old cpu=2 mem=1 priority=1
         at +1m
         job acme/young cpu=2 mem=1 priority=1
         at +2m
         job acme/urgent cpu=2 mem=1 priority=5
         why acme/urgent
         at +10m",
    ));
}

#[test]
fn least_priority_goes_before_youngest() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=2 priority=1
          submitted acme/low
          placed acme/low/0 on a
        > at +1m
        > job acme/middle cpu=2 priority=2
          submitted acme/middle
          placed acme/middle/0 on a
        > job acme/urgent cpu=2 priority=5
          submitted acme/urgent
          notice acme/low/0 on a at +3m Preempted
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low cpu=2 priority=1
         at +1m
         job acme/middle cpu=2 priority=2
         job acme/urgent cpu=2 priority=5",
    ));
}

#[test]
fn equal_priority_evicts_nobody() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=4 priority=5
          submitted acme/first
          placed acme/first/0 on a
        > job acme/second cpu=4 priority=5
          submitted acme/second
        > why acme/second
          Headroom cpu_millis by 4000: 1 nodes
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=4 priority=5
         job acme/second cpu=4 priority=5
         why acme/second",
    ));
}

#[test]
fn tasks_inside_min_runtime_are_never_preempted_but_are_when_it_is_over() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=4 min=1h
          submitted acme/low
          placed acme/low/0 on a
        > at +30m
        > job acme/urgent cpu=4 priority=5
          submitted acme/urgent
        > at +59m
        > at +2h
          +1h notice acme/low/0 on a at +1h2m Preempted
          +1h2m evicted acme/low/0 from a Preempted
          +1h2m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low cpu=4 min=1h
         at +30m
         job acme/urgent cpu=4 priority=5
         at +59m
         at +2h",
    ));
}

#[test]
fn no_more_is_preempted_than_needed() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/small cpu=1
          submitted acme/small
          placed acme/small/0 on a
        > at +1m
        > job acme/large cpu=3
          submitted acme/large
          placed acme/large/0 on a
        > job acme/urgent cpu=3 priority=5
          submitted acme/urgent
          notice acme/large/0 on a at +3m Preempted
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/small cpu=1
         at +1m
         job acme/large cpu=3
         job acme/urgent cpu=3 priority=5",
    ));
}

#[test]
fn a_higher_job_joining_a_parked_shape_still_preempts() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/running cpu=4 priority=1
          submitted acme/running
          placed acme/running/0 on a
        > job acme/equal cpu=4 priority=1
          submitted acme/equal
        > job acme/urgent cpu=4 priority=5
          submitted acme/urgent
          notice acme/running/0 on a at +2m Preempted
        > at +5m
          +2m evicted acme/running/0 from a Preempted
          +2m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/running cpu=4 priority=1
         job acme/equal cpu=4 priority=1
         job acme/urgent cpu=4 priority=5
         at +5m",
    ));
}

#[test]
fn an_opened_node_is_asked_for_victims() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=4
          submitted acme/low
          placed acme/low/0 on a
        > cordon a
          a is cordoned
        > job acme/urgent cpu=4 priority=5
          submitted acme/urgent
        > uncordon a
          a is open
          notice acme/low/0 on a at +2m Preempted
        > at +5m
          +2m evicted acme/low/0 from a Preempted
          +2m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low cpu=4
         cordon a
         job acme/urgent cpu=4 priority=5
         uncordon a
         at +5m",
    ));
}

#[test]
fn a_gang_that_cannot_fit_preempts_nobody() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/low count=2 cpu=4
          submitted acme/low
          placed acme/low/0 on a
          placed acme/low/1 on b
        > job acme/ring count=3 cpu=4 gang priority=5
          submitted acme/ring
        > why acme/ring
          Headroom cpu_millis by 4000: 2 nodes
        > at +10m
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/low count=2 cpu=4
         job acme/ring count=3 cpu=4 gang priority=5
         why acme/ring
         at +10m",
    ));
}

#[test]
fn a_gang_preempts_for_all_its_tasks_or_none() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/low count=2 cpu=4
          submitted acme/low
          placed acme/low/0 on a
          placed acme/low/1 on b
        > job acme/ring count=2 cpu=4 gang priority=5
          submitted acme/ring
          notice acme/low/0 on a at +2m Preempted
          notice acme/low/1 on b at +2m Preempted
        > at +10m
          +2m evicted acme/low/0 from a Preempted
          +2m evicted acme/low/1 from b Preempted
          +2m placed acme/ring/0 on a
          +2m placed acme/ring/1 on b
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/low count=2 cpu=4
         job acme/ring count=2 cpu=4 gang priority=5
         at +10m",
    ));
}

#[test]
fn preemption_honours_the_spread() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low count=2 cpu=1
          submitted acme/low
          placed acme/low/0..1 on a
        > job acme/apart count=2 cpu=2 per-node=1 priority=5
          submitted acme/apart
          placed acme/apart/0 on a
        > at +10m
        > why acme/apart
          Headroom cpu_millis by 2000: 1 nodes
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low count=2 cpu=1
         job acme/apart count=2 cpu=2 per-node=1 priority=5
         at +10m
         why acme/apart",
    ));
}

#[test]
fn victims_with_different_notice_leave_together() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/short cpu=2 notice=1m
          submitted acme/short
          placed acme/short/0 on a
        > job acme/long cpu=2 notice=5m
          submitted acme/long
          placed acme/long/0 on a
        > job acme/urgent cpu=4 priority=5
          submitted acme/urgent
          notice acme/short/0 on a at +5m Preempted
          notice acme/long/0 on a at +5m Preempted
        > at +4m
        > at +10m
          +5m evicted acme/short/0 from a Preempted
          +5m evicted acme/long/0 from a Preempted
          +5m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/short cpu=2 notice=1m
         job acme/long cpu=2 notice=5m
         job acme/urgent cpu=4 priority=5
         at +4m
         at +10m",
    ));
}

#[test]
fn a_young_member_saves_its_gang() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/ring count=1 cpu=2 gang min=10m
          submitted acme/ring
          placed acme/ring/0 on a
        > at +11m
        > resize acme/ring 2
          resized acme/ring to 2
          placed acme/ring/1 on a
        > job acme/urgent cpu=2 priority=5
          submitted acme/urgent
        > at +20m
        > at +30m
          +21m notice acme/ring/1 on a at +23m Preempted
          +21m notice acme/ring/0 on a at +23m Preempted
          +23m evicted acme/ring/0 from a Preempted
          +23m evicted acme/ring/1 from a Preempted
          +23m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/ring count=1 cpu=2 gang min=10m
         at +11m
         resize acme/ring 2
         job acme/urgent cpu=2 priority=5
         at +20m
         at +30m",
    ));
}

#[test]
fn a_withdrawn_notice_is_replaced_by_another() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/ring count=2 cpu=4 gang
          submitted acme/ring
          placed acme/ring/0 on a
          placed acme/ring/1 on b
        > drain a grace=10m
          2 notices
          a drains until +10m
          notice acme/ring/0 on a at +10m NodeDrained
          notice acme/ring/1 on b at +10m NodeDrained
        > job acme/urgent cpu=4 priority=5
          submitted acme/urgent
        > uncordon a
          a is open
          withdrawn acme/ring/0
          withdrawn acme/ring/1
          notice acme/ring/0 on a at +2m Preempted
          notice acme/ring/1 on b at +2m Preempted
        > at +20m
          +2m evicted acme/ring/0 from a Preempted
          +2m evicted acme/ring/1 from b Preempted
          +2m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/ring count=2 cpu=4 gang
         drain a grace=10m
         job acme/urgent cpu=4 priority=5
         uncordon a
         at +20m",
    ));
}

#[test]
fn a_preemption_after_a_restart_counts_from_now() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=4 min=5m
          submitted acme/low
          placed acme/low/0 on a
        > job acme/urgent cpu=4 priority=5
          submitted acme/urgent
        > at +4m
        > restart
        > at +6m
          +5m notice acme/low/0 on a at +7m Preempted
        > restart
        > at +10m
          +7m evicted acme/low/0 from a Preempted
          +7m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low cpu=4 min=5m
         job acme/urgent cpu=4 priority=5
         at +4m
         restart
         at +6m
         restart
         at +10m",
    ));
}

#[test]
fn a_task_that_moved_in_young_is_preempted_when_it_matures() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=2 priority=9
          submitted acme/first
          placed acme/first/0 on a
        > job acme/urgent cpu=3 priority=5
          submitted acme/urgent
        > job acme/low cpu=2 min=10m
          submitted acme/low
          placed acme/low/0 on a
        > succeed acme/first/0
          ended acme/first/0 Succeeded
          done acme/first Succeeded
        > at +20m
          +10m notice acme/low/0 on a at +12m Preempted
          +12m evicted acme/low/0 from a Preempted
          +12m placed acme/urgent/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=2 priority=9
         job acme/urgent cpu=3 priority=5
         job acme/low cpu=2 min=10m
         succeed acme/first/0
         at +20m",
    ));
}

#[test]
fn room_that_grows_while_other_room_is_made_is_asked_about() {
    expect![[r#"
        > node a cpu=6
          registered a
        > tenant acme
          created acme
        > job acme/low count=3 cpu=1 priority=1
          submitted acme/low
          placed acme/low/0..2 on a
        > job acme/large cpu=4 priority=2
          submitted acme/large
          notice acme/low/2 on a at +2m Preempted
        > job acme/first cpu=2 priority=3
          submitted acme/first
        > job acme/second cpu=2 mem=0 priority=3 tolerate=x
          submitted acme/second
        > job acme/small cpu=1 priority=2 tolerate=x
          submitted acme/small
        > at +2m
          +2m evicted acme/low/2 from a Preempted
          +2m placed acme/first/0 on a
          +2m placed acme/second/0 on a
          +2m notice acme/low/1 on a at +4m Preempted
        > cancel acme/second
          ended acme/second/0 Cancelled
          done acme/second Cancelled
          notice acme/low/0 on a at +4m Preempted
        > at +10m
          +4m evicted acme/low/0 from a Preempted
          +4m evicted acme/low/1 from a Preempted
          +4m placed acme/large/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=6
         tenant acme
         job acme/low count=3 cpu=1 priority=1
         job acme/large cpu=4 priority=2
         job acme/first cpu=2 priority=3
         job acme/second cpu=2 mem=0 priority=3 tolerate=x
         job acme/small cpu=1 priority=2 tolerate=x
         at +2m
         cancel acme/second
         at +10m",
    ));
}

#[test]
fn tasks_added_to_a_waiting_job_preempt_too() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/low count=2 cpu=1
          submitted acme/low
          placed acme/low/0..1 on a
        > job acme/high cpu=1 priority=5
          submitted acme/high
          notice acme/low/1 on a at +2m Preempted
        > resize acme/high 2
          resized acme/high to 2
          notice acme/low/0 on a at +2m Preempted
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/low count=2 cpu=1
         job acme/high cpu=1 priority=5
         resize acme/high 2",
    ));
}

#[test]
fn whom_a_preemption_served_is_kept_of_preemptions_only() {
    expect![[r#"
        > node a cpu=2 ttl=1m
          registered a
        > node b cpu=2 ttl=10m
          registered b
        > tenant acme
          created acme
        > job acme/low count=4 cpu=1
          submitted acme/low
          placed acme/low/0..1 on a
          placed acme/low/2..3 on b
        > status acme/low
          Running TaskCounts { pending: 0, placed: 4, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 0
        > job acme/urgent count=2 cpu=2 priority=5
          submitted acme/urgent
          notice acme/low/0 on a at +2m Preempted
          notice acme/low/1 on a at +2m Preempted
          notice acme/low/2 on b at +2m Preempted
          notice acme/low/3 on b at +2m Preempted
        > at +1m30s
          +1m lost a
          +1m evicted acme/low/0 from a NodeLost
          +1m evicted acme/low/1 from a NodeLost
        > status acme/low
          Running TaskCounts { pending: 2, placed: 2, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 2
        > at +3m
          +2m evicted acme/low/2 from b Preempted
          +2m evicted acme/low/3 from b Preempted
          +2m placed acme/urgent/0 on b
        > status acme/low
          Pending TaskCounts { pending: 4, placed: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 4, preempted for acme/urgent
    "#]]
    .assert_eq(&play(
        "node a cpu=2 ttl=1m
         node b cpu=2 ttl=10m
         tenant acme
         job acme/low count=4 cpu=1
         status acme/low
         job acme/urgent count=2 cpu=2 priority=5
         at +1m30s
         status acme/low
         at +3m
         status acme/low",
    ));
}

#[test]
fn what_makes_way_for_work_that_a_budget_stops_stays() {
    expect![[r#"
        > price core=36000000
          prices from 1 ms
        > node a cpu=1
          registered a
        > node b cpu=1
          registered b
        > tenant rich
          created rich
        > tenant poor stop-new=1
          created poor
        > at +1s
        > job poor/runs cpu=1 priority=9
          submitted poor/runs
          placed poor/runs/0 on a
        > job rich/low cpu=1 notice=1h
          submitted rich/low
          placed rich/low/0 on b
        > job poor/high cpu=1 priority=5
          submitted poor/high
          notice rich/low/0 on b at +1h1s Preempted
        > at 3m
          +1m41s budget poor NewStopped at 1000000
          +1m41s withdrawn rich/low/0
    "#]]
    .assert_eq(&play(
        "price core=36000000
         node a cpu=1
         node b cpu=1
         tenant rich
         tenant poor stop-new=1
         at +1s
         job poor/runs cpu=1 priority=9
         job rich/low cpu=1 notice=1h
         job poor/high cpu=1 priority=5
         at 3m",
    ));
}
