//! Jobs that are tried again, wait for others, say what their tasks run, are cancelled with grace or change in place.

use offpeak::v1::{
    Blocker, CancelJobRequest, CancelJobResponse, Dependency, DependencyCondition,
    GetTaskPayloadRequest, Job, JobSpec, JobState, Payload, RetryPolicy, TaskOutcome,
    UpdateJobRequest, UpdateOwnerRequest,
};
use offpeak_client::{Error, WatchMessage, WatchOptions, WatchStart};
use prost_types::{Duration, FieldMask};
use tokio::time::timeout;
use tonic::Code;

use crate::{
    fold::{Fold, Lists},
    house::{House, PATIENCE, cpu, job, job_with, node, refusal},
};

fn after(names: &[&str], condition: DependencyCondition) -> Vec<Dependency> {
    let on = |name: &&str| Dependency { job: (*name).to_owned(), condition: condition.into() };
    names.iter().map(on).collect()
}

fn waiting(name: &str, dependencies: Vec<Dependency>) -> Job {
    job_with(name, JobSpec { dependencies, request: Some(cpu(1_000)), ..JobSpec::default() })
}

fn retried(name: &str, retries: u32) -> Job {
    let retry = Some(RetryPolicy {
        max_failures: retries,
        backoff: Some(Duration { seconds: 30, nanos: 0 }),
        ..RetryPolicy::default()
    });
    job_with(name, JobSpec { retry, request: Some(cpu(1_000)), ..JobSpec::default() })
}

async fn fail(house: &House, on: &str) {
    let [first, ..] = &house.allocations_on(on).await[..] else { panic!("a task runs") };
    house.report(&[(first.id, TaskOutcome::Failed)]).await;
}

async fn cancel_with_grace(house: &House, name: &str, seconds: i64) -> CancelJobResponse {
    let request = CancelJobRequest {
        tenant: "acme".to_owned(),
        name: name.to_owned(),
        grace: Some(Duration { seconds, nanos: 0 }),
        ..CancelJobRequest::default()
    };
    house.client.call(request).await.expect("cancelled")
}

async fn update(house: &House, job: Job, path: &str, revision: u64) -> Result<u64, Error> {
    let request = UpdateJobRequest {
        job: Some(job),
        update_mask: Some(FieldMask { paths: vec![path.to_owned()] }),
        expected_revision: revision,
        ..UpdateJobRequest::default()
    };
    Ok(house.client.call(request).await?.revision)
}

#[tokio::test]
async fn a_failed_task_is_tried_again_also_after_a_restart() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    let submitted = house.submit(retried("train", 1)).await;
    fail(&house, "a").await;
    let mut lines = house.lines_after(submitted);
    let delayed = lines.expect(&["placed acme/train 0 on a", "delayed acme/train 0 on a: failed"]);
    let found = house.job("train", delayed.await).await;
    let reasons: Vec<Blocker> = found.pending_reasons.iter().map(|r| r.blocker()).collect();
    assert_eq!((found.tasks.expect("counts").delayed, reasons), (1, vec![Blocker::Backoff]));
    assert!(found.next_retry_time.is_some());

    let house = house.restart().await;
    house.advance(30);
    let mut lines = house.lines_after(found.reasons_revision);
    lines.expect(&["resumed acme/train 0", "placed acme/train 0 on a"]).await;
    assert_eq!(house.allocations_on("a").await[0].attempt, 2);
    fail(&house, "a").await;
    lines.expect(&["failed acme/train 0 on a", "job acme/train failed"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_job_tells_what_it_waits_for_and_why_it_was_cancelled() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    house.submit(job("extract", 1, 1_000)).await;
    let success = after(&["extract"], DependencyCondition::Success);
    let submitted = house.submit(waiting("load", success)).await;
    house.submit(waiting("clean", after(&["extract"], DependencyCondition::End))).await;
    let found = house.job("load", submitted).await;
    assert_eq!(found.waits_for, ["extract"]);
    assert_eq!(found.pending_reasons[0].blocker(), Blocker::Dependency);
    assert_eq!(found.pending_reasons[0].message, "waits for extract");
    let house = house.restart().await;
    fail(&house, "a").await;
    let ended = house.job("load", 0).await;
    assert_eq!(ended.state(), JobState::Cancelled);
    assert_eq!(ended.end_reason, "dependency failed: extract");
    assert_eq!(house.job("clean", 0).await.tasks.expect("counts").placed, 1);
    let unknown = waiting("late", after(&["nothing"], DependencyCondition::End));
    let refused = refusal(house.try_submit(unknown).await);
    assert_eq!(refused, (Code::NotFound, "DEPENDENCY_NOT_FOUND".to_owned()));
    house.stop().await;
}

#[tokio::test]
async fn whoever_runs_a_task_is_told_what() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    let payload = Payload {
        command: vec!["render".to_owned(), "--frame={index}".to_owned()],
        environment: [("OF".to_owned(), "{count} of {tenant}/{job}".to_owned())].into(),
        first_index: 10,
        index_step: 5,
        ..Payload::default()
    };
    let spec = JobSpec {
        count: 2,
        request: Some(cpu(1_000)),
        payload: Some(payload.clone()),
        ..JobSpec::default()
    };
    let submitted = house.submit(job_with("film", spec)).await;
    assert_eq!(house.job("film", submitted).await.spec.expect("a spec").payload, Some(payload));
    let placed = house.allocations_on("a").await;
    let request = |allocation_id| GetTaskPayloadRequest { allocation_id, min_revision: 0 };
    let told = house.client.call(request(placed[1].id)).await.expect("told");
    let payload = told.payload.expect("a payload");
    assert_eq!((told.index, payload.command[1].as_str()), (15, "--frame=15"));
    assert_eq!(payload.environment["OF"], "2 of acme/film");
    let gone = refusal(house.client.call(request(77)).await);
    assert_eq!(gone, (Code::NotFound, "ALLOCATION_NOT_FOUND".to_owned()));
    house.stop().await;
}

