//! Starts that lie ahead: planned, seen, moved and kept, and what may go on around them meanwhile.

use expect_test::expect;
use offpeak_core::{
    engine::Engine,
    model::{Millis, Policy},
    state::State,
};

use crate::scenario::{START, World, parse, play};

#[test]
fn what_waits_for_bounded_work_has_a_planned_start() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=3 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/next cpu=4 max=2h
          submitted acme/next
        > at +2s
          +1s planned 1 of acme/next on a at +1h
        > why acme/next
          Headroom cpu_millis by 3000: 1 nodes
          PlannedStart
        > at +3h
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h placed acme/next/0 on a
          +2h forgot acme/first
          +3h ended acme/next/0 TimedOut
          +3h done acme/next Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=3 max=1h
         job acme/next cpu=4 max=2h
         at +2s
         why acme/next
         at +3h",
    ));
}

#[test]
fn work_that_is_gone_before_goes_first_and_longer_work_does_not() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=3 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/wide cpu=4 max=2h
          submitted acme/wide
        > at +10s
          +1s planned 1 of acme/wide on a at +1h
        > job acme/long cpu=1 max=2h
          submitted acme/long
        > job acme/short cpu=1 max=30m
          submitted acme/short
        > job acme/endless cpu=1
          submitted acme/endless
        > at +20s
          +11s placed acme/short/0 on a
          +11s planned 1 of acme/long on a at +3h
          +11s planned 1 of acme/endless on a at +3h
        > at +1h
          +30m11s ended acme/short/0 TimedOut
          +30m11s done acme/short Failed
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h placed acme/wide/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=3 max=1h
         job acme/wide cpu=4 max=2h
         at +10s
         job acme/long cpu=1 max=2h
         job acme/short cpu=1 max=30m
         job acme/endless cpu=1
         at +20s
         at +1h",
    ));
}

#[test]
fn what_starts_as_planned_goes_by_share_and_in_turns() {
    let cell = "node a cpu=4
         tenant big
         tenant small
         job big/first cpu=4 max=1h
         job big/more count=8 cpu=1 max=2h
         job small/one count=8 cpu=1 max=3h
         at +2h";
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant big
          created big
        > tenant small
          created small
        > job big/first cpu=4 max=1h
          submitted big/first
          placed big/first/0 on a
        > job big/more count=8 cpu=1 max=2h
          submitted big/more
        > job small/one count=8 cpu=1 max=3h
          submitted small/one
        > at +2h
          +1s planned 3 of big/more on a at +1h
          +1s planned 1 of small/one on a at +1h
          +1h ended big/first/0 TimedOut
          +1h done big/first Failed
          +1h placed big/more/0 on a
          +1h placed small/one/0..2 on a
          +1h planned 1 of big/more on a at +3h
          +1h planned 3 of small/one on a at +4h
          +2h forgot big/first
    "#]]
    .assert_eq(&play(cell));
}

#[test]
fn jobs_that_are_alike_start_together() {
    let cell = "node a cpu=8
         tenant acme
         job acme/first cpu=4 max=1h
         job acme/second cpu=4 max=4h
         job acme/wide cpu=8 max=1h
         job acme/x cpu=1 max=2h
         job acme/y cpu=1 max=2h
         job acme/z cpu=1 max=2h
         at +90m";
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=4 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/second cpu=4 max=4h
          submitted acme/second
          placed acme/second/0 on a
        > job acme/wide cpu=8 max=1h
          submitted acme/wide
        > job acme/x cpu=1 max=2h
          submitted acme/x
        > job acme/y cpu=1 max=2h
          submitted acme/y
        > job acme/z cpu=1 max=2h
          submitted acme/z
        > at +90m
          +1s planned 1 of acme/wide on a at +4h
          +1s planned 1 of acme/x on a at +1h
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h placed acme/x/0 on a
          +1h placed acme/y/0 on a
          +1h placed acme/z/0 on a
    "#]]
    .assert_eq(&play(cell));
}

