//! When jobs that wait would start, and how that came out.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_job_behind_tasks_with_a_limit_is_quoted_their_ends() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=4 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > at +10m
        > job acme/second cpu=4 max=2h
          submitted acme/second
        > job acme/third cpu=2
          submitted acme/third
        > quote acme/second acme/third
          quoted acme/second +1h to +1h50m
          quoted acme/third +3h to +5h50m
        > at +1h
          +10m1s planned 1 of acme/second on a at +1h
          +10m1s planned 1 of acme/third on a at +3h
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h placed acme/second/0 on a
        > record
          2 quotes, 1 started, 1 by p50, 1 by p95, 0 unknown, 0 withdrawn, errors [1, 0, 0, 0, 0, 0, 0]
        > at +3h
          +2h forgot acme/first
          +3h ended acme/second/0 TimedOut
          +3h done acme/second Failed
          +3h placed acme/third/0 on a
        > record
          2 quotes, 2 started, 2 by p50, 2 by p95, 0 unknown, 0 withdrawn, errors [2, 0, 0, 0, 0, 0, 0]
    "#]].assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=4 max=1h
         at +10m
         job acme/second cpu=4 max=2h
         job acme/third cpu=2
         quote acme/second acme/third
         at +1h
         record
         at +3h
         record",
    ));
}

#[test]
fn like_jobs_teach_how_long_a_task_runs() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/a cpu=1
          submitted acme/a
          placed acme/a/0 on a
        > at +10m
        > succeed acme/a/0
          ended acme/a/0 Succeeded
          done acme/a Succeeded
        > job acme/b cpu=1
          submitted acme/b
          placed acme/b/0 on a
        > at +20m
        > succeed acme/b/0
          ended acme/b/0 Succeeded
          done acme/b Succeeded
        > job acme/c cpu=1
          submitted acme/c
          placed acme/c/0 on a
        > at +30m
        > succeed acme/c/0
          ended acme/c/0 Succeeded
          done acme/c Succeeded
        > job acme/d cpu=1
          submitted acme/d
          placed acme/d/0 on a
        > at +40m
        > succeed acme/d/0
          ended acme/d/0 Succeeded
          done acme/d Succeeded
        > job acme/e cpu=1
          submitted acme/e
          placed acme/e/0 on a
        > at +50m
        > succeed acme/e/0
          ended acme/e/0 Succeeded
          done acme/e Succeeded
        > job acme/f cpu=1
          submitted acme/f
          placed acme/f/0 on a
        > job acme/g cpu=1
          submitted acme/g
        > quote acme/g
          quoted acme/g +1h20s to +1h11m12s
        > at +55m
        > job acme/h cpu=1
          submitted acme/h
        > quote acme/h
          quoted acme/h +1h10m42s to +1h27m26s
        > at +1h
        > succeed acme/f/0
          ended acme/f/0 Succeeded
          done acme/f Succeeded
          placed acme/g/0 on a
        > record
          2 quotes, 1 started, 1 by p50, 1 by p95, 0 unknown, 0 withdrawn, errors [1, 0, 0, 0, 0, 0, 0]
    "#]].assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/a cpu=1
         at +10m
         succeed acme/a/0
         job acme/b cpu=1
         at +20m
         succeed acme/b/0
         job acme/c cpu=1
         at +30m
         succeed acme/c/0
         job acme/d cpu=1
         at +40m
         succeed acme/d/0
         job acme/e cpu=1
         at +50m
         succeed acme/e/0
         job acme/f cpu=1
         job acme/g cpu=1
         quote acme/g
         at +55m
         job acme/h cpu=1
         quote acme/h
         at +1h
         succeed acme/f/0
         record",
    ));
}

#[test]
fn a_gang_is_quoted_when_there_is_room_for_all_of_it() {
    expect![[r#"
        > node a b cpu=2
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/short cpu=2 max=10m
          submitted acme/short
          placed acme/short/0 on a
        > job acme/long cpu=2 max=1h
          submitted acme/long
          placed acme/long/0 on b
        > job acme/ring count=2 cpu=2 gang
          submitted acme/ring
        > quote acme/ring
          quoted acme/ring +1h to +2h
        > at +1h
          +1s planned 2 of acme/ring on a (1), b (1) at +1h
          +10m ended acme/short/0 TimedOut
          +10m done acme/short Failed
          +1h ended acme/long/0 TimedOut
          +1h done acme/long Failed
          +1h placed acme/ring/0 on a
          +1h placed acme/ring/1 on b
        > record
          1 quotes, 1 started, 1 by p50, 1 by p95, 0 unknown, 0 withdrawn, errors [1, 0, 0, 0, 0, 0, 0]
    "#]].assert_eq(&play(
        "node a b cpu=2
         tenant acme
         job acme/short cpu=2 max=10m
         job acme/long cpu=2 max=1h
         job acme/ring count=2 cpu=2 gang
         quote acme/ring
         at +1h
         record",
    ));
}

