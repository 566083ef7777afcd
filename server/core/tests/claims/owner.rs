//! Owners come back and get their room.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn an_expected_owner_gives_notice_then_evicts_and_tasks_run_elsewhere() {
    expect![[r#"
        > node a cpu=8 mem=32
          registered a
        > tenant acme
          created acme
        > job acme/train count=2 cpu=3 mem=1
          submitted acme/train
          placed acme/train/0..1 on a
        > node b cpu=8 mem=32
          registered b
        > load a cpu=2
          load a cpu_millis=2000
          notice acme/train/1 on a at +2m OwnerExpected
        > at +1m
        > at +2m
          +2m evicted acme/train/1 from a OwnerExpected
          +2m placed acme/train/1 on b
        > show a
          Open held back cpu_millis=2200; lent cpu_millis=3000 memory_bytes=1073741824; headroom cpu_millis=2800 memory_bytes=33285996544
    "#]].assert_eq(&play(
        "node a cpu=8 mem=32
         tenant acme
         job acme/train count=2 cpu=3 mem=1
         node b cpu=8 mem=32
         load a cpu=2
         at +1m
         at +2m
         show a",
    ));
}

#[test]
fn notices_are_no_more_than_needed() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/small cpu=1
          submitted acme/small
          placed acme/small/0 on a
        > at +1s
        > job acme/large cpu=4
          submitted acme/large
          placed acme/large/0 on a
        > job acme/other cpu=2 priority=1
          submitted acme/other
          placed acme/other/0 on a
        > load a cpu=1
          load a cpu_millis=1000
          notice acme/large/0 on a at +2m1s OwnerExpected
        > load a cpu=1
          accepted 0, ignored 1
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         job acme/small cpu=1
         at +1s
         job acme/large cpu=4
         job acme/other cpu=2 priority=1
         load a cpu=1
         load a cpu=1",
    ));
}

#[test]
fn min_runtime_tasks_go_last_on_reclaim() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/promised cpu=1.8 min=1h
          submitted acme/promised
          placed acme/promised/0 on a
        > job acme/free cpu=1.8 priority=9
          submitted acme/free
          placed acme/free/0 on a
        > load a cpu=0.4
          load a cpu_millis=400
          notice acme/free/0 on a at +2m OwnerExpected
        > at +1m
        > load a cpu=2.1
          load a cpu_millis=2100
          evicted acme/free/0 from a OwnerReturned
          notice acme/promised/0 on a at +3m OwnerExpected
        > at +2m
        > load a cpu=3
          load a cpu_millis=3000
          evicted acme/promised/0 from a OwnerReturned
        > at +5m
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/promised cpu=1.8 min=1h
         job acme/free cpu=1.8 priority=9
         load a cpu=0.4
         at +1m
         load a cpu=2.1
         at +2m
         load a cpu=3
         at +5m",
    ));
}

#[test]
fn a_long_drain_does_not_keep_the_owner_waiting() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=3
          submitted acme/low
          placed acme/low/0 on a
        > drain a grace=10h
          1 notices
          a drains until +10h
          notice acme/low/0 on a at +10h NodeDrained
        > load a cpu=1
          load a cpu_millis=1000
          notice acme/low/0 on a at +2m OwnerExpected
        > at +10m
          +2m evicted acme/low/0 from a OwnerExpected
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low cpu=3
         drain a grace=10h
         load a cpu=1
         at +10m",
    ));
}

