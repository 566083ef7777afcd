//! Quota, ceiling and fair shares.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn quota_is_hard() {
    expect![[r#"
        > node a cpu=100
          registered a
        > tenant acme quota cpu=10 mem=5 tasks=4
          created acme
        > job acme/train count=4 cpu=2
          submitted acme/train
          quota acme little left at 1000
          placed acme/train/0..3 on a
        > job acme/more cpu=1
          refused: tenant "acme" would use 5 of tasks, more than its quota of 4
        > resize acme/train 5
          refused: tenant "acme" would use 5 of tasks, more than its quota of 4
        > resize acme/train 2
          ended acme/train/2 Cancelled
          ended acme/train/3 Cancelled
          resized acme/train to 2
          quota acme enough left at 500
        > job acme/memory cpu=1 mem=6
          refused: tenant "acme" would use 6442450944 of memory_bytes, more than its quota of 5368709120
        > job acme/cpu cpu=7
          refused: tenant "acme" would use 11000 of cpu_millis, more than its quota of 10000
        > job acme/fits cpu=6
          submitted acme/fits
          quota acme little left at 1000
          placed acme/fits/0 on a
        > set acme quota cpu=9
          refused: tenant "acme" uses 10000 of cpu_millis, more than the new quota of 9000
        > set acme quota cpu=10
          changed acme
        > succeed acme/fits/0
          ended acme/fits/0 Succeeded
          done acme/fits Succeeded
          quota acme enough left at 400
        > set acme quota cpu=9
          changed acme
    "#]].assert_eq(&play(
        "node a cpu=100
         tenant acme quota cpu=10 mem=5 tasks=4
         job acme/train count=4 cpu=2
         job acme/more cpu=1
         resize acme/train 5
         resize acme/train 2
         job acme/memory cpu=1 mem=6
         job acme/cpu cpu=7
         job acme/fits cpu=6
         set acme quota cpu=9
         set acme quota cpu=10
         succeed acme/fits/0
         set acme quota cpu=9",
    ));
}

#[test]
fn requests_that_overflow_are_refused() {
    expect![[r#"
        > tenant acme
          created acme
        > job acme/train count=4000000000 cpu=5000000
          refused: 4000000000 tasks of this request overflow a dimension; 1125899906842624 is the most of any one
        > job nobody/train cpu=1
          refused: tenant "nobody" does not exist
        > tenant acme
          refused: tenant "acme" exists already
        > delete nobody
          refused: tenant "nobody" does not exist
        > set nobody weight=1
          refused: tenant "nobody" does not exist
    "#]].assert_eq(&play(
        "tenant acme
         job acme/train count=4000000000 cpu=5000000
         job nobody/train cpu=1
         tenant acme
         delete nobody
         set nobody weight=1",
    ));
}

