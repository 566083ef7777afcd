//! Jobs that are tried again, wait for others, are cancelled with grace or change while they run.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_failed_task_is_tried_again_after_a_wait_that_doubles() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1 retries=2 backoff=10s
          submitted acme/train
          placed acme/train/0 on a
        > fail acme/train/0
          delayed acme/train/0 Failed until +10s
        > why acme/train
          Backoff
        > status acme/train
          Pending TaskCounts { pending: 0, placed: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 1 } evictions: 0
        > at 10s
          +10s resumed acme/train/0
          +10s placed acme/train/0 on a
        > fail acme/train/0
          delayed acme/train/0 Failed until +30s
        > at 29s
        > at 30s
          +30s resumed acme/train/0
          +30s placed acme/train/0 on a
        > fail acme/train/0
          ended acme/train/0 Failed
          done acme/train Failed
        > status acme/train
          Failed TaskCounts { pending: 0, placed: 0, running: 0, succeeded: 0, failed: 1, cancelled: 0, delayed: 0 } evictions: 0
    "#]].assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1 retries=2 backoff=10s
         fail acme/train/0
         why acme/train
         status acme/train
         at 10s
         fail acme/train/0
         at 29s
         at 30s
         fail acme/train/0
         status acme/train",
    ));
}

#[test]
fn timeouts_and_failures_are_counted_apart() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1 max=1m retries=1 timeouts=1 backoff=10s longest=15s
          submitted acme/train
          placed acme/train/0 on a
        > at 1m
          +1m delayed acme/train/0 TimedOut until +1m10s
        > at 1m10s
          +1m10s resumed acme/train/0
          +1m10s placed acme/train/0 on a
        > fail acme/train/0
          delayed acme/train/0 Failed until +1m25s
        > at 2m
          +1m25s resumed acme/train/0
          +1m25s placed acme/train/0 on a
        > at 3m
          +2m25s ended acme/train/0 TimedOut
          +2m25s done acme/train Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1 max=1m retries=1 timeouts=1 backoff=10s longest=15s
         at 1m
         at 1m10s
         fail acme/train/0
         at 2m
         at 3m",
    ));
}

#[test]
fn an_eviction_is_no_failure_and_has_a_limit_of_its_own() {
    expect![[r#"
        > node a cpu=4
          registered a
        > node b cpu=1
          registered b
        > tenant acme
          created acme
        > job acme/train cpu=1 evictions=1 losses=0
          submitted acme/train
          placed acme/train/0 on b
        > cordon a
          a is cordoned
        > drain b grace=0s
          1 notices
          b drains until +0s
          notice acme/train/0 on b at +0s NodeDrained
          evicted acme/train/0 from b NodeDrained
        > uncordon a
          a is open
          placed acme/train/0 on a
        > drain a grace=0s
          1 notices
          a drains until +0s
          notice acme/train/0 on a at +0s NodeDrained
          evicted acme/train/0 from a NodeDrained
          dropped acme/train/0 Evicted
          done acme/train Failed
        > at 10s
        > status acme/train
          Failed TaskCounts { pending: 0, placed: 0, running: 0, succeeded: 0, failed: 1, cancelled: 0, delayed: 0 } evictions: 2
    "#]].assert_eq(&play(
        "node a cpu=4
         node b cpu=1
         tenant acme
         job acme/train cpu=1 evictions=1 losses=0
         cordon a
         drain b grace=0s
         uncordon a
         drain a grace=0s
         at 10s
         status acme/train",
    ));
}