#[test]
fn a_reservation_is_never_lent() {
    expect![[r#"
        > node a cpu=8 reserve cpu=6
          registered a
        > tenant acme
          created acme
        > job acme/train count=3 cpu=1
          submitted acme/train
          placed acme/train/0..1 on a
        > why acme/train
          Headroom cpu_millis by 1000: 1 nodes
        > update a reserve cpu=5
          updated a
          placed acme/train/2 on a
        > update a reserve cpu=9
          refused: node "a" reserves more cpu_millis than its capacity
    "#]]
    .assert_eq(&play(
        "node a cpu=8 reserve cpu=6
         tenant acme
         job acme/train count=3 cpu=1
         why acme/train
         update a reserve cpu=5
         update a reserve cpu=9",
    ));
}

#[test]
fn out_of_order_load_is_ignored_and_counted() {
    expect![[r#"
        > node a cpu=8
          registered a
        > load a cpu=1
          load a cpu_millis=1000
        > load a cpu=7
          accepted 0, ignored 1
        > at +1m
        > load a cpu=7 when=-2m
          accepted 0, ignored 1
        > load a cpu=2 when=-30s
          load a cpu_millis=2000
        > load a cpu=3 when=-30s
          accepted 0, ignored 1
        > load a cpu=1 when=+50s
          load a cpu_millis=1000
        > load a cpu=1 when=+61s
          refused: the load sample of node "a" lies more than a minute in the future
        > load b cpu=1
          refused: node "b" does not exist
        > show a
          Open held back cpu_millis=2200; lent nothing; headroom cpu_millis=5800
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         load a cpu=1
         load a cpu=7
         at +1m
         load a cpu=7 when=-2m
         load a cpu=2 when=-30s
         load a cpu=3 when=-30s
         load a cpu=1 when=+50s
         load a cpu=1 when=+61s
         load b cpu=1
         show a",
    ));
}

#[test]
fn forecast_is_the_greatest_of_six_hours_or_a_day_plus_margin_and_falls_after_it() {
    expect![[r#"
        > node a cpu=8 mem=10
          registered a
        > load a cpu=2 mem=9
          load a cpu_millis=2000 memory_bytes=9663676416
        > show a
          Open held back cpu_millis=2200 memory_bytes=10630044058; lent nothing; headroom cpu_millis=5800 memory_bytes=107374182
        > at +1h
        > load a cpu=1
          load a cpu_millis=1000
        > show a
          Open held back cpu_millis=2200 memory_bytes=10630044058; lent nothing; headroom cpu_millis=5800 memory_bytes=107374182
        > at +23h
        > load a cpu=1
          load a cpu_millis=1000
        > show a
          Open held back cpu_millis=1100, over a day cpu_millis=2200 memory_bytes=10630044058; lent nothing; headroom cpu_millis=6900 memory_bytes=10737418240
        > at +25h
        > load a cpu=1
          load a cpu_millis=1000
        > show a
          Open held back cpu_millis=1100; lent nothing; headroom cpu_millis=6900 memory_bytes=10737418240
        > policy margin=500
          policy changed
        > show a
          Open held back cpu_millis=1500; lent nothing; headroom cpu_millis=6500 memory_bytes=10737418240
    "#]].assert_eq(&play(
        "node a cpu=8 mem=10
         load a cpu=2 mem=9
         show a
         at +1h
         load a cpu=1
         show a
         at +23h
         load a cpu=1
         show a
         at +25h
         load a cpu=1
         show a
         policy margin=500
         show a",
    ));
}

#[test]
fn a_greater_margin_takes_room_back_at_once() {
    expect![[r#"
        > node a cpu=10
          registered a
        > tenant acme
          created acme
        > load a cpu=4
          load a cpu_millis=4000
        > job acme/train count=5 cpu=1
          submitted acme/train
          placed acme/train/0..4 on a
        > policy margin=500
          policy changed
          notice acme/train/4 on a at +2m OwnerExpected
        > at +5m
          +2m evicted acme/train/4 from a OwnerExpected
    "#]]
    .assert_eq(&play(
        "node a cpu=10
         tenant acme
         load a cpu=4
         job acme/train count=5 cpu=1
         policy margin=500
         at +5m",
    ));
}

#[test]
fn capacity_shrunk_below_lent_overcommits_and_gives_notice() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/train count=4 cpu=2
          submitted acme/train
          placed acme/train/0..3 on a
        > update a cpu=5
          updated a
          notice acme/train/2 on a at +2m NodeChanged
          notice acme/train/3 on a at +2m NodeChanged
        > show a
          Open held back nothing; lent cpu_millis=8000; headroom nothing
        > job acme/more cpu=1
          submitted acme/more
        > why acme/more
          Headroom cpu_millis by 1000: 1 nodes
        > at +5m
          +1s planned 1 of acme/more on a at +2m
          +2m evicted acme/train/2 from a NodeChanged
          +2m evicted acme/train/3 from a NodeChanged
          +2m placed acme/more/0 on a
        > show a
          Open held back nothing; lent cpu_millis=5000; headroom nothing
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         job acme/train count=4 cpu=2
         update a cpu=5
         show a
         job acme/more cpu=1
         why acme/more
         at +5m
         show a",
    ));
}

#[test]
fn who_holds_a_device_that_is_gone_keeps_its_notice_when_the_owner_reports() {
    expect![[r#"
        > node a cpu=8 gpus=2:V100
          registered a
        > tenant acme
          created acme
        > job acme/first gpu=1
          submitted acme/first
          placed acme/first/0 on a gpu 0
        > job acme/second gpu=1
          submitted acme/second
          placed acme/second/0 on a gpu 1
        > succeed acme/first/0
          ended acme/first/0 Succeeded
          done acme/first Succeeded
        > update a gpus=1:V100
          updated a
          notice acme/second/0 on a at +2m NodeChanged
        > load a cpu=0
          load a nothing
        > at +5m
          +2m evicted acme/second/0 from a NodeChanged
          +2m placed acme/second/0 on a gpu 0
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=2:V100
         tenant acme
         job acme/first gpu=1
         job acme/second gpu=1
         succeed acme/first/0
         update a gpus=1:V100
         load a cpu=0
         at +5m",
    ));
}

#[test]
fn owner_gpus_reduce_lendable_devices() {
    expect![[r#"
        > node a cpu=8 gpus=2:V100
          registered a
        > tenant acme
          created acme
        > load a gpus=1
          load a gpu_millis=1000
        > job acme/whole count=2 gpu=1
          submitted acme/whole
          placed acme/whole/0 on a gpu 0
        > why acme/whole
          Headroom gpu_millis by 1000: 1 nodes
        > load a gpus=0
          accepted 0, ignored 1
        > at +1s
        > load a gpus=2
          load a gpu_millis=2000
          evicted acme/whole/0 from a OwnerReturned
        > at +3m
        > show a
          Open held back gpu_millis=2000; lent nothing; headroom cpu_millis=8000
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=2:V100
         tenant acme
         load a gpus=1
         job acme/whole count=2 gpu=1
         why acme/whole
         load a gpus=0
         at +1s
         load a gpus=2
         at +3m
         show a",
    ));
}

#[test]
fn devices_that_are_gone_are_not_lent() {
    expect![[r#"
        > node a cpu=8 gpus=2:V100
          registered a
        > tenant acme
          created acme
        > job acme/first gpu=1
          submitted acme/first
          placed acme/first/0 on a gpu 0
        > job acme/second gpu=0.5
          submitted acme/second
          placed acme/second/0 on a gpu 1
        > update a cpu=8 gpus=1:V100
          updated a
          notice acme/second/0 on a at +2m NodeChanged
        > succeed acme/first/0
          ended acme/first/0 Succeeded
          done acme/first Succeeded
        > job acme/third gpu=0.5
          submitted acme/third
        > at +5m
          +2m evicted acme/second/0 from a NodeChanged
          +2m placed acme/second/0 on a gpu 0
          +2m placed acme/third/0 on a gpu 0
        > show a
          Open held back nothing; lent gpu_millis=1000; headroom cpu_millis=8000
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=2:V100
         tenant acme
         job acme/first gpu=1
         job acme/second gpu=0.5
         update a cpu=8 gpus=1:V100
         succeed acme/first/0
         job acme/third gpu=0.5
         at +5m
         show a",
    ));
}

#[test]
fn a_withdrawn_drain_leaves_the_owner_its_room() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/low cpu=3
          submitted acme/low
          placed acme/low/0 on a
        > load a cpu=1
          load a cpu_millis=1000
          notice acme/low/0 on a at +2m OwnerExpected
        > drain a grace=10s
          1 notices
          a drains until +10s
          notice acme/low/0 on a at +10s NodeDrained
        > uncordon a
          a is open
          withdrawn acme/low/0
          notice acme/low/0 on a at +2m OwnerExpected
        > at +5m
          +2m evicted acme/low/0 from a OwnerExpected
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/low cpu=3
         load a cpu=1
         drain a grace=10s
         uncordon a
         at +5m",
    ));
}

