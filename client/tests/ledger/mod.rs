//! Prices, costs and statements, and a script that works them out anew.

use std::process::Command;

use expect_test::expect;

use super::Cell;

const RECOMPUTE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/ledger/recompute.py");

const HOUR: u64 = 3_600_000;

impl Cell {
    async fn restart(self) -> Self {
        let Self { mut tool, server, clock, folder } = self;
        server.shutdown().await;
        let server = super::start(folder.path(), &clock).await;
        tool.endpoint = format!("http://{}", server.address());
        Self { tool, server, clock, folder }
    }

    /// Has the script work out a statement from the events that were exported, and compare.
    async fn recompute(&self, whose: &str) -> String {
        let statement = if whose.is_empty() { "cell" } else { &whose.replace('=', " ") };
        let days = "--from 2100-01-01 --to 2100-12-31";
        let exports = [
            ("events", "events --since 0 -A -o jsonl".to_owned()),
            ("statement", format!("statement {statement} {days} -o json")),
        ];
        let mut files = Vec::new();
        for (name, command) in exports {
            let ran = self.run(&command).await;
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
            files.push(self.tool.file(name, &ran.stdout));
        }
        // Without Python nothing would be proved, so its absence is a failure and no reason to skip.
        let mut python = Command::new("python3");
        python.args(["-B", RECOMPUTE]).args(files).args(Some(whose).filter(|w| !w.is_empty()));
        let output = tokio::task::spawn_blocking(move || python.output()).await.expect("no panic");
        let output = output.expect("python3 is installed: the ledger is recomputed with it");
        let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
        let (told, complaint) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{whose}: {complaint}");
        told
    }
}

/// Prices, nodes, tenants and jobs of every kind that matters to the ledger.
async fn busy() -> Cell {
    let cell = Cell::new().await;
    cell.play(
        "node register a --owner web --region eu --cpu 8 --memory 32GiB
         node register b --owner web --region us --cpu 8 --memory 32GiB --gpus 2 --gpu-model h100
         node register c --region us --cpu 4 --memory 8GiB --disk 1TiB --network 10Gbps --countable fpga=4
         tenant create acme
         tenant create films
         submit -t films --name before --cpu 0.333 --memory 100MiB",
    )
    .await;
    cell.advance(61_001);
    let prices = "price set --currency EUR --core 0.041 --memory-gib 0.0053 --disk-gib 0.0001 --network-gbps 0.01 \
                  --gpu 2 --gpu-model h100=3.333333 --countable fpga=0.7 --interruptible 30% --hour 70.1% --owners 77.7%";
    cell.play(prices).await;
    cell.advance(1);
    cell.play(
        "price set --region us --core 0.05 --dry-run
         submit -t acme --name tune --count 2 --cpu 1 --gpus 0.5 --gpu-model h100 --min-runtime 1h
         submit -t films --name render --cpu 2 --disk 3GiB --network 1Gbps --countable fpga=3 --min-runtime 5h
         submit -t acme --name train --count 5 --cpu 1.7 --memory 3GiB",
    )
    .await;
    cell
}