#[test]
fn a_start_moves_with_the_work_that_it_waits_for() {
    expect![[r#"
        > node a cpu=4
          registered a
        > node b cpu=4
          registered b
        > tenant acme
          created acme
        > job acme/first cpu=3 max=5h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/second cpu=3 max=4h
          submitted acme/second
          placed acme/second/0 on b
        > job acme/next cpu=4 max=1h
          submitted acme/next
        > at +10s
          +1s planned 1 of acme/next on b at +4h
        > start acme/second/0
          started acme/second/0
        > at +20s
          +11s planned 1 of acme/next on b at +4h10s
        > job acme/third cpu=1 max=2h
          submitted acme/third
          placed acme/third/0 on a
        > at +30s
        > succeed acme/first/0
          ended acme/first/0 Succeeded
          done acme/first Succeeded
        > at +40s
          +31s planned 1 of acme/next on a at +2h20s
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         node b cpu=4
         tenant acme
         job acme/first cpu=3 max=5h
         job acme/second cpu=3 max=4h
         job acme/next cpu=4 max=1h
         at +10s
         start acme/second/0
         at +20s
         job acme/third cpu=1 max=2h
         at +30s
         succeed acme/first/0
         at +40s",
    ));
}

#[test]
fn a_start_waits_for_the_end_of_a_window() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > owner owner 1h-3h:1000
          owner owner has 1 windows
        > job acme/night cpu=2 min=2h max=2h
          submitted acme/night
        > at +2s
          +1s planned 1 of acme/night on a at +3h
        > why acme/night
          Headroom cpu_millis by 2000: 1 nodes
          PlannedStart
        > owner owner 1h-4h:900
          owner owner has 1 windows
        > at +10s
          +3s planned 1 of acme/night on a at +4h
        > at +4h
          +48m turned owner
          +4h turned owner
          +4h placed acme/night/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         owner owner 1h-3h:1000
         job acme/night cpu=2 min=2h max=2h
         at +2s
         why acme/night
         owner owner 1h-4h:900
         at +10s
         at +4h",
    ));
}

#[test]
fn a_planned_start_outlives_a_restart_and_is_not_planned_twice() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=4 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/next cpu=4 max=1h
          submitted acme/next
        > at +5s
          +1s planned 1 of acme/next on a at +1h
        > restart
        > at +1m
        > job acme/short cpu=1 max=1m
          submitted acme/short
        > at +1h
          +1m1s planned 1 of acme/short on a at +2h
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h placed acme/next/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=4 max=1h
         job acme/next cpu=4 max=1h
         at +5s
         restart
         at +1m
         job acme/short cpu=1 max=1m
         at +1h",
    ));
}

#[test]
fn what_cannot_be_complete_in_time_is_not_started() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/never cpu=1 max=3h complete=2h
          refused: tasks run longer than there is time left until complete_by
        > job acme/first cpu=4 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/late cpu=4 max=90m complete=2h
          submitted acme/late
        > at +2h
          +30m dropped acme/late/0 MissedDeadline
          +30m done acme/late Failed
          +1h ended acme/first/0 TimedOut
          +1h done acme/first Failed
          +1h30m forgot acme/late
          +2h forgot acme/first
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/never cpu=1 max=3h complete=2h
         job acme/first cpu=4 max=1h
         job acme/late cpu=4 max=90m complete=2h
         at +2h",
    ));
}

#[test]
fn work_that_ends_before_a_window_starts_although_its_horizon_reaches_it() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > owner owner 4h-8h:1000
          owner owner has 1 windows
        > job acme/plain cpu=4 min=3h max=3h
          submitted acme/plain
        > job acme/long cpu=4 min=5h max=5h
          submitted acme/long
        > at +5s
          +1s placed acme/plain/0 on a
          +1s planned 1 of acme/long on a at +8h
        > at +3h1m
          +3h turned owner
          +3h advised acme/plain/0 on a by +4h
          +3h1s ended acme/plain/0 TimedOut
          +3h1s done acme/plain Failed
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         owner owner 4h-8h:1000
         job acme/plain cpu=4 min=3h max=3h
         job acme/long cpu=4 min=5h max=5h
         at +5s
         at +3h1m",
    ));
}

