//! Families, guarantees and shares over the API.

use offpeak::v1::{
    GetTenantRequest, Job, JobSpec, Node, PreemptionRight, SubmitJobRequest, Tenant,
};

use crate::house::{House, cpu, job, node};

fn sure(name: &str, parent: &str, guarantee: u64) -> Tenant {
    Tenant {
        name: name.to_owned(),
        parent: parent.to_owned(),
        guarantee: (guarantee > 0).then(|| cpu(guarantee)),
        ..Tenant::default()
    }
}

async fn tenant(house: &House, name: &str, min_revision: u64) -> Tenant {
    let request = GetTenantRequest { name: name.to_owned(), min_revision };
    house.client.call(request).await.expect("found").tenant.expect("a tenant")
}

/// The owner of a guarantee gets it back from who borrowed it, who learns for whom; also after a restart.
#[tokio::test]
async fn a_guarantee_is_given_back_and_the_loser_learns_for_whom() {
    let house = House::new().await;
    house.create(sure("acme", "", 0)).await;
    house.create(sure("top", "", 3_000)).await;
    house.create(sure("lender", "top", 2_000)).await;
    let four = Node { capacity: Some(cpu(4_000)), ..node("a") };
    let registered = house.register(vec![four]).await;
    house.submit(job("bulk", 4, 1_000)).await;
    let mut lines = house.lines_after(registered);
    lines.expect(&["submitted acme/bulk", "placed acme/bulk 0..4 on a"]).await;

    let spec = JobSpec { count: 3, request: Some(cpu(1_000)), ..JobSpec::default() };
    let work = Job {
        tenant: "lender".to_owned(),
        name: "work".to_owned(),
        spec: Some(spec),
        ..Job::default()
    };
    let request = SubmitJobRequest { job: Some(work), ..SubmitJobRequest::default() };
    house.client.call(request).await.expect("submitted");
    // Within the guarantee of the parent, of which the siblings use nothing.
    let noticed = lines
        .expect(&[
            "submitted lender/work",
            "notice acme/bulk 3 on a: preempted",
            "notice acme/bulk 2 on a: preempted",
            "notice acme/bulk 1 on a: preempted",
        ])
        .await;
    house.job("bulk", noticed).await;
    let notices: Vec<_> =
        house.allocations_on("a").await.into_iter().filter_map(|a| a.notice).collect();
    assert_eq!(notices.len(), 3);
    for notice in &notices {
        assert_eq!(
            (notice.preempting_tenant.as_str(), notice.preempting_job.as_str()),
            ("lender", "work")
        );
        assert_eq!(notice.preemption_right(), PreemptionRight::Guarantee);
    }
    let house = house.restart().await;
    house.advance(120);
    let mut lines = house.lines_after(noticed);
    let evicted = lines
        .expect(&[
            "evicted acme/bulk 1 from a: preempted",
            "evicted acme/bulk 2 from a: preempted",
            "evicted acme/bulk 3 from a: preempted",
            "placed lender/work 0 on a",
            "placed lender/work 1 on a",
            "placed lender/work 2 on a",
        ])
        .await;
    let last = house.job("bulk", evicted).await.last_preemption.expect("it was preempted");
    assert_eq!((last.tenant.as_str(), last.job.as_str()), ("lender", "work"));
    assert_eq!(last.right(), PreemptionRight::Guarantee);

    let lender = tenant(&house, "lender", evicted).await;
    let share = lender.share.expect("a share");
    assert_eq!(share.held_millionths, 750_000);
    assert_eq!(lender.borrowed.expect("an amount").cpu_millis, 1_000);
    let top = tenant(&house, "top", evicted).await;
    assert_eq!(top.usage.expect("own").held_tasks, 0);
    assert_eq!(top.total_usage.expect("with those below").held_tasks, 3);
    assert_eq!(top.borrowed.expect("an amount").cpu_millis, 0);
    // Of four cores, acme asks for four and the family for three: half of the fleet each.
    assert!(top.share.expect("a share").fair_millionths.abs_diff(500_000) < 2);
    house.stop().await;
}
