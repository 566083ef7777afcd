//! Jobs from submission to their end.

use offpeak::v1::{
    Blocker, Constraints, CreateTenantRequest, GetJobRequest, Job, JobSpec, JobState, Node, Quota,
    Resources, SubmitJobRequest, TaskCounts, TaskOutcome, Tenant, UpdateJobRequest,
};
use offpeak_client::Error;
use tonic::Code;

use crate::house::{House, connect, cpu, job, job_with, node, refusal};

#[tokio::test]
async fn a_job_is_placed_and_watched_to_its_end() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let registered = house.register(vec![node("a")]).await;
    house.submit(job("train", 3, 1_000)).await;
    let mut lines = house.lines_after(registered);
    let placed = lines.expect(&["submitted acme/train", "placed acme/train 0..3 on a"]).await;
    let running = house.job("train", placed).await;
    assert_eq!(running.state(), JobState::Running);

    let ids: Vec<u64> = house.allocations_on("a").await.iter().map(|a| a.id).collect();
    let outcomes = [
        (ids[0], TaskOutcome::Started),
        (ids[0], TaskOutcome::Succeeded),
        (ids[1], TaskOutcome::Started),
        (ids[2], TaskOutcome::Succeeded),
        (77, TaskOutcome::Started),
    ];
    let reported = house.report(&outcomes).await;
    assert_eq!(reported.ignored_allocation_ids, [77]);
    let expected = [
        "started acme/train 0 on a",
        "succeeded acme/train 0 on a",
        "started acme/train 1 on a",
        "succeeded acme/train 2 on a",
    ];
    let revision = lines.expect(&expected).await;
    let counts = house.job("train", revision).await.tasks.expect("counts");
    assert_eq!(counts, TaskCounts { placed: 1, running: 1, succeeded: 2, ..TaskCounts::default() });

    let reported = house.report(&[(ids[1], TaskOutcome::Failed)]).await;
    lines.expect(&["failed acme/train 1 on a", "job acme/train failed"]).await;
    let ended = house.job("train", reported.revision).await;
    assert_eq!(ended.state(), JobState::Failed);
    assert!(ended.end_time.is_some());
    let again = house.report(&[(ids[1], TaskOutcome::Failed)]).await;
    assert_eq!(again.ignored_allocation_ids, [ids[1]]);
    house.stop().await;
}

#[tokio::test]
async fn the_first_allocation_can_be_told_from_none() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    let submitted = house.submit(job("train", 1, 1_000)).await;
    let mut lines = house.lines_after(submitted);
    lines.expect(&["placed acme/train 0 on a"]).await;
    let [allocation] = house.allocations_on("a").await.try_into().expect("one");
    assert_ne!(allocation.id, 0);
    house.stop().await;
}

#[tokio::test]
async fn a_waiting_job_tells_every_blocker_as_of_the_newest_revision() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let small = Node { capacity: Some(cpu(2_000)), ..node("small") };
    house.register(vec![node("a"), Node { region: "north".to_owned(), ..small }]).await;
    let constraints = Some(Constraints { regions: vec!["north".to_owned()], ..Default::default() });
    let request = Some(Resources { memory_bytes: 1 << 40, ..cpu(9_000) });
    let spec = JobSpec { request, constraints, ..JobSpec::default() };
    let submitted = house.submit(job_with("large", spec)).await;
    let told = |job: &Job| {
        let reasons = job.pending_reasons.iter();
        reasons.map(|reason| reason.message.clone()).collect::<Vec<_>>()
    };
    let waiting = house.job("large", submitted).await;
    assert_eq!(waiting.reasons_revision, submitted);
    let lacks = "2 nodes too small in cpu_millis; at least 1000 more is needed";
    assert_eq!(told(&waiting)[..2], ["1 node in another region", lacks]);
    assert_eq!(told(&waiting).len(), 3, "{waiting:?}");

    let registered = house.register(vec![node("b")]).await;
    let waiting = house.job("large", registered).await;
    assert_eq!(waiting.reasons_revision, registered);
    let lacks = "3 nodes too small in cpu_millis; at least 1000 more is needed";
    assert_eq!(told(&waiting)[..2], ["2 nodes in another region", lacks]);
    house.stop().await;
}

#[tokio::test]
async fn a_gang_is_placed_whole_or_not_at_all() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a"), node("b")]).await;
    let spec = JobSpec { count: 3, request: Some(cpu(6_000)), gang: true, ..JobSpec::default() };
    let submitted = house.submit(job_with("gang", spec)).await;
    let waiting = house.job("gang", submitted).await;
    assert_eq!(waiting.tasks.expect("counts").pending, 3);
    let blockers: Vec<Blocker> = waiting.pending_reasons.iter().map(|r| r.blocker()).collect();
    assert!(blockers.contains(&Blocker::Gang), "{blockers:?}");

    let mut lines = house.lines_after(submitted);
    house.register(vec![node("c")]).await;
    lines.expect(&["registered c", "placed acme/gang 0 on b 1 on c 2 on a"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_tenant_gets_no_more_than_its_quota() {
    let house = House::new().await;
    let quota = Some(Quota { cpu_millis: Some(4_000), ..Quota::default() });
    house.create(Tenant { name: "acme".to_owned(), quota, ..Tenant::default() }).await;
    house.submit(job("first", 3, 1_000)).await;
    let error = house.try_submit(job("second", 2, 1_000)).await.expect_err("too much");
    let Error::Refused(refused) = &error else { panic!("{error}") };
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::ResourceExhausted, "QUOTA_EXCEEDED")
    );
    assert_eq!(refused.violations.len(), 1, "{refused:?}");
    house.submit(job("third", 1, 1_000)).await;
    house.cancel("first").await;
    house.submit(job("second", 2, 1_000)).await;
    house.stop().await;
}

