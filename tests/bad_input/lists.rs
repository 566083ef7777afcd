//! Page sizes and page tokens.

use offpeak::v1::{
    self, ListAllocationsRequest, ListJobsRequest, ListNodesRequest, ListTenantsRequest,
};

use crate::house::{House, create_tenant, node, register};

const FOREIGN: &str = "was not given out for this list";

fn page(page_size: i32, page_token: &str) -> ListNodesRequest {
    let page_token = page_token.into();
    ListNodesRequest { page_size, page_token, ..ListNodesRequest::default() }
}

async fn fleet(nodes: usize) -> House {
    let house = House::start().await;
    let nodes = (0..nodes).map(|index| node(&format!("n{index:04}"))).collect();
    house.nodes.clone().register_nodes(register(nodes)).await.expect("registered");
    house
}

#[tokio::test]
async fn a_negative_page_size_is_refused_by_every_list() {
    let house = House::start().await;
    let wrong = [("page_size", "must not be negative")];
    for page_size in [-1, i32::MIN] {
        house.refuses_fields(house.nodes.clone().list_nodes(page(page_size, "")), &wrong).await;
        let list = ListTenantsRequest { page_size, ..ListTenantsRequest::default() };
        house.refuses_fields(house.tenants.clone().list_tenants(list), &wrong).await;
        let list = ListJobsRequest { page_size, ..ListJobsRequest::default() };
        house.refuses_fields(house.jobs.clone().list_jobs(list), &wrong).await;
        let list = ListAllocationsRequest { page_size, ..ListAllocationsRequest::default() };
        house.refuses_fields(house.jobs.clone().list_allocations(list), &wrong).await;
    }
}

#[tokio::test]
async fn a_huge_page_size_is_clamped() {
    let house = fleet(1_001).await;
    let mut nodes = house.nodes.clone();
    let first = nodes.list_nodes(page(i32::MAX, "")).await.expect("listed").into_inner();
    assert_eq!(first.nodes.len(), 1_000);
    let rest = page(i32::MAX, &first.next_page_token);
    let rest = nodes.list_nodes(rest).await.expect("listed").into_inner();
    assert_eq!((rest.nodes.len(), rest.next_page_token.as_str()), (1, ""));
}

#[tokio::test]
async fn a_tampered_page_token_is_refused_wherever_it_was_changed() {
    let house = fleet(3).await;
    let mut nodes = house.nodes.clone();
    let token = nodes.list_nodes(page(1, "")).await.expect("listed").into_inner().next_page_token;
    let wrong = [("page_token", FOREIGN)];
    for at in 0..token.len() {
        let mut tampered = token.clone().into_bytes();
        tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(tampered).expect("ASCII");
        house.refuses_fields(nodes.list_nodes(page(1, &tampered)), &wrong).await;
    }
    let (doubled, long) = (token.repeat(2), "A".repeat(100_000));
    for foreign in ["x", "%%%", "\u{202e}", "====", &token[1..], &doubled, &long] {
        house.refuses_fields(nodes.list_nodes(page(1, foreign)), &wrong).await;
    }
    nodes.list_nodes(page(1, &token)).await.expect("the token as it was");
}

#[tokio::test]
async fn a_page_token_of_another_list_or_filter_is_refused() {
    let house = fleet(3).await;
    for name in ["a", "b"] {
        house.tenants.clone().create_tenant(create_tenant(name)).await.expect("created");
    }
    let mut nodes = house.nodes.clone();
    let token = nodes.list_nodes(page(1, "")).await.expect("listed").into_inner().next_page_token;
    let wrong = [("page_token", FOREIGN)];
    let page_token = token.clone();
    let list = ListTenantsRequest { page_token, ..ListTenantsRequest::default() };
    house.refuses_fields(house.tenants.clone().list_tenants(list), &wrong).await;
    let page_token = token.clone();
    let list = ListJobsRequest { page_token, ..ListJobsRequest::default() };
    house.refuses_fields(house.jobs.clone().list_jobs(list), &wrong).await;
    let page_token = token.clone();
    let list = ListAllocationsRequest { page_token, ..ListAllocationsRequest::default() };
    house.refuses_fields(house.jobs.clone().list_allocations(list), &wrong).await;
    let filter = v1::NodeFilter { zones: vec!["z".into()], ..v1::NodeFilter::default() };
    let list = ListNodesRequest { filter: Some(filter), ..page(1, &token) };
    house.refuses_fields(nodes.list_nodes(list), &wrong).await;
}
