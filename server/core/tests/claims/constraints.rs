//! Where tasks may go, and why they wait.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn regions_zones_and_models_keep_tasks_where_they_belong() {
    expect![[r#"
        > node a cpu=4 region=eu zone=1
          registered a
        > node b cpu=4 region=us zone=1
          registered b
        > node c cpu=4 region=us zone=2 gpus=1:T4
          registered c
        > node d cpu=4 region=us zone=2 gpus=1:V100
          registered d
        > tenant acme
          created acme
        > job acme/eu cpu=1 region=eu
          submitted acme/eu
          placed acme/eu/0 on a
        > job acme/either cpu=1 region=asia,us zone=1
          submitted acme/either
          placed acme/either/0 on b
        > job acme/v100 cpu=1 gpu=1 model=A100,V100
          submitted acme/v100
          placed acme/v100/0 on d gpu 0
        > job acme/no cpu=1 region=eu zone=2
          submitted acme/no
        > why acme/no
          Region: 3 nodes
          Zone: 2 nodes
        > job acme/model gpu=1 model=A100
          submitted acme/model
        > why acme/model
          GpuModel: 4 nodes
          Capacity gpu_millis by 1000: 2 nodes
          Headroom gpu_millis by 1000: 1 nodes
    "#]]
    .assert_eq(&play(
        "node a cpu=4 region=eu zone=1
         node b cpu=4 region=us zone=1
         node c cpu=4 region=us zone=2 gpus=1:T4
         node d cpu=4 region=us zone=2 gpus=1:V100
         tenant acme
         job acme/eu cpu=1 region=eu
         job acme/either cpu=1 region=asia,us zone=1
         job acme/v100 cpu=1 gpu=1 model=A100,V100
         job acme/no cpu=1 region=eu zone=2
         why acme/no
         job acme/model gpu=1 model=A100
         why acme/model",
    ));
}

#[test]
fn taints_and_tolerations() {
    expect![[r#"
        > node a cpu=4 taint=k=v
          registered a
        > node b cpu=4 taint=k=v taint=other
          registered b
        > tenant acme
          created acme
        > job acme/none cpu=1
          submitted acme/none
        > why acme/none
          Taints: 2 nodes
        > job acme/key cpu=1 tolerate=k
          submitted acme/key
          placed acme/key/0 on a
        > job acme/wrong cpu=1 tolerate=k=w
          submitted acme/wrong
        > job acme/both cpu=4 tolerate=k=v tolerate=other
          submitted acme/both
          placed acme/both/0 on b
        > job acme/all cpu=3 tolerate=*
          submitted acme/all
          placed acme/all/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4 taint=k=v
         node b cpu=4 taint=k=v taint=other
         tenant acme
         job acme/none cpu=1
         why acme/none
         job acme/key cpu=1 tolerate=k
         job acme/wrong cpu=1 tolerate=k=w
         job acme/both cpu=4 tolerate=k=v tolerate=other
         job acme/all cpu=3 tolerate=*",
    ));
}

#[test]
fn selectors() {
    expect![[r#"
        > node ssd cpu=9 label=disk=ssd label=fast
          registered ssd
        > node hdd cpu=9 label=disk=hdd
          registered hdd
        > node bare cpu=9
          registered bare
        > tenant acme
          created acme
        > job acme/in cpu=1 select=disk=ssd|nvme
          submitted acme/in
          placed acme/in/0 on ssd
        > job acme/notin cpu=1 select=disk!=ssd select=disk
          submitted acme/notin
          placed acme/notin/0 on hdd
        > job acme/exists cpu=1 select=fast
          submitted acme/exists
          placed acme/exists/0 on ssd
        > job acme/absent cpu=1 select=!disk
          submitted acme/absent
          placed acme/absent/0 on bare
        > job acme/nothing cpu=1 select=disk=ssd select=!fast
          submitted acme/nothing
        > why acme/nothing
          Labels: 3 nodes
    "#]]
    .assert_eq(&play(
        "node ssd cpu=9 label=disk=ssd label=fast
         node hdd cpu=9 label=disk=hdd
         node bare cpu=9
         tenant acme
         job acme/in cpu=1 select=disk=ssd|nvme
         job acme/notin cpu=1 select=disk!=ssd select=disk
         job acme/exists cpu=1 select=fast
         job acme/absent cpu=1 select=!disk
         job acme/nothing cpu=1 select=disk=ssd select=!fast
         why acme/nothing",
    ));
}

#[test]
fn spread_over_zones_keeps_the_skew() {
    expect![[r#"
        > node a1 a2 cpu=4 zone=a
          registered a1
          registered a2
        > node b1 cpu=1 zone=b
          registered b1
        > node c1 cpu=4 zone=c
          registered c1
        > tenant acme
          created acme
        > job acme/even count=5 cpu=1 skew=1
          submitted acme/even
          placed acme/even/0 on b1
          placed acme/even/1 on a1
          placed acme/even/2 on c1
          placed acme/even/3 on a1
          placed acme/even/4 on c1
        > job acme/more count=4 cpu=1 skew=1
          submitted acme/more
          placed acme/more/0 on a1
          placed acme/more/1 on c1
          placed acme/more/2 on a1
          placed acme/more/3 on c1
    "#]]
    .assert_eq(&play(
        "node a1 a2 cpu=4 zone=a
         node b1 cpu=1 zone=b
         node c1 cpu=4 zone=c
         tenant acme
         job acme/even count=5 cpu=1 skew=1
         job acme/more count=4 cpu=1 skew=1",
    ));
}

#[test]
fn no_zone_takes_more_than_its_share() {
    expect![[r#"
        > node a1 a2 cpu=4 zone=a
          registered a1
          registered a2
        > node b1 cpu=4 zone=b
          registered b1
        > tenant acme
          created acme
        > job acme/two count=5 cpu=1 per-zone=2
          submitted acme/two
          placed acme/two/0..1 on a1
          placed acme/two/2..3 on b1
        > why acme/two
          Spread
        > succeed acme/two/0
          ended acme/two/0 Succeeded
          placed acme/two/4 on a1
    "#]]
    .assert_eq(&play(
        "node a1 a2 cpu=4 zone=a
         node b1 cpu=4 zone=b
         tenant acme
         job acme/two count=5 cpu=1 per-zone=2
         why acme/two
         succeed acme/two/0",
    ));
}

#[test]
fn anti_affinity_by_node() {
    expect![[r#"
        > node a b cpu=4
          registered a
          registered b
        > tenant acme
          created acme
        > job acme/apart count=3 cpu=1 per-node=1
          submitted acme/apart
          placed acme/apart/0 on a
          placed acme/apart/1 on b
        > why acme/apart
          Spread
        > node c cpu=4
          registered c
          placed acme/apart/2 on c
        > resize acme/apart 4
          resized acme/apart to 4
        > succeed acme/apart/0
          ended acme/apart/0 Succeeded
          placed acme/apart/3 on a
    "#]]
    .assert_eq(&play(
        "node a b cpu=4
         tenant acme
         job acme/apart count=3 cpu=1 per-node=1
         why acme/apart
         node c cpu=4
         resize acme/apart 4
         succeed acme/apart/0",
    ));
}

#[test]
fn a_node_that_changes_zone_frees_the_zone_it_left() {
    expect![[r#"
        > node a1 a2 cpu=1 zone=a
          registered a1
          registered a2
        > node b1 cpu=1 zone=b
          registered b1
        > tenant acme
          created acme
        > job acme/one count=3 cpu=1 per-zone=1
          submitted acme/one
          placed acme/one/0 on a1
          placed acme/one/1 on b1
        > update a1 zone=c
          updated a1
          placed acme/one/2 on a2
        > why acme/one
    "#]]
    .assert_eq(&play(
        "node a1 a2 cpu=1 zone=a
         node b1 cpu=1 zone=b
         tenant acme
         job acme/one count=3 cpu=1 per-zone=1
         update a1 zone=c
         why acme/one",
    ));
}

#[test]
fn why_counts_every_dimension() {
    expect![[r#"
        > node a cpu=2 mem=1
          registered a
        > node b cpu=1 mem=4
          registered b
        > node c cpu=8 mem=8 region=eu
          registered c
        > tenant acme
          created acme
        > job acme/large cpu=4 mem=6 disk=1 count.license=2 region=us
          submitted acme/large
        > why acme/large
          Region: 3 nodes
          Capacity cpu_millis by 2000: 2 nodes
          Capacity memory_bytes by 2147483648: 2 nodes
          Capacity disk_bytes by 1073741824: 3 nodes
          Capacity license by 2: 3 nodes
        > job acme/fill cpu=8 mem=1 region=eu
          submitted acme/fill
          placed acme/fill/0 on c
        > job acme/late cpu=1 mem=8 region=eu
          submitted acme/late
        > why acme/late
          Region: 2 nodes
          Capacity memory_bytes by 4294967296: 2 nodes
          Headroom cpu_millis by 1000: 1 nodes
          Headroom memory_bytes by 1073741824: 1 nodes
    "#]]
    .assert_eq(&play(
        "node a cpu=2 mem=1
         node b cpu=1 mem=4
         node c cpu=8 mem=8 region=eu
         tenant acme
         job acme/large cpu=4 mem=6 disk=1 count.license=2 region=us
         why acme/large
         job acme/fill cpu=8 mem=1 region=eu
         job acme/late cpu=1 mem=8 region=eu
         why acme/late",
    ));
}

#[test]
fn a_task_larger_than_any_node_stays_pending_with_its_reason() {
    expect![[r#"
        > tenant acme
          created acme
        > job acme/huge cpu=100 mem=1
          submitted acme/huge
        > why acme/huge
          NoNodes
        > node a cpu=8 mem=8
          registered a
        > why acme/huge
          Capacity cpu_millis by 92000: 1 nodes
        > job acme/fits cpu=8 mem=8
          submitted acme/fits
          placed acme/fits/0 on a
        > at +1h
    "#]]
    .assert_eq(&play(
        "tenant acme
         job acme/huge cpu=100 mem=1
         why acme/huge
         node a cpu=8 mem=8
         why acme/huge
         job acme/fits cpu=8 mem=8
         at +1h",
    ));
}

#[test]
fn named_countables_are_counted() {
    expect![[r#"
        > node a cpu=8 count.license=3
          registered a
        > node b cpu=8
          registered b
        > tenant acme quota count.license=3
          created acme
        > job acme/licensed count=3 cpu=1 count.license=1
          submitted acme/licensed
          quota acme little left at 1000
          placed acme/licensed/0..2 on a
        > job acme/more cpu=1 count.license=1
          refused: tenant "acme" would use 4 of license, more than its quota of 3
        > succeed acme/licensed/0
          ended acme/licensed/0 Succeeded
          quota acme enough left at 666
        > job acme/two cpu=1 count.license=2
          refused: tenant "acme" would use 4 of license, more than its quota of 3
        > job acme/one cpu=1 count.license=1
          submitted acme/one
          quota acme little left at 1000
          placed acme/one/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=8 count.license=3
         node b cpu=8
         tenant acme quota count.license=3
         job acme/licensed count=3 cpu=1 count.license=1
         job acme/more cpu=1 count.license=1
         succeed acme/licensed/0
         job acme/two cpu=1 count.license=2
         job acme/one cpu=1 count.license=1",
    ));
}
