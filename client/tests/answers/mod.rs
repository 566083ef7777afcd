//! Questions on the command line: why a job waits, and what submitting one would come to.

use expect_test::expect;

use crate::Cell;

/// A cell with a node in each of two regions, of which one is full, and a job that waits for it.
async fn cell() -> Cell {
    let cell = Cell::new().await;
    for command in [
        "node register a --owner shop --region eu --cpu 8 --memory 16GiB",
        "node register b --owner shop --region us --cpu 8 --memory 16GiB",
        "tenant create acme",
        "submit --tenant acme --name runs --cpu 6 --memory 1GiB --region eu",
        "submit --tenant acme --name waits --count 2 --cpu 4 --memory 1GiB --region eu",
    ] {
        cell.run(command).await.ends_with(0);
    }
    cell
}

#[tokio::test]
async fn why_tells_every_blocker_and_what_would_help() {
    let cell = cell().await;
    cell.run("why acme/waits")
        .await
        .prints(&expect![[r#"
            Job:         acme/waits
            Tasks:       2 pending
            In short:    2 tasks wait: there is not enough room now; would start now: 1 core a task instead of 4 cores
            Nodes:       2 nodes, of which 1 may take the tasks and 1 are large enough
            Blockers:    1 node in another region
                         1 node now without enough cpu_millis; at least 2000 more is needed
            Nearest:     a lacks 2000 cpu_millis now
            Starts now:  1 core a task instead of 4 cores
                         in the region us
            As of:       revision 6
        "#]])
        .ends_with(0);
    cell.run("why acme/waits --node b")
        .await
        .prints(&expect![[r#"
            Job:    acme/waits
            Tasks:  2 pending
            There:  b is in another region
            As of:  revision 6
        "#]])
        .ends_with(0);
    cell.run("why acme/runs")
        .await
        .prints(&expect![[r#"
            Job:       acme/runs
            Tasks:     1 placed
            In short:  no task waits
            As of:     revision 6
        "#]])
        .ends_with(0);
    cell.run("why acme/waits --node c").await.ends_with(3);
}

#[tokio::test]
async fn a_plan_lists_where_tasks_would_go_and_who_would_have_to() {
    let cell = cell().await;
    let flags = "--tenant acme --name next --cpu 4 --memory 1GiB";
    cell.run(&format!("plan {flags} --count 3"))
        .await
        .prints(&expect![[r#"
            Job:              acme/next
            Tasks:            2 would be placed, 1 would wait
            Placed:           tasks 0 to 1 on b (tightest fit)
            Waits for:        2 nodes now without enough cpu_millis; at least 2000 more is needed
            Starts now:       2.6 cores a task instead of 4 cores
            Tenant asks for:  cpu 26, memory 6GiB
            As of:            revision 6
        "#]])
        .ends_with(0);
    let preempting = format!("plan {flags} --region eu --priority 5 -o jsonl");
    cell.run(&preempting).await.ends_with(0);
    let file = "kind: Job\ntenant: acme\nname: filed\nspec: {request: {cpuMillis: 1000}}\n";
    cell.tool
        .run_with_input("plan -f -", file)
        .await
        .prints(&expect![[r#"
            Job:              acme/filed
            Tasks:            1 would be placed, 0 would wait
            Placed:           task 0 on a (tightest fit)
            Tenant asks for:  cpu 15, memory 3GiB
            As of:            revision 6
        "#]])
        .ends_with(0);
    let file = "kind: Tenant\nname: acme\n";
    cell.tool.run_with_input("plan -f -", file).await.ends_with(2);
}

/// What `why` says first of a job.
async fn in_short(cell: &Cell, job: &str) -> String {
    let told = cell.run(&format!("why {job} -o json")).await.stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let tier = told["tier"].as_str().unwrap_or("none");
    format!("{tier}: {}", told["summary"].as_str().expect("a sentence"))
}

#[tokio::test]
async fn why_tells_apart_what_keeps_a_job_waiting() {
    let cell = cell().await;
    cell.play(
        "submit --tenant acme --name gang --gang --count 3 --cpu 4 --memory 1GiB
         submit --tenant acme --name after --after runs --cpu 1 --memory 1GiB
         submit --tenant acme --name lost --cpu 1 --memory 1GiB --region mars
         submit --tenant acme --name again --retries 3 --cpu 2 --memory 1GiB --region us
         alloc report failed 2",
    )
    .await;
    expect!["WAIT_TIER_CAPACITY: 3 tasks wait: there is room for some, but all must start together; would start now: 2.6 cores a task instead of 4 cores"]
        .assert_eq(&in_short(&cell, "acme/gang").await);
    expect!["WAIT_TIER_DEPENDENCY: 1 task waits: other jobs must end first"]
        .assert_eq(&in_short(&cell, "acme/after").await);
    expect!["WAIT_TIER_MISCONFIGURED: 1 task waits: no node meets the constraints; would start now: in the region eu"]
        .assert_eq(&in_short(&cell, "acme/lost").await);
    expect!["WAIT_TIER_BACKOFF: 1 task waits: it failed, and is not tried again yet"]
        .assert_eq(&in_short(&cell, "acme/again").await);
    cell.play("node cordon a").await;
    expect!["WAIT_TIER_CAPACITY: 2 tasks wait: every node that meets the constraints is cordoned, draining or lost; would start now: in the region us"]
        .assert_eq(&in_short(&cell, "acme/waits").await);
}

#[tokio::test]
async fn why_tells_of_budgets_and_planned_starts() {
    let cell = Cell::new().await;
    cell.play("price set --currency EUR --core 1").await;
    // Work that was placed before there were prices costs nothing.
    cell.advance(1_000);
    cell.play(
        "node register a --owner shop --cpu 8 --memory 16GiB
         tenant create acme
         tenant create lab
         submit --tenant lab --name runs --cpu 6 --memory 1GiB --max-runtime 2h
         submit --tenant acme --name planned --cpu 4 --memory 1GiB --max-runtime 1h",
    )
    .await;
    cell.advance(5_000);
    cell.play("tenant update lab --weight 2").await;
    expect!["WAIT_TIER_PLANNED_START: 1 task waits: a start is planned and has not come yet"]
        .assert_eq(&in_short(&cell, "acme/planned").await);
    cell.play(
        "tenant update lab --budget-stop-new 0.05
         submit --tenant lab --name held --cpu 3 --memory 1GiB",
    )
    .await;
    cell.advance(60_000);
    cell.play("tenant update acme --weight 2").await;
    expect!["WAIT_TIER_OVER_BUDGET: 1 task waits: the tenant's budget is used up"]
        .assert_eq(&in_short(&cell, "lab/held").await);
}

#[tokio::test]
async fn a_question_that_cannot_be_meant_is_refused() {
    let cell = cell().await;
    let mut refusals = String::new();
    for asked in [
        "plan",
        "eta --tenant acme",
        "eta acme/waits --name other",
        "eta acme/waits --cpu 2",
        "eta acme/waits -f job.yaml",
        "eta acme/waits --set a=b",
        "plan --cpu 2 --wait",
        "eta --cpu 2 --dry-run",
        "submit --tenant acme --count 2 --set a=b",
    ] {
        let refused = cell.run(asked).await;
        refused.ends_with(2);
        refusals += refused.stderr.lines().next().unwrap_or_default();
        refusals.push('\n');
    }
    expect![[r#"
        error: name a file with a job, or describe one
        error: name a job, or describe one
        error: the argument '[JOB]' cannot be used with '--name <NAME>'
        error: the argument '[JOB]' cannot be used with:
        error: the argument '[JOB]' cannot be used with '--file <FILE>'
        error: the argument '[JOB]' cannot be used with '--set <NAME=VALUE>'
        error: unexpected argument '--wait' found
        error: unexpected argument '--dry-run' found
        error: the argument '--count <COUNT>' cannot be used with '--set <NAME=VALUE>'
    "#]]
    .assert_eq(&refusals);
}

#[tokio::test]
async fn a_plan_counts_what_counts_against_the_quota() {
    let cell = cell().await;
    cell.play(
        "tenant create child --parent acme
         submit --tenant child --name own --cpu 3 --memory 1GiB",
    )
    .await;
    let planned = cell.run("plan --tenant acme --cpu 1 --memory 1GiB").await;
    let asked = planned.stdout.lines().find(|line| line.starts_with("Tenant asks for"));
    expect!["Tenant asks for:  cpu 18, memory 5GiB"].assert_eq(asked.unwrap_or_default());
}

#[tokio::test]
async fn eta_tells_when_a_job_started_or_why_nobody_knows() {
    let cell = Cell::new().await;
    cell.play("price set --currency EUR --core 0.5").await;
    cell.advance(1_000);
    cell.play(
        "node register a --owner shop --cpu 8 --memory 16GiB
         tenant create acme
         submit --tenant acme --name runs --cpu 6 --memory 1GiB --max-runtime 2h
         submit --tenant acme --name lost --cpu 1 --memory 1GiB --region mars",
    )
    .await;
    cell.advance(60_000);
    cell.play("tenant update acme --weight 2").await;
    for (asked, told) in [
        (
            "eta acme/runs",
            expect![[r#"
            Job:         acme/runs
            Started:     2100-01-01T00:00:01Z
            Left alone:  100% likely for 60m
            Costs:       6.00 EUR
            As of:       revision 7
        "#]],
        ),
        (
            "eta acme/lost",
            expect![[r#"
            Job:        acme/lost
            Starts:     not within a week, or not known
            Waits for:  1 node in another region
            As of:      revision 7
        "#]],
        ),
        (
            "eta --tenant acme --cpu 1 --memory 1GiB --region mars",
            expect![[r#"
            Job:        acme/job-3
            Starts:     not within a week, or not known
            Waits for:  1 node in another region
            As of:      revision 7
        "#]],
        ),
        (
            "eta --tenant acme --name next --cpu 2 --memory 1GiB --max-runtime 1h",
            expect![[r#"
            Job:         acme/next
            Starts:      now
            Left alone:  100% likely for 60m
            Costs:       1.00 EUR
            As of:       revision 7
        "#]],
        ),
        (
            "eta --tenant acme --name next --cpu 4 --memory 1GiB --max-runtime 1h",
            expect![[r#"
            Job:         acme/next
            Starts:      half by 2100-01-01T02:00:01Z
            Left alone:  100% likely for 60m
            Costs:       2.00 EUR
            As of:       revision 7
        "#]],
        ),
        (
            "cell scorecard",
            expect![[r#"
            Quotes:   0, 0 open, 0 withdrawn
            Started:  none of those jobs yet: nothing was scored
            As of:    revision 7
        "#]],
        ),
    ] {
        super::without_distances(cell.run(asked).await).prints(&told).ends_with(0);
    }
}

#[tokio::test]
async fn events_tell_points_in_time_and_no_distances() {
    let cell = Cell::new().await;
    cell.play(
        "node register a --owner shop --cpu 8 --memory 16GiB
         tenant create acme
         submit --tenant acme --name runs --cpu 6 --memory 1GiB --max-runtime 2h
         submit --tenant acme --name next --cpu 4 --memory 1GiB --max-runtime 1h",
    )
    .await;
    cell.advance(5_000);
    cell.play("tenant update acme --weight 2").await;
    cell.run("events --since 0 --kinds start_planned").await.prints(&expect![[r#"
        6         2100-01-01T00:00:05Z  start_planned       acme/next 1 task on a at 2100-01-01T02:00:00Z
    "#]]).ends_with(0);
}

#[tokio::test]
async fn little_quota_left_is_told_before_a_job_is_refused() {
    let cell = Cell::new().await;
    cell.play(
        "node register a --owner shop --cpu 8 --memory 16GiB
         tenant create acme --quota-cpu 4
         submit acme/most --cpu 3.7 --memory 1GiB",
    )
    .await;
    let told = cell.run("tenant get acme").await.stdout;
    assert!(told.contains("cpu 4; little is left\n"), "{told}");
    cell.play("job cancel acme/most").await;
    cell.run("events --since 0 --kinds quota_turned").await.prints(&expect![[r#"
        3         2100-01-01T00:00:00Z  quota_turned        acme little of its quota is left: 92.5% of a limit is asked for
        5         2100-01-01T00:00:00Z  quota_turned        acme enough quota is left: 0% of a limit is asked for
    "#]]).ends_with(0);
    let told = cell.run("tenant get acme").await.stdout;
    assert!(!told.contains("little is left"), "{told}");
    cell.stop().await;
}