#[test]
fn an_owner_that_is_there_already_gets_its_room_at_once() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/old cpu=2
          submitted acme/old
          placed acme/old/0 on a
        > at +1s
        > job acme/new cpu=2
          submitted acme/new
          placed acme/new/0 on a
        > job acme/high cpu=3 priority=1
          submitted acme/high
          placed acme/high/0 on a
        > load a cpu=1
          load a cpu_millis=1000
          notice acme/new/0 on a at +2m1s OwnerExpected
        > at +30s
        > load a cpu=4
          load a cpu_millis=4000
          evicted acme/old/0 from a OwnerReturned
          evicted acme/new/0 from a OwnerReturned
        > load a cpu=9 when=+1s
          load a cpu_millis=9000
          evicted acme/high/0 from a OwnerReturned
        > at +5m
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         job acme/old cpu=2
         at +1s
         job acme/new cpu=2
         job acme/high cpu=3 priority=1
         load a cpu=1
         at +30s
         load a cpu=4
         load a cpu=9 when=+1s
         at +5m",
    ));
}

#[test]
fn notices_are_withdrawn_when_the_owner_is_not_expected_any_more() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/pair count=2 cpu=3.8 gang notice=8h
          submitted acme/pair
          placed acme/pair/0 on a
          placed acme/pair/1 on b
        > load a cpu=0.2
          load a cpu_millis=200
          notice acme/pair/0 on a at +8h OwnerExpected
          notice acme/pair/1 on b at +8h OwnerExpected
        > load b cpu=0.2
          load b cpu_millis=200
        > at +7h
        > load a cpu=0
          load a nothing
        > load b cpu=0
          load b nothing
          withdrawn acme/pair/0
          withdrawn acme/pair/1
        > at +10h
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/pair count=2 cpu=3.8 gang notice=8h
         load a cpu=0.2
         load b cpu=0.2
         at +7h
         load a cpu=0
         load b cpu=0
         at +10h",
    ));
}

