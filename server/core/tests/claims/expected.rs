//! Starts that lie ahead where nobody says how long work runs, but like work has been seen: what is planned by it, and what
//! becomes of that when it does not come true.

use expect_test::expect;

use crate::scenario::play;

/// Ten tasks of one core run for an hour and ten of two cores for five minutes. From then on those of one core are
/// expected to be gone after an hour and 71 s, the others after five minutes and some seconds.
const HISTORY: &str = "node a cpu=10
    tenant acme
    job acme/hours count=10 cpu=1
    at +1h
    succeed acme/hours/0 acme/hours/1 acme/hours/2 acme/hours/3 acme/hours/4
    succeed acme/hours/5 acme/hours/6 acme/hours/7 acme/hours/8
    succeed acme/hours/9
    job acme/minutes count=10 cpu=2
    at +65m
    succeed acme/minutes/0 acme/minutes/1 acme/minutes/2 acme/minutes/3 acme/minutes/4
    at +70m
    succeed acme/minutes/5 acme/minutes/6 acme/minutes/7 acme/minutes/8 acme/minutes/9
    at +2h
    ";

/// What happens after the history.
fn taught(scenario: &str) -> String {
    after(HISTORY, scenario)
}

fn after(history: &str, scenario: &str) -> String {
    let text = play(&format!("{history}{scenario}"));
    let first = scenario.lines().next().unwrap_or_default();
    let begin = text.find(&format!("> {first}\n")).expect("it is echoed");
    text[begin..].to_owned()
}