#[test]
fn whoever_goes_first_is_quoted_first() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/now cpu=1 max=1h priority=3
          submitted acme/now
          placed acme/now/0 on a
        > job acme/later cpu=1 max=1h
          submitted acme/later
        > job acme/sooner cpu=1 max=1h priority=2
          submitted acme/sooner
        > quote acme/later acme/sooner
          quoted acme/later +2h to +4h
          quoted acme/sooner +1h to +2h
    "#]]
    .assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/now cpu=1 max=1h priority=3
         job acme/later cpu=1 max=1h
         job acme/sooner cpu=1 max=1h priority=2
         quote acme/later acme/sooner",
    ));
}

#[test]
fn a_quote_is_kept_once_and_scored_or_withdrawn_once() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/now cpu=1 max=1h
          submitted acme/now
          placed acme/now/0 on a
        > job acme/gone cpu=1 max=1h
          submitted acme/gone
        > job acme/stays cpu=1 max=1h
          submitted acme/stays
        > quote acme/gone acme/stays
          quoted acme/gone +1h to +2h
          quoted acme/stays +2h to +4h
        > quote acme/gone acme/stays
        > cancel acme/gone
          dropped acme/gone/0 Cancelled
          done acme/gone Cancelled
        > restart
        > at +2h
          +1s planned 1 of acme/stays on a at +1h
          +1h ended acme/now/0 TimedOut
          +1h forgot acme/gone
          +1h done acme/now Failed
          +1h placed acme/stays/0 on a
          +2h ended acme/stays/0 TimedOut
          +2h forgot acme/now
          +2h done acme/stays Failed
        > quote acme/stays
        > record
          2 quotes, 1 started, 1 by p50, 1 by p95, 0 unknown, 1 withdrawn, errors [0, 0, 0, 1, 0, 0, 0]
    "#]].assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/now cpu=1 max=1h
         job acme/gone cpu=1 max=1h
         job acme/stays cpu=1 max=1h
         quote acme/gone acme/stays
         quote acme/gone acme/stays
         cancel acme/gone
         restart
         at +2h
         quote acme/stays
         record",
    ));
}

#[test]
fn a_window_that_takes_the_node_delays_what_waits() {
    expect![[r#"
        > node a cpu=4
          registered a
        > owner owner 90m-2h:1000
          owner owner has 1 windows
        > tenant acme
          created acme
        > job acme/first cpu=4 max=1h min=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/second cpu=4 max=1h min=1h
          submitted acme/second
        > quote acme/second
          quoted acme/second +2h to +4h
        > at +4h
          +1s planned 1 of acme/second on a at +2h
          +30m turned owner
          +30m advised acme/first/0 on a by +1h30m
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h18m turned owner
          +2h turned owner
          +2h forgot acme/first
          +2h placed acme/second/0 on a
          +3h ended acme/second/0 TimedOut
          +3h done acme/second Failed
          +4h forgot acme/second
        > record
          1 quotes, 1 started, 1 by p50, 1 by p95, 0 unknown, 0 withdrawn, errors [1, 0, 0, 0, 0, 0, 0]
    "#]].assert_eq(&play(
        "node a cpu=4
         owner owner 90m-2h:1000
         tenant acme
         job acme/first cpu=4 max=1h min=1h
         job acme/second cpu=4 max=1h min=1h
         quote acme/second
         at +4h
         record",
    ));
}

#[test]
fn nothing_is_quoted_where_nothing_is_known() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant acme
          created acme
        > job acme/now cpu=1
          submitted acme/now
          placed acme/now/0 on a
        > job acme/waits cpu=1
          submitted acme/waits
        > quote acme/waits
          quoted acme/waits unknown
        > at +1h
        > succeed acme/now/0
          ended acme/now/0 Succeeded
          done acme/now Succeeded
          placed acme/waits/0 on a
        > record
          1 quotes, 1 started, 0 by p50, 0 by p95, 1 unknown, 0 withdrawn, errors [0, 0, 0, 0, 0, 0, 0]
    "#]].assert_eq(&play(
        "node a cpu=1
         tenant acme
         job acme/now cpu=1
         job acme/waits cpu=1
         quote acme/waits
         at +1h
         succeed acme/now/0
         record",
    ));
}