#[test]
fn no_job_is_above_its_tenants_ceiling() {
    expect![[r#"
        > tenant acme ceiling=50
          created acme
        > job acme/train cpu=1 priority=51
          refused: priority 51 is above the ceiling of tenant "acme", which is 50
        > job acme/train cpu=1 priority=50
          submitted acme/train
        > job acme/train cpu=1
          refused: tenant "acme" has a job "train" already
        > set acme ceiling=10
          changed acme
        > job acme/again cpu=1 priority=11
          refused: priority 11 is above the ceiling of tenant "acme", which is 10
    "#]]
    .assert_eq(&play(
        "tenant acme ceiling=50
         job acme/train cpu=1 priority=51
         job acme/train cpu=1 priority=50
         job acme/train cpu=1
         set acme ceiling=10
         job acme/again cpu=1 priority=11",
    ));
}

#[test]
fn tenants_share_by_weight() {
    expect![[r#"
        > tenant heavy weight=2
          created heavy
        > tenant light
          created light
        > job heavy/bulk count=600 cpu=1
          submitted heavy/bulk
        > job light/bulk count=600 cpu=1
          submitted light/bulk
        > node a cpu=900
          registered a
          placed heavy/bulk/0..13 on a
          placed light/bulk/0..13 on a
          placed heavy/bulk/14..27 on a
          placed heavy/bulk/28..41 on a
          placed light/bulk/14..27 on a
          placed heavy/bulk/42..55 on a
          placed heavy/bulk/56..69 on a
          placed light/bulk/28..41 on a
          placed heavy/bulk/70..83 on a
          placed heavy/bulk/84..97 on a
          placed light/bulk/42..55 on a
          placed heavy/bulk/98..111 on a
          placed heavy/bulk/112..125 on a
          placed light/bulk/56..69 on a
          placed heavy/bulk/126..139 on a
          placed heavy/bulk/140..153 on a
          placed light/bulk/70..83 on a
          placed heavy/bulk/154..167 on a
          placed heavy/bulk/168..181 on a
          placed light/bulk/84..97 on a
          placed heavy/bulk/182..195 on a
          placed heavy/bulk/196..209 on a
          placed light/bulk/98..111 on a
          placed heavy/bulk/210..223 on a
          placed heavy/bulk/224..237 on a
          placed light/bulk/112..125 on a
          placed heavy/bulk/238..251 on a
          placed heavy/bulk/252..265 on a
          placed light/bulk/126..139 on a
          placed heavy/bulk/266..279 on a
          placed heavy/bulk/280..293 on a
          placed light/bulk/140..153 on a
          placed heavy/bulk/294..307 on a
          placed heavy/bulk/308..321 on a
          placed light/bulk/154..167 on a
          placed heavy/bulk/322..335 on a
          placed heavy/bulk/336..349 on a
          placed light/bulk/168..181 on a
          placed heavy/bulk/350..363 on a
          placed heavy/bulk/364..377 on a
          placed light/bulk/182..195 on a
          placed heavy/bulk/378..391 on a
          placed heavy/bulk/392..405 on a
          placed light/bulk/196..209 on a
          placed heavy/bulk/406..419 on a
          placed heavy/bulk/420..433 on a
          placed light/bulk/210..223 on a
          placed heavy/bulk/434..447 on a
          placed heavy/bulk/448..461 on a
          placed light/bulk/224..237 on a
          placed heavy/bulk/462..475 on a
          placed heavy/bulk/476..489 on a
          placed light/bulk/238..251 on a
          placed heavy/bulk/490..503 on a
          placed heavy/bulk/504..517 on a
          placed light/bulk/252..265 on a
          placed heavy/bulk/518..531 on a
          placed heavy/bulk/532..545 on a
          placed light/bulk/266..279 on a
          placed heavy/bulk/546..559 on a
          placed heavy/bulk/560..573 on a
          placed light/bulk/280..293 on a
          placed heavy/bulk/574..587 on a
          placed heavy/bulk/588..599 on a
          placed light/bulk/294..299 on a
        > show a
          Open held back nothing; lent cpu_millis=900000; headroom nothing
    "#]]
    .assert_eq(&play(
        "tenant heavy weight=2
         tenant light
         job heavy/bulk count=600 cpu=1
         job light/bulk count=600 cpu=1
         node a cpu=900
         show a",
    ));
}

#[test]
fn a_tenant_with_work_is_not_deleted() {
    expect![[r#"
        > tenant acme
          created acme
        > set acme weight=1
        > job acme/train cpu=1
          submitted acme/train
        > delete acme
          refused: tenant "acme" has 1 unfinished jobs: cancel them first
        > cancel acme/train
          dropped acme/train/0 Cancelled
          done acme/train Cancelled
        > delete acme
          forgot acme/train
          deleted acme
        > delete acme
          refused: tenant "acme" does not exist
    "#]]
    .assert_eq(&play(
        "tenant acme
         set acme weight=1
         job acme/train cpu=1
         delete acme
         cancel acme/train
         delete acme
         delete acme",
    ));
}

#[test]
fn a_tenant_is_told_when_little_of_its_quota_is_left_and_when_enough_is_again() {
    expect![[r#"
        > node a cpu=100
          registered a
        > tenant above quota cpu=20
          created above
        > tenant acme parent=above quota tasks=10
          created acme
        > job acme/eight count=8 cpu=1
          submitted acme/eight
          placed acme/eight/0..7 on a
        > job acme/ninth cpu=1
          submitted acme/ninth
          quota acme little left at 900
          placed acme/ninth/0 on a
        > job acme/large cpu=9
          submitted acme/large
          quota above little left at 900
          placed acme/large/0 on a
        > resize acme/eight 7
          ended acme/eight/7 Cancelled
          resized acme/eight to 7
        > resize acme/eight 5
          ended acme/eight/5 Cancelled
          ended acme/eight/6 Cancelled
          resized acme/eight to 5
          quota above enough left at 750
          quota acme enough left at 700
        > cancel acme/large
          ended acme/large/0 Cancelled
          done acme/large Cancelled
        > set above quota cpu=6
          changed above
          quota above little left at 1000
        > set acme quota
          changed acme
    "#]]
    .assert_eq(&play(
        "node a cpu=100
         tenant above quota cpu=20
         tenant acme parent=above quota tasks=10
         job acme/eight count=8 cpu=1
         job acme/ninth cpu=1
         job acme/large cpu=9
         resize acme/eight 7
         resize acme/eight 5
         cancel acme/large
         set above quota cpu=6
         set acme quota",
    ));
}
