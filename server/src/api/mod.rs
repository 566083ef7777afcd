//! The gRPC edge of a cell.
//!
//! A request that changes something is checked and made a command (`convert/`), handed to the [`Cell`], and answered
//! when the command is durable. A request that reads looks at the cell's committed state and tells its revision. A
//! watch renders committed records (`render.rs`) that pass its filter (`filter.rs`). Whatever goes wrong becomes a
//! status in `status.rs`, the only place that chooses codes. There is one file a service, with `idle.rs` beside
//! `capacity.rs`, and `answers.rs`, `job_list.rs`, `job_stream.rs`, `payload.rs` and `quotes.rs` beside `job.rs`;
//! `paging.rs` and `deadline.rs` serve all of them.
//!
//! Deliberately absent: decisions, authorization, TLS, and CORS. A page of another origin that may call a cell on
//! this machine is a hole, so browsers reach it through a proxy that says who may.

mod admin;
mod answers;
mod billing;
mod capacity;
mod convert;
mod deadline;
mod filter;
mod idle;
mod job;
mod job_list;
mod job_stream;
mod node;
mod owner;
mod paging;
mod payload;
mod price_changes;
mod quotes;
mod render;
mod status;
mod tenant;
mod watch;

#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use offpeak::v1::{
    admin_service_server::AdminServiceServer, billing_service_server::BillingServiceServer,
    capacity_service_server::CapacityServiceServer, job_service_server::JobServiceServer,
    node_service_server::NodeServiceServer, owner_service_server::OwnerServiceServer,
    tenant_service_server::TenantServiceServer, watch_service_server::WatchServiceServer,
};
use offpeak_core::{command::Outcome, model::Revision};
use tokio::{net::TcpListener, sync::watch as signal};
use tonic::{
    Request,
    server::NamedService as _,
    service::{InterceptorLayer, Routes},
    transport::{Error, Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_web::GrpcWebLayer;

use self::{
    convert::{At, Mutation, Violations, accept},
    status::ApiError,
};
use crate::cell::Cell;

/// The limits of the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiOptions {
    /// The largest request message in bytes.
    pub max_message_bytes: usize,
    /// A connection without traffic for this long is asked whether it lives.
    pub keepalive_interval: Duration,
    /// A connection that does not answer for this long is closed.
    pub keepalive_timeout: Duration,
    /// The most calls in flight on one connection.
    pub max_streams_per_connection: u32,
    /// The most batches in flight on one stream of submissions; further ones wait on the client's side.
    pub max_batches_in_flight: usize,
    /// How long a read waits for its minimum revision, if the call's deadline leaves that much.
    pub min_revision_wait: Duration,
    /// How long calls in flight may still take when the server stops.
    pub drain_limit: Duration,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            max_streams_per_connection: 1_024,
            max_batches_in_flight: 64,
            min_revision_wait: Duration::from_secs(5),
            drain_limit: Duration::from_secs(10),
        }
    }
}

/// All services; what they share.
#[derive(Debug)]
struct Api {
    cell: Cell,
    options: ApiOptions,
    stopping: Stopping,
}

/// Tells whoever waits that the server stops.
#[derive(Clone, Debug)]
struct Stopping(signal::Receiver<bool>);

impl Stopping {
    /// Resolves when the server stops.
    async fn wait(mut self) {
        // An error means that the sender is gone, and with it the server.
        drop(self.0.wait_for(|stopping| *stopping).await);
    }
}

