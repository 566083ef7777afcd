//! Owners come back, machines are drained and lost: tasks go elsewhere, with notice where there is time for it.

use offpeak::v1::{
    CordonNodeRequest, DrainNodeRequest, GetNodeRequest, LoadSample, Node, NodeState,
    RemoveNodeRequest, UncordonNodeRequest, UpdateNodeRequest,
};
use tonic::Code;

use crate::house::{BEGIN, House, Lines, cpu, job, node, refusal};

/// A cell with the node `a` on which the only task of `acme/train` runs, and the empty node `b`.
async fn house_with_a_task() -> (House, Lines) {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    house.submit(job("train", 1, 4_000)).await;
    let mut lines = house.lines_after(0);
    let placed =
        ["tenant acme", "registered a", "submitted acme/train", "placed acme/train 0 on a"];
    lines.expect(&placed).await;
    house.register(vec![node("b")]).await;
    lines.expect(&["registered b"]).await;
    (house, lines)
}

#[tokio::test]
async fn an_expected_owner_gets_the_node_back_after_the_notice() {
    let (house, mut lines) = house_with_a_task().await;
    house.report_load("a", 4_000).await;
    let noticed = lines.expect(&["load a=4000", "notice acme/train 0 on a: owner expected"]).await;
    let a = house.node("a", noticed).await;
    assert!(a.overcommitted);
    assert_eq!(a.headroom, Some(cpu(0)));
    let [allocation] = house.allocations_on("a").await.try_into().expect("one");
    let deadline = allocation.notice.expect("under notice").deadline.expect("a deadline");
    assert_eq!(u64::try_from(deadline.seconds), Ok(BEGIN.0 / 1_000 + 60));

    house.advance(60);
    let expected = ["evicted acme/train 0 from a: owner expected", "placed acme/train 0 on b"];
    let moved = lines.expect(&expected).await;
    let job = house.job("train", moved).await;
    assert_eq!((job.evictions, job.tasks.expect("counts").placed), (1, 1));
    let [allocation] = house.allocations_on("b").await.try_into().expect("one");
    assert_eq!((allocation.attempt, allocation.notice), (2, None));
    assert!(!house.node("a", moved).await.overcommitted);
    house.stop().await;
}