#[test]
fn a_lost_node_counts_apart_from_evictions() {
    expect![[r#"
        > node a cpu=4 ttl=60s
          registered a
        > node b cpu=4
          registered b
        > cordon b
          b is cordoned
        > tenant acme
          created acme
        > job acme/train cpu=1 evictions=0 losses=1
          submitted acme/train
          placed acme/train/0 on a
        > job acme/brittle cpu=1 losses=0
          submitted acme/brittle
          placed acme/brittle/0 on a
        > at 1m
          +1m lost a
          +1m evicted acme/train/0 from a NodeLost
          +1m evicted acme/brittle/0 from a NodeLost
          +1m dropped acme/brittle/0 Evicted
          +1m done acme/brittle Failed
        > uncordon b
          b is open
          placed acme/train/0 on b
        > drain b grace=0s
          1 notices
          b drains until +1m
          notice acme/train/0 on b at +1m NodeDrained
          evicted acme/train/0 from b NodeDrained
          dropped acme/train/0 Evicted
          done acme/train Failed
        > at 2m
    "#]]
    .assert_eq(&play(
        "node a cpu=4 ttl=60s
         node b cpu=4
         cordon b
         tenant acme
         job acme/train cpu=1 evictions=0 losses=1
         job acme/brittle cpu=1 losses=0
         at 1m
         uncordon b
         drain b grace=0s
         at 2m",
    ));
}

#[test]
fn nothing_is_tried_again_past_the_deadline() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1 retries=5 backoff=40s deadline=1m
          submitted acme/train
          placed acme/train/0 on a
        > fail acme/train/0
          delayed acme/train/0 Failed until +40s
        > at 40s
          +40s resumed acme/train/0
          +40s placed acme/train/0 on a
        > fail acme/train/0
          ended acme/train/0 Failed
          done acme/train Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1 retries=5 backoff=40s deadline=1m
         fail acme/train/0
         at 40s
         fail acme/train/0",
    ));
}

#[test]
fn a_gang_is_placed_again_when_none_of_it_waits_out_a_back_off() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train count=2 cpu=1 gang retries=1 backoff=1m
          submitted acme/train
          placed acme/train/0..1 on a
        > fail acme/train/0
          delayed acme/train/0 Failed until +1m
        > drain a grace=0s
          1 notices
          a drains until +0s
          notice acme/train/1 on a at +0s NodeDrained
          evicted acme/train/1 from a NodeDrained
        > at 10s
        > why acme/train
          Backoff
        > uncordon a
          a is open
        > at 1m
          +1m resumed acme/train/0
          +1m placed acme/train/0..1 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train count=2 cpu=1 gang retries=1 backoff=1m
         fail acme/train/0
         drain a grace=0s
         at 10s
         why acme/train
         uncordon a
         at 1m",
    ));
}

#[test]
fn waits_and_what_was_tried_survive_a_restart() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=1 retries=1 backoff=1m
          submitted acme/first
          placed acme/first/0 on a
        > job acme/second cpu=1 after=first
          submitted acme/second
          delayed acme/second/0
        > fail acme/first/0
          delayed acme/first/0 Failed until +1m
        > restart
        > at 1m
          +1m resumed acme/first/0
          +1m placed acme/first/0 on a
        > restart
        > fail acme/first/0
          ended acme/first/0 Failed
          done acme/first Failed
          dropped acme/second/0 DependencyFailed
          done acme/second Cancelled
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=1 retries=1 backoff=1m
         job acme/second cpu=1 after=first
         fail acme/first/0
         restart
         at 1m
         restart
         fail acme/first/0",
    ));
}

#[test]
fn a_job_waits_for_the_success_of_another_out_of_the_queue() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/extract cpu=1
          submitted acme/extract
          placed acme/extract/0 on a
        > job acme/load count=2 cpu=1 after=extract
          submitted acme/load
          delayed acme/load/0..1
        > why acme/load
          Dependency
        > status acme/load
          Pending TaskCounts { pending: 0, placed: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 2 } evictions: 0
        > resize acme/load 3
          resized acme/load to 3
          delayed acme/load/2
        > succeed acme/extract/0
          ended acme/extract/0 Succeeded
          done acme/extract Succeeded
          resumed acme/load/0..2
          placed acme/load/0..2 on a
    "#]].assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/extract cpu=1
         job acme/load count=2 cpu=1 after=extract
         why acme/load
         status acme/load
         resize acme/load 3
         succeed acme/extract/0",
    ));
}

