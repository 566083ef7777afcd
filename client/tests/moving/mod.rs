//! Tasks that leave before their notice ends, as the command line tells it.

use expect_test::expect;

use super::Cell;

#[tokio::test]
async fn who_moves_and_who_is_released_is_told() {
    let cell = Cell::new().await;
    cell.play(
        "node register a --owner shop --cpu 4 --memory 16GiB
         tenant create acme
         submit -t acme --name moves --cpu 1 --memory 1GiB --on-notice move
         submit -t acme --name stays --cpu 1 --memory 1GiB --notice 1m
         node register b --owner shop --cpu 4 --memory 16GiB",
    )
    .await;
    cell.run("alloc report released 2")
        .await
        .complains(&expect![[r#"
        error: allocation 2 is not under notice: a task can be released only while one is announced
    "#]])
        .ends_with(5);
    cell.run("node drain a --grace 5m").await.ends_with(0);
    cell.run("alloc report released 2")
        .await
        .prints(&expect![[r#"
        alloc/2 released
    "#]])
        .ends_with(0);
    cell.run("alloc report released 2")
        .await
        .prints(&expect![[r#"
        alloc/2 is not live any more, ignored
    "#]])
        .ends_with(0);
    cell.run("events --kinds notice_given,task_evicted,tasks_placed")
        .await
        .prints(&expect![[r#"
            4         2100-01-01T00:00:00Z  tasks_placed        acme/moves[0] on a (tightest fit)
            6         2100-01-01T00:00:00Z  tasks_placed        acme/stays[0] on a (tightest fit)
            8         2100-01-01T00:00:00Z  notice_given        acme/moves[0] on a node-drained, until 2100-01-01T00:05:00Z
            8         2100-01-01T00:00:00Z  notice_given        acme/stays[0] on a node-drained, until 2100-01-01T00:05:00Z
            9         2100-01-01T00:00:00Z  task_evicted        acme/moves[0] on a node-drained, moved to b before its notice ended
            9         2100-01-01T00:00:00Z  tasks_placed        acme/moves[0] on b (tightest fit)
            10        2100-01-01T00:00:00Z  task_evicted        acme/stays[0] on a node-drained, released before its notice ended
            11        2100-01-01T00:00:00Z  tasks_placed        acme/stays[0] on b (tightest fit)
        "#]])
        .ends_with(0);
    let told = cell.run("job get acme/moves").await.stdout;
    assert!(told.contains("On notice:    moves"), "{told}");
    cell.stop().await;
}

#[tokio::test]
async fn a_plan_tells_who_would_move() {
    let cell = Cell::new().await;
    cell.play(
        "node register a --owner shop --region eu --cpu 4 --memory 16GiB
         tenant create acme
         submit -t acme --name moves --cpu 4 --memory 1GiB --on-notice move
         node register b --owner shop --region us --cpu 4 --memory 16GiB",
    )
    .await;
    let plan = "plan -t acme --cpu 4 --memory 1GiB --region eu --priority 5";
    let told = cell.run(plan).await.stdout;
    assert!(told.contains("task 0 on a (tightest fit)\n"), "{told}");
    assert!(told.contains(": preempted, moves to b at once\n"), "{told}");
    cell.stop().await;
}

#[tokio::test]
async fn what_is_to_happen_on_notice_is_changed_and_compared() {
    let cell = Cell::new().await;
    cell.play(
        "tenant create acme
         submit -t acme --name train --count 2 --cpu 1 --memory 1GiB
         submit -t acme --name gang --gang --count 2 --cpu 1 --memory 1GiB
         job update acme/train --on-notice move",
    )
    .await;
    let told = cell.run("job get acme/train -o json").await.stdout;
    assert!(told.contains("ON_NOTICE_MOVE"), "{told}");
    let file = |on_notice: &str| {
        format!(
            "kind: Job\ntenant: acme\nname: train\nspec:\n  count: 2\n  onNotice: {on_notice}\n  \
             request: {{cpuMillis: 1000, memoryBytes: 1073741824}}\n"
        )
    };
    cell.tool.run_with_input("diff -f -", &file("ON_NOTICE_MOVE")).await.ends_with(0);
    let differs = cell.tool.run_with_input("diff -f -", &file("ON_NOTICE_STAY")).await;
    differs
        .prints(&expect![[r#"
        job/acme/train changed
          spec.onNotice: ON_NOTICE_MOVE -> ON_NOTICE_STAY
    "#]])
        .ends_with(1);
    cell.tool.run_with_input("apply -f -", &file("ON_NOTICE_STAY")).await.ends_with(0);
    let told = cell.run("job get acme/train").await.stdout;
    assert!(told.contains("On notice:    stays"), "{told}");
    cell.run("events --kinds job_updated").await.prints(&expect![[r#"
        4         2100-01-01T00:00:00Z  job_updated         acme/train count 2, priority 0, moves on notice
        5         2100-01-01T00:00:00Z  job_updated         acme/train count 2, priority 0
    "#]]).ends_with(0);
    cell.run("job update acme/gang --on-notice move").await.complains(&expect![[r#"
        error: on_notice cannot be MOVE for a gang, which goes as a whole: only STAY is accepted
          job.spec.on_notice: on_notice cannot be MOVE for a gang, which goes as a whole: only STAY is accepted
    "#]]).ends_with(1);
    cell.run("submit -t acme --gang --cpu 1 --memory 1GiB --on-notice move")
        .await
        .complains(&expect![[r#"
            error: job.spec.on_notice: cannot be MOVE for a gang, which goes as a whole; leave one of the two out
        "#]])
        .ends_with(1);
    cell.stop().await;
}
