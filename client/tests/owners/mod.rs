//! Owners and their calendars on the command line.

use expect_test::expect;
use offpeak_core::model::Millis;

use crate::Cell;

/// A cell with a node of the owner `shop` and one of `bank`.
async fn cell() -> Cell {
    let cell = Cell::new().await;
    cell.run("node register a --owner shop --region eu --cpu 4 --memory 16GiB").await.ends_with(0);
    cell.run("node register b --owner bank --region us --cpu 4 --memory 16GiB").await.ends_with(0);
    cell
}

async fn with_calendar() -> Cell {
    let cell = cell().await;
    for entry in [
        "sale --yearly 11-20 --for 11d --zone Europe/Berlin --share 60%",
        "payroll --monthly 25,last --at 06:00 --for 16h --zone Asia/Kolkata --share 30% --cpu 80%",
        "office --weekly mon,fri --at 08:00 --for 10h --share 37.5% --region eu -l disk=ssd",
    ] {
        cell.run(&format!("owner calendar shop add {entry}")).await.ends_with(0);
    }
    cell
}

#[tokio::test]
async fn an_owner_is_listed_shown_and_changed() {
    let cell = with_calendar().await;
    cell.run("owner update bank --risk 0.1%")
        .await
        .prints(&expect![[r#"
        owner/bank updated
    "#]])
        .ends_with(0);
    cell.run("owner update bank --risk 0.1%")
        .await
        .complains(&expect![[r#"
        owner/bank is already so
    "#]])
        .ends_with(0);
    cell.run("owner update later --risk 2% --dry-run")
        .await
        .prints(&expect![[r#"
        owner/later updated (dry run)
    "#]])
        .ends_with(0);
    cell.run("owner list")
        .await
        .prints(&expect![[r#"
        NAME   NODES   RISK   CALENDAR
        bank       1   0.1%   -
        shop       1     1%   office, payroll, sale
    "#]])
        .ends_with(0);
    cell.run("owner get shop")
        .await
        .prints(&expect![[r#"
            Name:      shop
            Nodes:     1
            Labels:    -
            Risk:      1%
            Calendar:  office: mon,fri 08:00 for 10h (UTC), 37.5% in eu,disk=ssd
                       payroll: monthly 25,last 06:00 for 16h (Asia/Kolkata), 30%, cpu 80%
                       sale: yearly 11-20 00:00 for 11d (Europe/Berlin), 60%
            Revision:  5
        "#]])
        .ends_with(0);
    cell.run("owner get bank -o json")
        .await
        .prints(&expect![[r#"
            {
              "name": "bank",
              "riskPpm": 1000,
              "nodes": "1",
              "revision": "6",
              "currentRiskPpm": 1000
            }
        "#]])
        .ends_with(0);
    cell.run("owner list -o name")
        .await
        .prints(&expect![[r#"
        owner/bank
        owner/shop
    "#]])
        .ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn a_calendar_is_listed_and_previewed() {
    let cell = with_calendar().await;
    cell.run("owner calendar shop list")
        .await
        .prints(&expect![[r#"
        NAME      WHEN                            ZONE            SHARE          NODES
        office    mon,fri 08:00 for 10h           UTC             37.5%          eu,disk=ssd
        payroll   monthly 25,last 06:00 for 16h   Asia/Kolkata    30%, cpu 80%   -
        sale      yearly 11-20 00:00 for 11d      Europe/Berlin   60%            -
    "#]])
        .ends_with(0);
    cell.run("owner calendar shop preview --limit 4").await.prints(&expect![[r#"
        ENTRY    START                    END                      START UTC              END UTC
        office   2100-01-01T08:00+00:00   2100-01-01T18:00+00:00   2100-01-01T08:00:00Z   2100-01-01T18:00:00Z
        office   2100-01-04T08:00+00:00   2100-01-04T18:00+00:00   2100-01-04T08:00:00Z   2100-01-04T18:00:00Z
        office   2100-01-08T08:00+00:00   2100-01-08T18:00+00:00   2100-01-08T08:00:00Z   2100-01-08T18:00:00Z
        office   2100-01-11T08:00+00:00   2100-01-11T18:00+00:00   2100-01-11T08:00:00Z   2100-01-11T18:00:00Z
    "#]]).ends_with(0);
    cell.run("owner calendar shop preview --after 2100-11-01T00:00:00Z --limit 1 -o yaml")
        .await
        .prints(&expect![[r#"
            - entry: office
              start: "2100-11-01T08:00:00Z"
              end: "2100-11-01T18:00:00Z"
              localStart: 2100-11-01T08:00+00:00
              localEnd: 2100-11-01T18:00+00:00
        "#]])
        .ends_with(0);
    cell.run("owner calendar shop remove office sale")
        .await
        .prints(&expect![[r#"
        owner/shop updated
    "#]])
        .ends_with(0);
    cell.run("owner calendar shop list -o name")
        .await
        .prints(&expect![[r#"
        payroll
    "#]])
        .ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_entry_is_refused_with_what_can() {
    let cell = with_calendar().await;
    let add = "owner calendar shop add";
    for (rest, code) in [
        ("sale --weekly mon --for 1h --share 10%", 5),
        ("x --weekly noday --for 1h --share 10%", 2),
        ("x --monthly 31 --for 1h --share 10%", 1),
        ("x --weekly mon --for 1h --share 10", 2),
        ("x --weekly mon --for 1h --share 101%", 1),
        ("x --weekly mon --for 1h --share 10% --zone Mars/Olympus", 1),
        ("x --once 2100-02-02T00:00 --until 2100-02-01T00:00 --share 10%", 1),
        ("x --for 1h --share 10%", 2),
    ] {
        let ran = cell.run(&format!("{add} {rest}")).await;
        assert_eq!((rest, ran.code), (rest, Some(code)), "{}", ran.stderr);
    }
    cell.run(&format!("{add} sale --weekly mon --for 1h --share 10%")).await.complains(&expect![[
        r#"
            error: the calendar of shop has an entry "sale" already
            hint: --replace takes its place
        "#
    ]]);
    cell.run(&format!("{add} x --monthly 25,31 --at 8:00 --for 1h --share 10% --zone Mars/Olympus"))
        .await
        .complains(&expect![[r#"
            error: owner.calendar[3].monthly.days[1]: is 31, which not every month has; it must be from 1 to 28, or -1 for the last day; owner.calendar[3].start: is "8:00"; it must be a time of day such as "08:30"; owner.calendar[3].time_zone: is "Mars/Olympus", which the time zone database lacks; names are such as "Europe/Berlin" or "UTC"
              owner.calendar[3].monthly.days[1]: is 31, which not every month has; it must be from 1 to 28, or -1 for the last day
              owner.calendar[3].start: is "8:00"; it must be a time of day such as "08:30"
              owner.calendar[3].time_zone: is "Mars/Olympus", which the time zone database lacks; names are such as "Europe/Berlin" or "UTC"
        "#]]);
    cell.run("owner calendar shop remove nothing")
        .await
        .complains(&expect![[r#"
        error: the calendar of shop has no entry "nothing"
    "#]])
        .ends_with(3);
    cell.run(&format!("{add} sale --weekly mon --for 1h --share 10% --replace"))
        .await
        .prints(&expect![[r#"
            owner/shop updated
        "#]])
        .ends_with(0);
    cell.stop().await;
}

const OWNER: &str = "\
kind: Owner
name: shop
riskPpm: 1000
calendar:
- name: sale
  yearly: {month: 11, day: 20}
  length: 950400s
  timeZone: Europe/Berlin
  share: {permille: 600}
- name: office
  weekly: {weekdays: [WEEKDAY_MONDAY, WEEKDAY_FRIDAY]}
  start: \"08:00\"
  length: 36000s
  share: {permille: 200, cpuPermille: 400}
";

#[tokio::test]
async fn owners_are_applied_from_files() {
    let cell = Cell::new().await;
    let apply = async |text: &str| cell.tool.run_with_input("apply -f -", text).await;
    apply(OWNER)
        .await
        .prints(&expect![[r#"
        owner/shop created
    "#]])
        .ends_with(0);
    apply(OWNER)
        .await
        .prints(&expect![[r#"
        owner/shop unchanged
    "#]])
        .ends_with(0);
    let changed = OWNER.replace("permille: 600", "permille: 700");
    apply(&changed)
        .await
        .prints(&expect![[r#"
        owner/shop updated
    "#]])
        .ends_with(0);
    let wrong = OWNER.replace("Berlin", "Atlantis");
    apply(&wrong).await.complains(&expect![[r#"
        error: owner/shop: owner.calendar[0].time_zone: is "Europe/Atlantis", which the time zone database lacks; names are such as "Europe/Berlin" or "UTC"
        error: 1 of 1 objects could not be applied
    "#]]).ends_with(1);
    cell.run("owner calendar shop list")
        .await
        .prints(&expect![[r#"
        NAME     WHEN                         ZONE            SHARE          NODES
        office   mon,fri 08:00 for 10h        UTC             20%, cpu 40%   -
        sale     yearly 11-20 00:00 for 11d   Europe/Berlin   70%            -
    "#]])
        .ends_with(0);
    cell.run("events --since 0")
        .await
        .prints(&expect![[r#"
        1         2100-01-01T00:00:00Z  owner_updated       shop
        2         2100-01-01T00:00:00Z  owner_updated       shop
    "#]])
        .ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn a_scorecard_tells_what_lending_came_to() {
    let cell = cell().await;
    cell.run("owner update shop --shortfall-budget 1h").await.ends_with(0);
    cell.run("tenant create acme").await.ends_with(0);
    cell.run("node report-load a --cpu 1").await.ends_with(0);
    cell.run("submit -t acme --count 2 --cpu 1 --region eu").await.ends_with(0);
    cell.clock.advance(Millis(30 * Millis::MINUTE.0));
    cell.run("node report-load a --cpu 1").await.ends_with(0);
    cell.clock.advance(Millis(20 * Millis::MINUTE.0));
    cell.run("node report-load a --cpu 3").await.ends_with(0);
    cell.run("owner scorecard shop -o wide").await.prints(&expect![[r#"
        OWNER   REGION   PROMISED   REALISED   SHORT    BY       IDLE     LENT   REPORTS   EXCEEDED   SHORT REPORTS
        shop    eu         0.075%        50%     20m   25%   1 core h   72.72%         2          1               1
    "#]]).ends_with(0);
    cell.run("owner get shop")
        .await
        .prints(&expect![[r#"
            Name:       shop
            Nodes:      1
            Labels:     -
            Risk:       1%
            Shortfall:  40m left of 60m in thirty days
            Risk now:   0.75%
            Revision:   3
        "#]])
        .ends_with(0);
    cell.run("owner update shop --shortfall-budget none").await.ends_with(0);
    cell.run("owner get shop")
        .await
        .prints(&expect![[r#"
            Name:      shop
            Nodes:     1
            Labels:    -
            Risk:      1%
            Revision:  10
        "#]])
        .ends_with(0);
    cell.run("owner scorecard nobody").await.prints(&expect![[r#""#]]).ends_with(0);
    cell.run("owner update shop --shortfall-budget some").await.ends_with(2);
    cell.stop().await;
}
