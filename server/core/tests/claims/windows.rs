//! Owners hold back in the windows of their calendars what they want, and get it in time.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn a_window_is_cleared_before_it_begins_and_lent_again_when_it_ends() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/x count=8 cpu=1
          submitted acme/x
          placed acme/x/0..7 on a
        > owner owner 30h-31h:500
          owner owner has 1 windows
        > at +29h47m
          +6h turned owner
          +1d turned owner
          +1d5h turned owner
          +1d5h advised acme/x/4 on a by +1d6h
          +1d5h advised acme/x/5 on a by +1d6h
          +1d5h advised acme/x/6 on a by +1d6h
          +1d5h advised acme/x/7 on a by +1d6h
        > show a
          Open held back nothing, over a day cpu_millis=4000; lent cpu_millis=8000; headroom nothing
        > at +30h
          +1d5h48m turned owner
          +1d5h48m notice acme/x/4 on a at +1d5h59m OwnerExpected
          +1d5h48m notice acme/x/5 on a at +1d5h59m OwnerExpected
          +1d5h48m notice acme/x/6 on a at +1d5h59m OwnerExpected
          +1d5h48m notice acme/x/7 on a at +1d5h59m OwnerExpected
          +1d5h59m evicted acme/x/4 from a OwnerExpected
          +1d5h59m evicted acme/x/5 from a OwnerExpected
          +1d5h59m evicted acme/x/6 from a OwnerExpected
          +1d5h59m evicted acme/x/7 from a OwnerExpected
          +1d5h59m1s planned 4 of acme/x on a at +1d7h
        > show a
          Open held back cpu_millis=4000; lent cpu_millis=4000; headroom nothing
        > at +31h
          +1d7h turned owner
          +1d7h placed acme/x/4..7 on a
        > show a
          Open held back nothing; lent cpu_millis=8000; headroom nothing
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         job acme/x count=8 cpu=1
         owner owner 30h-31h:500
         at +29h47m
         show a
         at +30h
         show a
         at +31h
         show a",
    ));
}

#[test]
fn a_notice_of_ten_minutes_ends_before_the_window_begins() {
    expect![[r#"
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > owner owner 2h-3h:1000
          owner owner has 1 windows
        > job acme/slow cpu=2 notice=10m
          submitted acme/slow
          placed acme/slow/0 on a
        > job acme/quick cpu=2 notice=10s
          submitted acme/quick
          placed acme/quick/0 on a
        > at +2h
          +1h turned owner
          +1h advised acme/slow/0 on a by +2h
          +1h advised acme/quick/0 on a by +2h
          +1h48m turned owner
          +1h48m notice acme/slow/0 on a at +1h59m OwnerExpected
          +1h48m notice acme/quick/0 on a at +1h59m OwnerExpected
          +1h59m evicted acme/slow/0 from a OwnerExpected
          +1h59m evicted acme/quick/0 from a OwnerExpected
          +1h59m1s planned 1 of acme/slow on a at +3h
    "#]]
    .assert_eq(&play(
        "node a cpu=4
         tenant acme
         owner owner 2h-3h:1000
         job acme/slow cpu=2 notice=10m
         job acme/quick cpu=2 notice=10s
         at +2h",
    ));
}

/// Work that must be left alone goes where no window comes in that time, or waits.
#[test]
fn long_tasks_stay_clear_of_windows_to_come() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > owner owner 4h-5h:750
          owner owner has 1 windows
        > job acme/day cpu=4 min=20h
          submitted acme/day
        > job acme/evening cpu=4 min=5h
          submitted acme/evening
        > job acme/hour cpu=4 min=1h
          submitted acme/hour
          placed acme/hour/0 on a
        > job acme/now cpu=4
          submitted acme/now
          placed acme/now/0 on a
        > at +3h
          +3h turned owner
          +3h advised acme/hour/0 on a by +4h
          +3h advised acme/now/0 on a by +4h
        > show a
          Open held back nothing, over a day cpu_millis=6000; lent cpu_millis=8000; headroom nothing
        > at +5h
          +3h48m turned owner
          +3h48m notice acme/hour/0 on a at +3h59m OwnerExpected
          +3h48m notice acme/now/0 on a at +3h59m OwnerExpected
          +3h48m1s planned 1 of acme/day on a at +5h
          +3h48m1s planned 1 of acme/evening on a at +5h
          +3h59m evicted acme/hour/0 from a OwnerExpected
          +3h59m evicted acme/now/0 from a OwnerExpected
          +5h turned owner
          +5h placed acme/day/0 on a
          +5h placed acme/evening/0 on a
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         owner owner 4h-5h:750
         job acme/day cpu=4 min=20h
         job acme/evening cpu=4 min=5h
         job acme/hour cpu=4 min=1h
         job acme/now cpu=4
         at +3h
         show a
         at +5h",
    ));
}

