//! A server of its own for each test, and what most tests send to it.

use std::future::Future;

use offpeak::v1::{
    self, CreateTenantRequest, FromNow, GetStatusRequest, RegisterNodesRequest, SubmitJobRequest,
    WatchRequest, WatchResponse, admin_service_client::AdminServiceClient,
    capacity_service_client::CapacityServiceClient, job_service_client::JobServiceClient,
    node_service_client::NodeServiceClient, owner_service_client::OwnerServiceClient,
    tenant_service_client::TenantServiceClient, watch_request::Start, watch_response::Message,
    watch_service_client::WatchServiceClient,
};
use offpeak_server::{
    config::{Config, Optional},
    server::{Running, Server},
};
use tempfile::TempDir;
use tonic::{Code, Response, Status, Streaming, transport::Channel};
use tonic_types::ErrorDetails;

use crate::refusal::{self, check};

/// A running server and clients of all its services.
pub(crate) struct House {
    pub(crate) nodes: NodeServiceClient<Channel>,
    pub(crate) owners: OwnerServiceClient<Channel>,
    pub(crate) tenants: TenantServiceClient<Channel>,
    pub(crate) jobs: JobServiceClient<Channel>,
    pub(crate) watches: WatchServiceClient<Channel>,
    pub(crate) capacity: CapacityServiceClient<Channel>,
    pub(crate) admin: AdminServiceClient<Channel>,
    pub(crate) channel: Channel,
    pub(crate) server: Running,
    config: Config,
    folder: TempDir,
}

impl House {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(adjust: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            metrics_listen: Optional(None),
            data_dir: folder.path().join("data"),
            ..Config::default()
        };
        adjust(&mut config);
        Self::open(config, folder).await
    }

    async fn open(config: Config, folder: TempDir) -> Self {
        let server = Server::start(config.clone()).await.expect("a server");
        let endpoint = Channel::from_shared(format!("http://{}", server.address()));
        let channel = endpoint.expect("an address").connect().await.expect("connected");
        Self {
            nodes: NodeServiceClient::new(channel.clone()),
            owners: OwnerServiceClient::new(channel.clone()),
            tenants: TenantServiceClient::new(channel.clone()),
            jobs: JobServiceClient::new(channel.clone()),
            watches: WatchServiceClient::new(channel.clone()),
            capacity: CapacityServiceClient::new(channel.clone()),
            admin: AdminServiceClient::new(channel.clone()),
            channel,
            server,
            config,
            folder,
        }
    }

    /// Stops the server in order and starts another one on its store.
    pub(crate) async fn restart(self) -> Self {
        self.server.shutdown().await;
        Self::open(self.config, self.folder).await
    }

    /// With the tenant `a` and the node `n` of 8 cores.
    pub(crate) async fn furnished() -> Self {
        let house = Self::start().await;
        house.furnish().await;
        house
    }

    pub(crate) async fn furnish(&self) {
        self.tenants.clone().create_tenant(create_tenant("a")).await.expect("created");
        self.nodes.clone().register_nodes(register(vec![node("n")])).await.expect("registered");
    }

    pub(crate) async fn status(&self) -> v1::GetStatusResponse {
        let status = self.admin.clone().get_status(GetStatusRequest::default()).await;
        status.expect("a status").into_inner()
    }

    /// The call is refused with this code and reason, and changes nothing.
    pub(crate) async fn refuses<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
        code: Code,
        reason: &str,
    ) -> (ErrorDetails, String) {
        let before = self.status().await;
        let status = call.await.err().unwrap_or_else(|| panic!("{reason} is refused"));
        let details = check(&status, code, reason);
        assert_eq!(self.status().await.revision, before.revision, "{reason} changes nothing");
        (details, status.message().to_owned())
    }

    /// The call is refused for exactly these fields; of each the answer says this.
    pub(crate) async fn refuses_fields<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
        wrong: &[(&str, &str)],
    ) {
        let (details, message) =
            self.refuses(call, Code::InvalidArgument, refusal::INVALID_FIELD).await;
        let told = &details.bad_request().expect("a BadRequest").field_violations;
        let fields: Vec<&str> = told.iter().map(|violation| violation.field.as_str()).collect();
        let expected: Vec<&str> = wrong.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, expected, "{message}");
        for (violation, (field, says)) in told.iter().zip(wrong) {
            assert!(violation.description.contains(says), "{field}: {}", violation.description);
        }
        let (field, says) = wrong[0];
        assert!(message.contains(field) && message.contains(says), "{message}");
    }

    /// A watch of what comes from now on.
    pub(crate) async fn watch_now(&self) -> Streaming<WatchResponse> {
        let mut watch = self.watch(Start::Now(FromNow {})).await.expect("a watch");
        let Message::Progress(_) = next(&mut watch).await else { panic!("where it begins") };
        watch
    }

    pub(crate) async fn watch(&self, start: Start) -> Result<Streaming<WatchResponse>, Status> {
        let request = WatchRequest { start: Some(start), ..WatchRequest::default() };
        Ok(self.watches.clone().watch(request).await?.into_inner())
    }
}

/// The next message of a watch.
pub(crate) async fn next(watch: &mut Streaming<WatchResponse>) -> Message {
    let response = watch.message().await.expect("no error").expect("not the end");
    response.message.expect("a message")
}

/// The first event of a watch of which something is wanted; what comes before is passed over.
pub(crate) async fn first<T>(
    watch: &mut Streaming<WatchResponse>,
    wanted: impl Fn(&v1::Event) -> Option<T>,
) -> T {
    loop {
        if let Message::Events(batch) = next(watch).await
            && let Some(found) = batch.events.iter().find_map(&wanted)
        {
            return found;
        }
    }
}

pub(crate) fn cpu(millis: u64) -> v1::Resources {
    v1::Resources { cpu_millis: millis, ..v1::Resources::default() }
}

pub(crate) fn node(name: &str) -> v1::Node {
    v1::Node { name: name.into(), capacity: Some(cpu(8_000)), ..v1::Node::default() }
}

pub(crate) fn register(nodes: Vec<v1::Node>) -> RegisterNodesRequest {
    RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() }
}

pub(crate) fn create_tenant(name: &str) -> CreateTenantRequest {
    let tenant = v1::Tenant { name: name.into(), ..v1::Tenant::default() };
    CreateTenantRequest { tenant: Some(tenant), ..CreateTenantRequest::default() }
}

/// A task of half a core.
pub(crate) fn spec() -> v1::JobSpec {
    v1::JobSpec { request: Some(cpu(500)), ..v1::JobSpec::default() }
}

/// A job of the tenant `a`.
pub(crate) fn submit(name: &str, spec: v1::JobSpec) -> SubmitJobRequest {
    let (tenant, name) = ("a".into(), name.into());
    let job = v1::Job { tenant, name, spec: Some(spec), ..v1::Job::default() };
    SubmitJobRequest { job: Some(job), ..SubmitJobRequest::default() }
}

/// A mask of these paths.
pub(crate) fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}
