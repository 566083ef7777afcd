//! Unary calls of the client library against a fake cell.

mod fake;

use std::time::Duration;

use fake::{Fake, Fault, busy, proxy::Proxy, unavailable};
use offpeak::v1::{
    CreateTenantRequest, GetNodeRequest, GetStatusRequest, Node, RegisterNodesRequest,
};
use offpeak_client::{Client, ConnectOptions, Error, FieldViolation};
use tonic::{Code, Status};

async fn connect(fake: &Fake) -> Client {
    let endpoint = fake.serve().await;
    let mut options = ConnectOptions::to(endpoint);
    options.retry.first_pause = Duration::from_millis(1);
    Client::connect(options).await.expect("the fake listens")
}

#[tokio::test]
async fn a_read_is_repeated_while_the_server_is_unavailable() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    fake.fail_next(unavailable());
    fake.fail_next(unavailable());
    let status = client.call(GetStatusRequest::default()).await;
    assert_eq!(status.expect("the third attempt").cell, "fake");
    assert_eq!(fake.state().calls.len(), 3);
}

#[tokio::test]
async fn a_write_is_repeated_under_one_request_id() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    fake.fail_next(unavailable());
    fake.fail_next(busy());
    let created = client.call(CreateTenantRequest::default()).await;
    assert_eq!(created.expect("the third attempt").revision, 1);
    let state = fake.state();
    let ids: Vec<&str> = state.calls.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[0].len(), 32);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn a_request_id_that_was_given_is_kept() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    let request =
        CreateTenantRequest { request_id: "mine".to_owned(), ..CreateTenantRequest::default() };
    client.call(request).await.expect("no fault");
    assert_eq!(fake.state().calls[0].1, "mine");
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    for status in [
        Status::resource_exhausted("over quota"),
        Status::internal("a bug"),
        Status::aborted("changed"),
        Status::deadline_exceeded("late"),
    ] {
        let code = status.code();
        fake.state().calls.clear();
        fake.fail_next(status);
        let error = client.call(GetStatusRequest::default()).await;
        assert_eq!(error.expect_err("a fault").code(), code);
        assert_eq!(fake.state().calls.len(), 1);
    }
}

#[tokio::test]
async fn repetition_ends() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    for _ in 0..20 {
        fake.fail_next(unavailable());
    }
    let error = client.call(GetStatusRequest::default()).await;
    assert_eq!(error.expect_err("all fail").code(), Code::Unavailable);
    assert_eq!(fake.state().calls.len(), 5);
}

#[tokio::test]
async fn every_call_has_a_deadline() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    client.call(GetStatusRequest::default()).await.expect("no fault");
    assert!(fake.state().timeout_header.is_some());

    fake.state().faults.push_back(Fault::Hang);
    let short = client.with_timeout(Duration::from_millis(50));
    let error = short.call(GetStatusRequest::default()).await;
    assert!(matches!(error, Err(Error::Timeout { .. })), "{error:?}");
}

#[tokio::test]
async fn field_violations_are_decoded() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    let request =
        RegisterNodesRequest { nodes: vec![Node::default()], ..RegisterNodesRequest::default() };
    let error = client.call(request).await.expect_err("no capacity");
    let Error::Refused(refusal) = error else {
        panic!("{error:?}");
    };
    assert_eq!(refusal.code, Code::InvalidArgument);
    let expected = FieldViolation {
        field: "nodes[0].capacity".to_owned(),
        description: "must not be zero".to_owned(),
    };
    assert_eq!(refusal.fields, [expected]);
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_endpoint() {
    let error = Client::connect(ConnectOptions::to("127.0.0.1:1"))
        .await
        .expect_err("nobody listens on port 1");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert_eq!(error.code(), Code::Unavailable);

    let error = Client::connect(ConnectOptions::to("https://localhost")).await.expect_err("no TLS");
    assert!(matches!(error, Error::InvalidEndpoint { .. }));
}

#[tokio::test]
async fn what_is_absent_is_not_found() {
    let fake = Fake::default();
    let client = connect(&fake).await;
    let error = client.call(GetNodeRequest::default()).await;
    assert_eq!(error.expect_err("no nodes").code(), Code::NotFound);
}

#[tokio::test]
async fn a_write_survives_a_broken_connection() {
    let fake = Fake::default();
    let proxy = Proxy::to(&fake.serve().await).await;
    let mut options = ConnectOptions::to(&proxy.endpoint);
    options.retry.first_pause = Duration::from_millis(1);
    let client = Client::connect(options).await.expect("the proxy listens");
    fake.state().faults.push_back(Fault::Hang);
    let call = tokio::spawn(async move { client.call(CreateTenantRequest::default()).await });
    while fake.state().calls.is_empty() {
        tokio::task::yield_now().await;
    }
    proxy.cut();
    let created = call.await.expect("no panic").expect("the second attempt");
    assert_eq!(created.revision, 1);
    let state = fake.state();
    assert_eq!(state.calls.len(), 2);
    assert_eq!(state.calls[0].1, state.calls[1].1);
}