#[tokio::test]
async fn statements_are_recomputed_from_events_to_the_last_digit() {
    let mut cell = busy().await;
    cell.recompute("").await;
    cell.advance(7 * HOUR + 123);
    cell.play(
        "price set --region us --core 0.05 --gpu-model h100=2.9
         node update a --owner shop
         job update acme/train --count 9
         node drain b --grace 1s",
    )
    .await;
    cell.advance(1_500);
    cell.run("submit -t films --name short --cpu 0.1").await.ends_with(0);
    cell = cell.restart().await;
    cell.advance(41 * HOUR + 77);
    cell.play(
        "node remove c --force
         node uncordon b
         job cancel films/before",
    )
    .await;
    cell.advance(3 * HOUR);
    cell.play(
        "job cancel films/render films/short
         tenant delete films
         tenant create films
         submit -t films --name again --count 2 --cpu 0.5",
    )
    .await;
    cell = cell.restart().await;
    cell.advance(30 * HOUR + 1);
    let told = cell.recompute("").await;
    expect![[r#"
        13 lines, 203321630 micros charged, 157980906 to owners
    "#]]
    .assert_eq(&told);
    for whose in ["tenant=acme", "tenant=films", "owner=web", "owner=shop"] {
        cell.recompute(whose).await;
    }
    cell.stop().await;
}

#[tokio::test]
async fn prices_that_follow_demand_are_shown_and_recomputed() {
    let mut cell = busy().await;
    cell.play("price set --demand 25%=120%,85%=150.1%").await;
    cell.advance(HOUR / 12);
    cell.run("submit -t films --name dear --count 3 --cpu 0.7").await.ends_with(0);
    cell = cell.restart().await;
    cell.advance(HOUR / 12);
    cell.play("submit -t films --name full --count 4 --cpu 1.1 --memory 1GiB").await;
    cell.advance(HOUR / 12);
    // Whatever is decided comes after what was due: what is shown next is as of now.
    cell.play("tenant update films --weight 2").await;
    let run = async |command: &str| cell.run(command).await.stdout;
    expect![[r#"
        Currency:            EUR
        An hour of:          core 0.041, memory GiB 0.0053, disk GiB 0.0001, network Gbps 0.01, GPU 2.00, GPU h100 3.333333, fpga 0.70
        Interruptible pays:  30%
        Up to 5m pays:       100%
        Up to 1h pays:       70.1%
        Up to 6h pays:       100%
        Longer pays:         100%
        Owners get:          77.7%
        With demand:         120% from 25% lent on, 150.1% from 85% lent on
        In force:            eu pays 150.1% from 2100-01-01T00:01:01.003Z on, 85% lent
                             us pays 150.1% from 2100-01-01T00:16:01.003Z on, 89.4% lent
        Since:               2100-01-01T00:01:01.003Z
        Revision:            15
    "#]].assert_eq(&run("price get").await);
    expect![[r#"
        SINCE                      REVISION   REGION    LENT     PAYS   NEW PRICES
        2100-01-01T00:16:01.003Z         21   us       89.4%   150.1%   -
        2100-01-01T00:01:01.003Z         16   eu         85%   150.1%   -
        2100-01-01T00:01:01.003Z         16   us       50.2%     120%   -
        2100-01-01T00:01:01.003Z         15   all          -        -   EUR: core 0.041, memory GiB 0.0053, disk GiB 0.0001, network Gbps 0.01, GPU 2.00, GPU h100 3.333333, fpga 0.70; interruptible pays 30%; owners get 77.7%; with demand: 120% from 25% lent on, 150.1% from 85% lent on
        2100-01-01T00:01:01.002Z          8   all          -        -   EUR: core 0.041, memory GiB 0.0053, disk GiB 0.0001, network Gbps 0.01, GPU 2.00, GPU h100 3.333333, fpga 0.70; interruptible pays 30%; owners get 77.7%
    "#]].assert_eq(&run("price history").await);
    expect![[r#"
        demand/eu/16
        prices/15
    "#]]
    .assert_eq(&run("price history --region eu --since 2100-01-01T00:01:01.003Z -o name").await);
    expect![[r#"
        16        2100-01-01T00:01:01.002Z  demand_priced       eu pays 150.1% from 2100-01-01T00:01:01.003Z on, 85% lent
        16        2100-01-01T00:01:01.002Z  demand_priced       us pays 120% from 2100-01-01T00:01:01.003Z on, 50.2% lent
        21        2100-01-01T00:16:01.002Z  demand_priced       us pays 150.1% from 2100-01-01T00:16:01.003Z on, 89.4% lent
    "#]].assert_eq(&run("events --since 0 --kinds demand_priced").await);
    cell.recompute("").await;
    cell.play("price set --demand none").await;
    cell.advance(HOUR);
    cell = cell.restart().await;
    cell.play("job cancel films/dear acme/train").await;
    cell.advance(HOUR);
    expect![[r#"
        5 lines, 10647713 micros charged, 8273271 to owners
    "#]]
    .assert_eq(&cell.recompute("").await);
    for whose in ["tenant=acme", "tenant=films", "owner=web"] {
        cell.recompute(whose).await;
    }
    cell.stop().await;
}

#[tokio::test]
async fn costs_and_statements_are_shown() {
    let cell = busy().await;
    cell.advance(2 * HOUR + 500);
    let run = async |command: &str| cell.run(command).await.stdout;
    expect![[r#"
        Job:          acme/tune
        Charge:       4.788629 EUR
        An hour now:  2.394148 EUR
        Held:         4 core hours, 2 GPU hours
        Until:        2100-01-01T02:01:01.502Z
    "#]]
    .assert_eq(&run("cost acme/tune").await);
    expect![[r#"
        TENANT   JOB       CHARGE   AN HOUR NOW   CURRENCY   HELD
        acme     train   0.256817        0.1284   EUR        17.001 core hours, 30.002 GiB hours
        acme     tune    4.788629      2.394148   EUR        4 core hours, 2 GPU hours
    "#]]
    .assert_eq(&run("cost -t acme train tune").await);
    expect![[r#"
        DATE         OWNER   REGION   GPU MODEL   CORE HOURS   GIB HOURS   GPU HOURS     CHARGE   BY THE LIST
        2100-01-01   web     eu       -                 13.6      24.001           0   0.205454      0.684847
        2100-01-01   web     us       h100               7.4           6           2   4.839992      7.002352

        Held:         21.001 core hours, 30.002 GiB hours, 2 GPU hours
        Charge:       5.045446 EUR
        By the list:  7.687199 EUR
        Until:        2100-01-01T02:01:01.502Z
    "#]].assert_eq(&run("statement tenant acme --month 2100-01").await);
    expect![[r#"
        DATE         TENANT   REGION   GPU MODEL   CORE HOURS   GIB HOURS   GPU HOURS     EARNED   BY THE LIST
        2100-01-01   acme     eu       -                 13.6      24.001           0   0.159637      0.684847
        2100-01-01   acme     us       h100               7.4           6           2   3.760674      7.002352

        Held:         21.001 core hours, 30.002 GiB hours, 2 GPU hours
        Earned:       3.920311 EUR
        By the list:  7.687199 EUR
        Until:        2100-01-01T02:01:01.502Z
    "#]].assert_eq(&run("statement owner web").await);
    cell.stop().await;
}

#[tokio::test]
async fn the_statement_of_the_cell_and_its_prices_are_shown_and_exported() {
    let cell = busy().await;
    cell.advance(2 * HOUR + 500);
    let run = async |command: &str| cell.run(command).await.stdout;
    expect![[r#"
        DATE         TENANT   OWNER   REGION   GPU MODEL   CORE HOURS   GIB HOURS   GPU HOURS     CHARGE   OWNER GETS     MARGIN   BY THE LIST
        2100-01-01   acme     web     eu       -                 13.6      24.001           0   0.205454     0.159637   0.045817      0.684847
        2100-01-01   acme     web     us       h100               7.4           6           2   4.839992     3.760674   1.079318      7.002352
        2100-01-01   films    -       us       -                4.671       0.196           0   4.384904      3.40707   0.977834      4.384904

        Held:         25.673 core hours, 30.199 GiB hours, 6 GiB hours of disk, 2 GPU hours, 6 fpga hours
        Charge:       9.43035 EUR
        Owners get:   7.327381 EUR
        Margin:       2.102969 EUR
        By the list:  12.072103 EUR
        Until:        2100-01-01T02:01:01.502Z
    "#]].assert_eq(&run("statement cell").await);
    expect![[r#"
        Held:         -
        Charge:       0.00 EUR
        Owners get:   0.00 EUR
        Margin:       0.00 EUR
        By the list:  0.00 EUR
        Until:        2100-01-01T02:01:01.502Z
    "#]]
    .assert_eq(&run("statement cell --month 2100-02").await);
    expect![[r#"
        date,tenant,owner,region,gpu_model,task_ms,cpu_milli_seconds,memory_mib_seconds,disk_mib_seconds,network_megabits,gpu_milli_seconds,counts,charge_micros,owner_micros,margin_micros,list_micros,currency
        2100-01-01,films,,us,,14462002,16819080,726150,22119936,7200500,0,fpga=21601,4384904,3407070,977834,4384904,EUR
    "#]].assert_eq(&run("statement tenant films -o csv").await);
    expect![[r#"
        {
          "lines": [
            {
              "date": "2100-01-01",
              "tenant": "films",
              "region": "us",
              "held": {
                "taskMs": "14462002",
                "cpuMilliSeconds": "16819080",
                "memoryMibSeconds": "726150",
                "diskMibSeconds": "22119936",
                "networkMegabits": "7200500",
                "countSeconds": {
                  "fpga": "21601"
                }
              },
              "chargeMicros": "4384904",
              "ownerMicros": "3407070",
              "marginMicros": "977834",
              "listMicros": "4384904"
            }
          ],
          "total": {
            "held": {
              "taskMs": "14462002",
              "cpuMilliSeconds": "16819080",
              "memoryMibSeconds": "726150",
              "diskMibSeconds": "22119936",
              "networkMegabits": "7200500",
              "countSeconds": {
                "fpga": "21601"
              }
            },
            "chargeMicros": "4384904",
            "ownerMicros": "3407070",
            "marginMicros": "977834",
            "listMicros": "4384904",
            "lines": "1"
          },
          "currency": "EUR",
          "asOf": "2100-01-01T02:01:01.502Z",
          "revision": "14"
        }
    "#]]
    .assert_eq(&run("statement tenant films -o json").await);
    expect![[r#"
        Currency:            EUR
        An hour of:          core 0.041, memory GiB 0.0053, disk GiB 0.0001, network Gbps 0.01, GPU 2.00, GPU h100 3.333333, fpga 0.70
        Interruptible pays:  30%
        Up to 5m pays:       100%
        Up to 1h pays:       70.1%
        Up to 6h pays:       100%
        Longer pays:         100%
        Owners get:          77.7%
        Since:               2100-01-01T00:01:01.002Z
        Revision:            8
    "#]].assert_eq(&run("price get").await);
    expect![[r#"
        SINCE                      REVISION   REGION   LENT   PAYS   NEW PRICES
        2100-01-01T00:01:01.002Z          8   all         -      -   EUR: core 0.041, memory GiB 0.0053, disk GiB 0.0001, network Gbps 0.01, GPU 2.00, GPU h100 3.333333, fpga 0.70; interruptible pays 30%; owners get 77.7%
    "#]].assert_eq(&run("price history").await);
    cell.stop().await;
}

#[tokio::test]
async fn a_budget_is_set_shown_and_kept() {
    let cell = busy().await;
    let set = "tenant update acme --budget-period day --budget-warn 0.2 --budget-stop-new 0.6 --budget-stop-all 2";
    cell.play(set).await;
    cell.advance(HOUR / 4);
    cell.run("tenant update films --weight 2").await.ends_with(0);
    let budget = async || {
        let shown = cell.run("tenant get acme").await.stdout;
        shown.lines().find(|line| line.starts_with("Budget")).unwrap_or_default().to_owned()
    };
    expect!["Budget:            warn at 0.20, no new work at 0.60, no work at 2.00 a day; spent 0.630637: new-stopped"].assert_eq(&budget().await);
    let refused = cell.run("submit -t acme --name more --cpu 1").await;
    refused.ends_with(1);
    expect![[r#"
        error: tenant "acme" has spent 0.630637 of the 0.60 at which its budget stops new work: wait for the next day, or raise the budget
    "#]].assert_eq(&refused.stderr);
    cell.play("tenant update acme --budget-stop-new unlimited --budget-stop-all unlimited").await;
    cell.run("submit -t acme --name more --cpu 1").await.ends_with(0);
    expect!["Budget:            warn at 0.20 a day; spent 0.630637: warned"]
        .assert_eq(&budget().await);
    let events = cell.run("events --since 0 --kinds budget_turned,price_book_changed").await;
    expect![[r#"
        8         2100-01-01T00:01:01.001Z  price_book_changed  in EUR from 2100-01-01T00:01:01.002Z on
        16        2100-01-01T00:16:01.002Z  budget_turned       acme new-stopped, spent 0.630637
        18        2100-01-01T00:16:01.002Z  budget_turned       acme warned, spent 0.630637
    "#]].assert_eq(&events.stdout);
    cell.stop().await;
}

#[tokio::test]
async fn what_is_wrong_about_money_is_told() {
    let cell = busy().await;
    let complaint = async |command: &str, code: i32| {
        let ran = cell.run(command).await;
        ran.ends_with(code);
        ran.stderr
    };
    expect![[r#"
        error: prices are in EUR and cannot change to USD: sums would mean nothing
    "#]]
    .assert_eq(&complaint("price set --currency USD", 5).await);
    expect![[r#"
        error: nothing is given to set
        hint: --core 0.04 sets a price, --currency EUR the currency; `offpeak price get` shows them
    "#]]
    .assert_eq(&complaint("price set", 2).await);
    expect![[r#"
        error: no price is given for the region eu
        hint: --core, --memory-gib, --gpu and the like name one; all else is the same everywhere
    "#]]
    .assert_eq(&complaint("price set --region eu --owners 80%", 2).await);
    expect![[r#"
        error: invalid value '1.0000001' for '--core <PRICE>': "1.0000001" is no amount of money; write it like 12 or 0.04, to six digits

        For more information, try '--help'.
    "#]].assert_eq(&complaint("price set --core 1.0000001", 2).await);
    expect![[r#"
        error: price_book.owner_permille: is 1001; it must be from 0 to 1000
    "#]]
    .assert_eq(&complaint("price set --owners 100.1%", 1).await);
    expect![[r#"
        error: price_book.demand[0].factor_permille: must be greater than 1000, which is paid below a first step that does not begin at 0
    "#]].assert_eq(&complaint("price set --demand 70%=100%", 1).await);
    expect![[r#"
        error: price_book.demand[1]: must be greater than the step before it, in both numbers
    "#]]
    .assert_eq(&complaint("price set --demand 70%=120%,70%=150%", 1).await);
    expect![[r#"
        error: price_book.demand[0].lent_permille: is 1010; it must be from 0 to 1000
    "#]]
    .assert_eq(&complaint("price set --demand 101%=120%", 1).await);
    expect![[r#"
        error: invalid value '0.7=1.2' for '--demand <LENT=PAID,...>': "0.7" is no percentage such as 0.5%

        For more information, try '--help'.
    "#]].assert_eq(&complaint("price set --demand 0.7=1.2", 2).await);
    expect![[r#"
        error: invalid value 'yesterday' for '--since <SPAN|TIME>': "yesterday" is neither a time such as 2026-11-26T12:00:00Z nor a span such as 7d

        For more information, try '--help'.
    "#]].assert_eq(&complaint("price history --since yesterday", 2).await);
    expect![[r#"
        error: tenant "nobody" does not exist
    "#]]
    .assert_eq(&complaint("statement tenant nobody", 3).await);
    expect![[r#"
        error: owner "nobody" does not exist: no node names it
    "#]]
    .assert_eq(&complaint("statement owner nobody", 3).await);
    expect![[r#"
        error: until: must lie after from
    "#]]
    .assert_eq(&complaint("statement cell --from 2100-01-02 --to 2100-01-01", 1).await);
    expect![[r#"
        error: job "nothing" of tenant "acme" does not exist
    "#]]
    .assert_eq(&complaint("cost acme/nothing", 3).await);
    expect![[r#"
        error: only statements and forecasts are printed as csv
        hint: choose another format: table, wide, json, jsonl, yaml or name
    "#]]
    .assert_eq(&complaint("node list -o csv", 2).await);
    let budget = "tenant update acme --budget-warn 2 --budget-stop-new 1";
    expect![[r#"
        error: tenant.budget.stop_new_micros: is 1000000; it must be at least warn_micros, which is 2000000
    "#]].assert_eq(&complaint(budget, 1).await);
    cell.stop().await;
}