#[tokio::test]
async fn cancel_with_grace_gives_notice_first() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    house.submit(job("train", 10, 1_000)).await;
    let cancelled = cancel_with_grace(&house, "train", 30).await.revision;
    let mut lines = house.lines_after(cancelled - 1);
    let notices: Vec<String> =
        (0..8).map(|task| format!("notice acme/train {task} on a: cancelled")).collect();
    let mut expected: Vec<&str> = notices.iter().map(String::as_str).collect();
    expected.push("cancelled acme/train 8..10");
    lines.expect(&expected).await;
    house.advance(30);
    let ends: Vec<String> =
        (0..8).map(|task| format!("cancelled acme/train {task} on a")).collect();
    let mut expected: Vec<&str> = ends.iter().map(String::as_str).collect();
    expected.push("job acme/train cancelled");
    lines.expect(&expected).await;
    house.stop().await;
}

#[tokio::test]
async fn a_job_changes_in_place_if_nobody_else_changed_it() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    house.submit(job("low", 8, 1_000)).await;
    let submitted = house.submit(job("train", 1, 8_000)).await;
    let raised = |priority| job_with("train", JobSpec { priority, count: 3, ..JobSpec::default() });
    let changed = update(&house, raised(10), "spec.priority", submitted).await.expect("changed");
    let found = house.job("train", changed).await;
    let spec = found.spec.expect("a spec");
    assert_eq!((spec.priority, spec.count, found.revision), (10, 1, changed));
    assert!(house.allocations_on("a").await.iter().all(|allocation| allocation.notice.is_some()));
    let stale = refusal(update(&house, raised(0), "spec.priority", submitted).await);
    assert_eq!(stale, (Code::Aborted, "STALE_REVISION".to_owned()));
    house.cancel("train").await;
    assert!(house.allocations_on("a").await.iter().all(|allocation| allocation.notice.is_none()));
    house.stop().await;
}

#[tokio::test]
async fn annotations_are_kept_of_owners_too() {
    let house = House::new().await;
    let owner = offpeak::v1::Owner {
        name: "web".to_owned(),
        labels: [("team".to_owned(), "edge".to_owned())].into(),
        annotations: [("runbook".to_owned(), "see the wiki, page 7".to_owned())].into(),
        ..offpeak::v1::Owner::default()
    };
    let paths = ["labels", "annotations"].map(str::to_owned).to_vec();
    let request = UpdateOwnerRequest {
        owner: Some(owner.clone()),
        update_mask: Some(FieldMask { paths }),
        ..UpdateOwnerRequest::default()
    };
    house.client.call(request).await.expect("updated");
    let house = house.restart().await;
    let request = offpeak::v1::GetOwnerRequest { name: "web".to_owned(), min_revision: 0 };
    let found = house.client.call(request).await.expect("found").owner.expect("an owner");
    assert_eq!((found.labels, found.annotations), (owner.labels, owner.annotations));
    house.stop().await;
}

#[tokio::test]
async fn grown_jobs_folded_from_their_watch_are_as_listed() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    let many = |mut job: Job| {
        job.spec.as_mut().expect("a spec").count = 3;
        job
    };
    house.submit(many(retried("first", 2))).await;
    house.submit(waiting("hopes", after(&["first"], DependencyCondition::Success))).await;
    house.submit(many(waiting("goes", after(&["first", "hopes"], DependencyCondition::End)))).await;
    house.submit(waiting("waits", after(&["goes"], DependencyCondition::End))).await;
    fail(&house, "a").await;
    house.advance(10);
    fail(&house, "a").await;
    let grown = job_with("goes", JobSpec { count: 5, ..JobSpec::default() });
    update(&house, grown, "spec.count", 0).await.expect("grown");
    let higher = job_with("first", JobSpec { priority: 3, ..JobSpec::default() });
    update(&house, higher, "spec.priority", 0).await.expect("raised");
    let mut fold = Fold::default();
    let mut watch = house.client.watch(WatchOptions::new(WatchStart::After(0)));
    for cancels in [false, true] {
        if cancels {
            house.cancel("first").await;
            cancel_with_grace(&house, "goes", 60).await;
        }
        let lists = Lists::read(&house.client).await.expect("lists");
        lists.check();
        while watch.revision().is_none_or(|through| through < lists.revision) {
            let message = timeout(PATIENCE, watch.next()).await.expect("it goes on");
            if let WatchMessage::Events(batch) = message.expect("no error") {
                batch.events.iter().for_each(|event| fold.apply(event));
            }
        }
        assert_eq!(fold.objects(), lists.objects);
    }
    house.stop().await;
}