#[test]
fn of_windows_that_overlap_the_greater_share_counts() {
    expect![[r#"
        > node a cpu=8
          registered a
        > owner owner 2h-4h:250 3h-5h:500
          owner owner has 2 windows
        > at +2h30m
          +1h turned owner
          +1h48m turned owner
          +2h turned owner
        > show a
          Open held back cpu_millis=2000, over a day cpu_millis=4000; lent nothing; headroom cpu_millis=6000
        > at +3h30m
          +2h48m turned owner
        > show a
          Open held back cpu_millis=4000; lent nothing; headroom cpu_millis=4000
        > at +4h30m
          +4h turned owner
        > show a
          Open held back cpu_millis=4000; lent nothing; headroom cpu_millis=4000
        > at +6h
          +5h turned owner
        > show a
          Open held back nothing; lent nothing; headroom cpu_millis=8000
    "#]].assert_eq(&play(
        "node a cpu=8
         owner owner 2h-4h:250 3h-5h:500
         at +2h30m
         show a
         at +3h30m
         show a
         at +4h30m
         show a
         at +6h
         show a",
    ));
}

#[test]
fn reservation_load_and_windows_join_by_maximum() {
    expect![[r#"
        > node a cpu=10 mem=10 disk=10 reserve cpu=2 mem=4
          registered a
        > load a cpu=1 mem=1 disk=5
          load a cpu_millis=1000 memory_bytes=1073741824 disk_bytes=5368709120
        > owner owner 0h-2h:300
          owner owner has 1 windows
        > show a
          Open held back cpu_millis=3000 memory_bytes=4294967296 disk_bytes=5905580032; lent nothing; headroom cpu_millis=7000 memory_bytes=6442450944 disk_bytes=4831838208
    "#]].assert_eq(&play(
        "node a cpu=10 mem=10 disk=10 reserve cpu=2 mem=4
         load a cpu=1 mem=1 disk=5
         owner owner 0h-2h:300
         show a",
    ));
}

#[test]
fn a_window_holds_on_the_nodes_of_its_owner_in_its_regions_only() {
    expect![[r#"
        > node a cpu=8 region=eu
          registered a
        > node b cpu=8 region=us
          registered b
        > node c cpu=8 region=eu owner=other
          registered c
        > owner owner 0h-2h:500@eu
          owner owner has 1 windows
        > show a
          Open held back cpu_millis=4000; lent nothing; headroom cpu_millis=4000
        > show b
          Open held back nothing; lent nothing; headroom cpu_millis=8000
        > show c
          Open held back nothing; lent nothing; headroom cpu_millis=8000
        > update b region=eu
          updated b
        > show b
          Open held back cpu_millis=4000; lent nothing; headroom cpu_millis=4000
    "#]]
    .assert_eq(&play(
        "node a cpu=8 region=eu
         node b cpu=8 region=us
         node c cpu=8 region=eu owner=other
         owner owner 0h-2h:500@eu
         show a
         show b
         show c
         update b region=eu
         show b",
    ));
}

#[test]
fn gpus_are_held_back_as_whole_devices() {
    expect![[r#"
        > node a cpu=8 gpus=4:L4
          registered a
        > owner owner 0h-2h:300
          owner owner has 1 windows
        > show a
          Open held back cpu_millis=2400 gpu_millis=2000; lent nothing; headroom cpu_millis=5600 gpu_millis=2000
    "#]].assert_eq(&play(
        "node a cpu=8 gpus=4:L4
         owner owner 0h-2h:300
         show a",
    ));
}

/// The owner is there before its window: what it needs now is not put off until the window begins.
#[test]
fn a_load_that_comes_before_the_window_shortens_the_notice() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > owner owner 2h-3h:500
          owner owner has 1 windows
        > job acme/x cpu=6
          submitted acme/x
          placed acme/x/0 on a
        > at +1h50m
          +1h turned owner
          +1h advised acme/x/0 on a by +2h
          +1h48m turned owner
          +1h48m notice acme/x/0 on a at +1h59m OwnerExpected
        > load a cpu=5
          load a cpu_millis=5000
          evicted acme/x/0 from a OwnerReturned
        > at +1h53m
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         owner owner 2h-3h:500
         job acme/x cpu=6
         at +1h50m
         load a cpu=5
         at +1h53m",
    ));
}

