//! The transport around the services, over real sockets and a real store.

use std::time::Duration;

use offpeak::v1::{
    self, CreateTenantRequest, FromNow, FromRevision, FromSnapshot, GetJobRequest,
    GetStatusRequest, GetTenantRequest, ListTenantsRequest, RegisterNodesRequest, SubmitJobRequest,
    SubmitJobsRequest, WatchRequest, admin_service_client::AdminServiceClient, event::Kind,
    job_service_client::JobServiceClient, node_service_client::NodeServiceClient, submit_result,
    tenant_service_client::TenantServiceClient, watch_request::Start,
    watch_response::Message as Body, watch_service_client::WatchServiceClient,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Request, Status, Streaming, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::{
    config::Config,
    server::{Running, Server},
};

struct House {
    server: Running,
    channel: Channel,
    _folder: TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        metrics_listen: crate::config::Optional(None),
        data_dir: folder.path().join("data"),
        ..Config::default()
    };
    let server = Server::start(config).await.expect("a server");
    let endpoint = Channel::from_shared(format!("http://{}", server.address()));
    let channel = endpoint.expect("an address").connect().await.expect("connected");
    House { server, channel, _folder: folder }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().expect("an ErrorInfo").reason.clone()
}

fn tenant(name: &str) -> CreateTenantRequest {
    let tenant = v1::Tenant { name: name.into(), ..v1::Tenant::default() };
    CreateTenantRequest { tenant: Some(tenant), ..CreateTenantRequest::default() }
}

fn job(name: &str) -> SubmitJobRequest {
    let request = v1::Resources { cpu_millis: 500, ..v1::Resources::default() };
    let spec = v1::JobSpec { request: Some(request), ..v1::JobSpec::default() };
    let (tenant, name) = ("a".into(), name.into());
    let job = v1::Job { tenant, name, spec: Some(spec), ..v1::Job::default() };
    SubmitJobRequest { job: Some(job), ..SubmitJobRequest::default() }
}

fn node(name: &str) -> RegisterNodesRequest {
    let capacity = v1::Resources { cpu_millis: 8_000, ..v1::Resources::default() };
    let name = name.into();
    let node = v1::Node { name, capacity: Some(capacity), ..v1::Node::default() };
    RegisterNodesRequest { nodes: vec![node], ..RegisterNodesRequest::default() }
}

impl House {
    async fn create(&self, name: &str) -> u64 {
        let mut tenants = TenantServiceClient::new(self.channel.clone());
        tenants.create_tenant(tenant(name)).await.expect("created").into_inner().revision
    }

    async fn watch(&self, start: Start) -> Result<Streaming<v1::WatchResponse>, Status> {
        let request = WatchRequest { start: Some(start), ..WatchRequest::default() };
        let mut watches = WatchServiceClient::new(self.channel.clone());
        Ok(watches.watch(request).await?.into_inner())
    }
}

async fn next(watch: &mut Streaming<v1::WatchResponse>) -> Body {
    let response = watch.message().await.expect("no error").expect("not the end");
    response.message.expect("a message")
}

#[tokio::test]
async fn a_stopping_server_ends_watches_and_streams_with_its_reason() {
    let house = house().await;
    let mut watch = house.watch(Start::Now(FromNow {})).await.expect("a watch");
    assert!(matches!(next(&mut watch).await, Body::Progress(_)));
    let mut health = HealthClient::new(house.channel.clone());
    let mut healthy =
        health.watch(HealthCheckRequest::default()).await.expect("a watch").into_inner();
    assert_eq!(healthy.message().await.expect("told").expect("a status").status, 1);
    let (batches, stream) = tokio::sync::mpsc::channel::<SubmitJobsRequest>(1);
    let batches_stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let mut jobs = JobServiceClient::new(house.channel.clone());
    let mut answers = jobs.submit_jobs(batches_stream).await.expect("a stream").into_inner();

    house.server.shutdown().await;

    let ended = watch.message().await.expect_err("the watch ends");
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::Unavailable, "SERVER_STOPPING"));
    let ended = answers.message().await.expect_err("the stream ends");
    assert_eq!(reason(&ended), "SERVER_STOPPING");
    assert_eq!(healthy.message().await.expect("told").expect("a status").status, 2);
    drop(batches);
}