#[test]
fn a_job_whose_dependency_fails_is_cancelled_and_so_are_those_behind_it() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/extract cpu=1
          submitted acme/extract
          placed acme/extract/0 on a
        > job acme/load count=2 cpu=1 after=extract
          submitted acme/load
          delayed acme/load/0..1
        > job acme/report cpu=1 after=load
          submitted acme/report
          delayed acme/report/0
        > job acme/clean cpu=1 ended=extract ended=load
          submitted acme/clean
          delayed acme/clean/0
        > fail acme/extract/0
          ended acme/extract/0 Failed
          done acme/extract Failed
          dropped acme/load/0..1 DependencyFailed
          done acme/load Cancelled
          dropped acme/report/0 DependencyFailed
          resumed acme/clean/0
          done acme/report Cancelled
          placed acme/clean/0 on a
        > status acme/load
          Cancelled TaskCounts { pending: 0, placed: 0, running: 0, succeeded: 0, failed: 0, cancelled: 2, delayed: 0 } evictions: 0
        > job acme/late cpu=1 after=extract
          submitted acme/late
          delayed acme/late/0
          dropped acme/late/0 DependencyFailed
          done acme/late Cancelled
    "#]].assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/extract cpu=1
         job acme/load count=2 cpu=1 after=extract
         job acme/report cpu=1 after=load
         job acme/clean cpu=1 ended=extract ended=load
         fail acme/extract/0
         status acme/load
         job acme/late cpu=1 after=extract",
    ));
}

#[test]
fn dependencies_are_older_jobs_of_the_tenant_that_are_still_kept() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > tenant other
          created other
        > job other/theirs cpu=1
          submitted other/theirs
          placed other/theirs/0 on a
        > job acme/a cpu=1 after=a
          refused: tenant "acme" has no job "a" to wait for, or it ended and is no longer kept
        > job acme/a cpu=1 after=theirs
          refused: tenant "acme" has no job "theirs" to wait for, or it ended and is no longer kept
        > job acme/b cpu=1
          submitted acme/b
          placed acme/b/0 on a
        > succeed acme/b/0
          ended acme/b/0 Succeeded
          done acme/b Succeeded
        > job acme/c cpu=1 after=b
          submitted acme/c
          placed acme/c/0 on a
        > at 2h
          +1h forgot acme/b
        > job acme/d cpu=1 after=b
          refused: tenant "acme" has no job "b" to wait for, or it ended and is no longer kept
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         tenant other
         job other/theirs cpu=1
         job acme/a cpu=1 after=a
         job acme/a cpu=1 after=theirs
         job acme/b cpu=1
         succeed acme/b/0
         job acme/c cpu=1 after=b
         at 2h
         job acme/d cpu=1 after=b",
    ));
}

#[test]
fn a_job_that_waits_for_others_misses_its_deadline_and_can_be_cancelled() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/a cpu=1
          submitted acme/a
          placed acme/a/0 on a
        > job acme/b cpu=1 count=2 after=a deadline=1m
          submitted acme/b
          delayed acme/b/0..1
        > job acme/c cpu=1 count=2 after=a
          submitted acme/c
          delayed acme/c/0..1
        > at 1m
          +1m dropped acme/b/0..1 MissedDeadline
          +1m done acme/b Failed
        > cancel acme/c
          dropped acme/c/0..1 Cancelled
          done acme/c Cancelled
        > succeed acme/a/0
          ended acme/a/0 Succeeded
          done acme/a Succeeded
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/a cpu=1
         job acme/b cpu=1 count=2 after=a deadline=1m
         job acme/c cpu=1 count=2 after=a
         at 1m
         cancel acme/c
         succeed acme/a/0",
    ));
}