#[test]
fn what_waits_for_work_of_a_known_kind_has_a_planned_start() {
    expect![[r#"
        > job acme/run count=6 cpu=1
          submitted acme/run
          placed acme/run/0..5 on a
        > job acme/wide cpu=8
          submitted acme/wide
        > at +121m
          +2h1s planned 1 of acme/wide on a at +3h1m10s
        > why acme/wide
          Headroom cpu_millis by 4000: 1 nodes
          PlannedStart
    "#]]
    .assert_eq(&taught(
        "job acme/run count=6 cpu=1
         job acme/wide cpu=8
         at +121m
         why acme/wide",
    ));
}

#[test]
fn what_was_seen_nine_times_is_not_planned_by() {
    let few = HISTORY.replace("succeed acme/hours/9", "fail acme/hours/9");
    let fewer = HISTORY.replace("succeed acme/hours/9", "cancel acme/hours");
    let scenario = "job acme/run count=6 cpu=1
         job acme/wide cpu=8
         at +150m";
    let plans = |history: &str| after(history, scenario).contains("planned");
    assert_eq!([&few, &fewer].map(|history| plans(history)), [true, false]);
}

#[test]
fn what_is_expected_to_be_gone_before_goes_first() {
    expect![[r#"
        > job acme/run count=6 cpu=1
          submitted acme/run
          placed acme/run/0..5 on a
        > job acme/wide cpu=10
          submitted acme/wide
        > at +2h5s
          +2h1s planned 1 of acme/wide on a at +3h1m10s
        > job acme/long cpu=1
          submitted acme/long
        > job acme/short cpu=2
          submitted acme/short
        > job acme/unknown cpu=3
          submitted acme/unknown
        > at +130m
          +2h1m1s placed acme/short/0 on a
          +2h10m forgot acme/minutes
    "#]]
    .assert_eq(&taught(
        "job acme/run count=6 cpu=1
         job acme/wide cpu=10
         at +2h5s
         job acme/long cpu=1
         job acme/short cpu=2
         job acme/unknown cpu=3
         at +130m",
    ));
}

#[test]
fn a_start_that_was_expected_too_soon_moves_and_ends_nobody() {
    expect![[r#"
        > job acme/run count=6 cpu=1
          submitted acme/run
          placed acme/run/0..5 on a
        > job acme/wide cpu=8
          submitted acme/wide
        > at +7h
          +2h1s planned 1 of acme/wide on a at +3h1m10s
          +2h10m forgot acme/minutes
          +3h1m10s planned 1 of acme/wide on a at +4h2m20s
          +4h2m20s planned 1 of acme/wide on a at +6h4m40s
          +6h4m40s planned 1 of acme/wide on a at +10h9m20s
        > succeed acme/run/0 acme/run/1 acme/run/2
          ended acme/run/0 Succeeded
          ended acme/run/1 Succeeded
          ended acme/run/2 Succeeded
        > at +8h
          +7h1s planned 1 of acme/wide on a at +7h14m34s
          +7h14m34s planned 1 of acme/wide on a at +12h29m8s
        > succeed acme/run/3
          ended acme/run/3 Succeeded
        > at +8h2s
          +8h1s placed acme/wide/0 on a
    "#]]
    .assert_eq(&taught(
        "job acme/run count=6 cpu=1
         job acme/wide cpu=8
         at +7h
         succeed acme/run/0 acme/run/1 acme/run/2
         at +8h
         succeed acme/run/3
         at +8h2s",
    ));
}

#[test]
fn what_one_end_makes_room_for_needs_no_plan() {
    expect![[r#"
        > job acme/run count=10 cpu=1
          submitted acme/run
          placed acme/run/0..9 on a
        > job acme/next cpu=1
          submitted acme/next
        > at +121m
        > succeed acme/run/3
          ended acme/run/3 Succeeded
          placed acme/next/0 on a
    "#]]
    .assert_eq(&taught(
        "job acme/run count=10 cpu=1
         job acme/next cpu=1
         at +121m
         succeed acme/run/3",
    ));
}

/// From the fifth hour on there is room beside the owner only if all that runs has gone.
#[test]
fn what_owners_keep_is_not_left_to_what_is_expected() {
    expect![[r#"
        > owner owner 5h-9h:500
          owner owner has 1 windows
        > job acme/run count=6 cpu=1
          submitted acme/run
          placed acme/run/0..5 on a
        > job acme/night cpu=4 min=4h
          submitted acme/night
        > at +150m
          +2h1s planned 1 of acme/night on a at +9h
          +2h10m forgot acme/minutes
        > succeed acme/run/0 acme/run/1 acme/run/2 acme/run/3 acme/run/4
          ended acme/run/0 Succeeded
          ended acme/run/1 Succeeded
          ended acme/run/2 Succeeded
          ended acme/run/3 Succeeded
          ended acme/run/4 Succeeded
        > at +151m
          +2h30m1s placed acme/night/0 on a
    "#]]
    .assert_eq(&taught(
        "owner owner 5h-9h:500
         job acme/run count=6 cpu=1
         job acme/night cpu=4 min=4h
         at +150m
         succeed acme/run/0 acme/run/1 acme/run/2 acme/run/3 acme/run/4
         at +151m",
    ));
}

/// Sixteen nodes are full with work of a known kind: as many as it takes for two starts to be planned by it.
const FULL: &str = "node b c d e f g h i j k l m n o p cpu=10
         job acme/run count=160 cpu=1
         job acme/wide cpu=8
         at +2h5s
         ";

#[test]
fn what_is_expected_is_looked_at_once_a_minute_and_for_an_eighth_of_the_nodes() {
    expect![[r#"
        > node b c d e f g h i j k l m n o p cpu=10
          registered b
          registered c
          registered d
          registered e
          registered f
          registered g
          registered h
          registered i
          registered j
          registered k
          registered l
          registered m
          registered n
          registered o
          registered p
        > job acme/run count=160 cpu=1
          submitted acme/run
          placed acme/run/0..9 on a
          placed acme/run/10..19 on p
          placed acme/run/20..29 on o
          placed acme/run/30..39 on n
          placed acme/run/40..49 on m
          placed acme/run/50..59 on l
          placed acme/run/60..69 on k
          placed acme/run/70..79 on j
          placed acme/run/80..89 on i
          placed acme/run/90..99 on h
          placed acme/run/100..109 on g
          placed acme/run/110..119 on f
          placed acme/run/120..129 on e
          placed acme/run/130..139 on d
          placed acme/run/140..149 on c
          placed acme/run/150..159 on b
        > job acme/wide cpu=8
          submitted acme/wide
        > at +2h5s
          +2h1s planned 1 of acme/wide on a at +3h1m10s
        > job acme/wider cpu=9
          submitted acme/wider
        > job acme/widest cpu=10
          submitted acme/widest
        > at +125m
          +2h1m1s planned 1 of acme/wider on b at +3h1m10s
    "#]]
    .assert_eq(&taught(&format!(
        "{FULL}job acme/wider cpu=9
         job acme/widest cpu=10
         at +125m"
    )));
}

#[test]
fn who_takes_over_plans_the_same() {
    let planned = |restart: &str| {
        let text = taught(&format!("{FULL}{restart} job acme/wider cpu=9\nat +200m"));
        let planned = text.lines().filter_map(|line| Some(line.split_once("planned ")?.1));
        planned.map(str::to_owned).collect::<Vec<String>>()
    };
    let plain = planned("");
    assert!(plain.len() > 1, "{plain:?}");
    assert_eq!(plain, planned("restart\n"));
}