#[tokio::test]
async fn a_watch_shows_the_snapshot_and_then_each_event_once() {
    let house = house().await;
    house.create("a").await;
    let mut watch = house.watch(Start::Snapshot(FromSnapshot {})).await.expect("a watch");
    let Body::Snapshot(part) = next(&mut watch).await else { panic!("a snapshot") };
    assert_eq!((part.tenants.len(), part.complete), (1, true));

    let revision = house.create("b").await;
    let Body::Events(batch) = next(&mut watch).await else { panic!("events") };
    assert_eq!(batch.through_revision, revision);
    let [v1::Event { kind: Some(Kind::TenantCreated(created)), .. }] = batch.events.as_slice()
    else {
        panic!("one event: {batch:?}");
    };
    assert_eq!(created.tenant.as_ref().map(|tenant| tenant.name.as_str()), Some("b"));

    let mut again =
        house.watch(Start::After(FromRevision { revision: part.revision })).await.expect("a watch");
    let Body::Events(resumed) = next(&mut again).await else { panic!("events") };
    assert_eq!(resumed.events, batch.events);
    house.server.shutdown().await;
}

#[tokio::test]
async fn a_very_large_commit_comes_in_batches_of_which_only_the_last_completes_it() {
    const NODES: usize = 10_000;
    let house = house().await;
    let mut watch = house.watch(Start::Now(FromNow {})).await.expect("a watch");
    let Body::Progress(before) = next(&mut watch).await else { panic!("where it begins") };
    let name = |index| format!("{index:05}-{}", "x".repeat(57));
    let nodes = (0..NODES).flat_map(|index| node(&name(index)).nodes).collect();
    let request = RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() };
    let mut client = NodeServiceClient::new(house.channel.clone());
    let revision = client.register_nodes(request).await.expect("registered").into_inner().revision;

    let (mut seen, mut batches) = (0, 0);
    while seen < NODES {
        let Body::Events(batch) = next(&mut watch).await else { panic!("events") };
        seen += batch.events.len();
        batches += 1;
        let complete = if seen == NODES { revision } else { before.revision };
        assert_eq!(batch.through_revision, complete);
        assert!(batch.events.iter().all(|event| event.revision == revision));
    }
    assert!(batches > 1, "it was large enough to be split");

    let mut watch = house.watch(Start::Snapshot(FromSnapshot {})).await.expect("a watch");
    let (mut seen, mut complete) = (0, false);
    while !complete {
        let Body::Snapshot(part) = next(&mut watch).await else { panic!("a snapshot") };
        assert_eq!(part.revision, revision);
        seen += part.nodes.len();
        complete = part.complete;
    }
    assert_eq!(seen, NODES);
    house.server.shutdown().await;
}

#[tokio::test]
async fn a_revision_that_has_not_come_is_out_of_range() {
    let house = house().await;
    let start = Start::After(FromRevision { revision: 1_000_000 });
    let ended = house.watch(start).await.expect_err("no such revision");
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::OutOfRange, "FUTURE_REVISION"));

    let mut request = Request::new(GetStatusRequest { min_revision: 1_000_000 });
    request.set_timeout(Duration::from_secs(2));
    let mut admin = AdminServiceClient::new(house.channel.clone());
    let ended = admin.get_status(request).await.expect_err("no such revision");
    assert_eq!(ended.code(), Code::OutOfRange);
    house.server.shutdown().await;
}

#[tokio::test]
async fn a_batch_is_answered_job_by_job_and_one_too_long_ends_the_stream() {
    let house = house().await;
    house.create("a").await;
    let mut bad = job("j2");
    bad.job.as_mut().expect("a job").tenant = "x/y".into();
    let batches = vec![
        SubmitJobsRequest { jobs: vec![job("j0"), bad, job("j0")] },
        SubmitJobsRequest { jobs: vec![job("j1")] },
        SubmitJobsRequest { jobs: vec![job(""); 1_001] },
    ];
    let mut jobs = JobServiceClient::new(house.channel.clone());
    let stream = jobs.submit_jobs(tokio_stream::iter(batches)).await.expect("a stream");
    let mut answers = stream.into_inner();
    let mut told = Vec::new();
    for _ in 0..2 {
        let answer = answers.message().await.expect("no error").expect("an answer");
        for result in answer.results {
            told.push(match result.result.expect("a result") {
                submit_result::Result::Accepted(job) => job.name,
                submit_result::Result::Refused(refusal) => refusal.reason,
            });
        }
    }
    assert_eq!(told, ["j0", "INVALID_FIELD", "JOB_EXISTS", "j1"]);
    let ended = answers.message().await.expect_err("too long");
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    house.server.shutdown().await;
}

