use std::collections::VecDeque;

use expect_test::expect;
use offpeak::v1::{
    Blocker, Capacity, GetCapacityResponse, GetStatusResponse, Job, JobSpec, PendingReason,
    Resources, TaskCounts, Tenant, Usage,
};

use super::{Page, Screen, text};
use crate::cli::top::picture::{Happened, Picture};

fn cores(cores: u64) -> Option<Resources> {
    Some(Resources { cpu_millis: cores * 1000, ..Resources::default() })
}

fn region(name: &str, nodes: u64) -> Capacity {
    Capacity {
        region: name.to_owned(),
        nodes,
        ready_nodes: nodes,
        allocations: 40,
        capacity: cores(64 * nodes),
        owner_load: cores(16 * nodes),
        lent: cores(24 * nodes),
        headroom: cores(20 * nodes),
        ..Capacity::default()
    }
}

fn job(name: &str, pending: u32, placed: u32) -> Job {
    let reason = PendingReason {
        blocker: Blocker::Headroom.into(),
        dimension: "cpu_millis".to_owned(),
        nodes: 12,
        smallest_shortfall: 2_000,
        message: "12 nodes now without enough cpu_millis; at least 2000 more is needed".to_owned(),
    };
    Job {
        tenant: "acme".to_owned(),
        name: name.to_owned(),
        spec: Some(JobSpec { request: cores(4), ..JobSpec::default() }),
        tasks: Some(TaskCounts { pending, placed, ..TaskCounts::default() }),
        pending_reasons: if pending > 0 { vec![reason] } else { Vec::new() },
        ..Job::default()
    }
}

fn picture() -> Picture {
    let usage = Usage { requested_tasks: 50, held: cores(160), held_tasks: 40, ..Usage::default() };
    let happened = |kind, what: &str, is_notice| Happened {
        time: "18:00:00".to_owned(),
        kind,
        what: what.to_owned(),
        is_notice,
    };
    Picture {
        status: GetStatusResponse { cell: "main".to_owned(), ..GetStatusResponse::default() },
        capacity: GetCapacityResponse {
            total: Some(region("", 12)),
            regions: vec![region("eu-west", 8), region("us", 4)],
            pending_tasks: 10,
            revision: 12_345,
            ..GetCapacityResponse::default()
        },
        jobs: vec![job("train", 10, 0), job("render", 0, 40)],
        tenants: vec![Tenant {
            name: "acme".to_owned(),
            weight: 2,
            usage: Some(usage),
            ..Tenant::default()
        }],
        events: VecDeque::from([
            happened("notice_given", "acme/render 3 on a1 by 18:02:00", true),
            happened("tasks_placed", "acme/render 40 tasks", false),
        ]),
        trouble: None,
    }
}

fn drawn(page: Page, lines: isize) -> String {
    let mut screen = Screen::default();
    screen.turn_to(page);
    screen.scroll(lines);
    text(&screen, &picture())
}

#[test]
fn every_page_fits_a_small_terminal() {
    expect![[r#"
        main  12 of 12 nodes ready  40 allocations  10 tasks waiting  revision 12,345
        cpu    [##########===============...............] owners  25% + lent  37% of 768
         1 Jobs   2 Tenants   3 Regions   4 Notices   5 Events
        JOB                               WAITING     PLACED  EACH TASK
        acme/train                             10          0  cpu 4
          12 nodes now without enough cpu_millis; at least 2000 more is needed
        acme/render                             0         40  cpu 4
















        Tab or 1-5 page  arrows scroll  space hold  q quit
    "#]]
    .assert_eq(&drawn(Page::Jobs, 0));
    expect![[r#"
        main  12 of 12 nodes ready  40 allocations  10 tasks waiting  revision 12,345
        cpu    [##########===============...............] owners  25% + lent  37% of 768
         1 Jobs   2 Tenants   3 Regions   4 Notices   5 Events
        TENANT                WEIGHT  PLACED    WAITING   HOLDS
        acme                  2       40        10        cpu 160


















        Tab or 1-5 page  arrows scroll  space hold  q quit
    "#]]
    .assert_eq(&drawn(Page::Tenants, 0));
    expect![[r#"
        main  12 of 12 nodes ready  40 allocations  10 tasks waiting  revision 12,345
        cpu    [##########===============...............] owners  25% + lent  37% of 768
         1 Jobs   2 Tenants   3 Regions   4 Notices   5 Events
        REGION                NODES   CPU         OWNERS   LENT     MAY BE LENT
        eu-west               8       512          25%      37%     cpu 160
        us                    4       256          25%      37%     cpu 80

















        Tab or 1-5 page  arrows scroll  space hold  q quit
    "#]]
    .assert_eq(&drawn(Page::Regions, 0));
    expect![[r#"
        main  12 of 12 nodes ready  40 allocations  10 tasks waiting  revision 12,345
        cpu    [##########===============...............] owners  25% + lent  37% of 768
         1 Jobs   2 Tenants   3 Regions   4 Notices   5 Events
        TIME      EVENT               WHAT
        18:00:00  notice_given        acme/render 3 on a1 by 18:02:00


















        Tab or 1-5 page  arrows scroll  space hold  q quit
    "#]]
    .assert_eq(&drawn(Page::Notices, 0));
    expect![[r#"
        main  12 of 12 nodes ready  40 allocations  10 tasks waiting  revision 12,345
        cpu    [##########===============...............] owners  25% + lent  37% of 768
         1 Jobs   2 Tenants   3 Regions   4 Notices   5 Events
        TIME      EVENT               WHAT
        18:00:00  tasks_placed        acme/render 40 tasks


















        Tab or 1-5 page  arrows scroll  space hold  q quit
    "#]]
    .assert_eq(&drawn(Page::Events, 1));
}

#[test]
fn an_empty_cell_and_a_lost_one_are_drawn() {
    let mut picture = Picture::default();
    expect![[r#"
        -  0 of 0 nodes ready  0 allocations  0 tasks waiting  revision 0
        cpu    [..........................................] owners   0% + lent   0% of 0
         1 Jobs   2 Tenants   3 Regions   4 Notices   5 Events
        nothing to show



















        Tab or 1-5 page  arrows scroll  space hold  q quit
    "#]]
    .assert_eq(&text(&Screen::default(), &picture));
    picture.trouble = Some("cannot reach the server ".repeat(10));
    let told = text(&Screen::default(), &picture);
    assert!(told.ends_with(
        "cannot reach the server cannot reach the server cannot reach the server cannot r\n"
    ));
}