#[test]
fn timed_work_goes_by_worth_and_by_how_little_it_can_wait() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/patient cpu=4 max=1h complete=20h
          submitted acme/patient
        > job acme/urgent cpu=4 max=1h complete=70m
          submitted acme/urgent
        > at +2s
          +1s placed acme/urgent/0 on a
          +1s planned 1 of acme/patient on a at +1h1s
        > at +1h1m
          +1h1s ended acme/urgent/0 TimedOut
          +1h1s done acme/urgent Failed
          +1h1s placed acme/patient/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/patient cpu=4 max=1h complete=20h
         job acme/urgent cpu=4 max=1h complete=70m
         at +2s
         at +1h1m",
    ));
}

#[test]
fn a_cancelled_job_gives_up_its_planned_start() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=4 max=1h
          submitted acme/first
          placed acme/first/0 on a
        > job acme/next cpu=4 max=1h
          submitted acme/next
        > at +5s
          +1s planned 1 of acme/next on a at +1h
        > cancel acme/next
          dropped acme/next/0 Cancelled
          done acme/next Cancelled
        > job acme/other cpu=4 max=1h
          submitted acme/other
        > at +10s
          +6s planned 1 of acme/other on a at +1h
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=4 max=1h
         job acme/next cpu=4 max=1h
         at +5s
         cancel acme/next
         job acme/other cpu=4 max=1h
         at +10s",
    ));
}