#[test]
fn a_restart_forgets_no_window() {
    expect![[r#"
        > node a cpu=8
          registered a
        > owner owner 2h-3h:500
          owner owner has 1 windows
        > at +1h30m
          +1h turned owner
        > restart
        > at +3h
          +1h48m turned owner
          +3h turned owner
        > restart
        > show a
          Open held back nothing; lent nothing; headroom cpu_millis=8000
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         owner owner 2h-3h:500
         at +1h30m
         restart
         at +3h
         restart
         show a",
    ));
}

#[test]
fn windows_are_renewed_unless_the_calendar_has_changed() {
    expect![[r#"
        > node a cpu=8
          registered a
        > owner owner 2h-3h:500
          owner owner has 1 windows
        > renew owner rev=1 4h-5h:0
        > renew owner rev=2 4h-5h:0
          renewed owner to 1 windows
        > renew owner rev=2 4h-5h:0
        > at +4h
          +3h turned owner
          +3h48m turned owner
        > show a
          Open held back cpu_millis=4000; lent nothing; headroom cpu_millis=4000
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         owner owner 2h-3h:500
         renew owner rev=1 4h-5h:0
         renew owner rev=2 4h-5h:0
         renew owner rev=2 4h-5h:0
         at +4h
         show a",
    ));
}

#[test]
fn an_owner_is_there_while_it_is_named_or_described() {
    expect![[r#"
        > owner later risk=1000
          owner later has 0 windows
        > owner later risk=1000
        > owner later risk=1000 rev=9
          refused: owner "later" is at revision 1, not 9: read it again and retry
        > owner later risk=10000
          owner later has 0 windows
        > owner later risk=1000 rev=1
          refused: owner "later" is at revision 0, not 1: read it again and retry
        > node a cpu=8 owner=later
          registered a
        > owner later 0h-2h:500
          owner later has 1 windows
        > show a
          Open held back cpu_millis=4000; lent nothing; headroom cpu_millis=4000
        > remove a
          removed a
        > owner later none
          owner later has 0 windows
    "#]]
    .assert_eq(&play(
        "owner later risk=1000
         owner later risk=1000
         owner later risk=1000 rev=9
         owner later risk=10000
         owner later risk=1000 rev=1
         node a cpu=8 owner=later
         owner later 0h-2h:500
         show a
         remove a
         owner later none",
    ));
}

#[test]
fn a_window_that_is_called_off_takes_its_notices_back() {
    expect![[r#"
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > owner owner 2h-3h:500
          owner owner has 1 windows
        > job acme/x count=2 cpu=4
          submitted acme/x
          placed acme/x/0..1 on a
        > at +1h50m
          +1h turned owner
          +1h advised acme/x/1 on a by +2h
          +1h48m turned owner
          +1h48m notice acme/x/1 on a at +1h59m OwnerExpected
        > owner owner none
          owner owner has 0 windows
          withdrawn acme/x/1
        > at +2h
    "#]]
    .assert_eq(&play(
        "node a cpu=8
         tenant acme
         owner owner 2h-3h:500
         job acme/x count=2 cpu=4
         at +1h50m
         owner owner none
         at +2h",
    ));
}
