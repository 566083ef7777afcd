//! What a tenant may not do, though the request is well-formed.

use offpeak::v1::{
    self, CancelJobRequest, CreateTenantRequest, DeleteTenantRequest, UpdateJobRequest,
    UpdateTenantRequest,
};
use tonic::Code;

use crate::house::{House, cpu, create_tenant, mask, spec, submit};

/// Nothing is ever placed: there is no node, and nothing changes by itself.
async fn with_quota(cpu_millis: u64) -> House {
    let house = House::start().await;
    let quota = v1::Quota { cpu_millis: Some(cpu_millis), ..v1::Quota::default() };
    let tenant = v1::Tenant {
        name: "a".into(),
        quota: Some(quota),
        priority_ceiling: Some(10),
        ..v1::Tenant::default()
    };
    let request = CreateTenantRequest { tenant: Some(tenant), ..CreateTenantRequest::default() };
    house.tenants.clone().create_tenant(request).await.expect("created");
    house
}

fn wide(count: u32) -> v1::JobSpec {
    v1::JobSpec { count, ..spec() }
}

#[tokio::test]
async fn a_job_above_the_quota_is_refused_with_the_quota() {
    let house = with_quota(1_000).await;
    let mut jobs = house.jobs.clone();
    jobs.submit_job(submit("j", wide(1))).await.expect("half of the quota");
    let call = jobs.submit_job(submit("k", wide(2)));
    let (details, message) = house.refuses(call, Code::ResourceExhausted, "QUOTA_EXCEEDED").await;
    assert!(message.contains("1500 of cpu_millis, more than its quota of 1000"), "{message}");
    let violations = &details.quota_failure().expect("a QuotaFailure").violations;
    assert_eq!(violations[0].subject, "tenants/a");
    let metadata = &details.error_info().expect("an ErrorInfo").metadata;
    let told = ["dimension", "limit", "wanted"].map(|key| metadata[key].as_str());
    assert_eq!(told, ["cpu_millis", "1000", "1500"]);

    let job = submit("j", wide(3)).job;
    let update_mask = mask(&["spec.count"]);
    let grow = UpdateJobRequest { job, update_mask, ..UpdateJobRequest::default() };
    house.refuses(jobs.update_job(grow), Code::ResourceExhausted, "QUOTA_EXCEEDED").await;
}

#[tokio::test]
async fn a_quota_below_what_is_used_is_refused() {
    let house = with_quota(1_000).await;
    house.jobs.clone().submit_job(submit("j", wide(2))).await.expect("all of the quota");
    let quota = v1::Quota { cpu_millis: Some(999), ..v1::Quota::default() };
    let tenant = v1::Tenant { name: "a".into(), quota: Some(quota), ..v1::Tenant::default() };
    let (tenant, update_mask) = (Some(tenant), mask(&["quota"]));
    let lower = UpdateTenantRequest { tenant, update_mask, ..UpdateTenantRequest::default() };
    let call = house.tenants.clone().update_tenant(lower).await;
    let (details, message) =
        house.refuses(async { call }, Code::FailedPrecondition, "QUOTA_BELOW_USE").await;
    assert!(message.contains("1000 of cpu_millis, more than the new quota of 999"), "{message}");
    let violations = &details.precondition_failure().expect("a PreconditionFailure").violations;
    assert_eq!(
        (violations[0].r#type.as_str(), violations[0].subject.as_str()),
        ("QUOTA_BELOW_USE", "a")
    );
}

#[tokio::test]
async fn what_stands_in_the_way_is_named() {
    let house = with_quota(1_000).await;
    let mut jobs = house.jobs.clone();
    let urgent = v1::JobSpec { priority: 11, ..spec() };
    let call = jobs.submit_job(submit("j", urgent));
    let code = Code::FailedPrecondition;
    let (_, message) = house.refuses(call, code, "PRIORITY_ABOVE_CEILING").await;
    assert!(message.contains("priority 11") && message.contains("is 10"), "{message}");
    jobs.submit_job(submit("j", spec())).await.expect("accepted");
    let delete = DeleteTenantRequest { name: "a".into(), ..DeleteTenantRequest::default() };
    let call = house.tenants.clone().delete_tenant(delete).await;
    house.refuses(async { call }, code, "TENANT_IN_USE").await;
    let (tenant, name) = ("a".into(), "j".into());
    let cancel = CancelJobRequest { tenant, name, ..CancelJobRequest::default() };
    jobs.cancel_job(cancel.clone()).await.expect("cancelled");
    house.refuses(jobs.cancel_job(cancel), code, "JOB_ENDED").await;
    let call = jobs.submit_job(submit("j", spec()));
    house.refuses(call, Code::AlreadyExists, "JOB_EXISTS").await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let house = House::start().await;
    let mut jobs = house.jobs.clone();
    let call = jobs.submit_job(submit("j", spec()));
    house.refuses(call, Code::NotFound, "TENANT_NOT_FOUND").await;
    house.tenants.clone().create_tenant(create_tenant("a")).await.expect("created");
    let get = v1::GetJobRequest { tenant: "a".into(), name: "j".into(), min_revision: 0 };
    house.refuses(jobs.get_job(get), Code::NotFound, "JOB_NOT_FOUND").await;
    let get = v1::GetAllocationRequest { id: u64::MAX, min_revision: 0 };
    house.refuses(jobs.get_allocation(get), Code::NotFound, "ALLOCATION_NOT_FOUND").await;
    let report = v1::TaskReport {
        allocation_id: u64::MAX,
        outcome: v1::TaskOutcome::Succeeded.into(),
        message: String::new(),
    };
    let reports = v1::ReportTasksRequest { reports: vec![report], ..Default::default() };
    let answer = jobs.report_tasks(reports).await.expect("late, not wrong").into_inner();
    assert_eq!(answer.ignored_allocation_ids, [u64::MAX]);
    let resources = v1::JobSpec { request: Some(cpu(1)), ..spec() };
    jobs.submit_job(submit("j", resources)).await.expect("accepted");
}
