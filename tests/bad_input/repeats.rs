//! Requests that come twice, and requests that come too late.

use offpeak::v1::{
    CancelJobRequest, CordonNodeRequest, ListJobsRequest, UpdateNodeRequest, UpdateTenantRequest,
};
use prost::Message as _;
use tonic::Code;

use crate::house::{House, create_tenant, mask, node, register, spec, submit};

#[tokio::test]
async fn the_same_request_id_with_the_same_body_gets_the_first_answer() {
    let house = House::furnished().await;
    let mut jobs = house.jobs.clone();
    let mut request = submit("", spec());
    request.request_id = "r-1".into();
    let first = jobs.submit_job(request.clone()).await.expect("accepted").into_inner();
    house.tenants.clone().create_tenant(create_tenant("b")).await.expect("created");
    let again = jobs.submit_job(request).await.expect("accepted").into_inner();
    assert_eq!(again.encode_to_vec(), first.encode_to_vec());
    let all = jobs.list_jobs(ListJobsRequest::default()).await.expect("listed").into_inner();
    assert_eq!(all.jobs.len(), 1, "it was done once");

    let mut request = register(vec![node("m")]);
    request.request_id = "r-2".into();
    let mut nodes = house.nodes.clone();
    let first = nodes.register_nodes(request.clone()).await.expect("registered").into_inner();
    let again = nodes.register_nodes(request).await.expect("registered").into_inner();
    assert_eq!(again.encode_to_vec(), first.encode_to_vec());
}

#[tokio::test]
async fn the_same_request_id_with_another_body_or_method_is_refused() {
    let house = House::furnished().await;
    let mut tenants = house.tenants.clone();
    let mut request = create_tenant("b");
    request.request_id = "r-1".into();
    tenants.create_tenant(request.clone()).await.expect("created");
    request.tenant.as_mut().expect("a tenant").name = "c".into();
    let (details, message) = house
        .refuses(tenants.create_tenant(request), Code::AlreadyExists, "REQUEST_ID_REUSED")
        .await;
    assert_eq!(details.error_info().expect("an ErrorInfo").metadata["request_id"], "r-1");
    assert!(message.contains("\"r-1\""), "{message}");
    let request_id = "r-1".into();
    let cordon = CordonNodeRequest { name: "n".into(), request_id, ..CordonNodeRequest::default() };
    let call = house.nodes.clone().cordon_node(cordon).await;
    house.refuses(async { call }, Code::AlreadyExists, "REQUEST_ID_REUSED").await;
}

#[tokio::test]
async fn request_ids_that_are_long_or_not_printable_are_refused() {
    let house = House::start().await;
    let long = "x".repeat(129);
    let rows = [
        (long.as_str(), "has 129 bytes, more than the 128 allowed"),
        ("a\nb", "printable ASCII"),
        ("a\u{202e}", "printable ASCII"),
    ];
    for (request_id, says) in rows {
        let mut request = create_tenant("b");
        request.request_id = request_id.into();
        let call = house.tenants.clone().create_tenant(request).await;
        house.refuses_fields(async { call }, &[("request_id", says)]).await;
    }
}

#[tokio::test]
async fn what_exists_already_is_refused_by_name() {
    let house = House::furnished().await;
    let call = house.tenants.clone().create_tenant(create_tenant("a")).await;
    let (_, message) = house.refuses(async { call }, Code::AlreadyExists, "TENANT_EXISTS").await;
    assert!(message.contains("\"a\""), "{message}");
    let call = house.nodes.clone().register_nodes(register(vec![node("m"), node("n")])).await;
    let (_, message) = house.refuses(async { call }, Code::AlreadyExists, "NODE_EXISTS").await;
    assert!(message.contains("\"n\""), "{message}");
    assert_eq!(house.status().await.nodes, 1, "none of a batch is registered");
}

#[tokio::test]
async fn a_stale_expected_revision_is_refused_with_the_one_found() {
    let house = House::furnished().await;
    let expected_revision = u64::MAX;
    let stale = |details: &tonic_types::ErrorDetails| {
        let metadata = &details.error_info().expect("an ErrorInfo").metadata;
        assert_eq!(metadata["expected"], u64::MAX.to_string());
        metadata["found"].parse::<u64>().expect("a revision")
    };
    let update_mask = mask(&["weight"]);
    let tenant = create_tenant("a").tenant;
    let request = UpdateTenantRequest {
        tenant,
        update_mask,
        expected_revision,
        ..UpdateTenantRequest::default()
    };
    let mut tenants = house.tenants.clone();
    let call = tenants.update_tenant(request.clone());
    let (details, message) = house.refuses(call, Code::Aborted, "STALE_REVISION").await;
    assert!(message.contains("tenant \"a\"") && message.contains("read it again"), "{message}");
    let found = stale(&details);
    let request = UpdateTenantRequest { expected_revision: found, ..request };
    tenants.update_tenant(request).await.expect("the one found is the one expected");

    let update_mask = mask(&["zone"]);
    let node = Some(node("n"));
    let request =
        UpdateNodeRequest { node, update_mask, expected_revision, ..UpdateNodeRequest::default() };
    let call = house.nodes.clone().update_node(request).await;
    stale(&house.refuses(async { call }, Code::Aborted, "STALE_REVISION").await.0);
    let waiting = offpeak::v1::JobSpec {
        request: Some(crate::house::cpu(9_000)),
        ..offpeak::v1::JobSpec::default()
    };
    house.jobs.clone().submit_job(submit("j", waiting)).await.expect("accepted");
    let (tenant, name) = ("a".into(), "j".into());
    let request =
        CancelJobRequest { tenant, name, expected_revision, ..CancelJobRequest::default() };
    let call = house.jobs.clone().cancel_job(request).await;
    stale(&house.refuses(async { call }, Code::Aborted, "STALE_REVISION").await.0);
}
