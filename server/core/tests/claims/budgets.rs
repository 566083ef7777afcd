//! What owners are short of, and how it is paid from their budgets.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_shrinking_budget_curbs_the_risk() {
    expect![[r#"
        > node a cpu=8 owner=shop
          registered a
        > node b cpu=8
          registered b
        > tenant acme
          created acme
        > owner shop budget=12m
          owner shop has 0 windows
        > load a cpu=1
          load a cpu_millis=1000
        > job acme/train count=5 cpu=1 priority=1
          submitted acme/train
          placed acme/train/0..4 on a
        > at +4m
        > load a cpu=7
          load a cpu_millis=7000
          curbed shop by 1 quarters
          evicted acme/train/1 from a OwnerReturned
          evicted acme/train/2 from a OwnerReturned
          evicted acme/train/3 from a OwnerReturned
          evicted acme/train/4 from a OwnerReturned
          notice acme/train/0 on a at +6m OwnerExpected
          placed acme/train/1..4 on b
        > at +5m
        > load a cpu=1
          load a cpu_millis=1000
        > job acme/more count=4 cpu=1
          submitted acme/more
          placed acme/more/0..3 on b
        > at +9m
          +6m evicted acme/train/0 from a OwnerExpected
          +6m notice acme/more/3 on b at +8m Preempted
          +8m evicted acme/more/3 from b Preempted
          +8m placed acme/train/0 on b
        > load a cpu=8
          load a cpu_millis=8000
        > scorecard shop
          in "": 3 samples, 2 exceeded, 1 short for +4m by 500000 ppm in all; of 11 core minutes 5 were lent
        > restart
        > scorecard shop
          in "": 3 samples, 2 exceeded, 1 short for +4m by 500000 ppm in all; of 11 core minutes 5 were lent
    "#]].assert_eq(&play(
        "node a cpu=8 owner=shop
         node b cpu=8
         tenant acme
         owner shop budget=12m
         load a cpu=1
         job acme/train count=5 cpu=1 priority=1
         at +4m
         load a cpu=7
         at +5m
         load a cpu=1
         job acme/more count=4 cpu=1
         at +9m
         load a cpu=8
         scorecard shop
         restart
         scorecard shop",
    ));
}

#[test]
fn what_was_spent_comes_back_after_thirty_days() {
    expect![[r#"
        > node a cpu=8 owner=shop
          registered a
        > tenant acme
          created acme
        > owner shop budget=4m
          owner shop has 0 windows
        > load a cpu=1
          load a cpu_millis=1000
        > job acme/train count=5 cpu=1
          submitted acme/train
          placed acme/train/0..4 on a
        > at +4m
        > load a cpu=7
          load a cpu_millis=7000
          curbed shop by 4 quarters
          evicted acme/train/1 from a OwnerReturned
          evicted acme/train/2 from a OwnerReturned
          evicted acme/train/3 from a OwnerReturned
          evicted acme/train/4 from a OwnerReturned
          notice acme/train/0 on a at +6m OwnerExpected
        > at +31d
          +6m evicted acme/train/0 from a OwnerExpected
        > load a cpu=1
          load a cpu_millis=1000
          curbed shop by 0 quarters
          placed acme/train/0..4 on a
        > scorecard shop
          in "": 1 samples, 0 exceeded, 0 short for +0s by 0 ppm in all; of 420 core minutes 0 were lent
    "#]].assert_eq(&play(
        "node a cpu=8 owner=shop
         tenant acme
         owner shop budget=4m
         load a cpu=1
         job acme/train count=5 cpu=1
         at +4m
         load a cpu=7
         at +31d
         load a cpu=1
         scorecard shop",
    ));
}

#[test]
fn without_a_budget_shortfalls_are_told_and_nothing_is_curbed() {
    expect![[r#"
        > node a cpu=8 owner=shop
          registered a
        > tenant acme
          created acme
        > load a cpu=1
          load a cpu_millis=1000
        > job acme/train count=5 cpu=1
          submitted acme/train
          placed acme/train/0..4 on a
        > at +4m
        > load a cpu=7
          load a cpu_millis=7000
          evicted acme/train/1 from a OwnerReturned
          evicted acme/train/2 from a OwnerReturned
          evicted acme/train/3 from a OwnerReturned
          evicted acme/train/4 from a OwnerReturned
          notice acme/train/0 on a at +6m OwnerExpected
        > owner shop budget=1m
          owner shop has 0 windows
          curbed shop by 4 quarters
        > owner shop budget=none
          owner shop has 0 windows
          curbed shop by 0 quarters
        > scorecard shop
          in "": 1 samples, 1 exceeded, 1 short for +4m by 500000 ppm in all; of 4 core minutes 4 were lent
    "#]].assert_eq(&play(
        "node a cpu=8 owner=shop
         tenant acme
         load a cpu=1
         job acme/train count=5 cpu=1
         at +4m
         load a cpu=7
         owner shop budget=1m
         owner shop budget=none
         scorecard shop",
    ));
}

#[test]
fn a_curbed_owner_still_turns_when_its_window_comes() {
    expect![[r#"
        > node a cpu=8 owner=shop
          registered a
        > tenant acme
          created acme
        > owner shop 2h-3h:1000 budget=12m
          owner shop has 1 windows
        > load a cpu=1
          load a cpu_millis=1000
        > job acme/train count=5 cpu=1
          submitted acme/train
          placed acme/train/0..4 on a
        > at +4m
        > load a cpu=7
          load a cpu_millis=7000
          curbed shop by 1 quarters
          evicted acme/train/1 from a OwnerReturned
          evicted acme/train/2 from a OwnerReturned
          evicted acme/train/3 from a OwnerReturned
          evicted acme/train/4 from a OwnerReturned
          notice acme/train/0 on a at +6m OwnerExpected
        > load a cpu=1
          accepted 0, ignored 1
        > at +4h
          +6m evicted acme/train/0 from a OwnerExpected
          +1h turned shop
          +1h48m turned shop
          +3h turned shop
    "#]]
    .assert_eq(&play(
        "node a cpu=8 owner=shop
         tenant acme
         owner shop 2h-3h:1000 budget=12m
         load a cpu=1
         job acme/train count=5 cpu=1
         at +4m
         load a cpu=7
         load a cpu=1
         at +4h",
    ));
}