#[tokio::test]
async fn a_job_grows_and_shrinks_by_its_count() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    let submitted = house.submit(job("train", 2, 1_000)).await;
    let mut lines = house.lines_after(submitted);
    lines.expect(&["placed acme/train 0..2 on a"]).await;
    let resize = |count| UpdateJobRequest {
        job: Some(job("train", count, 0)),
        update_mask: Some(prost_types::FieldMask { paths: vec!["spec.count".to_owned()] }),
        ..UpdateJobRequest::default()
    };
    house.client.call(resize(4)).await.expect("grown");
    lines.expect(&["resized acme/train to 4", "placed acme/train 2..4 on a"]).await;
    let shrunk = house.client.call(resize(1)).await.expect("shrunk").revision;
    let expected = [
        "cancelled acme/train 1 on a",
        "cancelled acme/train 2 on a",
        "cancelled acme/train 3 on a",
        "resized acme/train to 1",
    ];
    lines.expect(&expected).await;
    let found = house.job("train", shrunk).await;
    assert_eq!(found.tasks, Some(TaskCounts { placed: 1, ..TaskCounts::default() }));
    assert_eq!(found.spec.expect("a spec").count, 1);
    house.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_makes_room_for_the_next() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    house.submit(job("first", 2, 4_000)).await;
    let submitted = house.submit(job("second", 1, 8_000)).await;
    let waiting = house.job("second", submitted).await;
    let [reason] = waiting.pending_reasons.as_slice() else { panic!("{waiting:?}") };
    assert_eq!((reason.blocker(), reason.smallest_shortfall), (Blocker::Headroom, 8_000));

    let mut lines = house.lines_after(submitted);
    house.cancel("first").await;
    let expected = [
        "cancelled acme/first 0 on a",
        "cancelled acme/first 1 on a",
        "job acme/first cancelled",
        "placed acme/second 0 on a",
    ];
    lines.expect(&expected).await;
    // An ended job is kept for an hour.
    house.advance(3_600);
    lines.expect(&["forgot acme/first"]).await;
    house.stop().await;
}

#[tokio::test]
async fn higher_priority_takes_the_room_after_a_notice() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    house.submit(job("low", 1, 8_000)).await;
    let spec = JobSpec { priority: 10, request: Some(cpu(8_000)), ..JobSpec::default() };
    let submitted = house.submit(job_with("high", spec)).await;
    let mut lines = house.lines_after(submitted);
    lines.expect(&["notice acme/low 0 on a: preempted"]).await;
    house.advance(60);
    let expected = ["evicted acme/low 0 from a: preempted", "placed acme/high 0 on a"];
    lines.expect(&expected).await;
    house.stop().await;
}

#[tokio::test]
async fn a_request_sent_again_gets_its_first_answer() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let request = SubmitJobRequest {
        job: Some(job("", 1, 1_000)),
        request_id: "once".to_owned(),
        validate_only: false,
    };
    let first = house.client.call(request.clone()).await.expect("submitted");
    let again = house.client.call(request.clone()).await.expect("the first answer");
    assert_eq!(again, first);
    let other = SubmitJobRequest { job: Some(job("", 2, 1_000)), ..request.clone() };
    let answer = house.client.call(other).await;
    assert_eq!(refusal(answer), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));

    let house = house.restart().await;
    let again = house.client.call(request).await.expect("the first answer");
    assert_eq!(again, first);
    house.stop().await;
}

#[tokio::test]
async fn a_validated_request_changes_nothing() {
    let house = House::new().await;
    let tenant = Some(Tenant { name: "acme".to_owned(), ..Tenant::default() });
    let request = CreateTenantRequest { tenant, validate_only: true, ..Default::default() };
    house.client.call(request.clone()).await.expect("valid");
    let request = CreateTenantRequest { validate_only: false, ..request };
    house.client.call(request.clone()).await.expect("created");
    let request = CreateTenantRequest { validate_only: true, request_id: String::new(), ..request };
    let answer = house.client.call(request).await;
    assert_eq!(refusal(answer), (Code::AlreadyExists, "TENANT_EXISTS".to_owned()));
    house.stop().await;
}

#[tokio::test]
async fn who_names_a_revision_reads_what_was_written() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let reader = connect(house.server.address()).await;
    for index in 0..100 {
        let name = format!("job-{index}");
        let min_revision = house.submit(job(&name, 1, 1_000)).await;
        let request = GetJobRequest { tenant: "acme".to_owned(), name, min_revision };
        let read = reader.call(request).await.expect("it is there");
        assert!(read.revision >= min_revision);
    }
    house.stop().await;
}
