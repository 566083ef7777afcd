//! What becomes of nodes.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn lost_node_evicts_and_comes_back() {
    expect![[r#"
        > node a cpu=4 ttl=60s
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=4
          submitted acme/train
          placed acme/train/0 on a
        > at +50s
        > load a cpu=0
          load a nothing
        > at +1m49s
        > at +1m50s
          +1m50s lost a
          +1m50s evicted acme/train/0 from a NodeLost
        > why acme/train
          NodeState: 1 nodes
        > show a
          Open, lost, held back nothing; lent nothing; headroom cpu_millis=4000
        > load a cpu=0
          load a nothing
          found a
          placed acme/train/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4 ttl=60s
         tenant acme
         job acme/train cpu=4
         at +50s
         load a cpu=0
         at +1m49s
         at +1m50s
         why acme/train
         show a
         load a cpu=0",
    ));
}

#[test]
fn an_update_that_asks_for_reports_waits_for_the_first() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=4
          submitted acme/train
          placed acme/train/0 on a
        > at +1h
        > update a ttl=60s
          updated a
        > at +1h59s
        > at +1h1m
          +1h1m lost a
          +1h1m evicted acme/train/0 from a NodeLost
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=4
         at +1h
         update a ttl=60s
         at +1h59s
         at +1h1m",
    ));
}

#[test]
fn a_restart_gives_nodes_time_to_report() {
    expect![[r#"
        > node a cpu=4 ttl=60s
          registered a
        > at +30s
        > restart
        > at +89s
        > at +90s
          +1m30s lost a
    "#]]
    .assert_eq(&play(
        "node a cpu=4 ttl=60s
         at +30s
         restart
         at +89s
         at +90s",
    ));
}

#[test]
fn drain_evicts_at_its_deadline_and_uncordon_withdraws() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train count=2 cpu=1
          submitted acme/train
          placed acme/train/0..1 on a
        > drain a grace=5m
          2 notices
          a drains until +5m
          notice acme/train/0 on a at +5m NodeDrained
          notice acme/train/1 on a at +5m NodeDrained
        > drain a grace=3m
          2 notices
          a drains until +3m
          notice acme/train/0 on a at +3m NodeDrained
          notice acme/train/1 on a at +3m NodeDrained
        > at +1m
        > uncordon a
          a is open
          withdrawn acme/train/0
          withdrawn acme/train/1
        > at +6m
        > drain a
          2 notices
          a drains until +8m
          notice acme/train/0 on a at +8m NodeDrained
          notice acme/train/1 on a at +8m NodeDrained
        > at +10m
          +8m evicted acme/train/0 from a NodeDrained
          +8m evicted acme/train/1 from a NodeDrained
        > show a
          Draining { deadline: Time(1728000480000) } held back nothing; lent nothing; headroom cpu_millis=4000
        > uncordon a
          a is open
          placed acme/train/0..1 on a
    "#]].assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train count=2 cpu=1
         drain a grace=5m
         drain a grace=3m
         at +1m
         uncordon a
         at +6m
         drain a
         at +10m
         show a
         uncordon a",
    ));
}

#[test]
fn a_cordoned_node_keeps_its_tasks_and_takes_none() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > cordon a
          a is cordoned
        > cordon a
        > job acme/more cpu=1
          submitted acme/more
        > why acme/more
          NodeState: 1 nodes
        > uncordon a
          a is open
          placed acme/more/0 on a
        > uncordon a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1
         cordon a
         cordon a
         job acme/more cpu=1
         why acme/more
         uncordon a
         uncordon a",
    ));
}

#[test]
fn cordon_ends_a_drain() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > drain a
          1 notices
          a drains until +2m
          notice acme/train/0 on a at +2m NodeDrained
        > cordon a
          a is cordoned
          withdrawn acme/train/0
        > at +5m
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1
         drain a
         cordon a
         at +5m",
    ));
}

#[test]
fn a_node_in_use_is_removed_only_by_force() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > remove a
          refused: node "a" has 1 allocations: drain it first, or force the removal
        > remove a force
          evicted acme/train/0 from a NodeRemoved
          removed a
        > remove a
          refused: node "a" does not exist
        > why acme/train
          NoNodes
        > node a cpu=4
          registered a
          placed acme/train/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         job acme/train cpu=1
         remove a
         remove a force
         remove a
         why acme/train
         node a cpu=4",
    ));
}

#[test]
fn a_name_is_registered_once() {
    expect![[r#"
        > node a cpu=4
          registered a
        > node a cpu=4
          refused: node "a" is registered already
        > node b b cpu=4
          refused: node "b" is named twice in this request
        > node c cpu=4 reserve cpu=5
          refused: node "c" reserves more cpu_millis than its capacity
        > node d cpu=4 gpus=1
          refused: node "d" must have a GPU model exactly when its capacity has GPUs
        > node e f cpu=1
          registered e
          registered f
        > update nobody cpu=1
          refused: node "nobody" does not exist
        > cordon nobody
          refused: node "nobody" does not exist
        > drain nobody
          refused: node "nobody" does not exist
        > remove nobody
          refused: node "nobody" does not exist
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         node a cpu=4
         node b b cpu=4
         node c cpu=4 reserve cpu=5
         node d cpu=4 gpus=1
         node e f cpu=1
         update nobody cpu=1
         cordon nobody
         drain nobody
         remove nobody",
    ));
}

#[test]
fn stale_revision_is_refused() {
    expect![[r#"
        > node a cpu=4
          registered a
        > update a cpu=5 rev=1
          updated a
        > update a cpu=6 rev=1
          refused: node "a" is at revision 2, not 1: read it again and retry
        > update a cpu=5
        > cordon a rev=2
          a is cordoned
        > uncordon a rev=2
          refused: node "a" is at revision 3, not 2: read it again and retry
        > tenant acme
          created acme
        > set acme weight=2 rev=4
          changed acme
        > set acme weight=3 rev=4
          refused: tenant "acme" is at revision 5, not 4: read it again and retry
        > job acme/train cpu=1
          submitted acme/train
        > resize acme/train 2 rev=99
          refused: job "train" is at revision 6, not 99: read it again and retry
        > cancel acme/train rev=99
          refused: job "train" is at revision 6, not 99: read it again and retry
        > delete acme rev=1
          refused: tenant "acme" is at revision 5, not 1: read it again and retry
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         update a cpu=5 rev=1
         update a cpu=6 rev=1
         update a cpu=5
         cordon a rev=2
         uncordon a rev=2
         tenant acme
         set acme weight=2 rev=4
         set acme weight=3 rev=4
         job acme/train cpu=1
         resize acme/train 2 rev=99
         cancel acme/train rev=99
         delete acme rev=1",
    ));
}

#[test]
fn an_update_can_make_a_node_fit() {
    expect![[r#"
        > node a cpu=4 zone=1 taint=k=v
          registered a
        > tenant acme
          created acme
        > job acme/train cpu=5 zone=2
          submitted acme/train
        > why acme/train
          Zone: 1 nodes
          Taints: 1 nodes
          Capacity cpu_millis by 1000: 1 nodes
        > update a zone=2
          updated a
        > update a taint=none
          updated a
        > update a cpu=6
          updated a
          placed acme/train/0 on a
        > why acme/train
    "#]]
    .assert_eq(&play(
        "node a cpu=4 zone=1 taint=k=v
         tenant acme
         job acme/train cpu=5 zone=2
         why acme/train
         update a zone=2
         update a taint=none
         update a cpu=6
         why acme/train",
    ));
}
