//! Resources, counts, times and lengths of time.

use std::collections::BTreeMap;

use offpeak::v1::{
    self, DrainNodeRequest, GetNodeRequest, ReportLoadRequest, ReportTasksRequest,
    UpdateJobRequest, WatchRequest, event::Kind, watch_request::Start,
};
use prost_types::{Duration, Timestamp};
use tonic::Code;

use crate::{
    house::{House, cpu, create_tenant, first, mask, node, register, spec, submit},
    refusal::check,
};

const MOST: u64 = 1 << 50;

fn asking(request: v1::Resources) -> v1::JobSpec {
    v1::JobSpec { request: Some(request), ..spec() }
}

#[tokio::test]
async fn tasks_that_ask_for_nothing_or_too_much_are_refused() {
    let house = House::furnished().await;
    let counted =
        |amount| v1::Resources { counts: BTreeMap::from([("seats".into(), amount)]), ..cpu(1) };
    let gpus = |gpu_millis| v1::Resources { gpu_millis, ..cpu(1) };
    let none = v1::Resources { counts: BTreeMap::from([("seats".into(), 0)]), ..cpu(0) };
    let own = v1::Resources { counts: BTreeMap::from([("tasks".into(), 1)]), ..cpu(1) };
    let above = "more than the 1125899906842624 allowed";
    let rows = [
        (cpu(0), "job.spec.request", "must ask for something"),
        (none, "job.spec.request", "must ask for something"),
        (cpu(MOST + 1), "job.spec.request.cpu_millis", above),
        (cpu(u64::MAX), "job.spec.request.cpu_millis", above),
        (
            v1::Resources { memory_bytes: u64::MAX, ..cpu(1) },
            "job.spec.request.memory_bytes",
            above,
        ),
        (counted(u64::MAX), "job.spec.request.counts[\"seats\"]", above),
        (own, "job.spec.request.counts[\"tasks\"]", "is the name of a dimension of its own"),
        (gpus(1_500), "job.spec.request.gpu_millis", "a multiple of 1000"),
        (gpus(65_000), "job.spec.request.gpu_millis", "at most 64 devices"),
    ];
    for (request, field, says) in rows {
        let call = house.jobs.clone().submit_job(submit("j", asking(request))).await;
        house.refuses_fields(async { call }, &[(field, says)]).await;
    }
}

#[tokio::test]
async fn request_times_count_must_not_overflow() {
    let house = House::furnished().await;
    let wide = v1::JobSpec { count: 1_000_000, ..asking(cpu(MOST)) };
    let wrong = [("job.spec.request", "times 1000000 tasks is more than can be counted")];
    let mut jobs = house.jobs.clone();
    house.refuses_fields(jobs.submit_job(submit("j", wide)), &wrong).await;

    // Each is small enough; the tenant's sum is not.
    let large = v1::JobSpec { count: 10_000, ..asking(cpu(MOST)) };
    jobs.submit_job(submit("j", large.clone())).await.expect("accepted");
    let call = jobs.submit_job(submit("k", large));
    let (details, message) = house.refuses(call, Code::InvalidArgument, "REQUEST_OVERFLOW").await;
    let wrong = &details.bad_request().expect("a BadRequest").field_violations;
    assert_eq!(wrong[0].field, "job.spec.request");
    assert!(message.contains("10000 tasks"), "{message}");
}

#[tokio::test]
async fn a_job_must_not_grow_beyond_what_can_be_counted_once_tasks_have_ended() {
    let house = House::start().await;
    house.tenants.clone().create_tenant(create_tenant("a")).await.expect("created");
    let mut watch = house.watch_now().await;
    let huge = v1::Node { capacity: Some(cpu(MOST)), ..node("n") };
    house.nodes.clone().register_nodes(register(vec![huge])).await.expect("registered");
    let mut jobs = house.jobs.clone();
    let widest = v1::JobSpec { count: 16_383, ..asking(cpu(MOST)) };
    jobs.submit_job(submit("j", widest)).await.expect("accepted");
    let allocation_id = first(&mut watch, |event| match &event.kind {
        Some(Kind::TasksPlaced(placed)) => Some(placed.placements[0].allocation_id),
        _ => None,
    })
    .await;
    let outcome = v1::TaskOutcome::Succeeded.into();
    let report = v1::TaskReport { allocation_id, outcome, message: String::new() };
    let reports = ReportTasksRequest { reports: vec![report], ..ReportTasksRequest::default() };
    jobs.report_tasks(reports).await.expect("taken");

    // What has ended is in use no longer, but the job as a whole is counted too.
    let job = submit("j", v1::JobSpec { count: 16_384, ..spec() }).job;
    let update_mask = mask(&["spec.count"]);
    let grow = UpdateJobRequest { job, update_mask, ..UpdateJobRequest::default() };
    let status = jobs.update_job(grow).await.expect_err("refused");
    check(&status, Code::InvalidArgument, "REQUEST_OVERFLOW");
}