#[test]
fn cancel_with_grace_gives_notice_and_drops_what_waits() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/train count=4 cpu=1 retries=3
          submitted acme/train
          placed acme/train/0..1 on a
        > cancel acme/train grace=30s
          notice acme/train/0 on a at +30s Cancelled
          notice acme/train/1 on a at +30s Cancelled
          dropped acme/train/2..3 Cancelled
        > status acme/train
          Running TaskCounts { pending: 0, placed: 2, running: 0, succeeded: 0, failed: 0, cancelled: 2, delayed: 0 } evictions: 0
        > resize acme/train 5
          refused: job "train" of tenant "acme" is being cancelled
        > fail acme/train/0
          ended acme/train/0 Cancelled
        > at 30s
          +30s ended acme/train/1 Cancelled
          +30s done acme/train Cancelled
    "#]].assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/train count=4 cpu=1 retries=3
         cancel acme/train grace=30s
         status acme/train
         resize acme/train 5
         fail acme/train/0
         at 30s",
    ));
}

#[test]
fn what_is_cancelled_goes_at_the_first_deadline_and_does_not_come_back() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > cancel acme/train grace=10m
          notice acme/train/0 on a at +10m Cancelled
        > drain a grace=1m
          1 notices
          a drains until +1m
          notice acme/train/0 on a at +1m Cancelled
        > uncordon a
          a is open
        > cancel acme/train grace=5m
        > at 1m
          +1m ended acme/train/0 Cancelled
          +1m done acme/train Cancelled
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/train cpu=1
         cancel acme/train grace=10m
         drain a grace=1m
         uncordon a
         cancel acme/train grace=5m
         at 1m",
    ));
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > drain a grace=1m
          1 notices
          a drains until +1m
          notice acme/train/0 on a at +1m NodeDrained
        > cancel acme/train grace=10m
          notice acme/train/0 on a at +1m Cancelled
        > remove a force
          ended acme/train/0 Cancelled
          removed a
          done acme/train Cancelled
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/train cpu=1
         drain a grace=1m
         cancel acme/train grace=10m
         remove a force",
    ));
}

#[test]
fn a_cancelled_preemptor_lets_its_victims_stay() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/low count=2 cpu=1
          submitted acme/low
          placed acme/low/0..1 on a
        > job acme/urgent cpu=2 priority=10
          submitted acme/urgent
          notice acme/low/0 on a at +2m Preempted
          notice acme/low/1 on a at +2m Preempted
        > cancel acme/urgent
          dropped acme/urgent/0 Cancelled
          withdrawn acme/low/0
          withdrawn acme/low/1
          done acme/urgent Cancelled
        > at 10m
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/low count=2 cpu=1
         job acme/urgent cpu=2 priority=10
         cancel acme/urgent
         at 10m",
    ));
}

#[test]
fn victims_go_while_any_work_of_higher_priority_waits() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/low count=2 cpu=1
          submitted acme/low
          placed acme/low/0..1 on a
        > job acme/urgent cpu=2 priority=10
          submitted acme/urgent
          notice acme/low/0 on a at +2m Preempted
          notice acme/low/1 on a at +2m Preempted
        > job acme/middle cpu=2 priority=5
          submitted acme/middle
        > cancel acme/urgent
          dropped acme/urgent/0 Cancelled
          done acme/urgent Cancelled
        > change acme/middle priority=0
          changed acme/middle priority 0 max none
          withdrawn acme/low/0
          withdrawn acme/low/1
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/low count=2 cpu=1
         job acme/urgent cpu=2 priority=10
         job acme/middle cpu=2 priority=5
         cancel acme/urgent
         change acme/middle priority=0",
    ));
}

#[test]
fn a_raised_priority_moves_a_job_forward_and_makes_room() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme ceiling=20
          created acme
        > job acme/low count=2 cpu=1
          submitted acme/low
          placed acme/low/0..1 on a
        > job acme/first cpu=1
          submitted acme/first
        > job acme/second cpu=1
          submitted acme/second
        > change acme/second priority=30
          refused: priority 30 is above the ceiling of tenant "acme", which is 20
        > change acme/second priority=10
          changed acme/second priority 10 max none
          notice acme/low/1 on a at +2m Preempted
        > at 10m
          +2m evicted acme/low/1 from a Preempted
          +2m placed acme/second/0 on a
        > succeed acme/low/0
          ended acme/low/0 Succeeded
          placed acme/low/1 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme ceiling=20
         job acme/low count=2 cpu=1
         job acme/first cpu=1
         job acme/second cpu=1
         change acme/second priority=30
         change acme/second priority=10
         at 10m
         succeed acme/low/0",
    ));
}