#[test]
fn what_a_budget_stops_does_not_start_although_it_was_planned() {
    expect![[r#"
        > price core=36000000
          prices from 1 ms
        > node a cpu=4
          registered a
        > tenant acme stop-new=1
          created acme
        > at +1s
        > job acme/first cpu=4 max=2m
          submitted acme/first
          placed acme/first/0 on a
        > job acme/timed cpu=4 max=1h complete=20h
          submitted acme/timed
        > job acme/next cpu=4 max=1h
          submitted acme/next
        > at +5s
          +2s planned 1 of acme/timed on a at +1h2m1s
          +2s planned 1 of acme/next on a at +2m1s
        > at +10m
          +26s budget acme NewStopped at 1000000
          +27s unplanned acme/timed
          +27s unplanned acme/next
          +2m1s ended acme/first/0 TimedOut
          +2m1s done acme/first Failed
        > why acme/timed
          Budget
        > set acme stop-new=none
          changed acme
          budget acme Within at 0
          placed acme/next/0 on a
        > at +15m
          +10m1s planned 1 of acme/timed on a at +1h10m
    "#]]
    .assert_eq(&play(
        "price core=36000000
         node a cpu=4
         tenant acme stop-new=1
         at +1s
         job acme/first cpu=4 max=2m
         job acme/timed cpu=4 max=1h complete=20h
         job acme/next cpu=4 max=1h
         at +5s
         at +10m
         why acme/timed
         set acme stop-new=none
         at +15m",
    ));
}

#[test]
fn room_that_is_kept_for_a_planned_start_is_nobody_elses() {
    expect![[r#"
        > node a cpu=4
          registered a
        > node b cpu=1 region=r
          registered b
        > tenant acme
          created acme
        > job acme/first cpu=3 max=10h priority=5
          submitted acme/first
          placed acme/first/0 on a
        > job acme/low cpu=1 region=r
          submitted acme/low
          placed acme/low/0 on b
        > job acme/wide cpu=4 max=1h priority=5
          submitted acme/wide
        > at +2s
          +1s planned 1 of acme/wide on a at +10h
        > job acme/urgent cpu=1 priority=3
          submitted acme/urgent
          notice acme/low/0 on b at +2m2s Preempted
        > at +5m
          +3s planned 1 of acme/urgent on a at +11h
          +2m2s evicted acme/low/0 from b Preempted
          +2m2s placed acme/urgent/0 on b
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         node b cpu=1 region=r
         tenant acme
         job acme/first cpu=3 max=10h priority=5
         job acme/low cpu=1 region=r
         job acme/wide cpu=4 max=1h priority=5
         at +2s
         job acme/urgent cpu=1 priority=3
         at +5m",
    ));
}

/// Nodes that ought to report are many, and each of them is expected before the end that is waited for.
#[test]
fn an_end_is_seen_behind_many_reports() {
    let names: Vec<String> = (0..4_100).map(|number| format!("n{number}")).collect();
    let text = play(&format!(
        "node a cpu=4
         node {} cpu=1 ttl=10m
         tenant acme
         job acme/first cpu=3 max=1h
         job acme/next cpu=4 max=2h
         at +2s",
        names.join(" "),
    ));
    let last = text.lines().last().unwrap_or_default().trim();
    assert_eq!(last, "+1s planned 1 of acme/next on a at +1h");
}

/// What is laid out over time finds its room by itself: none is promised to its like.
#[test]
fn timed_work_is_no_demand_to_prepare_for() {
    let cell = |words: &str| {
        let mut world = World::new();
        for line in
            ["node a cpu=4", "tenant acme", &format!("job acme/a cpu=1 count=3 max=1h {words}")]
        {
            world.line(line);
        }
        world.state().profile().tasks()
    };
    assert_eq!([cell(""), cell("gang=1 complete=9h"), cell("complete=9h")], [3, 3, 0]);
}

/// Three hundred jobs that fit nowhere are held against all nodes between all windows: a round looks at so much and no
/// more, and the next one is not far off.
#[test]
fn a_round_is_short_however_much_waits() {
    let windows: Vec<String> =
        (0..22).map(|at| format!("{}h-{}h:10", 2 * at + 1, 2 * at + 2)).collect();
    let nodes: Vec<String> = (0..200).map(|number| format!("n{number}")).collect();
    let mut lines = vec![
        format!("owner owner {}", windows.join(" ")),
        format!("node {} cpu=4", nodes.join(" ")),
        "tenant acme".to_owned(),
    ];
    lines.extend((0..300).map(|job| format!("job acme/j{job} cpu=4 max=3h complete=40h")));
    let request = |line: &String| parse::request(line, START, START, &Policy::default());
    let mut engine = Engine::new(State::default(), START);
    let step = engine.step(START, lines.iter().map(request).collect());
    assert!(step.replies.iter().all(Result::is_ok));
    let first = START.after(Millis(1_000));
    engine.step(first, Vec::new());
    engine.step(first, vec![request(&"job acme/more cpu=4 max=3h complete=40h".to_owned())]);
    let next = engine.next_wakeup().expect("a round is due");
    assert!(next <= first.after(Millis(1_700)), "{:?} later", next.since(first));
}

#[test]
fn work_that_is_gone_in_minutes_goes_before_a_start_in_minutes() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/first cpu=3 max=5m
          submitted acme/first
          placed acme/first/0 on a
        > job acme/wide cpu=4 max=2h
          submitted acme/wide
        > at +2s
          +1s planned 1 of acme/wide on a at +5m
        > job acme/short cpu=1 max=4m
          submitted acme/short
        > job acme/longer cpu=1 max=6m
          submitted acme/longer
        > at +10s
          +3s placed acme/short/0 on a
          +3s planned 1 of acme/longer on a at +2h5m
        > at +5m
          +4m3s ended acme/short/0 TimedOut
          +4m3s done acme/short Failed
          +5m ended acme/first/0 TimedOut
          +5m done acme/first Failed
          +5m placed acme/wide/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/first cpu=3 max=5m
         job acme/wide cpu=4 max=2h
         at +2s
         job acme/short cpu=1 max=4m
         job acme/longer cpu=1 max=6m
         at +10s
         at +5m",
    ));
}

