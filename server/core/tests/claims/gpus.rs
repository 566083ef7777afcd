//! Whole devices and shares of one.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn gpu_shares_never_span_devices() {
    expect![[r#"
        > node a cpu=8 gpus=2:V100
          registered a
        > tenant acme
          created acme
        > job acme/share count=4 gpu=0.6
          submitted acme/share
          placed acme/share/0 on a gpu 0
          placed acme/share/1 on a gpu 1
        > why acme/share
          Headroom gpu_millis by 200: 1 nodes
        > job acme/rest count=3 gpu=0.4
          submitted acme/rest
          placed acme/rest/0 on a gpu 0
          placed acme/rest/1 on a gpu 1
        > show a
          Open held back nothing; lent gpu_millis=2000; headroom cpu_millis=8000
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=2:V100
         tenant acme
         job acme/share count=4 gpu=0.6
         why acme/share
         job acme/rest count=3 gpu=0.4
         show a",
    ));
}

#[test]
fn whole_gpus_need_untouched_devices() {
    expect![[r#"
        > node a cpu=8 gpus=2:V100
          registered a
        > tenant acme
          created acme
        > job acme/share gpu=0.1
          submitted acme/share
          placed acme/share/0 on a gpu 0
        > job acme/two gpu=2
          submitted acme/two
        > why acme/two
          Headroom gpu_millis by 1000: 1 nodes
        > job acme/one gpu=1
          submitted acme/one
          placed acme/one/0 on a gpu 1
        > succeed acme/share/0
          ended acme/share/0 Succeeded
          done acme/share Succeeded
        > succeed acme/one/0
          ended acme/one/0 Succeeded
          done acme/one Succeeded
          placed acme/two/0 on a gpu 0,1
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=2:V100
         tenant acme
         job acme/share gpu=0.1
         job acme/two gpu=2
         why acme/two
         job acme/one gpu=1
         succeed acme/share/0
         succeed acme/one/0",
    ));
}

#[test]
fn shares_fill_the_fullest_device() {
    expect![[r#"
        > node a cpu=8 gpus=3:V100
          registered a
        > tenant acme
          created acme
        > job acme/a gpu=0.5
          submitted acme/a
          placed acme/a/0 on a gpu 0
        > job acme/b gpu=0.7
          submitted acme/b
          placed acme/b/0 on a gpu 1
        > job acme/c gpu=0.2
          submitted acme/c
          placed acme/c/0 on a gpu 1
        > job acme/d gpu=0.5
          submitted acme/d
          placed acme/d/0 on a gpu 0
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=3:V100
         tenant acme
         job acme/a gpu=0.5
         job acme/b gpu=0.7
         job acme/c gpu=0.2
         job acme/d gpu=0.5",
    ));
}

#[test]
fn cpu_work_prefers_nodes_without_gpus() {
    expect![[r#"
        > node gpu cpu=4 gpus=1:V100
          registered gpu
        > node cpu cpu=8
          registered cpu
        > tenant acme
          created acme
        > job acme/plain count=3 cpu=4
          submitted acme/plain
          placed acme/plain/0..1 on cpu
          placed acme/plain/2 on gpu
    "#]]
    .assert_eq(&play(
        "node gpu cpu=4 gpus=1:V100
         node cpu cpu=8
         tenant acme
         job acme/plain count=3 cpu=4",
    ));
}

#[test]
fn evictions_give_back_the_devices_they_held() {
    expect![[r#"
        > node a cpu=8 gpus=4:V100
          registered a
        > tenant acme
          created acme
        > job acme/low count=2 gpu=2
          submitted acme/low
          placed acme/low/0 on a gpu 0,1
          placed acme/low/1 on a gpu 2,3
        > job acme/urgent gpu=4 priority=5
          submitted acme/urgent
          notice acme/low/0 on a at +2m Preempted
          notice acme/low/1 on a at +2m Preempted
        > at +5m
          +2m evicted acme/low/0 from a Preempted
          +2m evicted acme/low/1 from a Preempted
          +2m placed acme/urgent/0 on a gpu 0,1,2,3
    "#]]
    .assert_eq(&play(
        "node a cpu=8 gpus=4:V100
         tenant acme
         job acme/low count=2 gpu=2
         job acme/urgent gpu=4 priority=5
         at +5m",
    ));
}
