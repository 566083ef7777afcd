//! The life of jobs and tasks.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_job_runs_and_succeeds() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train count=2 cpu=1
          submitted acme/train
          placed acme/train/0..1 on a
        > status acme/train
          Running TaskCounts { pending: 0, placed: 2, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 0
        > start acme/train/0
          started acme/train/0
        > start acme/train/0
        > succeed acme/train/0
          ended acme/train/0 Succeeded
        > fail acme/train/0
          ignored 1 reports
        > status acme/train
          Running TaskCounts { pending: 0, placed: 1, running: 0, succeeded: 1, failed: 0, cancelled: 0, delayed: 0 } evictions: 0
        > succeed acme/train/1
          ended acme/train/1 Succeeded
          done acme/train Succeeded
        > cancel acme/train
          refused: job "train" of tenant "acme" has ended
        > resize acme/train 3
          refused: job "train" of tenant "acme" has ended
        > status acme/train
          Succeeded TaskCounts { pending: 0, placed: 0, running: 0, succeeded: 2, failed: 0, cancelled: 0, delayed: 0 } evictions: 0
    "#]].assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train count=2 cpu=1
         status acme/train
         start acme/train/0
         start acme/train/0
         succeed acme/train/0
         fail acme/train/0
         status acme/train
         succeed acme/train/1
         cancel acme/train
         resize acme/train 3
         status acme/train",
    ));
}

#[test]
fn one_failed_task_fails_the_job() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train count=2 cpu=1
          submitted acme/train
          placed acme/train/0..1 on a
        > fail acme/train/0
          ended acme/train/0 Failed
        > succeed acme/train/1
          ended acme/train/1 Succeeded
          done acme/train Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train count=2 cpu=1
         fail acme/train/0
         succeed acme/train/1",
    ));
}

#[test]
fn cancel_ends_placed_and_pending_tasks() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant acme
          created acme
        > job acme/train count=3 cpu=1
          submitted acme/train
          placed acme/train/0..1 on a
        > cancel acme/train
          ended acme/train/0 Cancelled
          ended acme/train/1 Cancelled
          dropped acme/train/2 Cancelled
          done acme/train Cancelled
        > cancel acme/train
          refused: job "train" of tenant "acme" has ended
        > cancel acme/nothing
          refused: job "nothing" of tenant "acme" does not exist
        > cancel nobody/nothing
          refused: job "nothing" of tenant "nobody" does not exist
        > show a
          Open held back nothing; lent nothing; headroom cpu_millis=2000
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant acme
         job acme/train count=3 cpu=1
         cancel acme/train
         cancel acme/train
         cancel acme/nothing
         cancel nobody/nothing
         show a",
    ));
}

#[test]
fn resize_up_places_more_and_down_cuts_off() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train count=2 cpu=1
          submitted acme/train
          placed acme/train/0..1 on a
        > resize acme/train 6
          resized acme/train to 6
          placed acme/train/2..3 on a
        > status acme/train
          Running TaskCounts { pending: 2, placed: 4, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 0
        > resize acme/train 6
        > resize acme/train 1
          ended acme/train/1 Cancelled
          ended acme/train/2 Cancelled
          ended acme/train/3 Cancelled
          dropped acme/train/4..5 Cancelled
          resized acme/train to 1
        > status acme/train
          Running TaskCounts { pending: 0, placed: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 0
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          done acme/train Succeeded
        > status acme/train
          Succeeded TaskCounts { pending: 0, placed: 0, running: 0, succeeded: 1, failed: 0, cancelled: 0, delayed: 0 } evictions: 0
    "#]].assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train count=2 cpu=1
         resize acme/train 6
         status acme/train
         resize acme/train 6
         resize acme/train 1
         status acme/train
         succeed acme/train/0
         status acme/train",
    ));
}

#[test]
fn a_cut_down_to_what_has_succeeded_ends_well() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train count=3 cpu=2
          submitted acme/train
          placed acme/train/0..1 on a
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          placed acme/train/2 on a
        > resize acme/train 1
          ended acme/train/1 Cancelled
          ended acme/train/2 Cancelled
          resized acme/train to 1
          done acme/train Succeeded
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train count=3 cpu=2
         succeed acme/train/0
         resize acme/train 1",
    ));
}

