//! What the cell says that it has, uses and can lend.

use offpeak::v1::{
    CordonNodeRequest, GetCapacityRequest, GetIdleProfileRequest, GetIdleProfileResponse,
    IdleProfile, Node, Resources,
};

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

/// Of each horizon, how much may be lent.
fn headrooms(profile: &IdleProfile) -> Vec<u64> {
    let headroom = profile.horizons.iter().map(|ahead| ahead.headroom.as_ref());
    headroom.map(|headroom| headroom.map_or(0, |amount| amount.cpu_millis)).collect()
}

async fn profile(house: &House, request: GetIdleProfileRequest) -> GetIdleProfileResponse {
    house.client.call(request).await.expect("a profile")
}

#[tokio::test]
async fn a_profile_tells_what_is_idle_and_for_how_long() {
    let house = House::new().await;
    let node_of = |name: &str, owner: &str, region: &str| Node {
        owner: owner.to_owned(),
        region: region.to_owned(),
        zone: format!("{region}-1"),
        reservation: Some(cpu(1_000)),
        ..node(name)
    };
    let nodes =
        vec![node_of("a", "silent", "eu"), node_of("b", "known", "eu"), node_of("c", "new", "us")];
    house.register(nodes).await;
    house.report_load("b", 2_000).await;
    house.report_load("c", 6_000).await;
    house.advance(23 * 3_600);
    house.report_load("c", 2_000).await;
    house.advance(3_600);
    // The owner of `b` has reported for a day, and so the forecast follows in the next revision.
    let min_revision = house.report_load("b", 2_000).await.revision + 1;

    let request = GetIdleProfileRequest { min_revision, ..GetIdleProfileRequest::default() };
    let all = profile(&house, request).await;
    assert_eq!(all.revision, min_revision);
    let [eu, us] = all.profiles.as_slice() else { panic!("{all:?}") };
    assert_eq!((eu.region.as_str(), us.region.as_str(), us.node.as_str()), ("eu", "us", ""));
    let kinds = |found: &IdleProfile| {
        (found.forecast_nodes, found.plain_rule_nodes, found.unreported_nodes)
    };
    assert_eq!((kinds(eu), kinds(us)), ((1, 0, 1), (0, 1, 0)));
    let spans: Vec<_> =
        us.horizons.iter().map(|ahead| ahead.horizon.expect("it is told")).collect();
    assert_eq!(
        spans.iter().map(|span| span.seconds).collect::<Vec<_>>(),
        [300, 3_600, 21_600, 86_400]
    );
    // The greatest load of six hours and a tenth more, then that of the day.
    assert_eq!(headrooms(us), [5_800, 5_800, 1_400, 1_400]);
    let day = &us.horizons[3];
    assert_eq!((&day.bound, &day.held_back), (&Some(cpu(6_600)), &Some(cpu(6_600))));
    assert_eq!((&us.capacity, &us.owner_load), (&Some(cpu(8_000)), &Some(cpu(2_000))));
    // Of `b` nothing may be lent before its fleet has shown how it behaves, of `a` all but the reservation.
    assert_eq!(headrooms(eu), [7_000; 4]);
    assert_eq!(eu.horizons[0].bound, Some(cpu(8_000)));
    assert_eq!(eu.horizons[0].held_back, Some(cpu(9_000)));
    let total = all.total.expect("a total");
    assert_eq!((total.nodes, total.ready_nodes, kinds(&total)), (3, 3, (1, 1, 1)));
    assert_eq!(headrooms(&total), [12_800, 12_800, 8_400, 8_400]);
    house.stop().await;
}

#[tokio::test]
async fn a_profile_is_narrowed_and_counts_as_headroom_what_is_ready() {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let node_of = |name: &str, owner: &str, zone: &str| Node {
        owner: owner.to_owned(),
        region: "eu".to_owned(),
        zone: zone.to_owned(),
        ..node(name)
    };
    let nodes = vec![node_of("a", "web", "1"), node_of("b", "web", "2"), node_of("c", "shop", "2")];
    house.register(nodes).await;
    let cordon = CordonNodeRequest { name: "c".to_owned(), ..CordonNodeRequest::default() };
    house.client.call(cordon).await.expect("cordoned");
    house.submit(job("j", 2, 5_000)).await;
    let texts = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let ask = |regions: &[&str], zones: &[&str], owners: &[&str], node: &str| {
        let (regions, zones, owners) = (texts(regions), texts(zones), texts(owners));
        let node = node.to_owned();
        let rest = GetIdleProfileRequest::default();
        profile(&house, GetIdleProfileRequest { regions, zones, owners, node, ..rest })
    };
    for (answer, nodes, ready, lent, headroom) in [
        (ask(&[], &[], &[], "").await, 3, 2, 10_000, 6_000),
        (ask(&["eu", "us"], &["2"], &[], "").await, 2, 1, 5_000, 3_000),
        (ask(&[], &["2"], &["web"], "").await, 1, 1, 5_000, 3_000),
        (ask(&[], &[], &["shop"], "").await, 1, 0, 0, 0),
        (ask(&[], &["1"], &["web"], "a").await, 1, 1, 5_000, 3_000),
    ] {
        let [found] = answer.profiles.as_slice() else { panic!("{answer:?}") };
        assert_eq!((found.nodes, found.ready_nodes), (nodes, ready), "{found:?}");
        assert_eq!(found.lent, Some(cpu(lent)), "{found:?}");
        assert_eq!(headrooms(found), [headroom; 4], "{found:?}");
    }
    let one = ask(&[], &[], &[], "c").await;
    assert_eq!((one.profiles[0].node.as_str(), one.profiles[0].region.as_str()), ("c", "eu"));
    assert_eq!(ask(&["us"], &[], &[], "c").await.profiles, []);
    house.stop().await;
}