#[tokio::test]
async fn a_count_above_the_cap_is_refused() {
    let house = House::furnished().await;
    let wide = v1::JobSpec { count: 1_000_001, ..spec() };
    let wrong = [("job.spec.count", "is 1000001, more than the 1000000 allowed")];
    house.refuses_fields(house.jobs.clone().submit_job(submit("j", wide)), &wrong).await;
}

#[tokio::test]
async fn nodes_and_loads_of_impossible_size_are_refused() {
    let house = House::furnished().await;
    let mut nodes = house.nodes.clone();
    let huge = v1::Node { capacity: Some(cpu(u64::MAX)), ..node("m") };
    let above = "more than the 1125899906842624 allowed";
    let wrong = [("nodes[0].capacity.cpu_millis", above)];
    house.refuses_fields(nodes.register_nodes(register(vec![huge])), &wrong).await;
    let half = v1::Resources { gpu_millis: 500, ..cpu(1) };
    let half = v1::Node { capacity: Some(half), gpu_model: "l4".into(), ..node("m") };
    let wrong = [("nodes[0].capacity.gpu_millis", "whole devices: a multiple of 1000")];
    house.refuses_fields(nodes.register_nodes(register(vec![half])), &wrong).await;
    let reserved = v1::Node { reservation: Some(cpu(8_001)), ..node("m") };
    let wrong = [("nodes[0].reservation", "is 1 more than the capacity has of cpu_millis")];
    house.refuses_fields(nodes.register_nodes(register(vec![reserved])), &wrong).await;
    let nameless = v1::Resources { gpu_millis: 1_000, ..cpu(1) };
    let nameless = v1::Node { capacity: Some(nameless), ..node("m") };
    let wrong = [("nodes[0].gpu_model", "must be given exactly when the capacity has GPUs")];
    house.refuses_fields(nodes.register_nodes(register(vec![nameless])), &wrong).await;
    let sample = v1::LoadSample { node: "n".into(), time: None, load: Some(cpu(u64::MAX)) };
    let load = tokio_stream::once(ReportLoadRequest { samples: vec![sample] });
    let wrong = [("samples[0].load.cpu_millis", above)];
    house.refuses_fields(nodes.report_load(load), &wrong).await;
}

#[tokio::test]
async fn lengths_of_time_outside_their_range_are_refused() {
    let house = House::furnished().await;
    let spans = [
        (Duration { seconds: -1, nanos: 0 }, "must not be negative"),
        (Duration { seconds: 1, nanos: -1 }, "must not be negative"),
        (Duration { seconds: i64::MIN, nanos: i32::MIN }, "must not be negative"),
        (Duration { seconds: 0, nanos: 1_000_000_000 }, "from 0 to 999,999,999 nanos"),
        (Duration { seconds: 0, nanos: i32::MAX }, "from 0 to 999,999,999 nanos"),
        (Duration { seconds: 315_576_000_001, nanos: 0 }, "at most 315576000000 seconds"),
        (Duration { seconds: i64::MAX, nanos: 999_999_999 }, "at most 315576000000 seconds"),
    ];
    for (span, says) in spans {
        let (min_runtime, notice) = (Some(span), Some(span));
        let wrong = v1::JobSpec { min_runtime, notice, ..spec() };
        let fields = [("job.spec.min_runtime", says), ("job.spec.notice", says)];
        let mut jobs = house.jobs.clone();
        house.refuses_fields(jobs.submit_job(submit("j", wrong)), &fields).await;
        let drain =
            DrainNodeRequest { name: "n".into(), grace: Some(span), ..DrainNodeRequest::default() };
        let call = house.nodes.clone().drain_node(drain).await;
        house.refuses_fields(async { call }, &[("grace", says)]).await;
        let request = WatchRequest {
            start: Some(Start::Now(v1::FromNow {})),
            progress_interval: Some(span),
            ..WatchRequest::default()
        };
        let status = house.watches.clone().watch(request).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{span:?}");
    }
    let wrong = v1::JobSpec {
        min_runtime: Some(Duration { seconds: 2, nanos: 0 }),
        max_runtime: Some(Duration { seconds: 1, nanos: 0 }),
        notice: Some(Duration { seconds: 601, nanos: 0 }),
        priority: 1_001,
        ..spec()
    };
    let fields = [
        ("job.spec.priority", "is 1001; it must be from -1000 to 1000"),
        ("job.spec.max_runtime", "must not be less than min_runtime"),
        ("job.spec.notice", "must be at most 10 minutes"),
    ];
    house.refuses_fields(house.jobs.clone().submit_job(submit("j", wrong)), &fields).await;
}