#[test]
fn max_runtime_times_out() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train count=2 cpu=1 max=1h
          submitted acme/train
          placed acme/train/0..1 on a
        > at +10m
        > start acme/train/0
          started acme/train/0
        > at +1h
          +1h ended acme/train/1 TimedOut
        > at +1h10m
          +1h10m ended acme/train/0 TimedOut
          +1h10m done acme/train Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train count=2 cpu=1 max=1h
         at +10m
         start acme/train/0
         at +1h
         at +1h10m",
    ));
}

#[test]
fn deadline_drops_pending_tasks() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/train count=3 cpu=1 deadline=+30m
          submitted acme/train
          placed acme/train/0 on a
        > at +30m
          +30m dropped acme/train/1..2 MissedDeadline
        > job acme/late cpu=1 deadline=+30m
          refused: the deadline has passed already
        > drain a grace=1m
          1 notices
          a drains until +31m
          notice acme/train/0 on a at +31m NodeDrained
        > at +40m
          +31m evicted acme/train/0 from a NodeDrained
          +31m dropped acme/train/0 MissedDeadline
          +31m done acme/train Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/train count=3 cpu=1 deadline=+30m
         at +30m
         job acme/late cpu=1 deadline=+30m
         drain a grace=1m
         at +40m",
    ));
}

#[test]
fn tasks_added_after_the_deadline_are_dropped() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1 deadline=+30m
          submitted acme/train
          placed acme/train/0 on a
        > at +40m
        > resize acme/train 2
          resized acme/train to 2
          dropped acme/train/1 MissedDeadline
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          done acme/train Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/train cpu=1 deadline=+30m
         at +40m
         resize acme/train 2
         succeed acme/train/0",
    ));
}

#[test]
fn ended_jobs_are_forgotten_after_retention() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          done acme/train Succeeded
        > at +59m
        > job acme/train cpu=1
          refused: tenant "acme" has a job "train" already
        > at +1h
          +1h forgot acme/train
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > delete acme
          refused: tenant "acme" has 1 unfinished jobs: cancel them first
        > cancel acme/train
          ended acme/train/0 Cancelled
          done acme/train Cancelled
        > delete acme
          forgot acme/train
          deleted acme
        > at +3h
    "#]]
    .assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/train cpu=1
         succeed acme/train/0
         at +59m
         job acme/train cpu=1
         at +1h
         job acme/train cpu=1
         delete acme
         cancel acme/train
         delete acme
         at +3h",
    ));
}

#[test]
fn a_longer_retention_holds_for_jobs_that_have_ended() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          done acme/train Succeeded
        > policy jobs=2h
          policy changed
        > at +1h
        > at +2h
          +2h forgot acme/train
    "#]]
    .assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/train cpu=1
         succeed acme/train/0
         policy jobs=2h
         at +1h
         at +2h",
    ));
}

#[test]
fn a_job_without_a_name_gets_one() {
    expect![[r#"
        > tenant acme
          created acme
        > job acme/job-1 cpu=1
          submitted acme/job-1
        > job acme cpu=1
          submitted acme/job-2
        > job acme cpu=1
          submitted acme/job-3
    "#]]
    .assert_eq(&play(
        "tenant acme
         job acme/job-1 cpu=1
         job acme cpu=1
         job acme cpu=1",
    ));
}

#[test]
fn an_evicted_task_counts_its_attempts() {
    expect![[r#"
        > node a b cpu=1
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/train cpu=1 notice=10s
          submitted acme/train
          placed acme/train/0 on a
        > drain a
          1 notices
          a drains until +2m
          notice acme/train/0 on a at +2m NodeDrained
        > at +3m
          +2m evicted acme/train/0 from a NodeDrained
          +2m placed acme/train/0 on b
        > status acme/train
          Running TaskCounts { pending: 0, placed: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0, delayed: 0 } evictions: 1
    "#]].assert_eq(&play(
        "node a b cpu=1
         tenant acme
         job acme/train cpu=1 notice=10s
         drain a
         at +3m
         status acme/train",
    ));
}