#[test]
fn regions_that_an_owner_has_left_are_forgotten_after_thirty_days() {
    expect![[r#"
        > node a cpu=8 owner=shop region=eu
          registered a
        > node b cpu=8 owner=shop region=ap
          registered b
        > load a cpu=1
          load a cpu_millis=1000
        > load b cpu=1
          load b cpu_millis=1000
        > at +5m
        > load a cpu=1
          load a cpu_millis=1000
        > load b cpu=1
          load b cpu_millis=1000
        > scorecard shop
          in "ap": 1 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 35 core minutes 0 were lent
          in "eu": 1 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 35 core minutes 0 were lent
        > update a region=us
          updated a
        > at +29d
        > load a cpu=1
          load a cpu_millis=1000
        > scorecard shop
          in "ap": 1 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 35 core minutes 0 were lent
          in "eu": 1 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 35 core minutes 0 were lent
          in "us": 1 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 420 core minutes 0 were lent
        > at +31d
        > load a cpu=1
          load a cpu_millis=1000
        > scorecard shop
          in "ap": 0 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 0 core minutes 0 were lent
          in "us": 2 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 840 core minutes 0 were lent
    "#]]
    .assert_eq(&play(
        "node a cpu=8 owner=shop region=eu
         node b cpu=8 owner=shop region=ap
         load a cpu=1
         load b cpu=1
         at +5m
         load a cpu=1
         load b cpu=1
         scorecard shop
         update a region=us
         at +29d
         load a cpu=1
         scorecard shop
         at +31d
         load a cpu=1
         scorecard shop",
    ));
}