#[test]
fn a_lowered_priority_makes_running_tasks_preemptible() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/low count=2 cpu=1 priority=5
          submitted acme/low
          placed acme/low/0..1 on a
        > job acme/next cpu=1 priority=5
          submitted acme/next
        > change acme/low priority=1
          changed acme/low priority 1 max none
          notice acme/low/1 on a at +2m Preempted
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/low count=2 cpu=1 priority=5
         job acme/next cpu=1 priority=5
         change acme/low priority=1",
    ));
}

#[test]
fn a_changed_max_runtime_counts_from_the_start_of_running_tasks() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/a cpu=1 max=1m min=30s
          submitted acme/a
          placed acme/a/0 on a
        > change acme/a max=10s
          refused: max_runtime must not be less than min_runtime, which is 30000 ms
        > change acme/a max=2m
          changed acme/a priority 0 max +2m
        > at 90s
        > change acme/a max=none
          changed acme/a priority 0 max none
        > at 5m
        > change acme/a max=3m count=2 rev=1
          refused: job "a" is at revision 6, not 1: read it again and retry
        > change acme/a max=3m count=2
          resized acme/a to 2
          changed acme/a priority 0 max +3m
          ended acme/a/0 TimedOut
          placed acme/a/1 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/a cpu=1 max=1m min=30s
         change acme/a max=10s
         change acme/a max=2m
         at 90s
         change acme/a max=none
         at 5m
         change acme/a max=3m count=2 rev=1
         change acme/a max=3m count=2",
    ));
}

#[test]
fn a_ceiling_above_holds_for_a_changed_priority_and_a_lowered_one_for_no_other_change() {
    expect![[r#"
        > tenant acme ceiling=50
          created acme
        > tenant ml parent=acme ceiling=90
          created ml
        > job ml/a cpu=6 priority=40
          submitted ml/a
        > change ml/a priority=60
          refused: priority 60 is above the ceiling of tenant "acme", which is 50
        > change ml/a priority=50
          changed ml/a priority 50 max none
        > set acme ceiling=10
          changed acme
        > change ml/a max=1h
          changed ml/a priority 50 max +1h
        > change ml/a count=2
          resized ml/a to 2
        > change ml/a priority=11
          refused: priority 11 is above the ceiling of tenant "acme", which is 10
        > change ml/a priority=10
          changed ml/a priority 10 max +1h
    "#]]
    .assert_eq(&play(
        "tenant acme ceiling=50
         tenant ml parent=acme ceiling=90
         job ml/a cpu=6 priority=40
         change ml/a priority=60
         change ml/a priority=50
         set acme ceiling=10
         change ml/a max=1h
         change ml/a count=2
         change ml/a priority=11
         change ml/a priority=10",
    ));
}

#[test]
fn work_that_must_be_complete_in_time_says_how_long_it_runs() {
    expect![[r#"
        > tenant acme
          created acme
        > job acme/a cpu=1 max=1h complete=2h
          submitted acme/a
        > change acme/a max=none
          refused: max_runtime must be given where complete_by is and min_runtime is not
        > job acme/b cpu=1 max=1h min=1h complete=2h
          submitted acme/b
        > change acme/b max=none
          changed acme/b priority 0 max none
        > job acme/c cpu=1 max=1h complete=2h after=a
          submitted acme/c
          delayed acme/c/0
        > change acme/c max=3h
          refused: tasks run longer than there is time left until complete_by
    "#]]
    .assert_eq(&play(
        "tenant acme
         job acme/a cpu=1 max=1h complete=2h
         change acme/a max=none
         job acme/b cpu=1 max=1h min=1h complete=2h
         change acme/b max=none
         job acme/c cpu=1 max=1h complete=2h after=a
         change acme/c max=3h",
    ));
}
