//! What goes wrong before a request is one, and the services that every gRPC server has.

use bytes::Bytes;
use offpeak::v1::{self, GetTenantRequest};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    house::{House, create_tenant},
    raw::{Raw, framed, framed_as},
    refusal::check,
};

const CREATE: &str = "/offpeak.v1.TenantService/CreateTenant";
const LIMIT: u32 = 4 << 20;

#[tokio::test]
async fn a_message_too_large_is_refused_by_its_head() {
    let house = House::start().await;
    let raw = Raw::connect(house.server.address()).await;
    for length in [LIMIT + 1, u32::MAX] {
        let answer = raw.call(CREATE, &[], framed_as(0, length, b"")).await;
        assert_eq!(answer.status.code(), Code::OutOfRange, "{answer:?}");
        assert!(answer.status.message().contains("4194304"), "{answer:?}");
    }
    let name = "x".repeat(5 << 20);
    let get = GetTenantRequest { name, min_revision: 0 };
    let status = house.tenants.clone().get_tenant(get).await.expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(house.status().await.tenants, 0);
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_the_connection_goes_on() {
    let house = House::start().await;
    let raw = Raw::connect(house.server.address()).await;
    let message = create_tenant("a").encode_to_vec();
    let cut = framed(&message[..message.len() - 1]);
    let short = framed_as(0, 1_000, &message);
    let compressed = framed_as(1, u32::try_from(message.len()).expect("small"), &message);
    let nonsense = framed_as(7, 0, b"");
    let rows: [(&str, Bytes, Code); 5] = [
        ("cut", cut, Code::Internal),
        ("short", short, Code::Internal),
        ("compressed", compressed, Code::Internal),
        ("another frame", nonsense, Code::Internal),
        ("nothing", Bytes::new(), Code::Internal),
    ];
    for (what, body, code) in rows {
        let answer = raw.call(CREATE, &[], body).await;
        assert_eq!(answer.status.code(), code, "{what}: {answer:?}");
    }
    for path in ["/offpeak.v1.TenantService/Nothing", "/offpeak.v9.Nobody/Nothing", "/"] {
        let answer = raw.call(path, &[], framed(b"")).await;
        assert_eq!(answer.status.code(), Code::Unimplemented, "{path}: {answer:?}");
    }
    assert_eq!(house.status().await.tenants, 0);
    let answer = raw.call(CREATE, &[], framed(&message)).await;
    assert_eq!((answer.http, answer.status.code()), (200, Code::Ok), "{answer:?}");
}

#[tokio::test]
async fn a_malformed_timeout_is_refused() {
    let house = House::start().await;
    let raw = Raw::connect(house.server.address()).await;
    let before = house.status().await.revision;
    let malformed: [&[u8]; 12] = [
        b"",
        b"S",
        b"1",
        b"1s",
        b"-1S",
        b"+1S",
        b"1.5S",
        b"123456789S",
        b"1 S",
        b"1SS",
        b"soon",
        b"1\xc2\xb5",
    ];
    let body = framed(&create_tenant("a").encode_to_vec());
    for timeout in malformed {
        let answer = raw.call(CREATE, &[("grpc-timeout", timeout)], body.clone()).await;
        check(&answer.status, Code::InvalidArgument, "MALFORMED_TIMEOUT");
    }
    assert_eq!(house.status().await.revision, before);
    for timeout in [b"99999999H".as_slice(), b"10S", b"99999999m"] {
        let body = framed(&v1::GetStatusRequest::default().encode_to_vec());
        let path = "/offpeak.v1.AdminService/GetStatus";
        let answer = raw.call(path, &[("grpc-timeout", timeout)], body).await;
        assert_eq!(answer.status.code(), Code::Ok, "{answer:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_never_ended_ends_with_its_deadline() {
    let house = House::start().await;
    let raw = Raw::connect(house.server.address()).await;
    let path = "/offpeak.v1.NodeService/ReportLoad";
    let body = framed(&v1::ReportLoadRequest::default().encode_to_vec());
    let answer = raw.send(path, &[("grpc-timeout", b"200m")], body, false).await;
    let answer = answer.expect("it ends");
    assert_eq!(answer.status.code(), Code::Cancelled, "{answer:?}");
}

/// As a browser would: HTTP/1.1, the message in a frame, the trailers in the body or, without a body, in the head.
#[tokio::test]
async fn a_browser_gets_the_same_refusal() {
    let house = House::start().await;
    let message = framed(&create_tenant("a/b").encode_to_vec());
    let mut stream = TcpStream::connect(house.server.address()).await.expect("connected");
    let head = format!(
        "POST {CREATE} HTTP/1.1\r\nhost: cell\r\ncontent-type: application/grpc-web+proto\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        message.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&message).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    let answer = String::from_utf8_lossy(&answer).replace("grpc-status: ", "grpc-status:");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("grpc-status:3"), "{answer}");
    assert!(answer.contains("tenant.name"), "{answer}");
    assert!(answer.contains("grpc-status-details-bin"), "{answer}");
    assert_eq!(house.status().await.tenants, 0);
}

const SERVICES: [&str; 9] = [
    "grpc.health.v1.Health",
    "offpeak.v1.AdminService",
    "offpeak.v1.CapacityService",
    "offpeak.v1.JobService",
    "offpeak.v1.NodeService",
    "offpeak.v1.OwnerService",
    "offpeak.v1.TenantService",
    "offpeak.v1.WatchService",
    "grpc.reflection.",
];

/// The names of the services as a version of reflection lists them.
macro_rules! listed {
    ($version:ident, $channel:expr) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let message_request = Some(MessageRequest::ListServices(String::new()));
        let request = ServerReflectionRequest { host: String::new(), message_request };
        let mut client = ServerReflectionClient::new($channel);
        let answers = client.server_reflection_info(tokio_stream::once(request)).await;
        let answer = answers.expect("answers").into_inner().message().await.expect("no error");
        match answer.expect("an answer").message_response {
            Some(MessageResponse::ListServicesResponse(list)) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<String>>()
            }
            other => panic!("a list: {other:?}"),
        }
    }};
}

#[tokio::test]
async fn both_versions_of_reflection_list_every_service() {
    let house = House::start().await;
    for names in [listed!(v1, house.channel.clone()), listed!(v1alpha, house.channel.clone())] {
        for service in SERVICES {
            assert!(names.iter().any(|name| name.starts_with(service)), "{service}: {names:?}");
        }
    }
}

#[tokio::test]
async fn health_is_told_of_every_service_and_of_no_other() {
    let house = House::start().await;
    let mut health = HealthClient::new(house.channel.clone());
    for service in SERVICES[1..7].iter().copied().chain([""]) {
        let request = HealthCheckRequest { service: service.into() };
        let answer = health.check(request).await.expect("known").into_inner();
        assert_eq!(answer.status, 1, "{service} is serving");
    }
    let request = HealthCheckRequest { service: "nobody".into() };
    let status = health.check(request).await.expect_err("unknown");
    assert_eq!(status.code(), Code::NotFound);
}