/// Serves the API on `listener` until `shutdown` resolves and the calls in flight have ended, watches and other
/// streams with UNAVAILABLE and the reason `SERVER_STOPPING`.
///
/// # Errors
/// When the transport fails.
pub async fn serve(
    listener: TcpListener,
    cell: Cell,
    options: ApiOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let (stop, stopping) = signal::channel(false);
    let stopping = Stopping(stopping);
    let drain_limit = options.drain_limit;
    let drained = stopping.clone();
    let keepalive = (options.keepalive_interval, options.keepalive_timeout);
    let max_streams = options.max_streams_per_connection;
    let (health, health_service) = tonic_health::server::health_reporter();
    report(&health, ServingStatus::Serving).await;
    let routes = routes(Api { cell, options, stopping }).add_service(health_service);
    let shutdown = async move {
        shutdown.await;
        report(&health, ServingStatus::NotServing).await;
        end_health_watches(health).await;
        stop.send_replace(true);
    };
    let serving = Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(keepalive.0))
        .http2_keepalive_timeout(Some(keepalive.1))
        .max_concurrent_streams(max_streams)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .layer(GrpcWebLayer::new())
        .layer(InterceptorLayer::new(deadline::note))
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown,
        );
    tokio::select! {
        result = serving => result,
        () = async { drained.wait().await; tokio::time::sleep(drain_limit).await } => {
            tracing::warn!("calls that were still in flight are cut off");
            Ok(())
        }
    }
}

/// What a client may send on one stream before the server has read it.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// What a client may send on one connection before the server has read it.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// The services as health checks call them; the empty name is the server.
const SERVICES: [&str; 9] = [
    "",
    AdminServiceServer::<Api>::NAME,
    BillingServiceServer::<Api>::NAME,
    CapacityServiceServer::<Api>::NAME,
    JobServiceServer::<Api>::NAME,
    NodeServiceServer::<Api>::NAME,
    OwnerServiceServer::<Api>::NAME,
    TenantServiceServer::<Api>::NAME,
    WatchServiceServer::<Api>::NAME,
];

async fn report(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// A health watch ends when its service is forgotten; it would hold up the shutdown otherwise.
async fn end_health_watches(mut health: HealthReporter) {
    for service in SERVICES {
        health.clear_service_status(service).await;
    }
}

fn routes(api: Api) -> Routes {
    let limit = api.options.max_message_bytes;
    let api = Arc::new(api);
    macro_rules! service {
        ($server:ident) => {
            $server::from_arc(Arc::clone(&api)).max_decoding_message_size(limit)
        };
    }
    let descriptors = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(offpeak::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = descriptors().build_v1().expect("invariant: our own descriptors are whole");
    let reflection_alpha =
        descriptors().build_v1alpha().expect("invariant: our own descriptors are whole");
    Routes::new(service!(AdminServiceServer))
        .add_service(service!(BillingServiceServer))
        .add_service(service!(CapacityServiceServer))
        .add_service(service!(JobServiceServer))
        .add_service(service!(NodeServiceServer))
        .add_service(service!(OwnerServiceServer))
        .add_service(service!(TenantServiceServer))
        .add_service(service!(WatchServiceServer))
        .add_service(reflection)
        .add_service(reflection_alpha)
}

impl Api {
    /// Does what a request wants, or nothing of it: once handed over, a command no longer depends on its call.
    async fn change<M: Mutation>(&self, message: M) -> Result<Outcome, ApiError> {
        Ok(self.cell.submit(accept(message)?).await?)
    }

    /// How long a call may wait for its minimum revision.
    fn patience<T>(&self, request: &Request<T>) -> Duration {
        deadline::patience(request, self.options.min_revision_wait)
    }

    /// Waits until what is read is at least of this revision.
    async fn reach(&self, revision: u64, patience: Duration) -> Result<(), ApiError> {
        if revision > 0 {
            self.cell.wait_for(Revision(revision), patience).await?;
        }
        Ok(())
    }
}

/// The one field of a request to read an object.
fn field<T>(
    name: &'static str,
    text: &str,
    parse: impl FnOnce(&mut Violations, &At<'_>, &str) -> T,
) -> Result<T, ApiError> {
    let mut violations = Violations::default();
    let value = parse(&mut violations, &At::Root.field(name), text);
    Ok(violations.check(value)?)
}