#[test]
fn what_comes_after_all_that_is_planned_still_goes_beside_it() {
    let waiting = (1..=80).map(|at| format!("job acme/wide{at} cpu=4 max={at}h\n"));
    let text = format!(
        "node a cpu=4
         tenant acme
         job acme/first cpu=3 max=2h
         {}
         job acme/small cpu=1 max=1h
         at +10s",
        waiting.collect::<String>()
    );
    let happened = play(&text);
    assert!(!happened.contains("planned 1 of acme/wide80"), "not all have a planned start");
    assert!(happened.contains("placed acme/small/0 on a"), "{happened}");
}

#[test]
fn what_is_planned_for_work_is_not_kept_from_itself() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=4 max=3h min=1h
          submitted acme/low
          placed acme/low/0 on a
        > job acme/high cpu=4 priority=10
          submitted acme/high
        > at +2s
          +1s planned 1 of acme/high on a at +3h
        > at +1h
          +1h notice acme/low/0 on a at +1h2m Preempted
        > at +1h3m
          +1h1s unplanned acme/high
          +1h2m evicted acme/low/0 from a Preempted
          +1h2m placed acme/high/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low cpu=4 max=3h min=1h
         job acme/high cpu=4 priority=10
         at +2s
         at +1h
         at +1h3m",
    ));
}

#[test]
fn what_is_planned_for_tasks_that_keep_apart_is_not_kept_from_them() {
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
        > job acme/high count=2 cpu=4 priority=10 per-node=1
          submitted acme/high
        > at +2s
          +1s planned 2 of acme/high on a (1), b (1) at +3h
        > at +1h
          +1h notice acme/low/0 on a at +1h2m Preempted
          +1h notice acme/low/1 on b at +1h2m Preempted
        > at +1h3m
          +1h1s unplanned acme/high
          +1h2m evicted acme/low/0 from a Preempted
          +1h2m evicted acme/low/1 from b Preempted
          +1h2m placed acme/high/0 on a
          +1h2m placed acme/high/1 on b
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/low count=2 cpu=4 max=3h min=1h
         job acme/high count=2 cpu=4 priority=10 per-node=1
         at +2s
         at +1h
         at +1h3m",
    ));
}

#[test]
fn who_loses_the_room_it_counts_on_to_a_start_that_is_planned_asks_again() {
    expect![[r#"
        > node a cpu=8 owner=shop
          registered a
        > node b cpu=2
          registered b
        > tenant acme
          created acme
        > job acme/old cpu=2
          submitted acme/old
          placed acme/old/0 on b
        > job acme/large count=2 cpu=4
          submitted acme/large
          placed acme/large/0..1 on a
        > owner shop 25m-90m:625
          owner shop has 1 windows
          advised acme/large/0 on a by +1h
          advised acme/large/1 on a by +1h
        > at 23m30s
          +13m turned shop
          +13m notice acme/large/0 on a at +24m OwnerExpected
          +13m notice acme/large/1 on a at +24m OwnerExpected
        > job acme/wide cpu=3 priority=2 max=10m
          submitted acme/wide
        > job acme/next cpu=2 priority=1
          submitted acme/next
        > at 23m32s
          +23m31s planned 1 of acme/wide on a at +24m
          +23m31s planned 1 of acme/next on a at +34m
          +23m31s notice acme/old/0 on b at +25m31s Preempted
    "#]]
    .assert_eq(&play(
        "node a cpu=8 owner=shop
         node b cpu=2
         tenant acme
         job acme/old cpu=2
         job acme/large count=2 cpu=4
         owner shop 25m-90m:625
         at 23m30s
         job acme/wide cpu=3 priority=2 max=10m
         job acme/next cpu=2 priority=1
         at 23m32s",
    ));
}
