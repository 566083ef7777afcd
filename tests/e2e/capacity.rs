//! What the cell says that it has, uses and can lend.

use offpeak::v1::{GetCapacityRequest, Node, Resources};

use crate::{
    fold::Lists,
    house::{House, cpu, job, node},
};

#[tokio::test]
async fn the_summary_adds_up_by_region() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let in_region = |name: &str, region: &str| Node { region: region.to_owned(), ..node(name) };
    let reserved = Node { reservation: Some(cpu(1_000)), ..in_region("a", "eu") };
    house.register(vec![reserved, in_region("b", "eu"), in_region("c", "us")]).await;
    house.report_load("c", 2_000).await;
    house.submit(job("fits", 4, 4_000)).await;
    let mut lines = house.lines_after(0);
    let placed = ["tenant acme", "registered a", "registered b", "registered c", "load c=2000"];
    lines.expect(&placed).await;
    lines.expect(&["submitted acme/fits", "placed acme/fits 0 on c 1 on a 2..4 on b"]).await;
    house.submit(job("waits", 2, 5_000)).await;

    let lists = Lists::read(&house.client).await.expect("lists");
    lists.check();
    let summary = house.client.call(GetCapacityRequest::default()).await.expect("a summary");
    let total = summary.total.expect("a total");
    assert_eq!((total.nodes, total.ready_nodes, total.allocations), (3, 3, 4));
    assert_eq!(total.capacity, Some(cpu(24_000)));
    assert_eq!(total.owner_load, Some(cpu(2_000)));
    // The greatest load of the last day and a tenth more.
    assert_eq!(total.held_back, Some(cpu(3_200)));
    assert_eq!(total.lent, Some(cpu(16_000)));
    assert_eq!(total.headroom, Some(cpu(4_800)));
    assert_eq!(summary.pending, Some(Resources { cpu_millis: 10_000, ..Resources::default() }));
    assert_eq!((summary.pending_tasks, summary.pending_jobs), (2, 1));
    let regions: Vec<_> = summary.regions.iter().map(|r| (r.region.as_str(), r.nodes)).collect();
    assert_eq!(regions, [("eu", 2), ("us", 1)]);

    let request = GetCapacityRequest { regions: vec!["us".to_owned()], min_revision: 0 };
    let narrowed = house.client.call(request).await.expect("a summary");
    assert_eq!(narrowed.regions.as_slice(), &summary.regions[1..]);
    house.stop().await;
}
