//! Well-formed input that the fleet cannot follow: too large a task, too late a report, too small a node.

use offpeak::v1::{
    self, Blocker, EvictionReason, GetIdleProfileRequest, GetJobRequest, GetNodeRequest,
    ReportLoadRequest, ReportLoadResponse, UpdateNodeRequest, event::Kind,
};
use prost_types::{Duration, Timestamp};
use tonic::{Code, Response, Status};

use crate::house::{House, cpu, first, mask, node, spec, submit};

fn sample(node: &str, seconds: i64, load: u64) -> v1::LoadSample {
    let time = Some(Timestamp { seconds, nanos: 0 });
    v1::LoadSample { node: node.into(), time, load: Some(cpu(load)) }
}

async fn report(
    house: &House,
    samples: Vec<v1::LoadSample>,
) -> Result<Response<ReportLoadResponse>, Status> {
    let batches = tokio_stream::once(ReportLoadRequest { samples });
    house.nodes.clone().report_load(batches).await
}

#[tokio::test]
async fn a_task_larger_than_any_node_is_accepted_and_waits_with_its_reason() {
    let house = House::furnished().await;
    let large = v1::JobSpec { request: Some(cpu(9_000)), ..spec() };
    let mut jobs = house.jobs.clone();
    let min_revision =
        jobs.submit_job(submit("j", large)).await.expect("accepted").into_inner().revision;
    let get = GetJobRequest { tenant: "a".into(), name: "j".into(), min_revision };
    let job = jobs.get_job(get).await.expect("found").into_inner().job.expect("a job");
    assert_eq!(job.state(), v1::JobState::Pending);
    let [reason] = job.pending_reasons.as_slice() else { panic!("{:?}", job.pending_reasons) };
    assert_eq!(reason.blocker(), Blocker::Capacity);
    let told = (reason.dimension.as_str(), reason.nodes, reason.smallest_shortfall);
    assert_eq!(told, ("cpu_millis", 1, 1_000));
    assert!(reason.message.contains("cpu_millis"), "{}", reason.message);
}

#[tokio::test]
async fn a_report_for_an_unknown_node_is_refused_whole() {
    let house = House::furnished().await;
    let call = report(&house, vec![sample("n", 1_000, 1), sample("stranger", 1_000, 1)]);
    let (details, message) = house.refuses(call, Code::NotFound, "NODE_NOT_FOUND").await;
    assert_eq!(details.error_info().expect("an ErrorInfo").metadata["node"], "stranger");
    assert!(message.contains("\"stranger\""), "{message}");
    let get = GetNodeRequest { name: "n".into(), min_revision: 0 };
    let found = house.nodes.clone().get_node(get).await.expect("found").into_inner();
    assert_eq!(found.node.expect("a node").owner_load, None);
}

#[tokio::test]
async fn a_profile_of_an_unknown_node_is_refused_and_one_of_nothing_is_empty() {
    let house = House::furnished().await;
    let mut capacity = house.capacity.clone();
    let stranger =
        GetIdleProfileRequest { node: "stranger".into(), ..GetIdleProfileRequest::default() };
    let call = capacity.get_idle_profile(stranger);
    let (details, message) = house.refuses(call, Code::NotFound, "NODE_NOT_FOUND").await;
    assert_eq!(details.error_info().expect("an ErrorInfo").metadata["node"], "stranger");
    assert!(message.contains("\"stranger\""), "{message}");
    for node in ["", "n"] {
        let (regions, node) = (vec!["mars".into()], node.into());
        let request = GetIdleProfileRequest { regions, node, ..GetIdleProfileRequest::default() };
        let answer = capacity.get_idle_profile(request).await.expect("summed").into_inner();
        assert_eq!(answer.profiles, []);
        assert_eq!(answer.total.expect("a total").nodes, 0);
    }
}

#[tokio::test]
async fn a_load_report_out_of_order_is_ignored_and_counted() {
    let house = House::furnished().await;
    let order = [sample("n", 2_000, 100), sample("n", 1_000, 7_000), sample("n", 2_000, 7_000)];
    let answer = report(&house, order.to_vec()).await.expect("taken").into_inner();
    assert_eq!((answer.accepted, answer.ignored), (1, 2));
    let before = house.status().await.revision;
    let answer = report(&house, vec![sample("n", 1_999, 7_000)]).await.expect("taken").into_inner();
    assert_eq!((answer.accepted, answer.ignored, answer.revision), (0, 1, before));
    let get = GetNodeRequest { name: "n".into(), min_revision: answer.revision };
    let found = house.nodes.clone().get_node(get).await.expect("found").into_inner();
    let found = found.node.expect("a node");
    assert_eq!(found.owner_load, Some(cpu(100)));
    assert_eq!(found.owner_load_time, Some(Timestamp { seconds: 2_000, nanos: 0 }));
}

#[tokio::test]
async fn a_node_that_shrinks_below_what_is_lent_is_overcommitted_and_evicts_with_notice() {
    let house = House::furnished().await;
    let mut watch = house.watch_now().await;
    let notice = Some(Duration { seconds: 1, nanos: 0 });
    let tasks = v1::JobSpec { request: Some(cpu(3_000)), count: 2, notice, ..spec() };
    house.jobs.clone().submit_job(submit("j", tasks)).await.expect("accepted");
    let mut placed = 0;
    while placed < 2 {
        placed += first(&mut watch, |event| match &event.kind {
            Some(Kind::TasksPlaced(tasks)) => {
                Some(tasks.placements.iter().map(|placement| placement.count).sum::<u32>())
            }
            _ => None,
        })
        .await;
    }
    let small = v1::Node { capacity: Some(cpu(4_000)), ..node("n") };
    let (node, update_mask) = (Some(small), mask(&["capacity"]));
    let shrink = UpdateNodeRequest { node, update_mask, ..UpdateNodeRequest::default() };
    let mut nodes = house.nodes.clone();
    let min_revision = nodes.update_node(shrink).await.expect("taken").into_inner().revision;
    let get = GetNodeRequest { name: "n".into(), min_revision };
    let shrunk = nodes.get_node(get.clone()).await.expect("found").into_inner();
    let shrunk = shrunk.node.expect("a node");
    assert!(shrunk.overcommitted, "6 cores of 4 are lent");
    assert_eq!((shrunk.lent, shrunk.headroom), (Some(cpu(6_000)), Some(cpu(0))));

    let (noticed, deadline) = first(&mut watch, |event| match &event.kind {
        Some(Kind::NoticeGiven(given)) => {
            let notice = given.notice.clone().expect("a notice");
            assert_eq!(notice.reason(), EvictionReason::NodeChanged);
            Some((given.allocation_id, notice.deadline.expect("a deadline")))
        }
        _ => None,
    })
    .await;
    let (evicted, at, revision) = first(&mut watch, |event| match &event.kind {
        Some(Kind::TaskEvicted(evicted)) => {
            let at = event.time.expect("a time");
            Some((evicted.allocation_id, at, event.revision))
        }
        Some(Kind::NoticeGiven(_)) => panic!("one eviction is enough"),
        _ => None,
    })
    .await;
    assert_eq!(evicted, noticed);
    let order = |time: Timestamp| (time.seconds, time.nanos);
    assert!(order(at) >= order(deadline), "not before its deadline");
    let get = GetNodeRequest { min_revision: revision, ..get };
    let after = nodes.get_node(get).await.expect("found").into_inner().node.expect("a node");
    assert_eq!((after.overcommitted, after.lent), (false, Some(cpu(3_000))));
}