/// Its room comes in an hour, but its tenant has spent what it may by then: it begins on the next day.
#[test]
fn a_budget_that_will_be_used_up_is_foreseen() {
    expect![[r#"
        > price core=3600000
          prices from 1 ms
        > node a cpu=4
          registered a
        > tenant acme period=day stop-new=10
          created acme
        > at +1s
        > job acme/first cpu=4 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > at +1m
        > job acme/second cpu=4 max=1h
          submitted acme/second
        > quote acme/second
          quoted acme/second +1d to +1d23h59m
        > at +1d
          +1m1s planned 1 of acme/second on a at +1h1s
          +41m41s budget acme NewStopped at 10000000
          +41m42s unplanned acme/second
          +1h1s ended acme/first/0 TimedOut
          +1h1s done acme/first Failed
          +2h1s forgot acme/first
          +1d budget acme Within at 0
          +1d placed acme/second/0 on a
    "#]]
    .assert_eq(&play(
        "price core=3600000
         node a cpu=4
         tenant acme period=day stop-new=10
         at +1s
         job acme/first cpu=4 max=1h
         at +1m
         job acme/second cpu=4 max=1h
         quote acme/second
         at +1d",
    ));
}

/// Some of its like failed within a minute, and the others run on and on. What waits behind them is told so, though nothing
/// that has ended took long.
#[test]
fn what_runs_on_tells_that_its_like_take_long() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/old cpu=1 count=8
          submitted acme/old
          placed acme/old/0..7 on a
        > at +1m
        > fail acme/old/0 acme/old/1 acme/old/2
          ended acme/old/0 Failed
          ended acme/old/1 Failed
          ended acme/old/2 Failed
        > job acme/new cpu=1 count=3
          submitted acme/new
          placed acme/new/0..2 on a
        > at +10h
        > job acme/wide cpu=8
          submitted acme/wide
        > job acme/next cpu=8
          submitted acme/next
        > quote acme/wide acme/next
          quoted acme/wide +20h51m44s to +1d7h55m7s
          quoted acme/next +1d16h49m46s to +3d1h35m24s
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         job acme/old cpu=1 count=8
         at +1m
         fail acme/old/0 acme/old/1 acme/old/2
         job acme/new cpu=1 count=3
         at +10h
         job acme/wide cpu=8
         job acme/next cpu=8
         quote acme/wide acme/next",
    ));
}

/// The tasks of a gang end together, in looks ahead as well: whoever waits for one of them is told what whoever waits for the
/// other is.
#[test]
fn gangs_that_run_are_foreseen_as_one() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/a cpu=2 count=2 gang
          submitted acme/a
          placed acme/a/0..1 on a
        > at +10m
        > succeed acme/a/0 acme/a/1
          ended acme/a/0 Succeeded
          ended acme/a/1 Succeeded
          done acme/a Succeeded
        > job acme/b cpu=2 count=2 gang
          submitted acme/b
          placed acme/b/0..1 on a
        > at +30m
        > succeed acme/b/0 acme/b/1
          ended acme/b/0 Succeeded
          ended acme/b/1 Succeeded
          done acme/b Succeeded
        > job acme/c cpu=2 count=2 gang
          submitted acme/c
          placed acme/c/0..1 on a
        > at +50m
        > succeed acme/c/0 acme/c/1
          ended acme/c/0 Succeeded
          ended acme/c/1 Succeeded
          done acme/c Succeeded
        > job acme/d cpu=2 count=2 gang
          submitted acme/d
          placed acme/d/0..1 on a
        > at +55m
        > succeed acme/d/0 acme/d/1
          ended acme/d/0 Succeeded
          ended acme/d/1 Succeeded
          done acme/d Succeeded
        > job acme/e cpu=2 count=2 gang
          submitted acme/e
          placed acme/e/0..1 on a
        > at +1h
        > job acme/f cpu=2
          submitted acme/f
        > job acme/g cpu=2
          submitted acme/g
        > quote acme/f acme/g
          quoted acme/f +1h5m44s to +1h33m31s
          quoted acme/g +1h5m44s to +1h33m31s
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/a cpu=2 count=2 gang
         at +10m
         succeed acme/a/0 acme/a/1
         job acme/b cpu=2 count=2 gang
         at +30m
         succeed acme/b/0 acme/b/1
         job acme/c cpu=2 count=2 gang
         at +50m
         succeed acme/c/0 acme/c/1
         job acme/d cpu=2 count=2 gang
         at +55m
         succeed acme/d/0 acme/d/1
         job acme/e cpu=2 count=2 gang
         at +1h
         job acme/f cpu=2
         job acme/g cpu=2
         quote acme/f acme/g",
    ));
}
