//! A cell that keeps its objects in memory and does as tests tell it: fails, hangs, cuts watches short.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "a module of tests")]

pub mod proxy;
mod services;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use offpeak::v1::{
    GetCapacityResponse, GetIdleProfileResponse, Job, Node, Tenant, WatchRequest, WatchResponse,
    admin_service_server::AdminServiceServer, capacity_service_server::CapacityServiceServer,
    job_service_server::JobServiceServer, node_service_server::NodeServiceServer,
    tenant_service_server::TenantServiceServer, watch_service_server::WatchServiceServer,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What a call is met with before it is looked at.
pub enum Fault {
    Fail(Status),
    Hang,
}

/// What a watch sends: then it ends with a status, or stays open.
pub struct Script {
    pub messages: Vec<WatchResponse>,
    pub end: Option<Status>,
}

#[derive(Default)]
pub struct State {
    pub revision: u64,
    pub nodes: BTreeMap<String, Node>,
    pub tenants: BTreeMap<String, Tenant>,
    pub jobs: BTreeMap<(String, String), Job>,
    /// Taken by unary calls, one each.
    pub faults: VecDeque<Fault>,
    /// The names of the unary calls, with their request ids.
    pub calls: Vec<(&'static str, String)>,
    /// The last grpc-timeout header.
    pub timeout_header: Option<String>,
    pub scripts: VecDeque<Script>,
    pub watches: Vec<WatchRequest>,
    /// What jobs become, one step whenever one is fetched.
    pub job_steps: VecDeque<Job>,
    pub capacity: GetCapacityResponse,
    /// Narrowed to the regions that are asked for, but for its total.
    pub idle: GetIdleProfileResponse,
}

#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the state")
    }

    /// Serves on a port of its own for as long as the runtime lives.
    pub async fn serve(&self) -> String {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let listener = tokio::net::TcpListener::bind(any).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Server::builder()
            .add_service(NodeServiceServer::new(self.clone()))
            .add_service(TenantServiceServer::new(self.clone()))
            .add_service(JobServiceServer::new(self.clone()))
            .add_service(WatchServiceServer::new(self.clone()))
            .add_service(CapacityServiceServer::new(self.clone()))
            .add_service(AdminServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        endpoint
    }

    pub fn fail_next(&self, status: Status) {
        self.state().faults.push_back(Fault::Fail(status));
    }
}

pub fn unavailable() -> Status {
    Status::unavailable("not now")
}

pub fn stopping() -> Status {
    with_reason(Code::Unavailable, "the server stops", "SERVER_STOPPING", &[])
}

pub fn compacted() -> Status {
    let metadata = [("first_available", "40")];
    with_reason(Code::OutOfRange, "too old", "COMPACTED", &metadata)
}

pub fn busy() -> Status {
    let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(1)));
    Status::with_error_details(Code::ResourceExhausted, "too busy", details)
}

pub fn with_reason(code: Code, message: &str, reason: &str, metadata: &[(&str, &str)]) -> Status {
    let metadata: std::collections::HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let details = ErrorDetails::with_error_info(reason, "offpeak", metadata);
    Status::with_error_details(code, message, details)
}
