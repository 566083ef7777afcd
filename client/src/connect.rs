//! One connection to a cell.

use std::time::Duration;

use offpeak::v1::{
    admin_service_client::AdminServiceClient, billing_service_client::BillingServiceClient,
    capacity_service_client::CapacityServiceClient, job_service_client::JobServiceClient,
    node_service_client::NodeServiceClient, owner_service_client::OwnerServiceClient,
    tenant_service_client::TenantServiceClient, watch_service_client::WatchServiceClient,
};
use tonic::transport::{Channel, Endpoint};

use crate::{Error, RetryPolicy, error::deepest_cause};

/// Where `offpeakd` listens unless told otherwise.
pub const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:7470";
/// How long a unary call may take, its repetitions included.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A page of a thousand nodes with all their labels exceeds tonic's default of 4 MiB.
const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// A peer that vanished without a word is noticed after these two.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// `http://HOST:PORT`; the scheme may be left out.
    pub endpoint: String,
    /// The deadline of every unary call, its repetitions included.
    pub timeout: Duration,
    /// How long to try to connect.
    pub connect_timeout: Duration,
    /// When unary calls are repeated.
    pub retry: RetryPolicy,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: Duration::from_secs(5),
            retry: RetryPolicy::default(),
        }
    }
}

impl ConnectOptions {
    /// The defaults, for another endpoint.
    #[must_use]
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ..Self::default() }
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let invalid = |why: &str| Error::InvalidEndpoint {
            endpoint: self.endpoint.clone(),
            why: why.to_owned(),
        };
        let address = if self.endpoint.contains("://") {
            self.endpoint.clone()
        } else {
            format!("http://{}", self.endpoint)
        };
        let endpoint = Endpoint::from_shared(address)
            .map_err(|error| invalid(&deepest_cause(&error)))?
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true);
        match endpoint.uri().scheme_str() {
            Some("http") => Ok(endpoint),
            _ => Err(invalid("only http:// is spoken; put a proxy in front for TLS")),
        }
    }
}

/// A connection to a cell. Clones share it, and it comes back by itself after a loss.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
}

impl Client {
    /// Connects now, once.
    ///
    /// # Errors
    /// [`Error::InvalidEndpoint`], or [`Error::Unreachable`] when nothing answers there.
    pub async fn connect(options: ConnectOptions) -> Result<Self, Error> {
        let unreachable = |why| Error::Unreachable { endpoint: options.endpoint.clone(), why };
        let connecting = options.endpoint()?;
        // The transport's own limit covers only the TCP connection, not the HTTP/2 handshake after it.
        let connected = tokio::time::timeout(options.connect_timeout, connecting.connect()).await;
        match connected {
            Ok(Ok(channel)) => Ok(Self::over(channel, &options)),
            Ok(Err(error)) => Err(unreachable(deepest_cause(&error))),
            Err(_) => Err(unreachable("no answer".to_owned())),
        }
    }

    /// Connects with the first call.
    ///
    /// # Errors
    /// [`Error::InvalidEndpoint`]. Must be called inside a tokio runtime.
    pub fn connect_lazy(options: &ConnectOptions) -> Result<Self, Error> {
        Ok(Self::over(options.endpoint()?.connect_lazy(), options))
    }

    fn over(channel: Channel, options: &ConnectOptions) -> Self {
        Self { channel, timeout: options.timeout, retry: options.retry.clone() }
    }

    /// The same connection with another deadline for unary calls.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// The connection itself, for generated clients of other services.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

macro_rules! generated_clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident),* $(,)?) => {
        impl Client {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> $client<Channel> {
                $client::new(self.channel()).max_decoding_message_size(MAX_RESPONSE_BYTES)
            })*
        }
    };
}

generated_clients! {
    /// The generated client of the nodes, without deadlines and repetitions.
    nodes: NodeServiceClient,
    /// The generated client of the owners, without deadlines and repetitions.
    owners: OwnerServiceClient,
    /// The generated client of the tenants, without deadlines and repetitions.
    tenants: TenantServiceClient,
    /// The generated client of the jobs, without deadlines and repetitions.
    jobs: JobServiceClient,
    /// The generated client of the watch, which does not resume.
    watches: WatchServiceClient,
    /// The generated client of prices and statements, without deadlines and repetitions.
    billing: BillingServiceClient,
    /// The generated client of the capacity summary, without deadlines and repetitions.
    capacity: CapacityServiceClient,
    /// The generated client for the cell's operators, without deadlines and repetitions.
    admin: AdminServiceClient,
}