#[tokio::test]
async fn times_outside_their_range_are_refused() {
    let house = House::furnished().await;
    let times = [
        (Timestamp { seconds: -1, nanos: 0 }, "must not lie before 1970"),
        (Timestamp { seconds: i64::MIN, nanos: 0 }, "must not lie before 1970"),
        (Timestamp { seconds: 1, nanos: -1 }, "from 0 to 999,999,999 nanos"),
        (Timestamp { seconds: 253_402_300_800, nanos: 0 }, "at most 253402300799 seconds"),
        (Timestamp { seconds: i64::MAX, nanos: i32::MAX }, "from 0 to 999,999,999 nanos"),
    ];
    for (time, says) in times {
        let wrong = v1::JobSpec { deadline: Some(time), ..spec() };
        let fields = [("job.spec.deadline", says)];
        house.refuses_fields(house.jobs.clone().submit_job(submit("j", wrong)), &fields).await;
        let sample = v1::LoadSample { node: "n".into(), time: Some(time), load: Some(cpu(1)) };
        let load = tokio_stream::once(ReportLoadRequest { samples: vec![sample] });
        let call = house.nodes.clone().report_load(load).await;
        house.refuses_fields(async { call }, &[("samples[0].time", says)]).await;
    }
    let past = v1::JobSpec { deadline: Some(Timestamp { seconds: 1, nanos: 0 }), ..spec() };
    let call = house.jobs.clone().submit_job(submit("j", past)).await;
    let (details, _) =
        house.refuses(async { call }, Code::InvalidArgument, "DEADLINE_PASSED").await;
    let wrong = &details.bad_request().expect("a BadRequest").field_violations;
    assert_eq!(wrong[0].field, "job.spec.deadline");
    let ahead = Some(Timestamp { seconds: 253_402_300_799, nanos: 0 });
    let sample = v1::LoadSample { node: "n".into(), time: ahead, load: Some(cpu(1)) };
    let load = tokio_stream::once(ReportLoadRequest { samples: vec![sample] });
    let call = house.nodes.clone().report_load(load).await;
    house.refuses(async { call }, Code::InvalidArgument, "LOAD_FROM_FUTURE").await;
}

#[tokio::test]
async fn the_longest_drain_ends_within_what_a_timestamp_can_tell() {
    let house = House::furnished().await;
    let grace = Some(Duration { seconds: 315_576_000_000, nanos: 0 });
    let drain = DrainNodeRequest { name: "n".into(), grace, ..DrainNodeRequest::default() };
    let mut nodes = house.nodes.clone();
    nodes.drain_node(drain).await.expect("draining");
    let get = GetNodeRequest { name: "n".into(), min_revision: 0 };
    let found = nodes.get_node(get).await.expect("found").into_inner().node.expect("a node");
    let deadline = found.drain_deadline.expect("a deadline");
    assert_eq!(deadline, Timestamp { seconds: 253_402_300_799, nanos: 999_000_000 });
}

#[tokio::test]
async fn tenants_with_a_weight_or_ceiling_out_of_range_are_refused() {
    let house = House::start().await;
    let mut wrong = create_tenant("b");
    let tenant = wrong.tenant.as_mut().expect("a tenant");
    (tenant.weight, tenant.priority_ceiling) = (1_000_001, Some(i32::MIN));
    let fields = [
        ("tenant.weight", "is 1000001; it must be from 0 to 1000000"),
        ("tenant.priority_ceiling", "is -2147483648; it must be from -1000 to 1000"),
    ];
    house.refuses_fields(house.tenants.clone().create_tenant(wrong), &fields).await;
}
