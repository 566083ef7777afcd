//! Tasks are lent what the owner leaves for as long as they must be left alone.

use expect_test::expect;

use crate::scenario::play;

/// For a day the greatest load of the last day counts, for an hour that of the last six hours.
#[test]
fn long_promises_are_made_only_where_the_owner_leaves_room_for_so_long() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > load a cpu=5
          load a cpu_millis=5000
        > at +8h
        > load a cpu=1
          load a cpu_millis=1000
        > show a
          Open held back cpu_millis=1100, over a day cpu_millis=5500; lent nothing; headroom cpu_millis=6900
        > job acme/day cpu=4 min=20h
          submitted acme/day
        > job acme/short cpu=4 min=1h
          submitted acme/short
          placed acme/short/0 on a
        > why acme/day
          Headroom cpu_millis by 4000: 1 nodes
        > node b cpu=4
          registered b
          placed acme/day/0 on b
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         load a cpu=5
         at +8h
         load a cpu=1
         show a
         job acme/day cpu=4 min=20h
         job acme/short cpu=4 min=1h
         why acme/day
         node b cpu=4",
    ));
}

#[test]
fn short_work_leaves_long_valleys_to_long_work() {
    expect![[r#"
        > node valley cpu=8
          registered valley
        > node night cpu=8
          registered night
        > tenant acme
          created acme
        > load valley cpu=1
          load valley cpu_millis=1000
        > load night cpu=6
          load night cpu_millis=6000
        > at +8h
        > load valley cpu=1
          load valley cpu_millis=1000
        > load night cpu=1
          load night cpu_millis=1000
        > job acme/short cpu=4
          submitted acme/short
          placed acme/short/0 on night
        > job acme/long cpu=4 min=20h
          submitted acme/long
          placed acme/long/0 on valley
    "#]]
    .assert_eq(&play(
        "node valley cpu=8
         node night cpu=8
         tenant acme
         load valley cpu=1
         load night cpu=6
         at +8h
         load valley cpu=1
         load night cpu=1
         job acme/short cpu=4
         job acme/long cpu=4 min=20h",
    ));
}

#[test]
fn gangs_and_gpus_look_as_far_ahead_as_they_need() {
    expect![[r#"
        > node a cpu=8 gpus=2:V100
          registered a
        > tenant acme
          created acme
        > load a gpu=1
          load a gpu_millis=1000
        > at +8h
        > load a cpu=0
          load a nothing
        > job acme/both cpu=1 gpu=2 min=20h
          submitted acme/both
        > job acme/half cpu=1 gpu=0.5 count=4 min=20h
          submitted acme/half
          placed acme/half/0 on a gpu 0
          placed acme/half/1 on a gpu 0
        > job acme/now cpu=1 gpu=1
          submitted acme/now
          placed acme/now/0 on a gpu 1
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=2:V100
         tenant acme
         load a gpu=1
         at +8h
         load a cpu=0
         job acme/both cpu=1 gpu=2 min=20h
         job acme/half cpu=1 gpu=0.5 count=4 min=20h
         job acme/now cpu=1 gpu=1",
    ));
}
