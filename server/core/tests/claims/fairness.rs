//! Families of tenants, guarantees, and shares that remember.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn limits_and_ceilings_hold_at_every_level() {
    expect![[r#"
        > node a cpu=100
          registered a
        > tenant acme ceiling=50 quota cpu=10
          created acme
        > tenant ml parent=acme ceiling=90
          created ml
        > tenant web parent=acme quota cpu=8
          created web
        > job ml/a cpu=6
          submitted ml/a
          placed ml/a/0 on a
        > job web/b cpu=5
          refused: tenant "acme" would use 11000 of cpu_millis, more than its quota of 10000
        > job web/c cpu=4
          submitted web/c
          quota acme little left at 1000
          placed web/c/0 on a
        > job ml/d cpu=1 priority=51
          refused: priority 51 is above the ceiling of tenant "acme", which is 50
        > set acme quota cpu=9
          refused: tenant "acme" uses 10000 of cpu_millis, more than the new quota of 9000
        > job acme/own cpu=1
          refused: tenant "acme" would use 11000 of cpu_millis, more than its quota of 10000
        > set ml parent=none
          changed ml
          quota acme enough left at 400
        > job ml/d cpu=1 priority=51
          submitted ml/d
          placed ml/d/0 on a
        > job web/e cpu=4
          submitted web/e
          quota web little left at 1000
          placed web/e/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=100
         tenant acme ceiling=50 quota cpu=10
         tenant ml parent=acme ceiling=90
         tenant web parent=acme quota cpu=8
         job ml/a cpu=6
         job web/b cpu=5
         job web/c cpu=4
         job ml/d cpu=1 priority=51
         set acme quota cpu=9
         job acme/own cpu=1
         set ml parent=none
         job ml/d cpu=1 priority=51
         job web/e cpu=4",
    ));
}

