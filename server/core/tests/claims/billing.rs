//! The ledger, prices and budgets. Scenarios begin at a midnight of UTC, on the fourth of a month.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn an_allocation_is_charged_by_the_prices_in_force_when_it_was_placed() {
    expect![[r#"
        > price core=36000000 spot=500 share=800
          prices from 1 ms
        > node a cpu=8 owner=web region=eu
          registered a
        > tenant acme
          created acme
        > at +1s
        > job acme/old count=2 cpu=1
          submitted acme/old
          placed acme/old/0..1 on a
        > price core=72000000 spot=500 share=800
          prices from 1001 ms
        > job acme/now cpu=1
          submitted acme/now
          placed acme/now/0 on a
        > at +2s
        > job acme/new cpu=1
          submitted acme/new
          placed acme/new/0 on a
        > at +12s
        > cost acme/old
          22000 ms of tasks: 110000, and 36000000 an hour
        > cost acme/now
          11000 ms of tasks: 55000, and 18000000 an hour
        > cost acme/new
          10000 ms of tasks: 100000, and 36000000 an hour
        > bill
          day 20000 acme at [web eu]: cpu 43000000 charge 265000 of list 530000, owner 212000, margin 53000
    "#]].assert_eq(&play(
        "price core=36000000 spot=500 share=800
         node a cpu=8 owner=web region=eu
         tenant acme
         at +1s
         job acme/old count=2 cpu=1
         price core=72000000 spot=500 share=800
         job acme/now cpu=1
         at +2s
         job acme/new cpu=1
         at +12s
         cost acme/old
         cost acme/now
         cost acme/new
         bill",
    ));
}

