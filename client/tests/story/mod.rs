//! What became of a job, as `offpeak job status` tells it.

use expect_test::expect;

use super::Cell;

#[tokio::test]
async fn what_became_of_a_job_is_told_from_its_events() {
    let cell = Cell::new().await;
    cell.play(
        "node register a --owner shop --cpu 4 --memory 16GiB
         tenant create acme
         submit acme/train --count 6 --cpu 1 --memory 1GiB
         alloc report started 1
         alloc report started 2
         alloc report succeeded 1
         job update acme/train --count 5 --priority -1
         submit acme/urgent --cpu 1 --memory 1GiB",
    )
    .await;
    cell.run("job status acme/train acme/urgent").await.prints(&expect![[r#"
        acme/train runs: 4 placed (1 running), 1 succeeded
          2100-01-01T00:00:00Z  submitted: 6 tasks of cpu 1, memory 1GiB
          2100-01-01T00:00:00Z  4 tasks placed on a (tightest fit)
          2100-01-01T00:00:00Z  2 tasks began to run on a
          2100-01-01T00:00:00Z  task 0 ended on a: succeeded
          2100-01-01T00:00:00Z  task 4 placed on a (tightest fit)
          2100-01-01T00:00:00Z  task 5 ended: cancelled
          2100-01-01T00:00:00Z  changed: 5 tasks
          2100-01-01T00:00:00Z  changed: 5 tasks, priority -1
          2100-01-01T00:00:00Z  task 4 got notice on a until 2100-01-01T00:02:00Z: preempted, for acme/urgent, of higher priority

        acme/urgent waits: 1 pending
          2100-01-01T00:00:00Z  submitted: 1 task of cpu 1, memory 1GiB
        Waits for:  evictions that make room are under notice
                    1 node now without enough cpu_millis; at least 1000 more is needed
    "#]]).ends_with(0);
    cell.run("job cancel acme/train").await.ends_with(0);
    cell.run("job status acme/train").await.prints(&expect![[r#"
        acme/train succeeded: 1 succeeded, 4 cancelled
          2100-01-01T00:00:00Z  submitted: 6 tasks of cpu 1, memory 1GiB
          2100-01-01T00:00:00Z  4 tasks placed on a (tightest fit)
          2100-01-01T00:00:00Z  2 tasks began to run on a
          2100-01-01T00:00:00Z  task 0 ended on a: succeeded
          2100-01-01T00:00:00Z  task 4 placed on a (tightest fit)
          2100-01-01T00:00:00Z  task 5 ended: cancelled
          2100-01-01T00:00:00Z  changed: 5 tasks
          2100-01-01T00:00:00Z  changed: 5 tasks, priority -1
          2100-01-01T00:00:00Z  task 4 got notice on a until 2100-01-01T00:02:00Z: preempted, for acme/urgent, of higher priority
          2100-01-01T00:00:00Z  4 tasks ended on a: cancelled
          2100-01-01T00:00:00Z  the job ended: succeeded
    "#]]).ends_with(0);
    cell.run("job status acme/train acme/urgent -o name")
        .await
        .prints(&expect![[r#"
            job/acme/train
            job/acme/urgent
        "#]])
        .ends_with(0);
    cell.run("job status acme/none")
        .await
        .complains(&expect![[r#"
        error: job "none" of tenant "acme" does not exist
    "#]])
        .ends_with(3);
    cell.stop().await;
}