#[test]
fn families_have_no_cycles_and_parents_have_no_loose_ends() {
    expect![[r#"
        > tenant a parent=b
          refused: tenant "a" cannot be a child of tenant "b", which does not exist
        > tenant a parent=a
          refused: tenant "a" cannot be a child of tenant "a", which is itself or below it
        > tenant a
          created a
        > tenant b parent=a
          created b
        > tenant c parent=b
          created c
        > set a parent=c
          refused: tenant "a" cannot be a child of tenant "c", which is itself or below it
        > set a parent=a
          refused: tenant "a" cannot be a child of tenant "a", which is itself or below it
        > set b parent=nobody
          refused: tenant "b" cannot be a child of tenant "nobody", which does not exist
        > delete b
          refused: tenant "b" has 1 children: delete them first, or give them another parent
        > delete c
          deleted c
        > delete b
          deleted b
        > tenant t1 parent=a
          created t1
        > tenant t2 parent=t1
          created t2
        > tenant t3 parent=t2
          created t3
        > tenant t4 parent=t3
          created t4
        > tenant t5 parent=t4
          created t5
        > tenant t6 parent=t5
          created t6
        > tenant t7 parent=t6
          created t7
        > tenant t8 parent=t7
          refused: tenant "t8" below "t7" would make 9 levels of tenants, more than the 8 allowed
        > tenant top
          created top
        > set a parent=top
          refused: tenant "a" below "top" would make 9 levels of tenants, more than the 8 allowed
    "#]]
    .assert_eq(&play(
        "tenant a parent=b
         tenant a parent=a
         tenant a
         tenant b parent=a
         tenant c parent=b
         set a parent=c
         set a parent=a
         set b parent=nobody
         delete b
         delete c
         delete b
         tenant t1 parent=a
         tenant t2 parent=t1
         tenant t3 parent=t2
         tenant t4 parent=t3
         tenant t5 parent=t4
         tenant t6 parent=t5
         tenant t7 parent=t6
         tenant t8 parent=t7
         tenant top
         set a parent=top",
    ));
}

#[test]
fn a_parent_covers_what_its_children_are_guaranteed() {
    expect![[r#"
        > tenant acme guarantee=cpu:10 quota cpu=20
          created acme
        > tenant ml parent=acme guarantee=cpu:6
          created ml
        > tenant web parent=acme guarantee=cpu:5
          refused: the children of tenant "acme" would be guaranteed 11000 of cpu_millis, more than its own guarantee of 10000
        > tenant web parent=acme guarantee=cpu:4,mem:1
          refused: the children of tenant "acme" would be guaranteed 1073741824 of memory_bytes, more than its own guarantee of 0
        > tenant web parent=acme guarantee=cpu:4
          created web
        > set acme guarantee=cpu:9
          refused: the children of tenant "acme" would be guaranteed 10000 of cpu_millis, more than its own guarantee of 9000
        > set acme guarantee=cpu:21
          refused: tenant "acme" would be guaranteed 21000 of cpu_millis, more than its quota of 20000
        > set web guarantee=cpu:3
          changed web
        > set acme guarantee=cpu:9
          changed acme
    "#]].assert_eq(&play(
        "tenant acme guarantee=cpu:10 quota cpu=20
         tenant ml parent=acme guarantee=cpu:6
         tenant web parent=acme guarantee=cpu:5
         tenant web parent=acme guarantee=cpu:4,mem:1
         tenant web parent=acme guarantee=cpu:4
         set acme guarantee=cpu:9
         set acme guarantee=cpu:21
         set web guarantee=cpu:3
         set acme guarantee=cpu:9",
    ));
}

/// What was borrowed comes back with notice, the youngest first, and no more of it than is needed.
#[test]
fn a_guarantee_takes_back_what_was_borrowed() {
    expect![[r#"
        > node a cpu=10
          registered a
        > tenant lender guarantee=cpu:4
          created lender
        > tenant borrower guarantee=cpu:3
          created borrower
        > job borrower/bulk count=8 cpu=1
          submitted borrower/bulk
          placed borrower/bulk/0..7 on a
        > at 1m
        > job borrower/more count=2 cpu=1
          submitted borrower/more
          placed borrower/more/0..1 on a
        > job lender/claim count=6 cpu=1
          submitted lender/claim
          notice borrower/more/1 on a at +3m Preempted, guaranteed to lender/claim
          notice borrower/more/0 on a at +3m Preempted, guaranteed to lender/claim
          notice borrower/bulk/7 on a at +3m Preempted, guaranteed to lender/claim
          notice borrower/bulk/6 on a at +3m Preempted, guaranteed to lender/claim
        > why lender/claim
          Preemption
          Headroom cpu_millis by 1000: 1 nodes
        > at 4m
          +3m evicted borrower/bulk/6 from a Preempted
          +3m evicted borrower/bulk/7 from a Preempted
          +3m evicted borrower/more/0 from a Preempted
          +3m evicted borrower/more/1 from a Preempted
          +3m placed lender/claim/0 on a
          +3m placed lender/claim/1 on a
          +3m placed lender/claim/2 on a
          +3m placed lender/claim/3 on a
        > why lender/claim
          Headroom cpu_millis by 1000: 1 nodes
    "#]]
    .assert_eq(&play(
        "node a cpu=10
         tenant lender guarantee=cpu:4
         tenant borrower guarantee=cpu:3
         job borrower/bulk count=8 cpu=1
         at 1m
         job borrower/more count=2 cpu=1
         job lender/claim count=6 cpu=1
         why lender/claim
         at 4m
         why lender/claim",
    ));
}

#[test]
fn what_is_guaranteed_to_the_other_stays() {
    expect![[r#"
        > node a cpu=10
          registered a
        > tenant one guarantee=cpu:6
          created one
        > tenant two guarantee=cpu:4
          created two
        > job two/bulk count=4 cpu=1
          submitted two/bulk
          placed two/bulk/0..3 on a
        > job one/bulk count=8 cpu=1
          submitted one/bulk
          placed one/bulk/0..5 on a
        > at 60m
        > job two/again count=3 cpu=1
          submitted two/again
        > at 70m
    "#]]
    .assert_eq(&play(
        "node a cpu=10
         tenant one guarantee=cpu:6
         tenant two guarantee=cpu:4
         job two/bulk count=4 cpu=1
         job one/bulk count=8 cpu=1
         at 60m
         job two/again count=3 cpu=1
         at 70m",
    ));
}

#[test]
fn work_of_higher_priority_and_young_work_are_not_taken_back() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant lender guarantee=cpu:4
          created lender
        > tenant borrower
          created borrower
        > job borrower/high count=2 cpu=1 priority=5
          submitted borrower/high
          placed borrower/high/0..1 on a
        > job borrower/young count=2 cpu=1 min=10m
          submitted borrower/young
          placed borrower/young/0..1 on a
        > job lender/claim count=4 cpu=1
          submitted lender/claim
        > at 9m
        > at 14m
          +10m notice borrower/young/1 on a at +12m Preempted, guaranteed to lender/claim
          +10m notice borrower/young/0 on a at +12m Preempted, guaranteed to lender/claim
          +12m evicted borrower/young/0 from a Preempted
          +12m evicted borrower/young/1 from a Preempted
          +12m placed lender/claim/0 on a
          +12m placed lender/claim/1 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant lender guarantee=cpu:4
         tenant borrower
         job borrower/high count=2 cpu=1 priority=5
         job borrower/young count=2 cpu=1 min=10m
         job lender/claim count=4 cpu=1
         at 9m
         at 14m",
    ));
}

/// A guarantee of a family is for all in it, against those outside it; inside it is nobody's.
#[test]
fn a_family_uses_its_guarantee_together() {
    expect![[r#"
        > node a cpu=6
          registered a
        > tenant acme guarantee=cpu:4
          created acme
        > tenant ml parent=acme
          created ml
        > tenant web parent=acme
          created web
        > tenant other
          created other
        > job ml/bulk count=3 cpu=1
          submitted ml/bulk
          placed ml/bulk/0..2 on a
        > job other/bulk count=3 cpu=1
          submitted other/bulk
          placed other/bulk/0..2 on a
        > job web/claim count=2 cpu=1
          submitted web/claim
          notice other/bulk/2 on a at +2m Preempted, guaranteed to web/claim
        > at 10m
          +2m evicted other/bulk/2 from a Preempted
          +2m placed web/claim/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=6
         tenant acme guarantee=cpu:4
         tenant ml parent=acme
         tenant web parent=acme
         tenant other
         job ml/bulk count=3 cpu=1
         job other/bulk count=3 cpu=1
         job web/claim count=2 cpu=1
         at 10m",
    ));
}

/// Whoever has less than its guarantee goes first where there is room, so that nobody is preempted for it.
#[test]
fn who_is_below_its_guarantee_goes_first() {
    expect![[r#"
        > tenant small
          created small
        > tenant sure guarantee=cpu:3
          created sure
        > job small/bulk count=4 cpu=1
          submitted small/bulk
        > job sure/bulk count=4 cpu=1
          submitted sure/bulk
        > node a cpu=4
          registered a
          placed sure/bulk/0 on a
          placed sure/bulk/1 on a
          placed sure/bulk/2 on a
          placed small/bulk/0 on a
    "#]]
    .assert_eq(&play(
        "tenant small
         tenant sure guarantee=cpu:3
         job small/bulk count=4 cpu=1
         job sure/bulk count=4 cpu=1
         node a cpu=4",
    ));
}

/// Of two families with the same weight each gets half, however many they are.
#[test]
fn families_share_and_then_their_children() {
    expect![[r#"
        > tenant many
          created many
        > tenant m1 parent=many
          created m1
        > tenant m2 parent=many
          created m2
        > tenant m3 parent=many
          created m3
        > tenant one
          created one
        > job m1/bulk count=1 cpu=1
          submitted m1/bulk
        > job m2/bulk count=1 cpu=1
          submitted m2/bulk
        > job m3/bulk count=1 cpu=1
          submitted m3/bulk
        > job m1/more count=1 cpu=1
          submitted m1/more
        > job many/own count=1 cpu=1
          submitted many/own
        > job one/a cpu=1
          submitted one/a
        > job one/b cpu=1
          submitted one/b
        > job one/c cpu=1
          submitted one/c
        > job one/d cpu=1
          submitted one/d
        > node a cpu=1
          registered a
          placed many/own/0 on a
        > node b cpu=1
          registered b
          placed one/a/0 on b
        > node c cpu=1
          registered c
          placed m1/bulk/0 on c
        > node d cpu=1
          registered d
          placed one/b/0 on d
        > node e cpu=1
          registered e
          placed m2/bulk/0 on e
        > node f cpu=1
          registered f
          placed one/c/0 on f
    "#]]
    .assert_eq(&play(
        "tenant many
         tenant m1 parent=many
         tenant m2 parent=many
         tenant m3 parent=many
         tenant one
         job m1/bulk count=1 cpu=1
         job m2/bulk count=1 cpu=1
         job m3/bulk count=1 cpu=1
         job m1/more count=1 cpu=1
         job many/own count=1 cpu=1
         job one/a cpu=1
         job one/b cpu=1
         job one/c cpu=1
         job one/d cpu=1
         node a cpu=1
         node b cpu=1
         node c cpu=1
         node d cpu=1
         node e cpu=1
         node f cpu=1",
    ));
}

/// Who held much an hour ago comes after who held nothing, and no longer after ten hours.
#[test]
fn a_burst_is_remembered_and_forgiven() {
    let burst = |later: &str| {
        play(&format!(
            "tenant burst
             tenant calm
             node a cpu=8
             job burst/peak count=8 cpu=1
             at 2h
             cancel burst/peak
             cordon a
             at {later}
             job burst/next cpu=8
             job calm/next cpu=8
             uncordon a"
        ))
    };
    let last = |text: &str| text.lines().last().unwrap_or_default().trim().to_owned();
    assert_eq!(last(&burst("3h")), "placed calm/next/0 on a");
    assert_eq!(last(&burst("100h")), "placed burst/next/0 on a");
}

#[test]
fn what_is_taken_back_goes_while_the_taker_waits_and_stays_when_it_does_not() {
    expect![[r#"
        > node a cpu=2
          registered a
        > tenant lender guarantee=cpu:1
          created lender
        > tenant borrower
          created borrower
        > job borrower/bulk count=2 cpu=1
          submitted borrower/bulk
          placed borrower/bulk/0..1 on a
        > at 1m
        > job borrower/other cpu=5
          submitted borrower/other
        > job lender/claim cpu=1
          submitted lender/claim
          notice borrower/bulk/1 on a at +3m Preempted, guaranteed to lender/claim
        > cancel borrower/other
          dropped borrower/other/0 Cancelled
          done borrower/other Cancelled
        > at 90s
        > cancel lender/claim
          dropped lender/claim/0 Cancelled
          withdrawn borrower/bulk/1
          done lender/claim Cancelled
        > at 10m
    "#]]
    .assert_eq(&play(
        "node a cpu=2
         tenant lender guarantee=cpu:1
         tenant borrower
         job borrower/bulk count=2 cpu=1
         at 1m
         job borrower/other cpu=5
         job lender/claim cpu=1
         cancel borrower/other
         at 90s
         cancel lender/claim
         at 10m",
    ));
}

#[test]
fn what_was_to_be_taken_back_is_owed_to_nobody_once_it_is_called_off() {
    expect![[r#"
        > node a cpu=3
          registered a
        > tenant lender guarantee=cpu:3
          created lender
        > tenant small
          created small
        > tenant other
          created other
        > job small/bulk count=3 cpu=1
          submitted small/bulk
          placed small/bulk/0..2 on a
        > at 1m
        > job lender/claim count=3 cpu=1
          submitted lender/claim
          notice small/bulk/2 on a at +3m Preempted, guaranteed to lender/claim
          notice small/bulk/1 on a at +3m Preempted, guaranteed to lender/claim
          notice small/bulk/0 on a at +3m Preempted, guaranteed to lender/claim
        > cancel lender/claim
          dropped lender/claim/0..2 Cancelled
          withdrawn small/bulk/0
          withdrawn small/bulk/1
          withdrawn small/bulk/2
          done lender/claim Cancelled
        > set lender guarantee=cpu:0
          changed lender
        > job lender/one cpu=1
          submitted lender/one
        > node b cpu=1
          registered b
          placed lender/one/0 on b
        > job lender/two cpu=1
          submitted lender/two
        > job other/two cpu=1
          submitted other/two
        > node c cpu=1
          registered c
          placed other/two/0 on c
    "#]]
    .assert_eq(&play(
        "node a cpu=3
         tenant lender guarantee=cpu:3
         tenant small
         tenant other
         job small/bulk count=3 cpu=1
         at 1m
         job lender/claim count=3 cpu=1
         cancel lender/claim
         set lender guarantee=cpu:0
         job lender/one cpu=1
         node b cpu=1
         job lender/two cpu=1
         job other/two cpu=1
         node c cpu=1",
    ));
}

#[test]
fn room_that_is_taken_back_is_the_takers_after_a_restart_too() {
    expect![[r#"
        > node a cpu=1
          registered a
        > tenant sure guarantee=cpu:1
          created sure
        > tenant lender guarantee=cpu:1
          created lender
        > tenant borrower
          created borrower
        > job borrower/bulk cpu=1
          submitted borrower/bulk
          placed borrower/bulk/0 on a
        > at 1m
        > job lender/claim cpu=1
          submitted lender/claim
          notice borrower/bulk/0 on a at +3m Preempted, guaranteed to lender/claim
        > restart
        > job sure/claim cpu=1
          submitted sure/claim
        > at 10m
          +3m evicted borrower/bulk/0 from a Preempted
          +3m placed lender/claim/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=1
         tenant sure guarantee=cpu:1
         tenant lender guarantee=cpu:1
         tenant borrower
         job borrower/bulk cpu=1
         at 1m
         job lender/claim cpu=1
         restart
         job sure/claim cpu=1
         at 10m",
    ));
}