#[test]
fn what_ran_is_booked_once_and_what_runs_is_accrued() {
    expect![[r#"
        > price core=3600000
          prices from 1 ms
        > node a cpu=8 owner=web
          registered a
        > tenant acme
          created acme
        > at +1s
        > job acme/train count=2 cpu=1
          submitted acme/train
          placed acme/train/0..1 on a
        > at +11s
        > bill
          day 20000 acme at [web]: cpu 20000000 charge 20000 of list 20000, owner 20000, margin 0
        > succeed acme/train/0
          ended acme/train/0 Succeeded
        > bill
          day 20000 acme at [web]: cpu 20000000 charge 20000 of list 20000, owner 20000, margin 0
        > restart
        > at +21s
        > bill
          day 20000 acme at [web]: cpu 30000000 charge 30000 of list 30000, owner 30000, margin 0
        > fail acme/train/1
          ended acme/train/1 Failed
          done acme/train Failed
        > bill
          day 20000 acme at [web]: cpu 30000000 charge 30000 of list 30000, owner 30000, margin 0
        > at +31s
        > bill
          day 20000 acme at [web]: cpu 30000000 charge 30000 of list 30000, owner 30000, margin 0
    "#]]
    .assert_eq(&play(
        "price core=3600000
         node a cpu=8 owner=web
         tenant acme
         at +1s
         job acme/train count=2 cpu=1
         at +11s
         bill
         succeed acme/train/0
         bill
         restart
         at +21s
         bill
         fail acme/train/1
         bill
         at +31s
         bill",
    ));
}

#[test]
fn an_evicted_task_is_charged_for_both_of_its_stays() {
    expect![[r#"
        > price core=3600000
          prices from 1 ms
        > node a cpu=1 owner=web
          registered a
        > tenant acme
          created acme
        > at +1s
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > at +5s
        > load a cpu=1
          load a cpu_millis=1000
          evicted acme/train/0 from a OwnerReturned
        > at +9s
        > bill
          day 20000 acme at [web]: cpu 4000000 charge 4000 of list 4000, owner 4000, margin 0
        > at +100000s
        > load a cpu=0
          load a nothing
          placed acme/train/0 on a
        > at +100001s
        > bill
          day 20000 acme at [web]: cpu 4000000 charge 4000 of list 4000, owner 4000, margin 0
          day 20001 acme at [web]: cpu 1000000 charge 1000 of list 1000, owner 1000, margin 0
    "#]]
    .assert_eq(&play(
        "price core=3600000
         node a cpu=1 owner=web
         tenant acme
         at +1s
         job acme/train cpu=1
         at +5s
         load a cpu=1
         at +9s
         bill
         at +100000s
         load a cpu=0
         at +100001s
         bill",
    ));
}

#[test]
fn days_are_split_at_midnight() {
    expect![[r#"
        > price core=3600000
          prices from 1 ms
        > node a cpu=8 owner=web
          registered a
        > tenant acme
          created acme
        > at +23h59m50s
        > job acme/train cpu=2
          submitted acme/train
          placed acme/train/0 on a
        > at +2d5s
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          done acme/train Succeeded
        > bill
          day 20000 acme at [web]: cpu 20000000 charge 20000 of list 20000, owner 20000, margin 0
          day 20001 acme at [web]: cpu 172800000000 charge 172800000 of list 172800000, owner 172800000, margin 0
          day 20002 acme at [web]: cpu 10000000 charge 10000 of list 10000, owner 10000, margin 0
    "#]].assert_eq(&play(
        "price core=3600000
         node a cpu=8 owner=web
         tenant acme
         at +23h59m50s
         job acme/train cpu=2
         at +2d5s
         succeed acme/train/0
         bill",
    ));
}

#[test]
fn a_longer_promise_has_a_price_of_its_own() {
    expect![[r#"
        > price core=3600000 spot=100 horizons=200,300,400,500
          prices from 1 ms
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > at +1s
        > job acme/spot cpu=1
          submitted acme/spot
          placed acme/spot/0 on a
        > job acme/minutes cpu=1 min=5m
          submitted acme/minutes
          placed acme/minutes/0 on a
        > job acme/hour cpu=1 min=1h
          submitted acme/hour
          placed acme/hour/0 on a
        > job acme/hours cpu=1 min=6h
          submitted acme/hours
          placed acme/hours/0 on a
        > job acme/day cpu=1 min=7h
          submitted acme/day
          placed acme/day/0 on a
        > cost acme/spot
          0 ms of tasks: 0, and 360000 an hour
        > cost acme/minutes
          0 ms of tasks: 0, and 720000 an hour
        > cost acme/hour
          0 ms of tasks: 0, and 1080000 an hour
        > cost acme/hours
          0 ms of tasks: 0, and 1440000 an hour
        > cost acme/day
          0 ms of tasks: 0, and 1800000 an hour
    "#]]
    .assert_eq(&play(
        "price core=3600000 spot=100 horizons=200,300,400,500
         node a cpu=8
         tenant acme
         at +1s
         job acme/spot cpu=1
         job acme/minutes cpu=1 min=5m
         job acme/hour cpu=1 min=1h
         job acme/hours cpu=1 min=6h
         job acme/day cpu=1 min=7h
         cost acme/spot
         cost acme/minutes
         cost acme/hour
         cost acme/hours
         cost acme/day",
    ));
}

#[test]
fn a_node_that_is_sold_earns_for_whose_it_is() {
    expect![[r#"
        > price core=3600000 us.core=7200000
          prices from 1 ms
        > node a cpu=8 owner=web region=eu
          registered a
        > tenant acme
          created acme
        > at +1s
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > at +11s
        > update a owner=shop region=us
          updated a
        > at +21s
        > bill
          day 20000 acme at [shop us]: cpu 10000000 charge 20000 of list 20000, owner 20000, margin 0
          day 20000 acme at [web eu]: cpu 10000000 charge 10000 of list 10000, owner 10000, margin 0
        > bill owner web
          day 20000 acme at [web eu]: cpu 10000000 charge 10000 of list 10000, owner 10000, margin 0
        > bill owner shop
          day 20000 acme at [shop us]: cpu 10000000 charge 20000 of list 20000, owner 20000, margin 0
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          done acme/train Succeeded
        > cost acme/train
          20000 ms of tasks: 30000, and 0 an hour
        > remove a
          removed a
        > bill
          day 20000 acme at [shop us]: cpu 10000000 charge 20000 of list 20000, owner 20000, margin 0
          day 20000 acme at [web eu]: cpu 10000000 charge 10000 of list 10000, owner 10000, margin 0
    "#]].assert_eq(&play(
        "price core=3600000 us.core=7200000
         node a cpu=8 owner=web region=eu
         tenant acme
         at +1s
         job acme/train cpu=1
         at +11s
         update a owner=shop region=us
         at +21s
         bill
         bill owner web
         bill owner shop
         succeed acme/train/0
         cost acme/train
         remove a
         bill",
    ));
}

#[test]
fn a_tenant_that_is_gone_keeps_its_statement() {
    expect![[r#"
        > price core=3600000
          prices from 1 ms
        > node a cpu=8 owner=web
          registered a
        > tenant acme
          created acme
        > at +1s
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > at +11s
        > succeed acme/train/0
          ended acme/train/0 Succeeded
          done acme/train Succeeded
        > delete acme
          forgot acme/train
          deleted acme
        > bill tenant acme
          day 20000 acme at [web]: cpu 10000000 charge 10000 of list 10000, owner 10000, margin 0
        > tenant acme
          created acme
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > at +21s
        > bill tenant acme
          day 20000 acme at [web]: cpu 20000000 charge 20000 of list 20000, owner 20000, margin 0
    "#]]
    .assert_eq(&play(
        "price core=3600000
         node a cpu=8 owner=web
         tenant acme
         at +1s
         job acme/train cpu=1
         at +11s
         succeed acme/train/0
         delete acme
         bill tenant acme
         tenant acme
         job acme/train cpu=1
         at +21s
         bill tenant acme",
    ));
}

#[test]
fn without_prices_time_is_metered_and_nothing_costs_anything() {
    expect![[r#"
        > node a cpu=8 mem=16 gpus=2:h100 owner=web
          registered a
        > tenant acme stop-all=1
          created acme
        > job acme/train cpu=1 mem=2 gpus=1
          submitted acme/train
          placed acme/train/0 on a gpu 0
        > at +10s
        > bill
          day 20000 acme at [web h100]: cpu 10000000 memory 21474836480000 gpu 10000000 charge 0 of list 0, owner 0, margin 0
        > cost acme/train
          10000 ms of tasks: 0, and 0 an hour
    "#]].assert_eq(&play(
        "node a cpu=8 mem=16 gpus=2:h100 owner=web
         tenant acme stop-all=1
         job acme/train cpu=1 mem=2 gpus=1
         at +10s
         bill
         cost acme/train",
    ));
}

#[test]
fn a_budget_warns_then_stops_new_work_then_all_of_it() {
    expect![[r#"
        > price core=36000000
          prices from 1 ms
        > node a cpu=4
          registered a
        > tenant acme period=day warn=1 stop-new=2 stop-all=3
          created acme
        > at +1s
        > job acme/train count=2 cpu=1 notice=10s
          submitted acme/train
          placed acme/train/0..1 on a
        > job acme/later cpu=4
          submitted acme/later
        > at +3m
          +51s budget acme Warned at 1000000
          +1m41s budget acme NewStopped at 2000000
          +2m31s budget acme AllStopped at 3000000
          +2m31s notice acme/train/0 on a at +2m41s OverBudget
          +2m31s notice acme/train/1 on a at +2m41s OverBudget
          +2m41s evicted acme/train/0 from a OverBudget
          +2m41s evicted acme/train/1 from a OverBudget
        > job acme/more cpu=1
          refused: tenant "acme" has spent 3.20 of the 2.00 at which its budget stops new work: wait for the next day, or raise the budget
        > resize acme/train 3
          refused: tenant "acme" has spent 3.20 of the 2.00 at which its budget stops new work: wait for the next day, or raise the budget
        > succeed acme/train/0
          ignored 1 reports
        > why acme/later
          Budget
        > at +10m
        > why acme/train
          Budget
        > at +1d
          +1d budget acme Within at 0
          +1d placed acme/train/0..1 on a
    "#]].assert_eq(&play(
        "price core=36000000
         node a cpu=4
         tenant acme period=day warn=1 stop-new=2 stop-all=3
         at +1s
         job acme/train count=2 cpu=1 notice=10s
         job acme/later cpu=4
         at +3m
         job acme/more cpu=1
         resize acme/train 3
         succeed acme/train/0
         why acme/later
         at +10m
         why acme/train
         at +1d",
    ));
}

#[test]
fn a_raised_budget_lets_work_stay_and_begin() {
    expect![[r#"
        > price core=36000000
          prices from 1 ms
        > node a cpu=4
          registered a
        > tenant acme period=month stop-all=1
          created acme
        > at +1s
        > job acme/train count=2 cpu=1 notice=10m
          submitted acme/train
          placed acme/train/0..1 on a
        > at +1m
          +51s budget acme AllStopped at 1000000
          +51s notice acme/train/0 on a at +10m51s OverBudget
          +51s notice acme/train/1 on a at +10m51s OverBudget
        > set acme stop-all=2
          changed acme
          budget acme Within at 1180000
          withdrawn acme/train/0
          withdrawn acme/train/1
        > at +4m
          +1m41s budget acme AllStopped at 2000000
          +1m41s notice acme/train/0 on a at +11m41s OverBudget
          +1m41s notice acme/train/1 on a at +11m41s OverBudget
        > set acme stop-all=none
          changed acme
          budget acme Within at 0
          withdrawn acme/train/0
          withdrawn acme/train/1
        > job acme/more cpu=1
          submitted acme/more
          placed acme/more/0 on a
        > bill
          day 20000 acme at [owner]: cpu 478000000 charge 4780000 of list 4780000, owner 4780000, margin 0
    "#]].assert_eq(&play(
        "price core=36000000
         node a cpu=4
         tenant acme period=month stop-all=1
         at +1s
         job acme/train count=2 cpu=1 notice=10m
         at +1m
         set acme stop-all=2
         at +4m
         set acme stop-all=none
         job acme/more cpu=1
         bill",
    ));
}

#[test]
fn a_budget_counts_from_the_beginning_of_its_period() {
    expect![[r#"
        > price core=3600000
          prices from 1 ms
        > node a cpu=4
          registered a
        > tenant acme
          created acme
        > at +23h
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > at +1d1h
        > set acme period=day warn=2
          changed acme
          budget acme Warned at 3600000
        > at +1d3h
        > set acme period=month warn=20
          changed acme
          budget acme Within at 14400000
        > at +1d6h
          +1d4h33m20s budget acme Warned at 20000000
    "#]]
    .assert_eq(&play(
        "price core=3600000
         node a cpu=4
         tenant acme
         at +23h
         job acme/train cpu=1
         at +1d1h
         set acme period=day warn=2
         at +1d3h
         set acme period=month warn=20
         at +1d6h",
    ));
}

#[test]
fn an_owner_that_stays_away_does_not_save_what_is_over_budget() {
    expect![[r#"
        > price core=36000000
          prices from 1 ms
        > node a cpu=4
          registered a
        > load a cpu=0
          load a nothing
        > tenant acme stop-all=1
          created acme
        > at +1s
        > job acme/train cpu=1 notice=1h
          submitted acme/train
          placed acme/train/0 on a
        > at +90s
        > policy margin=1000
          policy changed
        > load a cpu=2
          load a cpu_millis=2000
          notice acme/train/0 on a at +1h1m30s OwnerExpected
        > at +2m
          +1m41s budget acme AllStopped at 1000000
        > policy margin=0
          policy changed
          withdrawn acme/train/0
          notice acme/train/0 on a at +1h2m OverBudget
    "#]]
    .assert_eq(&play(
        "price core=36000000
         node a cpu=4
         load a cpu=0
         tenant acme stop-all=1
         at +1s
         job acme/train cpu=1 notice=1h
         at +90s
         policy margin=1000
         load a cpu=2
         at +2m
         policy margin=0",
    ));
}

#[test]
fn prices_stay_in_their_currency() {
    expect![[r#"
        > price core=1
          prices from 1 ms
        > price core=1
        > price currency=USD core=1
          refused: prices are in EUR and cannot change to USD: sums would mean nothing
    "#]]
    .assert_eq(&play(
        "price core=1
         price core=1
         price currency=USD core=1",
    ));
}

#[test]
fn prices_follow_what_is_lent_of_a_region_and_what_runs_keeps_its_own() {
    expect![[r#"
        > price core=36000000 spot=500 share=800 demand=500:1200,750:1500
          prices from 1 ms
        > node a cpu=8 owner=web region=eu
          registered a
        > node b cpu=8 owner=web region=us
          registered b
        > tenant acme
          created acme
        > at +1s
        > job acme/first count=4 cpu=1 region=eu
          submitted acme/first
          placed acme/first/0..3 on a
        > at +301s
          +5m demand [eu] 1200 at 500, from 300001 ms
        > job acme/second count=2 cpu=1 region=eu
          submitted acme/second
          placed acme/second/0..1 on a
        > job acme/other cpu=1 region=us
          submitted acme/other
          placed acme/other/0 on b
        > at +601s
          +10m demand [eu] 1500 at 750, from 600001 ms
        > job acme/third cpu=1 region=eu
          submitted acme/third
          placed acme/third/0 on a
        > at +611s
        > cost acme/first
          2440000 ms of tasks: 12200000, and 72000000 an hour
        > cost acme/second
          620000 ms of tasks: 3720000, and 43200000 an hour
        > cost acme/other
          310000 ms of tasks: 1550000, and 18000000 an hour
        > cost acme/third
          10000 ms of tasks: 75000, and 27000000 an hour
        > bill
          day 20000 acme at [web eu]: cpu 3070000000 charge 15995000 of list 30700000, owner 12796000, margin 3199000
          day 20000 acme at [web us]: cpu 310000000 charge 1550000 of list 3100000, owner 1240000, margin 310000
    "#]].assert_eq(&play(
        "price core=36000000 spot=500 share=800 demand=500:1200,750:1500
         node a cpu=8 owner=web region=eu
         node b cpu=8 owner=web region=us
         tenant acme
         at +1s
         job acme/first count=4 cpu=1 region=eu
         at +301s
         job acme/second count=2 cpu=1 region=eu
         job acme/other cpu=1 region=us
         at +601s
         job acme/third cpu=1 region=eu
         at +611s
         cost acme/first
         cost acme/second
         cost acme/other
         cost acme/third
         bill",
    ));
}

#[test]
fn prices_do_not_flap_around_a_step() {
    expect![[r#"
        > price core=36000000 demand=500:1200
          prices from 1 ms
        > node a cpu=100
          registered a
        > tenant acme
          created acme
        > job acme/most cpu=45
          submitted acme/most
          placed acme/most/0 on a
        > job acme/some cpu=6
          submitted acme/some
          placed acme/some/0 on a
        > at +301s
          +5m demand [] 1200 at 510, from 300001 ms
        > cancel acme/some
          ended acme/some/0 Cancelled
          done acme/some Cancelled
        > at +601s
        > job acme/rest cpu=6
          submitted acme/rest
          placed acme/rest/0 on a
        > at +901s
        > cancel acme/most
          ended acme/most/0 Cancelled
          done acme/most Cancelled
        > at +1201s
          +20m demand [] 1000 at 60, from 1200001 ms
    "#]]
    .assert_eq(&play(
        "price core=36000000 demand=500:1200
         node a cpu=100
         tenant acme
         job acme/most cpu=45
         job acme/some cpu=6
         at +301s
         cancel acme/some
         at +601s
         job acme/rest cpu=6
         at +901s
         cancel acme/most
         at +1201s",
    ));
}

#[test]
fn a_book_that_does_not_follow_demand_ends_what_demand_made_of_prices() {
    expect![[r#"
        > price core=36000000 demand=0:800,500:1200
          prices from 1 ms
        > node a cpu=8 region=eu
          registered a
        > node b cpu=8 region=us
          registered b
        > tenant acme
          created acme
        > job acme/dear count=4 cpu=1 region=eu
          submitted acme/dear
          placed acme/dear/0..3 on a
        > at +301s
          +5m demand [eu] 1200 at 500, from 300001 ms
          +5m demand [us] 800 at 0, from 300001 ms
        > price core=72000000 demand=0:800,500:1200
          prices from 301001 ms
        > price core=36000000
          prices from 301001 ms
          demand [eu] 1000 at an end, from 301001 ms
          demand [us] 1000 at an end, from 301001 ms
        > job acme/now cpu=1 region=eu
          submitted acme/now
          placed acme/now/0 on a
        > at +302s
        > job acme/plain cpu=1 region=eu
          submitted acme/plain
          placed acme/plain/0 on a
        > at +303s
        > cost acme/now
          2000 ms of tasks: 24000, and 43200000 an hour
        > cost acme/plain
          1000 ms of tasks: 10000, and 36000000 an hour
        > at +700s
    "#]]
    .assert_eq(&play(
        "price core=36000000 demand=0:800,500:1200
         node a cpu=8 region=eu
         node b cpu=8 region=us
         tenant acme
         job acme/dear count=4 cpu=1 region=eu
         at +301s
         price core=72000000 demand=0:800,500:1200
         price core=36000000
         job acme/now cpu=1 region=eu
         at +302s
         job acme/plain cpu=1 region=eu
         at +303s
         cost acme/now
         cost acme/plain
         at +700s",
    ));
}

#[test]
fn a_restart_changes_neither_what_demand_made_of_prices_nor_when_it_is_looked_at() {
    expect![[r#"
        > price core=36000000 demand=500:1200
          prices from 1 ms
        > node a cpu=8
          registered a
        > tenant acme
          created acme
        > job acme/first count=4 cpu=1
          submitted acme/first
          placed acme/first/0..3 on a
        > at +299s
        > restart
        > at +301s
          +5m demand [] 1200 at 500, from 300001 ms
        > restart
        > job acme/second cpu=1
          submitted acme/second
          placed acme/second/0 on a
        > at +311s
        > cost acme/second
          10000 ms of tasks: 120000, and 43200000 an hour
        > cancel acme/first
          ended acme/first/0 Cancelled
          ended acme/first/1 Cancelled
          ended acme/first/2 Cancelled
          ended acme/first/3 Cancelled
          done acme/first Cancelled
        > restart
        > at +601s
          +10m demand [] 1000 at 125, from 600001 ms
    "#]]
    .assert_eq(&play(
        "price core=36000000 demand=500:1200
         node a cpu=8
         tenant acme
         job acme/first count=4 cpu=1
         at +299s
         restart
         at +301s
         restart
         job acme/second cpu=1
         at +311s
         cost acme/second
         cancel acme/first
         restart
         at +601s",
    ));
}

#[test]
fn nodes_that_lend_nothing_now_and_countables_make_nothing_dear() {
    expect![[r#"
        > price core=36000000 demand=500:1200
          prices from 1 ms
        > node a cpu=8 count.licence=1
          registered a
        > node b cpu=2
          registered b
        > tenant acme
          created acme
        > job acme/small count=1 cpu=1 count.licence=1
          submitted acme/small
          placed acme/small/0 on a
        > job acme/large count=1 cpu=2 node=b
          submitted acme/large
          placed acme/large/0 on b
        > cordon b
          b is cordoned
        > at +301s
        > load a cpu=6
          load a cpu_millis=6000
        > at +601s
          +10m demand [] 1200 at 714, from 600001 ms
    "#]]
    .assert_eq(&play(
        "price core=36000000 demand=500:1200
         node a cpu=8 count.licence=1
         node b cpu=2
         tenant acme
         job acme/small count=1 cpu=1 count.licence=1
         job acme/large count=1 cpu=2 node=b
         cordon b
         at +301s
         load a cpu=6
         at +601s",
    ));
}

#[test]
fn a_node_that_changes_hands_brings_the_limit_nearer() {
    expect![[r#"
        > price core=3600000 dear.core=36000000
          prices from 1 ms
        > node a cpu=4
          registered a
        > tenant acme stop-all=1
          created acme
        > at +1s
        > job acme/train cpu=1 notice=10s
          submitted acme/train
          placed acme/train/0 on a
        > at +1m
        > update a region=dear
          updated a
        > at +5m
          +2m34s budget acme AllStopped at 1000000
          +2m34s notice acme/train/0 on a at +2m44s OverBudget
          +2m44s evicted acme/train/0 from a OverBudget
    "#]]
    .assert_eq(&play(
        "price core=3600000 dear.core=36000000
         node a cpu=4
         tenant acme stop-all=1
         at +1s
         job acme/train cpu=1 notice=10s
         at +1m
         update a region=dear
         at +5m",
    ));
}