#[tokio::test]
async fn a_pending_job_is_explained_and_a_placed_one_listed() {
    let house = house().await;
    house.create("a").await;
    let mut jobs = JobServiceClient::new(house.channel.clone());
    jobs.submit_job(job("j")).await.expect("submitted");
    let wanted = GetJobRequest { tenant: "a".into(), name: "j".into(), min_revision: 0 };
    let found = jobs.get_job(wanted).await.expect("found").into_inner().job.expect("a job");
    assert_eq!(found.pending_reasons[0].blocker(), v1::Blocker::NoNodes);

    let mut watch = house.watch(Start::Now(FromNow {})).await.expect("a watch");
    let mut nodes = NodeServiceClient::new(house.channel.clone());
    nodes.register_nodes(node("n")).await.expect("registered");
    let placed = loop {
        let Body::Events(batch) = next(&mut watch).await else { continue };
        let placed = batch.events.into_iter().find_map(|event| match event.kind {
            Some(Kind::TasksPlaced(placed)) => Some((placed, event.revision)),
            _ => None,
        });
        if let Some(placed) = placed {
            break placed;
        }
    };
    let filter = v1::AllocationFilter { node: "n".into(), ..v1::AllocationFilter::default() };
    let wanted = v1::ListAllocationsRequest {
        filter: Some(filter),
        min_revision: placed.1,
        ..v1::ListAllocationsRequest::default()
    };
    let listed = jobs.list_allocations(wanted).await.expect("listed").into_inner().allocations;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].job.as_str(), listed[0].node.as_str()), ("j", "n"));
    assert_eq!(listed[0].id, placed.0.placements[0].allocation_id);
    house.server.shutdown().await;
}

#[tokio::test]
async fn pages_are_followed_and_wrong_tokens_refused() {
    let house = house().await;
    for name in ["a", "b", "c"] {
        house.create(name).await;
    }
    let mut tenants = TenantServiceClient::new(house.channel.clone());
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let wanted = ListTenantsRequest { page_size: 2, page_token, min_revision: 0 };
        let page = tenants.list_tenants(wanted).await.expect("a page").into_inner();
        names.extend(page.tenants.into_iter().map(|tenant| tenant.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
    for (page_size, page_token) in [(-1, ""), (0, "nonsense")] {
        let page_token = page_token.into();
        let wanted = ListTenantsRequest { page_size, page_token, min_revision: 0 };
        let status = tenants.list_tenants(wanted).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    house.server.shutdown().await;
}

#[tokio::test]
async fn calls_that_cannot_be_read_are_refused() {
    let house = house().await;
    let mut tenants = TenantServiceClient::new(house.channel.clone());
    let mut request = Request::new(GetTenantRequest { name: "a".into(), min_revision: 0 });
    request.metadata_mut().insert("grpc-timeout", "soon".parse().expect("a value"));
    let status = tenants.get_tenant(request).await.expect_err("malformed");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "MALFORMED_TIMEOUT")
    );

    let name = "x".repeat(5 << 20);
    let status = tenants
        .get_tenant(GetTenantRequest { name, min_revision: 0 })
        .await
        .expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange);
    house.server.shutdown().await;
}

/// As a browser would: HTTP/1.1, the message in a frame, the trailers in the body.
#[tokio::test]
async fn browsers_reach_the_services_by_grpc_web() {
    let house = house().await;
    let mut stream = TcpStream::connect(house.server.address()).await.expect("connected");
    let head = "POST /offpeak.v1.AdminService/GetStatus HTTP/1.1\r\nhost: cell\r\n\
                content-type: application/grpc-web+proto\r\ncontent-length: 5\r\n\
                connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&[0; 5]).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("grpc-status:0"), "{answer}");
    assert!(answer.contains(env!("CARGO_PKG_VERSION")), "{answer}");
    house.server.shutdown().await;
}
