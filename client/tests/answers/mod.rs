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
            Tasks:       2 wait, 0 are placed
            Because:     there is not enough room now
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
            Tasks:  2 wait, 0 are placed
            There:  b is in another region
            As of:  revision 6
        "#]])
        .ends_with(0);
    cell.run("why acme/runs")
        .await
        .prints(&expect![[r#"
        Job:    acme/runs
        Tasks:  0 wait, 1 are placed
        As of:  revision 6
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
            Placed:           tasks 0 to 1 on b
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
        Placed:           task 0 on a
        Tenant asks for:  cpu 15, memory 3GiB
        As of:            revision 6
    "#]])
        .ends_with(0);
    let file = "kind: Tenant\nname: acme\n";
    cell.tool.run_with_input("plan -f -", file).await.ends_with(2);
}