#[tokio::test]
async fn a_returned_owner_gets_the_node_back_at_once() {
    let (house, mut lines) = house_with_a_task().await;
    house.report_load("a", 6_000).await;
    let evicted = "evicted acme/train 0 from a: owner returned";
    lines.expect(&["load a=6000", evicted, "placed acme/train 0 on b"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_drained_node_is_empty_at_its_deadline() {
    let (house, mut lines) = house_with_a_task().await;
    let grace = Some(prost_types::Duration { seconds: 30, nanos: 0 });
    let name = "a".to_owned();
    let request = DrainNodeRequest { name: name.clone(), grace, ..DrainNodeRequest::default() };
    let drained = house.client.call(request.clone()).await.expect("draining");
    assert_eq!(drained.notices, 1);
    lines.expect(&["node a draining", "notice acme/train 0 on a: node drained"]).await;

    let request_back = UncordonNodeRequest { name, ..UncordonNodeRequest::default() };
    house.client.call(request_back).await.expect("back");
    lines.expect(&["node a ready", "withdrawn acme/train 0 on a"]).await;

    house.client.call(request).await.expect("draining again");
    lines.expect(&["node a draining", "notice acme/train 0 on a: node drained"]).await;
    house.advance(30);
    let expected = ["evicted acme/train 0 from a: node drained", "placed acme/train 0 on b"];
    let moved = lines.expect(&expected).await;
    assert_eq!(house.node("a", moved).await.allocation_count, 0);

    let remove = RemoveNodeRequest { name: "a".to_owned(), ..RemoveNodeRequest::default() };
    house.client.call(remove).await.expect("removed");
    lines.expect(&["removed a"]).await;
    let gone = house.client.call(GetNodeRequest { name: "a".to_owned(), min_revision: 0 }).await;
    assert_eq!(refusal(gone), (Code::NotFound, "NODE_NOT_FOUND".to_owned()));
    house.stop().await;
}

#[tokio::test]
async fn a_node_in_use_is_removed_only_by_force() {
    let (house, mut lines) = house_with_a_task().await;
    let remove = RemoveNodeRequest { name: "a".to_owned(), ..RemoveNodeRequest::default() };
    let answer = house.client.call(remove.clone()).await;
    assert_eq!(refusal(answer), (Code::FailedPrecondition, "NODE_IN_USE".to_owned()));
    house.client.call(RemoveNodeRequest { force: true, ..remove }).await.expect("removed");
    let evicted = "evicted acme/train 0 from a: node removed";
    lines.expect(&[evicted, "removed a", "placed acme/train 0 on b"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_silent_node_is_lost_and_found_when_it_reports() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let ttl = Some(prost_types::Duration { seconds: 30, nanos: 0 });
    house.register(vec![Node { report_ttl: ttl, ..node("a") }]).await;
    let submitted = house.submit(job("train", 2, 4_000)).await;
    let mut lines = house.lines_after(submitted);
    lines.expect(&["placed acme/train 0..2 on a"]).await;
    house.report_load("a", 0).await;
    house.register(vec![node("b")]).await;
    lines.expect(&["load a=0", "registered b"]).await;

    house.advance(30);
    let lost = [
        "node a lost",
        "evicted acme/train 0 from a: node lost",
        "evicted acme/train 1 from a: node lost",
        "placed acme/train 0..2 on b",
    ];
    let revision = lines.expect(&lost).await;
    assert_eq!(house.node("a", revision).await.state(), NodeState::Lost);
    house.report_load("a", 100).await;
    let revision = lines.expect(&["load a=100", "node a ready"]).await;
    assert_eq!(house.node("a", revision).await.state(), NodeState::Ready);
    house.stop().await;
}

#[tokio::test]
async fn becoming_lost_and_found_is_a_change_of_the_node() {
    let house = House::new().await;
    let ttl = Some(prost_types::Duration { seconds: 30, nanos: 0 });
    let registered = house.register(vec![Node { report_ttl: ttl, ..node("a") }]).await;
    let mut lines = house.lines_after(registered);
    house.advance(30);
    let lost = lines.expect(&["node a lost"]).await;
    assert_eq!(house.node("a", lost).await.revision, lost);
    house.report_load("a", 100).await;
    let found = lines.expect(&["load a=100", "node a ready"]).await;
    assert_eq!(house.node("a", found).await.revision, found);
    house.stop().await;
}

#[tokio::test]
async fn a_shrunk_node_gives_notice_to_what_no_longer_fits() {
    let (house, mut lines) = house_with_a_task().await;
    let smaller = Node { capacity: Some(cpu(2_000)), ..node("a") };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["capacity".to_owned()] });
    let request =
        UpdateNodeRequest { node: Some(smaller), update_mask, ..UpdateNodeRequest::default() };
    house.client.call(request).await.expect("updated");
    lines.expect(&["node updated a", "notice acme/train 0 on a: node changed"]).await;
    house.advance(60);
    let expected = ["evicted acme/train 0 from a: node changed", "placed acme/train 0 on b"];
    lines.expect(&expected).await;
    house.stop().await;
}

#[tokio::test]
async fn a_cordoned_node_keeps_what_it_has_and_takes_nothing() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    let submitted = house.submit(job("first", 1, 1_000)).await;
    let name = "a".to_owned();
    let request = CordonNodeRequest { name: name.clone(), ..CordonNodeRequest::default() };
    house.client.call(request).await.expect("cordoned");
    house.submit(job("second", 1, 1_000)).await;
    let mut lines = house.lines_after(submitted);
    let placed = "placed acme/first 0 on a";
    lines.expect(&[placed, "node a cordoned", "submitted acme/second"]).await;
    let request = UncordonNodeRequest { name, ..UncordonNodeRequest::default() };
    house.client.call(request).await.expect("back");
    lines.expect(&["node a ready", "placed acme/second 0 on a"]).await;
    house.stop().await;
}

#[tokio::test]
async fn load_that_is_older_than_what_is_known_is_ignored_and_counted() {
    let house = House::new().await;
    house.register(vec![node("a"), node("b")]).await;
    let sample = |name: &str, before: i64, load| LoadSample {
        node: name.to_owned(),
        time: Some(prost_types::Timestamp {
            seconds: i64::try_from(BEGIN.0 / 1_000).expect("it fits") - before,
            nanos: 0,
        }),
        load: Some(cpu(load)),
    };
    let reported = house.report_samples(vec![sample("a", 10, 500), sample("b", 10, 600)]).await;
    assert_eq!((reported.accepted, reported.ignored), (2, 0));
    let reported = house.report_samples(vec![sample("a", 20, 900), sample("b", 5, 700)]).await;
    assert_eq!((reported.accepted, reported.ignored), (1, 1));
    assert_eq!(house.node("a", reported.revision).await.owner_load, Some(cpu(500)));
    assert_eq!(house.node("b", reported.revision).await.owner_load, Some(cpu(700)));
    house.stop().await;
}
