//! What the cell answers to questions about what would be.

use offpeak::v1::{
    Constraints, ExplainJobRequest, ExplainJobResponse, Job, JobSpec, Node, PlanJobRequest,
    PlanJobResponse, Resources, TaskCounts, WaitTier,
};
use tonic::Code;

use crate::house::{House, cpu, job, job_with, node, refusal};

async fn explain(house: &House, name: &str, node: &str) -> ExplainJobResponse {
    let (tenant, name, node) = ("acme".to_owned(), name.to_owned(), node.to_owned());
    let request = ExplainJobRequest { tenant, name, node, min_revision: 0 };
    house.client.call(request).await.expect("an explanation")
}

async fn plan(house: &House, job: Job) -> PlanJobResponse {
    let request = PlanJobRequest { job: Some(job), min_revision: 0 };
    house.client.call(request).await.expect("a plan")
}

/// Two nodes of eight cores, one in each region, and a tenant.
async fn two_regions() -> House {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let in_region = |name: &str, region: &str| Node { region: region.to_owned(), ..node(name) };
    house.register(vec![in_region("a", "eu"), in_region("b", "us")]).await;
    house
}

fn in_eu(name: &str, count: u32, cpu_millis: u64) -> Job {
    let constraints = Constraints { regions: vec!["eu".to_owned()], ..Constraints::default() };
    let spec = JobSpec {
        count,
        request: Some(cpu(cpu_millis)),
        constraints: Some(constraints),
        ..JobSpec::default()
    };
    job_with(name, spec)
}

#[tokio::test]
async fn a_plan_is_what_the_submission_comes_to() {
    let house = two_regions().await;
    let wish = in_eu("train", 3, 3_000);
    let planned = plan(&house, wish.clone()).await;
    let placed: Vec<_> = planned.placements.iter().map(|p| (p.node.as_str(), p.tasks)).collect();
    assert_eq!((placed.as_slice(), planned.pending), (&[("a", 2)][..], 1));
    assert_eq!(planned.usage.expect("usage").requested, Some(cpu(9_000)));

    let submitted = house.submit(wish).await;
    assert!(planned.revision < submitted, "nothing changed before");
    let counts = house.job("train", submitted).await.tasks.expect("counts");
    assert_eq!(counts, TaskCounts { pending: 1, placed: 2, ..TaskCounts::default() });
    let mut lines = house.lines_after(planned.revision);
    lines.expect(&["submitted acme/train", "placed acme/train 0..2 on a"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_plan_tells_who_would_have_to_go() {
    let house = two_regions().await;
    house.submit(in_eu("low", 1, 6_000)).await;
    let mut high = in_eu("high", 1, 4_000);
    high.spec.as_mut().expect("a spec").priority = 10;
    let planned = plan(&house, high).await;
    let victims: Vec<_> = planned.evictions.iter().map(|e| (e.job.as_str(), &*e.node)).collect();
    assert_eq!((victims.as_slice(), planned.pending), (&[("low", "a")][..], 1));
    assert!(planned.evictions[0].notice.is_some());
    let allocation = house.allocations_on("a").await.remove(0);
    assert_eq!(allocation.notice, None, "only a plan");
    house.stop().await;
}

#[tokio::test]
async fn a_plan_is_refused_as_the_submission_would_be() {
    let house = two_regions().await;
    let mut wish = job("train", 1, 1_000);
    wish.tenant = "nobody".to_owned();
    let request = PlanJobRequest { job: Some(wish.clone()), min_revision: 0 };
    let planned = refusal(house.client.call(request).await);
    assert_eq!(planned, refusal(house.try_submit(wish).await));
    assert_eq!(planned.0, Code::NotFound);
    house.stop().await;
}

#[tokio::test]
async fn what_is_suggested_starts_when_it_is_asked_for() {
    let house = two_regions().await;
    house.submit(in_eu("first", 1, 5_000)).await;
    house.submit(in_eu("second", 2, 4_000)).await;
    let answer = explain(&house, "second", "").await;
    assert_eq!(answer.tier(), WaitTier::Capacity);
    assert_eq!((answer.nodes, answer.allowed_nodes, answer.large_enough_nodes), (2, 1, 1));
    assert_eq!(answer.nearest.expect("a node").node, "a");
    let told: Vec<&str> = answer.suggestions.iter().map(|s| s.message.as_str()).collect();
    assert_eq!(told, ["1.5 cores a task instead of 4 cores", "in the region us"]);
    for (index, suggestion) in answer.suggestions.into_iter().enumerate() {
        let name = format!("instead-{index}");
        let revision = house.submit(job_with(&name, suggestion.spec.expect("a spec"))).await;
        let counts = house.job(&name, revision).await.tasks.expect("counts");
        assert_eq!((counts.placed, counts.pending), (suggestion.tasks, 0));
    }
    house.stop().await;
}

#[tokio::test]
async fn why_tells_a_mistake_from_a_wish_too_large_and_from_want_of_room() {
    let house = two_regions().await;
    let spec = |region: &str, cpu_millis| JobSpec {
        request: Some(Resources { cpu_millis, ..Resources::default() }),
        constraints: Some(Constraints {
            regions: vec![region.to_owned()],
            ..Constraints::default()
        }),
        ..JobSpec::default()
    };
    house.submit(job_with("lost", spec("mars", 1_000))).await;
    house.submit(job_with("huge", spec("eu", 9_000))).await;
    house.submit(job_with("runs", spec("eu", 8_000))).await;
    house.submit(job_with("waits", spec("eu", 1_000))).await;
    for (name, tier) in [
        ("lost", WaitTier::Misconfigured),
        ("huge", WaitTier::ExceedsEveryNode),
        ("runs", WaitTier::Unspecified),
        ("waits", WaitTier::Capacity),
    ] {
        assert_eq!(explain(&house, name, "").await.tier(), tier, "{name}");
    }
    let there = explain(&house, "waits", "b").await.nearest.expect("the node");
    let told: Vec<&str> = there.reasons.iter().map(|reason| reason.message.as_str()).collect();
    assert_eq!((told.as_slice(), there.fits), (&["is in another region"][..], false));
    let unknown = ExplainJobRequest {
        tenant: "acme".to_owned(),
        name: "waits".to_owned(),
        node: "c".to_owned(),
        min_revision: 0,
    };
    assert_eq!(refusal(house.client.call(unknown).await).0, Code::NotFound);
    house.stop().await;
}
